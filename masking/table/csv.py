"""
Delimited text: encoding and delimiter found, ragged rows reported by line number, everything read as text first.

An empty cell is null, quoted or not. A header without a name gets ``column_<position>``.
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from masking.errors import BadFile
from masking.table.guard import BLOCK_BYTES, MAX_ROW_BYTES, GuardedText, Gunzip

DELIMITERS = (",", "\t", ";", "|")
MAX_COLUMNS = 10_000
MAX_HEADER_BYTES = 1 << 20
_SAMPLE_BYTES = 1 << 20
_SAMPLE_ROWS = 200
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How a delimited text is written."""

    encoding: str  # a Python codec: utf-8, gb18030, utf-16-le, utf-16-be
    delimiter: str  # one of , tab ; |
    bom: bool


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row with the wrong number of cells; its text is never held."""

    line: int  # from 1, the header is line 1
    expected: int
    found: int


def sniff(source: str | Path | BinaryIO) -> CsvDialect:
    """
    Find encoding and delimiter. A binary stream must be seekable and is left where it was; a ``.gz`` path is unpacked.

    The encoding is decided by all bytes (a file may be ASCII for a million lines and then turn Chinese), the delimiter
    by the first rows.

    Raises:
        BadFile: empty, or text in none of UTF-8, GB 18030 and UTF-16.

    """
    if isinstance(source, str | Path):
        with Path(source).open("rb") as stream:
            if str(source).endswith(".gz"):
                return _sniffed(lambda: _rewound_gzip(stream))
            return _sniffed(lambda: _rewound(stream, 0))
    start = source.tell()
    try:
        return _sniffed(lambda: _rewound(source, start))
    finally:
        source.seek(start)


def open_csv_strings(
    stream: BinaryIO, dialect: CsvDialect, on_bad_row: Callable[[BadRow], None] | None = None
) -> pa.RecordBatchReader:
    """
    Stream a delimited text as columns of strings (an empty cell is null).

    ``on_bad_row`` gets each row with too few or too many cells, which is then left out; without it such a row is
    ``BadFile``. Memory: a few blocks of 8 MiB, however long the file is.

    Raises:
        BadFile: no header, two columns of one name, a NUL, a line over 8 MiB, bytes outside the encoding, a ragged row.

    """
    guard = GuardedText(stream, dialect.encoding)
    header, first_line = _header(guard, dialect.delimiter)
    schema = pa.schema([(name, pa.string()) for name in header])
    return pa.RecordBatchReader.from_batches(schema, _batches(guard, dialect, schema, first_line, on_bad_row))


def _batches(
    guard: GuardedText,
    dialect: CsvDialect,
    schema: pa.Schema,
    header_rows: int,
    on_bad_row: Callable[[BadRow], None] | None,
) -> Iterator[pa.RecordBatch]:
    ragged: list[BadRow] = []

    def handle(row: pacsv.InvalidRow) -> str:
        line = guard.line_of_row(header_rows + (row.number or 0), blank_lines_are_rows=len(schema) == 1)
        ragged.append(BadRow(line, row.expected_columns, row.actual_columns))
        return "skip"

    def report() -> None:
        for bad in ragged:
            if on_bad_row is None:
                raise BadFile(f"{bad.found} cells where the header has {bad.expected}", line=bad.line)
            on_bad_row(bad)
        ragged.clear()

    try:
        first = guard.read(1)
        if not first:
            return
        guard.push_back(first)
        batches = pacsv.open_csv(
            pa.PythonFile(io.BufferedReader(guard, BLOCK_BYTES), mode="r"),
            # Row numbers are known in single-threaded mode only.
            read_options=pacsv.ReadOptions(use_threads=False, block_size=MAX_ROW_BYTES, column_names=schema.names),
            parse_options=pacsv.ParseOptions(
                delimiter=dialect.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=len(schema) > 1,  # in one column an empty line is an empty cell
                invalid_row_handler=handle,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=schema, null_values=[""], strings_can_be_null=True, check_utf8=False
            ),
        )
        held: pa.RecordBatch | None = None  # the last batch may end in an unclosed quote, known only at the end
        for batch in batches:
            report()
            if held is not None:
                yield held
                held = None
            if batch.num_rows:
                held = batch
        report()
        if held is not None:
            if guard.quotes_are_odd and _last_row_has_breaks(held):
                raise BadFile("a quote is opened and never closed", line=guard.row_line)  # noqa: TRY301
            yield held
    except BadFile:
        raise
    except pa.ArrowException as error:
        report()
        # Arrow's message may quote the row: only its kind is used.
        if "straddling" in str(error) or "block" in str(error):
            raise BadFile(f"a row is longer than {MAX_ROW_BYTES >> 20} MiB; a quote may not be closed") from None
        raise BadFile("the text cannot be read as a table") from None


def _last_row_has_breaks(batch: pa.RecordBatch) -> bool:
    return any("\n" in (column[-1].as_py() or "") for column in batch.columns)


def _header(guard: GuardedText, delimiter: str) -> tuple[list[str], int]:
    """Read the header's row and leave the stream behind it; returns the names and 1."""
    text = b""
    end = -1
    while end < 0:
        block = guard.read(BLOCK_BYTES)
        if not block:
            end = len(text)
            break
        text += block
        end = _row_end(text)
        if end < 0 and len(text) > MAX_HEADER_BYTES:
            raise BadFile("the header is longer than 1 MiB; a quote may not be closed", line=1)
    row, rest = text[:end], text[end:]
    guard.push_back(rest)
    if not row.strip():
        raise BadFile("the first line must name the columns; it is empty", line=1)
    cells = next(csv.reader(io.StringIO(row.decode(), newline=""), delimiter=delimiter))
    if len(cells) > MAX_COLUMNS:
        raise BadFile(f"more than {MAX_COLUMNS} columns", line=1)
    names = [cell.strip() or f"column_{position}" for position, cell in enumerate(cells, start=1)]
    repeated = [position for position, name in enumerate(names, start=1) if name in names[: position - 1]]
    if repeated:
        raise BadFile(f"columns {repeated[:10]} have a name that another column has", line=1)
    return names, 1


