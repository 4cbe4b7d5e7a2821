"""The second pass of the raw match: raw records in each group that an output names, and who holds its sums.

Each output row's cells become positions among the cells of its column, and a raw record's values likewise; equal
positions are equal rows. One pass answers all queries, and takes the positions that the first pass found where those
were kept. Groups that hold a null or a total name no record.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.airlock.checks.derived import Grouping
from sandbox.airlock.checks.rounding import steps_of
from sandbox.airlock.checks.spelling import Ints, Places, Positions, spellings
from sandbox.airlock.roles import ColumnRole
from sandbox.airlock.typed import TypedTable, is_total
from sandbox.contracts import Cell

Floats = npt.NDArray[np.float64]
_AGREES = 1e-3
_MOST_GROUPS = 1 << 20
"""Relative difference up to which a stated mean or sum is that of a raw column: rounding to three digits."""


@dataclass(frozen=True, slots=True)
class Query:
    """Rows of an output on some columns: which raw column each repeats. ``sums``: also ask who holds the sums.

    ``made``: of the columns that repeat none, how their labels are made of that raw column (kind ``derived``).
    ``counted``: the output's counts are of this table's records. Those of an import may be joined with many.
    """

    table: TypedTable
    mapped: Mapping[int, str]
    kind: Literal["groups", "records", "derived"]
    sums: bool = False
    counted: bool = True
    made: Mapping[int, Grouping] = field(default_factory=dict)
    keeps: bool = False
    """Whether to keep which group each record is in, so that figures can be recomputed."""

    @property
    def differs_in_name(self) -> bool:
        """Whether a column is taken for a raw column of another name."""
        return any(self.table.columns[i].name != name for i, name in self.mapped.items())


@dataclass(slots=True)
class Groups:
    """What the pass found for one query. Arrays have one entry a distinct group, ``of_row`` one a row (-1: none)."""

    query: Query
    of_row: Ints
    records: Ints
    others: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Raw records of each group that the output's labels make and no row names; empty where there are too many."""
    sums: dict[str, Floats] = field(default_factory=dict)
    largest: dict[str, Floats] = field(default_factory=dict)
    uneven: set[str] = field(default_factory=set)
    """Raw columns with nulls or negative numbers: their mean is not sum of amounts by records."""
    of_records: list[Positions] = field(default_factory=list)
    """For each batch the group of each record (-1: none), where the query keeps it."""

    @property
    def of_rows(self) -> Floats:
        """Raw records of each row's group; 0 where the row names none."""
        return self.of_rows_in(self.records)

    def dominated(self, share: float) -> Iterator[tuple[str, int]]:
        """Measures, and how many of their cells one record holds more than ``share`` of."""
        for index in self.query.table.indexes(ColumnRole.MEASURE):
            column = self.query.table.columns[index].name
            stated = np.array([_value(cell) for cell in self.query.table.column(index)], dtype=np.float64)
            names = [name for name in self.sums if _names(column, name) or self._is_of(stated, name)]
            cells = np.zeros(len(stated), dtype=bool)
            for name in names:
                sums, largest = self.of_rows_in(self.sums[name]), self.of_rows_in(self.largest[name])
                cells |= (sums > 0) & (largest > share * sums) & ~np.isnan(stated)
            if cells.any():
                yield column, int(cells.sum())

    def _is_of(self, stated: Floats, name: str) -> bool:
        """Whether the stated figures are the raw column's sums or means."""
        sums, counts = self.of_rows_in(self.sums[name]), self.of_rows_in(self.records)
        asked = (counts > 0) & ~np.isnan(stated)
        if not asked.any():
            return False
        scale = np.maximum(np.abs(stated[asked]), 1e-12)
        figures = (sums[asked], sums[asked] / counts[asked])
        return any(bool((np.abs(figure - stated[asked]) <= _AGREES * scale).all()) for figure in figures)

    def of_rows_in(self, values: Ints | Floats) -> Floats:
        """For each row the figure of its group; 0 where it names none."""
        padded = np.append(values.astype(np.float64), 0.0)
        return padded[self.of_row]


def fewer_than(found: Sequence[Groups], threshold: int) -> int:
    """Rows whose group has between 1 and ``threshold - 1`` raw records, and more in no other table."""
    counts = np.max([each.of_rows for each in found], axis=0)
    return int(((counts > 0) & (counts < threshold)).sum())


def stated_beyond(found: Sequence[Groups], rounding: int) -> int:
    """Rows with a count larger than the group's raw records could give, in whichever table, after rounding up."""
    counts = np.max([each.of_rows for each in found], axis=0)
    table = found[0].query.table
    more = np.zeros(len(counts), dtype=bool)
    for index in table.indexes(ColumnRole.COUNT):
        stated = np.array([_value(cell) for cell in table.column(index)], dtype=np.float64)
        step = max(step for step in steps_of(stated, rounding) if step <= 2 * rounding)
        more |= (counts > 0) & (stated >= counts + step + rounding / 2 * _parts(table, index, stated))
    return int(more.sum())


def _parts(table: TypedTable, index: int, stated: Floats) -> int:
    """Of how many columns beside it, each rounded by itself, a column of totals is the sum; 0: of none."""
    others = [
        np.array([_value(cell) for cell in table.column(other)], dtype=np.float64)
        for other in table.indexes(ColumnRole.COUNT)
        if other != index
    ]
    asked = ~np.isnan(stated)
    return len(others) if len(others) > 1 and (np.nansum(others, axis=0) == stated)[asked].all() else 0


@dataclass(frozen=True, slots=True)
class Seen:
    """The raw table as the first pass saw it: its batches, and where in ``keys`` each column's values are (else -1)."""

    keys: Sequence[str]
    batches: list[tuple[pa.RecordBatch, Mapping[str, Positions]]] = field(default_factory=list)


