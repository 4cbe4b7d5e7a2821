"""The raw-match test: what of an output can be found in the raw tables.

Nobody but the checking side can do this: it holds the raw data. Two streaming passes over each raw table, columns
never rows: the first finds which output values occur where, and how often; the second counts, for every output row,
the raw records equal to it on the columns that match. A value or group of fewer than ``threshold`` records is a
finding, whatever count the output states, so repeated rows do not help.

Nulls match nothing. Nothing of a raw table is kept but counts of values that the output holds itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.typed import ColumnRole, TableKind, TypedTable
from sandbox.contracts import Cell

OpenTable = Callable[[], AbstractContextManager[pa.RecordBatchReader]]
MIN_NUMBERS: Final = 10
MIN_DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class RawTable:
    """One raw table: how to stream it and how many distinct values its columns hold (from the intake's profile)."""

    name: str
    open: OpenTable
    distinct: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawMatch:
    """What the passes found: findings, and raw categories frequent enough to be labels."""

    findings: tuple[Finding, ...]
    frequent: frozenset[str]


def match_raw(tables: Sequence[TypedTable], raws: Sequence[RawTable], limits: AirlockLimits) -> RawMatch:
    """Search every raw table for the output's values and rows."""
    findings: list[Finding] = []
    frequent: set[str] = set()
    values = {text for table in tables for row in table.rows for text in map(_key, row) if text is not None}
    for raw in raws if values else ():
        occurrences = _occurrences(raw, values)
        frequent |= {
            value
            for column, counts in occurrences.items()
            if raw.distinct.get(column, limits.high_cardinality) <= limits.max_labels
            for value, count in counts.items()
            if count >= limits.threshold
        }
        for table in tables:
            findings += _values(table, raw, occurrences, limits)
            findings += _numbers(table, raw, occurrences, limits)
            findings += _rows(table, raw, occurrences, limits)
    return RawMatch(tuple(dict.fromkeys(findings)), frozenset(frequent))


def _occurrences(raw: RawTable, values: set[str]) -> dict[str, Counter[str]]:
    """For each raw column, how often each of ``values`` occurs in it."""
    wanted = pa.array(sorted(values), pa.string())
    counted: dict[str, Counter[str]] = {}
    with raw.open() as reader:
        for batch in reader:
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                texts = as_text(column)
                hits = texts.filter(pc.fill_null(pc.is_in(texts, value_set=wanted), False))
                if len(hits):
                    tally = pc.value_counts(hits)
                    counter = counted.setdefault(name, Counter())
                    for value, count in zip(
                        tally.field("values").to_pylist(), tally.field("counts").to_pylist(), strict=True
                    ):
                        counter[value] += count
    return counted


def _values(
    table: TypedTable,
    raw: RawTable,
    occurrences: Mapping[str, Counter[str]],
    limits: AirlockLimits,
) -> Iterator[Finding]:
    """Strings and whole-number labels that few raw records of a high-cardinality column have."""
    for index, column in enumerate(table.columns):
        if column.role not in {ColumnRole.DIMENSION, ColumnRole.TERM} and column.type != "string":
            continue
        texts = [key for cell in table.column(index) if (key := _key(cell)) is not None and len(key) > 1]
        rare = 0
        for text in texts:
            places = [
                counts[text]
                for name, counts in occurrences.items()
                if text in counts
                and (isinstance_text(column.type) or name == column.name)
                and raw.distinct.get(name, limits.high_cardinality) >= limits.high_cardinality
            ]
            # A label that is a frequent category anywhere is that category, not the rare value of another column.
            rare += bool(places) and max(places) < limits.threshold
        if rare:
            yield Finding("raw_value", table.name, column.name, rare)


def _numbers(
    table: TypedTable,
    raw: RawTable,
    occurrences: Mapping[str, Counter[str]],
    limits: AirlockLimits,
) -> Iterator[Finding]:
    """A column of numbers that all are numbers of one high-cardinality raw column is that column."""
    for index in table.indexes(ColumnRole.MEASURE, ColumnRole.COUNT, ColumnRole.SHARE, ColumnRole.EXTREME):
        keys = {key for cell in table.column(index) if (key := _key(cell)) is not None and _digits(key) >= MIN_DIGITS}
        if len(keys) < MIN_NUMBERS:
            continue
        for name, counts in occurrences.items():
            many = raw.distinct.get(name, limits.high_cardinality) >= limits.high_cardinality
            if many and keys <= counts.keys() and min(counts[key] for key in keys) < limits.threshold:
                yield Finding("raw_numbers", table.name, table.columns[index].name, len(keys))
                break


def _rows(
    table: TypedTable,
    raw: RawTable,
    occurrences: Mapping[str, Counter[str]],
    limits: AirlockLimits,
) -> Iterator[Finding]:
    """Rows that equal few raw records: on their group columns, or on all columns that match."""
    if table.kind is TableKind.MODEL:
        return
    mapped = _mapping(table, occurrences, raw)
    groups = {i: name for i, name in mapped.items() if table.columns[i].role is ColumnRole.DIMENSION}
    if groups:
        few = _few(table, raw, groups, limits)
        if few:
            yield Finding("small_group_in_raw", table.name, count=few)
    if len(mapped) >= 3 and len(mapped) > len(groups):
        few = _few(table, raw, mapped, limits)
        if few:
            yield Finding("raw_row", table.name, count=few)


def _mapping(table: TypedTable, occurrences: Mapping[str, Counter[str]], raw: RawTable) -> dict[int, str]:
    """Which raw column each output column repeats: same name first, then the richest that holds all its values."""
    mapped: dict[int, str] = {}
    for index, column in enumerate(table.columns):
        keys = {key for cell in table.column(index) if (key := _key(cell)) is not None}
        holders = [name for name, counts in occurrences.items() if keys and keys <= counts.keys()]
        if column.role is ColumnRole.COUNT and column.name not in holders:
            continue
        if holders:
            mapped[index] = (
                column.name if column.name in holders else max(holders, key=lambda name: raw.distinct.get(name, 0))
            )
    return mapped


def _few(table: TypedTable, raw: RawTable, mapped: Mapping[int, str], limits: AirlockLimits) -> int:
    """How many output rows equal between 1 and ``threshold - 1`` raw records on the mapped columns."""
    import polars as pl

    indexes = sorted(mapped)
    keys = [tuple(_key(row[i]) for i in indexes) for row in table.rows]
    keys = [key for key in keys if all(part is not None for part in key)]
    if not keys:
        return 0
    names = [f"c{i}" for i in indexes]
    wanted = pl.DataFrame(list(dict.fromkeys(keys)), schema=dict.fromkeys(names, pl.String), orient="row")
    counts: Counter[tuple[Any, ...]] = Counter()
    with raw.open() as reader:
        for batch in reader:
            part = pl.DataFrame(
                {f"c{i}": pl.Series(as_text(batch.column(mapped[i])), dtype=pl.String) for i in indexes},
            )
            found = part.join(wanted, on=names, how="semi").group_by(names).len()
            for *key, count in found.iter_rows():
                counts[tuple(key)] += count
    return sum(0 < counts[key] < limits.threshold for key in keys)


def as_text(column: pa.Array) -> pa.Array:
    """A column's values in the spelling `_key` gives output cells: whole floats without ``.0``, ISO dates."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_boolean(column.type):
        return pc.if_else(column, "true", "false")
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        numbers = pc.cast(column, pa.float64())
        whole = pc.and_(pc.equal(numbers, pc.floor(numbers)), pc.less(pc.abs(numbers), 1e15))
        integers = pc.cast(pc.cast(pc.if_else(whole, numbers, 0.0), pa.int64()), pa.string())
        return pc.if_else(
            whole, integers, pa.array([None if x is None else repr(x) for x in numbers.to_pylist()], pa.string())
        )
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column, format="%Y-%m-%d")
    if pa.types.is_string(column.type):
        return column
    try:
        return pc.cast(column, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.nulls(len(column), pa.string())


def isinstance_text(type_: str) -> bool:
    """Whether values of the type are distinctive enough to be looked for under other column names."""
    return type_ in {"string", "date"}


def _key(cell: Cell) -> str | None:
    if cell is None:
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    return str(cell)


def _digits(key: str) -> int:
    """Significant digits of a number's spelling."""
    return len(key.lstrip("-").replace(".", "").strip("0"))
