"""Which statistic of a raw column, over the records of each group, a column of figures states.

*Usual* ones tell of all records of a group: means, sums, spreads, means of a function, ratios of sums, correlations,
differences from the whole. *Extreme* ones are made of the largest or smallest record: itself, ranges, its distance from
the mean, its share of the sum, norms that tend to it. Figures are compared to three significant digits, in the units
that people use (thousands, per cent, logarithms to ten). Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, permutations
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from sandbox.airlock.checks.spelling import Ints
from sandbox.airlock.roles import is_change

Floats = npt.NDArray[np.float64]
DIGITS: Final = 3
_SPARE: Final = 1.02
"""Floats of other sums differ in their last digits."""
_UNITS: Final = np.array([1.0, 100.0, 1000.0, 10_000.0, 1e6, 0.01, 0.001, 1e-4, 1e-6, 1 / np.log(10), 1 / np.log(2)])
_POWERS: Final = (3, 4, 5, 6, 8, 10, 12, 16, 24, 32)
_MOST_PAIRED: Final = 8


class Numbers(Protocol):
    """Columns of numbers, of records or of what records were made into."""

    def number_names(self, called: str) -> list[str]: ...

    def numbers(self, name: str) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Figures of some rows; ``of_row``: the group of each, ``group``: of each record (-1: none), of ``number``.

    ``whole``: sum and number of values of a raw column over all records that are counted.
    """

    stated: Floats
    of_row: Ints
    unit: float
    group: Ints
    number: int
    whole: Callable[[str], tuple[float, float]]


@dataclass(slots=True)
class _Sums:
    """What is added up of one column, a number a group; nulls are left out."""

    values: Floats
    group: Ints
    number: int
    whole: tuple[float, float]
    _kept: dict[str, Floats] = field(default_factory=dict)

    def of(self, name: str, values: Floats | None = None) -> Floats:
        """Sums by group, made once."""
        if name not in self._kept:
            weights = np.ones(len(self.values)) if values is None else values
            self._kept[name] = np.bincount(self.group, weights, minlength=self.number).astype(np.float64)
        return self._kept[name]


def slack(figures: Floats, unit: float) -> Floats:
    """How far each figure may lie from what it states: half its third digit, or half of the last place written.

    >>> slack(np.array([5.63, 1240.0, 0.0]), 0.01).round(3).tolist()
    [0.005, 5.1, 0.005]
    """
    with np.errstate(divide="ignore"):
        third = 10.0 ** (np.floor(np.log10(np.abs(figures))) - DIGITS + 1)
    return np.asarray(np.maximum(third, unit) / 2 * _SPARE + 1e-12, dtype=np.float64)


def unit_of(values: Floats) -> float:
    """The last place that the numbers are written to: 0.01 for 12.3 and 4.56; nothing for long ones."""
    there = values[~np.isnan(values)]
    for places in range(7):
        if np.abs(there * 10**places - np.round(there * 10**places)).max(initial=0.0) < 1e-6:
            return float(10.0**-places)
    return 0.0


def told_by(asked: Asked, columns: Numbers, name: str) -> Literal["usual", "extreme", ""]:
    """What kind of statistic the figures are; "" where none was found."""
    names = columns.number_names(name)
    sums: dict[str, _Sums] = {}
    with np.errstate(all="ignore"):
        for each in names:
            inside = (asked.group >= 0) & np.isfinite(columns.numbers(each))
            sums[each] = _Sums(columns.numbers(each)[inside], asked.group[inside], asked.number, asked.whole(each))
            if any(_states(asked, figure) for figure in _usual(sums[each])):
                return "usual"
        first = names[:_MOST_PAIRED]
        for one, other in permutations(first, 2):
            ratio = _sum(sums[one]) / _sum(sums[other])
            if _states(asked, ratio) or (is_change(name) and _states(asked, ratio - 1)):
                return "usual"
        # Few figures would meet one of so many: an extreme is asked for before the pairs that take longest.
        for each in names:
            if any(_states(asked, figure) for figure in _extreme(sums[each])):
                return "extreme"
        if any(_states(asked, _gini(sums[each])) for each in names):
            return "usual"
        for one, other in combinations(first, 2):
            if any(_states(asked, figure) for figure in _joint(asked, columns.numbers(one), columns.numbers(other))):
                return "usual"
    return ""