def _row_end(text: bytes) -> int:
    """Position behind the first line break that is not inside quotes, or -1."""
    flat = np.frombuffer(text, dtype=np.uint8)
    quotes = np.flatnonzero(flat == 34)
    ends = np.flatnonzero(flat == 10)
    outside = ends[np.searchsorted(quotes, ends) % 2 == 0]
    if len(outside):
        return int(outside[0]) + 1
    carriage = text.find(b"\r")
    return carriage + 1 if 0 <= carriage < len(text) - 1 and not len(ends) else -1


def _sniffed(opened: Callable[[], BinaryIO]) -> CsvDialect:
    sample = opened().read(_SAMPLE_BYTES)
    if not sample:
        raise BadFile("the file is empty")
    for mark, encoding in _BOMS:
        if sample.startswith(mark):
            return CsvDialect(encoding, _delimiter(sample, encoding), bom=True)
    encoding = _utf16_without_mark(sample) or _first_that_decodes(opened)
    return CsvDialect(encoding, _delimiter(sample, encoding), bom=False)


def _utf16_without_mark(sample: bytes) -> str | None:
    """UTF-16 shows by NULs in every other byte of its delimiters and line breaks."""
    pairs = len(sample) // 2
    if not pairs or b"\0" not in sample:
        return None
    little, big = sample[1::2].count(0), sample[0::2].count(0)
    if little > 0.2 * pairs and big < 0.01 * pairs:
        return "utf-16-le"
    if big > 0.2 * pairs and little < 0.01 * pairs:
        return "utf-16-be"
    return None


def _first_that_decodes(opened: Callable[[], BinaryIO]) -> str:
    line = 1
    for encoding in ("utf-8", "gb18030"):
        stream, line = opened(), 1
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        try:
            while block := stream.read(BLOCK_BYTES):
                decoder.decode(block)
                line += block.count(b"\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            line += block[: error.start].count(b"\n")
            continue
        return encoding
    raise BadFile("the text is neither UTF-8, GB 18030 nor UTF-16", line=line)


def _delimiter(sample: bytes, encoding: str) -> str:
    """The delimiter under which most rows have the header's number of cells, more than one."""
    text = sample.decode(encoding, errors="replace").removeprefix("\ufeff").replace("\0", "")
    lines = text.splitlines(keepends=True)[: _SAMPLE_ROWS + 1]
    if len(lines) > 1:
        lines = lines[:-1]  # the sample may have cut it
    best, score = ",", 0.0
    for delimiter in DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        except csv.Error:
            continue
        if not widths or widths[0] < 2:
            continue
        agreement = sum(width == widths[0] for width in widths) / len(widths) + widths[0] / 1e6
        if agreement > score:
            best, score = delimiter, agreement
    return best


def _rewound(stream: BinaryIO, start: int) -> BinaryIO:
    stream.seek(start)
    return stream


def _rewound_gzip(stream: BinaryIO) -> BinaryIO:
    stream.seek(0)
    return io.BufferedReader(Gunzip(stream), BLOCK_BYTES)
