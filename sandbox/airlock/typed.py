"""Outputs as typed tables in canonical form: what is checked, voted on and released, byte for byte.

Source: PRIVACY.md 16. Column roles come from names and types, never from the author's word; numbers keep at most
three significant digits; rows are sorted; file names that the dry run did not show are replaced. So neither order,
spelling nor low digits can carry a message past the people who vote.

Pure: parsed files in, tables and bytes out.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sandbox.airlock.digits import significant
from sandbox.airlock.keys import columns_of, distinct_rows
from sandbox.airlock.roles import ColumnRole, TypedColumn, is_bound, is_estimate, is_label
from sandbox.airlock.written import as_numbers
from sandbox.contracts import Cell, ParsedOutput

EXECUTED_NOTEBOOK: Final = "executed.ipynb"
MOST_FOLLOWED: Final = 12
"""Columns of labels of which is kept how they follow one another in the dry run."""
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}")
_TOTAL_LABELS: Final = frozenset({"total", "all", "sum", "合计", "总计", "全部", "全体", "小计"})
_TOTAL_STARTS: Final = frozenset(
    {start for label in _TOTAL_LABELS for start in (label[0], label[0].upper())}
    | {space for space in map(chr, range(0x3001)) if space.isspace()}
)
"""What such a label can begin with: asked first, because every cell of an output is asked."""


class TableKind(StrEnum):
    """Registered output kinds, and everything else."""

    FREQUENCY = "frequency"
    MAGNITUDE = "magnitude"
    MODEL = "model"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class TypedTable:
    """One output table. ``rows`` are as the job wrote them; only `canonical_csv` may leave."""

    name: str
    original_name: str
    kind: TableKind
    columns: tuple[TypedColumn, ...]
    rows: tuple[tuple[Cell, ...], ...] = field(repr=False)
    bytes: int = 0
    named: frozenset[int] = frozenset()
    """Columns that have the name of a raw column."""
    numbered: frozenset[int] = frozenset()
    """Columns of whole numbers that only number classes, bins or places."""
    kept: dict[tuple[str, int], tuple[Any, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Columns, and what checks make of them more than once; it goes when the table goes."""

    def indexes(self, *roles: ColumnRole) -> tuple[int, ...]:
        """Positions of the columns of these roles."""
        return tuple(i for i, column in enumerate(self.columns) if column.role in roles)

    @property
    def cells(self) -> int:
        """Rows times columns."""
        return len(self.rows) * len(self.columns)

    def column(self, index: int) -> tuple[Cell, ...]:
        """The cells of one column."""
        cells = self.kept.get(("cells", index))
        if cells is None:
            cells = self.kept["cells", index] = tuple([row[index] for row in self.rows])
        return cells


@dataclass(frozen=True, slots=True)
class Shape:
    """What the dry run's output looked like: names that may be kept because they cannot come from raw data.

    Maps a file's name to its columns and, for each column, the labels seen; a figure's name to its words.
    ``follows``: for columns of labels that no group needs, which other column each follows there and how.
    """

    files: Mapping[str, Mapping[str, frozenset[str]]]
    figures: Mapping[str, str] = field(default_factory=dict)
    follows: Mapping[str, Mapping[str, Mapping[str, Mapping[str, str]]]] = field(default_factory=dict)

    def to_json(self) -> list[dict[str, Any]]:
        """For the job's row."""
        tables = [
            {
                "name": name,
                "columns": [{"name": c, "labels": sorted(labels)} for c, labels in columns.items()],
                **({"follows": self.follows[name]} if self.follows.get(name) else {}),
            }
            for name, columns in self.files.items()
        ]
        return tables + [{"name": name, "figure": words} for name, words in self.figures.items()]

    @classmethod
    def from_json(cls, given: Iterable[Mapping[str, Any]] | None) -> Shape:
        """Read what `to_json` wrote."""
        files = list(given or ())
        return cls(
            {f["name"]: {c["name"]: frozenset(c["labels"]) for c in f["columns"]} for f in files if "columns" in f},
            {f["name"]: f["figure"] for f in files if "figure" in f},
            {f["name"]: f["follows"] for f in files if "follows" in f},
        )

    @property
    def column_names(self) -> frozenset[str]:
        """All column names of all files."""
        return frozenset(name for columns in self.files.values() for name in columns)

    def columns_of(self, file: str) -> list[str]:
        """Column names of one file in the dry run's order."""
        return list(self.files.get(file, {}))


