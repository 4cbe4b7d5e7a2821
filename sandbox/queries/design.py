"""How much noise fixed tables hold, and how large its errors are; all of it is public.

Rule: one person's record may change the noisy base cells so little that nobody, whatever they know of all others and
however they combine the published figures, guesses a yes-or-no fact about that person more than ``ADVANTAGE`` above
what they would have guessed anyway. For normal noise this holds when mu = distance / deviation of the whole published
vector is at most ``MU``: the gain of the best test is Phi(mu / 2) - 1/2. All figures are sums of base cells, so they
add nothing. Each further cube of one population gets half of what is left, so all of them together stay below it.
Source: Dong, Roth and Su, Gaussian Differential Privacy, 2022 (mu; composition by squares); Balle and Wang, 2018.
Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final, Self

from sandbox.queries.registration import Registration

ADVANTAGE: Final = 0.05
"""Most by which any attack on one person does better than guessing, over all cubes of a population."""
MU: Final = 2 * NormalDist().inv_cdf(0.5 + ADVANTAGE)
TWO_SIDED: Final = NormalDist().inv_cdf(0.975)
DOMINANCE: Final = 0.5
"""A sum is shown only if the largest value one person can have is at most this share of it."""


@dataclass(frozen=True, slots=True)
class Design:
    """Deviation of the noise of a base cell: of persons, and of each sum in multiples of ``Measure.half``."""

    deviation: float
    number: int

    @classmethod
    def of(cls, registration: Registration, number: int) -> Self:
        """For the ``number``-th cube of its population, from 1.

        A person who moves leaves ``contribution`` cells and enters as many, with the count and every sum; one who stays
        can change every sum by twice its half.
        """
        measures = len(registration.measures)
        squares = registration.contribution * max(2 * (1 + measures), 4 * measures)
        return cls(math.sqrt(squares * 2**number) / MU, number)

    @property
    def mu(self) -> float:
        """What this cube may tell of a person, at most."""
        return MU / math.sqrt(2**self.number)

    def count_error(self, base_cells: int) -> float:
        """Half a 95 % interval of a count that adds up ``base_cells``."""
        return TWO_SIDED * self.deviation * math.sqrt(base_cells)

    def sum_error(self, base_cells: int, half: float, middle: float) -> float:
        """The same of a sum: its own noise, and that of the count which the middle is multiplied by."""
        return self.count_error(base_cells) * math.hypot(half, middle)

    def to_json(self, registration: Registration) -> dict[str, Any]:
        """For people who judge the tables."""
        return {
            "deviation": self.deviation,
            "mu": self.mu,
            "advantage": ADVANTAGE,
            "base_cells": registration.cells,
            "errors": {
                ",".join(registration.names[place] for place in table) or "-": _upwards(
                    self.count_error(base_cells_of(registration, table))
                )
                for table in registration.askable()
            },
        }


def base_cells_of(registration: Registration, table: tuple[int, ...]) -> int:
    """How many base cells each cell of a table adds up."""
    return registration.cells // cells_of(registration, table)


def cells_of(registration: Registration, table: tuple[int, ...]) -> int:
    """Cells of a table."""
    return math.prod(registration.shape[place] for place in table)


def sparse(registration: Registration, design: Design, persons: float) -> tuple[float, float] | None:
    """Average figure and error of the largest table if the error is the larger one; None: the design is dense enough.

    No other table has a larger error for its figures.
    """
    cells = max(cells_of(registration, table) for table in registration.askable())
    figure, error = max(persons, 0.0) / cells, design.count_error(registration.cells // cells)
    return (figure, error) if error > figure else None


def to_drop(registration: Registration, design: Design, persons: float) -> str | None:
    """The dimension without which the tables would be dense enough and lose least; None: no single one is enough."""
    found = []
    for place, dimension in enumerate(registration.dimensions):
        rest = tuple(each for other, each in enumerate(registration.dimensions) if other != place)
        if not rest:
            continue
        left = Registration(
            rest, registration.measures, registration.unit, registration.contribution, registration.threshold,
            registration.renew_days,
        )  # fmt: skip
        if sparse(left, design, persons) is None:
            found.append((dimension.count, dimension.name))
    return min(found)[1] if found else None


def _upwards(number: float) -> float:
    """Three significant digits, never fewer than it is."""
    if number <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(number)) - 2)
    return round(math.ceil(number / unit - 1e-9) * unit, 10)


shown_error = _upwards
