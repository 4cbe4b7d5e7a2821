"""
What the pseudonyms of identifiers share: validity first, kept parts, refusals, the way there and back.

Source: NIST SP 800-38G, FF1, on the integers (``masking.techniques.integer_ff1``); ISO/IEC 20889:2018,
pseudonymization. The parts that stay legible are the tweak, so that each stratum has a permutation of its own.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from masking.detection import checks
from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn, suggestion
from masking.keys import derive
from masking.techniques.base import Context, secret_field
from masking.techniques.cryptographic import Reversible
from masking.techniques.ff1 import MINIMUM_DOMAIN, BlockCipher, Column
from masking.techniques.fixed_width import Bytes, Rows, as_text, by_length, distinct, reassemble, text_of
from masking.techniques.identifiers.digits import Flags, all_digits
from masking.techniques.integer_ff1 import CHUNK, IntegerFF1
from masking.techniques.pseudonymization import ColumnCMAC

Fields = dict[str, Column]
"""The parts of identifiers as numbers, each below the size of its part."""


class Permutation:
    """Permutes the hidden parts of identifiers under a key, the kept ones being the tweak; or undoes it."""

    def __init__(self, secret: bytes, cipher: str, *, forward: bool) -> None:
        self._block = BlockCipher(secret, cipher)
        self._forward = forward
        self._domains: dict[int, IntegerFF1] = {}

    def __call__(self, fields: Fields, hidden: Mapping[str, int], kept: Mapping[str, int], salt: int = 0) -> None:
        """Replace the hidden parts; ``hidden`` and ``kept`` give the sizes of parts, ``salt`` < 256 a kind of format.

        The product of the hidden sizes is the domain, that of the kept ones must be below 2^48.
        """
        size = _product(hidden)
        domain = self._domains.get(size) or self._domains.setdefault(size, IntegerFF1(self._block, size))
        tweak = packed(fields, kept) * np.uint64(256) + np.uint64(salt) if kept else salt
        numbers = packed(fields, hidden)
        numbers = domain.encrypt(numbers, tweak) if self._forward else domain.decrypt(numbers, tweak)
        fields.update(unpacked(numbers, hidden))


@dataclass(frozen=True)
class Identifier(Reversible):
    """
    A kind of identifier. The author says how valid ones become fields and how fields are spelled.

    Class attributes: ``choices`` (parts that ``keep`` may name), ``valid`` (what a valid value is, in words). The
    holder of the key gets the values back by ``masking.techniques.cryptographic.decrypt``.
    """

    keep: tuple[str, ...] = ()
    cipher: Literal["aes", "sm4"] = "aes"
    on_invalid: Literal["reject", "token", "null"] = "reject"
    valid_looking: bool = False
    secret: bytes = secret_field()

    family: ClassVar[str] = "pseudonymization"
    needs_key: ClassVar[bool] = True
    releases: ClassVar[str] = "token"
    choices: ClassVar[tuple[str, ...]] = ()
    valid: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for part in self.keep:
            if part not in self.choices:
                hint = suggestion(part, self.choices) or f"; it can keep {list(self.choices)}"
                raise InvalidParameter(f"{self.name} cannot keep {part!r}{hint}", parameter="keep")
        if len(set(self.keep)) < len(self.keep):
            raise InvalidParameter("keep names a part twice", parameter="keep")
        size, stratum = self._smallest_stratum()
        if size < MINIMUM_DOMAIN:
            raise InvalidParameter(
                f"keep {list(self.keep)} leaves {size:,} values in the smallest stratum ({stratum}); there must be at "
                f"least {MINIMUM_DOMAIN:,}, or whoever sees some pseudonyms finds out the others (NIST SP 800-38G "
                "Revision 1, second public draft): keep fewer parts",
                parameter="keep",
            )

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text, whatever came in."""
        text = pa.types.is_string(given) or pa.types.is_large_string(given) or pa.types.is_string_view(given)
        if not (text or pa.types.is_integer(given) or pa.types.is_null(given)):
            raise UnsupportedColumn(f"{self.name} works on text or integers, not on {given}")
        return pa.string()

    def parts(self) -> tuple[str, ...]:
        """The kept parts."""
        return self.keep

    def derived(self, column: pa.Array | pa.ChunkedArray) -> Mapping[str, pa.Array]:
        """Each kept part of the raw values; null where a value is null or not valid."""
        if not self.keep:
            return {}
        values = self._canonical(_text(column))
        return {part: self._part(part, values) for part in self.keep}

    def opened(self, text: pa.Array) -> pa.Array:
        """The identifiers that pseudonyms stand for, in their one spelling; null for what is no such pseudonym."""
        return self._each_distinct(as_text(text), forward=False)

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del context
        text = as_text(column)
        converted = self._each_distinct(text, forward=True)
        outside = _outside(text, converted)
        if outside is None:
            return converted, 0
        if self.on_invalid == "reject":
            rows = np.flatnonzero(outside)
            raise InvalidValue(f"not a valid {self.valid}", count=len(rows), first_rows=rows[:5].tolist())
        if self.on_invalid == "token":
            secret = derive(self.secret, domain=self.name, technique="pseudonymization.keyed")
            others = pc.if_else(pa.array(outside), text, pa.scalar(None, pa.large_string()))
            converted = pc.coalesce(converted, ColumnCMAC(secret).tokens(others))
        return converted, int(outside.sum())

    def _nulls_kept(self, given: pa.Array, masked: pa.Array) -> bool:
        kept = super()._nulls_kept(given, masked)
        return masked.null_count >= given.null_count if self.on_invalid == "null" else kept

    def _each_distinct(self, text: pa.Array, *, forward: bool) -> pa.Array:
        if self.cipher == "sm4":  # many times slower than AES: each distinct value once
            values, places = distinct(text)
            return self._converted(values, forward=forward).take(places)
        return self._converted(text, forward=forward)

    @abstractmethod
    def _smallest_stratum(self) -> tuple[int, str]:
        """How many values share the kept parts at least, and of which they are, in words."""

    @abstractmethod
    def _converted(self, text: pa.Array, *, forward: bool) -> pa.Array:
        """Pseudonyms of valid identifiers or the way back; null where a value is not in the format."""

    @abstractmethod
    def _canonical(self, text: pa.Array) -> pa.Array:
        """Valid identifiers in their one spelling; null for others."""

    @abstractmethod
    def _part(self, part: str, values: pa.Array) -> pa.Array:
        """A kept part of canonical identifiers."""


