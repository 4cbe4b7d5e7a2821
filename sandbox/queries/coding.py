"""From raw columns to places in the cube: which category a value belongs to, how many units a measure has.

Columns, never rows. Whatever no category takes, empty cells too, goes to ``other``, or to no cell at all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from masking.policy.fixed_tables import OTHER
from masking.techniques.fixed_width import as_text
from sandbox.queries.registration import Dimension, Measure, Registration

Ints = npt.NDArray[np.int64]
LARGEST_UNITS: Final = 2.0**40
"""A single value counts for no more, so that the values of one person cannot overflow."""


class Coder:
    """Codes batches of a table; made once for a registration."""

    def __init__(self, registration: Registration) -> None:
        self._registration = registration
        self._coders = [(each.column, _coder(each)) for each in registration.dimensions]
        self.columns = tuple(
            dict.fromkeys(
                [
                    *(column for column, _ in self._coders),
                    *(measure.column for measure in registration.measures),
                    *((registration.unit,) if registration.unit else ()),
                ]
            )
        )

    def cells(self, batch: pa.RecordBatch) -> Ints:
        """The base cell of each record; -1: it belongs to none."""
        found, nowhere = np.zeros(batch.num_rows, dtype=np.int64), np.zeros(batch.num_rows, dtype=np.bool_)
        for (column, code), count in zip(self._coders, self._registration.shape, strict=True):
            place = code(_plain(batch.column(column)))
            nowhere |= place < 0
            found = found * count + place
        return np.where(nowhere, -1, found)

    def units(self, batch: pa.RecordBatch, measure: Measure) -> Ints:
        """A measure in units of its grid; an empty cell or no number is 0."""
        return units(_plain(batch.column(measure.column)), measure)


def units(column: pa.Array, measure: Measure) -> Ints:
    """Values in units of the measure's grid, not clamped yet."""
    values = _numbers(column) / measure.grid
    values = np.where(np.isfinite(values), values, 0.0)
    return np.rint(np.clip(values, -LARGEST_UNITS, LARGEST_UNITS)).astype(np.int64)


def _coder(dimension: Dimension) -> Callable[[pa.Array], Ints]:
    if any(isinstance(each, str) for each in dimension.edges):
        return lambda column: _by_text_edges(_text(column, dimension), dimension)
    if dimension.edges:
        return lambda column: _by_edges(column, dimension)
    leaves = list(dimension.groups) if dimension.groups else [code for code in dimension.codes if code != OTHER]
    values = pa.array(leaves, pa.large_string())
    place = {code: number for number, code in enumerate(dimension.codes)}
    groups = dimension.groups or {}
    places = np.array([*(place[groups.get(leaf, leaf)] for leaf in leaves), dimension.outside], dtype=np.int64)

    def by_code(column: pa.Array) -> Ints:
        found = pc.fill_null(pc.index_in(_text(column, dimension), value_set=values), len(leaves))
        return places[found.to_numpy(zero_copy_only=False)]

    return by_code


def _by_edges(column: pa.Array, dimension: Dimension) -> Ints:
    if dimension.characters is not None:
        column = _text(column, dimension)
    values = _numbers(column)
    edges, places = _of_edges(dimension)
    found = places[np.searchsorted(np.array(edges, dtype=np.float64), values, side="right")]
    return np.where(np.isnan(values), dimension.outside, found)


def _by_text_edges(text: pa.Array, dimension: Dimension) -> Ints:
    """Dates as they are written in ISO 8601 sort as text does."""
    encoded = text.dictionary_encode()
    edges, places = _of_edges(dimension)
    known = [*(places[bisect_right(edges, each)] for each in encoded.dictionary.to_pylist()), dimension.outside]
    indices = pc.fill_null(encoded.indices, len(known) - 1).to_numpy(zero_copy_only=False)
    return np.array(known, dtype=np.int64)[indices]


def _of_edges(dimension: Dimension) -> tuple[list[Any], Ints]:
    """The bounds that are some, and the category of what has none of them below it, one, two, …"""
    edges = [each for each in dimension.edges if each is not None]
    bins = np.arange(len(edges) + 1) - (dimension.edges[0] is not None)
    bins[-1] = bins[-1] if dimension.edges[-1] is None else -1
    return edges, np.where(bins < 0, dimension.outside, bins).astype(np.int64)


def _text(column: pa.Array, dimension: Dimension) -> pa.Array:
    text = as_text(column)
    if dimension.characters is None:
        return text
    first, last = dimension.characters
    return pc.utf8_slice_codeunits(text, first - 1, last)


def _numbers(column: pa.Array) -> npt.NDArray[np.float64]:
    """As floats; what is no number is NaN."""
    series = pl.Series("", column).cast(pl.Float64, strict=False)
    return series.fill_null(float("nan")).to_numpy()


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
