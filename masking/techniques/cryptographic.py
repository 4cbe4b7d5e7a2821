"""
Cryptographic family: format-preserving encryption FF1 over whole columns.

Source: NIST SP 800-38G (FF1, Algorithms 7 and 8), with the domain of at least 1,000,000 values that the second public
draft of Revision 1 (February 2025) requires. Step numbers in comments are the standard's.

One AES (or SM4) call a round covers all values of one length: the cipher block of P and of the fixed part of Q is
folded into one template, both halves are uint64 columns, and y is reduced modulo radix^m in at most 64-bit steps.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from masking.errors import InvalidParameter, InvalidValue
from masking.keys import derive
from masking.techniques.base import Context, Example, Technique, secret_field, technique
from masking.techniques.fixed_width import Bytes, as_text, by_length, reassemble, text_of, words
from masking.techniques.pseudonymization import ColumnCMAC

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
MINIMUM_DOMAIN = 1_000_000
_CHUNK = 1 << 14  # values a round: both halves and the cipher blocks stay in the cache
_MAX_TWEAK = 2**16

Column = npt.NDArray[np.uint64]


class FF1:
    """
    FF1 over columns: ``encrypt`` and ``decrypt`` are inverse bijections of the strings of each length.

    ``key``: 16, 24 or 32 bytes for "aes", 16 for "sm4". ``radix``: 2 to 36, alphabet 0-9a-z.
    Column: list, Arrow array or chunked array of text in, the same kind out; null stays null.

    Raises:
        InvalidParameter: key, radix, cipher or tweak is not as above.
        InvalidValue: a value has a character outside the alphabet, or its length gives fewer than 1,000,000 strings.

    """

    def __init__(self, key: bytes, radix: int = 10, cipher: Literal["aes", "sm4"] = "aes") -> None:
        if not isinstance(radix, int) or isinstance(radix, bool) or not 2 <= radix <= len(ALPHABET):
            raise InvalidParameter(f"radix must be 2 to {len(ALPHABET)}", parameter="radix")
        self.radix = radix
        self.cipher = cipher
        self.minimum_length = next(n for n in range(2, 64) if radix**n >= MINIMUM_DOMAIN)
        self._block = _block_cipher(key, cipher)
        self._digit_of = np.full(256, 255, dtype=np.uint8)
        self._digit_of[np.frombuffer(ALPHABET[:radix].encode(), dtype=np.uint8)] = np.arange(radix, dtype=np.uint8)

    def __repr__(self) -> str:
        return f"FF1(<key hidden>, radix={self.radix}, cipher={self.cipher!r})"

    def encrypt(self, column: Any, tweak: bytes = b"") -> Any:
        """Encrypt every value; equal values give equal outputs under one key and tweak."""
        return self._whole(column, tweak, forward=True)

    def decrypt(self, column: Any, tweak: bytes = b"") -> Any:
        """Undo ``encrypt`` with the same key and tweak."""
        return self._whole(column, tweak, forward=False)

    def convert(self, column: pa.Array, tweak: bytes = b"", *, forward: bool = True) -> tuple[pa.Array, pa.Array]:
        """Return the converted ``string`` column and, as a Boolean column, what is outside the format."""
        if not isinstance(tweak, bytes) or len(tweak) > _MAX_TWEAK:
            raise InvalidParameter(f"tweak must be at most {_MAX_TWEAK} bytes", parameter="tweak")
        text = as_text(column)
        invalid = np.zeros(len(text), dtype=np.bool_)
        parts = []
        for length, rows, matrix in by_length(text):
            if length < self.minimum_length:
                invalid[rows] = True
                continue
            outside = ~self._inside(matrix)
            if outside.any():
                invalid[rows[outside]] = True
                rows, matrix = rows[~outside], matrix[~outside]  # noqa: PLW2901  (narrowed to the values that fit)
            parts.append((rows, text_of(self._convert(matrix, tweak, forward))))
        return reassemble(len(text), parts, pa.string()), pa.array(invalid)

    def _whole(self, column: Any, tweak: bytes, *, forward: bool) -> Any:
        if isinstance(column, pa.ChunkedArray):
            return pa.chunked_array(
                [self._whole(chunk, tweak, forward=forward) for chunk in column.chunks], pa.string()
            )
        given = column if isinstance(column, pa.Array) else pa.array(column, pa.large_string())
        if pa.types.is_dictionary(given.type):
            given = given.dictionary_decode()
        converted, invalid = self.convert(given, tweak, forward=forward)
        _refuse(invalid, self)
        if isinstance(column, pa.Array):
            return converted.cast(given.type) if pa.types.is_large_string(given.type) else converted
        return converted.to_pylist()

    def _inside(self, matrix: Bytes) -> npt.NDArray[np.bool_]:
        if self.radix == 10:
            digits = (matrix - np.uint8(48)) <= 9
            return np.ones(len(matrix), dtype=np.bool_) if digits.all() else np.asarray(digits.all(axis=1))
        return np.asarray((self._digit_of[matrix] != 255).all(axis=1))

    def _convert(self, matrix: Bytes, tweak: bytes, forward: bool) -> Bytes:
        converted = np.empty_like(matrix)
        if self.radix ** ((matrix.shape[1] + 1) // 2) >= 2**63:
            wide = _WideFF1(self.radix, self._block, tweak, matrix.shape[1])
            for row, value in enumerate(matrix):  # over 36 digits: no column arithmetic holds such numbers
                converted[row] = wide.convert(value, forward=forward)
            return converted
        rounds = _Rounds(self.radix, self._block, tweak, matrix.shape[1])
        for start in range(0, len(matrix), _CHUNK):
            chunk = matrix[start : start + _CHUNK]
            left, right = self._numbers(chunk, 0, rounds.u), self._numbers(chunk, rounds.u, rounds.v)
            left, right = rounds.encrypt(left, right) if forward else rounds.decrypt(left, right)
            self._write(converted[start : start + _CHUNK], 0, rounds.u, left)
            self._write(converted[start : start + _CHUNK], rounds.u, rounds.v, right)
        return converted

    def _numbers(self, matrix: Bytes, start: int, width: int) -> Column:
        """NUM_radix of ``width`` characters of every row."""
        if self.radix == 10:
            return _decimal_numbers(matrix, start, width)
        numbers = np.zeros(len(matrix), dtype=np.uint64)
        for place in range(start, start + width):
            numbers = numbers * np.uint64(self.radix) + self._digit_of[matrix[:, place]]
        return numbers

    def _write(self, matrix: Bytes, start: int, width: int, numbers: Column) -> None:
        """STR_radix of every number into ``width`` characters of every row."""
        letters = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)
        radix = np.uint64(self.radix)
        place = start + width
        if self.radix == 10:
            while place - start >= 4:
                rest = numbers // np.uint64(10_000)
                place -= 4
                four = np.ndarray(
                    (len(matrix),), dtype="<u4", buffer=matrix, offset=place, strides=(matrix.shape[1],)
                )  # four characters of each row in one number
                four[:] = _FOUR_DIGITS.take((numbers - rest * np.uint64(10_000)).view(np.int64), mode="clip")
                numbers = rest
        while place > start:
            rest = numbers // radix
            place -= 1
            matrix[:, place] = letters[(numbers - rest * radix).astype(np.intp)]
            numbers = rest


class _Rounds:
    """The ten rounds for one length and tweak, where radix^v < 2^63 (so that b <= 8 and d <= 12)."""

    def __init__(self, radix: int, block: Any, tweak: bytes, length: int) -> None:
        self.u, self.v = length // 2, length - length // 2  # step 1
        self._moduli = (radix**self.u, radix**self.v)
        self._block = block
        b = _byte_length(radix, self.v)  # step 3
        self._wide_y = 4 * -(-b // 4) + 4 > 8  # step 4: d is 8 or 12 bytes
        fixed = _first_block(radix, self.u, length, len(tweak)) + _padded_tweak(tweak, b)
        # Step 6.i-ii: P and all of Q but its last block are the same for every value and round.
        state = bytes(16)
        for start in range(0, len(fixed) - len(fixed) % 16, 16):
            state = block(_xor(state, fixed[start : start + 16]))
        tail = fixed[len(fixed) - len(fixed) % 16 :].ljust(16, b"\0")
        template = _xor(state, tail)
        self._high, self._low = int.from_bytes(template[:8], "big"), int.from_bytes(template[8:], "big")
        self._round_shift = 8 * b  # [i]^1 stands just before [NUM(B)]^b

    def encrypt(self, a: Column, b: Column) -> tuple[Column, Column]:
        for i in range(10):
            modulus = self._moduli[i % 2]  # step 6.v: m is u when i is even
            c = self._y(i, b, modulus)
            c += a  # step 6.vi
            a, b = (
                b,
                np.minimum(c, c - np.uint64(modulus), out=c),
            )  # 6.viii-ix; c - modulus wraps if c is less
        return a, b

    def decrypt(self, a: Column, b: Column) -> tuple[Column, Column]:
        for i in reversed(range(10)):
            modulus = self._moduli[i % 2]
            c = b + (np.uint64(modulus) - self._y(i, a, modulus))
            a, b = np.minimum(c, c - np.uint64(modulus)), a
        return a, b

    def _y(self, i: int, b: Column, modulus: int) -> Column:
        """Steps 6.i-iv and the reduction of 6.vi: NUM(S) mod radix^m, where S are the first d bytes of R."""
        index = i << self._round_shift
        blocks = np.empty((len(b), 2), dtype=np.uint64)  # big-endian numbers: every byte swapped on the way in and out
        blocks[:, 0] = np.uint64(self._high ^ (index >> 64)).byteswap()
        np.bitwise_xor(b, np.uint64(self._low ^ (index & (2**64 - 1))), out=blocks[:, 1])
        blocks[:, 1].byteswap(inplace=True)
        r = np.frombuffer(self._block(blocks.view(np.uint8).reshape(-1).data), dtype=np.uint64).reshape(-1, 2)
        y = _modulo(r[:, 0].byteswap(), modulus)
        if not self._wide_y:
            return y
        # 96 bits: the lower 32 follow in steps small enough for a remainder times 2^step to fit 64 bits.
        low = r[:, 1].byteswap() >> np.uint64(32)
        left, step = 32, min(32, 64 - modulus.bit_length())
        while left:
            step = min(step, left)
            left -= step
            bits = (low >> np.uint64(left)) & np.uint64(2**step - 1)
            y = _modulo((y << np.uint64(step)) | bits, modulus)
        return y


class _WideFF1:
    """FF1 on one value of any length: big integers, for the rare values whose halves pass 63 bits."""

    def __init__(self, radix: int, block: Any, tweak: bytes, length: int) -> None:
        self._radix, self._block, self._length = radix, block, length
        self._u, self._v = length // 2, length - length // 2
        self._b = _byte_length(radix, self._v)
        self._d = 4 * -(-self._b // 4) + 4
        self._fixed = _first_block(radix, self._u, length, len(tweak)) + _padded_tweak(tweak, self._b)

    def convert(self, value: Bytes, *, forward: bool) -> Bytes:
        text = value.tobytes().decode("ascii")
        a, b = int(text[: self._u], self._radix), int(text[self._u :], self._radix)
        for i in range(10) if forward else reversed(range(10)):
            modulus = self._radix ** (self._u if i % 2 == 0 else self._v)
            if forward:
                a, b = b, (a + self._y(i, b)) % modulus
            else:
                a, b = (b - self._y(i, a)) % modulus, a
        letters = _spelled(a, self._radix, self._u) + _spelled(b, self._radix, self._v)
        return np.frombuffer(letters.encode(), dtype=np.uint8)

    def _y(self, i: int, number: int) -> int:
        message = self._fixed + bytes([i]) + number.to_bytes(self._b, "big")
        r = bytes(16)
        for start in range(0, len(message), 16):
            r = self._block(_xor(r, message[start : start + 16]))
        s = r
        for j in range(1, -(-self._d // 16)):
            s += self._block(_xor(r, j.to_bytes(16, "big")))
        return int.from_bytes(s[: self._d], "big")


@technique("cryptographic.ff1")
@dataclass(frozen=True)
class FF1Encryption(Technique):
    """
    Replace each value by another of the same length and alphabet, one to one under the key (FF1).

    Column: text or integers; null stays null. A value outside the alphabet, or so short that fewer than 1,000,000
    values share its length, is not in the format: ``on_invalid`` says whether the run stops (reject), the value becomes
    a keyed token (token) or null (null). It never passes in clear.
    Unit: ``radix`` in [2, 36], alphabet 0-9a-z. ``mark`` is put before every output, so that nobody takes a surrogate
    for a real number; it must hold a character outside the alphabet.
    Loss: everything but length and equality. The owner of the key can undo it, so the result is de-identified, never
    anonymized.
    Source: NIST SP 800-38G, FF1; ISO/IEC 20889:2018, cryptographic tools: format-preserving encryption.

    Raises:
        InvalidParameter: radix, cipher or mark is not as above.
        InvalidValue: ``on_invalid`` is reject and values are outside the format.

    """

    radix: int = 10
    cipher: Literal["aes", "sm4"] = "aes"
    on_invalid: Literal["reject", "token", "null"] = "reject"
    mark: str = ""
    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    releases: ClassVar[str] = "token"
    spec: ClassVar[tuple[Example, ...]] = (
        Example({}, ("13800000000", None), ("86064330754", None), "same length, same alphabet; null stays null"),
        Example({"mark": "#"}, ("13800000000",), ("#86064330754",), "marked as a surrogate"),
        Example({"on_invalid": "null"}, ("12345", "12-45678"), (None, None), "too short or outside the alphabet"),
    )

    def __post_init__(self) -> None:
        FF1(bytes(16), self.radix)
        if self.mark and (len(self.mark) > 8 or all(letter in ALPHABET[: self.radix] for letter in self.mark)):
            raise InvalidParameter("mark must have a character outside the alphabet, at most 8", parameter="mark")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text, whatever came in."""
        _text_or_integer(given, self.name)
        return pa.string()

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del context
        text = as_text(column)
        converter = FF1(self.secret, self.radix, self.cipher)
        converted, invalid = converter.convert(text)
        if self.on_invalid == "reject":
            _refuse(invalid, converter)
        if self.mark:
            converted = pc.binary_join_element_wise(pa.scalar(self.mark), converted, "")
        if self.on_invalid == "token":
            secret = derive(self.secret, domain=self.name, technique="pseudonymization.keyed")
            outside = pc.if_else(invalid, text, pa.scalar(None, pa.large_string()))
            converted = pc.coalesce(converted, ColumnCMAC(secret).tokens(outside))
        return converted, int(pc.sum(invalid).as_py() or 0)

    def _nulls_kept(self, given: pa.Array, masked: pa.Array) -> bool:
        return (
            masked.null_count >= given.null_count if self.on_invalid == "null" else super()._nulls_kept(given, masked)
        )


