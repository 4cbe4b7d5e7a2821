"""Finding personal information in text and tables, by checksums and cues; no model, no network."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from masking.detection.columns import detect_columns, propose_level
    from masking.detection.detector import Detector
    from masking.detection.model import ColumnFinding, Finding

__all__ = ["ColumnFinding", "Detector", "Finding", "detect_columns", "propose_level"]
_HOMES: Final = {
    "ColumnFinding": "model",
    "Detector": "detector",
    "Finding": "model",
    "detect_columns": "columns",
    "propose_level": "columns",
}


def __getattr__(name: str) -> Any:
    """What is asked for, imported when it is: most commands need none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
