"""Numbers that rows are grouped by: periods, decimals of a raw column, bins, ranks, numbered classes.

They are released as they are, so they must be such that little can be said with them: years and months; short numbers
that make the rows groups; whole numbers that lie on a grid of which most is there, or that only number the rows.
Source: PRIVACY.md 16. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from sandbox.airlock.digits import has_more_digits
from sandbox.airlock.roles import ColumnRole, TypedColumn, is_count_by_name, is_index, is_label, role_of
from sandbox.contracts import Cell, ParsedFile

_PERIODS: Final = {
    **dict.fromkeys(("year", "年", "年份", "年度"), (1900, 2100)),
    **dict.fromkeys(("quarter", "季度"), (1, 4)),
    **dict.fromkeys(("month", "月", "月份"), (1, 12)),
    **dict.fromkeys(("week", "周"), (1, 53)),
    **dict.fromkeys(("day", "日"), (1, 31)),
    **dict.fromkeys(("hour", "时"), (0, 23)),
}
_PERIOD: Final = re.compile(rf"(?:^|_)(?:{'|'.join(sorted(_PERIODS, key=len, reverse=True))})$", re.IGNORECASE)
KEY_DIGITS: Final = 3
"""Significant digits of a number that rows may be grouped by."""
MOST_CLASSES: Final = 60
"""Numbers on a grid that may be classes or bins."""
_FEWEST: Final = 3
_NEAR: Final = 1e-6
Rows = Sequence[tuple[Cell, ...]]


def columns_of(file: ParsedFile, attributes: Collection[str]) -> tuple[tuple[TypedColumn, ...], frozenset[int]]:
    """The columns of a parsed table with their roles, and which of them only number classes or bins."""
    cells = [[row[place] for row in file.rows] for place in range(len(file.columns))]
    columns = [
        TypedColumn(c.name, c.type, ColumnRole.DIMENSION)
        if c.type == "integer" and _is_period(c.name, cells[place])
        else TypedColumn(c.name, c.type, role_of(c.name, c.type, attributes))
        for place, c in enumerate(file.columns)
    ]
    columns = _with_parts(columns, cells)
    columns = _with_decimal_keys(columns, file.rows, cells, attributes)
    numbered = _numbered(columns, file.rows, cells)
    numbered = numbered or _in_code(columns, file.rows, cells)
    for place in numbered:
        columns[place] = TypedColumn(columns[place].name, columns[place].type, ColumnRole.DIMENSION)
    return tuple(columns), frozenset(numbered)


def distinct_rows(rows: Rows, keys: Sequence[int]) -> int:
    """How many different groups the columns make."""
    return len({tuple(row[place] for place in keys) for row in rows})


def _with_parts(columns: list[TypedColumn], cells: Sequence[Sequence[Cell]]) -> list[TypedColumn]:
    """Whole numbers that add up to a count in each row are counts: of months, or written as decimals beside gaps."""
    parts = [
        place
        for place, column in enumerate(columns)
        if column.type in {"number", "integer"} and column.role is ColumnRole.MEASURE and _are_whole(cells[place])
    ]
    counts = [place for place, column in enumerate(columns) if column.role is ColumnRole.COUNT]
    for total in counts if len(parts) > 1 else ():
        for beside in ([], [place for place in counts if place != total]):
            if _sums(cells, [*parts, *beside]) == [_value(cell) for cell in cells[total]]:
                return [
                    TypedColumn(column.name, column.type, ColumnRole.COUNT) if place in parts else column
                    for place, column in enumerate(columns)
                ]
    return columns


def _with_decimal_keys(
    columns: list[TypedColumn], rows: Rows, cells: Sequence[Sequence[Cell]], attributes: Collection[str]
) -> list[TypedColumn]:
    """A raw column of decimals (ages in tenths) may be what an output is grouped by.

    It is where its rows are groups with it and are none without it. Its numbers are then labels, which are released as
    they are: so they must be full, short, and not called after a statistic; the raw match says whether records have
    them. One after another becomes a key, until the rows are groups.
    """
    keys = [place for place, column in enumerate(columns) if is_label(column)]
    made = list(columns)
    for place, column in enumerate(columns):
        if column.role is not ColumnRole.MEASURE or column.type != "number" or column.name not in attributes:
            continue
        if distinct_rows(rows, keys) == len(rows) or not _are_short(cells[place]):
            continue
        if distinct_rows(rows, [*keys, place]) > distinct_rows(rows, keys):
            keys.append(place)
            made[place] = TypedColumn(column.name, column.type, ColumnRole.DIMENSION)
    return made if len(rows) > 1 and distinct_rows(rows, keys) == len(rows) else columns


def _are_whole(cells: Sequence[Cell]) -> bool:
    return all(
        cell is None
        or (isinstance(cell, int | float) and not isinstance(cell, bool) and cell >= 0 and float(cell).is_integer())
        for cell in cells
    )


def _value(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else 0.0


def _sums(cells: Sequence[Sequence[Cell]], places: Sequence[int]) -> list[float]:
    return [sum(map(_value, row)) for row in zip(*(cells[place] for place in places), strict=True)]


def _numbered(columns: Sequence[TypedColumn], rows: Rows, cells: Sequence[Sequence[Cell]]) -> list[int]:
    """Whole-number columns that are keys: classes without which rows repeat, both edges of bins, places in an order."""
    keys = [place for place, column in enumerate(columns) if is_label(column)]
    free = [
        place
        for place, column in enumerate(columns)
        if column.type == "integer"
        and (is_index(column.name) or (column.role is ColumnRole.COUNT and not is_count_by_name(column.name)))
    ]
    if not free or len(rows) < _FEWEST - 1:
        return []
    found: list[int] = []
    for low, high in pairwise(free):
        if _are_edges(cells[low], cells[high]):
            found += [low, high]
    for place in free:
        unique = distinct_rows(rows, [*keys, *found]) == len(rows)
        if place in found or not (_numbers_rows(cells[place]) if unique else _are_classes(cells[place])):
            continue
        if unique or distinct_rows(rows, [*keys, *found, place]) > distinct_rows(rows, [*keys, *found]):
            found.append(place)
    left = any(c.role is ColumnRole.COUNT and place not in found for place, c in enumerate(columns))
    return found if left and distinct_rows(rows, [*keys, *found]) == len(rows) else []


def _in_code(columns: Sequence[TypedColumn], rows: Rows, cells: Sequence[Sequence[Cell]]) -> list[int]:
    """Other short numbers on a grid, or edges of bins, without which rows repeat: days of a curve, parts of a whole.

    Labels are those of the dry run (`checks.labels`), so such numbers must stand in the code.
    """
    keys = [place for place, column in enumerate(columns) if is_label(column)]
    counted = any(column.role is ColumnRole.COUNT for column in columns)
    if not counted or len(rows) < _FEWEST or distinct_rows(rows, keys) == len(rows):
        return []
    free = [
        place
        for place, column in enumerate(columns)
        if column.role in {ColumnRole.MEASURE, ColumnRole.SHARE} and column.type in {"integer", "number"}
    ]
    for low, high in pairwise(free):
        if _touch(cells[low], cells[high]) and distinct_rows(rows, [*keys, low]) == len(rows):
            return [low, high]
    for place in free:
        if _are_on_grid(cells[place]) and distinct_rows(rows, [*keys, place]) == len(rows):
            return [place]
    return []


def _touch(low: Sequence[Cell], high: Sequence[Cell]) -> bool:
    """Whether bins of decimals end where the next begin."""
    if not _are_short([*low, *high]):
        return False
    bins = sorted({(_value(a), _value(b)) for a, b in zip(low, high, strict=True)})
    return (
        len(bins) >= _FEWEST
        and all(a < b for a, b in bins)
        and all(b == after for (_, b), (after, _) in pairwise(bins))
    )


def _are_on_grid(cells: Sequence[Cell]) -> bool:
    """The same as classes, of decimals too."""
    if not _are_short(cells):
        return False
    for places in range(KEY_DIGITS + 1):
        scaled = [_value(cell) * 10**places for cell in cells]
        if all(abs(value - round(value)) < _NEAR for value in scaled):
            values = sorted({round(value) for value in scaled})
            step = int(np.gcd.reduce(np.diff(values))) if len(values) >= _FEWEST else 0
            return (
                bool(step) and len(values) <= MOST_CLASSES and (values[-1] - values[0]) // step + 1 <= 2 * len(values)
            )
    return False


def _are_edges(low: Sequence[Cell], high: Sequence[Cell]) -> bool:
    """Whether two columns are where bins begin and end: each ends where the next begins, or just before."""
    bins = sorted({(a, b) for a, b in zip(low, high, strict=True) if isinstance(a, int) and isinstance(b, int)})
    ends = [b + b % 2 for _, b in bins]  # 1999 is as short as 2000
    if len(bins) < _FEWEST or None in {*low, *high} or not _are_short([*low, *ends]):
        return False
    return all(a < b for a, b in bins) and all(b in {after, after - 1} for (_, b), (after, _) in pairwise(bins))


def _are_classes(cells: Sequence[Cell]) -> bool:
    """Whether numbers lie on a grid of which at least half is there: codes of classes, bands of ten years."""
    values = sorted({cell for cell in cells if isinstance(cell, int) and not isinstance(cell, bool)})
    if None in cells or not 1 < len(values) <= MOST_CLASSES or values[0] < 0 or not _are_short(values):
        return False
    if len(values) < _FEWEST:
        return values in ([0, 1], [1, 2])
    step = int(np.gcd.reduce(np.diff(values)))
    return (values[-1] - values[0]) // step + 1 <= 2 * len(values)


def _numbers_rows(cells: Sequence[Cell]) -> bool:
    """Whether a column only numbers the rows: 1, 2, 3 in some order."""
    values = sorted(cell for cell in cells if isinstance(cell, int) and not isinstance(cell, bool))
    return len(values) == len(cells) and values in (list(range(len(cells))), list(range(1, len(cells) + 1)))


def _are_short(cells: Sequence[Cell]) -> bool:
    """Whether all are numbers of at most three digits: what a measure would be cut to."""
    return all(
        isinstance(cell, int | float) and not isinstance(cell, bool) and not has_more_digits(cell, KEY_DIGITS)
        for cell in cells
    )


def _is_period(name: str, cells: Sequence[Cell]) -> bool:
    """Whether whole numbers are years, months and so on: labels, which three digits would make wrong.

    Only numbers that can be periods are: a column of other numbers under such a name is a measure, and is cut.
    """
    match = _PERIOD.search(name)
    if match is None:
        return False
    low, high = _PERIODS[match[0].strip("_").casefold()]
    return all(cell is None or low <= float(cell) <= high for cell in cells)
