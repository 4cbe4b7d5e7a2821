"""
FF1 over whole columns: the kernel below every format-preserving technique.

Source: NIST SP 800-38G (FF1, Algorithms 7 and 8), with the domain of at least 1,000,000 values that the second public
draft of Revision 1 (February 2025) requires. Step numbers in comments are the standard's.

One AES (or SM4) call a round covers all values of a chunk: the cipher block of P and of the fixed part of Q is folded
into one template, both halves are uint64 columns, and y is reduced modulo radix^m in at most 64-bit steps. All buffers
are made once for a column and hold one chunk, so that they stay in the cache from round to round.
"""

import functools
import importlib.util
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from masking.errors import InvalidParameter, InvalidValue
from masking.techniques.fixed_width import Bytes, as_string, by_length, distinct, even, reassemble, text_of, words

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
MINIMUM_DOMAIN = 1_000_000
ROUNDS = 10
_CHUNK = 1 << 14  # values a round: halves, blocks and spare columns together stay in a cache of 2 MB
_WORTH_COMPILING = 20_000  # values; the first column on a machine waits seconds for the compiler
_MAX_TWEAK = 2**16
_ALL = np.uint64(2**64 - 1)

Column = npt.NDArray[np.uint64]
Small = npt.NDArray[np.uint32]
Outside = npt.NDArray[np.bool_]


