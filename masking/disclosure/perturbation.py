"""Perturbation tables: how likely a count moves by how much, as uncertain as the limits allow.

Rule: for each count, the distribution of its noise has the greatest entropy among those that move it by at most
``deviation``, leave its expectation as it is, have the ``variance`` asked for, and never make it negative or one of the
counts 1 … ``smallest``. Where a small count cannot have that variance, it has the nearest one it can. Once no step
is barred all counts share one row. A row has the form exp(a v + b v²), found by Newton's method.
Source: Giessing, 2016; Enderle, Giessing and Tent, 2018 (maximum entropy); Thompson, Broadfoot and Elazar, 2013 (the
method of the Australian Bureau of Statistics).
Pure: numbers in, numbers out; without a key it says nothing about any cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from masking.disclosure.contributions import Floats
from masking.disclosure.margins import Ints
from masking.errors import InvalidParameter

EDGE = 1e-6
"""A variance this near to what a row can have is met by the two outermost points alone."""


@dataclass(frozen=True, slots=True)
class PerturbationTable:
    """``rows[count]``: probabilities of the noise -deviation … deviation; the last row holds for all larger counts.

    ``empty``: for a count of zero, if it gets noise at all: upwards only, so its expectation is not zero.
    """

    deviation: int
    rows: Floats
    empty: Floats

    def noise(self, counts: Ints, uniforms: Floats, *, zeros: bool) -> Ints:
        """The noise of each count (at least 0) for its draw in (0, 1); zeros stay unless asked otherwise."""
        row = np.minimum(counts, len(self.rows) - 1)
        chances = self.rows[row]
        if zeros:
            chances = np.where((counts == 0)[:, None], self.empty, chances)
        below = np.cumsum(chances, axis=1)
        below[:, -1] = 1.0
        noise = (uniforms[:, None] >= below).sum(axis=1) - self.deviation
        return np.where((counts == 0) & (not zeros), 0, noise).astype(np.int64)


def perturbation_table(deviation: int, variance: float, smallest: int = 0) -> PerturbationTable:
    """The table of greatest entropy.

    Raises:
        InvalidParameter: deviation < 1, smallest < 0 or not below the deviation, variance not in (0, deviation²).
    """
    if deviation < 1:
        raise InvalidParameter("deviation must be at least 1", parameter="deviation")
    if not 0 <= smallest < deviation:
        raise InvalidParameter("smallest must be at least 0 and below deviation", parameter="smallest")
    if not 0 < variance < deviation**2:
        raise InvalidParameter("variance must be above 0 and below the square of deviation", parameter="variance")
    steps = np.arange(-deviation, deviation + 1)
    free = deviation + (smallest + 1 if smallest else 0)  # from here on no step is barred
    rows = np.zeros((free + 1, len(steps)))
    rows[0, deviation] = 1.0
    for count in range(1, len(rows)):
        reached = count + steps
        allowed = (reached == 0) | (reached > smallest)
        rows[count, allowed] = _most_uncertain(steps[allowed].astype(np.float64), variance)
    upwards = np.where(steps > smallest, rows[-1], 0.0)
    empty = np.where(steps == 0, 1.0 - upwards.sum(), upwards)
    return PerturbationTable(deviation, rows, empty)


def _most_uncertain(steps: Floats, variance: float) -> Floats:
    """Probabilities of ``steps`` (ascending) of greatest entropy with mean 0 and this variance, or the nearest one."""
    below, above = steps[steps < 0], steps[steps > 0]
    least = 0.0 if 0.0 in steps else float(-below[-1] * above[0])
    most = float(-below[0] * above[-1])
    if variance <= least * (1 + EDGE):
        return _two_points(steps, below[-1], above[0])
    if variance >= most * (1 - EDGE):
        return _two_points(steps, below[0], above[-1])
    moments = np.stack([steps, steps**2])
    target = np.array([0.0, variance])
    weights = np.zeros(2)
    for _ in range(200):
        power = weights @ moments
        chances = np.exp(power - power.max())
        chances /= chances.sum()
        gap = moments @ chances - target
        if np.abs(gap).max() < 1e-13 * max(1.0, variance):
            break
        spread = (moments * chances) @ moments.T - np.outer(moments @ chances, moments @ chances)
        move = np.linalg.solve(spread + 1e-15 * np.eye(2), gap)
        weights = weights - _shortened(moments, target, weights, move, gap)
    return chances


def _shortened(moments: Floats, target: Floats, weights: Floats, move: Floats, gap: Floats) -> Floats:
    """Newton's step, halved until the dual function falls."""

    def dual(at: Floats) -> float:
        power = at @ moments
        return float(power.max() + np.log(np.exp(power - power.max()).sum()) - at @ target)

    start, slope = dual(weights), float(gap @ move)
    for _ in range(60):
        if dual(weights - move) <= start - 1e-4 * slope + 1e-15:
            break
        move, slope = move / 2, slope / 2
    return move


def _two_points(steps: Floats, below: float, above: float) -> Floats:
    return np.where(steps == below, above, np.where(steps == above, -below, 0.0)) / (above - below)
