"""A table with margins: dimensions whose categories form trees, and the sums that tie its cells together.

Rule: a cell is a choice of one node in each dimension, a leaf, a group of leaves or the total; every group is the sum
of its children, whatever the other dimensions hold. These equations are what an attacker recomputes hidden cells from.
Linked tables are sets of dimensions that are published together: they are parts of one table over all dimensions, in
which the other cells stay unpublished but still obey the equations, so tables that share a margin protect each other.
Source: Hundepool et al., Statistical Disclosure Control, 2012, 4.1; Fischetti and Salazar, 2001 (linked, hierarchical).
Pure: a description, it holds no figures.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from masking.errors import DataError, InvalidParameter
from masking.measures.classes import as_frame

TOP: Final = "*"
"""The coarsest level of a hierarchy, as ARX writes it; it may be left out."""
LARGEST: Final = 2_000_000
"""Cells of a table, margins included; more than that is no table that people read."""

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Equations(NamedTuple):
    """Sparse rows: the cells of row r are ``cells[starts[r]:starts[r + 1]]``, with ``signs`` (+1 child, -1 group)."""

    starts: Ints
    cells: Ints
    signs: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dimension:
    """A tree of categories: leaves first, then groups, the total last. A label is text, or None for missing values.

    ``parents[node]`` is the node above, -1 for the total.
    """

    name: str
    labels: tuple[str | None, ...]
    parents: tuple[int, ...]
    leaves: int

    @property
    def total(self) -> int:
        """The node of all categories."""
        return len(self.labels) - 1

    def path(self, node: int) -> list[int]:
        """The node and all above it, the total last."""
        found = [node]
        while self.parents[found[-1]] >= 0:
            found.append(self.parents[found[-1]])
        return found

    def children(self, node: int) -> list[int]:
        """The nodes directly below; none for a leaf."""
        return [child for child, parent in enumerate(self.parents) if parent == node]

    def levels(self) -> Ints:
        """For each depth (row, 0 is the total) the node above or at each leaf (column); -1 below the leaf's depth."""
        paths = [self.path(leaf)[::-1] for leaf in range(self.leaves)]
        depth = max(map(len, paths), default=1)
        table = np.full((depth, self.leaves), -1, dtype=np.int64)
        for leaf, path in enumerate(paths):
            table[: len(path), leaf] = path
        return table


