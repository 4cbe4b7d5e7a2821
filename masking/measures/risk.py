"""Re-identification risk by class sizes: the prosecutor knows that the person is in the table.

Source: El Emam, Guide to the De-Identification of Personal Health Information, 2013; GB/T 42460-2023 annex D.
Persons are counted, not records; a person with several records has the risk of their smallest class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from masking.measures.classes import equivalence_classes, smallest_class_of_each_person
from masking.measures.diversity import l_diversity
from masking.report import RiskFigures


@dataclass(frozen=True, slots=True)
class Risk:
    """Shares in [0, 1] and counts of persons. ``at_risk``: share of persons above the threshold asked for."""

    prosecutor_max: float
    prosecutor_average: float
    unique_persons: int
    persons: int
    classes: int
    at_risk: float


def risk(table: Any, quasi_identifiers: Sequence[str], unit: Any = None, threshold: float = 0.2) -> Risk:
    """Risks of a table; ``threshold`` is the highest acceptable risk of one person, in (0, 1]. Empty table: all 0.

    >>> import pyarrow as pa
    >>> risk(pa.table({"age": [1, 1, 2, 2]}), ["age"]).prosecutor_max
    0.5
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be in (0, 1], not {threshold}")
    sizes = smallest_class_of_each_person(table, quasi_identifiers, unit).cast(pl.Float64)
    if not len(sizes):
        return Risk(0.0, 0.0, 0, 0, 0, 0.0)
    risks = 1 / sizes
    return Risk(
        prosecutor_max=float(risks.max()),  # type: ignore[arg-type]
        prosecutor_average=float(risks.mean()),  # type: ignore[arg-type]
        unique_persons=int((sizes == 1).sum()),
        persons=len(sizes),
        classes=equivalence_classes(table, quasi_identifiers, unit).height,
        at_risk=float((risks > threshold).mean()),  # type: ignore[arg-type]
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
