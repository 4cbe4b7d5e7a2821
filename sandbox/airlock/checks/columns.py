"""A raw table's columns as arrays, for recomputing figures of groups: numbers, and codes that parts are cut by.

A part of the records is told by one column: some category, or numbers, days, months or years between two bounds. Each
*view* of a column gives every record a code below ``MOST_CODES``; where codes have an order, a part may be a range.
Numbers of many values are cut at round numbers, as people do. Nulls have the code -1. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.airlock.checks.derived import is_number

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]
MOST_CODES: Final = 400
MOST_NUMBERS: Final = 16
"""Columns of numbers, and columns to cut by, that are tried."""
_SAMPLE: Final = 20_000


@dataclass(frozen=True, slots=True)
class View:
    """One way to cut a column: a code each record."""

    codes: Codes
    size: int
    ordered: bool
    labels: Mapping[str, int] = field(default_factory=dict)
    """The code of each category."""


@dataclass(slots=True)
class Columns:
    """The columns of a raw table, each made into arrays when it is asked for."""

    batches: Sequence[pa.RecordBatch]
    _numbers: dict[str, Floats] = field(default_factory=dict)
    _views: dict[str, list[View]] = field(default_factory=dict)

    def take(self, records: npt.NDArray[np.int64]) -> Columns:
        """The same columns of some records."""
        if not self.batches:
            return Columns(())
        table = pa.Table.from_batches(self.batches).take(pa.array(records))
        return Columns(table.combine_chunks().to_batches() or [table.schema.empty_table().to_batches()[0]])

    @property
    def types(self) -> dict[str, pa.DataType]:
        """Type of each column."""
        schema = self.batches[0].schema if self.batches else pa.schema([])
        return dict(zip(schema.names, schema.types, strict=True))

    def number_names(self, called: str) -> list[str]:
        """Columns of numbers; those after which ``called`` is named come first."""
        names = [name for name, type_ in self.types.items() if is_number(type_) or pa.types.is_boolean(type_)]
        return sorted(names, key=lambda name: name.casefold() not in called.casefold())[:MOST_NUMBERS]

    def identity_names(self) -> list[str]:
        """Columns that may number persons: whole numbers and texts."""
        kinds = pa.types
        return [
            name
            for name, type_ in self.types.items()
            if kinds.is_integer(type_) or kinds.is_string(type_) or kinds.is_large_string(type_)
        ][:MOST_NUMBERS]

    def numbers(self, name: str) -> Floats:
        """The column as floats; null is NaN."""
        if name not in self._numbers:
            self._numbers[name] = np.concatenate([_floats(batch.column(name)) for batch in self.batches])
        return self._numbers[name]

    def views(self) -> Iterator[View]:
        """All views of all columns that have any."""
        for name, type_ in list(self.types.items())[: 2 * MOST_NUMBERS]:
            if name not in self._views:
                self._views[name] = list(self._of(name, type_))
            yield from self._views[name]

    def codes_of(self, name: str) -> Codes:
        """A code for each different value of a column, however many there are."""
        column = pa.chunked_array([_decoded(batch.column(name)) for batch in self.batches]).combine_chunks()
        return _encoded(column)[0]

    def _of(self, name: str, type_: pa.DataType) -> Iterator[View]:
        if is_number(type_):
            yield _of_numbers(self.numbers(name))
            return
        parts = [_decoded(batch.column(name)) for batch in self.batches]
        column = pa.chunked_array(parts).combine_chunks() if parts else pa.array([], type_)
        if pa.types.is_date(type_) or pa.types.is_timestamp(type_):
            yield from _of_days(column)
            return
        plain = not pa.types.is_null(type_) and not pa.types.is_nested(type_)
        if not plain or len(pc.unique(column.slice(0, _SAMPLE))) > MOST_CODES:
            return
        codes, size = _encoded(column)
        if size <= MOST_CODES:
            labels = pc.cast(pc.unique(column.drop_null()), pa.string()).to_pylist()
            yield View(codes, size, ordered=False, labels={label: code for code, label in enumerate(labels)})


def _of_numbers(values: Floats) -> View:
    there = values[np.isfinite(values)]
    few = np.unique(there[:_SAMPLE])
    if len(few) <= MOST_CODES:
        few = np.unique(there)
    cuts = few if 0 < len(few) <= MOST_CODES else _round_cuts(there)
    codes = np.searchsorted(cuts, values, side="right").astype(np.int32)
    codes[~np.isfinite(values)] = -1
    return View(codes, len(cuts) + 1, ordered=True)


def _round_cuts(values: Floats) -> Floats:
    """Mean, median and round numbers: two digits, or one where the column spans many powers of ten."""
    if not len(values):
        return np.zeros(0)
    size = float(np.abs(values).max()) or 1.0
    powers = 10.0 ** np.arange(np.floor(np.log10(size)) - 4, np.floor(np.log10(size)) + 1)
    for steps in (np.arange(10, 100) / 10, np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 7.5, 8, 9])):
        cuts = np.outer(powers, steps).ravel()
        cuts = np.unique(np.concatenate([cuts, -cuts, [0.0, values.mean(), np.median(values)]]))
        cuts = cuts[(cuts >= values.min()) & (cuts <= values.max())]
        if len(cuts) < MOST_CODES:
            break
    return np.asarray(np.round(cuts[: MOST_CODES - 1], 12), dtype=np.float64)


def _of_days(column: pa.Array) -> Iterator[View]:
    years, months = pc.year(column), pc.month(column)
    for numbers in (
        years,
        months,
        pc.add(pc.multiply(years, 12), months),
        pc.day_of_week(column),
    ):
        values = _floats(numbers)
        there = values[np.isfinite(values)]
        if len(there) and there.max() - there.min() < MOST_CODES:
            codes = np.where(np.isfinite(values), values - there.min(), -1.0).astype(np.int32)
            yield View(codes, int(there.max() - there.min()) + 1, ordered=True)


def _encoded(column: pa.Array) -> tuple[Codes, int]:
    encoded = column.dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return np.asarray(codes, dtype=np.int32), len(encoded.dictionary)


def _decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _floats(column: pa.Array) -> Floats:
    return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
