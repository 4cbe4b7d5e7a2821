"""The way of each item from the coarsest nodes that it may become down to its leaves, with what each step gains.

A class is released as the finest nodes that all its members share, so its loss is the loss of the coarsest nodes less
the gains of every node that its members have in common. Searches for local recodings work on this form: a node is a
number, a step of an attribute a row, and what two classes have in common is where their numbers are equal. Levels that
gain nothing for any leaf are no step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from masking.recoding.items import Ints, Items, grouped
from masking.recoding.result import Levels
from masking.recoding.search import Wishes

Nodes = npt.NDArray[np.int32]
Gains = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
NONE = -1
"""The node of a class whose members have none in common."""


@dataclass(frozen=True, eq=False)
class Paths:
    """``nodes[step, item]``; ``gains[step][node]``: loss saved for a record whose class shares the node.

    Steps of one attribute follow each other from the coarsest to the finest. ``root``: loss of a record that shares
    none; 1 for a table of ``*``, so losses are shares of all that can be lost. ``cell``: items of different cells may
    not be in one class, for a level above what the wishes allow would be needed.
    """

    items: Items
    nodes: Nodes
    gains: tuple[Gains, ...]
    attribute: Ints
    root: float
    ranges: tuple[tuple[int, int], ...]
    cell: Ints
    cells: int

    @classmethod
    def of(cls, items: Items, wishes: Wishes) -> Paths:
        """The paths of the items between the levels that the wishes allow, weighed as they say."""
        weighed = wishes.weighed(items)
        ranges = wishes.ranges(items)
        scale = float(weighed.sum()) or 1.0
        nodes: list[Nodes] = []
        gains: list[Gains] = []
        attribute: list[int] = []
        root = 0.0
        for place, hierarchy in enumerate(items.hierarchies):
            low, high = ranges[place]
            losses = losses_of(hierarchy.shares) * weighed[place] / scale
            above = losses[high].copy()
            if high == hierarchy.height:
                root += float(above.max(initial=0.0))
            for level in range(high - 1, low - 1, -1):
                saved = np.zeros(len(hierarchy.labels[level]), dtype=np.float32)
                saved[hierarchy.codes[level]] = above - losses[level]
                if saved.max(initial=0.0) > 0:
                    nodes.append(hierarchy.codes[level][items.leaves[place]])
                    gains.append(saved)
                    attribute.append(place)
                    above = losses[level]
        cell, first = grouped(*_bounded(items, ranges), len(items))
        stacked = np.stack(nodes) if nodes else np.zeros((0, len(items)), dtype=np.int32)
        return cls(items, stacked, tuple(gains), np.array(attribute, dtype=np.int64), root, ranges, cell, len(first))

    @property
    def steps(self) -> int:
        """Number of steps, over all attributes."""
        return len(self.gains)

    def shared(self, item: Ints, label: Ints, classes: int) -> Nodes:
        """``[step, class]``: the node that all members share, or ``NONE``; ``label``: the class of each of ``item``."""
        order = np.argsort(label, kind="stable")
        starts = np.searchsorted(label[order], np.arange(classes))
        found = np.full((self.steps, classes), NONE, dtype=np.int32)
        if classes:
            members = item[order]
            for step in range(self.steps):
                nodes = self.nodes[step][members]
                least, most = np.minimum.reduceat(nodes, starts), np.maximum.reduceat(nodes, starts)
                found[step] = np.where(least == most, least, NONE)
        return found

    def saved(self, shared: Nodes) -> Gains:
        """``[step, class]``: what each shared node gains, 0 where none is shared."""
        found = np.zeros(shared.shape, dtype=np.float32)
        for step, gains in enumerate(self.gains):
            found[step] = np.where(shared[step] == NONE, 0, gains[shared[step]])
        return found

    def losses(self, shared: Nodes) -> Floats:
        """Loss of a record of each class, in [0, 1]."""
        return np.maximum(0.0, self.root - self.saved(shared).sum(axis=0, dtype=np.float64))

    def levels(self, item: Ints, label: Ints, classes: int) -> Levels:
        """``[class, attribute]``: the lowest level at which all members of a class are one node.

        A node that covers all leaves is written as the highest level that is allowed: it must not look like another
        class than that of the suppressed records, for it is the same. Where no attribute has a second leaf nothing is
        generalized.
        """
        order = np.argsort(label, kind="stable")
        starts = np.searchsorted(label[order], np.arange(classes))
        members = item[order]
        found = np.zeros((classes, len(self.items.names)), dtype=np.uint8)
        if all(len(hierarchy.leaves) == 1 for hierarchy in self.items.hierarchies):
            found[:] = [low for low, _ in self.ranges]
            return found
        for place, hierarchy in enumerate(self.items.hierarchies):
            low, high = self.ranges[place]
            found[:, place] = high
            leaves = self.items.leaves[place][members]
            for level in range(high - 1, low - 1, -1):
                if len(hierarchy.labels[level]) == 1:
                    continue
                nodes = hierarchy.codes[level][leaves]
                one = np.minimum.reduceat(nodes, starts) == np.maximum.reduceat(nodes, starts)
                if not one.any():
                    break
                found[one, place] = level
        return found


def losses_of(shares: Floats) -> Floats:
    """Loss of a cell: 0 for a leaf, 1 for ``*``, so that each attribute counts alike; 0 where there is only one leaf.

    1 less its mean is granularity as the README of ARX's test data has it. ARX itself pools shares before it scales
    them (``Recoding.granularity``), which lets attributes of few leaves count less.
    """
    least = 1 / shares.shape[1]
    return (shares - least) / (1 - least) if least < 1 else np.zeros_like(shares)


def _bounded(items: Items, ranges: tuple[tuple[int, int], ...]) -> tuple[list[Ints], list[int]]:
    """Nodes at the highest allowed level of the attributes that may not become ``*``, and how many there are."""
    columns, sizes = [], []
    for place, (_, high) in enumerate(ranges):
        if high < items.hierarchies[place].height:
            columns.append(items.nodes(place, high))
            sizes.append(len(items.hierarchies[place].labels[high]))
    return columns, sizes
