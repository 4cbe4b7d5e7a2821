"""Bytes of one output to columns and cells: CSV, TSV, Parquet, JSON and plain text, each within limits.

Text becomes integers, numbers or dates when a whole column is; what is not one flat table is refused.
"""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sandbox.contracts import Cell, ColumnType, Finding, ParsedColumn
from sandbox.inside.refusals import MAGIC, REFUSED_KINDS, Rejected, finding

MAX_ROWS: Final = 20_000
MAX_COLUMNS: Final = 200
MAX_CELLS: Final = 400_000
MAX_TEXT: Final = 2_000
UNPACKED_BYTES: Final = 128 * 1024 * 1024
INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]"
)


Table = tuple[list[ParsedColumn], list[tuple[Cell, ...]], list[Finding]]


def reader_of(name: str, content: bytes) -> Callable[[bytes], Table]:
    """What reads a file of this name that begins like this. Raises Rejected for kinds that never leave."""
    suffix = "." + name.rpartition(".")[2].lower() if "." in name else ""
    for code, suffixes in REFUSED_KINDS.items():
        if suffix in suffixes:
            raise Rejected(code)
    for code, starts in MAGIC.items():
        if content.startswith(starts):
            raise Rejected(code)
    readers: dict[str, Callable[[bytes], Table]] = {
        ".csv": _csv,
        ".tsv": _tsv,
        ".parquet": _parquet,
        ".json": _json,
        ".txt": _txt,
    }
    if suffix not in readers:
        raise Rejected("unknown-type")
    if suffix != ".parquet":
        head = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if head.startswith((b"<svg", b"<!doctype", b"<html", b"<?xml", b"<script")):
            raise Rejected("svg" if b"<svg" in head else "html")
    return readers[suffix]


def check_size(rows: int, columns: int) -> None:
    """Refuse what is too large to be a table of groups, with the true number of rows, columns or cells."""
    for code, number, most in (
        ("too-many-rows", rows, MAX_ROWS),
        ("too-many-columns", columns, MAX_COLUMNS),
        ("too-many-cells", rows * columns, MAX_CELLS),
    ):
        if number > most:
            raise Rejected(code, number)


def text_of(content: bytes) -> str:
    """UTF-8 or GB 18030 text; anything else is refused."""
    if b"\0" in content:
        raise Rejected("not-readable")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Rejected("not-readable")


