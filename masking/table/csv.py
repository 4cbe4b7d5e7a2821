"""Delimited text: encoding and delimiter found, ragged rows reported by line number, everything read as text first."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How a delimited text is written."""

    encoding: str  # a Python codec: utf-8, gb18030, utf-16-le, utf-16-be
    delimiter: str  # one of , ; tab |
    bom: bool


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row with the wrong number of cells; its text is never held."""

    line: int  # from 1, the header is line 1; -1 where it cannot be known
    expected: int
    found: int


def sniff(source: str | Path | BinaryIO) -> CsvDialect:
    """Find encoding and delimiter from the first megabyte; a binary stream is left where it was (it must be seekable)."""
    raise NotImplementedError(str(source))


def open_csv_strings(
    stream: BinaryIO, dialect: CsvDialect, on_bad_row: Callable[[BadRow], None] | None = None
) -> pa.RecordBatchReader:
    """
    Stream a delimited text as columns of strings (an empty cell is null).

    ``on_bad_row`` gets each row with too few or too many cells, which is then left out; without it such a row is ``BadFile``.
    """
    raise NotImplementedError(str((stream, dialect, on_bad_row)))
