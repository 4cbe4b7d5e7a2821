"""Re-identification risk by class sizes, for three attackers: prosecutor, journalist and marketer.

The prosecutor knows that the person is in the table; the journalist wants any person and has a register of the
population; the marketer wants as many as possible. Sources: El Emam, Guide to the De-Identification of Personal Health
Information, 2013 (the three attackers and their figures); GB/T 42460-2023 annex D; for a journalist whose register we
do not have, Benedetti and Franconi's individual risk, 1998, from the sampling fraction. Persons are counted, not
records; a person with several records has the risk of their smallest class. Pure: reads tables, returns numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from masking.errors import InvalidParameter
from masking.measures.classes import equivalence_classes, smallest_class_of_each_person
from masking.measures.diversity import l_diversity
from masking.measures.k_map import POPULATION, SAMPLE, matched_classes, sizes_of_each_person
from masking.report import RiskFigures

Floats = npt.NDArray[np.float64]
RECURRED: Final = 64
"""Class sizes up to this come from the recurrence, which stays exact; above it the series needs few terms."""


@dataclass(frozen=True, slots=True)
class JournalistRisk:
    """Risks in [0, 1] of the released persons in the population.

    ``average`` is El Emam's: the greater of the mean of 1/F over persons and the released classes over the population
    persons in them. ``marketer`` is the mean of 1/F alone: the share that a marketer re-identifies. ``basis`` tells a
    population table from an estimate by sampling fraction.
    """

    max: float
    average: float
    at_risk: float
    marketer: float
    basis: Literal["population", "estimate"]


@dataclass(frozen=True, slots=True)
class Risk:
    """Shares in [0, 1] and counts of persons. ``at_risk``: share of persons above the ``threshold`` asked for.

    ``marketer`` is the share of persons that linking everybody with the raw table re-identifies: classes over persons,
    where each person stands in one class. ``uniqueness`` is the share of persons who are alone in a class.
    """

    prosecutor_max: float
    prosecutor_average: float
    unique_persons: int
    persons: int
    classes: int
    at_risk: float
    threshold: float = 0.2
    prosecutor_min: float = 0.0
    marketer: float = 0.0
    uniqueness: float = 0.0
    journalist: JournalistRisk | None = None


def risk(
    table: Any,
    quasi_identifiers: Sequence[str],
    unit: Any = None,
    threshold: float = 0.2,
    *,
    population: Any = None,
    population_unit: Any = None,
    population_count: str | None = None,
    sampling_fraction: float | None = None,
) -> Risk:
    """Risks of a table; ``threshold`` is the highest acceptable risk of one person, in (0, 1]. Empty table: all 0.

    The journalist is measured against a ``population`` table with the same quasi-identifiers, generalised in the same
    way (``population_unit`` and ``population_count`` as in ``k_map``), or estimated from the ``sampling_fraction`` in
    (0, 1]; with neither there is no such figure.

    Raises:
        InvalidParameter: both a population and a fraction, or the fraction is outside its interval.

    >>> import pyarrow as pa
    >>> risk(pa.table({"age": [1, 1, 2, 2]}), ["age"]).prosecutor_max
    0.5
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be in (0, 1], not {threshold}")
    if population is not None and sampling_fraction is not None:
        raise InvalidParameter("give either a population table or a sampling fraction", parameter="sampling_fraction")
    sizes = smallest_class_of_each_person(table, quasi_identifiers, unit).cast(pl.Float64).to_numpy()
    journalist = None
    if population is not None:
        both = (table, population, quasi_identifiers, unit, population_unit, population_count)
        in_population, matched = sizes_of_each_person(*both), matched_classes(*both)
        journalist = _journalist(1 / in_population.cast(pl.Float64).to_numpy(), threshold, _by_class(matched))
    elif sampling_fraction is not None:
        journalist = _estimated(sizes, threshold, sampling_fraction)
    if not len(sizes):
        return Risk(0.0, 0.0, 0, 0, 0, 0.0, threshold, journalist=journalist)
    risks = 1 / sizes
    average = float(risks.mean())
    alone = int((sizes == 1).sum())
    return Risk(
        prosecutor_max=float(risks.max()),
        prosecutor_average=average,
        unique_persons=alone,
        persons=len(sizes),
        classes=equivalence_classes(table, quasi_identifiers, unit).height,
        at_risk=float((risks > threshold).mean()),
        threshold=threshold,
        prosecutor_min=float(risks.min()),
        marketer=average,
        uniqueness=alone / len(sizes),
        journalist=journalist,
    )