def count_groups(
    open_table: Callable[[], AbstractContextManager[Iterable[pa.RecordBatch]]],
    queries: Sequence[Query],
    *,
    seen: Seen | None = None,
) -> list[Groups]:
    """Answer all queries in one pass, over what was ``seen`` or, where nothing was kept, over the table once more."""
    if not queries:
        return []
    counters = [_Counter(query, seen.keys if seen else None) for query in queries]
    if seen is not None:
        _count(counters, seen.batches)
    else:
        with open_table() as reader:
            _count(counters, ((batch, None) for batch in reader))
    return [counter.finish() for counter in counters]


def _count(
    counters: Sequence[_Counter], batches: Iterable[tuple[pa.RecordBatch, Mapping[str, Positions] | None]]
) -> None:
    for batch, positions in batches:
        measures: dict[str, Floats] = {}
        for counter in counters:
            counter.add(batch, measures, positions)


class _Counter:
    def __init__(self, query: Query, seen: Sequence[str] | None) -> None:
        self._columns = sorted(query.mapped)
        self._keys: list[list[str]] = []
        codes = []
        for index in self._columns:
            texts = [None if is_total(text) else text for text in spellings(query.table, index)]
            keys = sorted({text for text in texts if text is not None})
            position = {key: place for place, key in enumerate(keys)}
            codes.append(np.array([-1 if text is None else position[text] for text in texts], dtype=np.int64))
            self._keys.append(keys)
        combined = self._combined(codes)
        self._groups = np.unique(combined[combined >= 0])
        every = math.prod(len(keys) for keys in self._keys)
        self._every = np.zeros(every if every <= _MOST_GROUPS else 0, dtype=np.int64)
        self._places: dict[int, Places] = {}
        self._own = None if seen is None else [_own_positions(seen, keys) for keys in self._keys]
        self.found = Groups(query, self._position(combined), np.zeros(len(self._groups), dtype=np.int64))

    def add(
        self, batch: pa.RecordBatch, measures: dict[str, Floats], positions: Mapping[str, Positions] | None
    ) -> None:
        combined = self._combined([self._codes(at, batch, positions) for at in range(len(self._columns))])
        if len(self._every):
            self._every += np.bincount(combined[combined >= 0], minlength=len(self._every))
        group = self._position(combined)
        inside = group >= 0
        if self.found.query.keeps:
            self.found.of_records.append(group.astype(np.int32))
        self.found.records += np.bincount(group[inside], minlength=len(self._groups))
        if self.found.query.sums:
            self._add_sums(batch, group, inside, measures)

    def finish(self) -> Groups:
        """What was found, once all records were counted."""
        if len(self._every):
            self._every[self._groups] = 0
            self.found.others = self._every[self._every > 0]
        return self.found

    def _codes(self, at: int, batch: pa.RecordBatch, positions: Mapping[str, Positions] | None) -> Ints:
        """Of one column, where each record's value is among the keys."""
        query, index, keys = self.found.query, self._columns[at], self._keys[at]
        name = query.mapped[index]
        if index in query.made:
            return query.made[index].places(batch.column(name), keys)
        if self._own is not None and positions is not None:
            return self._own[at][positions[name]]
        column = batch.column(name)
        places = self._places.setdefault(at, Places(keys, column.type))
        return places.of(column).astype(np.int64)

    def _add_sums(
        self, batch: pa.RecordBatch, group: Ints, inside: npt.NDArray[np.bool_], measures: dict[str, Floats]
    ) -> None:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
                continue
            if name not in measures:
                filled = pc.fill_null(pc.cast(column, pa.float64(), safe=False), 0.0)
                numbers = np.nan_to_num(filled.to_numpy(zero_copy_only=False))
                measures[name] = np.abs(numbers)
                if column.null_count or (numbers < 0).any():
                    self.found.uneven.add(name)
            for kept in (self.found.sums, self.found.largest):
                kept.setdefault(name, np.zeros(len(self._groups)))
            values = measures[name][inside]
            self.found.sums[name] += np.bincount(group[inside], values, minlength=len(self._groups))
            np.maximum.at(self.found.largest[name], group[inside], values)

    def _combined(self, codes: Sequence[Ints]) -> Ints:
        """One number a combination; -1 where a part is missing. Past 2^63 it wraps, alike on both sides."""
        combined = codes[0]
        sizes = [len(keys) for keys in self._keys]
        for size, code in zip(sizes[1:], codes[1:], strict=True):
            combined = np.where((combined < 0) | (code < 0), -1, (combined * size + code) & 0x7FFFFFFFFFFFFFFF)
        return combined

    def _position(self, combined: Ints) -> Ints:
        if not len(self._groups):
            return np.full(len(combined), -1, dtype=np.int64)
        place = np.searchsorted(self._groups, combined).clip(max=len(self._groups) - 1)
        return np.where(self._groups[place] == combined, place, -1)


def _own_positions(seen: Sequence[str], keys: Sequence[str]) -> Ints:
    """From a position among everything that was looked for to one among ``keys``; the last entry answers -1."""
    own = {key: place for place, key in enumerate(keys)}
    return np.array([*(own.get(key, -1) for key in seen), -1], dtype=np.int64)


def _names(column: str, attribute: str) -> bool:
    """Whether an output's column is called after a raw attribute: sum_revenue, revenue_mean, 营业收入合计."""
    if not attribute.isascii():
        return attribute in column
    return re.search(rf"(^|[\W_]){re.escape(attribute)}([\W_]|$)", column, re.IGNORECASE) is not None


def _value(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else float("nan")
