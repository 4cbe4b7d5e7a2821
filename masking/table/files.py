"""Files to streams and back: csv, csv.gz, tsv, parquet, jsonl, xlsx, by extension."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from masking.table.csv import BadRow

FORMATS = ("csv", "csv.gz", "tsv", "parquet", "jsonl", "xlsx")


def file_format(path: str | Path) -> str:
    """Return the format that the file's name says, or raise ``BadFile``."""
    raise NotImplementedError(str(path))


def open_table(
    path: str | Path,
    *,
    format: str | None = None,
    types: bool = True,
    on_bad_row: Callable[[BadRow], None] | None = None,
) -> pa.RecordBatchReader:
    """Stream a file as a table. Text formats are read twice: all values decide the types (``types=False``: strings)."""
    raise NotImplementedError(str((path, format, types, on_bad_row)))


def write_table(reader: pa.RecordBatchReader, path: str | Path, *, format: str | None = None) -> int:
    """Write a stream to a file that appears whole or not at all; returns the number of records."""
    raise NotImplementedError(str((reader, path, format)))