def shape_of(tables: Sequence[TypedTable], *, max_labels: int, figures: Mapping[str, str] | None = None) -> Shape:
    """The shape of the dry run's tables, and the words of its figures by name."""
    files: dict[str, Mapping[str, frozenset[str]]] = {}
    follows: dict[str, Mapping[str, Mapping[str, Mapping[str, str]]]] = {}
    for table in tables:
        columns: dict[str, frozenset[str]] = {}
        for i, column in enumerate(table.columns):
            labels = {str(c) for c in table.column(i) if c is not None} if is_label(column) else set()
            columns[column.name] = frozenset(sorted(labels)[:max_labels])
        files[table.original_name] = columns
        follows[table.original_name] = _follows(table, max_labels)
    return Shape(files, dict(figures or {}), {name: found for name, found in follows.items() if found})


def key_columns(table: TypedTable, kept: Collection[int] = ()) -> tuple[int, ...]:
    """The columns of labels without which rows would repeat; ``kept`` stay whether needed or not.

    Others are left out from the right, as long as no two rows become one.
    """
    keys = list(table.indexes(ColumnRole.DIMENSION))
    if distinct_rows(table.rows, keys) < len(table.rows):
        return tuple(keys)
    for index in reversed(table.indexes(ColumnRole.DIMENSION)):
        rest = [key for key in keys if key != index]
        if index not in kept and rest and distinct_rows(table.rows, rest) == len(table.rows):
            keys = rest
    return tuple(keys)


def is_total(cell: Cell) -> bool:
    """Whether a label marks a row of totals."""
    return isinstance(cell, str) and cell[:1] in _TOTAL_STARTS and cell.strip().casefold() in _TOTAL_LABELS


def typed_tables(output: ParsedOutput, *, attributes: Collection[str], shape: Shape | None) -> list[TypedTable]:
    """The tables of an output, in the order of their names, with roles and released names.

    ``attributes`` are the names of the raw tables' columns: an integer column of that name is a group key.
    ``shape`` is the dry run's; None while making it. A name it does not know becomes ``table-01.csv``.
    """
    tables: list[TypedTable] = []
    files = sorted((f for f in output.files if f.kind == "table"), key=lambda f: f.name)
    for number, file in enumerate(map(as_numbers, files), 1):
        columns, numbered = columns_of(file, attributes)
        columns = _with_bounds(columns)
        stem = file.name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        known = shape is None or file.name in shape.files
        name = f"{stem}.csv" if known and _PLAIN_NAME.fullmatch(stem) else f"table-{number:02d}.csv"
        if any(name == table.name for table in tables):
            name = f"table-{number:02d}.csv"
        tables.append(
            TypedTable(
                name=name,
                original_name=file.name,
                kind=_kind(columns),
                columns=columns,
                rows=file.rows,
                bytes=file.bytes,
                named=frozenset(place for place, column in enumerate(columns) if column.name in attributes),
                numbered=numbered,
            ),
        )
    return tables


def canonical_csv(table: TypedTable, *, digits: int, order: Sequence[str] = ()) -> bytes:
    """The released bytes: UTF-8, lines end in LF, columns as in the dry run (else by role and name), rows sorted.

    Labels stay as they are; counts and measures keep ``digits`` significant digits; null is empty.
    """
    positions = _column_order(table, order)
    columns = [_texts(table, i, digits) for i in positions]
    rows = list(zip(*columns, strict=True)) if table.rows else []
    keys = [_ranks(columns[place]) for place, i in enumerate(positions) if is_label(table.columns[i])]
    ranked = list(zip(*keys, rows, strict=True)) if rows else []
    ranked.sort()
    rows = [row[-1] for row in ranked]
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow([table.columns[i].name for i in positions])
    writer.writerows(rows)
    return sink.getvalue().encode()