@dataclass(frozen=True)
class FixedIdentifier(Identifier):
    """
    An identifier of one of few lengths, each character in its place.

    ``marked``: the spelling of pseudonyms, recognisably invalid. Rows of a chunk are read to fields and written back.
    """

    lengths: ClassVar[tuple[int, ...]] = ()

    @abstractmethod
    def _read(self, matrix: Bytes, *, marked: bool) -> tuple[Fields, Flags]:
        """The fields of each row, and whether it is in the format."""

    @abstractmethod
    def _permute(self, fields: Fields, permutation: Permutation, length: int) -> None:
        """Replace the hidden fields of identifiers of one length."""

    @abstractmethod
    def _write(self, fields: Fields, matrix: Bytes, *, marked: bool) -> None:
        """Spell the fields, each in its row."""

    def _ascii(self, text: pa.Array, *, marked: bool) -> pa.Array:  # noqa: ARG002
        """Values as ASCII characters, for ``_read``; null for what cannot be in the format."""
        return text

    def _spelled(self, text: pa.Array, *, marked: bool) -> pa.Array:  # noqa: ARG002
        """Undo ``_ascii``."""
        return text

    def _converted(self, text: pa.Array, *, forward: bool) -> pa.Array:
        permutation = Permutation(self.secret, self.cipher, forward=forward)
        marked = not self.valid_looking
        return self._rewritten(text, permutation, read=marked and not forward, write=marked and forward)

    def _canonical(self, text: pa.Array) -> pa.Array:
        return self._rewritten(text, None, read=False, write=False)

    def _rewritten(self, text: pa.Array, permutation: Permutation | None, *, read: bool, write: bool) -> pa.Array:
        parts = []
        for length, rows, matrix in by_length(self._ascii(text, marked=read)):
            if length not in self.lengths:
                continue
            written = np.empty((len(rows), length), dtype=np.uint8)
            fit = np.empty(len(rows), dtype=np.bool_)
            for start in range(0, len(rows), CHUNK):
                chunk = slice(start, start + CHUNK)
                fields, fit[chunk] = self._read(matrix[chunk], marked=read)
                fields = within(fields, fit[chunk])
                if permutation is not None:
                    self._permute(fields, permutation, length)
                self._write(fields, written[chunk], marked=write)
            parts.append(_only(fit, rows, written))
        return self._spelled(reassemble(len(text), parts, pa.string()), marked=write)


