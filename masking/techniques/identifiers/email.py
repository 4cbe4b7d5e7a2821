"""
Pseudonyms of e-mail addresses: words of letters under ``.invalid``, the domain that never exists (RFC 2606).

An address is as long as its owner likes, so there is no integer domain: the words before and after @ are encrypted as
strings (FF1, radix 41 and 38), in pieces of at most 22 characters. The tweak of a piece is a CMAC of all that is beside
it, so that one changed character changes the whole pseudonym. What comes out is spelled in 24 letters, without digits,
q and x: by chance it can hold no number, and no word by which a QQ or WeChat account is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.detection.checks import EMAIL, NO_DOMAIN
from masking.keys import derive
from masking.techniques.base import Example, technique
from masking.techniques.ff1 import BlockCipher, Column
from masking.techniques.fixed_width import Bytes, by_length, reassemble, text_of
from masking.techniques.identifiers.base import Identifier, places
from masking.techniques.identifiers.digits import Flags
from masking.techniques.integer_ff1 import CHUNK, TweakedRounds
from masking.techniques.pseudonymization import ColumnCMAC

LEAST: Final = 4
MOST: Final = 48
"""Characters before and, unless the domain is kept, after @: fewer than 4 are fewer than 1,000,000 words."""
_LOCAL: Final = "abcdefghijklmnopqrstuvwxyz0123456789._-+%"
_DOMAIN: Final = "abcdefghijklmnopqrstuvwxyz0123456789.-"
_LETTERS: Final = "abcdefghijklmnoprstuvwyz"
_PIECE: Final = 22
_ADDRESS: Final = r"^(?P<local>[^@]+)@(?P<domain>[^@]+)$"
_EXAMPLE: Final = ".example"


@technique("pseudonymization.email")
@dataclass(frozen=True)
class Email(Identifier):
    """
    Replace each e-mail address by another, one to one under the key, in the domain ``.invalid``.

    Column: text; null stays null. A value is in the format if it is valid: ASCII (upper case is read as lower case), 4
    to 48 characters before @ and, unless the domain is kept, after it. For others ``on_invalid`` says whether the run
    stops (reject), the value becomes a keyed token (token) or null (null). It never passes in clear. Pseudonyms are
    longer than addresses: their letters alone are 17 % more, and ``.invalid`` stands behind.
    Unit: ``keep``: domain stays legible; it counts as a quasi-identifier. ``valid_looking``: without ``.invalid``
    (under ``.example`` if the domain is not kept); for test data only.
    Loss: everything but equality, length and the kept domain. Tables join where their rules have the same key and
    ``keep``. The holder of the key can undo it (``decrypt``), so the result is de-identified, never anonymized.
    Source: RFC 5321 and RFC 2606; NIST SP 800-38G, FF1; ISO/IEC 20889:2018, pseudonymization.

    Raises:
        InvalidParameter: ``keep`` names another part.
        InvalidValue: ``on_invalid`` is reject and values are not valid.

    """

    choices: ClassVar[tuple[str, ...]] = ("domain",)
    valid: ClassVar[str] = f"e-mail address (ASCII, {LEAST} to {MOST} characters before and after @)"
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {},
            ("zhang.wei@example.com", "Zhang.Wei@EXAMPLE.com", None),
            ("fycihlckuur@gfjpililamcjl.invalid", "fycihlckuur@gfjpililamcjl.invalid", None),
            "case does not count",
        ),
        Example(
            {"keep": ["domain"]},
            ("zhang.wei@example.com",),
            ("fycihlckuur@example.com.invalid",),
            "the domain stays legible",
        ),
        Example({"on_invalid": "null"}, ("li@example.com", "张伟@example.com"), (None, None), "too short, not ASCII"),
        Example(
            {"valid_looking": True}, ("zhang.wei@example.com",), ("fycihlckuur@gfjpililamcjl.example",), "for test data"
        ),
    )

    def _smallest_stratum(self) -> tuple[int, str]:
        return len(_LOCAL) ** LEAST, f"{LEAST} characters before @ of one domain"

    def _canonical(self, text: pa.Array) -> pa.Array:
        text = pc.ascii_lower(text)
        words = pc.extract_regex(text, _ADDRESS)
        fit = pc.match_substring_regex(text, f"^(?:{EMAIL})$")
        fit = pc.and_(fit, pc.invert(pc.ends_with(text, NO_DOMAIN)))
        for word in ("local",) if self.keep else ("local", "domain"):
            length = pc.binary_length(pc.struct_field(words, word))
            fit = pc.and_(fit, pc.and_(pc.greater_equal(length, LEAST), pc.less_equal(length, MOST)))
        return pc.if_else(fit, text, pa.scalar(None, text.type)).cast(pa.string())

    def _part(self, part: str, values: pa.Array) -> pa.Array:
        return pc.struct_field(pc.extract_regex(values, _ADDRESS), part)

    def _converted(self, text: pa.Array, *, forward: bool) -> pa.Array:
        text = self._canonical(text) if forward else self._unmarked(text)
        words = pc.extract_regex(text, _ADDRESS)
        local, domain = pc.struct_field(words, "local"), pc.struct_field(words, "domain")
        block = BlockCipher(self.secret, self.cipher)
        cmac = ColumnCMAC(derive(self.secret, domain=self.name, technique="tweaks"))
        if "domain" in self.keep:
            local = _words(local, _LOCAL, _digests(cmac, domain), block, cmac, forward=forward)
        elif forward:
            local = _words(local, _LOCAL, _digests(cmac, domain), block, cmac, forward=True)
            domain = _words(domain, _DOMAIN, _digests(cmac, local), block, cmac, forward=True)
        else:
            domain = _words(domain, _DOMAIN, _digests(cmac, local), block, cmac, forward=False)
            local = _words(local, _LOCAL, _digests(cmac, domain), block, cmac, forward=False)
        address = pc.binary_join_element_wise(local, domain, "@")  # null if one of them is
        if not forward:  # what is not a pseudonym may come out as no address
            return pc.if_else(pc.equal(self._canonical(address), address), address, pa.scalar(None, pa.string()))
        return pc.binary_join_element_wise(address, pa.scalar(self._ending), "") if self._ending else address

    @property
    def _ending(self) -> str:
        if not self.valid_looking:
            return NO_DOMAIN
        return "" if self.keep else _EXAMPLE

    def _unmarked(self, text: pa.Array) -> pa.Array:
        """Pseudonyms without what is put behind them; null for what does not end so."""
        fit = pc.ends_with(text, self._ending)
        plain = pc.utf8_slice_codeunits(text, 0, -len(self._ending)) if self._ending else text
        return pc.if_else(fit, plain, pa.scalar(None, plain.type)).cast(pa.string())


def _digests(cmac: ColumnCMAC, words: pa.Array) -> Column:
    """The first 8 bytes of the CMAC of each word, as numbers; 0 for null."""
    digests = np.zeros(len(words), dtype=np.uint64)
    for _, rows, matrix in by_length(words):
        digests[rows] = cmac.macs(matrix).view(np.uint64)[:, 0]
    return digests


def _words(
    words: pa.Array, alphabet: str, beside: Column, block: BlockCipher, cmac: ColumnCMAC, *, forward: bool
) -> pa.Array:
    """
    Encrypt words of an alphabet to words of letters, or undo it; null for what is no such word.

    ``beside``: a digest of what stands beside each word in the address.
    """
    radix = len(alphabet)
    lengths = {sum(_widths(radix, length)): length for length in range(LEAST, MOST + 1)}
    parts = []
    for width, rows, matrix in by_length(words):
        length = width if forward else lengths.get(width, 0)
        if not LEAST <= length <= MOST:
            continue
        rounds = [TweakedRounds(radix, block, size) for size in _sizes(length)]
        read, write = (_from_alphabet, _to_letters) if forward else (_from_letters, _to_alphabet)
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            halves, fit = read(matrix[start : start + CHUNK], alphabet, length)
            order = range(len(rounds)) if forward else reversed(range(len(rounds)))
            for place in order:
                tweak = _tweak(halves, place, beside[chunk], cmac)
                left, right = halves[2 * place : 2 * place + 2]
                rounds[place].in_place_under(tweak, left, right, forward=forward)
            written = text_of(write(halves, alphabet, length))
            parts.append((chunk, written) if fit.all() else (chunk[fit], written.filter(pa.array(fit))))
    return reassemble(len(words), parts, pa.string())


def _tweak(halves: Sequence[Column], place: int, beside: Column, cmac: ColumnCMAC) -> Column:
    """56 bits that depend on all of the address but the piece at ``place``."""
    others = [half for i, half in enumerate(halves) if i // 2 != place]
    if others:
        message = np.column_stack([*others, beside, np.full(len(beside), place, dtype=np.uint64)])
        beside = cmac.macs(np.ascontiguousarray(message).view(np.uint8)).view(np.uint64)[:, 0]
    return beside >> np.uint64(8)


def _sizes(length: int) -> list[int]:
    """Pieces of a word: as few and as equal as possible."""
    count = -(-length // _PIECE)
    return [length // count + (i < length % count) for i in range(count)]


def _halves(length: int) -> list[int]:
    return [half for size in _sizes(length) for half in (size // 2, size - size // 2)]


def _widths(radix: int, length: int) -> list[int]:
    """Letters for each half: the fewest that spell all its numbers."""
    widths = []
    for half in _halves(length):
        width = half
        while len(_LETTERS) ** width < radix**half:
            width += 1
        widths.append(width)
    return widths


def _numbers(matrix: Bytes, alphabet: str, widths: Sequence[int]) -> tuple[list[Column], Flags]:
    values = places(alphabet)[matrix]
    fit = np.asarray((values < len(alphabet)).all(axis=1))
    values[~fit] = 0
    numbers, start = [], 0
    for width in widths:
        number = np.zeros(len(matrix), dtype=np.uint64)
        for place in range(start, start + width):
            number *= np.uint64(len(alphabet))
            number += values[:, place]
        numbers.append(number)
        start += width
    return numbers, fit


def _spelled(numbers: Sequence[Column], alphabet: str, widths: Sequence[int]) -> Bytes:
    letters = np.frombuffer(alphabet.encode(), dtype=np.uint8)
    matrix = np.empty((len(numbers[0]), sum(widths)), dtype=np.uint8)
    end = 0
    for number, width in zip(numbers, widths, strict=True):
        end += width
        rest = number
        for place in range(end - 1, end - width - 1, -1):
            rest, last = np.divmod(rest, np.uint64(len(alphabet)))
            matrix[:, place] = letters.take(last.view(np.int64))
    return matrix


def _from_alphabet(matrix: Bytes, alphabet: str, length: int) -> tuple[list[Column], Flags]:
    return _numbers(matrix, alphabet, _halves(length))


def _to_alphabet(halves: Sequence[Column], alphabet: str, length: int) -> Bytes:
    return _spelled(halves, alphabet, _halves(length))


def _to_letters(halves: Sequence[Column], alphabet: str, length: int) -> Bytes:
    return _spelled(halves, _LETTERS, _widths(len(alphabet), length))


def _from_letters(matrix: Bytes, alphabet: str, length: int) -> tuple[list[Column], Flags]:
    """Also unfit: letters that spell more than a half can hold."""
    halves, fit = _numbers(matrix, _LETTERS, _widths(len(alphabet), length))
    for number, half in zip(halves, _halves(length), strict=True):
        fit &= number < np.uint64(len(alphabet) ** half)
    return [np.where(fit, number, np.uint64(0)) for number in halves], fit
