"""
Files to streams and back: csv, csv.gz, tsv, parquet, jsonl, xlsx, by extension.

A written file appears whole or not at all: it is made beside its place, flushed to the disk and renamed. What a killed
run left there (``.<name>.*.part``) is removed by the next one that writes to the same place.
"""

import contextlib
import fcntl
import glob
import gzip
import io
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from masking.errors import BadFile, UnsupportedColumn
from masking.table.batches import BATCH_ROWS, row_groups
from masking.table.csv import BadRow, CsvDialect, open_csv_strings, sniff
from masking.table.guard import BLOCK_BYTES, Gunzip
from masking.table.inference import cast_reader, infer_types

FORMATS = ("csv", "csv.gz", "tsv", "parquet", "jsonl", "xlsx")


def file_format(path: str | Path) -> str:
    """Return the format that the file's name says, or raise ``BadFile``."""
    name = Path(path).name.lower()
    for known in sorted(FORMATS, key=len, reverse=True):
        if name.endswith("." + known):
            return known
    raise BadFile(f"the name says no known format; known: {', '.join(FORMATS)}")


def open_table(
    path: str | Path,
    *,
    format: str | None = None,
    types: bool = True,
    on_bad_row: Callable[[BadRow], None] | None = None,
) -> pa.RecordBatchReader:
    """
    Stream a file as a table.

    Delimited text and spreadsheets are read twice: all values decide the types (``types=False``: text). ``on_bad_row``
    gets each ragged row of delimited text once; without it such a row is ``BadFile``. A spreadsheet's first sheet is
    read.

    Raises:
        BadFile: the file cannot be read as a table of that format in bounded memory.

    """
    path = Path(path)
    kind = format or file_format(path)
    if not path.is_file():
        raise BadFile("it is not a regular file" if path.exists() else "there is no such file")
    if kind in ("csv", "csv.gz", "tsv"):
        return _open_delimited(path, kind, types=types, on_bad_row=on_bad_row)
    if kind == "parquet":
        return _open_parquet(path)
    if kind == "jsonl":
        from masking.table.jsonl import open_jsonl

        return open_jsonl(path)
    if kind == "xlsx":
        from masking.table.excel import open_excel

        return open_excel(path, types=types)
    raise BadFile(f"{kind!r} is not a known format; known: {', '.join(FORMATS)}")


def write_table(reader: pa.RecordBatchReader | pa.Table, path: str | Path, *, format: str | None = None) -> int:
    """
    Write a stream to a file that appears whole or not at all; returns the number of records.

    The same records give the same bytes on the same library versions: no time and no name of a machine is written.

    Raises:
        UnsupportedColumn: the format cannot hold a column's type, or a spreadsheet so many records.

    """
    path = Path(path)
    kind = format or file_format(path)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise BadFile("the output is a link, a folder or a device; name a file")
    source = reader.to_reader(max_chunksize=BATCH_ROWS) if isinstance(reader, pa.Table) else reader
    _remove_dead(path)
    # Named before it is there: whenever a run is stopped, it knows what to remove.
    temporary = str(path.parent / f"{_start(path)}{secrets.token_hex(4)}.part")
    try:
        with _locked(temporary) as stream:
            rows = _write(source, stream, kind)
            stream.flush()
            os.fsync(stream.fileno())
            os.chmod(temporary, 0o644 & ~_umask())
            os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    return rows


def _start(path: Path) -> str:
    return f".{path.name[:100]}."


