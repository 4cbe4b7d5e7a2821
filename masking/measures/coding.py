"""A table's columns as whole numbers: what every measure of classes counts on.

A column becomes a code for each record and one value for each code; several columns become one number for each record,
equal exactly where all of them are equal. Null is a value of its own: two nulls are equal, and so are two NaN. Codes
are labels: no measure may depend on which value has which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import UnknownAttribute

Integers = npt.NDArray[np.int64]

LARGEST_KEY: Final = 1 << 62
"""Combined codes stay below this, so that int64 never overflows."""


@dataclass(frozen=True, slots=True)
class Codes:
    """``codes``: for each record a number in [0, ``size``); ``values``: the value of each code, where it is known."""

    codes: npt.NDArray[np.integer[Any]]
    size: int
    values: pa.Array | None = None


def columns_of(table: Any, names: Sequence[str]) -> tuple[dict[str, Any], int]:
    """The named columns of any table as Arrow columns, each once, and the number of records.

    Raises:
        UnknownAttribute: the table lacks a column.
    """
    kind = type(table).__module__.split(".")[0]
    if kind == "polars" and hasattr(table, "collect"):
        table = table.collect()
    elif kind not in {"polars", "pandas"} and not isinstance(table, pa.Table):
        from masking.table import as_reader

        table = as_reader(table)[0].read_all()
    known = [str(name) for name in (table.column_names if isinstance(table, pa.Table) else table.columns)]
    missing = set(names) - set(known)
    if missing:
        raise UnknownAttribute.from_missing(missing, known)
    at = {name: known.index(name) for name in dict.fromkeys(names)}
    if isinstance(table, pa.Table):
        return {name: table.column(position) for name, position in at.items()}, table.num_rows
    if kind == "polars":
        return {name: table.to_series(position).to_arrow() for name, position in at.items()}, table.height
    return {name: _from_pandas(table.iloc[:, position], name) for name, position in at.items()}, len(table)


def coded(table: Any, names: Sequence[str]) -> tuple[dict[str, Codes], int]:
    """The named columns of any table as codes, and the number of records. Raises UnknownAttribute."""
    columns, rows = columns_of(table, names)
    return {name: column_codes(column) for name, column in columns.items()}, rows


def persons_of_classes(table: Any, quasi_identifiers: Sequence[str], unit: Any = None) -> Integers:
    """Persons of each class; the order means nothing. ``unit``: column name or array; None: each record is a person.

    Without quasi-identifiers all records are one class; an empty table has none. Raises UnknownAttribute.
    """
    names = list(dict.fromkeys(quasi_identifiers))
    codes, rows = coded(table, [*names, *([unit] if isinstance(unit, str) else [])])
    key, bound = combined([codes[name] for name in names], rows)
    if unit is None or not rows:
        return sizes(key, bound)
    classes = Codes(*dense(key, bound))
    persons = codes[unit] if isinstance(unit, str) else column_codes(unit)
    pairs = np.unique(combined([classes, persons], rows)[0])
    return np.bincount(pairs // max(persons.size, 1), minlength=classes.size)


def column_codes(column: Any) -> Codes:
    """One Arrow column (or what becomes one) as codes; columns of categories keep theirs."""
    if not isinstance(column, pa.Array | pa.ChunkedArray):
        column = column.to_arrow() if hasattr(column, "to_arrow") else pa.array(column, from_pandas=True)
    if isinstance(column, pa.ChunkedArray) and column.num_chunks == 1:
        column = column.chunk(0)
    if pa.types.is_null(column.type):
        return Codes(np.zeros(len(column), dtype=np.int64), 1, pa.nulls(1))
    if pa.types.is_nested(column.type):
        # Nested columns cannot be coded everywhere; their text can.
        column = pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
    elif pa.types.is_floating(column.type):
        column = pc.add(column, pa.scalar(0.0, column.type))  # -0.0 is 0.0
    given = pa.types.is_dictionary(column.type)
    encoded = column if given else column.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = pa.concat_arrays(encoded.chunks) if encoded.num_chunks else pa.array([], encoded.type)
    return _of_dictionary(encoded, given=given)


def combined(parts: Sequence[Codes], rows: int) -> tuple[Integers, int]:
    """One number for each record, equal where all parts are equal, and a bound that none reaches."""
    key, bound = np.zeros(rows, dtype=np.int64), 1
    for part in parts:
        if part.size <= 1:
            continue
        if bound > LARGEST_KEY // part.size:
            key, bound = dense(key, bound)
            key = key.copy()
        # In place: fresh memory costs more than the arithmetic.
        key *= part.size
        key += part.codes
        bound *= part.size
    return key, bound


def dense(key: Integers, bound: int) -> tuple[Integers, int]:
    """The same classes numbered 0, 1, 2 … without a gap, and their number."""
    if bound <= 2 * len(key) + 65_536:
        present = np.bincount(key, minlength=bound) > 0
        if present.all():
            return key, bound
        return (np.cumsum(present, dtype=np.int64) - 1)[key], int(present.sum())
    found, numbers = np.unique(key, return_inverse=True)
    return numbers.astype(np.int64, copy=False), len(found)


def sizes(key: Integers, bound: int) -> Integers:
    """Records of each class, without empty ones; the order means nothing."""
    if bound <= 2 * len(key) + 65_536:
        counts = np.bincount(key, minlength=bound)
        return counts[counts > 0].astype(np.int64, copy=False)
    # Half as wide is sorted twice as fast.
    ordered = np.sort(key.astype(np.uint32) if bound <= 1 << 32 else key)
    ends = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    return np.diff(ends, prepend=0, append=len(key)).astype(np.int64, copy=False)


def class_numbers(codes: Mapping[str, Codes], quasi_identifiers: Sequence[str], rows: int) -> Codes:
    """For each record the number of its class, from 0 without a gap."""
    key, bound = combined([codes[name] for name in dict.fromkeys(quasi_identifiers)], rows)
    if not rows:
        return Codes(key, 0)
    return Codes(*dense(key, bound))


def _of_dictionary(encoded: pa.DictionaryArray, *, given: bool) -> Codes:
    values, indices = encoded.dictionary, encoded.indices
    if indices.null_count:
        indices = indices.fill_null(len(values))
        values = pa.concat_arrays([values, pa.nulls(1, values.type)])
    codes = indices.to_numpy(zero_copy_only=False)
    if given and len(pc.unique(values)) != len(values):  # a caller's dictionary may hold a value twice, or null
        again = values.dictionary_encode(null_encoding="encode")
        codes, values = again.indices.to_numpy(zero_copy_only=False)[codes], again.dictionary
    # Unsigned 64-bit codes do not add to signed ones.
    return Codes(codes.astype(np.int64) if codes.dtype == np.uint64 else codes, len(values), values)


def _from_pandas(series: Any, name: str) -> Any:
    from masking.errors import UnsupportedColumn

    try:
        return pa.array(series, from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError):
        raise UnsupportedColumn("the column mixes types", attribute=name) from None
