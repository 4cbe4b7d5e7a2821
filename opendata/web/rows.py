"""Pages of rows from a published Parquet file: whole row groups are skipped, equality filters are pushed down.

Reads published editions only; what may be read is decided before (`opendata.access.door`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from opendata.errors import InvalidInputError

MAX_ROWS = 1000
MAX_OFFSET = 10_000_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the row API names it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Rows:
    """One page. ``total`` counts all rows that match."""

    columns: tuple[Column, ...]
    records: list[dict[str, Any]]
    total: int
    limit: int
    offset: int


def read_rows(path: Path, *, limit: int, offset: int, filters: Mapping[str, str] | None = None) -> Rows:
    """Rows ``offset`` to ``offset + limit`` of those whose columns equal ``filters`` (empty text: null).

    ``limit`` in [0, 1000]. Raises InvalidInputError for a column the table does not have or a value its type cannot be.
    """
    file = pyarrow.parquet.ParquetFile(path)
    try:
        schema = file.schema_arrow
        columns = tuple(Column(field.name, type_word(field.type)) for field in schema)
        if filters:
            table, total = _filtered(path, schema, filters, limit, offset)
        else:
            table, total = _plain(file, limit, offset), file.metadata.num_rows
    finally:
        file.close()
    return Rows(columns, [_jsonable(record) for record in table.to_pylist()], total, limit, offset)


def type_word(type_: pa.DataType) -> str:
    """The JSON word for an Arrow type: integer, number, boolean, date, datetime or string."""
    if pa.types.is_dictionary(type_):
        return type_word(type_.value_type)
    tests = (
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_integer, "integer"),
        (pa.types.is_floating, "number"),
        (pa.types.is_decimal, "number"),
        (pa.types.is_date, "date"),
        (pa.types.is_timestamp, "datetime"),
    )
    return next((word for test, word in tests if test(type_)), "string")


def _plain(file: pyarrow.parquet.ParquetFile, limit: int, offset: int) -> pa.Table:
    """Only the row groups that hold the wanted rows are read."""
    groups: list[int] = []
    before = skipped = 0
    for group in range(file.metadata.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if before + rows <= offset:
            skipped += rows
        elif before < offset + limit:
            groups.append(group)
        before += rows
    if not groups or not limit:
        return file.schema_arrow.empty_table()
    return file.read_row_groups(groups).slice(offset - skipped, limit)


def _filtered(
    path: Path, schema: pa.Schema, filters: Mapping[str, str], limit: int, offset: int
) -> tuple[pa.Table, int]:
    from pyarrow import dataset as datasets  # brings pandas along: only where a filter is used

    dataset = datasets.dataset(path, format="parquet")
    condition = None
    for name, text in filters.items():
        one = _equals(schema, name, text)
        condition = one if condition is None else condition & one
    total = dataset.count_rows(filter=condition)
    wanted: list[pa.RecordBatch] = []
    position = taken = 0
    for batch in dataset.scanner(filter=condition).to_batches():
        start = max(0, offset - position)
        part = batch.slice(start, limit - taken)
        position += batch.num_rows
        if part.num_rows:
            wanted.append(part)
            taken += part.num_rows
        if taken >= limit:
            break
    return pa.Table.from_batches(wanted, schema=dataset.schema), total


def _equals(schema: pa.Schema, name: str, text: str) -> Any:
    from pyarrow import dataset as datasets

    position = schema.get_field_index(name)
    if position < 0:
        raise InvalidInputError(f"没有字段 {name[:60]!r}；字段有 {schema.names}（no such column）")
    field = datasets.field(name)
    if text == "":
        return field.is_null()
    type_ = schema.field(position).type
    value_type = type_.value_type if pa.types.is_dictionary(type_) else type_
    try:
        value = pa.scalar(text).cast(value_type)
    except (pa.ArrowException, ValueError):
        raise InvalidInputError(f"字段 {name} 的类型是 {type_word(type_)}（wrong type for this column）") from None
    return field == value


def _jsonable(record: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in record.items()}


def _value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
