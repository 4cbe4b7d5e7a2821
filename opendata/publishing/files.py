"""The files of an edition: canonical CSV, Parquet, JSON lines, and XLSX where it fits.

Rows are sorted by all columns, pseudonyms last, so that the place of a row says nothing that its cells do not say: the
order of the raw table never leaves, and two recipients' editions cannot be joined by position. Written into a private
staging folder; memory stays flat (DuckDB sorts on disk, batches stream through the writers).
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from opendata.publishing import canonical

VERSION: Final = 1
ROWS_PER_GROUP: Final = 20_000
BATCH_ROWS: Final = 20_000
XLSX_ROWS: Final = 1_048_575
XLSX_CELLS: Final = 1_000_000
"""A bigger workbook takes minutes to write and no office program opens it well."""
XLSX_TEXT: Final = 32_767
SORT_MEMORY: Final = "512MB"
EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
UNSORTED: Final = "unsorted.parquet"


@dataclass(frozen=True, slots=True)
class EditionFile:
    """One file of an edition."""

    name: str
    format: str
    bytes: int
    sha256: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: the files, the digest of the table they all hold, and its rows."""

    files: tuple[EditionFile, ...]
    table_digest: str
    rows: int


class _Writer(Protocol):
    def write(self, batch: pa.RecordBatch, lines: bytes) -> None:
        """``lines`` is the batch in canonical text."""
        ...

    def close(self) -> None: ...


def spool(reader: pa.RecordBatchReader, folder: Path) -> int:
    """Write a masked stream to the staging folder as it comes; returns the rows."""
    rows = 0
    with pq.ParquetWriter(folder / UNSORTED, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def write_all(
    folder: Path, name: str, *, last: Sequence[str] = (), progress: Callable[[int], None] | None = None
) -> Written:
    """Sort the spooled table and write every format; ``last`` names the columns that only break ties."""
    source = folder / UNSORTED
    schema = pq.read_schema(source)
    rows = pq.read_metadata(source).num_rows
    digest = hashlib.sha256()
    paths = {"csv": folder / f"{name}.csv", "parquet": folder / f"{name}.parquet", "jsonl": folder / f"{name}.jsonl"}
    if rows <= XLSX_ROWS and rows * max(len(schema), 1) <= XLSX_CELLS and _fits(source, schema):
        paths["xlsx"] = folder / f"{name}.xlsx"
    done = 0
    with ExitStack() as stack:
        writers = [_closing(stack, WRITERS[format_](path, schema)) for format_, path in paths.items()]
        digest.update(canonical.header(schema.names))
        pool = stack.enter_context(ThreadPoolExecutor(len(writers)))
        for batch in _sorted(folder, schema, last):
            lines = canonical.lines(batch)
            writing = [pool.submit(writer.write, batch, lines) for writer in writers]
            digest.update(lines)
            for each in writing:
                each.result()
            done += batch.num_rows
            if progress is not None:
                progress(done)
    source.unlink()
    return Written(tuple(describe(path, format_) for format_, path in paths.items()), digest.hexdigest(), done)


def describe(path: Path, format_: str) -> EditionFile:
    """Size and SHA-256 of a file as it lies there."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return EditionFile(name=path.name, format=format_, bytes=path.stat().st_size, sha256=digest)


def edition_digest(edition_id: str, dataset: str, files: Sequence[dict[str, Any]], table_digest: str) -> str:
    """SHA-256 over the list of files: the edition's name in open storage."""
    manifest = {
        "version": VERSION,
        "edition": edition_id,
        "dataset": dataset,
        "table": table_digest,
        "files": sorted(files, key=lambda each: each["name"]),
    }
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _sorted(folder: Path, schema: pa.Schema, last: Sequence[str]) -> Iterator[pa.RecordBatch]:
    import duckdb

    order = [name for name in schema.names if name not in last] + [name for name in schema.names if name in last]
    by = ", ".join(f'"{_quoted(name)}" NULLS LAST' for name in order)
    spill = folder / "spill"
    spill.mkdir(mode=0o700, exist_ok=True)
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": SORT_MEMORY,
        "temp_directory": str(spill),
        "threads": 2,
    }
    connection = duckdb.connect(":memory:", config=config)
    try:
        rows = connection.read_parquet(str(folder / UNSORTED)).order(by)
        for batch in rows.to_arrow_reader(BATCH_ROWS):
            columns = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
    finally:
        connection.close()
        for left in spill.iterdir():
            left.unlink()
        spill.rmdir()


def _quoted(name: str) -> str:
    return name.replace('"', '""')


def _fits(source: Path, schema: pa.Schema) -> bool:
    """No cell is longer than a workbook's cell may be."""
    import pyarrow.compute as pc

    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    if not texts:
        return True
    longest = 0
    for batch in pq.ParquetFile(source).iter_batches(columns=texts):
        for column in batch.columns:
            longest = max(longest, pc.max(pc.utf8_length(column)).as_py() or 0)
    return longest <= XLSX_TEXT


def _closing(stack: ExitStack, writer: _Writer) -> _Writer:
    stack.callback(writer.close)
    return writer


class _CsvWriter:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._file = path.open("wb")
        self._file.write(canonical.header(schema.names))

    def write(self, batch: pa.RecordBatch, lines: bytes) -> None:
        del batch
        self._file.write(lines)

    def close(self) -> None:
        self._file.close()


class _ParquetWriter:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def write(self, batch: pa.RecordBatch, lines: bytes) -> None:
        del lines
        self._writer.write_batch(batch, row_group_size=ROWS_PER_GROUP)

    def close(self) -> None:
        self._writer.close()


class _JsonLinesWriter:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        del schema
        self._file = path.open("wb")

    def write(self, batch: pa.RecordBatch, lines: bytes) -> None:
        del lines
        import polars as pl

        frame = pl.from_arrow(batch)
        assert isinstance(frame, pl.DataFrame)
        self._file.write(frame.write_ndjson().encode())

    def close(self) -> None:
        self._file.close()


class _XlsxWriter:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import xlsxwriter

        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "tmpdir": str(path.parent),
        }
        self._book = xlsxwriter.Workbook(str(path), options)
        self._book.set_properties({"created": EPOCH.replace(tzinfo=None)})
        self._sheet = self._book.add_worksheet("data")
        self._sheet.write_row(0, 0, schema.names)
        self._row = 1

    def write(self, batch: pa.RecordBatch, lines: bytes) -> None:
        del lines
        columns = [_excel_cells(column) for column in batch.columns]
        for row in zip(*columns, strict=True):
            self._sheet.write_row(self._row, 0, row)
            self._row += 1

    def close(self) -> None:
        self._book.close()


def _excel_cells(column: pa.Array) -> list[Any]:
    """Numbers as numbers where a double holds them exactly enough, everything else as text."""
    integer = pa.types.is_integer(column.type)
    if integer or pa.types.is_floating(column.type):
        return [_excel_number(value) for value in column.to_pylist()]
    return canonical.text_of(column).to_pylist()


def _excel_number(value: float | None) -> float | str | None:
    exact = value is None or (abs(value) < 10**15 and value == value)  # noqa: PLR0124 (NaN differs from itself)
    return value if exact else str(value)


WRITERS: Final[dict[str, Callable[[Path, pa.Schema], _Writer]]] = {
    "csv": _CsvWriter,
    "parquet": _ParquetWriter,
    "jsonl": _JsonLinesWriter,
    "xlsx": _XlsxWriter,
}
