"""A generalization hierarchy of one attribute: every value, and what it becomes at each level up to ``*``.

Level 0 holds the values as they are (the leaves), the last level is the single node ``*``. Levels nest: two leaves that
are one node stay one node above. That makes risk fall and loss rise from level to level, which searches rely on.
Source: ARX's hierarchy files (leaf first, coarsest last); ISO/IEC 20889:2018, generalization.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter

TOP: Final = "*"
"""The coarsest node of every hierarchy, and the value of a suppressed cell."""

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """``labels[level][node]`` is the text of a node, ``codes[level][leaf]`` the node that a leaf is at a level.

    A null is a leaf of its own where ``null`` is true: the last leaf, which stays null up to the level below ``*``.
    """

    labels: tuple[tuple[str | None, ...], ...]
    codes: tuple[Codes, ...]
    null: bool = False

    @classmethod
    def of(cls, rows: Sequence[Sequence[str]]) -> Hierarchy:
        """From rows of leaf, parent, grandparent …; a missing ``*`` is added. Equal rows count once.

        Raises:
            InvalidParameter: no row, rows of unequal length, an empty node, a leaf with two rows, levels that do not
                nest. The message says where, and never what stands there.
        """
        if not rows or not rows[0]:
            raise InvalidParameter("the hierarchy is empty", parameter="hierarchies")
        width = len(rows[0])
        for number, row in enumerate(rows, start=1):
            if len(row) != width:
                raise InvalidParameter(
                    f"row {number} of the hierarchy has {len(row)} levels, the first has {width}",
                    parameter="hierarchies",
                )
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        return cls.of_columns(columns)

    @classmethod
    def of_columns(cls, columns: Sequence[pa.Array]) -> Hierarchy:
        """From one text column a level, leaf first; a missing ``*`` is added. Raises as ``of``."""
        for level, column in enumerate(columns):
            empty = pc.or_kleene(pc.is_null(column), pc.equal(column, ""))
            # The empty text is a value as any other; only above it means a hole.
            if level and pc.any(empty).as_py():
                raise InvalidParameter(
                    f"row {int(pc.index(empty, value=True).as_py()) + 1} of the hierarchy has a hole at level {level}",
                    parameter="hierarchies",
                )
        levels = [_encoded(column) for column in columns]
        if not levels or not len(levels[0][0]):
            raise InvalidParameter("the hierarchy is empty", parameter="hierarchies")
        labels, codes = [levels[0][1]], [np.arange(len(levels[0][1]), dtype=np.int32)]
        leaf = levels[0][0]
        first = _first_places(leaf, len(levels[0][1]))
        for level, (nodes, names) in enumerate(levels[1:], start=1):
            if not np.array_equal(nodes, nodes[first][leaf]):
                raise InvalidParameter(f"a value has two nodes at level {level}", parameter="hierarchies")
            labels.append(names)
            codes.append(nodes[first].astype(np.int32))
        if labels[-1] != (TOP,):
            labels.append((TOP,))
            codes.append(np.zeros(len(labels[0]), dtype=np.int32))
        made = cls(tuple(labels), tuple(codes))
        made._check_nesting()
        return made

    @property
    def leaves(self) -> tuple[str | None, ...]:
        """The values, in the order of the file."""
        return self.labels[0]

    @property
    def levels(self) -> int:
        """Number of levels, ``*`` included."""
        return len(self.labels)

    @property
    def height(self) -> int:
        """The level of ``*``."""
        return len(self.labels) - 1

    @cached_property
    def sizes(self) -> tuple[Codes, ...]:
        """``sizes[level][node]``: leaves below a node."""
        return tuple(
            np.bincount(codes, minlength=len(names)).astype(np.int32)
            for codes, names in zip(self.codes, self.labels, strict=True)
        )

    @cached_property
    def shares(self) -> npt.NDArray[np.float64]:
        """``shares[level, leaf]``: share of all leaves that a leaf's node covers, in (0, 1]; 1 at the top."""
        total = len(self.leaves)
        return np.stack([sizes[codes] / total for sizes, codes in zip(self.sizes, self.codes, strict=True)])

    def with_null(self) -> Hierarchy:
        """The same with null as one more leaf."""
        if self.null:
            return self
        labels = [(*names, None) for names in self.labels[:-1]] or [(None,)]
        codes = [np.append(codes, np.int32(len(names))) for codes, names in zip(self.codes, self.labels, strict=True)]
        top = np.zeros(len(labels[0]), dtype=np.int32)
        return Hierarchy((*labels, (TOP,)), (*(each.astype(np.int32) for each in codes[:-1]), top), null=True)

    def find(self, column: Any) -> tuple[Codes, int]:
        """The leaf of each value of a column, and how many values are none (they have leaf -1).

        Column: any type that casts to text; null is the null leaf where there is one.
        """
        encoded = _coded(column)
        values = pc.index_in(encoded.dictionary.cast(pa.string()), value_set=pa.array(self.leaves, pa.string()))
        of_value = np.asarray(values.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int32)
        null = len(self.leaves) - 1 if self.null else -1
        indices = np.asarray(encoded.indices.fill_null(len(of_value)).to_numpy(zero_copy_only=False))
        found = np.append(of_value, np.int32(null)).astype(np.int32)[indices]
        return found, int(np.count_nonzero(found < 0))

    def written(self, leaves: Codes, levels: npt.NDArray[np.integer[Any]] | int) -> pa.Array:
        """The text of each cell: its leaf at its level (an array, or one level for all)."""
        if isinstance(levels, int | np.integer):
            names = pa.array(self.labels[levels], pa.string())
            return names.take(pa.array(self.codes[levels][leaves]))
        flat = [name for names in self.labels for name in names]
        starts = np.cumsum([0, *(len(names) for names in self.labels[:-1])])
        places = np.stack(self.codes)[levels, leaves] + starts[levels]
        return pa.array(flat, pa.string()).take(pa.array(places))

    def parents(self, level: int) -> Codes:
        """The node at ``level + 1`` of each node at ``level``."""
        up = np.zeros(len(self.labels[level]), dtype=np.int32)
        up[self.codes[level]] = self.codes[level + 1]
        return up

    def rows(self) -> list[tuple[str | None, ...]]:
        """The hierarchy as a file has it: leaf first, ``*`` last."""
        return [
            tuple(names[codes[leaf]] for names, codes in zip(self.labels, self.codes, strict=True))
            for leaf in range(len(self.leaves))
        ]

    def _check_nesting(self) -> None:
        for level in range(self.height):
            if not np.array_equal(self.parents(level)[self.codes[level]], self.codes[level + 1]):
                raise InvalidParameter(
                    f"level {level + 1} of the hierarchy divides what level {level} merges", parameter="hierarchies"
                )

    def __repr__(self) -> str:
        return f"Hierarchy({len(self.leaves)} values, {self.levels} levels)"


def _encoded(column: pa.Array) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    encoded = column.cast(pa.string()).dictionary_encode()
    indices = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    return indices, tuple(encoded.dictionary.to_pylist())


def _first_places(codes: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    first = np.zeros(count, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


def _coded(column: Any) -> pa.DictionaryArray:
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column
        column = column.combine_chunks()
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
