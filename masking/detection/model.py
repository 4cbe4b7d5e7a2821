"""What detection returns: spans in a text, roles and levels of columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from masking.taxonomy import DataLevel, Role


@dataclass(frozen=True, slots=True)
class Finding:
    """A span of a text, in Python character offsets of the text as given. ``rule`` says which pattern and check."""

    start: int
    end: int
    type: str
    score: float
    rule: str


@dataclass(frozen=True, slots=True)
class ColumnFinding:
    """What a column holds. ``checked`` values of it were looked at (all that are not null), ``passed`` of them fit.

    ``type`` is a detection type, or ``AGE GENDER DATE REGION NUMBER CATEGORY FREE_TEXT …`` by header and values.
    """

    column: str
    type: str
    role: Role
    level: DataLevel
    checked: int
    passed: int
    reason: Mapping[str, str]
    clause: str
    distinct: int = 0
    top_share: float = 0.0
