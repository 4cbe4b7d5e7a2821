"""Re-identification risk of records by class sizes: the prosecutor knows that the person is in the table.

Source: El Emam, Guide to the De-Identification of Personal Health Information, 2013; GB/T 42460-2023 annex D.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from masking.report import RiskFigures


@dataclass(frozen=True, slots=True)
class Risk:
    """Shares in [0, 1] and counts of persons. Journalist risk with the table itself as the population is the same."""

    prosecutor_max: float
    prosecutor_average: float
    unique_persons: int
    persons: int
    classes: int
    at_risk: float
    """Share of persons whose class is smaller than the threshold asked for."""


def risk(table: Any, quasi_identifiers: Sequence[str], unit: Any = None, threshold: float = 0.2) -> Risk:
    """Risks of a table; ``threshold`` is the highest acceptable risk of one person, in (0, 1]."""
    raise NotImplementedError


def risk_figures(
    table: Any, quasi_identifiers: Sequence[str], sensitive: Sequence[str] = (), unit: Any = None
) -> RiskFigures:
    """Everything a report says about a table's classes. ``unit``: column name, or an array aligned with the rows."""
    raise NotImplementedError
