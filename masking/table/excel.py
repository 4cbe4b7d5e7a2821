"""
Spreadsheets: the first sheet of an xlsx file, read as text (identity numbers keep their zeros), typed by all values.

An xlsx file is a zip archive: it is unpacked once into nothing, with a limit, before a parser meets it.
"""

import datetime as dt
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import BadFile, UnsupportedColumn
from masking.table.frames import BATCH_ROWS
from masking.table.inference import cast_reader, infer_types

MAX_UNPACKED_BYTES = 400 << 20
MAX_MEMBERS = 2_000
MAX_ROWS = 1_048_575  # of Excel, below the header
MAX_CELL = 32_767
_FIXED_TIME = dt.datetime(2000, 1, 1)  # noqa: DTZ001  (the format has no zone; a fixed value keeps files equal)


def open_excel(path: Path, *, types: bool = True) -> pa.RecordBatchReader:
    """Stream the first sheet; its first row names the columns."""
    _check_archive(path)
    import fastexcel

    try:
        book = fastexcel.read_excel(path)
        sheet = book.load_sheet(0, header_row=None, dtypes="string")
        batch = pa.record_batch(sheet.to_arrow())
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        raise BadFile("the spreadsheet cannot be read") from None
    if not batch.num_rows or not batch.num_columns:
        raise BadFile("the first sheet is empty")
    table = _named(batch)
    if not types:
        return table.to_reader(max_chunksize=BATCH_ROWS)
    inferred = infer_types(table.to_reader(max_chunksize=BATCH_ROWS))
    return cast_reader(table.to_reader(max_chunksize=BATCH_ROWS), inferred)


def write_excel(reader: pa.RecordBatchReader, stream: BinaryIO) -> int:
    """Write one sheet in constant memory; text stays text, never a formula or a link."""
    import xlsxwriter

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": True,
    }
    book = xlsxwriter.Workbook(stream, options)
    book.set_properties({"created": _FIXED_TIME})
    sheet = book.add_worksheet("data")
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    sheet.write_row(0, 0, reader.schema.names)
    rows = 0
    try:
        for batch in reader:
            if rows + batch.num_rows > MAX_ROWS:
                raise UnsupportedColumn(f"a spreadsheet holds at most {MAX_ROWS} records; choose csv or parquet")
            columns = [_cells(column, name) for name, column in zip(batch.schema.names, batch.columns, strict=True)]
            formats = [
                day if pa.types.is_date(kind) else moment if pa.types.is_timestamp(kind) else None
                for kind in batch.schema.types
            ]
            # The writer takes cells one by one, row after row; this is the one format without columns.
            for offset, row in enumerate(zip(*columns, strict=True), start=rows + 1):
                for place, cell in enumerate(row):
                    _write_cell(sheet, offset, place, cell, formats[place])
            rows += batch.num_rows
    finally:
        book.close()
    return rows


def _write_cell(sheet: Any, row: int, column: int, cell: Any, style: Any) -> None:
    if cell is None:
        return
    if isinstance(cell, str):
        sheet.write_string(row, column, cell)
    elif style is not None:
        sheet.write_datetime(row, column, cell, style)
    else:
        sheet.write(row, column, cell)


def _cells(column: pa.Array, name: str) -> list[Any]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise UnsupportedColumn(f"a spreadsheet cannot hold {kind}", attribute=name)
    if pa.types.is_timestamp(kind):
        column = (pc.local_timestamp(column) if kind.tz else column).cast(pa.timestamp("us"), safe=False)
    elif pa.types.is_integer(kind) and pc.any(pc.greater(pc.abs_checked(column), 10**15)).as_py():
        column = column.cast(pa.string())  # a spreadsheet would round them
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        longest = pc.max(pc.utf8_length(column)).as_py() or 0
        if longest > MAX_CELL:
            raise UnsupportedColumn(f"a spreadsheet's cell holds at most {MAX_CELL} characters", attribute=name)
    return column.to_pylist()


def _named(batch: pa.RecordBatch) -> pa.Table:
    names = []
    for position, column in enumerate(batch.columns, start=1):
        name = (column[0].as_py() or "").strip() or f"column_{position}"
        if name in names:
            raise BadFile(f"column {position} has a name that another column has", line=1)
        names.append(name)
    columns = []
    for column in batch.columns:
        text = column.slice(1).cast(pa.string())
        text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
        columns.append(pc.replace_substring_regex(text, r"^([0-9]{4}-[0-9]{2}-[0-9]{2}) 00:00:00$", r"\1"))
    return pa.table(columns, names=names)


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED_BYTES:
                raise BadFile(f"the spreadsheet unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB; refused as a bomb")
            for member in members:
                for _ in _blocks(archive, member):
                    pass  # sizes in an archive may lie: the checksum at the end tells
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
        raise BadFile("the file is not an xlsx spreadsheet, or it is damaged") from None


def _blocks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(member) as stream:
        while block := stream.read(1 << 20):
            yield block
