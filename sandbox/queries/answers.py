"""What fixed tables answer, as plain values: what is registered, one answer, and both as JSON and CSV.

A figure that is hidden is null, whatever the reason: below the threshold, too uncertain, or hidden so that another one
stays hidden. Errors are half widths of 95 % intervals of the noise; how they come about is public. How good a figure
is (`quality`) follows from the two and is said wherever they are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from opendata.catalog.texts import Text, text
from sandbox.queries.quality import MEANING, TITLES, Quality, quality_of

MOST_DIMENSIONS: Final = 3
"""Dimensions that one question may name."""
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula."""
NOTE: Final = text(
    "固定口径统计：每个数据批次只计算一次，数字含噪声，误差为 95% 区间的半宽；空白表示不予显示。",
    "Fixed tables: computed once for each intake; figures hold noise, an error is half a 95 % interval; empty cells "
    "are not shown.",
)


@dataclass(frozen=True, slots=True)
class Category:
    """One fixed category of a dimension: what rows of an answer say, and how it is shown."""

    code: str
    title: Text


@dataclass(frozen=True, slots=True)
class RegisteredDimension:
    """A dimension that may be asked by, with all its categories in order."""

    name: str
    title: Text
    categories: tuple[Category, ...]


@dataclass(frozen=True, slots=True)
class RegisteredMeasure:
    """A measure: ``count``, or ``column`` with the bounds its values are clamped to. ``ask``: words a question uses."""

    column: str
    title: Text
    ask: tuple[str, ...]
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """What a dataset's fixed tables are. ``state``: none, computing, published or failed.

    ``may_ask``: whether this viewer gets answers; ``door`` says what to do otherwise. ``error``: why none was computed,
    for the people who may compute it.
    """

    dataset: str
    title: Text
    state: str
    may_ask: bool
    may_compute: bool
    door: Text | None
    dimensions: tuple[RegisteredDimension, ...] = ()
    measures: tuple[RegisteredMeasure, ...] = ()
    counted: Text | None = None
    threshold: int | None = None
    published_at: datetime | None = None
    number: int | None = None
    job_id: str | None = None
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """For the API."""
        return {
            "dataset": self.dataset,
            "title": dict(self.title),
            "state": self.state,
            "may_ask": self.may_ask,
            "may_compute": self.may_compute,
            "door": dict(self.door) if self.door else None,
            "most_dimensions": MOST_DIMENSIONS,
            "dimensions": [
                {
                    "name": each.name,
                    "title": dict(each.title),
                    "categories": [{"code": one.code, "title": dict(one.title)} for one in each.categories],
                }
                for each in self.dimensions
            ],
            "measures": [
                {
                    "column": each.column,
                    "title": dict(each.title),
                    "ask": list(each.ask),
                    "lower": each.lower,
                    "upper": each.upper,
                }
                for each in self.measures
            ],
            "counted": dict(self.counted) if self.counted else None,
            "threshold": self.threshold,
            "published_at": self.published_at.isoformat() if self.published_at else None,
            "number": self.number,
            "job_id": self.job_id,
            "error": self.error,
            "note": dict(NOTE),
        }


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer. ``of``: for an error, the measure it belongs to."""

    name: str
    title: Text
    kind: Literal["dimension", "measure", "error"]
    of: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One table: every combination of the dimensions' categories is a row, hidden figures are None.

    ``columns``: dimensions, then each measure with its error. ``labels``: title of each code of each dimension.
    ``cells`` and ``hidden`` count figures. ``published_at`` is the date of the cube, ``number`` which one it is.
    """

    dataset: str
    title: Text
    cube: str
    number: int
    published_at: datetime
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    labels: Mapping[str, Mapping[str, Text]]
    cells: int
    hidden: int
    threshold: int
    counted: Text
    note: Text = field(default_factory=lambda: NOTE)

    @property
    def quality(self) -> dict[str, tuple[Quality | None, ...]]:
        """Of each measure, how good its figures are, row by row; None for a hidden one."""
        at = {each.name: place for place, each in enumerate(self.columns)}
        errors = {each.of: at[each.name] for each in self.columns if each.kind == "error"}
        return {
            name: tuple(quality_of(row[at[name]], row[error]) for row in self.rows) for name, error in errors.items()
        }

    def to_json(self) -> dict[str, Any]:
        """For the API and the client. ``quality``: of each measure, one word a row; ``unreliable`` counts the worst."""
        quality = {name: list(marks) for name, marks in self.quality.items()}
        return {
            "dataset": self.dataset,
            "title": dict(self.title),
            "cube": self.cube,
            "number": self.number,
            "published_at": self.published_at.isoformat(),
            "columns": [
                {"name": each.name, "title": dict(each.title), "kind": each.kind, "of": each.of}
                for each in self.columns
            ],
            "rows": [list(row) for row in self.rows],
            "labels": {
                name: {code: dict(title) for code, title in titles.items()} for name, titles in self.labels.items()
            },
            "cells": self.cells,
            "hidden": self.hidden,
            "quality": quality,
            "unreliable": sum(marks.count(Quality.UNRELIABLE) for marks in quality.values()),
            "quality_titles": {str(each): dict(title) for each, title in TITLES.items()},
            "quality_note": dict(MEANING),
            "threshold": self.threshold,
            "counted": dict(self.counted),
            "note": dict(self.note),
        }

    def to_csv(self, language: str = "zh") -> str:
        """RFC 4180, with titles for codes; no cell begins like a formula of a spreadsheet.

        The last columns say of each measure how good its figures are.
        """
        sink, quality = io.StringIO(), self.quality
        writer = csv.writer(sink, lineterminator="\r\n")
        titles = {each.name: each.title for each in self.columns}
        head = [each.title for each in self.columns] + [_reliability(titles[name]) for name in quality]
        writer.writerow([_harmless(_in(each, language)) for each in head])
        for place, row in enumerate(self.rows):
            marks = [marks[place] for marks in quality.values()]
            said = ["" if mark is None else _in(TITLES[mark], language) for mark in marks]
            writer.writerow([*(self._shown(*pair, language) for pair in zip(self.columns, row, strict=True)), *said])
        return sink.getvalue()

    def _shown(self, column: Column, value: Any, language: str) -> Any:
        if column.kind != "dimension":
            return "" if value is None else value
        return _harmless(_in(self.labels[column.name][value], language))


def _reliability(title: Text) -> Text:
    return text(f"{title['zh']}可靠程度", f"{title['en']}, reliability")


def _in(title: Text, language: str) -> str:
    return title["en"] if language == "en" else title["zh"]


def _harmless(cell: str) -> str:
    """The cell, after an apostrophe where a spreadsheet would take it for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
