"""Circuits: small sets of cells that can move together, up and down in turn, without any margin noticing.

Rule: take two leaves in each dimension (or one leaf with all groups above it, up to the total) and multiply: the
product of their paths, with the signs multiplied, adds up to nothing in every equation of the table. If the cells of a
circuit are hidden and each can move by u, then so can the one an attacker wants: a circuit is a proof of protection.
This is the hypercube method, carried to hierarchies and margins; all diagonals of a cell are weighed at once.
Source: Repsilber, 1994; Giessing and Repsilber, 2002 (GHMITER); Hundepool et al., 2012, 4.4.
Pure: finds cells, changes nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from masking.disclosure.contributions import Floats
from masking.disclosure.margins import Bools, Dimension, Ints, Margins

ANCHORS = 3
"""Leaves tried below a group: that of its most populated cell, then the most populated."""
PARTNERS = 96
"""Leaves tried on the other side, siblings first, then the most populated."""
BLOCKED = 1e12


class Circuits:
    """Finds the cheapest circuit through a cell. ``persons``: per cell, to try the populated leaves first."""

    def __init__(self, margins: Margins, persons: Ints) -> None:
        self._margins = margins
        self._persons = cube = persons.reshape(margins.shape)
        self._populated = [
            cube[tuple(slice(None) if axis == own else each.total for axis, each in enumerate(margins.dimensions))]
            for own in range(len(margins.dimensions))
        ]
        self._below = functools.lru_cache(maxsize=None)(self._leaves_below)
        self._options = functools.lru_cache(maxsize=4096)(self._make_options)

    def best(
        self, cell: int, cost: Floats, no_plus: Bools, no_minus: Bools, part: int | None = None
    ) -> tuple[Ints, Floats] | None:
        """The circuit through ``cell`` with the least ``cost`` (each at least 0): its cells and signs (+1 the cell's).

        ``no_plus``: cells that may not carry the sign +1, ``no_minus``: those that may not carry -1. ``part``: the cell
        of leaves below ``cell`` that moves with it; None: one of the most populated.
        """
        nodes = [int(node) for node in np.unravel_index(cell, self._margins.shape)]
        anchor = (
            self._anchor(nodes) if part is None else [int(leaf) for leaf in np.unravel_index(part, self._margins.shape)]
        )
        options = [
            self._options(axis, node, leaf, part is not None)
            for axis, (node, leaf) in enumerate(zip(nodes, anchor, strict=True))
        ]
        either = cost + (BLOCKED / 2) * (no_plus.astype(np.float64) + no_minus)
        signed = (BLOCKED / 2) * (no_plus.astype(np.float64) - no_minus)
        price = self._weighed(either, [np.abs(option) for option in options]) + self._weighed(signed, options)
        chosen = int(np.argmin(price))
        if price.size == 0 or price.reshape(-1)[chosen] >= BLOCKED / 2:
            return None
        places = np.unravel_index(chosen, price.shape)
        vectors = [option[place] for option, place in zip(options, places, strict=True)]
        sign = functools.reduce(np.multiply.outer, [vector[vector != 0] for vector in vectors])
        cells = np.ravel_multi_index(np.ix_(*(np.flatnonzero(vector) for vector in vectors)), self._margins.shape)
        return cells.reshape(-1).astype(np.int64), np.asarray(sign, dtype=np.float64).reshape(-1)

    def _weighed(self, weights: Floats, options: list[Floats]) -> Floats:
        made = weights.reshape(self._margins.shape)
        for option in options:  # contracts the first axis and puts the options last, so that the next axis comes first
            made = np.tensordot(made, option, axes=([0], [1]))
        return made

    def parts(self, cell: int) -> Ints:
        """The cells of leaves that a cell is the sum of."""
        nodes = np.unravel_index(cell, self._margins.shape)
        below = [self._below(axis, int(node)) for axis, node in enumerate(nodes)]
        return np.ravel_multi_index(np.ix_(*below), self._margins.shape).reshape(-1).astype(np.int64)

    def _anchor(self, nodes: Sequence[int]) -> list[int]:
        """The leaves where the most populated part of a cell lies."""
        below = [self._below(axis, node) for axis, node in enumerate(nodes)]
        part = self._persons[np.ix_(*below)]
        places = np.unravel_index(int(np.argmax(part)), part.shape)
        return [leaves[place] for leaves, place in zip(below, places, strict=True)]

    def _leaves_below(self, axis: int, node: int) -> list[int]:
        dimension = self._margins.dimensions[axis]
        return [leaf for leaf in range(dimension.leaves) if node in dimension.path(leaf)]

    def _make_options(self, axis: int, node: int, anchor: int, only: bool) -> npt.NDArray[np.float64]:
        """Signed paths in one dimension that move ``node`` by +1: rows of one entry a node."""
        dimension = self._margins.dimensions[axis]
        below = self._below(axis, node)
        outside = sorted(set(range(dimension.leaves)) - set(below))
        most = self._populated[axis]
        below = sorted(below, key=lambda leaf: (leaf != anchor, -most[leaf], leaf))[: 1 if only else ANCHORS]
        near = dimension.parents[node]
        outside = sorted(outside, key=lambda leaf: (dimension.parents[leaf] != near, -most[leaf], leaf))[:PARTNERS]
        rows = []
        for leaf in below:
            rows += [_moved(dimension, leaf, None), *(_moved(dimension, leaf, other) for other in outside)]
        return np.array(rows).reshape(len(rows), len(dimension.labels))


def _moved(dimension: Dimension, leaf: int, other: int | None) -> Floats:
    """+1 on a leaf and what is above it, -1 on another and what is above that; what is above both stays."""
    vector = np.zeros(len(dimension.labels))
    vector[dimension.path(leaf)] += 1
    if other is not None:
        vector[dimension.path(other)] -= 1
    return vector
