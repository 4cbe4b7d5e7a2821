"""The levels that a global recoding chooses from: those that the wishes allow and that differ from each other.

Hierarchies of files often repeat a level, and wishes cut others off. What is left is a shorter hierarchy a search can
walk in full, so that it neither counts a table twice nor asks again what is allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from masking.hierarchies import TOP, Hierarchy
from masking.recoding.items import Items

Node = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Ladders:
    """``items`` with the chosen levels only; ``levels[attribute][rung]``: the level that a rung is in the table."""

    items: Items
    levels: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, items: Items, ranges: Sequence[tuple[int, int]]) -> Ladders:
        """From the lowest and highest level of each attribute."""
        levels = tuple(
            rungs(hierarchy, low, high) for hierarchy, (low, high) in zip(items.hierarchies, ranges, strict=True)
        )
        shorter = tuple(
            Hierarchy(
                tuple(hierarchy.labels[level] for level in chosen),
                tuple(hierarchy.codes[level] for level in chosen),
                null=hierarchy.null,
            )
            for hierarchy, chosen in zip(items.hierarchies, levels, strict=True)
        )
        return cls(replace(items, hierarchies=shorter), levels)

    def shares(self, items: Items) -> list[npt.NDArray[np.float64]]:
        """``[attribute][rung, leaf]``: the share that the hierarchies of ``items`` give a leaf's node."""
        return [
            hierarchy.shares[list(levels)] for hierarchy, levels in zip(items.hierarchies, self.levels, strict=True)
        ]

    def top(self, items: Items) -> Node | None:
        """The rungs that write ``*`` in every attribute; None where some attribute does not get that far."""
        if not self.levels or any(levels[-1] < top for levels, top in zip(self.levels, items.heights, strict=True)):
            return None
        return tuple(len(levels) - 1 for levels in self.levels)

    def node(self, rungs: Sequence[int]) -> Node:
        """The levels in the table that rungs stand for."""
        return tuple(levels[rung] for levels, rung in zip(self.levels, rungs, strict=True))


def rungs(hierarchy: Hierarchy, low: int, high: int) -> tuple[int, ...]:
    """Of levels that divide the leaves alike the finest; but the top where all of them are written ``*``."""
    chosen = [low]
    for level in range(low + 1, high + 1):
        # Levels nest: as many nodes means the same nodes.
        if np.unique(hierarchy.codes[level]).size < np.unique(hierarchy.codes[chosen[-1]]).size:
            chosen.append(level)
        elif level == hierarchy.height and hierarchy.labels[chosen[-1]] == (TOP,):
            chosen[-1] = level
    return tuple(chosen)
