"""Gaps that totals give away, totals that hide a group, and counts that differ by a few persons.

A line is a total and its parts: along one dimension with the others fixed, or a total column of a wide table. A line
with one gap gives the gap; with it known, others may follow, so this goes on until nothing changes. Where the parts
that are shown leave less than ``threshold`` for several gaps, each of them is small. What all lines together pin down
is asked of a solver (`solvable`).
Source: SDC handbook (Hundepool et al., 2012), 4.4.1; PRIVACY.md 17.

Nulls are gaps; a group without a row is a gap too, in a table of two or more dimensions. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.checks.solvable import pinned_down
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.roles import ColumnRole
from sandbox.airlock.typed import TypedTable, is_total
from sandbox.contracts import Cell

Key = tuple[object, ...]
TOTAL: Final = "\0total"
MIN_NESTED: Final = 3


def check_totals(table: TypedTable, limits: AirlockLimits) -> Iterator[Finding]:
    """Suppressed counts that follow from totals, and totals that are larger than their parts by a small count."""
    labels, counts = table.indexes(ColumnRole.DIMENSION), table.indexes(ColumnRole.COUNT)
    if not labels or not counts:
        return
    figures = [(name, cells, _lines(cells)) for name, cells in _figures(table, labels, counts)]
    # Parts never add up to more than their total, unless totals and parts were rounded each by itself.
    apart = any((_remainder(cells, line) or 0.0) < 0 for _, cells, lines in figures for line in lines)
    for name, cells, lines in figures:
        if not lines:
            continue
        opened = _opened(cells, lines, limits.threshold)
        opened |= pinned_down(cells, total=TOTAL, threshold=limits.threshold, rounding=limits.rounding)
        if opened:
            yield Finding("suppressed_by_total", table.name, name, len(opened))
        step = limits.rounding if apart else 0
        small = sum(_remainder_is_small(cells, line, limits.threshold, rounding=step) for line in lines)
        if small:
            yield Finding("small_remainder", table.name, name, small)


def check_nested_counts(tables: Sequence[TypedTable], limits: AirlockLimits) -> Iterator[Finding]:
    """Counts of the same groups, in two columns or two tables, of which one is never the larger and differs by few."""
    shown = [(table, index) for table in tables for index in table.indexes(ColumnRole.COUNT)]
    for place, (table, index) in enumerate(shown):
        for other, second in shown[place + 1 :]:
            few = _differs_by_few(_by_group(table, index), _by_group(other, second), limits.threshold)
            if few:
                yield Finding("small_difference", table.name, table.columns[index].name, few)


def _figures(
    table: TypedTable, labels: Sequence[int], counts: Sequence[int]
) -> Iterator[tuple[str, dict[Key, float | None]]]:
    """Each count column by its groups; a wide table with a total column also as one figure of one dimension more."""
    keys = [tuple(TOTAL if is_total(row[i]) else row[i] for i in labels) for row in table.rows]
    if len(set(keys)) < len(keys):
        return
    for index in counts:
        long: dict[Key, float | None] = {k: _count(row[index]) for k, row in zip(keys, table.rows, strict=True)}
        yield table.columns[index].name, long
    sums = [index for index in counts if is_total(table.columns[index].name)]
    if len(sums) == 1 and len(counts) > 2:
        wide: dict[Key, float | None] = {
            (*key, TOTAL if index in sums else table.columns[index].name): _count(row[index])
            for key, row in zip(keys, table.rows, strict=True)
            for index in counts
        }
        yield table.columns[sums[0]].name, wide


def _lines(cells: dict[Key, float | None]) -> list[tuple[Key, tuple[Key, ...]]]:
    """Totals with their parts. Groups that other lines of the dimension have, and this one lacks, are gaps."""
    width = len(next(iter(cells)))
    lines = []
    for dimension in range(width):
        values = dict.fromkeys(key[dimension] for key in cells if key[dimension] is not TOTAL)
        parts: dict[Key, list[Key]] = defaultdict(list)
        for key in cells:
            if key[dimension] is not TOTAL:
                parts[(*key[:dimension], *key[dimension + 1 :])].append(key)
        for key in list(cells):
            if key[dimension] is TOTAL:
                rest = (*key[:dimension], *key[dimension + 1 :])
                members = (
                    tuple(dict.fromkeys((*key[:dimension], value, *key[dimension + 1 :]) for value in values))
                    if width > 1
                    else tuple(parts[rest])
                )
                if members:
                    lines.append((key, members))
    return lines


def _opened(cells: dict[Key, float | None], lines: Sequence[tuple[Key, tuple[Key, ...]]], threshold: int) -> set[Key]:
    """The gaps that totals open, one after another. Rounded totals open them up to rounding, which is enough."""
    known = dict(cells)
    opened: set[Key] = set()
    changed = True
    while changed:
        changed = False
        for total, members in lines:
            line = (total, *members)
            gaps = [key for key in line if known.get(key) is None]
            if not gaps or (total in gaps and len(gaps) > 1):
                continue
            rest = (known.get(total) or 0.0) - sum(known.get(key) or 0.0 for key in members)
            if len(gaps) == 1:
                # A group without a row whose total leaves nothing was empty, and says so.
                hidden = gaps[0] in cells or abs(rest) >= 1
                known[gaps[0]] = abs(rest)
                opened |= {gaps[0]} if hidden and gaps[0] != total else set()
                changed = True
            elif 0 < rest < threshold:
                opened |= {key for key in gaps if key in cells}
    return opened


def _remainder_is_small(
    cells: dict[Key, float | None], line: tuple[Key, tuple[Key, ...]], threshold: int, *, rounding: int
) -> bool:
    """Whether a total is a small count larger than its parts; ``rounding``: what each of them may be off by, twice."""
    rest = _remainder(cells, line)
    return rest is not None and rounding / 2 * (len(line[1]) + 1) < abs(rest) < threshold


def _remainder(cells: dict[Key, float | None], line: tuple[Key, tuple[Key, ...]]) -> float | None:
    total, members = line
    shown = [cells.get(key) for key in (total, *members)]
    if any(count is None for count in shown):
        return None
    whole, *parts = (float(count) for count in shown if count is not None)
    return whole - sum(parts)


def _by_group(table: TypedTable, index: int) -> dict[Key, float]:
    labels = table.indexes(ColumnRole.DIMENSION)
    groups = ((tuple(row[i] for i in labels), _count(row[index])) for row in table.rows)
    return {key: count for key, count in groups if count is not None}


def _differs_by_few(one: dict[Key, float], other: dict[Key, float], threshold: int) -> int:
    if len(one) < MIN_NESTED or set(one) != set(other):
        return 0
    gaps = [one[key] - other[key] for key in one]
    if min(gaps) < 0 < max(gaps):
        return 0
    # Halves that happen to be alike differ to both sides; a part of a whole never does.
    return sum(0 < abs(gap) < threshold for gap in gaps)


def _count(cell: Cell) -> float | None:
    return float(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else None
