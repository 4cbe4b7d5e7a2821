"""The canonical text of a table: one table, one sequence of bytes, whatever file it came in.

UTF-8 without BOM, a header line, comma, LF, quotes only where a cell needs them, null and empty text both as an empty
cell, whole floating numbers without a fraction (5.0 is 5), dates as 2020-01-31. Its SHA-256 is the table digest.
Columns, not rows: every step works on whole Arrow columns.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NEEDS_QUOTES = r'[",\r\n]|^\s|\s$'


def lines(batch: pa.RecordBatch) -> bytes:
    """The batch as canonical lines, each ended by LF. No rows: no bytes."""
    if batch.num_rows == 0:
        return b""
    if batch.num_columns == 0:
        return b"\n" * batch.num_rows
    columns = [_cells(column) for column in batch.columns]
    if len(columns) == 1:  # an empty line would not be a record
        joined = pc.if_else(pc.equal(columns[0], ""), '""', columns[0])
    else:
        joined = pc.binary_join_element_wise(*columns, ",")
    return _bytes(pc.binary_join_element_wise(joined, "\n", ""))


def header(names: list[str]) -> bytes:
    """The header line."""
    return lines(pa.record_batch([pa.array([name]) for name in names], names=[str(n) for n in range(len(names))]))


def chunks(reader: pa.RecordBatchReader) -> Iterator[bytes]:
    """The whole canonical text, in pieces."""
    yield header(reader.schema.names)
    for batch in reader:
        yield lines(batch)


def table_digest(reader: pa.RecordBatchReader) -> str:
    """SHA-256 of the canonical text, in hex."""
    digest = hashlib.sha256()
    for chunk in chunks(reader):
        digest.update(chunk)
    return digest.hexdigest()


def _bytes(column: pa.Array) -> bytes:
    """The values of a text column without nulls, one behind the other: they already lie so in memory."""
    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, dtype=np.int32, count=len(column) + 1, offset=4 * column.offset)
    return memoryview(data)[places[0] : places[-1]].tobytes()


def _cells(column: pa.Array) -> pa.Array:
    cells = pc.fill_null(text_of(column), "")
    if not _is_text(column.type):
        return cells  # numbers, dates and truth values hold nothing that must be quoted
    needs_quotes = pc.match_substring_regex(cells, NEEDS_QUOTES)
    if not pc.any(needs_quotes).as_py():
        return cells
    quoted = pc.binary_join_element_wise(
        '"', pc.replace_substring(cells, '"', '""'), '"', ""
    )  # the last one is the separator
    return pc.if_else(needs_quotes, quoted, cells)


def _is_text(type_: pa.DataType) -> bool:
    plain = type_.value_type if pa.types.is_dictionary(type_) else type_
    numeric = pa.types.is_integer(plain) or pa.types.is_floating(plain) or pa.types.is_decimal(plain)
    return not (numeric or pa.types.is_temporal(plain) or pa.types.is_boolean(plain))


def text_of(column: pa.Array) -> pa.Array:
    """A column as text, one form for each value; null stays null."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_floating(column.type):
        column = pc.cast(column, pa.float64())
        whole = pc.and_(pc.equal(column, pc.trunc(column)), pc.less(pc.abs(column), 1e15))
        integers = pc.cast(pc.cast(pc.if_else(whole, column, None), pa.int64()), pa.string())
        return pc.coalesce(integers, pc.cast(column, pa.string()))
    return pc.cast(column, pa.string())
