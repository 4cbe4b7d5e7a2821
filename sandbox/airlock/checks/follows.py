"""Figures that follow from the other columns of their own table: they say nothing that those do not say.

Shares of a total or of a part of it, ratios and differences of two columns; along the labels of one group column, in
their order: growth, differences, moving averages, running sums, an index of the first. Compared as closely as the
figures are written, so there is no room for anything else. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, permutations
from typing import Final

import numpy as np
import numpy.typing as npt

from sandbox.airlock.checks.spelling import spellings
from sandbox.airlock.checks.statistics import slack
from sandbox.airlock.roles import ColumnRole
from sandbox.airlock.typed import TypedTable

Floats = npt.NDArray[np.float64]
Lines = list[list[int]]
FEWEST: Final = 3
"""Fewer figures follow from something by chance."""
_UNITS: Final = (1.0, 100.0, 1000.0, 10_000.0, 100_000.0, 0.01, 0.001)
_LAGS: Final = (1, 4, 12)
_WINDOWS: Final = (2, 3, 4, 5, 6, 7, 12)
_DAYS: Final = (7, 12, 28, 29, 30, 31, 52, 90, 91, 92, 181, 182, 183, 184, 250, 365, 366)
"""Days, weeks or months that what was counted in a period is divided by."""
_MOST_SOURCES: Final = 8
_Z: Final = 1.96
_ROUNDED: Final = 2.2
"""Bounds are made of shares that were not rounded yet."""


def follows(table: TypedTable, stated: Floats, unit: float, sources: Sequence[Floats], *, spare: float = 1.0) -> bool:
    """Whether the figures are made of ``sources``: counts, and columns that are explained already.

    ``spare``: how many times as far as rounding moves them they may lie, where the sources were rounded before.
    """
    asked = ~np.isnan(stated)
    if asked.sum() < FEWEST:
        return False
    used = list(sources)[:_MOST_SOURCES]
    found = chain(
        ((made, spare) for made in _made(used, _lines(table))),
        ((made, max(spare, _ROUNDED)) for made in _bounds(used)),
    )
    with np.errstate(all="ignore"):
        for made, times in found:
            near = slack(stated, unit) * times
            both = asked & np.isfinite(made)
            # The first of a line have no earlier one: what is stated there must be nothing, or empty.
            if both.sum() < FEWEST or np.nan_to_num(stated[asked & ~both]).any():
                continue
            if any((np.abs(stated - made * each) <= near)[both].all() for each in _UNITS):
                return True
    return False


def grows(table: TypedTable, stated: Floats, unit: float, sources: Sequence[Floats]) -> bool:
    """Whether two figures or more are by how much a source grew from one label to the next: there is one way to."""
    asked = ~np.isnan(stated)
    near = slack(stated, unit)
    with np.errstate(all="ignore"):
        for source in list(sources)[:_MOST_SOURCES]:
            for lines in _lines(table):
                made = np.full(len(source), np.nan)
                for line in lines:
                    made[line] = _growth(source[line], 1)
                both = asked & np.isfinite(made)
                if both.sum() < 2 or np.nan_to_num(stated[asked & ~both]).any():
                    continue
                if any((np.abs(stated - made * each) <= near)[both].all() for each in (1.0, 100.0)):
                    return True
    return False


def ranks(table: TypedTable, index: int) -> bool:
    """Whether a column numbers the rows in the order of some figure or label beside it, up or down."""
    places = [cell for cell in table.column(index) if isinstance(cell, int) and not isinstance(cell, bool)]
    if sorted(places) not in (list(range(len(table.rows))), list(range(1, len(table.rows) + 1))):
        return False
    order = np.argsort(places)
    for other in table.indexes(ColumnRole.DIMENSION):
        labels = [spellings(table, other)[row] or "" for row in order]
        if (
            other != index
            and labels in (sorted(labels), sorted(labels, reverse=True))
            and len(set(labels)) == len(labels)
        ):
            return True
    for other in table.indexes(ColumnRole.COUNT, ColumnRole.MEASURE, ColumnRole.SHARE):
        cells = [float(c) if isinstance(c, int | float) else np.nan for c in table.column(other)]
        steps = np.diff(np.array(cells)[order])
        # Among equal ones any order is free, so few may be equal.
        if ((steps <= 0).all() or (steps >= 0).all()) and (steps == 0).sum() * 3 <= len(steps):
            return True
    return False


def _made(sources: Sequence[Floats], lines: Sequence[Lines]) -> Iterator[Floats]:
    for one, other in permutations(sources, 2):
        yield from (one / other, one - other, one + other, one * other, one / (one + other), (one - other) / other)
    for source in sources:
        yield source / np.nansum(source)
        yield from (source / days for days in _DAYS)
        for along in lines:
            yield from _along(source, along)


def _bounds(sources: Sequence[Floats]) -> Iterator[Floats]:
    for share, count in permutations(sources, 2):
        most = np.nanmax(share, initial=0.0)
        if np.nanmin(share, initial=0.0) >= 0 and most <= 100:
            yield from _bounds_of(share / (1 if most <= 1 else 100), count)


def _bounds_of(share: Floats, count: Floats) -> Iterator[Floats]:
    """The usual bounds of a share at 95 %, and Wilson's."""
    half = _Z * np.sqrt(share * (1 - share) / count)
    yield from (share - half, share + half)
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * np.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    yield from (middle - half, middle + half)


