"""What an output claims of groups that the raw table has, beside the raw table: sizes, means, which groups there are.

Single persons' figures may pose as aggregates under the labels of large groups. Then the stated counts do not follow
the sizes of the groups, the means are not the groups' means, or groups are missing that are as large as those shown.
An honest output may be about a part of the records (a year, men only), so these are questions for a checker.
Only outputs all of whose group columns are raw columns of the same name are asked. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.checks.groups import Floats, Groups
from sandbox.airlock.checks.rounding import steps_of
from sandbox.airlock.roles import ColumnRole
from sandbox.airlock.typed import TypedTable
from sandbox.contracts import Cell

LEAST_GROUPS: Final = 8
"""Fewer groups prove nothing about an order of sizes."""
SPREAD: Final = 2.0
"""The largest group must be so many times the smallest for their order to mean something."""
FOLLOWS: Final = 0.5
"""Least rank correlation of stated counts and sizes. Of 40 unrelated counts one in a thousand reaches it."""
MEAN_OFF: Final = 0.01
"""Relative difference from the group's mean that rounding to three digits cannot make."""
_MEAN: Final = re.compile(r"(?:mean|avg|average)_(.+)|(.+)_(?:mean|avg|average)|(.+?)(?:平均值|均值|平均)")


def check_claims(table: TypedTable, about: Sequence[Groups], rounding: int) -> Iterator[Finding]:
    """``about``: what each raw table that has the output's groups says of them."""
    asked = [each for each in about if each.query.keeps and not each.query.differs_in_name]
    if not asked or len(asked) < len(about):
        return
    if not any(_follows(table, each, rounding) for each in asked):
        yield Finding("counts_unlike_raw", table.name, count=len(table.rows))
        return
    all_of = [each for each in asked if counts_all(table, each, rounding)]
    for index in table.indexes(ColumnRole.MEASURE):
        off = [_means_off(table, index, each) for each in all_of]
        if off and all(off):
            yield Finding("means_unlike_raw", table.name, table.columns[index].name, min(off))
    left_out = [_left_out(each) for each in all_of]
    if left_out and all(left_out):
        yield Finding("groups_left_out", table.name, count=min(left_out))


def counts_all(table: TypedTable, groups: Groups, rounding: int) -> bool:
    """Whether some count column states the very sizes of the groups: then the output is about all their records."""
    sizes = groups.of_rows
    for index in table.indexes(ColumnRole.COUNT):
        stated = _numbers(table.column(index))
        there = (sizes > 0) & ~np.isnan(stated)
        steps = steps_of(stated[there], rounding) if there.any() else ()
        if any((np.abs(stated[there] - sizes[there]) < step).all() for step in steps):
            return True
    return False


def states_all(table: TypedTable, groups: Groups, rounding: int) -> bool:
    """The same, and no row states a count of a group that has no record."""
    none = groups.of_rows == 0
    named = groups.of_row >= 0
    for index in table.indexes(ColumnRole.COUNT):
        stated = np.nan_to_num(_numbers(table.column(index)))
        if bool((none & named & (stated >= rounding)).any()):
            return False
    return counts_all(table, groups, rounding)


def of_equal_counts(table: TypedTable, groups: Groups, rounding: int) -> bool:
    """Whether all count columns state one number for many groups of different sizes."""
    indexes = table.indexes(ColumnRole.COUNT)
    equal = all(len(set(table.column(index))) == 1 for index in indexes)
    return bool(indexes) and equal and not _follows(table, groups, rounding)


def _follows(table: TypedTable, groups: Groups, rounding: int) -> bool:
    """Whether some count column follows the sizes of the groups, as counts of any large part of them do."""
    sizes = groups.of_rows
    for index in table.indexes(ColumnRole.COUNT):
        stated = _numbers(table.column(index))
        there = (sizes > 0) & ~np.isnan(stated)
        if there.sum() >= LEAST_GROUPS and np.ptp(stated[there]) == 0 and np.ptp(sizes[there]) > rounding:
            continue  # one number for groups of different sizes counts none of them
        if there.sum() < LEAST_GROUPS or sizes[there].max() < SPREAD * sizes[there].min():
            return True
        if _rank_correlation(stated[there], sizes[there]) >= FOLLOWS:
            return True
    return not table.indexes(ColumnRole.COUNT)


def _means_off(table: TypedTable, index: int, groups: Groups) -> int:
    """How many stated means of a raw column are not its groups' means."""
    match = _MEAN.fullmatch(table.columns[index].name)
    name = next((part for part in match.groups() if part), "") if match else ""
    if name not in groups.sums or name in groups.uneven:
        return 0
    stated, sizes = _numbers(table.column(index)), groups.of_rows
    there = (sizes > 0) & ~np.isnan(stated)
    means = groups.of_rows_in(groups.sums[name])[there] / sizes[there]
    return int((np.abs(stated[there] - means) > MEAN_OFF * np.maximum(np.abs(means), 1e-12)).sum())


def _left_out(groups: Groups) -> int:
    """Groups without a row that are larger than half of those with one: not left out for being small."""
    shown = groups.records[groups.records > 0]
    return int((groups.others >= np.median(shown)).sum()) if len(shown) and len(groups.query.mapped) > 1 else 0


def _rank_correlation(first: Floats, second: Floats) -> float:
    """Spearman's; 0 where one side has no order."""
    ranks = np.stack([_ranks(values) for values in (first, second)])
    return float(np.asarray(np.corrcoef(ranks))[0, 1]) if ranks.std(axis=1).all() else 0.0


def _ranks(values: Floats) -> Floats:
    """Ranks; equal numbers share the mean of theirs."""
    _, place, times = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(times) - (times - 1) / 2)[place], dtype=np.float64)


def _numbers(cells: Sequence[Cell]) -> Floats:
    return np.array(
        [float(c) if isinstance(c, int | float) and not isinstance(c, bool) else np.nan for c in cells],
        dtype=np.float64,
    )
