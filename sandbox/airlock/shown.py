"""Tables that were shown before, read back as typed tables so that new ones can be compared with them.

Pure: texts in, tables out.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.airlock.roles import ColumnRole
from sandbox.airlock.typed import TypedTable, digest, typed_tables
from sandbox.contracts import Cell, ColumnType, ParsedColumn, ParsedFile, ParsedOutput

_INTEGER: Final = re.compile(r"-?\d{1,15}")
_NUMBER: Final = re.compile(r"-?\d{1,15}(\.\d+)?")


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table that somebody may hold. ``source`` names the exposure: kind, short id, file.

    ``released`` ones are rounded as the airlock rounds; the numbers of others are taken at their word.
    """

    source: str
    table: TypedTable
    released: bool = True


def read_table(name: str, content: bytes, *, attributes: frozenset[str]) -> TypedTable | None:
    """A canonical (or published) CSV as a typed table; None when there is nothing in it."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    if len(rows) < 2:
        return None
    width = len(rows[0])
    return table_of(name, rows[0], [row for row in rows[1:] if len(row) == width], attributes=attributes)


def table_of(
    name: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, attributes: frozenset[str]
) -> TypedTable | None:
    """Texts as a typed table: whole numbers, numbers, words; empty is null."""
    types = [_type([row[i] for row in rows]) for i in range(len(header))]
    parsed = ParsedFile(
        name=name,
        kind="table",
        bytes=0,
        sha256=digest(b""),
        columns=tuple(ParsedColumn(each, kind) for each, kind in zip(header, types, strict=True)),
        rows=tuple(tuple(_cell(text, kind) for text, kind in zip(row, types, strict=True)) for row in rows),
    )
    return next(iter(typed_tables(ParsedOutput((parsed,)), attributes=attributes, shape=None)), None)


def variables_of(table: TypedTable) -> frozenset[str]:
    """The grouping variables, as names are compared."""
    return frozenset(column.name.casefold() for column in table.columns if column.role is ColumnRole.DIMENSION)


def _type(texts: Sequence[str]) -> ColumnType:
    given = [text for text in texts if text]
    if given and all(_INTEGER.fullmatch(text) for text in given):
        return "integer"
    return "number" if given and all(_NUMBER.fullmatch(text) for text in given) else "string"


def _cell(text: str, kind: ColumnType) -> Cell:
    if not text:
        return None
    return int(text) if kind == "integer" else float(text) if kind == "number" else text
