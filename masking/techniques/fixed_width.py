"""
Text columns as byte matrices: values of one length become rows of one matrix, so that a cipher sees a column at once.

Nothing here loops over values; the loops are over the distinct lengths of a column.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
_OFFSETS = 1 << 15  # lengths compared at a time: they stay in the cache


def as_text(column: pa.Array) -> pa.Array:
    """
    Return the column as ``large_string``, one spelling per value whatever type holds it.

    Whole numbers held as floats (a column of integers with gaps, read by pandas) are spelled as integers, dates in ISO
    8601.
    """
    kind = column.type
    if pa.types.is_floating(kind):
        column = column.cast(pa.float64())
        whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2.0**53))
        whole = pc.fill_null(whole, False)
        integers = pc.if_else(whole, column, pa.scalar(None, pa.float64())).cast(pa.int64()).cast(pa.large_string())
        return pc.if_else(whole, integers, column.cast(pa.large_string()))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_nested(kind):
        raise TypeError("not a column of text, numbers or dates")
    text = column.cast(pa.large_string())
    # The cast of a slice keeps where its bytes began; pc.ascii_lower and ascii_upper (Arrow 26) then read past the end.
    return pa.concat_arrays([text]) if len(text) and int(_offsets(text)[0]) else text


def as_string(column: pa.Array) -> pa.Array:
    """Return what ``as_text`` does, but a ``string`` column as it is: its offsets need no second copy."""
    return column if pa.types.is_string(column.type) else as_text(column)


def even(column: pa.Array) -> Bytes | None:
    """Return the matrix of bytes of a text column without nulls whose values all have one length, or None; no copy."""
    if not len(column) or column.null_count:
        return None
    offsets = _offsets(column)
    length = int(offsets[1] - offsets[0])
    if int(offsets[-1] - offsets[0]) != length * len(column):
        return None
    for start in range(0, len(column), _OFFSETS):
        part = offsets[start : start + _OFFSETS + 1]
        if (part[1:] - part[:-1] != length).any():
            return None
    return _matrix(column, length)


def by_length(column: pa.Array) -> Iterator[tuple[int, Rows, Bytes]]:
    """
    Give each byte length of a text column with its positions and the matrix (values x length) of its bytes.

    Column: ``string``, ``large_string`` or ``large_binary``; null is in no matrix.
    """
    if not len(column):
        return
    whole = even(column)
    if whole is not None:
        yield whole.shape[1], np.arange(len(column)), whole
        return
    lengths = np.diff(_offsets(column))
    if column.null_count:
        lengths = np.where(pc.is_valid(column).to_numpy(zero_copy_only=False), lengths, -1)
    for length in np.unique(lengths).tolist():
        if length < 0:
            continue
        rows = np.flatnonzero(lengths == length)
        part = column if len(rows) == len(column) else column.take(pa.array(rows))
        yield length, rows, _matrix(part, length)


def distinct(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """
    Return the distinct values of a column and each record's place among them (null for null).

    For work that costs a microsecond a value or more: finding the distinct ones costs a tenth of that.
    """
    encoded = column.dictionary_encode()
    return encoded.dictionary, encoded.indices


def text_of(matrix: Bytes) -> pa.Array:
    """Return the rows of a matrix of ASCII bytes as a string column."""
    count, length = matrix.shape
    data = np.ascontiguousarray(matrix)
    if count * length < 2**31:
        offsets = np.arange(0, count * length + 1, length, dtype=np.int32) if length else np.zeros(count + 1, np.int32)
        return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(data))
    wide = np.arange(0, count * length + 1, length, dtype=np.int64)
    return pa.LargeStringArray.from_buffers(count, pa.py_buffer(wide), pa.py_buffer(data)).cast(pa.string())


def reassemble(size: int, parts: list[tuple[Rows, pa.Array]], type: pa.DataType) -> pa.Array:
    """Put the parts back in their positions; positions in no part are null."""
    if len(parts) == 1 and len(parts[0][0]) == size:
        return parts[0][1]
    source = np.zeros(size, dtype=np.int64)
    absent = np.ones(size, dtype=np.bool_)
    start = 0
    for rows, _ in parts:
        source[rows] = np.arange(start, start + len(rows))
        absent[rows] = False
        start += len(rows)
    if not parts:
        return pa.nulls(size, type)
    return pa.concat_arrays([part for _, part in parts]).take(pa.array(source, mask=absent))


def words(matrix: Bytes, start: int, kind: str = "<u8") -> npt.NDArray[Any]:
    """
    Eight bytes (``kind`` "<u4": four) of every row from ``start`` on, as little-endian numbers; no copy.

    The rows must be that long, and follow each other without gaps.
    """
    count, length = matrix.shape
    return np.ndarray((count,), dtype=kind, buffer=matrix, offset=start, strides=(length,))


def flat(column: pa.Array) -> tuple[npt.NDArray[np.int64], Bytes]:
    """Offsets (one more than values, from 0) and bytes of a ``large_string`` column; no copy of the bytes."""
    offsets = _offsets(column)
    data = column.buffers()[2]
    size = int(offsets[-1] - offsets[0])
    empty = np.zeros(0, dtype=np.uint8)
    values = np.frombuffer(data, dtype=np.uint8, count=size, offset=int(offsets[0])) if size else empty
    return offsets - offsets[0], values


def _offsets(column: pa.Array) -> npt.NDArray[Any]:
    data = column.buffers()[1]
    large = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    kind = np.dtype(np.int64 if large else np.int32)
    if not len(column) or data is None:
        return np.zeros(len(column) + 1, dtype=kind)
    return np.frombuffer(data, dtype=kind, count=len(column) + 1, offset=kind.itemsize * column.offset)


def _matrix(column: pa.Array, length: int) -> Bytes:
    """Bytes of a text column without nulls whose values all have ``length`` bytes; no copy."""
    if length == 0 or len(column) == 0:
        return np.zeros((len(column), length), dtype=np.uint8)
    first = int(_offsets(column)[0])
    flat = np.frombuffer(column.buffers()[2], dtype=np.uint8, count=len(column) * length, offset=first)
    return flat.reshape(len(column), length)
