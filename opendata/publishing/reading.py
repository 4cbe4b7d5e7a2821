"""An upload opened as a table, without ever putting its clear bytes on a disk.

Delimited text streams from the vault as often as needed; formats that need to jump about are held in memory, up to a
limit. Rows that cannot be read are counted and listed by line number, never dropped silently. Nothing keeps a cell.
"""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, cast

import pyarrow as pa

from masking.table import BadRow, CsvDialect, cast_reader, file_format, infer_types, open_csv_strings, open_table, sniff
from masking.table.guard import BLOCK_BYTES, Gunzip
from opendata.catalog.texts import text
from opendata.publishing.embedded import looks_like_a_value
from opendata.publishing.errors import InvalidSubmission

DELIMITED: Final = ("csv", "csv.gz", "tsv")
MEMORY_BYTES: Final = 512 << 20
"""Largest upload of a format that cannot be streamed."""
LISTED_BAD_ROWS: Final = 1000
COPY_BYTES: Final = 1 << 20

Open = Callable[[], BinaryIO]


@dataclass
class BadRows:
    """Rows that were left out: all counted, the first thousand listed."""

    count: int = 0
    listed: list[dict[str, Any]] = field(default_factory=list)

    def see(self, bad: BadRow) -> None:
        """Count one."""
        self.count += 1
        if len(self.listed) < LISTED_BAD_ROWS:
            reason = text(
                f"应有 {bad.expected} 格，实有 {bad.found} 格", f"{bad.expected} cells expected, {bad.found} found"
            )
            self.listed.append({"line": bad.line, "reason": dict(reason)})


@dataclass(frozen=True)
class Upload:
    """A table to read once, and what was found out about its file."""

    reader: pa.RecordBatchReader
    format: str
    encoding: str | None
    delimiter: str | None
    bad_rows: BadRows


@contextmanager
def open_upload(filename: str, open_bytes: Open) -> Iterator[Upload]:
    """The upload as a typed table. ``open_bytes`` gives a fresh stream of the clear bytes each time.

    Raises masking.errors.DataError when it is no table, InvalidSubmission when it is too large for its format.
    """
    format_ = file_format(filename)
    if format_ in DELIMITED:
        yield _with_names(_delimited(format_, open_bytes))
        return
    with _in_memory(open_bytes) as path:
        yield _with_names(Upload(open_table(path, format=format_), format_, None, None, BadRows()))


def _with_names(upload: Upload) -> Upload:
    """The upload, if its columns have names: a file without a header would put a record into the catalogue."""
    values = [place for place, name in enumerate(upload.reader.schema.names, start=1) if looks_like_a_value(name)]
    if values:
        raise InvalidSubmission(
            text(
                f"第 {values[0]} 列的列名像是数据而不是名称：文件可能没有表头。请加上列名后重新上传。",
                f"The name of column {values[0]} looks like a value: the file may have no header. Add one and upload "
                "it again.",
            )
        )
    return upload


def _delimited(format_: str, open_bytes: Open) -> Upload:
    opened: Open = (lambda: _unpacked(open_bytes)) if format_ == "csv.gz" else open_bytes
    dialect = sniff(cast("BinaryIO", io.BufferedReader(_Again(opened), COPY_BYTES)))
    if format_ == "tsv":
        dialect = CsvDialect(dialect.encoding, "\t", dialect.bom)
    bad_rows = BadRows()
    types = infer_types(open_csv_strings(opened(), dialect, bad_rows.see))
    reader = cast_reader(open_csv_strings(opened(), dialect, _seen_already), types)
    return Upload(reader, format_, dialect.encoding, dialect.delimiter, bad_rows)


def _unpacked(open_bytes: Open) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(Gunzip(open_bytes()), BLOCK_BYTES))


def _seen_already(bad: BadRow) -> None:
    del bad


@contextmanager
def _in_memory(open_bytes: Open) -> Iterator[str]:
    """The clear bytes as a file that exists in memory only and ends with the block."""
    descriptor = os.memfd_create("upload", os.MFD_CLOEXEC)
    try:
        size = 0
        with open_bytes() as source, os.fdopen(os.dup(descriptor), "wb") as sink:
            while chunk := source.read(COPY_BYTES):
                size += len(chunk)
                if size > MEMORY_BYTES:
                    limit = MEMORY_BYTES >> 20
                    raise InvalidSubmission(
                        text(
                            f"该格式的文件不能超过 {limit} MB；请改用 CSV。",
                            f"A file of this format may have {limit} MB at most; send CSV instead.",
                        )
                    )
                sink.write(chunk)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


class _Again(io.RawIOBase):
    """A stream that can only be read forward, made to start again: enough for finding out the encoding."""

    def __init__(self, opened: Open) -> None:
        self._opened = opened
        self._stream = opened()
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset not in (0, self._position):
            raise io.UnsupportedOperation("this stream starts again or stays")
        if offset != self._position:
            self._stream.close()
            self._stream = self._opened()
            self._position = 0
        return offset

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
