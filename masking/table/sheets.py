"""
The first sheet of an xlsx file as a stream of text columns, in memory that does not grow with the sheet.

An xlsx file is a zip archive of XML parts (ECMA-376, part 1, 18). A part is parsed as it is unpacked; document types
and so entities are refused, sizes are limited, and a cell's place counts only within Excel's own bounds. What is held
is a batch of cells and the shared strings.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol
from xml.parsers import expat

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import BadFile
from masking.table.guard import EXPANSION_FLOOR_BYTES, MAX_EXPANSION, MAX_ROW_BYTES

MAX_MEMBERS: Final = 2_000
MAX_UNPACKED_BYTES: Final = 4 << 30
MAX_SHARED_BYTES: Final = 256 << 20
MAX_ROWS: Final = 1 << 20
MAX_COLUMNS: Final = 1 << 14
_BLOCK_BYTES: Final = 1 << 18
_DAMAGED: Final = "the file is not an xlsx spreadsheet, or it is damaged"
_BATCH_ROWS: Final = 1 << 14
_DATES: Final = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])
"""Number formats of dates and times (18.8.30)."""
_SPELLED: Final = re.compile(r'"[^"]*"|\\.|_.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_PLACE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")


class Handler(Protocol):
    """What is done with the elements of a part; names come without prefix."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str, text: str) -> None:
        """An element ends; ``text`` is what stood in it since the last element began."""


class Workbook:
    """An open file: its shared strings and the place and dates of its first sheet."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        book, links, styles = _Book(), _Links(), _Styles()
        self._parse("xl/workbook.xml", book)
        self._parse("xl/_rels/workbook.xml.rels", links)
        names = set(archive.namelist())
        if "xl/styles.xml" in names:
            self._parse("xl/styles.xml", styles)
        if book.sheet is None or book.sheet not in links.targets:
            raise BadFile(_DAMAGED)
        target = links.targets[book.sheet]
        self._sheet = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        self._dates, self._since_1904 = styles.dates(), book.since_1904
        self._shared = pa.array([], pa.string())
        if "xl/sharedStrings.xml" in names:
            strings = _SharedStrings()
            self._parse("xl/sharedStrings.xml", strings)
            self._shared = strings.array()

    def batches(self) -> Iterator["Cells"]:
        """The cells of the sheet, some thousand rows at a time; rows and columns count from 0."""
        sheet = _Sheet(self._dates)
        for _ in self._blocks(self._sheet, sheet):
            if sheet.row - sheet.first >= _BATCH_ROWS:
                yield sheet.cells(self._shared, self._since_1904, end=sheet.row)
        yield sheet.cells(self._shared, self._since_1904, end=sheet.row + 1)

    def _parse(self, name: str, handler: Handler) -> None:
        for _ in self._blocks(name, handler):
            pass

    def _blocks(self, name: str, handler: Handler) -> Iterator[None]:
        """Parse a part block by block; what the handler made so far may be used between two of them."""
        parser, texts = _parser(handler)
        try:
            with self._archive.open(name) as stream:
                while block := stream.read(_BLOCK_BYTES):
                    parser.Parse(block, False)
                    if len(texts) > 1 and sum(map(len, texts)) > MAX_ROW_BYTES:
                        raise BadFile(f"a cell is longer than {MAX_ROW_BYTES >> 20} MiB")
                    yield
            parser.Parse(b"", True)
        except (expat.ExpatError, zipfile.BadZipFile, zlib.error, NotImplementedError, LookupError, EOFError):
            raise BadFile(_DAMAGED) from None
        except (RuntimeError, ValueError):
            raise BadFile(_DAMAGED) from None
        yield


@contextmanager
def open_workbook(path: Path) -> Iterator[Workbook]:
    """
    Open a file after looking at its directory.

    Raises:
        BadFile: not such a file, damaged, or it unpacks to more than is believed.

    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError):
        raise BadFile(_DAMAGED) from None
    with archive:
        members = archive.infolist()
        size, packed = sum(each.file_size for each in members), sum(each.compress_size for each in members)
        if len(members) > MAX_MEMBERS or size > MAX_UNPACKED_BYTES:
            raise BadFile(f"the spreadsheet unpacks to more than {MAX_UNPACKED_BYTES >> 30} GiB; refused as a bomb")
        if size > EXPANSION_FLOOR_BYTES and size > MAX_EXPANSION * packed:
            raise BadFile(f"the spreadsheet expands more than {MAX_EXPANSION} times; it is refused as a bomb")
        yield Workbook(archive)