def _states(asked: Asked, figures: Floats) -> bool:
    """Whether the stated figures are these in some unit."""
    wanted = figures[asked.of_row]
    if not np.isfinite(wanted).all():
        return False
    near = slack(asked.stated, asked.unit)
    return any(bool((np.abs(asked.stated - wanted * unit) <= near).all()) for unit in _UNITS)


def _sum(sums: _Sums) -> Floats:
    return sums.of("sum", sums.values)


def _usual(sums: _Sums) -> Iterator[Floats]:
    n, total = sums.of("n"), _sum(sums)
    mean = total / n
    whole = sums.whole[0] / sums.whole[1] if sums.whole[1] else np.nan
    yield from (mean, total, mean - whole, mean / whole, total / sums.whole[0])
    squares = sums.of("squares", sums.values**2)
    variance = np.maximum(squares / n - mean**2, 0.0)
    unbiased = variance * n / (n - 1)
    deviation = np.sqrt(unbiased)
    yield from (variance, unbiased, np.sqrt(variance), deviation)
    yield from (deviation / mean, deviation / np.sqrt(n), deviation / np.sqrt(n) * 1.96)
    yield from (mean - 1.96 * deviation / np.sqrt(n), mean + 1.96 * deviation / np.sqrt(n), squares / n)
    if len(sums.values) and sums.values.min() >= 0:
        shifted = sums.of("log1p", np.log1p(sums.values)) / n
        yield from (shifted, np.expm1(shifted), sums.of("root", np.sqrt(sums.values)) / n)
        if sums.values.min() > 0:
            logs = sums.of("log", np.log(sums.values)) / n
            spread = np.maximum(sums.of("log squares", np.log(sums.values) ** 2) / n - logs**2, 0.0)
            yield from (logs, np.exp(logs), np.sqrt(spread), np.sqrt(spread * n / (n - 1)))


def _gini(sums: _Sums) -> Floats:
    """Gini's coefficient: twice the ranked sum by n times the sum, less what equal ones give."""
    n, total = sums.of("n"), _sum(sums)
    order = np.lexsort((sums.values, sums.group))
    group = sums.group[order]
    start = np.concatenate([[0], np.cumsum(n)[:-1]])
    places = np.arange(1, len(group) + 1) - start[group]
    ranked = np.bincount(group, places * sums.values[order], minlength=sums.number)
    return np.asarray(2 * ranked / (n * total) - (n + 1) / n, dtype=np.float64)


def _extreme(sums: _Sums) -> Iterator[Floats]:
    n, total = sums.of("n"), _sum(sums)
    mean = total / n
    largest, least = np.full(sums.number, -np.inf), np.full(sums.number, np.inf)
    np.maximum.at(largest, sums.group, sums.values)
    np.minimum.at(least, sums.group, sums.values)
    yield from (largest, least, largest - mean, mean - least, largest - least, largest + least)
    yield from (largest / mean, least / mean, largest / total, least / total, largest / least)
    yield from (total - largest, total - least, (total - largest) / (n - 1), (total - least) / (n - 1))
    yield from (mean / largest, 1 - largest / total)
    size = float(np.abs(sums.values).max(initial=0.0))
    for power in _POWERS if size else ():
        norm = np.bincount(sums.group, (np.abs(sums.values) / size) ** power, minlength=sums.number)
        yield np.asarray(size * norm ** (1 / power), dtype=np.float64)
        yield np.asarray(size * (norm / n) ** (1 / power), dtype=np.float64)


def _joint(asked: Asked, one: Floats, other: Floats) -> Iterator[Floats]:
    """Covariance, correlation, slopes of two columns."""
    inside = (asked.group >= 0) & np.isfinite(one) & np.isfinite(other)
    group, x, y = asked.group[inside], one[inside], other[inside]
    x, y = x - x.mean(), y - y.mean()
    n, sx, sy, sxx, syy, sxy = (
        np.bincount(group, weights, minlength=asked.number) for weights in (np.ones(len(x)), x, y, x * x, y * y, x * y)
    )
    across, xx, yy = sxy - sx * sy / n, sxx - sx**2 / n, syy - sy**2 / n
    yield from (across / np.sqrt(xx * yy), across / xx, across / yy, across / n, across / (n - 1))
    yield across**2 / (xx * yy)
