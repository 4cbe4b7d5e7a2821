"""Microaggregation as a recoding: the numeric quasi-identifiers of k near records become their mean, all at once.

Each group of k to 2k - 1 records then is a class, as one that generalization makes, but its cells stay numbers. Groups
are those of ``randomization.microaggregation``: MDAV on standardised columns, within pieces of near records; the best
partition for one column. Source: Domingo-Ferrer and Torra 2005 (k-anonymity by microaggregation); Domingo-Ferrer and
Mateo-Sanz 2002 (MDAV; SSE / SST).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, UnknownAttribute, UnsupportedColumn
from masking.recoding.items import Ints, grouped
from masking.techniques.randomization.columns import absent, floats, integers, is_date, is_number, of_integers
from masking.techniques.randomization.mdav import groups

Floats = npt.NDArray[np.float64]
_SEEDS: Final = (61, 62, 63, 64)


@dataclass(frozen=True, eq=False)
class Microaggregated:
    """``table``: as it came in, its columns replaced by means; ``group[record]``: the class of each of its records.

    ``gone``: records that left, for fewer than k lack the same values. ``sse``: sum of squared distances of records to
    their means, in standardised columns; ``sst``: to the mean of all.
    """

    table: pa.Table
    group: Ints
    gone: int
    sse: float
    sst: float

    @property
    def loss(self) -> float:
        """Share of the variation that is lost, in [0, 1]; 0 where there is none."""
        return self.sse / self.sst if self.sst else 0.0


def microaggregate(table: pa.Table, columns: Sequence[str], k: int) -> Microaggregated:
    """Replace ``columns`` by the means of groups of at least ``k`` near records; every class then has k or more.

    Columns: numbers, dates or timestamps. Whole numbers and dates get the nearest whole number and day; other numbers
    become float64. A null stays null: records that lack the same values are grouped by the others. If fewer than k do,
    they lose all values of ``columns``; and they leave if there are fewer than k of these too. The order of records
    decides nothing: records that are near alike are told apart by all that they hold.

    Raises:
        InvalidParameter: ``k`` below 2, or no columns.
        UnknownAttribute: the table lacks a column.
        UnsupportedColumn: a column holds neither numbers nor dates.
        InvalidValue: not a finite number.
    """
    if k < 2 or not columns:
        raise InvalidParameter("microaggregation needs columns and groups of at least 2 records", parameter="k")
    missing = set(columns) - set(table.column_names)
    if missing:
        raise UnknownAttribute.from_missing(missing, table.column_names)
    given = [table.column(name).combine_chunks() for name in columns]
    for name, column in zip(columns, given, strict=True):
        if not (is_number(column.type) or is_date(column.type)):
            raise UnsupportedColumn(f"attribute {name!r}: microaggregation works on numbers and dates")
    lacking = np.column_stack([absent(column) for column in given])
    lacking = _with_company(lacking, k)
    stays = np.ones(table.num_rows, dtype=np.bool_)
    nothing = np.asarray(lacking.all(axis=1))
    if 0 < np.count_nonzero(nothing) < k:
        stays = np.asarray(~nothing)
    order = _canonical_order(table)
    order = order[stays[order]]
    origins = [_origin(column) for column in given]
    points = np.column_stack([_numbers(column, origin) for column, origin in zip(given, origins, strict=True)])
    scaled = _standardised(points, lacking)
    group = np.full(table.num_rows, -1, dtype=np.int64)
    for rows in _alike(lacking, order):
        there = ~lacking[rows[0]]
        found = groups(scaled[np.ix_(rows, there)], k) if there.any() else np.zeros(len(rows), dtype=np.int64)
        group[rows] = found + group.max(initial=-1) + 1
    kept = np.flatnonzero(stays)
    released = table if stays.all() else table.take(pa.array(kept))
    sse = sst = 0.0
    for place, name in enumerate(columns):
        here = kept[~lacking[kept, place]]
        sse += _squares(scaled[here, place], group[here])
        sst += _squares(scaled[here, place], np.zeros(len(here), dtype=np.int64))
        means = _means(points[kept, place], group[kept], ~lacking[kept, place])
        made = _column(means, lacking[kept, place], origins[place], given[place].type)
        released = released.set_column(released.schema.get_field_index(name), pa.field(name, made.type), made)
    return Microaggregated(released, group[kept], int(np.count_nonzero(~stays)), sse, sst)


def _with_company(lacking: npt.NDArray[np.bool_], k: int) -> npt.NDArray[np.bool_]:
    """Records that fewer than k share their missing values with lack all values."""
    if not len(lacking):
        return lacking
    _, pattern, sizes = np.unique(lacking, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(lacking | (sizes < k)[pattern.reshape(-1)][:, None])


def _canonical_order(table: pa.Table) -> Ints:
    """Records in the order of a hash of all that they hold; equal records are the same to whoever gets them."""
    if not table.num_columns or not table.num_rows:
        return np.arange(table.num_rows)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    frame = frame.with_columns(pl.Series(name, [str(value) for value in frame[name].to_list()]) for name in nested)
    frame = frame.with_columns(pl.col(pl.Categorical).cast(pl.String))
    return np.argsort(frame.hash_rows(*_SEEDS).to_numpy(), kind="stable").astype(np.int64)


def _alike(lacking: npt.NDArray[np.bool_], order: Ints) -> list[Ints]:
    """Records that lack the same values, each lot in the given order."""
    some = lacking[order].astype(np.int64)
    ids, first = grouped([*some.T], [2] * some.shape[1], len(order))
    return [order[ids == number] for number in range(len(first))]


def _origin(column: pa.Array) -> int:
    """A whole number near the values, from which they are counted so that large ones keep their digits."""
    if not (pa.types.is_integer(column.type) or is_date(column.type)):
        return 0
    values = integers(column)[~absent(column)]
    return int(values.min()) if len(values) else 0


def _numbers(column: pa.Array, origin: int) -> Floats:
    if not (pa.types.is_integer(column.type) or is_date(column.type)):
        return floats(column)
    return (integers(column) - origin).astype(np.float64)


def _standardised(points: Floats, lacking: npt.NDArray[np.bool_]) -> Floats:
    """Each column less its mean and divided by its deviation, over the records that have it."""
    found = np.zeros_like(points)
    for place in range(points.shape[1]):
        there = ~lacking[:, place]
        values = points[there, place]
        if len(values):
            spread = values.std()
            found[there, place] = (values - values.mean()) / (spread if spread > 0 else 1.0)
    return found


def _means(values: Floats, group: Ints, there: npt.NDArray[np.bool_]) -> Floats:
    """The mean of each record's group over the values that are there."""
    if not len(group):
        return values
    sums = np.bincount(group, weights=np.where(there, values, 0.0))
    many = np.bincount(group, weights=there)
    return np.asarray((sums / np.maximum(many, 1))[group])


def _squares(values: Floats, group: Ints) -> float:
    """Sum of squared distances to the mean of the group."""
    return float(((values - _means(values, group, np.ones(len(values), dtype=np.bool_))) ** 2).sum())


def _column(means: Floats, lacking: npt.NDArray[np.bool_], origin: int, kind: pa.DataType) -> pa.Array:
    if pa.types.is_integer(kind) or is_date(kind):
        whole = of_integers(np.rint(means).astype(np.int64) + origin, kind)
        return pc.if_else(pa.array(lacking), pa.scalar(None, whole.type), whole)
    return pa.array(means, pa.float64(), mask=lacking)
