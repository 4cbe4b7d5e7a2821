"""What the cells of a released column cover: a node of the attribute's hierarchy, or everything.

A released table mixes values, their ancestors and ``*``. A text that names nodes on several levels is read as the
largest of them, so that loss is never understated. Without a hierarchy ``*`` covers everything and each other value
only itself. Null is a leaf of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidValue
from masking.hierarchies import TOP, Hierarchy, as_hierarchy
from masking.measures.coding import Codes, Integers, column_codes

QuasiIdentifiers = Sequence[str] | Mapping[str, Any]
"""Names of attributes, or a mapping of names to hierarchies (whatever ``as_hierarchy`` reads; None: has none)."""


@dataclass(frozen=True, slots=True)
class Cells:
    """One released column: ``codes`` tells for each record which of its values it has.

    For each value ``level`` and ``node`` say where in ``tree`` it stands.
    """

    tree: Hierarchy
    codes: npt.NDArray[np.integer[Any]]
    level: Integers
    node: Integers

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """For each value the share of all leaves that it covers, in (0, 1]."""
        return self.covered / len(self.tree.leaves)

    @property
    def covered(self) -> Integers:
        """For each value the number of leaves that it covers."""
        return np.array([self.tree.sizes[level][node] for level, node in zip(self.level, self.node, strict=True)])

    @property
    def counts(self) -> Integers:
        """For each value the number of records that have it."""
        return np.bincount(self.codes, minlength=len(self.node))

    def leaf_counts(self) -> npt.NDArray[np.float64]:
        """Records of each leaf, when those of a node are spread evenly over the leaves below it."""
        found = np.zeros(len(self.tree.leaves))
        counts, covered = self.counts, self.covered
        for level, codes in enumerate(self.tree.codes):
            here = self.level == level
            if here.any():
                of_node = np.bincount(
                    self.node[here], weights=counts[here] / covered[here], minlength=len(self.tree.labels[level])
                )
                found += of_node[codes]
        return found


def hierarchies_of(
    quasi_identifiers: QuasiIdentifiers, hierarchies: Mapping[str, Any] | None
) -> tuple[list[str], dict[str, Hierarchy]]:
    """The attributes' names, each once, and the hierarchies of those that have one. Raises as ``as_hierarchy``."""
    given = dict(quasi_identifiers) if isinstance(quasi_identifiers, Mapping) else {}
    given.update(hierarchies or {})
    names = list(dict.fromkeys(quasi_identifiers))
    return names, {name: as_hierarchy(given[name]) for name in names if given.get(name) is not None}


def cells_of(column: Any, tree: Hierarchy, attribute: str) -> Cells:
    """A released column on its hierarchy, which gets a null leaf if the column has nulls.

    Raises:
        InvalidValue: values that are no node of the hierarchy; says how many, never which.
    """
    coded = column_codes(column)
    values = _text(coded.values)
    if values.null_count and np.bincount(coded.codes, minlength=coded.size)[np.asarray(values.is_null())].any():
        tree = tree.with_null()
    level, node = np.full(coded.size, -1), np.zeros(coded.size, dtype=np.int64)
    largest = np.zeros(coded.size, dtype=np.int64)
    for number, (labels, sizes) in enumerate(zip(tree.labels, tree.sizes, strict=True)):
        at = np.asarray(pc.index_in(values, value_set=pa.array(labels, pa.string())).fill_null(-1))
        covered = np.where(at >= 0, sizes[at], 0)
        better = covered > largest
        level[better], node[better], largest[better] = number, at[better], covered[better]
    unknown = (level < 0) & (np.bincount(coded.codes, minlength=coded.size) > 0)
    if unknown.any():
        raise InvalidValue("not in the hierarchy", count=int(unknown.sum())).of(attribute)
    # What a column of categories could hold but does not counts for nothing; any node will do.
    level[level < 0] = tree.height
    return Cells(tree, coded.codes, level.astype(np.int64), node)


def is_suppressed(coded: Codes) -> npt.NDArray[np.bool_]:
    """For each value of a column whether it is ``*``."""
    return np.asarray(pc.equal(_text(coded.values), TOP).fill_null(fill_value=False))


def suppressed_cells(column: Any) -> tuple[int, int]:
    """Records whose cell is ``*``, and the number of other values that occur."""
    coded = column_codes(column)
    counts, stars = np.bincount(coded.codes, minlength=coded.size), is_suppressed(coded)
    return int(counts[stars].sum()), int(np.count_nonzero(counts[~stars]))


def _text(values: pa.Array | None) -> pa.Array:
    assert values is not None
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values.cast(pa.string())
