"""
Pseudonymization family: keyed tokens that join under one key and say nothing else.

Source: RFC 4493 and NIST SP 800-38B (AES-CMAC), computed for all values of one length by one AES call a block; GB/T
32905-2016 (SM3) in HMAC.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from masking.errors import UnsupportedColumn
from masking.keys import derive
from masking.techniques.base import Example, Technique, secret_field, technique
from masking.techniques.ff1 import BlockCipher
from masking.techniques.fixed_width import Bytes, as_string, by_length, distinct, even, reassemble, text_of, words

Words = npt.NDArray[np.uint64]
TOKEN_CHARACTERS = 16
_CHUNK = 1 << 14
_HEX = np.frombuffer("".join(f"{n & 255:02x}{n >> 8:02x}" for n in range(1 << 16)).encode(), dtype="<u4")
"""Four hex characters of every two bytes, taken as a little-endian number."""


class ColumnCMAC:
    """AES-CMAC of every value of a column, equal to the CMAC of each value's UTF-8 bytes."""

    def __init__(self, key: bytes) -> None:
        self._block = BlockCipher(key, "aes")
        subkey = _doubled(self._block(bytes(16)))
        self._complete, self._padded = subkey, _doubled(subkey)  # K1, K2

    def __repr__(self) -> str:
        return "ColumnCMAC(<key hidden>)"

    def tokens(self, column: pa.Array) -> pa.Array:
        """First 8 bytes of each value's CMAC as 16 hex characters; null stays null."""
        text = as_string(column)
        whole = even(text)
        if whole is not None:
            return text_of(self._spelled(whole))
        parts = [(rows, text_of(self._spelled(matrix))) for _, rows, matrix in by_length(text)]
        return reassemble(len(column), parts, pa.string())

    def macs(self, matrix: Bytes) -> Bytes:
        """CMAC of each row of a matrix of bytes: a matrix of 16 bytes a row."""
        macs = np.empty((len(matrix), 2), dtype=np.uint64)
        for start, state in self._states(matrix):
            macs[start : start + len(state)] = state
        return macs.view(np.uint8)

    def _spelled(self, matrix: Bytes) -> Bytes:
        spelled = np.empty((len(matrix), TOKEN_CHARACTERS // 4), dtype="<u4")
        room = min(len(matrix), _CHUNK)
        first, pairs = np.empty(room, dtype="<u8"), np.empty((room, TOKEN_CHARACTERS // 4), dtype=np.intp)
        for start, state in self._states(matrix):
            count = len(state)
            np.copyto(first[:count], state[:, 0])
            np.copyto(pairs[:count], first[:count].view("<u2").reshape(count, -1))
            np.take(_HEX, pairs[:count], out=spelled[start : start + count], mode="clip")
        return spelled.view(np.uint8)

    def _states(self, matrix: Bytes) -> Iterator[tuple[int, Words]]:
        """
        Give the CMAC of a chunk of rows at a time: the first row and two words a row, in a buffer that is used again.

        RFC 4493, 2.4. A row is words of 8 bytes; the last word with bytes of the row has 10* behind them, and the last
        two are XORed with K1 or K2. What of that is no byte of a row stands in the blocks from the beginning.
        """
        count, length = matrix.shape
        blocks, room = max(1, -(-length // 16)), min(count, _CHUNK)
        last = self._complete if length == 16 * blocks else _padding(length, 16 * (blocks - 1), self._padded)
        constants = np.frombuffer(bytes(16 * (blocks - 1)) + last, dtype="<u8")
        message = np.empty((blocks, room, 2), dtype="<u8")
        message[:] = constants.reshape(blocks, 1, 2)
        mixed, word = np.empty((room, 2), dtype="<u8"), np.empty(room, dtype="<u8")
        taken = np.empty(16 * room + 15, dtype=np.uint8)
        for start in range(0, count, _CHUNK):
            rows = matrix[start : start + _CHUNK]
            size = len(rows)
            for place in range(-(-length // 8)):
                _read(rows, place, word[:size])
                if constants[place]:
                    word[:size] ^= constants[place]
                np.copyto(message[place // 2, :size, place % 2], word[:size])
            state = taken[: 16 * size].view("<u8").reshape(size, 2)
            self._block.into(message[0, :size].view(np.uint8).reshape(-1).data, taken)
            for block in range(1, blocks):
                np.bitwise_xor(state, message[block, :size], out=mixed[:size])
                self._block.into(mixed[:size].view(np.uint8).reshape(-1).data, taken)
            yield start, state


class ColumnSM3:
    """HMAC-SM3 of every value of a column; each distinct value is computed once, for SM3 takes one at a time."""

    def __init__(self, key: bytes) -> None:
        self._keyed = HMAC(key, hashes.SM3())  # copied for each value, so that the key's two blocks are hashed once

    def __repr__(self) -> str:
        return "ColumnSM3(<key hidden>)"

    def tokens(self, column: pa.Array) -> pa.Array:
        """First 8 bytes of each value's HMAC as 16 hex characters; null stays null."""
        values, places = distinct(as_string(column))
        return pa.array([self._token(value) for value in values.to_pylist()], pa.string()).take(places)

    def _token(self, value: str) -> str:
        mac = self._keyed.copy()
        mac.update(value.encode())
        return mac.finalize()[: TOKEN_CHARACTERS // 2].hex()


@technique("pseudonymization.keyed")
@dataclass(frozen=True)
class Keyed(Technique):
    """
    Replace each value by a token of 16 hex characters that depends on the value and the key only.

    Column: text, numbers or dates; a value has one token whatever type holds it (5 and "5" join). Null stays null.
    Two columns join exactly when their rules name the same key. Two different values share a token with probability
    n^2 / 2^65 for n values.
    Unit: ``algorithm`` is aes-cmac, or hmac-sm3 where national algorithms are asked for: each has a key of its own, so
    that their tokens do not join.
    Loss: everything but equality. Whoever holds the key can try values, so the result is de-identified, never
    anonymized.
    Source: AES-CMAC, RFC 4493; SM3, GB/T 32905-2016, in HMAC, RFC 2104; ISO/IEC 20889:2018, pseudonymization.

    Raises:
        UnsupportedColumn: the column is nested or binary.

    """

    algorithm: Literal["aes-cmac", "hmac-sm3"] = "aes-cmac"
    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    releases: ClassVar[str] = "token"
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {},
            ("张三", "李四", None, "张三"),
            ("b1f90598d94ea51f", "adbd19833fa8c91e", None, "b1f90598d94ea51f"),
            "equal values have equal tokens; null stays null",
        ),
        Example(
            {"algorithm": "hmac-sm3"},
            ("张三", None, "张三"),
            ("3e9090996aa256d8", None, "3e9090996aa256d8"),
            "the same by national algorithms",
        ),
    )

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text, whatever came in."""
        if pa.types.is_nested(given) or pa.types.is_binary(given) or pa.types.is_large_binary(given):
            raise UnsupportedColumn(f"{self.name} works on text, numbers or dates, not on {given}")
        return pa.string()

    def _apply(self, column: pa.Array) -> pa.Array:
        if self.algorithm == "hmac-sm3":
            return ColumnSM3(derive(self.secret, domain=self.name, technique="hmac-sm3")).tokens(column)
        return ColumnCMAC(self.secret).tokens(column)


def _padding(length: int, before: int, subkey: bytes) -> bytes:
    """RFC 4493, 2.4 step 4: 10* behind the last ``length - before`` bytes, XORed with K2."""
    padding = (bytes(length - before) + b"\x80").ljust(16, b"\0")
    return bytes(one ^ other for one, other in zip(padding, subkey, strict=True))


def _read(rows: Bytes, place: int, word: Words) -> None:
    """Bytes ``8 * place`` to ``8 * place + 8`` of every row, as far as the row goes, as a little-endian number."""
    length = rows.shape[1]
    rest = min(length - 8 * place, 8)
    if rest == 8:
        np.copyto(word, words(rows, 8 * place))
    elif length >= 8:  # read together with the bytes before them
        np.copyto(word, words(rows, length - 8))
        word >>= np.uint64(64 - 8 * rest)
    else:
        word[:] = 0
        word.view(np.uint8).reshape(-1, 8)[:, :length] = rows


def _doubled(block: bytes) -> bytes:
    """Double in GF(2^128) (RFC 4493, 2.3)."""
    number = int.from_bytes(block, "big") << 1
    return ((number & (2**128 - 1)) ^ (0x87 if number >> 128 else 0)).to_bytes(16, "big")
