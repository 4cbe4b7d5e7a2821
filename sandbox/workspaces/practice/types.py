"""Arrow types by the names that an intake keeps, and made values brought into such a type.

The practice table must have exactly the types that a sealed run meets, whatever file the raw table came from: so the
spelling of every Arrow type is read back, nested and parametrised ones too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ALIASES: Final[dict[str, pa.DataType]] = {
    "double": pa.float64(),
    "date32[day]": pa.date32(),
    "date": pa.date32(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "timestamp[us]": pa.timestamp("us"),
    "timestamp[ms]": pa.timestamp("ms"),
    "timestamp[ns]": pa.timestamp("ns"),
    "timestamp[s]": pa.timestamp("s"),
}
_DECIMALS: Final[dict[str, Callable[[int, int], pa.DataType]]] = {
    "32": pa.decimal32,
    "64": pa.decimal64,
    "128": pa.decimal128,
    "256": pa.decimal256,
}


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a schema entry; anything unknown is text."""
    found = _read(name.strip())
    return pa.string() if found is None else found


def fit(made: pa.Array | Sequence[Any], type_: pa.DataType) -> pa.Array | None:
    """Values in the column's type; numbers may stand for texts and the other way round. None when they do not fit."""
    array = made
    if not isinstance(array, pa.Array):
        try:
            array = pa.array(made)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            array = pa.array([None if value is None else str(value) for value in made], pa.string())
    if array.type == type_:
        return array
    for as_text in (False, True):
        try:
            return _cast(_texts(array) if as_text else array, type_)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            continue
    return None


def filler(type_: pa.DataType, rows: int, places: np.ndarray[Any, Any]) -> pa.Array:
    """A column of a type that has no other maker: times and durations of the day, bytes, lists of one, else nulls."""
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        inner = filler(type_.value_type, rows, places)
        of = pa.LargeListArray if pa.types.is_large_list(type_) else pa.ListArray
        offsets = pa.array(np.arange(rows + 1), pa.int64() if of is pa.LargeListArray else pa.int32())
        return of.from_arrays(offsets, inner).cast(type_)
    if pa.types.is_struct(type_):
        parts = [filler(field.type, rows, places) for field in type_]
        return pa.StructArray.from_arrays(parts, fields=list(type_)) if parts else pa.nulls(rows, type_)
    seconds = pa.array(places.astype(np.int64) % 86_400)
    texts = _texts(seconds)
    times = seconds.cast(pa.int32()).cast(pa.time32("s"))
    for given in (seconds, seconds.cast(pa.duration("s")), times, texts, texts.cast(pa.binary())):
        try:
            return _cast(given, type_)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            continue
    return pa.nulls(rows, type_)


def is_text(type_: pa.DataType) -> bool:
    """True for text, also in a dictionary."""
    if pa.types.is_dictionary(type_):
        return is_text(type_.value_type)
    return pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_)


def _texts(array: pa.Array) -> pa.Array:
    """Whole numbers held as floats are spelled as integers."""
    if pa.types.is_floating(array.type):
        whole = pc.all(pc.equal(array, pc.round(array))).as_py()
        array = array.cast(pa.int64()) if whole else array
    return array.cast(pa.string())


def _cast(array: pa.Array, type_: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(type_):
        return array.cast(type_.value_type).dictionary_encode().cast(type_)
    if pa.types.is_timestamp(type_) and type_.tz is not None and pa.types.is_temporal(array.type):
        return array.cast(pa.timestamp(type_.unit)).cast(type_)
    return array.cast(type_)


def _read(name: str) -> pa.DataType | None:
    if name in _ALIASES:
        return _ALIASES[name]
    try:
        return pa.type_for_alias(name)
    except ValueError:
        pass
    try:
        return _parametrised(name)
    except (pa.ArrowInvalid, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _parametrised(name: str) -> pa.DataType | None:
    if found := re.fullmatch(r"decimal(32|64|128|256)\((\d+), (-?\d+)\)", name):
        width, precision, scale = found.groups()
        return _DECIMALS[width](int(precision), int(scale))
    if found := re.fullmatch(r"timestamp\[(s|ms|us|ns), tz=([^\]]+)\]", name):
        return pa.timestamp(found[1], tz=found[2])
    if found := re.fullmatch(r"fixed_size_binary\[(\d+)\]", name):
        return pa.binary(int(found[1]))
    if found := re.fullmatch(r"dictionary<values=(.+), indices=(\w+), ordered=([01])>", name):
        values, indices = _read(found[1]), _read(found[2])
        return None if values is None or indices is None else pa.dictionary(indices, values, ordered=found[3] == "1")
    if found := re.fullmatch(r"(large_list|list)<(.+)>", name):
        inner = _field(found[2])
        make = pa.large_list if found[1] == "large_list" else pa.list_
        return None if inner is None else make(inner)
    if found := re.fullmatch(r"fixed_size_list<(.+)>\[(\d+)\]", name):
        inner = _field(found[1])
        return None if inner is None else pa.list_(inner, int(found[2]))
    if found := re.fullmatch(r"struct<(.*)>", name):
        fields = [_field(part) for part in _apart(found[1])]
        return None if any(each is None for each in fields) else pa.struct(fields)
    if found := re.fullmatch(r"map<(.+)>", name):
        types = [_read(part) for part in _apart(found[1])]
        return pa.map_(*types) if len(types) == 2 and all(each is not None for each in types) else None
    return None


def _field(text: str) -> pa.Field | None:
    name, _, type_name = text.partition(": ")
    nullable = not type_name.endswith(" not null")
    type_ = _read(type_name.removesuffix(" not null"))
    return None if type_ is None else pa.field(name, type_, nullable)


def _apart(text: str) -> list[str]:
    """The parts between commas that stand in no bracket."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += letter in "<([" or -(letter in ">)]")
        if letter == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    last = text[start:].strip()
    return [*parts, last] if last else parts