def within(fields: Fields, fit: Flags) -> Fields:
    """The fields, 0 in rows that do not fit: what they hold there may be no number of a field."""
    if fit.all():
        return fields
    return {name: np.where(fit, column, np.uint64(0)) for name, column in fields.items()}


def packed(fields: Fields, sizes: Mapping[str, int]) -> Column:
    """One number for the named fields of each row: mixed radix, the first field highest."""
    first, *others = sizes
    number = fields[first].astype(np.uint64)
    for name in others:
        number *= np.uint64(sizes[name])
        number += fields[name]
    return number


def unpacked(number: Column, sizes: Mapping[str, int]) -> Fields:
    """Undo ``packed``."""
    fields: Fields = {}
    first, *others = sizes
    for name in reversed(others):
        rest = number // np.uint64(sizes[name])
        fields[name] = number - rest * np.uint64(sizes[name])
        number = rest
    fields[first] = number
    return fields


def split(fields: Fields, name: str, high: str, low: str, size: int) -> None:
    """Divide a field into ``high`` and ``low``, the latter below ``size``."""
    fields.update(unpacked(fields.pop(name), {high: 0, low: size}))


def joined(fields: Fields, name: str, high: str, low: str, size: int) -> None:
    """Undo ``split``."""
    fields[name] = fields.pop(high) * np.uint64(size) + fields.pop(low)


def in_groups(
    fields: Fields,
    groups: Column,
    permutation: Permutation,
    sizes: Sequence[Mapping[str, int]],
    kept: Mapping[str, int],
) -> None:
    """Permute the rows of each group, whose hidden parts have sizes of their own."""
    for group, hidden in enumerate(sizes):
        rows = np.flatnonzero(groups == group)
        if len(rows):
            part = {name: column[rows] for name, column in fields.items()}
            permutation(part, hidden, kept)
            for name in hidden:
                fields[name][rows] = part[name]


def step_aside(matrix: Bytes, rows: Rows, following: Bytes) -> None:
    """
    Change the last character of those 18-character ``rows`` that are, by chance, valid as another identifier.

    A wrong check digit of one kind may be right for another. For each kind one last character is right at most, so a
    few steps through the alphabet suffice; ``following`` gives the next character.
    """
    while len(rows):
        rows = rows[_valid_number(matrix[rows])]
        matrix[rows, -1] = following[matrix[rows, -1]]


def cycle(alphabet: str, step: int = 1) -> Bytes:
    """A table from each character of an alphabet to the one ``step`` places on."""
    table = np.zeros(256, dtype=np.uint8)
    letters = np.frombuffer(alphabet.encode(), dtype=np.uint8)
    table[letters] = np.roll(letters, -step)
    return table


def places(alphabet: str, absent: int = 255) -> Bytes:
    """A table from each character to its place in an alphabet."""
    table = np.full(256, absent, dtype=np.uint8)
    table[np.frombuffer(alphabet.encode(), dtype=np.uint8)] = np.arange(len(alphabet), dtype=np.uint8)
    return table


def _valid_number(matrix: Bytes) -> Flags:
    """Whether rows of 18 characters pass as a resident ID, a foreigner's, a credit code or a bank card."""
    text = pl.Series(text_of(matrix), dtype=pl.String)
    valid = (checks.usccs(text) | checks.bank_cards(text)).to_numpy().copy()
    numbers = np.flatnonzero(all_digits(matrix, 0, 17))
    valid[numbers] |= checks._resident_matrix(matrix[numbers])
    return valid


def _only(fit: Flags, rows: Rows, matrix: Bytes) -> tuple[Rows, pa.Array]:
    return (rows, text_of(matrix)) if fit.all() else (rows[fit], text_of(matrix[fit]))


def _text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return as_text(column)


def _outside(text: pa.Array, converted: pa.Array) -> Flags | None:
    """Which values did not come through; None: all did."""
    if converted.null_count == text.null_count:
        return None
    return np.asarray(pc.and_(pc.is_valid(text), pc.is_null(converted)).to_numpy(zero_copy_only=False))


def _product(sizes: Mapping[str, int]) -> int:
    total = 1
    for size in sizes.values():
        total *= size
    return total
