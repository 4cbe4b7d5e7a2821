"""
Spreadsheets: the first sheet of an xlsx file, read as text (identity numbers keep their zeros), typed by all values.

The first row that holds anything names the columns; a record whose cells are all empty stays a record.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import BadFile, UnsupportedColumn
from masking.table.inference import TypeOf, cast_reader
from masking.table.sheets import open_workbook

MAX_ROWS = 1_048_575  # of Excel, below the header
MAX_CELL = 32_767
_EMPTY_CELLS = 1 << 24
_EMPTY_FOR_ONE = 256
"""A sheet may have that many empty cells, and so many more for each that holds something."""
_FIXED_TIME = dt.datetime(2000, 1, 1)  # noqa: DTZ001  (the format has no zone; a fixed value keeps files equal)


def open_excel(path: Path, *, types: bool = True) -> pa.RecordBatchReader:
    """Stream the first sheet: it is read once for its size, names and types and once for its records."""
    survey = _survey(path)
    schema = pa.schema([(name, pa.string()) for name in survey.names])

    def batches() -> Iterator[pa.RecordBatch]:
        with open_workbook(path) as book:
            for cells in book.batches():
                start = min(cells.rows, max(0, survey.row + 1 - cells.first))
                if start < cells.rows:
                    columns = [cells.column(survey.column + place, start) for place in range(len(schema))]
                    yield pa.RecordBatch.from_arrays(columns, schema=schema)

    records = pa.RecordBatchReader.from_batches(schema, batches())
    return cast_reader(records, survey.types) if types else records


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


@dataclass(frozen=True, slots=True)
class _Survey:
    """Where the table is (its header's row and first column, from 0), what its columns are called and hold."""

    row: int
    column: int
    names: list[str]
    types: dict[str, pa.DataType]


def _survey(path: Path) -> _Survey:
    row, found, rows = -1, 0, 0
    named: dict[int, str] = {}
    kinds: dict[int, TypeOf] = {}
    with open_workbook(path) as book:
        for cells in book.batches():
            places = cells.columns
            below = 0
            if places and row < 0:
                start = min(_first(cells.column(place)) for place in places)
                row, below = cells.first + start, start + 1
                named = {place: cells.column(place, start)[0].as_py() or "" for place in places}
            for place in places:
                values = cells.column(place, below) if below else cells.values(place)
                kinds.setdefault(place, TypeOf(pa.string())).add(values)
            found, rows = found + cells.count, cells.first + cells.rows
    if row < 0:
        raise BadFile("the first sheet is empty")
    first, last = min(kinds), max(kinds)
    if (last - first + 1) * rows > _EMPTY_CELLS + _EMPTY_FOR_ONE * found:
        raise BadFile("nearly all cells of the sheet are empty: a value stands far away from the table")
    names: list[str] = []
    types: dict[str, pa.DataType] = {}
    for position, place in enumerate(range(first, last + 1), start=1):
        name = named.get(place, "").strip() or f"column_{position}"
        if name in types:
            raise BadFile(f"column {position} has a name that another column has", line=row + 1)
        names.append(name)
        types[name] = kinds[place].type if place in kinds else pa.string()
    return _Survey(row, first, names, types)


def _first(column: pa.Array) -> int:
    return int(pc.index(pc.is_valid(column), pa.scalar(True)).as_py())