def _block_cipher(key: bytes, cipher: str) -> Any:
    """Return a function that encrypts whole blocks independently (the block cipher itself, used as FF1's CIPH)."""
    if not isinstance(key, bytes):
        raise InvalidParameter("key must be bytes", parameter="key")
    sizes = {"aes": (16, 24, 32), "sm4": (16,)}
    if cipher not in sizes:
        raise InvalidParameter("cipher must be 'aes' or 'sm4'", parameter="cipher")
    if len(key) not in sizes[cipher]:
        raise InvalidParameter(f"key must be {sizes[cipher]} bytes for {cipher}", parameter="key")
    algorithm = algorithms.AES(key) if cipher == "aes" else algorithms.SM4(key)
    return Cipher(algorithm, modes.ECB()).encryptor().update  # noqa: S305  (one block cipher call per round, not a mode)


def _refuse(invalid: pa.Array, converter: FF1) -> None:
    rows = np.flatnonzero(invalid.to_numpy(zero_copy_only=False))
    if len(rows):
        raise InvalidValue(
            f"FF1 needs at least {converter.minimum_length} characters of 0-9a-z below radix {converter.radix}",
            count=len(rows),
            first_rows=rows[:5].tolist(),
        )


def _text_or_integer(given: pa.DataType, name: str) -> None:
    from masking.errors import UnsupportedColumn

    text = pa.types.is_string(given) or pa.types.is_large_string(given) or pa.types.is_string_view(given)
    if not (text or pa.types.is_integer(given) or pa.types.is_null(given)):
        raise UnsupportedColumn(f"{name} works on text or integers, not on {given}")


