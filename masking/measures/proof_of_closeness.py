"""Distances of classes to the whole table for the proof: other formulas than those of ``masking.measures.distances``.

Equal: half the sum of |q - p|. Ordered: the mean of |Q - P|, cumulated, over the steps between neighbours.
Hierarchical: two leaves are as far apart as their path in the tree if every edge is 1 / (2 × height) long, and on a
tree the earth mover's distance is the sum over edges of length times |q - p| below the edge. Source: Li et al., 2007,
section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from masking.errors import InvalidParameter, InvalidValue
from masking.hierarchies import Hierarchy, as_hierarchy
from masking.limits import Distance


@dataclass(frozen=True, slots=True)
class Known:
    """The distance, and what is known of the attribute's values: a hierarchy, an order, or neither."""

    distance: Distance = "equal"
    hierarchy: Any = None
    order: Sequence[Any] | None = None


def distances_to_the_table(cells: pl.DataFrame, whole: pl.DataFrame, attribute: str, known: Known) -> pl.DataFrame:
    """One row a ``class`` with its distance to the table as ``measured``.

    ``cells``: ``class``, ``value`` and the persons ``n`` of each pair that occurs. ``whole``: ``value`` and ``n``.

    Raises:
        InvalidParameter: the distance needs a hierarchy or an order that is missing.
        InvalidValue: values that the hierarchy or the order does not hold.
    """
    cells = cells.select("class", "value", q=pl.col("n") / pl.col("n").sum().over("class"))
    whole = whole.select("value", p=pl.col("n") / pl.col("n").sum())
    if known.distance == "equal":
        return _equal(cells, whole)
    if known.distance == "ordered":
        return _ordered(cells, whole, attribute, known)
    return _hierarchical(cells, whole, attribute, known)


def _equal(cells: pl.DataFrame, whole: pl.DataFrame) -> pl.DataFrame:
    joined = cells.join(whole, on="value", nulls_equal=True)
    q, p = pl.col("q"), pl.col("p")
    # Values that the class lacks differ by their whole share: 1 less the shares of those it has.
    return joined.group_by("class").agg(measured=((q - p).abs().sum() + 1 - p.sum()) / 2)


def _ordered(cells: pl.DataFrame, whole: pl.DataFrame, attribute: str, known: Known) -> pl.DataFrame:
    places = _places(whole["value"], attribute, known)
    table = places.join(whole, on="value", nulls_equal=True).group_by("place").agg(pl.col("p").sum()).sort("place")
    steps = table.height - 1
    if not steps:
        return cells.group_by("class").agg(measured=pl.lit(0.0))
    reached = table["p"].cum_sum()
    sums = pl.concat([pl.Series([0.0]), reached.cum_sum()])
    here = (
        cells.join(places, on="value", nulls_equal=True)
        .group_by("class", "place")
        .agg(pl.col("q").sum())
        .sort("class", "place")
    )
    here = here.with_columns(
        share=pl.col("q").cum_sum().over("class"),
        to=pl.col("place").shift(-1, fill_value=steps + 1).over("class"),
        first=pl.col("place") == pl.col("place").min().over("class"),
    )
    # The table's cumulated share passes the class's at one place at most while the class's stays.
    crossing = reached.search_sorted(here["share"], side="right").cast(pl.Int64)
    here = here.with_columns(cross=crossing).with_columns(pl.col("cross").clip(pl.col("place"), pl.col("to")))
    start, cross, end = (sums.gather(here[name]) for name in ("place", "cross", "to"))
    here = here.with_columns(
        area=pl.col("share") * (2 * pl.col("cross") - pl.col("place") - pl.col("to"))
        + (start + end - 2 * cross)
        + pl.when("first").then(start).otherwise(0.0)
    )
    return here.group_by("class").agg(measured=pl.col("area").sum() / steps)


def _places(values: pl.Series, attribute: str, known: Known) -> pl.DataFrame:
    """``value`` and its ``place`` from 0 on among those that occur; equal numbers share one, null comes last."""
    order = known.order
    if order is None and known.hierarchy is not None:
        order = [leaf for leaf in as_hierarchy(known.hierarchy).leaves if leaf is not None]
    sortable = values
    if order is not None:
        listed = pl.DataFrame({"text": [str(each) for each in order]}).with_row_index("at")
        listed = listed.unique("text", keep="first")
        sortable = (
            values.cast(pl.String)
            .alias("text")
            .to_frame()
            .join(listed, on="text", how="left", maintain_order="left")["at"]
        )
        unknown = sortable.null_count() - values.null_count()
        if unknown:
            raise InvalidValue("not in the order", count=unknown).of(attribute)
    elif values.dtype in (pl.String, pl.Categorical, pl.Enum):
        sortable = values.cast(pl.String).cast(pl.Float64, strict=False)
        if sortable.null_count() > values.null_count():
            raise InvalidParameter("ordered distance needs numbers, dates or an order", parameter="order").of(attribute)
    elif values.dtype.is_nested() or values.dtype == pl.Binary:
        raise InvalidParameter("ordered distance needs numbers, dates or an order", parameter="order").of(attribute)
    place = sortable.rank("dense").cast(pl.Int64) - 1
    past_the_last = int(place.drop_nulls().to_numpy().max()) + 1 if place.count() else 0
    return pl.DataFrame({"value": values, "place": place.fill_null(past_the_last)})


def _hierarchical(cells: pl.DataFrame, whole: pl.DataFrame, attribute: str, known: Known) -> pl.DataFrame:
    if known.hierarchy is None:
        raise InvalidParameter("hierarchical distance needs a hierarchy of the attribute").of(attribute)
    tree = as_hierarchy(known.hierarchy).with_null()
    leaves = _leaves(tree, whole["value"], attribute)
    below, all_below = (
        cells.join(leaves, on="value", nulls_equal=True),
        whole.join(leaves, on="value", nulls_equal=True),
    )
    found = cells.select("class").unique().with_columns(measured=pl.lit(0.0))
    for level in range(tree.height):
        here = all_below.group_by(node=pl.col(f"level{level}")).agg(pl.col("p").sum())
        there = below.group_by("class", node=pl.col(f"level{level}")).agg(pl.col("q").sum())
        crossed = _equal(there.rename({"node": "value"}), here.rename({"node": "value"}))
        found = found.join(crossed.rename({"measured": "more"}), on="class").select(
            "class", measured=pl.col("measured") + pl.col("more") / tree.height
        )
    return found


def _leaves(tree: Hierarchy, values: pl.Series, attribute: str) -> pl.DataFrame:
    """``value`` and its node at each level as ``level0`` …"""
    nodes = pl.DataFrame(
        {"text": pl.Series(list(tree.leaves), dtype=pl.String)}
        | {f"level{level}": pl.Series(codes) for level, codes in enumerate(tree.codes)}
    )
    found = pl.DataFrame({"value": values, "text": values.cast(pl.String)}).join(
        nodes, on="text", how="left", nulls_equal=True
    )
    unknown = found["level0"].null_count()
    if unknown:
        raise InvalidValue("not in the hierarchy", count=unknown).of(attribute)
    return found.drop("text")