class BlockCipher:
    """A block cipher on independent blocks (the standard's CIPH): not a mode, one block says nothing of another."""

    def __init__(self, key: bytes, cipher: str) -> None:
        if not isinstance(key, bytes):
            raise InvalidParameter("key must be bytes", parameter="key")
        sizes = {"aes": (16, 24, 32), "sm4": (16,)}
        if cipher not in sizes:
            raise InvalidParameter("cipher must be 'aes' or 'sm4'", parameter="cipher")
        if len(key) not in sizes[cipher]:
            raise InvalidParameter(f"key must be {sizes[cipher]} bytes for {cipher}", parameter="key")
        algorithm = algorithms.AES(key) if cipher == "aes" else algorithms.SM4(key)
        self._encryptor = Cipher(algorithm, modes.ECB()).encryptor()  # noqa: S305  (see the class)

    def __repr__(self) -> str:
        return "BlockCipher(<key hidden>)"

    def __call__(self, blocks: Any) -> bytes:
        """Encrypt whole blocks."""
        return self._encryptor.update(blocks)

    def into(self, blocks: Any, out: Any) -> None:
        """Encrypt whole blocks into ``out``, which has room for 15 bytes more."""
        self._encryptor.update_into(blocks, out)


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
        self._block = BlockCipher(key, cipher)

    def __repr__(self) -> str:
        return f"FF1(<key hidden>, radix={self.radix}, cipher={self.cipher!r})"

    def encrypt(self, column: Any, tweak: bytes = b"") -> Any:
        """Encrypt every value; equal values give equal outputs under one key and tweak."""
        return self._whole(column, tweak, forward=True)

    def decrypt(self, column: Any, tweak: bytes = b"") -> Any:
        """Undo ``encrypt`` with the same key and tweak."""
        return self._whole(column, tweak, forward=False)

    def convert(self, column: pa.Array, tweak: bytes = b"", *, forward: bool = True) -> tuple[pa.Array, Outside | None]:
        """Return the converted ``string`` column and a mask of what is outside the format (null there) or None."""
        if not isinstance(tweak, bytes) or len(tweak) > _MAX_TWEAK:
            raise InvalidParameter(f"tweak must be at most {_MAX_TWEAK} bytes", parameter="tweak")
        text = as_string(column)
        if self.cipher == "sm4":  # seventy times slower than AES: each distinct value once
            values, places = distinct(text)
            converted, outside = self._text(values, tweak, forward)
            return converted.take(places), None if outside is None else _taken(outside, places)
        return self._text(text, tweak, forward)

    def _whole(self, column: Any, tweak: bytes, *, forward: bool) -> Any:
        if isinstance(column, pa.ChunkedArray):
            return pa.chunked_array(
                [self._whole(chunk, tweak, forward=forward) for chunk in column.chunks], pa.string()
            )
        given = column if isinstance(column, pa.Array) else pa.array(column, pa.large_string())
        if pa.types.is_dictionary(given.type):
            given = given.dictionary_decode()
        converted, outside = self.convert(given, tweak, forward=forward)
        self.refuse(outside)
        if isinstance(column, pa.Array):
            return converted.cast(given.type) if pa.types.is_large_string(given.type) else converted
        return converted.to_pylist()

    def refuse(self, outside: Outside | None) -> None:
        """Raise ``InvalidValue`` if a value is outside the format."""
        if outside is not None:
            rows = np.flatnonzero(outside)
            raise InvalidValue(
                f"FF1 needs at least {self.minimum_length} characters of 0-9a-z below radix {self.radix}",
                count=len(rows),
                first_rows=rows[:5].tolist(),
            )

    def _text(self, text: pa.Array, tweak: bytes, forward: bool) -> tuple[pa.Array, Outside | None]:
        whole = even(text)
        if whole is not None and whole.shape[1] >= self.minimum_length:
            converted, outside = self._matrix(whole, tweak, forward)
            if outside is None:
                return text_of(converted), None
        refused = np.zeros(len(text), dtype=np.bool_)
        parts = []
        for length, rows, matrix in by_length(text):
            if length < self.minimum_length:
                refused[rows] = True
                continue
            converted, outside = self._matrix(matrix, tweak, forward)
            if outside is not None:
                refused[rows[outside]] = True
                rows, converted = rows[~outside], converted[~outside]  # noqa: PLW2901  (narrowed to what fits)
            parts.append((rows, text_of(converted)))
        return reassemble(len(text), parts, pa.string()), refused if refused.any() else None

    def _matrix(self, matrix: Bytes, tweak: bytes, forward: bool) -> tuple[Bytes, Outside | None]:
        """Convert the rows of a matrix of letters; a row with other bytes is marked, what it becomes means nothing."""
        count, length = matrix.shape
        converted = np.empty((count, length), dtype=np.uint8)
        outside: Outside | None = None
        numerals = Numerals(self.radix, min(count, _CHUNK), length)
        convert = self._column_converter(numerals, tweak, length, forward)
        kernel = self._compiled(tweak, count, length, forward)
        for start in range(0, count, _CHUNK):
            letters = matrix[start : start + _CHUNK]
            if kernel is not None and kernel.convert(letters, converted[start : start + _CHUNK]):
                continue
            digits, odd = numerals.digits(letters)
            if odd is not None:
                outside = np.zeros(count, dtype=np.bool_) if outside is None else outside
                outside[start : start + _CHUNK] = odd
            convert(digits, converted[start : start + _CHUNK])
        return converted, outside

    def _compiled(self, tweak: bytes, count: int, length: int, forward: bool) -> Any:
        """Return the compiled kernel if numba is installed and the column is one for it, otherwise None."""
        if self.radix != 10 or self.cipher != "aes" or count < _WORTH_COMPILING or not 8 <= length <= 18:
            return None
        compiled = compiled_kernel()
        if compiled is None:
            return None
        rounds = Rounds(self.radix, self._block, tweak, length)
        steps = [rounds.step(i) for i in (range(ROUNDS) if forward else reversed(range(ROUNDS)))]
        return compiled.Kernel(self._block.into, steps, min(count, _CHUNK), forward=forward)

    def _column_converter(
        self, numerals: "Numerals", tweak: bytes, length: int, forward: bool
    ) -> Callable[[Bytes, Bytes], None]:
        """Return what takes a chunk of digits and writes the letters they become."""
        if self.radix ** ((length + 1) // 2) >= 2**63:  # over 36 decimal digits: no column holds such numbers
            wide = _WideFF1(self.radix, self._block, tweak, length)

            def by_value(digits: Bytes, letters: Bytes) -> None:
                for row, value in enumerate(digits):
                    letters[row] = wide.convert(value, forward=forward)

            return by_value
        rounds = Rounds(self.radix, self._block, tweak, length)
        halves = np.empty((2, _CHUNK), dtype=np.uint64)

        def by_column(digits: Bytes, letters: Bytes) -> None:
            left, right = halves[:, : len(digits)]
            numerals.read(len(digits), 0, rounds.u, left)
            numerals.read(len(digits), rounds.u, rounds.v, right)
            rounds.in_place(left, right, forward=forward)
            numerals.write(letters, 0, rounds.u, left)
            numerals.write(letters, rounds.u, rounds.v, right)

        return by_column


class Rounds:
    """
    The ten rounds for one length and tweak, where radix^v < 2^63 (so that b <= 8 and d <= 12).

    ``block``: a ``BlockCipher``. Halves are columns of numbers: the left below radix^u, the right below radix^v.
    """

    def __init__(self, radix: int, block: BlockCipher, tweak: bytes, length: int) -> None:
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
        self._template = int.from_bytes(_xor(state, tail), "big")
        self._round_shift = 8 * b  # [i]^1 stands just before [NUM(B)]^b
        self._high = -1
        self._make_room(0)

    def encrypt(self, a: Column, b: Column) -> tuple[Column, Column]:
        """Return both halves encrypted; the given ones stay as they are."""
        return self._copied(a, b, forward=True)

    def decrypt(self, a: Column, b: Column) -> tuple[Column, Column]:
        """Undo ``encrypt``."""
        return self._copied(a, b, forward=False)

    def in_place(self, a: Column, b: Column, *, forward: bool) -> None:
        """Convert two halves where they are; at most one chunk at a time is fast."""
        if len(a) > len(self._y):
            self._make_room(len(a))
        # A round turns (A, B) into (B, C). C takes the place of A: the halves change places, their columns do not.
        for i in range(ROUNDS) if forward else reversed(range(ROUNDS)):
            changed, other = (a, b) if i % 2 == 0 else (b, a)
            self._round(i, changed, other, forward)

    def _copied(self, a: Column, b: Column, *, forward: bool) -> tuple[Column, Column]:
        a, b = a.astype(np.uint64), b.astype(np.uint64)
        for start in range(0, len(a), _CHUNK):
            self.in_place(a[start : start + _CHUNK], b[start : start + _CHUNK], forward=forward)
        return a, b

    def _round(self, i: int, changed: Column, other: Column, forward: bool) -> None:
        """Steps 6.i-ix of round ``i``: ``changed`` becomes NUM(C)."""
        modulus = np.uint64(self._moduli[i % 2])  # step 6.v: m is u when i is even
        y, spare = self._y[: len(other)], self._spare[: len(other)]
        self._cipher(i, other, spare)
        np.copyto(y, self._results[: len(other), 0])
        if forward and not self._wide_y and y.max() <= _ALL - modulus:
            y += changed  # step 6.vi before the reduction: here no sum wraps
            _reduce(y, modulus, spare, changed)
            return
        _reduce(y, modulus, spare, y)
        if self._wide_y:
            self._append_low(y, modulus, spare)
        if forward:
            changed += y  # step 6.vi
            np.subtract(changed, modulus, out=spare)  # wraps if it is less than the modulus
        else:
            changed -= y  # wraps if y is more
            np.add(changed, modulus, out=spare)
        np.minimum(changed, spare, out=changed)

    def step(self, i: int) -> tuple[int, int, int]:
        """Return what both numbers of a block of round ``i`` are XORed with, and the round's modulus."""
        block = self._template ^ (i << self._round_shift)
        return block >> 64, block & (2**64 - 1), self._moduli[i % 2]  # step 6.v: m is u when i is even

    def _cipher(self, i: int, other: Column, spare: Column) -> None:
        """Steps 6.i-iii: the blocks R of round ``i`` into the buffer of results."""
        high, low, _ = self.step(i)
        if high != self._high:
            self._blocks[:, 0] = high
            self._high = high
        np.bitwise_xor(other, np.uint64(low), out=spare)
        np.copyto(self._blocks[: len(other), 1], spare)
        self._block.into(self._given[: 16 * len(other)], self._taken)

    def _append_low(self, y: Column, modulus: np.uint64, spare: Column) -> None:
        """Step 6.iv with d = 12: 32 bits follow, in steps so small that a remainder times 2^step fits 64 bits."""
        low = self._results[: len(y), 1] >> np.uint64(32)
        left, step = 32, min(32, 64 - int(modulus).bit_length())
        while left:
            step = min(step, left)
            left -= step
            y <<= np.uint64(step)
            y |= (low >> np.uint64(left)) & np.uint64(2**step - 1)
            _reduce(y, modulus, spare, y)

    def _make_room(self, count: int) -> None:
        self._high = -1  # the first eight bytes of every block: few rounds change them
        given, taken = np.empty(16 * count, dtype=np.uint8), np.empty(16 * count + 15, dtype=np.uint8)
        self._given: memoryview = given.data
        self._taken: memoryview = taken.data
        self._blocks: Column = given.view(">u8").reshape(-1, 2)  # the standard's numbers are big-endian
        self._results: Column = taken[: 16 * count].view(">u8").reshape(-1, 2)
        self._y: Column = np.empty(count, dtype=np.uint64)
        self._spare: Column = np.empty(count, dtype=np.uint64)


class Numerals:
    """NUM_radix and STR_radix on columns of letters, with buffers for ``room`` values of ``length`` letters."""

    def __init__(self, radix: int, room: int, length: int) -> None:
        self._radix, self._length = radix, length
        self._letters = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)
        self._digit_of = np.full(256, 255, dtype=np.uint8)
        self._digit_of[self._letters[:radix]] = np.arange(radix, dtype=np.uint8)
        self._flat = np.zeros(8 + room * length, dtype=np.uint8)  # eight bytes end at any letter, so 8 stand before
        self._digits = self._flat[8:].reshape(room, length)
        self._wide = np.empty((2, room), dtype=np.uint64)
        self._small = np.empty((3, room), dtype=np.uint32)
        self._places = np.empty(room, dtype=np.intp)

    def digits(self, letters: Bytes) -> tuple[Bytes, Outside | None]:
        """Return the value of each letter and a mask of the rows with other bytes (all 0 then), None without any."""
        digits = self._digits[: len(letters)]
        if self._radix == 10:
            np.subtract(letters, np.uint8(48), out=digits)
        else:
            np.take(self._digit_of, letters, out=digits, mode="clip")
        if digits.max() < self._radix:
            return digits, None
        outside = np.asarray((digits >= self._radix).any(axis=1))
        digits[outside] = 0
        return digits, outside

    def read(self, count: int, start: int, width: int, number: Column) -> None:
        """NUM_radix of ``width`` of the digits of the first ``count`` rows."""
        # Decimal digits are read eight at a time; those before the last multiple of eight alone if they are few.
        first = width if self._radix != 10 else width % 8
        if self._radix == 10 and first > 2:
            np.copyto(number, self._eight(count, start + first, first))
        else:
            np.copyto(number, self._digits[:count, start] if first else np.uint64(0))
            for place in range(start + 1, start + first):
                number *= np.uint64(self._radix)
                number += self._digits[:count, place]
        for place in range(start + first, start + width, 8):
            number *= np.uint64(10**8)
            number += self._eight(count, place + 8, 8)

    def write(self, letters: Bytes, start: int, width: int, number: Column) -> None:
        """STR_radix of every number into ``width`` characters of every row; ``number`` is used up."""
        count, place = len(letters), start + width
        rest, low = self._wide[0, :count], self._wide[1, :count]
        while place > start:
            if self._radix == 10 and place - start <= 9:
                small = self._small[0, :count]
                np.copyto(small, number, casting="unsafe")
                return self._write_small(letters, start, place, small)
            size = 8 if self._radix == 10 else 1
            np.floor_divide(number, np.uint64(self._radix**size), out=rest)
            np.multiply(rest, np.uint64(self._radix**size), out=low)
            np.subtract(number, low, out=low)
            if size == 1:
                letters[:, place - 1] = self._letters.take(low.view(np.int64))
            else:
                small = self._small[0, :count]
                np.copyto(small, low, casting="unsafe")
                self._write_small(letters, place - size, place, small)
            number, rest = rest, number
            place -= size
        return None

    def _write_small(self, letters: Bytes, start: int, place: int, number: Small) -> None:
        """Write decimal numbers of at most 9 digits: by four and, what is left in front, by one."""
        count = len(letters)
        rest, low = self._small[1, :count], self._small[2, :count]
        places = self._places[:count]
        while place > start:
            size = 4 if place - start >= 4 else 1
            place -= size
            if place > start:
                np.floor_divide(number, np.uint32(10**size), out=rest)
                np.multiply(rest, np.uint32(10**size), out=low)
                np.subtract(number, low, out=low)
            else:
                low[:] = number
            if size == 4:
                np.copyto(places, low)
                np.take(_FOUR_DIGITS, places, out=low, mode="clip")
                words(letters, place, "<u4")[:] = low
            else:
                low += np.uint32(48)
                np.copyto(letters[:, place], low, casting="unsafe")
            number, rest = rest, number

    def _eight(self, count: int, end: int, size: int) -> Column:
        """Numbers of the ``size`` decimal digits before ``end`` in every row, all eight in one operation (SWAR)."""
        x = self._wide[0, :count]
        before = np.ndarray((count,), "<u8", self._flat, offset=end, strides=(self._length,))
        np.copyto(x, before)
        if size < 8:
            x &= np.uint64(2**64 - 2 ** (64 - 8 * size))
        x *= np.uint64(2561)
        x >>= np.uint64(8)
        x &= np.uint64(0x00FF00FF00FF00FF)
        x *= np.uint64(6553601)
        x >>= np.uint64(16)
        x &= np.uint64(0x0000FFFF0000FFFF)
        x *= np.uint64(42949672960001)
        x >>= np.uint64(32)
        return x


