"""Distance-based record linkage: the attacker takes the edition's nearest record for the person's own.

For editions whose values moved instead of widening: noise, rounding, microaggregation, swapping. Source: Domingo-Ferrer
and Torra, 2003; Winkler, 2004. The squared distance is a sum over attributes: for a number the difference over the
standard deviation of the raw column; for a category 0 or 1, or with a hierarchy the level at which both meet over the
height of the hierarchy. Two nulls are at distance 0, a null and a value at 1. Pure; draws come from ``seed``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from masking.errors import InvalidParameter, UnsupportedColumn
from masking.measures.binomial import upper_bound
from masking.measures.classes import as_frame
from masking.measures.compatibility import Column, read_columns
from masking.measures.linkage import linked

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
MAX_PAIRS: Final = 4_000_000_000
BLOCK: Final = 4_000_000
"""Distances that are held at a time."""
TIE: Final = 1e-9
"""Squared distances so near to the least, relative to it, are as near."""


@dataclass(frozen=True, slots=True)
class DistanceResult:
    """``successes``: attacked records whose own record alone is nearest.

    ``expected``: the mean chance, in [0, 1], of picking it among the nearest; ``upper_95`` bounds the rate behind the
    successes; ``baseline`` is blind guessing.
    """

    attacked: int
    released: int
    successes: int
    expected: float
    upper_95: float
    baseline: float


def distance_linkage(
    raw: Any,
    edition: Any,
    numeric: Sequence[str] = (),
    categorical: Sequence[str] = (),
    hierarchies: Mapping[str, Any] | None = None,
    *,
    link: Any = None,
    targets: int | None = None,
    seed: int = 0,
) -> DistanceResult:
    """Look for each raw record, or for ``targets`` drawn ones, among all of the edition; ``link`` as in the drill.

    Raises:
        UnsupportedColumn: an attribute called numeric is not, or holds NaN or infinity.
        InvalidParameter: no attribute, or more pairs of records than are compared; attack fewer.
        DataError, InvalidValue, UnknownAttribute: as ``linkage_drill``.

    >>> import pyarrow as pa
    >>> raw, edition = pa.table({"age": [20, 40, 60]}), pa.table({"age": [21, 70, 58]})
    >>> distance_linkage(raw, edition, ["age"]).successes
    2
    """
    names = [*numeric, *categorical]
    if not names:
        raise InvalidParameter("name at least one attribute to link by", parameter="numeric")
    ours, theirs = as_frame(raw, names, None), as_frame(edition, names, None)
    places = linked(raw, edition, link, ours.height, theirs.height)
    columns = read_columns(raw, edition, list(categorical), hierarchies or {})
    measures = [_numbers(ours[name], theirs[name]) for name in numeric]
    measures += [_categories(columns[name]) for name in categorical]
    true = np.full(ours.height, -1, dtype=np.int64)
    true[places] = np.arange(theirs.height)
    attacked = _drawn(ours, theirs, true, targets, seed)
    if len(attacked) * theirs.height > MAX_PAIRS:
        raise InvalidParameter(
            f"{len(attacked)} by {theirs.height} records are too many pairs to compare; attack fewer records",
            parameter="targets",
        )
    chance = _chances(measures, true, attacked, theirs.height)
    successes = int((chance == 1).sum())
    return DistanceResult(
        attacked=len(attacked),
        released=theirs.height,
        successes=successes,
        expected=math.fsum(chance) / len(attacked) if len(attacked) else 0.0,
        upper_95=upper_bound(successes, len(attacked)),
        baseline=1 / theirs.height if theirs.height else 0.0,
    )


Measure = Callable[[Integers], Floats]
"""Squared distances of some raw records (rows) to all of the edition."""


def _chances(measures: Sequence[Measure], true: Integers, attacked: Integers, released: int) -> Floats:
    """For each attacked record the chance that a pick among the nearest is its own."""
    chance = np.zeros(len(attacked))
    width = max(1, BLOCK // max(released, 1))
    for start in range(0, len(attacked) if released else 0, width):
        some = attacked[start : start + width]
        squares = np.sum([measure(some) for measure in measures], axis=0)
        least = squares.min(axis=1, keepdims=True)
        near = squares <= least * (1 + TIE) + 1e-12
        own = true[some]
        hit = near[np.arange(len(some)), np.maximum(own, 0)] & (own >= 0)
        chance[start : start + width] = hit / near.sum(axis=1)
    return chance


def _numbers(ours: pl.Series, theirs: pl.Series) -> Measure:
    raw, edition = _values(ours), _values(theirs)
    known = np.sort(raw[~np.isnan(raw)])  # sorted, so that the sum does not depend on the order of records
    deviation = float(known.std()) if len(known) else 0.0
    raw, edition = (raw / deviation, edition / deviation) if deviation > 0 else (raw, edition)

    def squares(some: Integers) -> Floats:
        difference = (raw[some][:, None] - edition[None, :]) ** 2
        gaps = np.isnan(difference)
        if gaps.any():
            both = np.isnan(raw[some])[:, None] & np.isnan(edition)[None, :]
            difference = np.where(gaps, np.where(both, 0.0, 1.0), difference)
        return difference

    return squares


def _values(column: pl.Series) -> Floats:
    if not column.dtype.is_numeric() and column.dtype != pl.Null:
        raise UnsupportedColumn(f"distances need numbers, not {column.dtype}", attribute=column.name)
    values = column.cast(pl.Float64)
    if values.len() and not bool(values.fill_null(0.0).is_finite().all()):
        raise UnsupportedColumn("distances need finite numbers", attribute=column.name)
    return values.to_numpy().astype(np.float64)


def _categories(column: Column) -> Measure:
    """The level at which a leaf and an edition's text first meet, over the height of the hierarchy, squared."""
    height = max(column.hierarchy.height, 1)
    few, where = np.unique(column.leaves, return_inverse=True)
    meet = np.full((len(few), column.texts + 1), height, dtype=np.int64)
    for level in range(column.hierarchy.height, -1, -1):
        codes = column.hierarchy.codes[level]
        ancestors = _texts_below(column, level)
        for text, nodes in enumerate(ancestors):
            if len(nodes):
                meet[np.isin(codes[few], nodes), text] = level
    table = (meet / height) ** 2
    return lambda some: table[where[some]][:, column.cells]


