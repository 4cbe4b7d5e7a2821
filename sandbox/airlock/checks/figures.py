"""Checks of figures: a mark stands for a group that its table counts, and no word of a figure comes from data.

Plots of individuals are refused with the reason: kinds that draw records (scatter, strip, density), tables without
counts, several rows for one mark, more marks than people can read as groups. What the drawing shows is what the table
shows, so the table's own checks hold for it.
Source: PRIVACY.md 16; SDC handbook (Hundepool et al., 2012) on graphical output.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.checks.labels import identifiers_in
from sandbox.airlock.figures.spec import KINDS, Figure, table_of
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.roles import ColumnRole, TypedColumn, is_label
from sandbox.airlock.typed import Shape, TableKind, TypedTable, is_total
from sandbox.client.scale import COLOURS

_LENGTHS: Final = {"box": (3, 5)}
_NEEDS_SERIES: Final = frozenset({"grouped_bar", "heat_map"})
_NO_SERIES: Final = frozenset({"box"})


def check_figures(
    figures: Sequence[Figure], tables: Sequence[TypedTable], limits: AirlockLimits, *, shape: Shape | None
) -> Iterator[Finding]:
    """Every figure: its kind, its words, its table, its marks. ``shape`` is the dry run's, None while making it."""
    for figure in figures:
        yield from _words(figure, limits, shape)
        table = table_of(figure, tables)
        if table is not None and not table.rows and figure.kind in KINDS:
            continue  # told as `no_rows`: without cells nobody knows what its columns are
        fault = _fault(figure, table, limits)
        if fault is not None:
            yield fault


def drawable(figure: Figure, tables: Sequence[TypedTable], limits: AirlockLimits) -> bool:
    """Whether the figure can be drawn at all; what cannot be drawn is not shown, and blocks."""
    table = table_of(figure, tables)
    return table is not None and bool(table.rows) and _fault(figure, table, limits) is None


def _words(figure: Figure, limits: AirlockLimits, shape: Shape | None) -> Iterator[Finding]:
    texts = figure.texts
    long = sum(len(text) > limits.max_text for text in texts)
    odd = sum(any(unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs", "Cn"} for c in text) for text in texts)
    for rule, count in (("long_text", long), ("control_characters", odd)):
        if count:
            yield Finding(rule, figure.name, count=count)
    identifiers = identifiers_in([figure.title])
    if identifiers:
        yield Finding("identifier", figure.name, count=identifiers)
    if shape is not None and shape.figures.get(figure.original_name) != figure.words:
        yield Finding("new_figure", figure.name, count=1)


def _fault(figure: Figure, table: TypedTable | None, limits: AirlockLimits) -> Finding | None:
    """The first reason why the figure cannot be drawn."""
    if figure.kind not in KINDS:
        return Finding("figure_kind", figure.name, count=1)
    if table is None:
        return Finding("figure_table", figure.name, count=1)
    columns = {column.name: place for place, column in enumerate(table.columns)}
    wrong = _misplaced(figure, {column.name: column for column in table.columns})
    if wrong:
        return Finding("figure_column", figure.name, count=wrong)
    if table.kind is TableKind.OTHER or not table.indexes(ColumnRole.COUNT):
        return Finding("figure_of_records", figure.name, count=len(table.rows))
    axes = [columns[name] for name in (figure.x, figure.series) if name]
    marks = Counter(tuple(row[place] for place in axes) for row in table.rows)
    repeated = sum(number - 1 for number in marks.values())
    if repeated:
        return Finding("figure_of_records", figure.name, count=repeated)
    series = {row[columns[figure.series]] for row in table.rows} if figure.series else set()
    if figure.kind != "heat_map" and len({each for each in series if not is_total(each)}) > len(COLOURS):
        return Finding("figure_marks", figure.name, count=len(series))
    if len(marks) > limits.max_figure_marks:
        return Finding("figure_marks", figure.name, count=len(marks))
    return None


def _misplaced(figure: Figure, columns: dict[str, TypedColumn]) -> int:
    """How many of the named columns are not there or cannot stand where they are put."""
    wrong = int(len(figure.y) not in _LENGTHS.get(figure.kind, (1,)))
    wrong += (figure.kind in _NO_SERIES) if figure.series else (figure.kind in _NEEDS_SERIES)
    for name in (figure.x, figure.series):
        wrong += bool(name) and not (name in columns and is_label(columns[name]))
    for name in figure.y:
        wrong += not (name in columns and columns[name].type in {"integer", "number"} and not is_label(columns[name]))
    named = [name for name in (figure.x, figure.series, *figure.y) if name]
    return wrong + len(named) - len(set(named))
