"""Finding personal information in text and tables, by checksums and cues; no model, no network."""

from masking.detection.columns import detect_columns, propose_level
from masking.detection.detector import Detector
from masking.detection.model import ColumnFinding, Finding

__all__ = ["ColumnFinding", "Detector", "Finding", "detect_columns", "propose_level"]
