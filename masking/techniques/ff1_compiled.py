"""
The same FF1 by a compiled kernel: decimal values of 8 to 18 digits, where numba is installed (the extra ``fast``).

It changes the speed, never a value: what the pure kernel of ``masking.techniques.ff1`` gives is what must come out, and
values outside the format are left to it. A round is one pass over a chunk instead of nine; the cipher is the library's
in both. Only ``ff1`` imports this module, and only for columns that are long enough to be worth it.

Eight digits or more, because eight bytes are read and written at either end of a value. At most nine in a half, because
they fit 32 bits: a product with them and its quotient by floating point are exact enough.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import extending
from numba.core import cgutils

from masking.techniques.fixed_width import Bytes

Step = tuple[int, int, int]
U = np.uint64
_DIGITS = U(0x3030303030303030)  # "00000000"
_HIGH_HALVES = U(0xF0F0F0F0F0F0F0F0)
_LOW = U(0xFFFFFFFF)  # said where a factor fits 32 bits anyway: then the fast product is used
_BYTES = U(0x00FF00FF00FF00FF)
_PAIRS = U(0x0000FFFF0000FFFF)
_inline = numba.njit(inline="always")


def _loop(function: Any) -> Any:
    """Compile when first called, kept beside this file for the next process where it may be written."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba finds no folder that it may write
        return numba.njit(nogil=True)(function)


@extending.intrinsic
def _load(_typing: Any, letters: Any, place: Any) -> Any:
    """Eight bytes from ``place`` on, as a little-endian number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature, arguments)
        return builder.load(pointer, align=1, typ=ir.IntType(64))

    return numba.types.uint64(letters, place), generate


@extending.intrinsic
def _store(_typing: Any, letters: Any, place: Any, word: Any) -> Any:
    """Write a number as eight little-endian bytes from ``place`` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _pointer(context, builder, signature, arguments), align=1)
        return context.get_dummy_value()

    return numba.types.void(letters, place, word), generate


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0])
    place = builder.gep(array.data, [arguments[1]], source_etype=ir.IntType(8))
    return builder.bitcast(place, ir.IntType(64).as_pointer())


@_inline
def _swapped(x: Any) -> Any:
    x = ((x >> U(8)) & _BYTES) | ((x & _BYTES) << U(8))
    x = ((x >> U(16)) & _PAIRS) | ((x & _PAIRS) << U(16))
    return (x >> U(32)) | (x << U(32))


@_inline
def _odd(x: Any) -> Any:
    """Not 0 if a byte is no ASCII digit."""
    return ((x & _HIGH_HALVES) ^ _DIGITS) | (((x + U(0x0606060606060606)) & _HIGH_HALVES) ^ _DIGITS)


@_inline
def _number(x: Any) -> Any:
    """The number of eight ASCII digits."""
    x = (x & U(0x0F0F0F0F0F0F0F0F)) * U(2561) >> U(8)
    x = (x & _BYTES) * U(6553601) >> U(16)
    return (x & _PAIRS) * U(42949672960001) >> U(32)


@_inline
def _letters(x: Any) -> Any:
    """Eight ASCII digits of a number below 10^8; divisions are products of at most 64 bits, done several at a time."""
    high = (x & _LOW) * U(3518437209) >> U(45)
    x = high | (x - (high & _LOW) * U(10_000)) << U(32)
    high = (x * U(10_486) >> U(20)) & U(0x0000007F0000007F)
    x = high | (x - high * U(100)) << U(16)
    high = (x * U(103) >> U(10)) & U(0x000F000F000F000F)
    return (high | (x - high * U(10)) << U(8)) | _DIGITS


@_inline
def _first_of_nine(x: Any) -> Any:
    return (x & _LOW) * U(1441151881) >> U(57)


@_loop
def read(letters: Any, length: int, a: Any, b: Any, firsts: Any, blocks: Any, low: Any, forward: bool) -> Any:
    """
    NUM of both halves of every row, and the first blocks; ``low`` is what the number in them is XORed with.

    ``firsts`` is room for the first of nine digits. Returns something other than 0 if a letter is no digit; what was
    read then means nothing.
    """
    u, v = length // 2, length - length // 2
    u_fill = _DIGITS >> U(8 * u) if u < 8 else U(0)
    v_fill = _DIGITS >> U(8 * v) if v < 8 else U(0)
    u_shift, v_keep = U(64 - 8 * min(u, 8)), ~U(0) << U(64 - 8 * min(v, 8))
    for k in range(len(a)):  # bytes here, arithmetic below: without odd addresses, several values are done at a time
        row = k * length
        a[k] = (_load(letters, row + (u == 9)) << u_shift) | u_fill
        b[k] = (_load(letters, row + length - 8) & v_keep) | v_fill
        left = letters[row] if u == 9 else np.uint8(48)
        right = letters[row + u] if v == 9 else np.uint8(48)
        firsts[k] = U(left) | U(right) << U(8)
    odd = U(0)
    for k in range(len(a)):
        left, right = (firsts[k] & U(255)) - U(48), (firsts[k] >> U(8)) - U(48)
        odd |= _odd(a[k]) | _odd(b[k]) | U(left > U(9)) | U(right > U(9))
        left, right = (left & _LOW) * U(10**8) + _number(a[k]), (right & _LOW) * U(10**8) + _number(b[k])
        a[k], b[k] = left, right
        blocks[2 * k + 1] = _swapped((right if forward else left) ^ low)
    return odd