def canonical_rows(content: bytes) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a canonical CSV, for showing it."""
    rows = list(csv.reader(io.StringIO(content.decode())))
    return (rows[0], rows[1:]) if rows else ([], [])


def digest(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def _follows(table: TypedTable, max_labels: int) -> dict[str, dict[str, dict[str, str]]]:
    """For each column of labels that another determines, by which other columns and how."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    labels = table.indexes(ColumnRole.DIMENSION)[:MOST_FOLLOWED]
    if len(labels) < 2 or not table.rows:
        return found
    texts = {i: [_label(cell) for cell in table.column(i)] for i in labels}
    for index in labels:
        for other in labels:
            pairs = set(zip(texts[other], texts[index], strict=True))
            one_each = len(pairs) == len(set(texts[other])) <= max_labels
            if other != index and one_each and len(set(texts[index])) <= len(set(texts[other])):
                found.setdefault(table.columns[index].name, {})[table.columns[other].name] = dict(pairs)
    return found


def _label(cell: Cell) -> str:
    """As `sandbox.airlock.checks.spelling` spells it; nothing for null."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return "" if cell is None else str(cell)


def _with_bounds(columns: tuple[TypedColumn, ...]) -> tuple[TypedColumn, ...]:
    """In a table of coefficients 2.5 % and 97.5 % are bounds of intervals and no quantiles."""
    if not (any(c.role is ColumnRole.TERM for c in columns) and any(is_estimate(c.name) for c in columns)):
        return columns
    return tuple(
        TypedColumn(c.name, c.type, ColumnRole.MEASURE) if c.role is ColumnRole.EXTREME and is_bound(c.name) else c
        for c in columns
    )


def _kind(columns: Sequence[TypedColumn]) -> TableKind:
    roles = {column.role for column in columns}
    if ColumnRole.TERM in roles and any(is_estimate(column.name) for column in columns):
        return TableKind.MODEL
    if ColumnRole.COUNT not in roles:
        return TableKind.OTHER
    if roles <= {ColumnRole.DIMENSION, ColumnRole.COUNT, ColumnRole.SHARE}:
        return TableKind.FREQUENCY
    return TableKind.MAGNITUDE


def _column_order(table: TypedTable, order: Sequence[str]) -> list[int]:
    names = [column.name for column in table.columns]
    if len(set(names)) == len(names) and set(order) == set(names):
        return [names.index(name) for name in order]
    rank = list(ColumnRole)
    return sorted(range(len(names)), key=lambda i: (rank.index(table.columns[i].role), names[i], i))


def _texts(table: TypedTable, index: int, digits: int) -> list[str]:
    """One column as it is released. Equal cells of one type have one text; there are fewer of those than rows."""
    cells, column = table.column(index), table.columns[index]
    texts = {(type(cell), cell): "" for cell in cells}
    for kind, cell in texts:
        texts[kind, cell] = _text(cell, column, digits)
    return [texts[type(cell), cell] for cell in cells]


def _ranks(texts: Sequence[str]) -> list[int]:
    """The place of each text among all of its column, numbers by value and before words."""
    place = {text: rank for rank, text in enumerate(sorted(set(texts), key=lambda text: (_natural(text), text)))}
    return [place[text] for text in texts]


def _text(cell: Cell, column: TypedColumn, digits: int) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, str) or is_label(column):
        return str(cell)
    return significant(cell, digits)


def _natural(text: str) -> tuple[int, Decimal, str]:
    """Sort numbers by value and before words."""
    if re.fullmatch(r"-?\d{1,30}(\.\d{1,30})?", text):
        return (0, Decimal(text), "")
    return (1, Decimal(0), text)
