"""Checks of counts: small, unrounded, negative, recoverable; shares, extremes and models that stand on few persons.

Source: OpenSAFELY (small counts, rounding), ACRO (degrees of freedom, zeros), SDC handbook (complementary
suppression, shares of 0 and 100 %).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeGuard

from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.typed import ColumnRole, TableKind, TypedTable, is_total

_SPREAD: Final = re.compile(r"(^|_)(std|sd|stdev|var|variance|iqr|range)(_|$)|标准差|方差", re.IGNORECASE)
_DEGREES: Final = re.compile(r"(^|_)(df|dof|df_resid|degrees_of_freedom)(_|$)|自由度", re.IGNORECASE)
Number = int | float


def check_counts(table: TypedTable, limits: AirlockLimits) -> Iterator[Finding]:
    """Every count is whole, not small, rounded; every table has one."""
    columns = table.indexes(ColumnRole.COUNT)
    if not columns and table.kind is not TableKind.MODEL:
        yield Finding("no_counts", table.name)
    for index in columns:
        name = table.columns[index].name
        cells = table.column(index)
        counts = [c for c in cells if _number(c)]
        whole = [c for c in counts if c >= 0 and float(c).is_integer()]
        small = [c for c in whole if 0 < c < limits.threshold]
        for rule, count in (
            ("bad_count", len(counts) - len(whole)),
            ("small_count", len(small)),
            ("zero_count", sum(c == 0 for c in whole)),
            ("unrounded_count", sum(c % limits.rounding != 0 for c in whole)),
            ("missing_count", len(cells) - len(counts)),
        ):
            if count:
                yield Finding(rule, table.name, name, count)
        yield from _totals(table, index, limits)


def check_shares(table: TypedTable, limits: AirlockLimits) -> Iterator[Finding]:
    """A share times its count must not be a small count; shares need a count beside them."""
    counts = table.indexes(ColumnRole.COUNT)
    for index in table.indexes(ColumnRole.SHARE):
        name = table.columns[index].name
        cells = table.column(index)
        shares = [float(c) for c in cells if _number(c)]
        if not counts:
            yield Finding("share_without_count", table.name, name, len(shares))
            continue
        scale = 100.0 if any(s > 1 for s in shares) else 1.0
        small = full = 0
        for row in table.rows:
            share, persons = row[index], row[counts[0]]
            if not (_number(share) and _number(persons)):
                continue
            part = float(share) / scale
            full += part in {0.0, 1.0}
            # The complement tells as much as the part; a part that rounds to nobody is a zero, not a small count.
            small += any(0.5 <= persons * p < limits.threshold for p in (part, 1 - part))
        if small:
            yield Finding("small_share", table.name, name, small)
        if full:
            yield Finding("full_share", table.name, name, full)


def check_statistics(table: TypedTable) -> Iterator[Finding]:
    """Extremes show single persons; a spread of zero says that all are alike."""
    for index in table.indexes(ColumnRole.EXTREME):
        yield Finding("extreme_value", table.name, table.columns[index].name, len(table.rows))
    for index in table.indexes(ColumnRole.MEASURE):
        if _SPREAD.search(table.columns[index].name):
            zeros = sum(c == 0 for c in table.column(index) if _number(c))
            if zeros:
                yield Finding("zero_spread", table.name, table.columns[index].name, zeros)


def check_model(table: TypedTable, limits: AirlockLimits) -> Iterator[Finding]:
    """A model needs its number of observations, few terms and enough residual degrees of freedom."""
    if table.kind is not TableKind.MODEL:
        return
    degrees = [
        c
        for i, column in enumerate(table.columns)
        if _DEGREES.search(column.name)
        for c in table.column(i)
        if _number(c)
    ]
    counts = [c for i in table.indexes(ColumnRole.COUNT) for c in table.column(i) if _number(c)]
    left = min(degrees) if degrees else (min(counts) - len(table.rows) if counts else 0)
    if not counts or left < limits.degrees_of_freedom:
        yield Finding("saturated_model", table.name, count=max(0, int(left)))
    if len(table.rows) > limits.max_model_terms:
        yield Finding("too_many_rows", table.name, count=len(table.rows))


def _totals(table: TypedTable, index: int, limits: AirlockLimits) -> Iterator[Finding]:
    """One-way tables with a total: a single gap follows by subtraction, a small remainder is a hidden group."""
    labels = table.indexes(ColumnRole.DIMENSION)
    if len(labels) != 1:
        return
    totals = [row[index] for row in table.rows if is_total(row[labels[0]])]
    parts = [row[index] for row in table.rows if not is_total(row[labels[0]])]
    if len(totals) != 1 or not _number(totals[0]) or not parts:
        return
    gaps = sum(c is None for c in parts)
    remainder = totals[0] - sum(c for c in parts if _number(c))
    name = table.columns[index].name
    if gaps == 1:
        yield Finding("suppressed_by_total", table.name, name, 1)
    elif gaps == 0 and 0 < abs(remainder) < limits.threshold:
        yield Finding("small_remainder", table.name, name, 1)


def _number(cell: object) -> TypeGuard[int | float]:
    return isinstance(cell, int | float) and not isinstance(cell, bool)
