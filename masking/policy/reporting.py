"""Puts the measured numbers of one run together into its report. Decides nothing by itself but legal status."""

from __future__ import annotations

from collections.abc import Mapping

from masking.policy.model import MaskingPolicy
from masking.report import MaskingReport, RiskFigures


def build_report(
    policy: MaskingPolicy,
    *,
    rows_in: int,
    rows_out: int,
    suppressed: int = 0,
    before: RiskFigures | None = None,
    after: RiskFigures | None = None,
    uniqueness_all_columns: float = 0.0,
    nulls: Mapping[str, int] | None = None,
    rejects: Mapping[str, int] | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> MaskingReport:
    """The report of a run.

    ``before`` and ``after`` come from ``masking.measures.risk_figures`` (persons); ``uniqueness_all_columns`` is the
    share of masked rows that are alone over all masked columns; ``nulls`` counts nulls per masked column.
    """
    raise NotImplementedError
