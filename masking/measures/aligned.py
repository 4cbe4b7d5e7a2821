"""A column before and after masking over the same leaves, so that the two can be compared.

With a hierarchy the leaves are its values; numbers without one fall into bins of about equal counts of the original;
any other column has the values that occur. A released cell stands for all leaves it covers, spread evenly; ``*`` covers
all. Null is a leaf of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.hierarchies import TOP, Hierarchy
from masking.measures.cells import Cells, cells_of, is_suppressed
from masking.measures.coding import column_codes

Floats = npt.NDArray[np.float64]

BINS: Final = 50
"""Bins of a column of numbers without a hierarchy."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """``before`` and ``after``: the cells of the original and the released records over one tree.

    ``ordered``: the leaves stand in the order of their numbers. ``numbers_before`` and ``numbers_after``: the number of
    each record, NaN where a cell has none; None unless the attribute holds numbers only.
    """

    attribute: str
    before: Cells
    after: Cells
    ordered: bool
    numbers_before: Floats | None = None
    numbers_after: Floats | None = None

    @property
    def leaves(self) -> int:
        """Number of leaves."""
        return len(self.after.tree.leaves)

    def shares(self) -> tuple[Floats, Floats]:
        """Share of each leaf before and after, each summing to 1 (0 for an empty table)."""
        before, after = self.before.leaf_counts(), self.after.leaf_counts()
        return before / max(before.sum(), 1.0), after / max(after.sum(), 1.0)


def align(attribute: str, before: Any, after: Any, tree: Hierarchy | None) -> Aligned:
    """Two Arrow columns of one attribute over the same leaves.

    Raises:
        InvalidValue: values that are no node of the hierarchy; says how many, never which.
    """
    if tree is not None:
        return _on_tree(attribute, before, after, tree)
    numbers, released = _numbers(before), _numbers(after)
    if numbers is not None and released is not None:
        return _in_bins(attribute, numbers, released)
    return _by_value(attribute, before, after)


def mean_over(cells: Cells, of_leaf: Floats) -> Floats:
    """For each value of a column the mean of ``of_leaf`` over the leaves that it covers; NaN leaves are left out."""
    known = ~np.isnan(of_leaf)
    found = np.full(len(cells.level), np.nan)
    for level, codes in enumerate(cells.tree.codes):
        here = cells.level == level
        if not here.any():
            continue
        width = len(cells.tree.labels[level])
        sums = np.bincount(codes, weights=np.where(known, of_leaf, 0.0), minlength=width)
        counts = np.bincount(codes, weights=known, minlength=width)
        means = np.divide(sums, counts, out=np.full(width, np.nan), where=counts > 0)
        found[here] = means[cells.node[here]]
    return found


def _on_tree(attribute: str, before: Any, after: Any, tree: Hierarchy) -> Aligned:
    if before.null_count or after.null_count:
        tree = tree.with_null()
    # In the original a text that names a leaf is that leaf, whatever else bears its name.
    leaf, unknown = tree.find(before)
    original = cells_of(before, tree, attribute) if unknown else _leaves(tree, leaf)
    released = cells_of(after, tree, attribute)
    of_leaf = _numbers(pa.array(tree.leaves, pa.string()))
    if of_leaf is None:
        return Aligned(attribute, original, released, ordered=False)
    numbers = of_leaf.values
    in_order = bool((np.diff(numbers[~np.isnan(numbers)]) > 0).all())
    means, released_means = (mean_over(each, numbers)[each.codes] for each in (original, released))
    return Aligned(attribute, original, released, in_order, means, released_means)


def _in_bins(attribute: str, before: _Numbers, after: _Numbers) -> Aligned:
    known = np.sort(before.values[~np.isnan(before.values)])
    edges = np.unique(known[(np.arange(1, BINS) * len(known)) // BINS]) if len(known) else known
    tree = Hierarchy.of([[f"bin {number}"] for number in range(len(edges) + 1)])
    null = any((np.isnan(each.values) & ~each.stars).any() for each in (before, after))
    tree = tree.with_null() if null else tree
    original, released = _binned(before, edges, tree), _binned(after, edges, tree)
    return Aligned(attribute, original, released, not null, before.values, after.values)


def _binned(numbers: _Numbers, edges: Floats, tree: Hierarchy) -> Cells:
    """The bin of each number; ``*`` is the node above all, what is neither is the null leaf, the last."""
    leaves = len(tree.leaves)
    place = np.searchsorted(edges, numbers.values, side="right")
    place = np.where(np.isnan(numbers.values), np.where(numbers.stars, leaves, leaves - 1), place)
    level = np.append(np.zeros(leaves, dtype=np.int64), tree.height)
    return Cells(tree, place, level, np.append(np.arange(leaves), 0))


def _by_value(attribute: str, before: Any, after: Any) -> Aligned:
    texts = [_text(column) for column in (before, after)]
    values = pc.unique(pa.chunked_array([pc.unique(text) for text in texts])).drop_null()
    values = values.filter(pc.not_equal(values, TOP))
    # An order of their own, so that the order of records does not matter.
    values = values.take(pc.sort_indices(values))
    tree = Hierarchy.of_columns([values if len(values) else pa.array([""])])
    tree = tree.with_null() if before.null_count or after.null_count else tree
    original, released = (cells_of(text, tree, attribute) for text in texts)
    return Aligned(attribute, original, released, ordered=False)


def _leaves(tree: Hierarchy, leaf: npt.NDArray[np.integer[Any]]) -> Cells:
    count = len(tree.leaves)
    return Cells(tree, leaf, np.zeros(count, dtype=np.int64), np.arange(count))


@dataclass(frozen=True, slots=True)
class _Numbers:
    """For each record its number, NaN if it has none, and whether it is ``*``."""

    values: Floats
    stars: npt.NDArray[np.bool_]


def _numbers(column: Any) -> _Numbers | None:
    """A column of numbers, nulls and ``*``; None if it holds anything else, or no number at all."""
    coded = column_codes(column)
    values = coded.values
    assert values is not None
    stars = is_suppressed(coded)
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        of_value = values.cast(pa.float64(), safe=False)
    else:
        try:
            text = values.cast(pa.string())
            of_value = pc.if_else(pa.array(stars), pa.scalar(None, pa.string()), text).cast(pa.float64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
    if of_value.null_count == len(of_value):
        return None
    floats = np.asarray(of_value.to_numpy(zero_copy_only=False), dtype=np.float64)
    return _Numbers(np.where(np.isfinite(floats), floats, np.nan)[coded.codes], stars[coded.codes])


def _text(column: Any) -> Any:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.string())
