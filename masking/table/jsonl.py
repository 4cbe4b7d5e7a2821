"""
JSON lines: one object a line, all of them read before a type is decided.

Objects inside objects and lists are refused: a table has cells. A key that a line lacks is null there.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from masking.errors import BadFile, UnsupportedColumn
from masking.table.frames import BATCH_ROWS
from masking.table.guard import BLOCK_BYTES, GuardedText


def open_jsonl(path: Path) -> pa.RecordBatchReader:
    """Stream a UTF-8 file of one JSON object a line."""
    import polars as pl

    lines = _checked_lines(path)
    if not lines:
        raise BadFile("the file is empty")
    try:
        scan = pl.scan_ndjson(path, infer_schema_length=None)
        schema = _small_strings(pl.DataFrame(schema=scan.collect_schema()).to_arrow().schema)
    except Exception:  # noqa: BLE001  polars quotes the text in its messages; the line is looked for instead
        raise BadFile("the lines are not JSON objects", line=_first_bad_line(path)) from None
    for field in schema:
        if pa.types.is_nested(field.type):
            raise BadFile(f"attribute {field.name!r} holds lists or objects; a table has single values")

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for frame in scan.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
                yield from frame.to_arrow().cast(schema).to_batches(max_chunksize=BATCH_ROWS)
        except Exception:  # noqa: BLE001
            raise BadFile("the lines are not JSON objects", line=_first_bad_line(path)) from None

    return pa.RecordBatchReader.from_batches(schema, batches())


def write_jsonl(reader: pa.RecordBatchReader, stream: BinaryIO) -> int:
    """Write one object a line; dates in ISO 8601, null written out."""
    import polars as pl

    rows = 0
    for batch in reader:
        if batch.num_rows and batch.num_columns:
            frame = pl.from_arrow(batch)
            try:
                assert isinstance(frame, pl.DataFrame)
                frame.write_ndjson(stream)
            except pl.exceptions.PolarsError as error:
                raise UnsupportedColumn(f"JSON lines cannot hold a column ({type(error).__name__})") from None
        rows += batch.num_rows
    return rows


def _small_strings(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(f.name, pa.string() if pa.types.is_large_string(f.type) else f.type) for f in schema])


def _checked_lines(path: Path) -> int:
    """Read the file once through the guard: encoding, NULs, line lengths."""
    size = 0
    with path.open("rb") as stream:
        guard = GuardedText(stream, "utf-8")
        while block := guard.read(BLOCK_BYTES):
            size += len(block.strip())
    return size


def _first_bad_line(path: Path) -> int | None:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                if line.strip() and not isinstance(json.loads(line), dict):
                    return number
            except (ValueError, RecursionError):
                return number
    return None