@dataclass(frozen=True)
class Margins:
    """The cells of a table with margins, an array of one axis a dimension; ``published``: those that somebody sees."""

    dimensions: tuple[Dimension, ...]
    tables: tuple[frozenset[str], ...] = field(default=())

    def __post_init__(self) -> None:
        cells = math.prod(self.shape)
        if cells > LARGEST:
            raise InvalidParameter(
                f"dimensions make {cells} cells, at most {LARGEST} are allowed; use fewer or coarser ones",
                parameter="dimensions",
            )

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Nodes of each dimension."""
        return tuple(len(dimension.labels) for dimension in self.dimensions)

    @cached_property
    def size(self) -> int:
        """Number of cells."""
        return math.prod(self.shape)

    @cached_property
    def published(self) -> Bools:
        """Cells that belong to a published table, flat: all dimensions outside of it stand at their total."""
        if not self.tables:
            return np.ones(self.size, dtype=bool)
        seen = np.zeros(self.shape, dtype=bool)
        for table in self.tables:
            seen[tuple(slice(None) if each.name in table else each.total for each in self.dimensions)] = True
        return seen.reshape(-1)

    @cached_property
    def equations(self) -> Equations:
        """Every group is the sum of its children, for every choice in the other dimensions."""
        index = np.arange(self.size, dtype=np.int64).reshape(self.shape)
        widths, cells, signs = [], [], []
        for axis, dimension in enumerate(self.dimensions):
            by_node = np.moveaxis(index, axis, 0).reshape(self.shape[axis], -1)
            for group in range(dimension.leaves, len(dimension.labels)):
                children = dimension.children(group)
                if children:
                    rows = by_node[[*children, group]].T
                    widths.append(np.full(len(rows), rows.shape[1]))
                    cells.append(rows.reshape(-1))
                    signs.append(np.tile([*[1.0] * len(children), -1.0], len(rows)))
        if not widths:
            return Equations(np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0))
        return Equations(
            np.concatenate([[0], np.cumsum(np.concatenate(widths))]), np.concatenate(cells), np.concatenate(signs)
        )

    def cell(self, labels: Mapping[str, str | None]) -> int:
        """The flat number of a cell; a dimension that is not named stands at its total.

        Raises:
            KeyError: there is no such dimension or category.
        """
        unknown = set(labels) - {dimension.name for dimension in self.dimensions}
        if unknown:
            raise KeyError(*unknown)
        place = [
            each.labels.index(labels[each.name]) if each.name in labels else each.total for each in self.dimensions
        ]
        return int(np.ravel_multi_index(place, self.shape))


def dimension(name: str, column: pl.Series, spec: Mapping[str, Any] | None, *, total: str) -> tuple[Dimension, Ints]:
    """The tree of a column's categories and, for each record, its leaf.

    ``spec``: nothing (the categories found), ``categories`` (all of them, also those nobody has) or ``hierarchy``
    (rows of leaf, group, … coarsest; a frame of them; or a mapping of each category to the one above). Categories are
    compared as text. Null is a category of its own, below the total. ``total``: the label of the total.

    Raises:
        InvalidParameter: the tree is no tree, or holds the label of the total.
        DataError: the column holds categories that are not listed; says how many.
    """
    spec = dict(spec or {})
    unknown = sorted(set(spec) - {"categories", "hierarchy"})
    if unknown or len(spec) > 1:
        raise InvalidParameter(
            f"dimension {name!r} takes either `categories` or `hierarchy`, not {sorted(spec)}", parameter="dimensions"
        )
    found = column.unique().sort()
    text = column.cast(pl.String)
    if "categories" in spec:
        listed = _listed(name, spec["categories"])
        paths: list[list[str]] = [[label] for label in listed]
    elif "hierarchy" in spec:
        paths = _paths(name, spec["hierarchy"])
    else:
        paths = [[label] for label in dict.fromkeys(found.drop_nulls().cast(pl.String).to_list())]
    return _tree(name, paths, text, total=total)


def _tree(name: str, paths: list[list[str]], text: pl.Series, *, total: str) -> tuple[Dimension, Ints]:
    leaves: list[str | None] = [path[0] for path in paths]
    above = {child: parent for path in paths for child, parent in itertools.pairwise(path)}
    groups = list(dict.fromkeys(label for path in paths for label in path[1:]))
    if total in above or total in leaves or total in groups:
        raise InvalidParameter(
            f"dimension {name!r} has a category that is called like the total; give another `total`", parameter="total"
        )
    strange = int((~text.drop_nulls().is_in(leaves)).sum())
    if strange:
        raise DataError(f"attribute {name!r}: {strange} value(s) are not among the categories of its dimension")
    if text.null_count():
        leaves.append(None)
    labels = (*leaves, *groups, total)
    place = {label: node for node, label in enumerate(labels)}
    parents = [place[above[label]] if label in above else len(labels) - 1 for label in labels[:-1]]
    made = Dimension(name, labels, (*parents, -1), len(leaves))
    codes = pl.DataFrame({"label": pl.Series(leaves, dtype=pl.String), "code": np.arange(len(leaves))})
    joined = text.alias("label").to_frame().join(codes, on="label", how="left", nulls_equal=True, maintain_order="left")
    return made, joined["code"].cast(pl.Int64).to_numpy()


def _listed(name: str, given: Any) -> list[str]:
    listed = [str(label) for label in given] if isinstance(given, Sequence) and not isinstance(given, str) else []
    if not listed or len(set(listed)) != len(listed):
        raise InvalidParameter(f"dimension {name!r}: `categories` must be a list, each once", parameter="dimensions")
    return listed


def _paths(name: str, given: Any) -> list[list[str]]:
    """From each leaf to the coarsest group; a level that repeats the one below it is left out."""
    rows = _chains(name, given) if isinstance(given, Mapping) else _rows(given)
    paths = []
    for row in rows:
        labels = [str(label) for label in row if label is not None]
        if len(labels) > 1 and labels[-1] == TOP:
            labels.pop()
        paths.append([label for place, label in enumerate(labels) if not place or label != labels[place - 1]])
    leaves = {path[0] for path in paths if path}
    above = {pair for path in paths for pair in itertools.pairwise(path)}
    groups = {label for path in paths for label in path[1:]}
    ends = {path[-1] for path in paths if path}
    if (
        not leaves
        or any(not path for path in paths)
        or len(leaves) != len(paths)
        or leaves & groups
        or len({child for child, _ in above}) != len(above)
        or ends & {child for child, _ in above}
        or any(len(set(path)) != len(path) for path in paths)
    ):
        raise InvalidParameter(
            f"dimension {name!r}: `hierarchy` must be a tree: each leaf once, each category below one other",
            parameter="dimensions",
        )
    return paths


def _rows(given: Any) -> Iterable[Sequence[Any]]:
    if isinstance(given, Sequence):
        return [[row] if isinstance(row, str) else row for row in given]
    return as_frame(given, None, None).rows()


def _chains(name: str, above: Mapping[Any, Any]) -> list[list[Any]]:
    leaves = [child for child in above if child not in set(above.values())]
    chains = []
    for leaf in leaves:
        chain = [leaf]
        while chain[-1] in above and len(chain) <= len(above):
            chain.append(above[chain[-1]])
        chains.append(chain)
    reached = {child for chain in chains for child in chain}
    if set(above) - reached or any(len(chain) > len(above) + 1 for chain in chains):
        raise InvalidParameter(f"dimension {name!r}: `hierarchy` goes in a circle", parameter="dimensions")
    return chains
