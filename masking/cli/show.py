"""How the command line shows things: tables and progress for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


def complain(sentence: str) -> None:
    """One sentence on standard error."""
    print(f"错误 error: {sentence}", file=sys.stderr)


def as_json(value: Any) -> None:
    """JSON on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def as_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on standard output; cells are text, never markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, show_lines=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def line(text: str) -> None:
    """A line on standard output."""
    print(text)


def printable(cell: Any) -> str:
    """A cell as text without control characters, which could drive the terminal."""
    text = "" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell)
    return "".join(c if c.isprintable() else "�" for c in text)


_STAGES = {"measure": "度量 measuring", "write": "写出 writing"}


@contextmanager
def progress(label: str) -> Iterator[Callable[[str, int], None]]:
    """A counter of records on standard error, if that is a terminal; told the stage and the records so far."""
    if not sys.stderr.isatty():
        yield lambda _stage, _records: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,.0f} 行 rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda stage, records: bar.update(task, description=_STAGES.get(stage, label), completed=records)