def risk_figures(
    table: Any, quasi_identifiers: Sequence[str], sensitive: Sequence[str] = (), unit: Any = None
) -> RiskFigures:
    """Everything a report says about a table's classes. ``unit``: column name, or an array aligned with the rows."""
    measured = risk(table, quasi_identifiers, unit)
    return RiskFigures(
        persons=measured.persons,
        classes=measured.classes,
        k=round(1 / measured.prosecutor_max) if measured.persons else 0,
        unique_persons=measured.unique_persons,
        prosecutor_max=measured.prosecutor_max,
        prosecutor_average=measured.prosecutor_average,
        distinct_l={name: int(l_diversity(table, quasi_identifiers, name)) for name in sensitive},
    )


def individual_risk(class_sizes: Any, sampling_fraction: float) -> Floats:
    """Expected 1/F for sample classes of these sizes, whose population size F is unknown; in (0, 1].

    F has the negative binomial distribution of the trials that make so many successes (Benedetti and Franconi, 1998).
    Class sizes are whole numbers of at least 1; the result is aligned with them.

    Raises:
        InvalidParameter: the fraction is outside (0, 1].

    >>> individual_risk([1], 0.5).round(6).tolist()
    [0.693147]
    """
    if not 0 < sampling_fraction <= 1:
        raise InvalidParameter("the sampling fraction must be in (0, 1]", parameter="sampling_fraction")
    sizes, where = np.unique(np.asarray(class_sizes, dtype=np.float64), return_inverse=True)
    return _expected_inverse(sizes, sampling_fraction)[where]


def _estimated(sizes: Floats, threshold: float, fraction: float) -> JournalistRisk:
    return _journalist(individual_risk(sizes, fraction), threshold, 0.0, "estimate")


def _journalist(
    risks: Floats, threshold: float, by_class: float, basis: Literal["population", "estimate"] = "population"
) -> JournalistRisk:
    if not len(risks):
        return JournalistRisk(0.0, 0.0, 0.0, 0.0, basis)
    mean = float(risks.mean())
    return JournalistRisk(float(risks.max()), max(mean, by_class), float((risks > threshold).mean()), mean, basis)


def _by_class(matched: pl.DataFrame) -> float:
    """Released classes over the persons that they have in the population."""
    released = matched.filter(pl.col(SAMPLE) > 0)
    persons = released.select(pl.max_horizontal(SAMPLE, POPULATION).sum()).item()
    return released.height / persons if persons else 0.0


def _expected_inverse(sizes: Floats, kept: float) -> Floats:
    """E[1/F] for ascending sizes f: the integral of ``p u**(f-1) / (p + q u)`` over u in [0, 1].

    As a series in q all terms are positive and shrink like binomials of f; for small f and small p it would be long,
    but there the recurrence ``q I(f+1) = p (1/f - I(f))`` only shrinks its errors.
    """
    lost = 1 - kept
    risks = np.empty_like(sizes)
    recurred = sizes <= RECURRED if kept <= 0.5 else np.zeros(len(sizes), dtype=bool)
    if recurred.any():
        by_size = [math.nan, -kept / lost * math.log(kept)]
        for size in range(1, RECURRED):
            by_size.append(kept / lost * (1 / size - by_size[size]))
        risks[recurred] = np.array(by_size)[sizes[recurred].astype(np.int64)]
    rest = sizes[~recurred]
    term, total = kept / rest, np.zeros_like(rest)
    step = 0
    while len(rest) and bool((term > total * 1e-17).any()):
        total += term
        step += 1
        term = term * lost * step / (rest + step)
    risks[~recurred] = total
    return risks
