"""How the command line shows things: tables and progress for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from masking.report import MaskingReport


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


def test_data(given: bool) -> None:
    """Say loudly, on standard error, that a table is for tests only."""
    if given:
        print(
            "！！仅供测试，不得发布或提供给任何人 TEST DATA ONLY: never publish it or give it to anybody",
            file=sys.stderr,
        )


def summary(report: MaskingReport, lang: Literal["zh", "en"]) -> str:
    """What a run did, in one line."""
    rows = f"{report.rows_in:,} → {report.rows_out:,}"
    parts = [f"{rows} rows" if lang == "en" else f"{rows} 行"]
    if report.before and report.after:
        alone = f"{report.unique_before:.2%} → {report.unique_after:.2%}"
        parts.append(f"k {report.k_before} → {report.k_after}")
        parts.append(f"persons who stand alone {alone}" if lang == "en" else f"可单独区分的人 {alone}")
    parts += [report.effect.title(lang), report.legal_status.title(lang)]
    return ("; " if lang == "en" else "；").join(parts)


@contextmanager
def progress(label: str) -> Iterator[None]:
    """That something is being done, on standard error, if that is a terminal; ``running.pace`` says how fast."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(label):
        yield
