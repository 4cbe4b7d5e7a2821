"""What the columns of a table hold, by header words and by the share of *all* values that pass a check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from masking.detection.model import ColumnFinding
from masking.taxonomy import DataLevel


def detect_columns(table: Any) -> list[ColumnFinding]:
    """A finding per column, in order, over all values. ``table`` is anything ``masking.table.as_reader`` takes."""
    raise NotImplementedError


def propose_level(findings: Sequence[ColumnFinding]) -> tuple[DataLevel, list[dict[str, str]], str]:
    """Level of the whole table, the highest of its columns (就高从严), the reasons (zh, en) and the clause."""
    raise NotImplementedError
