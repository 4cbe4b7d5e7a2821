"""How commands print: a table for people, JSON with --json, one sentence for an error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

AsJSON = Annotated[bool, typer.Option("--json", help="以 JSON 输出 · print JSON")]


def fail(sentence: str) -> int:
    """Print an error sentence; returns the exit code."""
    print(f"错误 error: {sentence}", file=sys.stderr)
    return 1


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """A list of records with the same keys."""
    if as_json:
        typer.echo(json.dumps(list(rows), ensure_ascii=False, indent=2, default=str))
        return
    if not rows:
        typer.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(str(name), overflow="fold", no_wrap=name == "id")  # ids are copied: never over two lines
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console().print(table)


def show_one(record: Mapping[str, Any], *, as_json: bool) -> None:
    """One record, a line a field."""
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=False, indent=2, default=str))
        return
    width = max((len(name) for name in record), default=0)
    for name, value in record.items():
        typer.echo(f"{name:<{width}}  {'' if value is None else value}")
