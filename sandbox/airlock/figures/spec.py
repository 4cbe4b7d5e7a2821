"""What a figure is before it is drawn: the words that a job declared, read from the parser's answer.

A job releases no pixels. It writes ``visits.figure.json`` beside ``visits.csv``: table, kind, x, y, series, title.
Order, colours, sizes and scales are ours, so they cannot be a code; and the words have to be those of the dry run,
which met no raw data.
Source: PRIVACY.md 16; Hundepool et al., Statistical Disclosure Control, 2012 (graphs show what their table shows).

Pure: parsed files in, values out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox.airlock.typed import Shape, TypedTable
from sandbox.contracts import ParsedFile, ParsedOutput
from sandbox.inside.figure_words import FIGURE, FIGURE_MEMBERS

KINDS: Final = ("bar", "grouped_bar", "line", "heat_map", "box")
"""What is drawn. A plot of rows, points or densities shows individuals and is none of them."""
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}")


@dataclass(frozen=True, slots=True)
class Figure:
    """The words of one figure. ``table`` is the file as the job wrote it; a box has several columns in ``y``."""

    name: str
    original_name: str
    kind: str
    table: str
    x: str
    y: tuple[str, ...]
    series: str = ""
    title: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """Every word that people would read, and the kind."""
        return (self.kind, self.table, self.x, *self.y, self.series, self.title)

    @property
    def words(self) -> str:
        """All of it in one form: two figures are the same if these are."""
        return json.dumps([self.kind, self.table, self.x, list(self.y), self.series, self.title], ensure_ascii=False)

    def about(self, tables: Mapping[str, str]) -> dict[str, Any]:
        """For records and lists. ``tables`` gives each table its released name."""
        told: dict[str, Any] = {"kind": self.kind, "table": tables.get(self.table, ""), "x": self.x, "y": list(self.y)}
        return told | {name: text for name, text in (("series", self.series), ("title", self.title)) if text}


def figures_of(output: ParsedOutput, *, shape: Shape | None) -> list[Figure]:
    """The figures that an output declares, in the order of their names.

    ``shape`` is the dry run's; None while making it. A name it does not know becomes ``figure-01.svg``.
    """
    figures: list[Figure] = []
    files = sorted((f for f in output.files if f.kind == "figure"), key=lambda f: f.name)
    for number, file in enumerate(files, 1):
        stem = file.name[: -len(FIGURE)]
        known = shape is None or file.name in shape.figures
        name = f"{stem}.svg" if known and _PLAIN_NAME.fullmatch(stem) else f"figure-{number:02d}.svg"
        if any(name == figure.name for figure in figures):
            name = f"figure-{number:02d}.svg"
        figures.append(_figure(name, file))
    return figures


def table_of(figure: Figure, tables: Sequence[TypedTable]) -> TypedTable | None:
    """The table that the figure is about."""
    return next((table for table in tables if table.original_name == figure.table), None)


def _figure(name: str, file: ParsedFile) -> Figure:
    said: dict[str, list[str]] = {member: [] for member in FIGURE_MEMBERS}
    for member, text in file.rows:
        said.setdefault(str(member), []).append(str(text))
    one = {member: (texts or [""])[0] for member, texts in said.items()}
    return Figure(
        name=name,
        original_name=file.name,
        kind=re.sub(r"[\s-]+", "_", one["kind"].strip().casefold()),
        table=one["table"].rsplit("/", 1)[-1],
        x=one["x"],
        y=tuple(said["y"]),
        series=one["series"],
        title=one["title"],
    )
