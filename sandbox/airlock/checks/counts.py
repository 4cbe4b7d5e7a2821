"""Checks of counts: small, unrounded, negative; shares, extremes and models that stand on few persons.

Source: OpenSAFELY (small counts, rounding), ACRO (degrees of freedom, zeros), SDC handbook (shares of 0 and 100 %).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeGuard

import numpy as np

from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.checks.follows import follows
from sandbox.airlock.checks.statistics import unit_of
from sandbox.airlock.digits import has_more_digits
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.roles import ColumnRole, scale_named
from sandbox.airlock.typed import TableKind, TypedTable

_SPREAD: Final = re.compile(r"(^|_)(std|sd|stdev|var|variance|iqr|range)(_|$)|标准差|方差", re.IGNORECASE)
_DEGREES: Final = re.compile(r"(^|_)(df|dof|df_resid|degrees_of_freedom)(_|$)|自由度", re.IGNORECASE)
_ERROR: Final = re.compile(r"(^|_)(se|std_err|std_error|stderr|standard_error)(_|$)|标准误", re.IGNORECASE)
_FIT: Final = re.compile(r"(^|_)(r2|r_squared|rsquared|r2_adj|adj_r2)(_|$)|决定系数", re.IGNORECASE)
_MEDIAN: Final = re.compile(r"(^|_)median(_|$)|中位", re.IGNORECASE)
_QUANTILE: Final = re.compile(
    r"(^|_)q(?P<quarter>[123])(_|$)|(^|_)[pq](?P<hundredth>\d{1,2})(_|$)|(?P<percent>\d{1,2})%", re.IGNORECASE
)
_PERFECT: Final = 0.9999
_LEAST_MATRIX: Final = 3


def check_counts(table: TypedTable, limits: AirlockLimits) -> Iterator[Finding]:
    """Every count is whole, not small, rounded; every table has one."""
    columns = table.indexes(ColumnRole.COUNT)
    if not columns and table.kind is not TableKind.MODEL and table.rows:
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


def check_shares(table: TypedTable, limits: AirlockLimits) -> Iterator[Finding]:
    """A share times its count must not be a small count; shares need a count beside them."""
    counts = table.indexes(ColumnRole.COUNT)
    for index in table.indexes(ColumnRole.SHARE):
        name = table.columns[index].name
        cells = table.column(index)
        shares = [float(c) for c in cells if _number(c)]
        if not counts and table.rows:
            yield Finding("share_without_count", table.name, name, len(shares))
            continue
        scale = scale_of(name, shares)
        if _is_made_of(table, index, counts):
            continue  # the counts are looked at themselves
        if _is_correlation(table, index):
            continue
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
        if full and not _is_made_of(
            table, index, [*counts, *(i for i in table.indexes(ColumnRole.SHARE) if i != index)]
        ):
            yield Finding("full_share", table.name, name, full)


def _is_correlation(table: TypedTable, index: int) -> bool:
    """Whether a column is one of a symmetric matrix with ones on its diagonal: rows are called after columns."""
    labels = [i for i in table.indexes(ColumnRole.DIMENSION, ColumnRole.TERM) if table.columns[i].type == "string"]
    if len(labels) != 1 or len(table.rows) < _LEAST_MATRIX:
        return False
    names = [column.name for column in table.columns]
    rows = table.column(labels[0])
    if len(set(rows)) < len(rows) or not set(rows) <= set(names):
        return False
    places = [names.index(str(label)) for label in rows]
    matrix = [[row[place] for place in places] for row in table.rows]
    square = all(_number(cell) and abs(float(cell)) <= 1 for row in matrix for cell in row)
    alike = all(matrix[i][j] == matrix[j][i] for i in range(len(rows)) for j in range(len(rows)))
    return index in places and square and alike and all(matrix[i][i] == 1 for i in range(len(rows)))


def _is_made_of(table: TypedTable, index: int, others: Sequence[int]) -> bool:
    """Whether a share says no more than other columns of its table: the part of each group in all, running sums."""
    columns = [
        np.array([float(c) if _number(c) else np.nan for c in table.column(place)], dtype=np.float64)
        for place in (index, *others)
    ]
    return follows(table, columns[0], unit_of(columns[0]), columns[1:], spare=2.0)


def scale_of(name: str, shares: Iterable[float]) -> float:
    """What shares are multiplied by: as the column's name says, else a hundred where one is above one."""
    return scale_named(name) or (100.0 if any(share > 1 for share in shares) else 1.0)


