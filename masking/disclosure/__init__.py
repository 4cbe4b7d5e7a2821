"""Disclosure rules for aggregates (统计结果): thresholds, rounding, dominance."""

from masking.disclosure.frequency import Tabulated, tabulate

__all__ = ["Tabulated", "tabulate"]