def _first_block(radix: int, u: int, length: int, tweak_length: int) -> bytes:
    """Step 5: P."""
    head = bytes([1, 2, 1]) + radix.to_bytes(3, "big") + bytes([10, u % 256])
    return head + length.to_bytes(4, "big") + tweak_length.to_bytes(4, "big")


def _padded_tweak(tweak: bytes, b: int) -> bytes:
    """Step 6.i: the part of Q before [i]^1."""
    return tweak + bytes((-len(tweak) - b - 1) % 16)


def _byte_length(radix: int, v: int) -> int:
    """Step 3: b = ceil(ceil(v * LOG(radix)) / 8), by integers."""
    return -(-(radix**v - 1).bit_length() // 8)


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(16, "big")


def _modulo(numbers: Column, modulus: int) -> Column:
    m = np.uint64(modulus)
    multiples = numbers // m
    multiples *= m
    return np.subtract(numbers, multiples, out=multiples)


def _spelled(number: int, radix: int, width: int) -> str:
    letters = []
    for _ in range(width):
        number, digit = divmod(number, radix)
        letters.append(ALPHABET[digit])
    return "".join(reversed(letters))


def _decimal_numbers(matrix: Bytes, start: int, width: int) -> Column:
    """Decimal numbers of ``width`` ASCII digits a row, eight digits an operation (SWAR)."""
    numbers: Column | None = None
    place = start
    length = matrix.shape[1]
    for size in [width % 8] * bool(width % 8) + [8] * (width // 8):
        if place + size >= 8:  # read together with the bytes before them, which are then cleared
            x = words(matrix, place + size - 8) & np.uint64(2**64 - 2 ** (64 - 8 * size))
        elif place + 8 <= length:
            x = words(matrix, place) << np.uint64(64 - 8 * size)
        else:
            window = np.zeros((len(matrix), 8), dtype=np.uint8)
            window[:, 8 - size :] = matrix[:, place : place + size]
            x = window.view("<u8")[:, 0]
        x = x & np.uint64(0x0F0F0F0F0F0F0F0F)
        x = (x * np.uint64(2561)) >> np.uint64(8)
        x = ((x & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601)) >> np.uint64(16)
        x = ((x & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001)) >> np.uint64(32)
        numbers = x if numbers is None else numbers * np.uint64(10**8) + x
        place += size
    assert numbers is not None
    return numbers


_FOUR_DIGITS = np.frombuffer("".join(f"{number:04d}" for number in range(10_000)).encode(), dtype="<u4")
