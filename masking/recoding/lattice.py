"""The lattice of global recodings: a node gives each attribute one level. Bounds say how lossy a node is at least.

A node is at least as lossy as its generalization alone. What is suppressed at a node is suppressed at every finer one,
as far as limits only ask for enough persons or enough different values; so once a node was counted, the box of all
finer nodes is raised to what those suppressed records cost there, or closed if they are too many. Sources: Kohlmayer et
al. 2012 (Flash) for searching along paths; LeFevre et al. 2005 (Incognito) for pruning by subsets, which here are nodes
whose other attributes are ``*``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import EllipsisType

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Node = tuple[int, ...]


def nodes_of(heights: Sequence[int]) -> int:
    """How many nodes the lattice of levels 0 to ``heights[attribute]`` has."""
    return math.prod(height + 1 for height in heights)


class Lattice:
    """Bounds of all nodes; ``parts[attribute][level]``: what the generalization of an attribute to a level adds.

    A bound is a sum of parts. It is infinite for a node that is done or closed. Memory: 8 bytes a node.
    """

    def __init__(self, parts: Sequence[Floats]) -> None:
        self._parts = [np.asarray(each, dtype=np.float64) for each in parts]
        # Attributes with one level are no dimension: numpy counts to 64, and sums are faster.
        self._free = [place for place, each in enumerate(self._parts) if len(each) > 1]
        self._bounds = self._summed(self.highest, self._parts)

    @property
    def highest(self) -> Node:
        """The coarsest node."""
        return tuple(len(each) - 1 for each in self._parts)

    @property
    def size(self) -> int:
        """How many nodes there are."""
        return self._bounds.size

    def least(self) -> tuple[Node, float]:
        """The open node of least bound, the finest of equal ones; and its bound."""
        place = int(self._bounds.argmin())
        node = [0] * len(self._parts)
        for attribute, level in zip(self._free, np.unravel_index(place, self._bounds.shape), strict=True):
            node[attribute] = int(level)
        return tuple(node), float(self._bounds.flat[place])

    def bound(self, node: Node) -> float:
        """The bound of a node."""
        return float(self._bounds[self._at(node)])

    def is_open(self, node: Node) -> bool:
        """False if a node was counted or closed."""
        return math.isfinite(self.bound(node))

    def done(self, node: Node) -> None:
        """A node was counted: it need not be looked at again."""
        self._bounds[self._at(node)] = np.inf

    def close_below(self, node: Node) -> None:
        """No node as fine as this one or finer can be the result."""
        self._bounds[self._box(node)] = np.inf

    def raise_below(self, node: Node, parts: Sequence[Floats]) -> None:
        """No node as fine as this one or finer costs less than these parts add up to."""
        box = self._bounds[self._box(node)]
        np.maximum(box, self._summed(node, parts), out=box)

    def path(self, node: Node) -> list[Node]:
        """From a node to the coarsest one: each step coarsens the attribute that loses least by it."""
        found, at, highest = [node], list(node), self.highest
        while True:
            steps = [
                (float(self._parts[place][at[place] + 1] - self._parts[place][at[place]]), place)
                for place in self._free
                if at[place] < highest[place]
            ]
            if not steps:
                return found
            at[min(steps)[1]] += 1
            found.append(tuple(at))

    def floor(self, below: float) -> Node:
        """The finest level of each attribute in the nodes whose bound is below ``below``."""
        alive = self._bounds < below
        node = [0] * len(self._parts)
        for axis, attribute in enumerate(self._free):
            levels = alive.any(axis=tuple(each for each in range(len(self._free)) if each != axis))
            node[attribute] = int(levels.argmax())
        return tuple(node)

    def open_share(self, below: float) -> float:
        """Share of the nodes whose bound is below ``below``."""
        return float(np.count_nonzero(self._bounds < below) / self._bounds.size)

    def _at(self, node: Node) -> Node:
        return tuple(node[place] for place in self._free)

    def _box(self, node: Node) -> tuple[slice | EllipsisType, ...]:
        return (*(slice(0, level + 1) for level in self._at(node)), ...)

    def _summed(self, node: Node, parts: Sequence[Floats]) -> Floats:
        """The sums of parts in the box below a node, the smallest attributes first so that little is added twice."""
        sides = []
        fixed = 0.0
        for place, part in enumerate(parts):
            if place not in self._free:
                fixed += float(part[0])
                continue
            shape = [1] * len(self._free)
            shape[self._free.index(place)] = node[place] + 1
            sides.append(np.asarray(part[: node[place] + 1], dtype=np.float64).reshape(shape))
        total: Floats = np.full((1,) * len(self._free), fixed)
        for side in sorted(sides, key=lambda each: each.size):
            total = total + side
        return total
