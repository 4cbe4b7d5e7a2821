"""Columns of numbers and dates as numpy arrays, and what the family refuses in them."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidValue

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Absent = npt.NDArray[np.bool_]


def is_number(kind: pa.DataType) -> bool:
    """Whole numbers, floats, decimals; a column of nulls is one of any type."""
    return (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
    )


def is_date(kind: pa.DataType) -> bool:
    """Dates and timestamps."""
    return pa.types.is_date(kind) or pa.types.is_timestamp(kind)


def is_text(kind: pa.DataType) -> bool:
    """Text of any width."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def absent(column: pa.Array) -> Absent:
    """Where it is null."""
    return np.asarray(pc.is_null(column).to_numpy(zero_copy_only=False), dtype=np.bool_)


def integers(column: pa.Array) -> Integers:
    """Whole numbers, or dates as days and timestamps in their unit, from any origin; 0 for nulls."""
    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.date32()).cast(pa.int32())
    plain = pc.fill_null(column.cast(pa.int64()), pa.scalar(0, pa.int64()))
    return np.asarray(plain.to_numpy(zero_copy_only=False), dtype=np.int64)


def floats(column: pa.Array) -> Floats:
    """
    Floats or decimals; 0 for nulls.

    Raises:
        InvalidValue: not a number, or infinite.

    """
    plain = pc.fill_null(column.cast(pa.float64()), pa.scalar(0.0, pa.float64())).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(~np.isfinite(plain))
    if len(wrong):
        raise InvalidValue("not a finite number", count=len(wrong), first_rows=wrong[:5].tolist())
    return np.asarray(plain, dtype=np.float64)


def of_integers(values: Integers, kind: pa.DataType) -> pa.Array:
    """Undo ``integers`` for a column of ``kind``; whole numbers become int64."""
    if pa.types.is_date(kind):
        return pa.array(values, pa.int64()).cast(pa.int32()).cast(pa.date32()).cast(kind)
    return pa.array(values, pa.int64()).cast(kind if pa.types.is_timestamp(kind) else pa.int64())
