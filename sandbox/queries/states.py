"""Moves of a cube, as data. A published one never moves again: there is no second version of what was shown."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class CubeState(StrEnum):
    """Life of the fixed tables of one intake."""

    COMPUTING = "computing"
    PUBLISHED = "published"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: Final[Mapping[CubeState, frozenset[CubeState]]] = {
    CubeState.COMPUTING: frozenset({CubeState.PUBLISHED, CubeState.FAILED, CubeState.CANCELLED}),
    CubeState.PUBLISHED: frozenset(),
    CubeState.FAILED: frozenset(),  # nothing of it was shown: a new request starts a new cube
    CubeState.CANCELLED: frozenset(),
}


def can_become(old: str, new: CubeState) -> bool:
    """Whether the move exists."""
    return new in TRANSITIONS[CubeState(old)]
