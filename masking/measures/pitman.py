"""Pitman's sampling model: population uniques from class sizes, by maximum likelihood.

Source: Hoshino, 2001, *Applying Pitman's sampling formula to microdata disclosure risk assessment*. The fit brackets
instead of iterating from a guess, so it ends at the same place whatever the table.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from masking.measures.frequencies import Floats, Frequencies, bisect

GRID: Final = 129
ZOOMS: Final = 8
"""Each zoom narrows a bracket 128 times: 8 of them leave nothing of a double."""
SHIFT: Final = 10
"""From here on the asymptotic series of the digamma function is exact to a double."""


def pitman(found: Frequencies, population: float) -> float | None:
    """Population uniques by Pitman's model; None if the likelihood has no greatest value inside the model.

    The likelihood over ``0 <= alpha < 1``, ``theta > -alpha`` is climbed by bracketing: for each ``alpha`` of a grid
    the best ``theta`` by bisection, then the grid narrows around the sign change of the slope. The expected number of
    uniques is Hoshino's ``gamma(theta + 1) / gamma(theta + alpha) * N ** alpha``.
    """
    if not found.of_size(1):
        return 0.0
    if found.classes < 2 or found.classes >= found.persons:
        return None  # all alone: the likelihood grows towards alpha = 1; one class: towards theta = -alpha
    alpha, theta = pitman_parameters(found)
    return math.exp(math.lgamma(theta + 1) - math.lgamma(theta + alpha) + alpha * math.log(population))


def pitman_parameters(found: Frequencies) -> tuple[float, float]:
    """``(alpha, theta)`` of the greatest likelihood; the sample has two classes at least, and one of two persons."""
    low, high = 0.0, 1.0
    for _ in range(ZOOMS):
        alphas = np.linspace(low, high, GRID)
        alphas[-1] = min(alphas[-1], 1 - 1e-12)
        slopes = _slope(found, alphas, _best_theta(found, alphas))
        # Towards alpha = 1 the slope falls without end, since some class has two persons.
        first = int(np.argmax(slopes <= 0))
        low, high = float(alphas[max(first - 1, 0)]), float(alphas[first])
    return high, float(_best_theta(found, np.array([high]))[0])


def digamma(values: Floats) -> Floats:
    """The logarithmic derivative of the gamma function for values above 0, to about 1e-15.

    Source: Abramowitz and Stegun, 6.3.5 (recurrence, ten steps) and 6.3.18 (asymptotic series).

    >>> round(float(digamma(np.array([1.0]))[0]), 12)
    -0.577215664902
    """
    given = np.asarray(values, dtype=np.float64)
    steps = np.arange(SHIFT, dtype=np.float64).reshape(-1, *(1,) * given.ndim)
    shifted = given + SHIFT
    inverse = 1 / (shifted * shifted)
    tail = np.zeros_like(shifted)
    for term in (-1 / 12, 691 / 32760, -1 / 132, 1 / 240, -1 / 252, 1 / 120, -1 / 12):
        tail = (tail + term) * inverse
    series: Floats = np.log(shifted) - 1 / (2 * shifted) + tail - (1 / (given + steps)).sum(axis=0)
    return series


def _best_theta(found: Frequencies, alphas: Floats) -> Floats:
    """For each ``alpha`` the ``theta`` above ``-alpha`` at which the likelihood is greatest, by bisection."""
    classes, persons = found.classes, found.persons

    # Below this alpha the sum over classes is that of alpha = 0 to the last digit of a double.
    small = alphas < 1e-9
    safe = np.where(small, 1.0, alphas)

    def slope(logs: Floats) -> Floats:
        theta = np.exp(logs) - alphas
        ratio = theta / safe
        last, first, end, start = digamma(np.stack([classes + ratio, 1 + ratio, persons + theta, 1 + theta]))
        by_class = np.where(small, (classes - 1) / np.where(small, theta, 1.0), (last - first) / safe)
        difference: Floats = by_class - (end - start)
        return difference

    low = np.full_like(alphas, -40.0)
    high = np.full_like(alphas, 2 * math.log(persons) + 2)
    return np.exp(bisect(slope, low, high)) - alphas


def _slope(found: Frequencies, alphas: Floats, theta: Floats) -> Floats:
    """The likelihood's derivative in ``alpha`` at the best ``theta``."""
    small = alphas < 1e-9
    safe = np.where(small, 1.0, alphas)
    harmonic = digamma(found.classes + theta / safe) - digamma(1 + theta / safe)
    by_class = np.where(
        small,
        found.classes * (found.classes - 1) / 2 / np.where(small, theta, 1.0),
        (found.classes - 1 - theta / safe * harmonic) / safe,
    )
    within = (digamma(found.sizes[:, None] - alphas) - digamma(1 - alphas)).T @ found.counts
    difference: Floats = by_class - within
    return difference
