"""Pseudonyms of bank card numbers (银行卡号, ISO/IEC 7812)."""

import functools
import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.detection.checks import CARD
from masking.techniques.base import Example, technique
from masking.techniques.fixed_width import Bytes
from masking.techniques.identifiers.base import Fields, FixedIdentifier, Permutation, cycle, joined, split, step_aside
from masking.techniques.identifiers.digits import Flags, all_digits, read, write

MARK: Final = 5  # how far the last digit of a pseudonym is from the right one
_ISSUER: Final = 4  # digits by which ``checks.CARD`` knows the networks in use


@technique("pseudonymization.bank_card")
@dataclass(frozen=True)
class BankCard(FixedIdentifier):
    """
    Replace each card number by another of its length, one to one under the key, with a wrong last digit.

    Column: text or integers; null stays null. A value is in the format if it is valid: 16 to 19 digits, without
    separators, that pass Luhn. For others ``on_invalid`` says whether the run stops (reject), the value becomes a keyed
    token (token) or null (null). It never passes in clear.
    Unit: ``keep``: bin, the first six digits, stays legible; it counts as a quasi-identifier. ``valid_looking``: the
    last digit passes Luhn, and the number begins as cards in use here do (and only such ones are in the format, unless
    the bin is kept); for test data only.
    Loss: everything but equality, length and the kept part. Tables join where their rules have the same key and
    ``keep``. The holder of the key can undo it (``decrypt``), so the result is de-identified, never anonymized.
    Source: ISO/IEC 7812-1, Luhn; NIST SP 800-38G, FF1; ISO/IEC 20889:2018, pseudonymization.

    Raises:
        InvalidParameter: ``keep`` names another part.
        InvalidValue: ``on_invalid`` is reject and values are not valid.

    """

    choices: ClassVar[tuple[str, ...]] = ("bin",)
    valid: ClassVar[str] = "bank card (16 to 19 digits, Luhn)"
    lengths: ClassVar[tuple[int, ...]] = (16, 17, 18, 19)
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {}, ("6222021234567890128", None), ("4878593023699213208", None), "the last digit is wrong; null stays null"
        ),
        Example(
            {"keep": ["bin"]},
            ("6222021234567890128", "4111111111111111"),
            ("6222020669771275085", "4111115202568795"),
            "the issuer stays legible",
        ),
        Example({"on_invalid": "null"}, ("6222021234567890129", "6222 0212 3456 7890 128"), (None, None), "not valid"),
        Example({"valid_looking": True}, ("6222021234567890128",), ("8167715703317290819",), "for test data"),
    )

    def _smallest_stratum(self) -> tuple[int, str]:
        if "bin" in self.keep:
            return 10**9, "16 digits under one bin"
        issuers = len(_issuers(16)) if self.valid_looking else 10**_ISSUER
        return issuers * 10 ** (15 - _ISSUER), "16 digits"

    def _read(self, matrix: Bytes, *, marked: bool) -> tuple[Fields, Flags]:
        length = matrix.shape[1]
        fields = {"body": read(matrix, 0, length - 1)}
        fit = all_digits(matrix, 0, length)
        right = _luhn(matrix)
        if marked:
            right = _MARKED[right]
            if length == 18:
                again = np.column_stack([matrix[:, :17], right])
                step_aside(again, np.flatnonzero(fit), _NEXT)
                right = again[:, 17]
        fit &= matrix[:, -1] == right
        if self._by_issuer:
            split(fields, "body", "issuer", "rest", 10 ** (length - 1 - _ISSUER))
            issuer = _issuer_of(length).take(fields["issuer"].view(np.int64), mode="clip")
            fields["issuer"] = issuer.astype(np.uint64)
            fit &= issuer >= 0
        return fields, fit

    @property
    def _by_issuer(self) -> bool:
        return self.valid_looking and not self.keep

    def _permute(self, fields: Fields, permutation: Permutation, length: int) -> None:
        if self._by_issuer:
            sizes = {"issuer": len(_issuers(length)), "rest": 10 ** (length - 1 - _ISSUER)}
            permutation(fields, sizes, {}, salt=length)
        elif self.keep:
            below = 10 ** (length - 7)
            split(fields, "body", "bin", "rest", below)
            permutation(fields, {"rest": below}, {"bin": 10**6}, salt=length)
            joined(fields, "body", "bin", "rest", below)
        else:
            permutation(fields, {"body": 10 ** (length - 1)}, {}, salt=length)

    def _write(self, fields: Fields, matrix: Bytes, *, marked: bool) -> None:
        length = matrix.shape[1]
        if self._by_issuer:
            write(matrix, 0, _ISSUER, _issuers(length).take(fields["issuer"].view(np.int64)))
            write(matrix, _ISSUER, length - 1 - _ISSUER, fields["rest"])
        else:
            write(matrix, 0, length - 1, fields["body"])
        right = _luhn(matrix)
        matrix[:, -1] = _MARKED[right] if marked else right
        if marked and length == 18:
            step_aside(matrix, np.arange(len(matrix)), _NEXT)

    def _part(self, part: str, values: pa.Array) -> pa.Array:
        del part
        return pc.utf8_slice_codeunits(values, 0, 6)


_NEXT: Final = cycle("0123456789")
_MARKED: Final = cycle("0123456789", MARK)


def _luhn(matrix: Bytes) -> Bytes:
    """The digit that belongs behind the others."""
    digits = matrix[:, -2::-1] & np.uint8(15)
    doubled = digits[:, ::2] * np.uint8(2)
    total = (doubled - np.uint8(9) * (doubled > 9)).sum(axis=1, dtype=np.int64) + digits[:, 1::2].sum(axis=1)
    return (48 + -total % 10).astype(np.uint8)


@functools.cache
def _issuers(length: int) -> Any:
    """The first digits of cards of this length that ``checks`` knows."""
    rest = "0" * (length - _ISSUER)
    known = [issuer for issuer in range(10**_ISSUER) if re.fullmatch(CARD, f"{issuer:0{_ISSUER}d}{rest}")]
    return np.array(known, dtype=np.uint64)


@functools.cache
def _issuer_of(length: int) -> Any:
    places = np.full(10**_ISSUER, -1, dtype=np.int64)
    places[_issuers(length)] = np.arange(len(_issuers(length)))
    return places