class Cells:
    """The values of some rows: by column, the rows that have one and the text."""

    def __init__(self, first: int, rows: int, columns: dict[int, tuple[npt.NDArray[np.int64], pa.Array]]) -> None:
        self.first = first
        self.rows = rows
        self._columns = columns

    @property
    def columns(self) -> list[int]:
        """Columns that have a value."""
        return sorted(self._columns)

    def values(self, place: int) -> pa.Array:
        """The texts that a column has, without the empty cells between."""
        return self._columns[place][1]

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(len(rows) for rows, _ in self._columns.values())

    def column(self, place: int, start: int = 0) -> pa.Array:
        """The texts of a column from row ``start`` (of this batch) on; null where there is none."""
        count = self.rows - start
        if place not in self._columns:
            return pa.nulls(count, pa.string())
        rows, texts = self._columns[place]
        source = np.full(self.rows, -1, dtype=np.int64)
        source[rows] = np.arange(len(rows))
        source = source[start:]
        return texts.take(pa.array(source, mask=source < 0))


def _parser(handler: Handler) -> tuple[Any, list[str]]:
    """An expat parser that knows no document type, and the pieces of text that it has seen since the last element."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    texts: list[str] = []

    def refuse(*_: object) -> None:
        raise BadFile("the spreadsheet declares a document type; it is refused")

    def start(name: str, attributes: dict[str, str]) -> None:
        if texts:
            texts.clear()
        handler.start(name, attributes)

    def end(name: str) -> None:
        if texts:
            handler.end(name, texts[0] if len(texts) == 1 else "".join(texts))
            texts.clear()
        else:
            handler.end(name, "")

    def first(name: str, attributes: dict[str, str]) -> None:
        """The root tells whether the names of this part have a prefix."""
        if ":" in name:
            skip = name.index(":") + 1
            parser.StartElementHandler = lambda name, attributes: start(name[skip:], attributes)
            parser.EndElementHandler = lambda name: end(name[skip:])
            name = name[skip:]
        else:
            parser.StartElementHandler = start
        start(name, attributes)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = first
    parser.EndElementHandler = end
    parser.CharacterDataHandler = texts.append
    return parser, texts


class _Book:
    sheet: str | None = None
    since_1904 = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sheet" and self.sheet is None:
            self.sheet = next((value for key, value in attributes.items() if key.endswith(":id")), None)
        elif name == "workbookPr":
            self.since_1904 = attributes.get("date1904") in ("1", "true")

    def end(self, name: str, text: str) -> None:
        """Nothing is read from texts."""


class _Links:
    def __init__(self) -> None:
        self.targets: dict[str, str] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship":
            self.targets[attributes.get("Id", "")] = attributes.get("Target", "")

    def end(self, name: str, text: str) -> None:
        """Nothing is read from texts."""


class _Styles:
    def __init__(self) -> None:
        self._formats: dict[int, str] = {}
        self._used: list[int] = []
        self._inside = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt":
            self._formats[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._inside = True
        elif name == "xf" and self._inside:
            self._used.append(int(attributes.get("numFmtId", "0")))

    def end(self, name: str, text: str) -> None:
        del text
        if name == "cellXfs":
            self._inside = False

    def dates(self) -> frozenset[str]:
        """Styles under which a number is a date."""
        return frozenset(str(place) for place, number in enumerate(self._used) if self._is_date(number))

    def _is_date(self, number: int) -> bool:
        if number not in self._formats:
            return number in _DATES
        code = _SPELLED.sub("", self._formats[number].split(";")[0])
        return "General" not in code and any(letter in "ymdhsYMDHS" for letter in code)


class _SharedStrings:
    """All texts of the part, in order; phonetic hints are none of it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._texts: list[str] = []
        self._arrays: list[pa.Array] = []
        self._bytes = 0
        self._phonetic = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        del attributes
        if name == "si":
            self._parts = []
        elif name == "rPh":
            self._phonetic = True

    def end(self, name: str, text: str) -> None:
        if name == "t" and not self._phonetic:
            self._parts.append(text)
        elif name == "rPh":
            self._phonetic = False
        elif name == "si":
            self._texts.append("".join(self._parts))
            if len(self._texts) >= _BATCH_ROWS:
                self._flush()

    def array(self) -> pa.Array:
        """The texts."""
        self._flush()
        return pa.concat_arrays(self._arrays)

    def _flush(self) -> None:
        self._arrays.append(pa.array(self._texts, pa.string()))
        self._bytes += self._arrays[-1].nbytes
        self._texts = []
        if self._bytes > MAX_SHARED_BYTES:
            raise BadFile(f"the spreadsheet holds more than {MAX_SHARED_BYTES >> 20} MiB of different texts")


