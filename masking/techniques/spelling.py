"""
Bytes spelled as text and read back, over columns: hex and base32 of RFC 4648 without padding characters.

Nothing here loops over values; the loops are over the distinct lengths of a column and over chunks.
"""

from typing import Literal

import numpy as np
import pyarrow as pa

from masking.techniques.fixed_width import Bytes, as_string, by_length, reassemble, text_of

Encoding = Literal["base32", "hex"]
_LETTERS = {"base32": (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 5), "hex": (b"0123456789abcdef", 4)}
_CHUNK = 1 << 13


def spelled(values: pa.Array, encoding: Encoding) -> pa.Array:
    """Return a ``large_binary`` column as text; null stays null."""
    letters, bits = _LETTERS[encoding]
    alphabet = np.frombuffer(letters, dtype=np.uint8)
    parts = [
        (rows, text_of(alphabet[_regrouped(matrix, 8, bits, -(-8 * length // bits))]))
        for length, rows, matrix in by_length(values)
    ]
    return reassemble(len(values), parts, pa.string())


def read(text: pa.Array, encoding: Encoding) -> pa.Array:
    """Return the bytes that ``spelled`` was given, as ``large_binary``; null where the text is no such spelling."""
    letters, bits = _LETTERS[encoding]
    value_of = np.full(256, 255, dtype=np.uint8)
    value_of[np.frombuffer(letters, dtype=np.uint8)] = np.arange(len(letters), dtype=np.uint8)
    parts = []
    for length, rows, matrix in by_length(as_string(text)):
        size = bits * length // 8
        values = value_of[matrix]
        fits = (values != 255).all(axis=1) & (-(-8 * size // bits) == length)
        bytes_ = _regrouped(values[fits], bits, 8, size)
        # One text for each value: what is over in the last letter must be 0.
        exact = (_regrouped(bytes_, 8, bits, length) == values[fits]).all(axis=1)
        parts.append((rows[fits][exact], _binary(bytes_[exact])))
    return reassemble(len(text), parts, pa.large_binary())


def _regrouped(matrix: Bytes, given: int, wanted: int, count: int) -> Bytes:
    """Numbers of ``given`` bits a row as ``count`` numbers of ``wanted`` bits; 0 bits follow, or the rest is cut."""
    regrouped = np.zeros((len(matrix), count), dtype=np.uint8)
    for start in range(0, len(matrix), _CHUNK):
        part = matrix[start : start + _CHUNK]
        bits = np.unpackbits(part.reshape(len(part), -1, 1), axis=2)[:, :, 8 - given :].reshape(len(part), -1)
        whole = np.zeros((len(part), count * wanted), dtype=np.uint8)
        whole[:, : bits.shape[1]] = bits[:, : count * wanted]
        groups = np.zeros((len(part), count, 8), dtype=np.uint8)
        groups[:, :, 8 - wanted :] = whole.reshape(len(part), count, wanted)
        regrouped[start : start + _CHUNK] = np.packbits(groups, axis=2)[:, :, 0]
    return regrouped


def _binary(matrix: Bytes) -> pa.Array:
    count, length = matrix.shape
    offsets = np.arange(count + 1, dtype=np.int64) * length
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(matrix))]
    )
