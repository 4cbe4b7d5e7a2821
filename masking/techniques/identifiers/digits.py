"""Decimal numbers in columns of ASCII digits: read and written by four or eight digits at a time."""

import numpy as np
import numpy.typing as npt

from masking.techniques.ff1 import Column
from masking.techniques.fixed_width import Bytes, words

Flags = npt.NDArray[np.bool_]
FOUR_DIGITS = np.frombuffer("".join(f"{number:04d}" for number in range(10_000)).encode(), dtype="<u4")


def all_digits(matrix: Bytes, start: int, end: int) -> Flags:
    """Whether every character from ``start`` to before ``end`` of each row is a digit."""
    other = (matrix - np.uint8(48)) > 9
    other[:, :start] = False
    other[:, end:] = False
    return np.asarray(~other.any(axis=1)) if other.any() else np.ones(len(matrix), dtype=np.bool_)


def read(matrix: Bytes, start: int, width: int) -> Column:
    """
    The number that ``width`` digits of every row spell, at most 19; what other characters give means nothing.

    Rows have eight characters up to the last of the digits or from the first on.
    """
    numbers: Column | None = None
    place = start
    for size in [width % 8] * bool(width % 8) + [8] * (width // 8):
        if place + size >= 8:  # read together with the bytes before them, which are then cleared
            x = words(matrix, place + size - 8) & np.uint64(2**64 - 2 ** (64 - 8 * size))
        else:
            x = words(matrix, place) << np.uint64(64 - 8 * size)
        x = x & np.uint64(0x0F0F0F0F0F0F0F0F)
        x *= np.uint64(2561)
        x >>= np.uint64(8)
        x &= np.uint64(0x00FF00FF00FF00FF)
        x *= np.uint64(6553601)
        x >>= np.uint64(16)
        x &= np.uint64(0x0000FFFF0000FFFF)
        x *= np.uint64(42949672960001)
        x >>= np.uint64(32)
        numbers = x if numbers is None else numbers * np.uint64(10**8) + x
        place += size
    assert numbers is not None
    return numbers


def write(matrix: Bytes, start: int, width: int, numbers: Column) -> None:
    """Spell each number in ``width`` digits of its row."""
    place = start + width
    while place > start:
        size = 4 if place - start >= 4 else 1
        place -= size
        rest = numbers // np.uint64(10**size)
        low = numbers - rest * np.uint64(10**size)
        if size == 4:
            words(matrix, place, "<u4")[:] = FOUR_DIGITS.take(low.view(np.int64), mode="clip")
        else:
            matrix[:, place] = low + np.uint64(48)
        numbers = rest