class _Sheet:
    """Collects cells: by column, rows and values of three kinds (texts, places of shared strings, dates)."""

    def __init__(self, dates: frozenset[str]) -> None:
        self.first = 0  # row that the batch begins with
        self.row = -1
        self._dates = dates
        self._number = ""  # of the row, as places spell it
        self._column = -1
        self._kind = ""
        self._style = ""
        self._text = ""
        self._found = False
        self._phonetic = False
        self._kept: tuple[dict[int, Any], dict[int, Any], dict[int, Any]] = ({}, {}, {})
        self._letters: dict[str, int] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            place = attributes.get("r")
            self._column = self._column + 1 if place is None else self._placed(place)
            self._kind = attributes.get("t", "n")
            self._style = attributes.get("s", "")
            self._text, self._found = "", False
        elif name == "row":
            row = int(attributes["r"]) - 1 if "r" in attributes else self.row + 1
            if not self.row < row < MAX_ROWS:
                raise BadFile("the rows of the sheet are not in order, or too many")
            self.row, self._number, self._column = row, str(row + 1), -1
        elif name == "rPh":
            self._phonetic = True

    def end(self, name: str, text: str) -> None:
        if name == "v" or (name == "t" and not self._phonetic):
            self._text, self._found = self._text + text if name == "t" else text, True
        elif name == "c":
            if self._found and self._kind != "e":
                self._keep()
        elif name == "rPh":
            self._phonetic = False

    def cells(self, shared: pa.Array, since_1904: bool, *, end: int) -> Cells:
        """The cells of the rows before ``end``, which are not held any longer; the row ``end`` may be half read."""
        rest: tuple[dict[int, Any], dict[int, Any], dict[int, Any]] = ({}, {}, {})
        columns: dict[int, tuple[list[Any], list[pa.Array]]] = {}
        for kind, kept in enumerate(self._kept):
            for column, (rows, values) in kept.items():
                count = len(rows)
                if rows[-1] >= end:
                    rest[kind][column] = ([rows[-1]], [values[-1]])
                    count -= 1
                if not count:
                    continue
                made = _texts(kind, values[:count], shared, since_1904)
                into = columns.setdefault(column, ([], []))
                into[0].append(np.array(rows[:count], dtype=np.int64) - self.first)
                into[1].append(made)
        cells = Cells(
            self.first,
            max(0, end - self.first),
            {column: (np.concatenate(rows), pa.concat_arrays(made)) for column, (rows, made) in columns.items()},
        )
        self.first, self._kept = end, rest
        return cells

    def _placed(self, place: str) -> int:
        column = self._letters.get(place.removesuffix(self._number))
        if column is None:
            column = self._new_letters(place)
        if column <= self._column:
            raise BadFile("the cells of a row are not in order")
        return column

    def _new_letters(self, place: str) -> int:
        found = _PLACE.fullmatch(place)
        if found is None or found[2] != self._number:
            raise BadFile("a cell of the sheet is not where it says")
        number = 0
        for letter in found[1]:
            number = number * 26 + ord(letter) - 64
        if number > MAX_COLUMNS:
            raise BadFile(f"the sheet has more than {MAX_COLUMNS} columns")
        self._letters[found[1]] = number - 1
        return number - 1

    def _keep(self) -> None:
        kind, text = self._kind, self._text
        if not text:
            return
        place: int = 0
        value: Any = text
        if kind == "n":
            dated = self._style in self._dates
            place, value = (2, float(text)) if dated else (0, _number(text))
        elif kind == "s":
            place, value = 1, int(text)
        elif kind == "b":
            value = _BOOLEANS.get(text, text)
        kept = self._kept[place]
        if self._column not in kept:
            kept[self._column] = ([], [])
        rows, values = kept[self._column]
        rows.append(self.row)
        values.append(value)


_BOOLEANS: Final = {"0": "false", "1": "true"}


def _number(text: str) -> str:
    """A number as plainly as it can be written: 5 rather than 5.0."""
    if _WHOLE.fullmatch(text):
        return text
    number = float(text)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _texts(kind: int, values: list[Any], shared: pa.Array, since_1904: bool) -> pa.Array:
    if kind == 0:
        return pa.array(values, pa.string())
    if kind == 1:
        places = np.array(values, dtype=np.int64)
        if places.min() < 0 or places.max() >= len(shared):
            raise BadFile("the spreadsheet is damaged: it names texts that it does not hold")
        return pc.if_else(pc.equal(taken := shared.take(pa.array(places)), ""), pa.scalar(None, pa.string()), taken)
    return _dates(np.array(values, dtype=np.float64), since_1904)


def _dates(serial: npt.NDArray[np.float64], since_1904: bool) -> pa.Array:
    """Days since 1900 (which Excel takes for a leap year) or 1904 as ISO text: a date, a moment, or a time of day."""
    if not np.isfinite(serial).all() or (np.abs(serial) > 3e6).any():
        raise BadFile("a date of the spreadsheet is none")
    days = serial + 1462 if since_1904 else serial + (serial < 60)
    moments = np.datetime64("1899-12-30T00:00:00") + np.round(days * 86_400).astype(np.int64).astype("m8[s]")
    texts = pa.array(moments.astype("M8[s]")).cast(pa.string())
    texts = pc.replace_substring_regex(texts, r" 00:00:00$", "")
    times = pc.utf8_slice_codeunits(pa.array(moments.astype("M8[s]")).cast(pa.string()), 11, 19)
    return pc.if_else(pa.array((serial >= 0) & (serial < 1)), times, texts)


__all__ = ["Cells", "Workbook", "open_workbook"]