def _along(source: Floats, lines: Lines) -> Iterator[Floats]:
    makers: list[Callable[[Floats], Floats]] = [
        lambda values: values / np.nansum(values),
        np.cumsum,
        lambda values: np.cumsum(values) / np.nansum(values),
        lambda values: values / values[0],
        *(partial(_growth, lag=lag) for lag in _LAGS),
        *(partial(_difference, lag=lag) for lag in _LAGS),
        *(partial(_average, width=width, ahead=0) for width in _WINDOWS),
        *(partial(_average, width=width, ahead=width // 2) for width in _WINDOWS),
    ]
    for make in makers:
        made = np.full(len(source), np.nan)
        for line in lines:
            made[line] = make(source[line])
        yield made


def _growth(values: Floats, lag: int) -> Floats:
    return values / _earlier(values, lag) - 1


def _difference(values: Floats, lag: int) -> Floats:
    return values - _earlier(values, lag)


def _earlier(values: Floats, lag: int) -> Floats:
    return np.concatenate([np.full(min(lag, len(values)), np.nan), values[:-lag]])


def _average(values: Floats, width: int, ahead: int) -> Floats:
    """Means of the last ``width`` values, ``ahead`` of them later ones; at either end of those that are there."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    end = np.minimum(np.arange(len(values)) + 1 + ahead, len(values))
    start = np.maximum(np.arange(len(values)) + 1 + ahead - width, 0)
    return np.asarray((sums[end] - sums[start]) / np.maximum(end - start, 1), dtype=np.float64)


def _lines(table: TypedTable) -> list[Lines]:
    """For each group column: the rows that agree in all others, in the order of its labels; and as they are written."""
    keys = table.indexes(ColumnRole.DIMENSION, ColumnRole.TERM)
    found: list[Lines] = [[list(range(len(table.rows)))]]
    for key in keys:
        labels = spellings(table, key)
        others = [spellings(table, other) for other in keys if other != key]
        lines: dict[tuple[str | None, ...], list[int]] = defaultdict(list)
        for row in sorted(range(len(table.rows)), key=lambda row, of=labels: _natural(of[row])):  # type: ignore[misc]
            lines[tuple(other[row] for other in others)].append(row)
        found.append(list(lines.values()))
    return found


def _natural(label: str | None) -> tuple[float, str]:
    try:
        return float(label or ""), ""
    except ValueError:
        return np.inf, label or ""
