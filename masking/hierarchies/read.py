"""Hierarchies as people give them: a CSV in ARX's form, a frame, rows, or a mapping of values to their ancestors."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from masking.errors import InvalidParameter
from masking.hierarchies.hierarchy import Hierarchy
from masking.table import as_reader

MAX_BYTES: Final = 64 << 20
"""The largest hierarchy file that is read, unpacked; a bomb stops here."""


def as_hierarchy(given: Any) -> Hierarchy:
    """The hierarchy that ``given`` says: itself, a path (CSV without header, ``;`` or ``,``, perhaps ``.gz``), rows, a
    mapping {value: ancestor or ancestors}, or a pandas, polars or Arrow frame with one column a level, leaf first.

    Raises:
        InvalidParameter: it is none, cannot be read, or does not nest; names line and level, never a value.
    """
    if isinstance(given, Hierarchy):
        return given
    if isinstance(given, str | Path):
        return Hierarchy.of(read_rows(Path(given)))
    if isinstance(given, Mapping):
        return Hierarchy.of([_line(leaf, up) for leaf, up in given.items()])
    if isinstance(given, Sequence):
        return Hierarchy.of([[str(node) for node in row] for row in given])
    table = as_reader(given)[0].read_all()
    return Hierarchy.of_columns([column.combine_chunks().cast(pa.string()) for column in table.columns])


def read_rows(path: Path) -> list[list[str]]:
    """The rows of a hierarchy file, empty ones left out.

    Raises:
        InvalidParameter: it cannot be read, is too large or not a UTF-8 CSV.
    """
    name = path.name
    try:
        with gzip.open(path, "rb") if name.endswith(".gz") else path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError):
        raise InvalidParameter(f"the hierarchy file {name!r} cannot be read", parameter="file") from None
    return rows_of(raw, name)


def rows_of(raw: bytes, name: str) -> list[list[str]]:
    """The rows of what a hierarchy file called ``name`` holds.

    Raises:
        InvalidParameter: it is too large or not a UTF-8 CSV.
    """
    if len(raw) > MAX_BYTES:
        raise InvalidParameter(f"the hierarchy file {name!r} is larger than 64 MiB", parameter="file")
    try:
        text = raw.decode("utf-8-sig")
        first = text.partition("\n")[0]
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",") if row]
    except (UnicodeDecodeError, csv.Error):
        raise InvalidParameter(f"the hierarchy file {name!r} is not a UTF-8 CSV", parameter="file") from None


def _line(leaf: Any, ancestors: Any) -> list[str]:
    line = [ancestors] if isinstance(ancestors, str | int | float) else list(ancestors)
    return [str(leaf), *(str(node) for node in line)]
