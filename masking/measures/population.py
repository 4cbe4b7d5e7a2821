"""Population uniqueness: how many persons are alone in the population, estimated from the classes of a sample.

Sources: Zayatz, 1991 (Bayes on the sample's class sizes); Hoshino, 2001 (``pitman``); Chen and McNulty, 1998 (``snb``,
in ``negative_binomial``). The choice between them is the decision rule of Dankar et al., 2012: Pitman up to a sampling
fraction of 0.1, above it the smaller of SNB and Zayatz; Zayatz wherever a model has no solution. Pure: reads a table or
class sizes, returns numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from masking.errors import InvalidParameter
from masking.measures.classes import equivalence_classes
from masking.measures.frequencies import Floats, Frequencies
from masking.measures.negative_binomial import shifted_negative_binomial
from masking.measures.pitman import pitman

Estimator = Literal["dankar", "pitman", "zayatz", "snb"]
DECISION: Final = 0.1
"""Sampling fraction up to which Pitman's model is used (Dankar et al., 2012)."""


@dataclass(frozen=True, slots=True)
class PopulationUniqueness:
    """``uniques`` of ``population`` persons are alone; ``share`` in [0, 1]; ``model`` is the one that gave the answer.

    ``asked`` differs from ``model`` where a model had no solution (then Zayatz answers) or a rule chose.
    """

    uniques: float
    share: float
    population: float
    model: Literal["pitman", "zayatz", "snb", "none"]
    asked: Estimator


def population_uniqueness(
    table: Any,
    quasi_identifiers: Sequence[str],
    *,
    population: float | None = None,
    sampling_fraction: float | None = None,
    estimator: Estimator = "dankar",
    unit: Any = None,
) -> PopulationUniqueness:
    """Estimate for the classes of a table; ``unit`` tells persons apart as in ``k_anonymity``.

    >>> import polars as pl
    >>> table = pl.DataFrame({"age": [1, 2, 3, 3]})
    >>> round(population_uniqueness(table, ["age"], sampling_fraction=0.5, estimator="zayatz").uniques, 3)
    2.545
    """
    classes = equivalence_classes(table, quasi_identifiers, unit)
    sizes = classes[classes.columns[-1]].to_numpy()
    return estimate_uniqueness(sizes, population=population, sampling_fraction=sampling_fraction, estimator=estimator)


def estimate_uniqueness(
    class_sizes: Any,
    *,
    population: float | None = None,
    sampling_fraction: float | None = None,
    estimator: Estimator = "dankar",
) -> PopulationUniqueness:
    """Estimate from class sizes and either the population's size or the fraction of it that the sample is.

    A sample without uniques estimates none; an empty one too. The estimate is never above the population.

    Raises:
        InvalidParameter: not exactly one of population and fraction, or outside its interval.
    """
    found = Frequencies.of(class_sizes)
    size = population_size(found.persons, population, sampling_fraction)
    uniques, model = _estimate(found, size, estimator)
    uniques = min(uniques, size)
    return PopulationUniqueness(uniques, uniques / size if size else 0.0, size, model, estimator)


def population_size(sample: float, population: float | None, sampling_fraction: float | None) -> float:
    """The population's size from whichever of the two is given.

    Raises:
        InvalidParameter: not exactly one is given, the fraction is outside (0, 1] or the population is too small.
    """
    if (population is None) == (sampling_fraction is None):
        raise InvalidParameter("give either the population's size or the sampling fraction", parameter="population")
    if sampling_fraction is not None:
        if not 0 < sampling_fraction <= 1:
            raise InvalidParameter("the sampling fraction must be in (0, 1]", parameter="sampling_fraction")
        return sample / sampling_fraction
    assert population is not None
    if not (math.isfinite(population) and population >= sample):
        raise InvalidParameter("the population must hold at least the persons of the sample", parameter="population")
    return float(population)


def zayatz(found: Frequencies, population: float) -> float:
    """Population uniques: sample uniques, times the chance that one of them is unique there, over the fraction.

    The chance is Bayes' rule with the sample's class sizes in place of the population's; a class of ``j`` persons
    shows exactly one of them with the hypergeometric probability.
    """
    ones, sample = found.of_size(1), found.persons
    if not ones:
        return 0.0
    one = _one_of(found.sizes, population, sample)
    chance = ones * one[0] / float(found.counts @ one)
    return float(ones * chance * population / sample)


def _estimate(
    found: Frequencies, population: float, estimator: Estimator
) -> tuple[float, Literal["pitman", "zayatz", "snb", "none"]]:
    if not found.of_size(1):
        return 0.0, "none"
    fallback = zayatz(found, population)
    if estimator == "zayatz":
        return fallback, "zayatz"
    if estimator == "pitman" or (estimator == "dankar" and found.persons / population <= DECISION):
        fitted = pitman(found, population)
        return (fallback, "zayatz") if fitted is None else (fitted, "pitman")
    if estimator not in {"snb", "dankar"}:
        raise InvalidParameter(f"there is no estimator {estimator!r}", parameter="estimator")
    fitted = shifted_negative_binomial(found, population)
    if fitted is None or (estimator == "dankar" and fallback < fitted):
        return fallback, "zayatz"
    return fitted, "snb"


def _one_of(sizes: Floats, population: float, sample: float) -> Floats:
    """For classes of these sizes the probability that a sample of that many persons holds exactly one of them.

    Hypergeometric, as a product: factorials of a country's population would lose six digits.
    """
    steps = np.arange(1, int(sizes.max()), dtype=np.float64)
    left = np.clip(1 - (sample - 1) / np.maximum(population - steps, 1.0), 0.0, 1.0)
    with np.errstate(divide="ignore"):
        logs = np.concatenate([[0.0], np.cumsum(np.log(left))])
    chances: Floats = sizes * sample / population * np.exp(logs[sizes.astype(np.int64) - 1])
    return chances
