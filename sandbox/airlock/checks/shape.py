"""Checks of type, size and form: nothing but tables, of a registered kind, small enough to be read.

Source: OpenSAFELY's output limits; PRIVACY.md 16.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.digits import has_more_digits
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.roles import ColumnRole, is_label
from sandbox.airlock.typed import EXECUTED_NOTEBOOK, Shape, TableKind, TypedTable, canonical_csv
from sandbox.contracts import ParsedOutput

_RULE_OF_CODE: Final = {
    "too-many-rows": "too_many_rows",
    "too-many-columns": "too_many_columns",
    "too-many-cells": "too_many_cells",
    "too-many": "too_many_files",
    "odd-characters": "control_characters",
    "long-text": "oversized_text",
}


def check_files(output: ParsedOutput, tables: Sequence[TypedTable], limits: AirlockLimits) -> Iterator[Finding]:
    """Refused files, number of files, and an output without a table."""
    figures = sum(f.kind == "figure" for f in output.files)
    others = [
        f
        for f in output.files
        if f.kind not in {"table", "figure"} and not (f.name == EXECUTED_NOTEBOOK and f.kind == "notebook")
    ]
    for file in others:
        if not file.findings:
            yield Finding("file_type", file.name, count=1)
        for finding in file.findings:  # the parser counted; a refusal without a number is one file
            rule = _RULE_OF_CODE.get(finding.code, "file_type")
            yield Finding(rule, file.name, count=max(1, finding.count), code=finding.code)
    for file in output.files:
        for finding in file.findings if file.kind == "table" else ():
            rule = "undefined_number" if finding.code == "not-finite" else "file_type"
            yield Finding(rule, file.name, count=finding.count, code=finding.code)
    if not tables:
        yield Finding("no_output")
    files = len(tables) + len(others) + figures
    if files > limits.max_files:
        yield Finding("too_many_files", count=files)
    cells = sum(table.cells for table in tables)
    if cells > limits.max_cells:
        yield Finding("too_many_cells", count=cells)


def check_size(table: TypedTable, limits: AirlockLimits) -> Iterator[Finding]:
    """Bytes, rows, columns, distinct names, compressed size."""
    for rule, count, most in (
        ("too_large", table.bytes, limits.max_bytes),
        ("too_many_rows", len(table.rows), limits.max_rows),
        ("too_many_columns", len(table.columns), limits.max_columns),
    ):
        if count > most:
            yield Finding(rule, table.name, count=count)
    names = Counter(column.name.strip() for column in table.columns)
    repeated = sum(n - 1 for n in names.values()) + (names.get("", 0) > 0)
    if repeated:
        yield Finding("duplicate_columns", table.name, count=repeated)
    if len(table.rows) > limits.max_rows or len(table.columns) > limits.max_columns:
        return
    compressed = len(zlib.compress(canonical_csv(table, digits=limits.significant_digits), 9))
    if compressed > limits.max_compressed:
        yield Finding("dense", table.name, count=compressed)


def check_kind(table: TypedTable, limits: AirlockLimits) -> Iterator[Finding]:
    """Registered kinds; at levels that admit nothing else another kind blocks. Without rows there is no kind."""
    if not table.rows:
        yield Finding("no_rows", table.name)
        return
    if table.kind in limits.kinds:
        return
    yield Finding("unregistered_kind" if limits.registered_only else "other_kind", table.name)


def check_names(table: TypedTable, shape: Shape | None, *, direct: frozenset[str]) -> Iterator[Finding]:
    """Column and file names may not come from data: the dry run must have shown them; none is an identifier."""
    for column in table.columns:
        if column.name.casefold() in direct:
            yield Finding("identifier_column", table.name, column.name, 1)
    if shape is None:
        return
    known = shape.files.get(table.original_name)
    names = frozenset(known) if known is not None else shape.column_names
    fresh = [column.name for column in table.columns if column.name not in names]
    if fresh:
        yield Finding("new_column", table.name, count=len(fresh))
    if known is None:
        yield Finding("new_file_name", table.name, count=1)


def check_digits(table: TypedTable, limits: AirlockLimits) -> Iterator[Finding]:
    """Numbers with more digits than will be released."""
    for index, column in enumerate(table.columns):
        if is_label(column) or column.role is ColumnRole.COUNT:
            continue
        cells = (c for c in table.column(index) if isinstance(c, int | float) and not isinstance(c, bool))
        longer = sum(has_more_digits(c, limits.significant_digits) for c in cells)
        if longer:
            yield Finding("low_order_digits", table.name, column.name, longer)


def check_groups(table: TypedTable) -> Iterator[Finding]:
    """One row a group: repeated groups are records in disguise."""
    keys = table.indexes(ColumnRole.DIMENSION, ColumnRole.TERM)
    if table.kind is TableKind.MODEL or len(table.rows) < 2:
        return
    groups = Counter(tuple(row[i] for i in keys) for row in table.rows)
    repeated = sum(n - 1 for n in groups.values())
    if repeated:
        yield Finding("duplicate_groups", table.name, count=repeated)
