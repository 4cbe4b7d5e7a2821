"""
Text columns as byte matrices: values of one length become rows of one matrix, so that a cipher sees a column at once.

Nothing here loops over values; the loops are over the distinct lengths of a column.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


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
    return column.cast(pa.large_string())


def by_length(column: pa.Array) -> Iterator[tuple[int, Rows, Bytes]]:
    """
    Give each byte length of a ``large_string`` column with its positions and the matrix (values x length) of its
    bytes.
    """
    if not len(column):
        return
    lengths = np.diff(_offsets(column))
    if column.null_count:
        lengths = np.where(pc.is_valid(column).to_numpy(zero_copy_only=False), lengths, -1)
    if lengths[0] >= 0 and (lengths == lengths[0]).all():
        yield int(lengths[0]), np.arange(len(column)), _matrix(column, int(lengths[0]))
        return
    for length in np.unique(lengths).tolist():
        if length < 0:
            continue
        rows = np.flatnonzero(lengths == length)
        part = column if len(rows) == len(column) else column.take(pa.array(rows))
        yield length, rows, _matrix(part, length)


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


def words(matrix: Bytes, start: int) -> npt.NDArray[np.uint64]:
    """Eight bytes of every row from ``start`` on, as little-endian numbers; no copy. The rows must be that long."""
    count, length = matrix.shape
    return np.ndarray((count,), dtype="<u8", buffer=matrix, offset=start, strides=(length,))


def flat(column: pa.Array) -> tuple[npt.NDArray[np.int64], Bytes]:
    """Offsets (one more than values, from 0) and bytes of a ``large_string`` column; no copy of the bytes."""
    offsets = _offsets(column)
    data = column.buffers()[2]
    size = int(offsets[-1] - offsets[0])
    empty = np.zeros(0, dtype=np.uint8)
    values = np.frombuffer(data, dtype=np.uint8, count=size, offset=int(offsets[0])) if size else empty
    return offsets - offsets[0], values


def _offsets(column: pa.Array) -> npt.NDArray[np.int64]:
    data = column.buffers()[1]
    if not len(column) or data is None:
        return np.zeros(len(column) + 1, dtype=np.int64)
    return np.frombuffer(data, dtype=np.int64, count=len(column) + 1, offset=8 * column.offset)


def _matrix(column: pa.Array, length: int) -> Bytes:
    """Bytes of a ``large_string`` column without nulls whose values all have ``length`` bytes; no copy."""
    if length == 0 or len(column) == 0:
        return np.zeros((len(column), length), dtype=np.uint8)
    _, offsets, data = column.buffers()
    first = int(np.frombuffer(offsets, dtype=np.int64, count=1, offset=8 * column.offset)[0])
    flat = np.frombuffer(data, dtype=np.uint8, count=len(column) * length, offset=first)
    return flat.reshape(len(column), length)