def _remove_dead(path: Path) -> None:
    """Remove the files that killed runs left beside ``path``."""
    for left in glob.glob(f"{glob.escape(str(path.parent / _start(path)))}*.part"):
        with contextlib.suppress(OSError), open(left, "rb") as dead:
            fcntl.flock(dead, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while the run that made it lives
            os.unlink(left)


def _locked(temporary: str) -> BinaryIO:
    """Open a new file, locked while its run lives."""
    while True:
        try:
            handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            raise BadFile("there is no such folder to write to") from None
        with contextlib.ExitStack() as unless:
            stream = unless.enter_context(os.fdopen(handle, "wb"))
            fcntl.flock(stream, fcntl.LOCK_EX)
            if os.path.exists(temporary):  # else another run took it for dead before it was locked
                unless.pop_all()
                return stream


def _write(reader: pa.RecordBatchReader, stream: BinaryIO, kind: str) -> int:
    if kind == "xlsx":
        from masking.table.excel import write_excel

        return write_excel(reader, stream)
    if kind == "csv.gz":
        with gzip.GzipFile(fileobj=stream, mode="wb", filename="", mtime=0) as packed:
            return _write_delimited(reader, cast("BinaryIO", packed), ",")
    if kind in ("csv", "tsv"):
        return _write_delimited(reader, stream, "," if kind == "csv" else "\t")
    if kind == "parquet":
        return _write_parquet(reader, stream)
    if kind == "jsonl":
        from masking.table.jsonl import write_jsonl

        return write_jsonl(reader, stream)
    raise BadFile(f"{kind!r} is not a known format; known: {', '.join(FORMATS)}")


def _open_delimited(
    path: Path, kind: str, *, types: bool, on_bad_row: Callable[[BadRow], None] | None
) -> pa.RecordBatchReader:
    dialect = sniff(path)
    if kind == "tsv":
        dialect = CsvDialect(dialect.encoding, "\t", dialect.bom)
    if not types:
        return _delimited(path, kind, dialect, on_bad_row)
    inferred = infer_types(_delimited(path, kind, dialect, on_bad_row))
    again = None if on_bad_row is None else _ignored  # each bad row was reported by the first reading
    return cast_reader(_delimited(path, kind, dialect, again), inferred)


def _delimited(
    path: Path, kind: str, dialect: CsvDialect, on_bad_row: Callable[[BadRow], None] | None
) -> pa.RecordBatchReader:
    with _unpacked(path, kind) as stream:
        schema = open_csv_strings(stream, dialect).schema

    def batches() -> Iterator[pa.RecordBatch]:  # opened when the first batch is asked for, closed behind the last
        with _unpacked(path, kind) as stream:
            yield from open_csv_strings(stream, dialect, on_bad_row)

    return pa.RecordBatchReader.from_batches(schema, batches())


@contextlib.contextmanager
def _unpacked(path: Path, kind: str) -> Iterator[BinaryIO]:
    with path.open("rb") as stream:
        yield io.BufferedReader(Gunzip(stream), BLOCK_BYTES) if kind == "csv.gz" else stream


def _ignored(bad: BadRow) -> None:
    del bad


def _open_parquet(path: Path) -> pa.RecordBatchReader:
    try:
        file = pq.ParquetFile(path, pre_buffer=False)
        schema = file.schema_arrow.remove_metadata()
    except (pa.ArrowException, OSError, ValueError):
        raise BadFile("the file is not Parquet, or it is damaged") from None
    names = schema.names
    if len(set(names)) != len(names):
        raise BadFile("two columns have one name")

    def batches() -> Iterator[pa.RecordBatch]:
        with file:
            try:
                for batch in file.iter_batches(batch_size=BATCH_ROWS):
                    yield batch.replace_schema_metadata(None)
            except (pa.ArrowException, OSError):
                raise BadFile("the Parquet file is damaged") from None

    return pa.RecordBatchReader.from_batches(schema, batches())


def _write_delimited(reader: pa.RecordBatchReader, stream: BinaryIO, delimiter: str) -> int:
    schema = _flat(reader.schema)
    rows = 0
    options = pacsv.WriteOptions(delimiter=delimiter, quoting_style="needed")
    with pacsv.CSVWriter(stream, schema, write_options=options) as writer:
        for batch in reader:
            writer.write_batch(pa.RecordBatch.from_arrays([_plain(column) for column in batch.columns], schema=schema))
            rows += batch.num_rows
    return rows


def _write_parquet(reader: pa.RecordBatchReader, stream: BinaryIO) -> int:
    rows = 0
    schema = reader.schema.remove_metadata()
    options = {"compression": "zstd", "version": "2.6", "write_page_checksum": True}
    with pq.ParquetWriter(stream, schema, **options) as writer:
        for batch in row_groups(reader):
            writer.write_batch(batch.replace_schema_metadata(None), row_group_size=BATCH_ROWS)
            rows += batch.num_rows
    return rows


def _flat(schema: pa.Schema) -> pa.Schema:
    fields = []
    for field in schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise UnsupportedColumn(f"a text file cannot hold {kind}", attribute=field.name)
        fields.append(pa.field(field.name, pa.string() if pa.types.is_null(kind) else kind))
    return pa.schema(fields)


def _plain(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        return column.dictionary_decode()
    return column.cast(pa.string()) if pa.types.is_null(column.type) else column


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
