"""What generalization and suppression cost: loss, granularity, discernibility, class size, entropy, ambiguity.

All read the released table; hierarchies say how much a generalized value covers (see ``masking.measures.cells``).
``*`` is a suppressed cell, a record with ``*`` in every quasi-identifier a suppressed record. With ``rows``, the number
of records that came in, those that left count as suppressed. Null is a leaf of its own. Each definition is the one ARX
computes, so that figures can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from masking.errors import InvalidParameter
from masking.measures.cells import Cells, QuasiIdentifiers, cells_of, hierarchies_of, is_suppressed, suppressed_cells
from masking.measures.coding import Codes, class_numbers, column_codes, columns_of


def granularity(
    table: Any,
    quasi_identifiers: QuasiIdentifiers,
    hierarchies: Mapping[str, Any] | None = None,
    *,
    rows: int | None = None,
    pooled: bool = True,
) -> float:
    """How much detail is left: 1.0 for the untouched table, 0.0 if all is suppressed.

    The mean share of leaves that a cell covers, scaled so that leaves give 1. ``pooled``: the shares of all columns
    are averaged and then scaled, as ARX's quality model "granularity" does; otherwise each column is scaled, then
    averaged: one minus the mean of ``losses``. Pooled, columns with few leaves weigh less. Source: Iyengar, 2002.
    Empty table, no quasi-identifiers: 1.0.

    Raises:
        InvalidValue: values that are no node of their hierarchy.
        InvalidParameter: ``rows`` is below the table's records, or a hierarchy is malformed.
        UnknownAttribute: the table lacks a column.

    >>> import pyarrow as pa
    >>> granularity(pa.table({"zip": ["1", "2", "*", "*"]}), ["zip"])
    0.5
    """
    found = list(_shares(table, quasi_identifiers, hierarchies, rows).values())
    if not found:
        return 1.0
    if not pooled:
        return 1.0 - sum(_scaled(*each) for each in found) / len(found)
    shares, least = (sum(each) / len(found) for each in zip(*found, strict=True))
    return 1.0 - _scaled(shares, least)


def loss(
    table: Any,
    quasi_identifiers: QuasiIdentifiers,
    hierarchies: Mapping[str, Any] | None = None,
    *,
    rows: int | None = None,
    weights: Mapping[str, float] | None = None,
    mean: Literal["geometric", "arithmetic"] = "geometric",
) -> float:
    """The columns' losses as one number in [0, 1]: what searches minimize.

    ``geometric``: the geometric mean of 1 + weight × loss, minus 1, as in ARX's Loss metric. ``arithmetic``: the mean
    of weight × loss. ``weights``: in [0, inf) by attribute, 1 where not given, divided by the greatest. Empty: 0.

    Raises:
        InvalidParameter: an unknown mean, a weight that is negative or not finite, and as ``granularity``.
        InvalidValue, UnknownAttribute: as ``granularity``.
    """
    if mean not in ("geometric", "arithmetic"):
        raise InvalidParameter("mean must be geometric or arithmetic", parameter="mean")
    found = losses(table, quasi_identifiers, hierarchies, rows=rows)
    if not found:
        return 0.0
    given = np.array([(weights or {}).get(name, 1.0) for name in found], dtype=np.float64)
    if not np.isfinite(given).all() or (given < 0).any():
        raise InvalidParameter("weights must be numbers of at least 0", parameter="weights")
    scaled = given / given.max() if given.any() else np.ones(len(given))
    weighed = scaled * np.array(list(found.values()))
    return float(weighed.mean()) if mean == "arithmetic" else float(np.expm1(np.log1p(weighed).mean()))


def losses(
    table: Any,
    quasi_identifiers: QuasiIdentifiers,
    hierarchies: Mapping[str, Any] | None = None,
    *,
    rows: int | None = None,
) -> dict[str, float]:
    """The loss of each column, in [0, 1]: mean share of the leaves that its cells cover, scaled so that leaves cost 0.

    A suppressed cell costs 1. A column whose hierarchy has one leaf can lose nothing. Raises as ``granularity``.
    """
    return {name: _scaled(*each) for name, each in _shares(table, quasi_identifiers, hierarchies, rows).items()}


def discernibility(table: Any, quasi_identifiers: QuasiIdentifiers, *, rows: int | None = None) -> int:
    """For each record the records it cannot be told from, summed: its class's size, all of them if suppressed.

    Between ``rows`` (all records differ) and ``rows`` squared. Source: Bayardo and Agrawal, 2005.

    Raises:
        InvalidParameter: ``rows`` is below the table's records.
        UnknownAttribute: the table lacks a column.

    >>> import pyarrow as pa
    >>> discernibility(pa.table({"zip": ["1", "1", "*"]}), ["zip"])
    7
    """
    sizes, suppressed, height = _classes(table, quasi_identifiers)
    total = _rows(rows, height)
    return int((sizes * sizes).sum()) + (suppressed + total - height) * total


def average_class_size(table: Any, quasi_identifiers: QuasiIdentifiers, k: int = 1) -> float:
    """Records that are not suppressed per class, over ``k``: how far classes exceed the size asked for.

    1.0 is ideal. 0 if there is no class. ``k`` must be at least 1. Source: LeFevre et al., 2006 (C_AVG).

    Raises:
        InvalidParameter: ``k`` is below 1.
        UnknownAttribute: the table lacks a column.
    """
    if k < 1:
        raise InvalidParameter("k must be at least 1", parameter="k")
    sizes, _, _ = _classes(table, quasi_identifiers)
    return float(sizes.mean()) / k if len(sizes) else 0.0


def ambiguity(table: Any, quasi_identifiers: QuasiIdentifiers, hierarchies: Mapping[str, Any] | None = None) -> float:
    """Mean share of all combinations of leaves that a record may stand for, in (0, 1]; 0 for an empty table.

    Times the number of combinations it is the ambiguity metric. Source: Goldberger and Tassa, 2010. A column without a
    hierarchy has the leaves that it shows. Raises as ``granularity``.
    """
    names, trees = hierarchies_of(quasi_identifiers, hierarchies)
    columns, height = columns_of(table, names)
    if not height:
        return 0.0
    shares = np.ones(height)
    for name in names:
        if name in trees:
            cells = cells_of(columns[name], trees[name], name)
            shares *= cells.shares[cells.codes]
        else:
            coded = column_codes(columns[name])
            star = is_suppressed(coded)
            present = np.bincount(coded.codes, minlength=coded.size) > 0
            shares *= np.where(star, 1.0, 1 / max(int((present & ~star).sum()), 1))[coded.codes]
    return float(shares.mean())


def non_uniform_entropy(
    table: Any, original: Any, quasi_identifiers: QuasiIdentifiers, hierarchies: Mapping[str, Any] | None = None
) -> dict[str, float]:
    """For each column the bits that its values lost, as a share of those that suppressing it would lose; in [0, 1].

    ``original``: the table before, with the same records in the same order. A cell loses -log2 of how likely its
    original value is among those that its node covers. Source: De Waal and Willenborg, 1999, with the frequencies of
    the original table as in Gionis and Tassa, 2009, so that levels may be mixed in a column. A column without a
    hierarchy loses where it is ``*``.

    Raises:
        InvalidParameter: the tables have different numbers of records.
        InvalidValue: values of the original that are no leaf, or of the table that are no node.
        UnknownAttribute: a table lacks a column.
    """
    names, trees = hierarchies_of(quasi_identifiers, hierarchies)
    columns, height = columns_of(table, names)
    before, records = columns_of(original, names)
    if records != height:
        raise InvalidParameter("the tables before and after must hold the same records", parameter="original")
    return {name: _bits_lost(columns[name], before[name], trees.get(name), name) for name in names}


def _shares(
    table: Any, quasi_identifiers: QuasiIdentifiers, hierarchies: Mapping[str, Any] | None, rows: int | None
) -> dict[str, tuple[float, float]]:
    """For each column the mean share of leaves that its cells cover, and the least it could be."""
    names, trees = hierarchies_of(quasi_identifiers, hierarchies)
    columns, height = columns_of(table, names)
    total = _rows(rows, height)
    found = {}
    for name in names:
        if name in trees:
            cells = cells_of(columns[name], trees[name], name)
            least = 1 / len(cells.tree.leaves)
            covered = float((cells.shares * cells.counts).sum())
        else:
            stars, values = suppressed_cells(columns[name])
            least = 1 / max(values, 2)  # one value and ``*``: there must be another that ``*`` may be
            covered = stars + (height - stars) * least
        found[name] = ((covered + total - height) / total if total else least, least)
    return found


def _scaled(share: float, least: float) -> float:
    """Where a mean share stands between the least and 1; a column of one leaf can lose nothing."""
    return min(max((share - least) / (1 - least), 0.0), 1.0) if least < 1 else 0.0


def _bits_lost(column: Any, before: Any, tree: Any, name: str) -> float:
    if tree is None:
        leaves = column_codes(before)
        after = column_codes(column)
        lost = is_suppressed(after)[after.codes]
        weights = np.bincount(leaves.codes, minlength=leaves.size) / max(len(leaves.codes), 1)
        bits = -np.log2(weights[leaves.codes])
        return float(bits[lost].sum() / bits.sum()) if bits.sum() else 0.0
    if before.null_count or column.null_count:
        tree = tree.with_null()
    cells, original = cells_of(column, tree, name), cells_of(before, tree, name)
    counts = original.leaf_counts()
    of_value = np.array(
        [counts[cells.tree.codes[level] == node].sum() for level, node in zip(cells.level, cells.node, strict=True)]
    )
    own = counts[_leaf(original)][original.codes]
    most = np.log2(len(own) / own).sum() if len(own) else 0.0
    return float(np.log2(of_value[cells.codes] / own).sum() / most) if most else 0.0


def _leaf(cells: Cells) -> Any:
    return np.array(
        [np.argmax(cells.tree.codes[level] == node) for level, node in zip(cells.level, cells.node, strict=True)],
        dtype=np.int64,
    )


def _rows(rows: int | None, height: int) -> int:
    if rows is None:
        return height
    if rows < height:
        raise InvalidParameter("rows, the records that came in, cannot be fewer than the table's", parameter="rows")
    return rows


def _classes(table: Any, quasi_identifiers: QuasiIdentifiers) -> tuple[Any, int, int]:
    """Sizes of the classes that are not suppressed, suppressed records, all records."""
    names = list(dict.fromkeys(quasi_identifiers))
    columns, height = columns_of(table, names)
    codes = {name: column_codes(column) for name, column in columns.items()}
    stars = np.full(height, bool(names))
    for each in codes.values():
        stars &= is_suppressed(each)[each.codes]
    kept = {name: Codes(each.codes[~stars], each.size) for name, each in codes.items()}
    numbers = class_numbers(kept, names, int((~stars).sum()))
    return np.bincount(numbers.codes, minlength=numbers.size), int(stars.sum()), height
