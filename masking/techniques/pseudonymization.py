"""
Pseudonymization family: keyed tokens that join under one key and say nothing else.

Source: RFC 4493 and NIST SP 800-38B (AES-CMAC), computed for all values of one length by one AES call a block.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from masking.errors import UnsupportedColumn
from masking.techniques.base import Example, Technique, secret_field, technique
from masking.techniques.fixed_width import Bytes, as_text, by_length, reassemble, text_of, words

TOKEN_CHARACTERS = 16
_CHUNK = 1 << 14
_HEX = np.frombuffer("".join(f"{n & 255:02x}{n >> 8:02x}" for n in range(1 << 16)).encode(), dtype="<u4")
"""Four hex characters of every two bytes, taken as a little-endian number."""


class ColumnCMAC:
    """AES-CMAC of every value of a column, equal to the CMAC of each value's UTF-8 bytes."""

    def __init__(self, key: bytes) -> None:
        self._encrypt = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update  # noqa: S305  (CBC-MAC by columns)
        subkey = _doubled(self._encrypt(bytes(16)))
        self._complete = np.frombuffer(subkey, dtype=np.uint64)  # K1
        self._padded = np.frombuffer(_doubled(subkey), dtype=np.uint64)  # K2

    def __repr__(self) -> str:
        return "ColumnCMAC(<key hidden>)"

    def tokens(self, column: pa.Array) -> pa.Array:
        """First 8 bytes of each value's CMAC as 16 hex characters; null stays null."""
        parts = []
        for _, rows, matrix in by_length(as_text(column)):
            parts.append((rows, text_of(self._spelled(matrix))))
        return reassemble(len(column), parts, pa.string())

    def macs(self, matrix: Bytes) -> Bytes:
        """CMAC of each row of a matrix of bytes: a matrix of 16 bytes a row."""
        count, length = matrix.shape
        macs = np.empty((count, 16), dtype=np.uint8)
        for start in range(0, count, _CHUNK):
            macs[start : start + _CHUNK] = self._chunk(matrix[start : start + _CHUNK], length)
        return macs

    def _spelled(self, matrix: Bytes) -> Bytes:
        count, length = matrix.shape
        spelled = np.empty((count, TOKEN_CHARACTERS // 4), dtype="<u4")
        for start in range(0, count, _CHUNK):
            macs = self._chunk(matrix[start : start + _CHUNK], length)
            np.take(
                _HEX, macs.view("<u2")[:, : TOKEN_CHARACTERS // 4], out=spelled[start : start + _CHUNK], mode="clip"
            )
        return spelled.view(np.uint8).reshape(count, TOKEN_CHARACTERS)

    def _chunk(self, matrix: Bytes, length: int) -> Bytes:
        blocks = max(1, -(-length // 16))
        message = _padded(matrix, length, blocks)
        message[:, -1] ^= self._complete if length == 16 * blocks else self._padded
        state: npt.NDArray[np.uint64] = np.zeros((len(matrix), 2), dtype=np.uint64)
        for block in range(blocks):
            mixed = (
                (state ^ message[:, block] if block else np.ascontiguousarray(message[:, 0])).view(np.uint8).reshape(-1)
            )
            state = np.frombuffer(self._encrypt(mixed.data), np.uint64).reshape(-1, 2)
        return state.view(np.uint8).reshape(len(matrix), 16)


@technique("pseudonymization.keyed")
@dataclass(frozen=True)
class Keyed(Technique):
    """
    Replace each value by a token of 16 hex characters that depends on the value and the key only.

    Column: text, numbers or dates; a value has one token whatever type holds it (5 and "5" join). Null stays null.
    Two columns join exactly when their rules name the same key. Two different values share a token with probability
    n^2 / 2^65 for n values.
    Loss: everything but equality. Whoever holds the key can try values, so the result is de-identified, never
    anonymized.
    Source: AES-CMAC, RFC 4493; ISO/IEC 20889:2018, pseudonymization.

    Raises:
        UnsupportedColumn: the column is nested or binary.

    """

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
    )

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text, whatever came in."""
        if pa.types.is_nested(given) or pa.types.is_binary(given) or pa.types.is_large_binary(given):
            raise UnsupportedColumn(f"{self.name} works on text, numbers or dates, not on {given}")
        return pa.string()

    def _apply(self, column: pa.Array) -> pa.Array:
        return ColumnCMAC(self.secret).tokens(column)


def _padded(matrix: Bytes, length: int, blocks: int) -> npt.NDArray[np.uint64]:
    """RFC 4493, 2.4 step 4: each row as whole blocks of two numbers, with 10* behind an incomplete one."""
    count = len(matrix)
    if length < 8:
        message = np.zeros((count, 16), dtype=np.uint8)
        message[:, :length] = matrix
        message[:, length] = 0x80
        return message.view(np.uint64).reshape(count, 1, 2)
    message = np.zeros((count, 2 * blocks), dtype="<u8")
    whole, rest = divmod(length, 8)
    for place in range(whole):
        message[:, place] = words(matrix, 8 * place)
    if rest:  # the last bytes, read together with those before them
        message[:, whole] = words(matrix, length - 8) >> np.uint64(64 - 8 * rest)
    if length < 16 * blocks:
        message[:, whole] |= np.uint64(0x80 << (8 * rest))
    return message.view(np.uint64).reshape(count, blocks, 2)


def _doubled(block: bytes) -> bytes:
    """Double in GF(2^128) (RFC 4493, 2.3)."""
    number = int.from_bytes(block, "big") << 1
    return ((number & (2**128 - 1)) ^ (0x87 if number >> 128 else 0)).to_bytes(16, "big")