class _WideFF1:
    """FF1 on one value of any length: big integers, for the rare values whose halves pass 63 bits."""

    def __init__(self, radix: int, block: BlockCipher, tweak: bytes, length: int) -> None:
        self._radix, self._block, self._length = radix, block, length
        self._u, self._v = length // 2, length - length // 2
        self._b = _byte_length(radix, self._v)
        self._d = 4 * -(-self._b // 4) + 4
        self._fixed = _first_block(radix, self._u, length, len(tweak)) + _padded_tweak(tweak, self._b)

    def convert(self, digits: Bytes, *, forward: bool) -> Bytes:
        text = "".join(ALPHABET[digit] for digit in digits.tolist())
        a, b = int(text[: self._u], self._radix), int(text[self._u :], self._radix)
        for i in range(ROUNDS) if forward else reversed(range(ROUNDS)):
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


@functools.cache
def compiled_kernel() -> Any:
    """Return the module ``ff1_compiled``, or None where numba (the extra ``fast``) is not installed."""
    if importlib.util.find_spec("numba") is None:
        return None
    return importlib.import_module("masking.techniques.ff1_compiled")


def _taken(mask: Outside, places: pa.Array) -> Outside:
    """``mask`` of values, for the records that hold them; null is not outside."""
    return np.append(mask, False)[places.fill_null(len(mask)).to_numpy()]


def _reduce(numbers: Column, modulus: np.uint64, spare: Column, out: Column) -> None:
    """Write every number modulo ``modulus``; numpy's division by one number is the fast one, its remainder is not."""
    np.floor_divide(numbers, modulus, out=spare)
    spare *= modulus
    np.subtract(numbers, spare, out=out)


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


_FOUR_DIGITS = np.frombuffer("".join(f"{number:04d}" for number in range(10_000)).encode(), dtype="<u4")
