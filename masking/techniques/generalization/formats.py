"""What a generalization takes and gives: kinds of columns, numbers of a column, labels of distinct numbers."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, InvalidValue

OnInvalid = Literal["reject", "suppress"]
SUPPRESSED = "*"


def is_number(kind: pa.DataType) -> bool:
    """True for whole numbers, decimals and floats; null columns pass everywhere."""
    return (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
    )


def is_text(kind: pa.DataType) -> bool:
    """True for text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def is_date(kind: pa.DataType) -> bool:
    """True for dates and timestamps."""
    return pa.types.is_date(kind) or pa.types.is_timestamp(kind)


def check_bounds(lower: float | None, upper: float | None) -> None:
    """Raise unless ``lower`` is below ``upper``."""
    if lower is not None and upper is not None and lower >= upper:
        raise InvalidParameter("lower must be below upper", parameter="lower")


def numbers(column: pa.Array, kind: pa.DataType, absent: float) -> tuple[Any, Any]:
    """Return the column as a numpy array with ``absent`` for nulls, and where it is null."""
    plain = pc.fill_null(column.cast(kind), pa.scalar(absent, kind)).to_numpy(zero_copy_only=False)
    return plain, pc.is_null(column).to_numpy(zero_copy_only=False)


def labelled(numbers: Any, absent: Any, label: Callable[[Any], str]) -> pa.Array:
    """Label each distinct number once."""
    distinct, places = np.unique(numbers, return_inverse=True)
    labels = pa.array([label(number) for number in distinct.tolist()], pa.string())
    return labels.take(pa.array(places.astype(np.int64), mask=absent))


def digits(number: float) -> int:
    """Decimals of a number as it is written: 1 of 0.1, 0 of 5."""
    return max(0, -int(Decimal(str(number)).normalize().as_tuple().exponent))


def spelled(number: float | Decimal | None) -> str:
    """``65``, ``0.5``: no trailing zeros, no exponent."""
    text = format(Decimal(str(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def replaced(given: pa.Array, masked: pa.Array, on_invalid: OnInvalid, reason: str) -> tuple[pa.Array, int]:
    """
    Return ``masked`` and how many values of ``given`` it has no answer for (null where ``given`` is not).

    They are refused, or become ``*``; null where the output is no text. They never pass in clear.

    Raises:
        InvalidValue: ``on_invalid`` is reject and there are such values.

    """
    outside = pc.and_(pc.is_null(masked), pc.is_valid(given))
    count = pc.sum(outside).as_py() or 0
    if count and on_invalid == "reject":
        rows = np.flatnonzero(outside.to_numpy(zero_copy_only=False))
        raise InvalidValue(reason, count=count, first_rows=rows[:5].tolist())
    if count and pa.types.is_string(masked.type):
        masked = pc.if_else(outside, pa.scalar(SUPPRESSED), masked)
    return masked, count
