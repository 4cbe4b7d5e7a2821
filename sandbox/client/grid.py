"""One measure of an answer of fixed tables laid out in rows, columns and panels, with hidden figures as None.

The page of fixed tables, drawings and notebooks read this form. Standard library only; pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

HIDDEN: Final = "*"
"""The sign of a figure that is not shown."""
Text = Mapping[str, str]
Cell = tuple[float | None, float | None]
"""A figure and its error (half a 95 % interval); None: not shown, or without error."""
_NO_TEXT: Final[Text] = {"zh": "", "en": ""}


@dataclass(frozen=True, slots=True)
class Axis:
    """A dimension: categories in order. A missing one has one category without words."""

    name: str
    title: Text
    codes: tuple[str, ...]
    labels: tuple[Text, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def said(self, place: int, lang: str) -> str:
        """The label of a category."""
        return said(self.labels[place], lang)


MISSING: Final = Axis("", _NO_TEXT, ("",), (_NO_TEXT,))


@dataclass(frozen=True, slots=True)
class Grid:
    """``cells``: by places of panel, row and column. ``measure``: its name in the answer.

    ``quality``: by the same places how good a shown figure is (good, rough, unreliable), as the service says.
    """

    measure: str
    title: Text
    rows: Axis
    columns: Axis
    panels: Axis
    cells: Mapping[tuple[int, int, int], Cell]
    quality: Mapping[tuple[int, int, int], str] = field(default_factory=dict)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The dimensions that there are."""
        return tuple(each for each in (self.rows, self.columns, self.panels) if each.name)

    @property
    def hidden(self) -> int:
        """How many figures are not shown."""
        return sum(value is None for value, _ in self.cells.values())

    def said(self, lang: str) -> str:
        """``persons by sex, age``."""
        by = ("、" if lang == "zh" else ", ").join(said(each.title, lang) for each in self.axes)
        if not by:
            return said(self.title, lang)
        return f"{said(self.title, lang)}（按{by}）" if lang == "zh" else f"{said(self.title, lang)} by {by}"


def pivot(answer: Mapping[str, Any], *, measure: str = "", by: Sequence[str] = ()) -> Grid:
    """The first measure, or the one named; ``by``: rows, columns, panels. Otherwise the longest dimension is first.

    Raises:
        KeyError: the answer has no such measure or dimension, or ``by`` leaves one out.
    """
    columns = list(answer["columns"])
    at = {str(each["name"]): place for place, each in enumerate(columns)}
    kinds = {name: str(columns[place]["kind"]) for name, place in at.items()}
    dimensions = [name for name in at if kinds[name] == "dimension"]
    shown = measure or next(name for name in at if kinds[name] == "measure")
    if kinds[shown] != "measure":
        raise KeyError(shown)
    error = next((at[each["name"]] for each in columns if each["kind"] == "error" and each.get("of") == shown), None)
    labels = answer["labels"]
    order = list(by) or sorted(dimensions, key=lambda name: -len(labels[name]))
    if sorted(order) != sorted(dimensions):
        raise KeyError(next(iter(set(order) ^ set(dimensions)), ""))
    axes = [_axis(columns[at[name]], labels[name]) for name in order]
    places = [{code: place for place, code in enumerate(axis.codes)} for axis in axes]
    marks = (answer.get("quality") or {}).get(shown) or [None] * len(answer["rows"])
    cells: dict[tuple[int, int, int], Cell] = {}
    quality: dict[tuple[int, int, int], str] = {}
    for row, mark in zip(answer["rows"], marks, strict=True):
        found = [places[axis][row[at[name]]] for axis, name in enumerate(order)] + [0, 0, 0]
        place = (found[2], found[0], found[1])
        cells[place] = (row[at[shown]], None if error is None else row[error])
        if mark is not None:
            quality[place] = str(mark)
    rows, across, panels, *_ = (*axes, MISSING, MISSING, MISSING)
    return Grid(shown, columns[at[shown]]["title"], rows, across, panels, cells, quality)


def measures_of(answer: Mapping[str, Any]) -> list[str]:
    """Names of its measures, in order."""
    return [str(each["name"]) for each in answer["columns"] if each["kind"] == "measure"]


def figure_text(value: float | None) -> str:
    """A figure as people read it; the sign of a hidden one.

    >>> [figure_text(each) for each in (12345, 0.5, 8.0, None)]
    ['12,345', '0.5', '8', '*']
    """
    return HIDDEN if value is None else f"{value:,}".removesuffix(".0")


def said(text: Text, lang: str) -> str:
    """The text in a language; the other one where it is missing."""
    return str(text.get(lang) or next(iter(text.values()), ""))


def both(text: Text) -> str:
    """Chinese and English, once where they are the same."""
    return " / ".join(dict.fromkeys(each for each in (text.get("zh"), text.get("en")) if each))


def _axis(column: Mapping[str, Any], labels: Mapping[str, Text]) -> Axis:
    return Axis(str(column["name"]), column["title"], tuple(labels), tuple(_texts(labels.values())))


def _texts(labels: Iterable[Text]) -> Iterable[Text]:
    return (dict(each) for each in labels)