@_loop
def advance(taken: Any, changed: Any, blocks: Any, modulus: Any, low: Any, forward: bool) -> None:
    """
    One round: ``changed`` becomes NUM(C), which stands in the blocks of the next round.

    R is h * 2^32 + l, so z below is congruent to NUM(A) + R (or - R) and less than 2^63 for a modulus up to 10^9. Its
    quotient is less than 2^33; that of the smaller reciprocal is never too large and at most 1 too small.
    """
    m = np.int64(modulus)
    less = (1.0 - 2.0**-50) / float(m)
    power = np.int64(2**32) % m
    factor, sign = (U(power), U(1)) if forward else (U(m - power), ~U(0))  # ~0 is -1
    multiple = U(0) if forward else U(m * (np.int64(2**32) // m + np.int64(1)))  # so that z is not negative
    for k in range(len(changed)):
        r = _swapped(taken[2 * k])
        z = np.int64(changed[k] + multiple + (r >> U(32)) * factor + sign * (r & _LOW))
        c = U(z - np.int64(float(z) * less) * m)
        c = min(c, c - modulus)
        changed[k] = c
        blocks[2 * k + 1] = _swapped(c ^ low)


@_loop
def write(letters: Any, length: int, a: Any, b: Any, firsts: Any) -> None:
    """STR of both halves into every row; ``a`` and ``b`` are used up."""
    u, v = length // 2, length - length // 2
    u_shift, v_shift = U(64 - 8 * min(u, 8)), U(8 * min(v, 7))
    v_keep, whole = ~U(0) << U(64 - 8 * min(v, 8)), v >= 8
    for k in range(len(a)):
        left, right = _first_of_nine(a[k]), _first_of_nine(b[k])  # 0 of shorter ones
        a[k], b[k] = _letters(a[k] - (left & _LOW) * U(10**8)), _letters(b[k] - (right & _LOW) * U(10**8))
        firsts[k] = left | right << U(8)
    for k in range(len(a)):
        row = k * length
        _store(letters, row + (u == 9), a[k] >> u_shift)
        # The last letters of the left half stand before a short right one.
        _store(letters, row + length - 8, b[k] if whole else (b[k] & v_keep) | (a[k] >> v_shift))
        if u == 9:
            letters[row] = (firsts[k] & U(255)) + U(48)
        if v == 9:
            letters[row + u] = (firsts[k] >> U(8)) + U(48)


class Kernel:
    """
    Converts chunks of at most ``room`` rows under one key, tweak and length.

    ``cipher`` writes encrypted blocks into a buffer; ``steps`` are the rounds in the order they are done: what the
    higher and lower number of a block are XORed with, and the modulus.
    """

    def __init__(self, cipher: Callable[[Any, Any], None], steps: list[Step], room: int, *, forward: bool) -> None:
        self._cipher, self._forward = cipher, forward
        self._halves = np.empty((2, room), dtype=np.uint64)
        self._given, self._taken = np.empty(2 * room, dtype=np.uint64), np.empty(16 * room + 15, dtype=np.uint8)
        self._given[::2] = U(steps[0][0]).byteswap()  # the same in every round
        self._results, self._room = self._taken[: 16 * room].view(np.uint64), self._taken.data
        self._first = U(steps[0][1])
        following = [*steps[1:], steps[0]]  # what the last round leaves in the blocks is not read
        self._rounds = [(U(step[2]), U(after[1])) for step, after in zip(steps, following, strict=True)]

    def convert(self, letters: Bytes, out: Bytes) -> bool:
        """Convert the rows of ``letters`` into ``out``; False if a letter is no digit, and nothing was written."""
        count, length = letters.shape
        (a, b), given, results, forward = self._halves[:, :count], self._given, self._results, self._forward
        if read(letters.reshape(-1), length, a, b, results, given, self._first, forward):
            return False
        blocks = given[: 2 * count].view(np.uint8).data
        changed, other = (a, b) if forward else (b, a)
        for modulus, low in self._rounds:
            self._cipher(blocks, self._room)
            advance(results, changed, given, modulus, low, forward)
            changed, other = other, changed
        write(out.reshape(-1), length, a, b, results)
        return True