def _texts_below(column: Column, level: int) -> list[Integers]:
    """For each text of the edition the nodes of a level that stand at or above it."""
    codes = column.hierarchy.codes
    found: list[set[int]] = [set() for _ in range(column.texts + 1)]
    for lower in range(level + 1):
        pairs = np.unique(np.stack([column.nodes[lower][codes[lower]], codes[level]]), axis=1)
        for text, node in pairs.T.tolist():
            if text < column.texts:
                found[text].add(node)
    return [np.array(sorted(nodes), dtype=np.int64) for nodes in found]


def _drawn(ours: pl.DataFrame, theirs: pl.DataFrame, true: Integers, targets: int | None, seed: int) -> Integers:
    """Who is attacked: all, or a draw that depends on what the records hold and not on their order."""
    if targets is None or targets >= ours.height:
        return np.arange(ours.height)
    if targets < 1:
        raise InvalidParameter("targets must be at least 1", parameter="targets")
    became = theirs.select(pl.all().name.prefix("\0"))[np.maximum(true, 0)] if theirs.height else pl.DataFrame()
    keys = pl.concat([ours, became, pl.DataFrame({"\0left": true < 0})], how="horizontal")
    order = keys.with_row_index("\0at").sort(keys.columns)["\0at"].to_numpy()
    chosen = np.random.default_rng(seed).choice(ours.height, targets, replace=False)
    return np.sort(order[chosen]).astype(np.int64)
