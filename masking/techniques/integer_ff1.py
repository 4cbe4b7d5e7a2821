"""
FF1 on the integers below any size, and with a tweak of its own for every value.

Source: NIST SP 800-38G, FF1; cycle walking: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002. A size N
is covered by two or four numerals of the least radix r with r^n >= N, so that a value hardly ever has to walk: fewer
than 1 in 60 for four numerals, 1 in 500 for two. The domain of at least 1,000,000 is the one that the second public
draft of Revision 1 (February 2025) requires.

The tweak has 7 bytes: with them the last block of Q begins and all rounds but the tweak are the same for a column, so
that a tweak for every value costs one exclusive-or.
"""

from typing import Any, Literal

import numpy as np

from masking.errors import InvalidParameter
from masking.techniques.ff1 import MINIMUM_DOMAIN, BlockCipher, Column, Rounds

TWEAK_BYTES = 7
CHUNK = 1 << 15


class TweakedRounds(Rounds):
    """The ten rounds of FF1 for numerals of one radix and length, where ``tweaks`` may be a column."""

    def __init__(self, radix: int, block: BlockCipher, length: int) -> None:
        super().__init__(radix, block, bytes(TWEAK_BYTES), length)
        self._tweaks: Any = np.uint64(0)

    def in_place_under(self, tweaks: Column | int, a: Column, b: Column, *, forward: bool) -> None:
        """Convert two halves where they are; ``tweaks`` are numbers below 2^56, one or one a value."""
        self._tweaks = (
            tweaks << np.uint64(8) if isinstance(tweaks, np.ndarray) else np.uint64(tweaks << 8)
        )  # the first 7 of 8 bytes
        self._high = -1  # what the buffer of blocks holds is of other tweaks
        self.in_place(a, b, forward=forward)

    def _cipher(self, i: int, other: Column, spare: Column) -> None:
        block = self._template ^ (i << self._round_shift)
        high, low = block >> 64, np.uint64(block & (2**64 - 1))
        if high != self._high:
            self._blocks[: len(other), 0] = self._tweaks ^ np.uint64(high)
            self._high = high
        np.bitwise_xor(other, low, out=spare)
        np.copyto(self._blocks[: len(other), 1], spare)
        self._block.into(self._given[: 16 * len(other)], self._taken)


class IntegerFF1:
    """
    A bijection of [0, ``size``) under a key and a tweak.

    ``size``: 1,000,000 to 2^64 - 1. ``key``: 16, 24 or 32 bytes for "aes", 16 for "sm4". ``tweak``: a number below 2^56
    or one a value; values under different tweaks are permuted independently.
    Column: uint64 numbers below ``size`` in, new ones out.

    Raises:
        InvalidParameter: size, key or cipher is not as above.

    """

    def __init__(self, key: bytes | BlockCipher, size: int, cipher: Literal["aes", "sm4"] = "aes") -> None:
        if not MINIMUM_DOMAIN <= size < 2**64:
            raise InvalidParameter("the domain must have 1,000,000 to 2^64 - 1 values", parameter="size")
        self.size = size
        self.length = 2 if size <= 2**32 else 4
        self.radix = least_radix(size, self.length)
        block = key if isinstance(key, BlockCipher) else BlockCipher(key, cipher)
        self._rounds = TweakedRounds(self.radix, block, self.length)
        self._half = np.uint64(self.radix ** (self.length // 2))

    def __repr__(self) -> str:
        return f"IntegerFF1(<key hidden>, size={self.size})"

    def encrypt(self, numbers: Column, tweak: Column | int = 0) -> Column:
        """Return the number that stands for each."""
        return self._walked(numbers, tweak, forward=True)

    def decrypt(self, numbers: Column, tweak: Column | int = 0) -> Column:
        """Undo ``encrypt`` with the same key and tweak."""
        return self._walked(numbers, tweak, forward=False)

    def _walked(self, numbers: Column, tweak: Column | int, *, forward: bool) -> Column:
        converted = np.empty(len(numbers), dtype=np.uint64)
        for start in range(0, len(numbers), CHUNK):
            chunk = slice(start, start + CHUNK)
            under = tweak[chunk] if isinstance(tweak, np.ndarray) else tweak
            converted[chunk] = self._once(numbers[chunk], under, forward)
        outside = np.flatnonzero(converted >= np.uint64(self.size))
        while len(outside):  # cycle walking: whoever starts inside comes back inside
            under = tweak[outside] if isinstance(tweak, np.ndarray) else tweak
            converted[outside] = self._once(converted[outside], under, forward)
            outside = outside[converted[outside] >= np.uint64(self.size)]
        return converted

    def _once(self, numbers: Column, tweak: Column | int, forward: bool) -> Column:
        left = numbers // self._half
        right = numbers - left * self._half
        self._rounds.in_place_under(tweak, left, right, forward=forward)
        left *= self._half
        left += right
        return left


def least_radix(size: int, length: int) -> int:
    """Return the least r with r^length >= size."""
    radix = round(size ** (1 / length))
    while radix**length >= size:
        radix -= 1
    while radix**length < size:
        radix += 1
    return radix
