"""Slide (shifted) negative binomial model, SNB: population uniques from the classes of one and of two persons.

Sources: Chen and McNulty, 1998; the number of population classes by Haas and Stokes' third Shlosser estimator, 1998.
A population class has one person and a negative binomial number of further ones; the sample keeps each person with the
sampling fraction. ARX 3.9 follows the same papers with two misprints (a power that multiplies where it divides, a
bracket of the estimator), so its fit seldom ends.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from masking.measures.frequencies import Floats, Frequencies, bisect

GRID: Final = 1025
ZOOMS: Final = 5
"""Each zoom narrows a bracket 1024 times: 5 of them leave nothing of a double."""


def shifted_negative_binomial(found: Frequencies, population: float) -> float | None:
    """Population uniques by the SNB model; None if no parameters give the observed classes of one and two persons.

    The number ``K`` of population classes comes first (Shlosser), then ``alpha`` and ``beta`` solve the two expected
    counts. Where several pairs do, the one whose mean class size is nearest to ``N / K`` is taken.
    """
    fraction = found.persons / population
    if not found.of_size(1):
        return 0.0
    classes = shlosser(found, fraction)
    ones, twos = found.of_size(1) / classes, found.of_size(2) / classes
    solved = _snb_parameters(ones, twos, fraction)
    if not solved:
        return None
    alpha, beta = min(solved, key=lambda pair: abs(math.log((1 + pair[0] * (1 / pair[1] - 1)) * classes / population)))
    return classes * beta**alpha


def shlosser(found: Frequencies, fraction: float) -> float:
    """Classes of the population that the sample was drawn from: Haas and Stokes' third Shlosser estimator.

    >>> shlosser(Frequencies.of([1, 2]), 1.0)
    2.0
    """
    size, count, missed = found.sizes, found.counts, 1 - fraction
    if not missed:
        return found.classes
    square = fraction * fraction
    first = float((size * square * (1 - square) ** (size - 1)) @ count)
    second = float((missed**size * ((1 + fraction) ** size - 1)) @ count)
    ratio = float(missed**size @ count) / float((size * fraction * missed ** (size - 1)) @ count)
    return found.classes + found.of_size(1) * first / second * ratio**2


def _snb_parameters(ones: float, twos: float, fraction: float) -> list[tuple[float, float]]:
    """All ``(alpha, beta)`` with these expected shares of classes that show one and two persons.

    For a ``beta`` the share of ones rises in ``alpha`` up to a known peak and then falls: one root at most on each
    side. Along each side the share of twos is compared over a grid of ``beta``, and its sign changes are bisected.
    """
    grid = 1 / (1 + np.exp(-np.linspace(-16, 16, GRID)))
    solved = []
    for rising in (True, False):
        for cell in _sign_changes(grid, ones, twos, fraction, rising=rising):
            narrow = cell
            for _ in range(ZOOMS):
                inner = _sign_changes(np.linspace(*narrow, GRID), ones, twos, fraction, rising=rising)
                narrow = inner[0] if inner else narrow
            alpha = float(_alpha(np.array([narrow[0]]), ones, fraction, rising=rising)[0])
            solved.append((alpha, narrow[0]))
    return solved


def _sign_changes(
    grid: Floats, ones: float, twos: float, fraction: float, *, rising: bool
) -> list[tuple[float, float]]:
    """Neighbours of the grid between which the share of twos passes what was observed."""
    excess = _share_of_twos(_alpha(grid, ones, fraction, rising=rising), grid, fraction) - twos
    with np.errstate(invalid="ignore"):
        cells = np.flatnonzero((excess[:-1] <= 0) != (excess[1:] <= 0))
    both = np.isfinite(excess[:-1]) & np.isfinite(excess[1:])
    return [(float(grid[cell]), float(grid[cell + 1])) for cell in cells if both[cell]]


def _alpha(beta: Floats, ones: float, fraction: float, *, rising: bool) -> Floats:
    """The ``alpha`` at which classes show one person with probability ``ones``; NaN where none does."""
    lost = (1 - fraction) * (1 - beta)
    log_ratio = np.log(beta / (1 - lost))
    odds = lost / (1 - lost)
    with np.errstate(divide="ignore"):
        peak = np.maximum(np.where(odds > 0, -1 / log_ratio - 1 / np.where(odds > 0, odds, 1), 0.0), 1e-12)

    def share(logs: Floats) -> Floats:
        alpha = np.exp(logs)
        return np.log(fraction) + alpha * log_ratio + np.log1p(alpha * odds) - math.log(ones)

    low = np.full_like(beta, math.log(1e-12)) if rising else np.log(peak)
    high = np.log(peak) if rising else np.full_like(beta, math.log(1e12))
    found = np.exp(bisect((lambda logs: -share(logs)) if rising else share, low, high))
    at_low, at_high = share(low), share(high)
    there = (at_low <= 0) & (at_high >= 0) if rising else (at_low >= 0) & (at_high <= 0)
    return np.where(there, found, np.nan)


def _share_of_twos(alpha: Floats, beta: Floats, fraction: float) -> Floats:
    """Share of population classes that show exactly two persons in the sample."""
    lost = (1 - fraction) * (1 - beta)
    logs = np.log(alpha) + alpha * np.log(beta) - (alpha + 2) * np.log1p(-lost)
    share: Floats = np.exp(logs) * fraction**2 * (1 - beta) / 2 * (2 - (1 - alpha) * lost)
    return share