def check_statistics(table: TypedTable, limits: AirlockLimits) -> Iterator[Finding]:
    """Extremes show single persons, quantiles too unless many lie on either side; no spread says that all are alike."""
    for index in table.indexes(ColumnRole.EXTREME):
        rule = "quantile" if _is_quantile_of_many(table, index, limits) else "extreme_value"
        if table.rows:
            yield Finding(rule, table.name, table.columns[index].name, len(table.rows))
    for index in table.indexes(ColumnRole.MEASURE):
        if _SPREAD.search(table.columns[index].name):
            zeros = sum(c == 0 for c in table.column(index) if _number(c))
            if zeros:
                yield Finding("zero_spread", table.name, table.columns[index].name, zeros)


def check_model(table: TypedTable, limits: AirlockLimits) -> Iterator[Finding]:
    """A model needs its number of observations, few terms and enough residual degrees of freedom."""
    if table.kind is not TableKind.MODEL or not table.rows:
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
    if _fits_perfectly(table):
        yield Finding("perfect_fit", table.name, count=len(table.rows))
    if len(table.rows) > limits.max_model_terms:
        yield Finding("too_many_terms", table.name, count=len(table.rows))


def _fits_perfectly(table: TypedTable) -> bool:
    """Standard errors of zero, or all variance explained: the model repeats its records."""
    errors = [c for i, column in enumerate(table.columns) if _ERROR.search(column.name) for c in table.column(i)]
    fits = [c for i, column in enumerate(table.columns) if _FIT.search(column.name) for c in table.column(i)]
    estimated = [float(c) for c in errors if _number(c)]
    perfect = any(_number(c) and float(c) > _PERFECT for c in fits)
    return perfect or (bool(estimated) and max(estimated) == 0.0)


def _is_quantile_of_many(table: TypedTable, index: int, limits: AirlockLimits) -> bool:
    """Whether a column holds inner quantiles of two digits with ``quantile_tail`` persons on either side of each.

    A quantile is somebody's value; cut to two digits it is that of many. Source: SDC handbook, 5.4 (quantiles).
    """
    share, counts = _share_below(table.columns[index].name), table.indexes(ColumnRole.COUNT)
    if limits.registered_only or share is None or not counts:
        return False
    return all(
        _number(persons)
        and persons * min(share, 1 - share) >= limits.quantile_tail
        and (cell is None or (_number(cell) and not has_more_digits(cell, 2)))
        for cell, persons in zip(table.column(index), table.column(counts[0]), strict=True)
    )


def _share_below(name: str) -> float | None:
    """The share of persons below a quantile by its name, for shares of 5 to 95 %.

    >>> [_share_below(n) for n in ("median_age", "p25", "cost_q3", "90%", "p99", "max_cost")]
    [0.5, 0.25, 0.75, 0.9, None, None]
    """
    if _MEDIAN.search(name):
        return 0.5
    match = _QUANTILE.search(name)
    if match is None:
        return None
    quarter = match["quarter"]
    share = int(quarter) / 4 if quarter else int(match["hundredth"] or match["percent"]) / 100
    return share if 0.05 <= share <= 0.95 else None


def _number(cell: object) -> TypeGuard[int | float]:
    return isinstance(cell, int | float) and not isinstance(cell, bool)
