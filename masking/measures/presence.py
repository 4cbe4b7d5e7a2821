"""delta-presence: nobody learns too surely that a person is, or is not, in the released subset.

Source: Nergiz, Atzori and Clifton, 2007. For a class of the population the chance that one of its persons is in the
subset is the share of them that is; a table is (delta_min, delta_max)-present if that chance lies within both for every
class. Both tables have the same quasi-identifiers, generalised in the same way; null is a value of its own. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from masking.errors import DataError
from masking.measures.k_map import POPULATION, SAMPLE, matched_classes


@dataclass(frozen=True, slots=True)
class Presence:
    """The least and greatest chance over the population's classes, in [0, 1]; both 0 for an empty population.

    ``least_released`` is the least over those classes that the subset holds: ARX checks only those.
    """

    least: float
    greatest: float
    least_released: float
    classes: int

    def within(self, delta_min: float, delta_max: float) -> bool:
        """True if every class lies within the two, ends included."""
        return delta_min <= self.least and self.greatest <= delta_max


def presence(
    subset: Any,
    population: Any,
    quasi_identifiers: Sequence[str],
    unit: Any = None,
    population_unit: Any = None,
    population_count: str | None = None,
) -> Presence:
    """The chances of presence of a released subset in a population that holds it, counted in persons.

    ``population_count`` as in ``k_map``.

    Raises:
        DataError: a class has more persons in the subset than in the population, so the one does not hold the other.

    >>> everyone = pl.DataFrame({"age": [1, 1, 1, 1, 2, 2]})
    >>> presence(pl.DataFrame({"age": [1, 2]}), everyone, ["age"])
    Presence(least=0.25, greatest=0.5, least_released=0.25, classes=2)
    """
    matched = matched_classes(subset, population, quasi_identifiers, unit, population_unit, population_count)
    outside = matched.filter(pl.col(SAMPLE) > pl.col(POPULATION)).height
    if outside:
        raise DataError(f"the population does not hold the subset: {outside} class(es) have more persons in the subset")
    chances = (
        matched.filter(pl.col(POPULATION) > 0).select(chance=pl.col(SAMPLE) / pl.col(POPULATION))["chance"].to_numpy()
    )
    if not len(chances):
        return Presence(0.0, 0.0, 0.0, 0)
    released = chances[chances > 0]
    return Presence(
        least=float(chances.min()),
        greatest=float(chances.max()),
        least_released=float(released.min()) if len(released) else 0.0,
        classes=len(chances),
    )
