"""What stands beside the groups and their figures and may hold a message: labels that no group needs, gaps, absences.

A table's group columns are those without which rows would repeat. Any other column of labels (flags, words of the code,
dates) says something of each row; a yes or no a row writes a number out in binary as well as a digit would. Such a
column is harmless where it is one word that the dry run had too, or follows another column as it did in the dry run
(the region of a district). The same holds of figures that are left empty, and of files and columns that the dry run
wrote and the sealed run did not.
Source: PRIVACY.md 14 and 16. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final, TypeGuard

from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.checks.follows import ranks
from sandbox.airlock.checks.spelling import spellings
from sandbox.airlock.figures.spec import Figure
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.roles import ColumnRole
from sandbox.airlock.typed import Shape, TableKind, TypedTable, key_columns
from sandbox.contracts import Cell

_COORDINATE: Final = re.compile(
    r"(^|_)(lat|lon|lng|latitude|longitude|coord|coords|coordinate|easting|northing|geo_?[xy]|[xy]_?coord)(_|\d|$)"
    r"|经度|纬度|坐标",
    re.IGNORECASE,
)
_FEWEST_GAPS: Final = 2


def check_beside(
    table: TypedTable, limits: AirlockLimits, *, shape: Shape | None, of_raw: Collection[int]
) -> Iterator[Finding]:
    """Labels that no group needs, empty figures, coordinates. ``of_raw``: columns that a raw table explains."""
    if table.kind is TableKind.MODEL or not table.rows:
        return
    rule = "label_not_needed" if limits.registered_only else "label_beside_groups"
    keys = key_columns(table, of_raw)
    for index in table.indexes(ColumnRole.DIMENSION):
        if index not in keys and not ranks(table, index) and not _is_as_in_dry_run(table, index, shape):
            yield Finding(rule, table.name, table.columns[index].name, len(table.rows))
    rule = "coordinates" if limits.registered_only else "coordinates_of_groups"
    for column in table.columns:
        if column.type in {"number", "integer"} and _COORDINATE.search(column.name):
            yield Finding(rule, table.name, column.name, len(table.rows))
    yield from _gaps(table)


def check_absent(tables: Sequence[TypedTable], figures: Sequence[Figure], shape: Shape | None) -> Iterator[Finding]:
    """Files and columns that the dry run wrote and the sealed run did not: which are there may be a code."""
    if shape is None:
        return
    there = {table.original_name for table in tables} | {figure.original_name for figure in figures}
    gone = len((shape.files.keys() | shape.figures.keys()) - there)
    if gone:
        yield Finding("missing_file", count=gone)
    for table in tables:
        names = {column.name for column in table.columns}
        gone = len(shape.files.get(table.original_name, {}).keys() - names)
        if gone:
            yield Finding("missing_column", table.name, count=gone)


def _is_as_in_dry_run(table: TypedTable, index: int, shape: Shape | None) -> bool:
    """Whether the column could not hold a message: the dry run's one word, or its function of another column.

    In the dry run itself, where nothing is known yet, whether it could be that: a function of some column.
    """
    texts = spellings(table, index)
    name = table.columns[index].name
    if shape is None:
        others = [spellings(table, other) for other in table.indexes(ColumnRole.DIMENSION) if other != index]
        return any(len(set(zip(other, texts, strict=True))) == len(set(other)) for other in others)
    if set(texts) == shape.files.get(table.original_name, {}).get(name, frozenset()) and len(set(texts)) == 1:
        return True
    by_name = {column.name: place for place, column in enumerate(table.columns)}
    for other, pairs in shape.follows.get(table.original_name, {}).get(name, {}).items():
        if other in by_name and all(
            text is not None and pairs.get(of or "") == text
            for of, text in zip(spellings(table, by_name[other]), texts, strict=True)
        ):
            return True
    return False


def _gaps(table: TypedTable) -> Iterator[Finding]:
    """Empty figures of rows that state a count, unless all rows with fewer persons are empty too."""
    counts = table.indexes(ColumnRole.COUNT)
    if not counts:
        return
    for index in table.indexes(ColumnRole.MEASURE, ColumnRole.SHARE, ColumnRole.EXTREME):
        for place in counts:
            pairs = [
                (float(n), cell is None)
                for n, cell in zip(table.column(place), table.column(index), strict=True)
                if _number(n)
            ]
            gaps = [n for n, empty in pairs if empty]
            filled = [n for n, empty in pairs if not empty]
            if len(gaps) < _FEWEST_GAPS or not filled or max(gaps) <= min(filled):
                break
        else:
            yield Finding("unexplained_gaps", table.name, table.columns[index].name, len(gaps))


def _number(cell: Cell) -> TypeGuard[int | float]:
    return isinstance(cell, int | float) and not isinstance(cell, bool)
