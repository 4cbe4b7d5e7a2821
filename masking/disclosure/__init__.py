"""Disclosure rules for aggregates (统计结果): thresholds, dominance, suppression with audit, rounding, noise by key."""

from masking.disclosure.frequency import Tabulated, tabulate
from masking.disclosure.protection import DisclosureReport, Protected, protect

__all__ = ["DisclosureReport", "Protected", "Tabulated", "protect", "tabulate"]