def _csv(content: bytes, delimiter: str = ",") -> Table:
    csv.field_size_limit(MAX_TEXT * 4)
    reader = csv.reader(io.StringIO(text_of(content), newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        rows: list[list[str]] = []
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise Rejected("not-a-table")
            rows.append(row)
            if len(rows) > MAX_ROWS or len(rows) * len(header) > MAX_CELLS:
                check_size(len(rows) + sum(bool(more) for more in reader), len(header))
    except csv.Error as error:
        raise Rejected("long-text" if "limit" in str(error) else "not-readable", 1) from error
    return _typed(header, rows)


def _tsv(content: bytes) -> Table:
    return _csv(content, "\t")


def _typed(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Columns of text become integers, numbers or dates when every value is one; an empty text is null.

    A first column without a name that numbers the rows in order says nothing: pandas writes it unasked.
    """
    if len(header) > 1 and not header[0] and [row[0] for row in rows] == [str(place) for place in range(len(rows))]:
        header, rows = header[1:], [row[1:] for row in rows]
    columns, cells, infinite = [], [], 0
    for position, name in enumerate(header):
        values = [row[position] for row in rows]
        kind, converted = _typed_column(values)
        if kind == "number":
            infinite += sum(value != "" and cell is None for value, cell in zip(values, converted, strict=True))
        columns.append(ParsedColumn(name, kind))
        cells.append(converted)
    found = [finding("not-finite", infinite)] if infinite else []
    return columns, list(zip(*cells, strict=True)) if rows else [], found


def _typed_column(values: Sequence[str]) -> tuple[ColumnType, list[Cell]]:
    full = [value for value in values if value != ""]
    undefined = {"nan", "inf", "-inf", "NaN", "Infinity", "-Infinity"}
    if full and all(INTEGER.fullmatch(value) for value in full):
        return "integer", [int(value) if value else None for value in values]
    if full and all(NUMBER.fullmatch(value) or value in undefined for value in full) and not set(full) <= undefined:
        return "number", [_finite(float(value)) if value else None for value in values]
    if full and all(DATE.fullmatch(value) and _is_date(value) for value in full):
        return "date", [value or None for value in values]
    return "string", [value or None for value in values]


def _parquet(content: bytes) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BytesIO(content), thrift_string_size_limit=1 << 24, thrift_container_size_limit=1 << 20)
    about = file.metadata
    unpacked = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
    check_size(about.num_rows, about.num_columns)
    if unpacked > UNPACKED_BYTES:
        raise Rejected("too-large", 1)
    table = file.read()
    columns, cells, infinite = [], [], 0
    for field, column in zip(table.schema, table.columns, strict=True):
        kind = _arrow_kind(pa, field.type)
        converted, lost = _plain(kind, column.to_pylist())
        infinite += lost
        columns.append(ParsedColumn(field.name, kind))
        cells.append(converted)
    found = [finding("not-finite", infinite)] if infinite else []
    return columns, list(zip(*cells, strict=True)) if table.num_rows else [], found


def _arrow_kind(pa: Any, given: Any) -> ColumnType:
    kinds = pa.types
    if kinds.is_dictionary(given):
        given = given.value_type
    if kinds.is_boolean(given):
        return "boolean"
    if kinds.is_integer(given):
        return "integer"
    if kinds.is_floating(given) or kinds.is_decimal(given):
        return "number"
    if kinds.is_date(given):
        return "date"
    if (
        kinds.is_string(given)
        or kinds.is_large_string(given)
        or kinds.is_timestamp(given)
        or kinds.is_string_view(given)
    ):
        return "string"
    raise Rejected("not-a-table")


def _json(content: bytes) -> Table:
    try:
        document = json.loads(text_of(content))
    except (ValueError, RecursionError) as error:
        raise Rejected("not-readable") from error
    if isinstance(document, dict) and all(not isinstance(value, dict | list) for value in document.values()):
        document = [document]
    if not isinstance(document, list) or not document or not all(isinstance(row, dict) for row in document):
        raise Rejected("not-a-table")
    header = list(document[0])
    check_size(len(document), len(header))
    if any(set(row) != set(header) for row in document):
        raise Rejected("not-a-table")
    columns, cells, infinite = [], [], 0
    for name in header:
        values = [row[name] for row in document]
        kind = _json_kind(values)
        if kind == "string":
            values = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
        converted, lost = _plain(kind, values)
        infinite += lost
        columns.append(ParsedColumn(name, kind))
        cells.append(converted)
    found = [finding("not-finite", infinite)] if infinite else []
    return columns, list(zip(*cells, strict=True)), found


def _json_kind(values: Iterable[object]) -> ColumnType:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds & {dict, list}:
        raise Rejected("not-a-table")
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "integer"
    if kinds and kinds <= {int, float}:
        return "number"
    return "string"


def _txt(content: bytes) -> Table:
    lines = [line for line in text_of(content).splitlines() if line.strip()]
    check_size(len(lines), 1)
    return [ParsedColumn("text", "string")], [(line,) for line in lines], []


def _plain(kind: ColumnType, values: Sequence[Any]) -> tuple[list[Cell], int]:
    """Python values that JSON knows, and how many numbers were not finite."""
    cells: list[Cell] = []
    lost = 0
    for value in values:
        if value is None:
            cells.append(None)
        elif kind == "number":
            number = _finite(float(value))
            lost += number is None
            cells.append(number)
        elif kind == "date" or isinstance(value, dt.date | decimal.Decimal):
            cells.append(value.isoformat() if isinstance(value, dt.date) else str(value))
        elif kind == "string":
            cells.append(str(value))
        else:
            cells.append(value)
    return cells, lost


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _is_date(value: str) -> bool:
    try:
        dt.date.fromisoformat(value)
    except ValueError:
        return False
    return True
