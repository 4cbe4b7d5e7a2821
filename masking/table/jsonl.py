"""
JSON lines: one object a line, all of them read before a type is decided, a block of lines at a time.

Objects inside objects and lists are refused: a table has cells. A key that a line lacks is null there. Numbers with and
without a fraction are one attribute, numbers among texts become text.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from masking.errors import BadFile, UnsupportedColumn
from masking.table.batches import BATCH_ROWS
from masking.table.csv import MAX_COLUMNS
from masking.table.guard import BLOCK_BYTES, GuardedText

_READ_BYTES = 8 * BLOCK_BYTES


def open_jsonl(path: Path) -> pa.RecordBatchReader:
    """Stream a UTF-8 file of one JSON object a line; it is read twice, in flat memory."""
    import polars as pl

    kinds: dict[str, Any] = {}
    empty = True
    for line, block in _blocks(path):
        empty = False
        for name, kind in _parsed(block, line, None).schema.items():
            kinds[name] = _common(kinds.get(name, pl.Null()), kind, name)
        if len(kinds) > MAX_COLUMNS:
            raise BadFile(f"more than {MAX_COLUMNS} different keys", line=line)
    if empty:
        raise BadFile("the file is empty")
    kinds = {name: pl.String() if kind == pl.Null else kind for name, kind in kinds.items()}
    schema = _small_strings(pl.DataFrame(schema=kinds).to_arrow().schema)

    def batches() -> Iterator[pa.RecordBatch]:
        for line, block in _blocks(path):
            yield from _parsed(block, line, kinds).to_arrow().cast(schema).to_batches(max_chunksize=BATCH_ROWS)

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


def _common(one: Any, other: Any, name: str) -> Any:
    """The type that holds the values of both."""
    import polars as pl

    if other.is_nested():
        raise BadFile(f"attribute {name!r} holds lists or objects; a table has single values")
    if other in (one, pl.Null()):
        return one
    if one == pl.Null:
        return other
    if one.is_numeric() and other.is_numeric():
        return pl.Float64()
    if pl.Boolean in (one, other):
        raise BadFile(f"attribute {name!r} mixes true or false with other values")
    return pl.String()


def _parsed(block: bytes, line: int, kinds: dict[str, Any] | None) -> Any:
    """A frame of the lines in ``block``, the first of which has the number ``line``."""
    import polars as pl

    try:
        return pl.read_ndjson(io.BytesIO(block), schema=kinds, infer_schema_length=None)
    except BaseException as error:  # polars quotes the text in its messages, and may panic: the line is looked for
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
    bad = _first_bad_line(block, line)
    if bad is None:
        raise BadFile("an attribute mixes values that no type holds, in the lines from here on", line=line)
    raise BadFile("the line is not a JSON object", line=bad)


def _small_strings(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(f.name, pa.string() if pa.types.is_large_string(f.type) else f.type) for f in schema])


def _blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines, some megabytes at a time and not all blank, with the number of the first (from 1)."""
    line, rest = 1, b""
    with path.open("rb") as stream:
        guard = io.BufferedReader(GuardedText(stream, "utf-8"), _READ_BYTES)
        while read := guard.read(_READ_BYTES):
            text = rest + read
            end = text.rfind(b"\n") + 1
            whole, rest = text[:end], text[end:]
            if whole.strip():
                yield line, whole
            line += whole.count(b"\n")
    if rest.strip():
        yield line, rest


def _first_bad_line(block: bytes, line: int) -> int | None:
    for number, text in enumerate(block.split(b"\n"), start=line):
        try:
            if text.strip() and not isinstance(json.loads(text), dict):
                return number
        except (ValueError, RecursionError):
            return number
    return None
