"""Disclosure rules for aggregates (统计结果): thresholds, dominance, suppression with audit, rounding, noise by key."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from masking.disclosure.frequency import Tabulated, tabulate
    from masking.disclosure.protection import DisclosureReport, Protected, protect

__all__ = ["DisclosureReport", "Protected", "Tabulated", "protect", "tabulate"]
_HOMES: Final = {
    "DisclosureReport": "protection",
    "Protected": "protection",
    "Tabulated": "frequency",
    "protect": "protection",
    "tabulate": "frequency",
}


def __getattr__(name: str) -> Any:
    """What is asked for, imported when it is: most commands need none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
