"""Numbers written for people, as 12.3 %, 1,234 or <10: such columns of text become numbers before they are checked.

A share written with a sign becomes a fraction, unless the column's name says that it is per cent; what is hidden as a
small count becomes empty. So text holds no number that the checks of numbers do not see. Pure.
Source: PRIVACY.md 16.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from sandbox.airlock.roles import scale_named
from sandbox.contracts import Cell, ColumnType, ParsedColumn, ParsedFile

_PERCENT: Final = re.compile(r"(-?\d{1,7}(?:\.\d{1,12})?)\s?[%％]")
_NUMBER: Final = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|0|[1-9]\d{0,14})(?:\.\d{1,12})?")
_SMALL: Final = r"[<＜≤]\s?=?\s?\d{1,3}|不足\s?\d{1,3}"
_HIDDEN: Final = re.compile(rf"{_SMALL}|\*{{1,3}}|-{{1,2}}|—|–|…|\.{{2,3}}|隐藏|suppressed|redacted", re.IGNORECASE)


def as_numbers(file: ParsedFile) -> ParsedFile:
    """The table with such columns as numbers."""
    columns, changed = list(file.columns), {}
    for place, column in enumerate(file.columns):
        if column.type == "string":
            made = _read([row[place] for row in file.rows], scale_named(column.name) == 100)
            if made is not None:
                columns[place] = ParsedColumn(column.name, made[0])
                changed[place] = made[1]
    if not changed:
        return file
    rows = tuple(
        tuple(changed[place][number] if place in changed else cell for place, cell in enumerate(row))
        for number, row in enumerate(file.rows)
    )
    return replace(file, columns=tuple(columns), rows=rows)


def _read(cells: Sequence[Cell], in_percent: bool) -> tuple[ColumnType, list[Cell]] | None:
    texts = {str(cell).strip() for cell in set(cells) if cell is not None}
    full = [text for text in texts if not _HIDDEN.fullmatch(text)]
    if not full or len(full) * 2 < len(texts):
        return None
    if all(_PERCENT.fullmatch(text) for text in full):
        return "number", [_number(cell, per=1 if in_percent else 100) for cell in cells]
    grouped = any("," in text for text in full) or len(full) < len(texts)
    if not grouped or not all(_NUMBER.fullmatch(text) for text in full):
        return None
    values: list[Cell] = [_number(cell, per=1) for cell in cells]
    if any(isinstance(value, float) for value in values):
        return "number", [None if value is None else float(value) for value in values]
    return "integer", values


def _number(cell: Cell, *, per: int) -> int | float | None:
    text = "" if cell is None else str(cell).strip().rstrip("%％ ").replace(",", "")
    if not text or _HIDDEN.fullmatch(str(cell).strip()):
        return None
    value = Decimal(text) / per
    return int(value) if per == 1 and "." not in text else float(value)
