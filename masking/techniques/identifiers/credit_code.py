"""Pseudonyms of unified social credit codes (统一社会信用代码, GB 32100-2015)."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.detection.checks import ORG_WEIGHTS, PROVINCES, USCC_ALPHABET, USCC_NUMERIC_PREFIXES, USCC_WEIGHTS
from masking.techniques.base import Example, technique
from masking.techniques.fixed_width import Bytes, words
from masking.techniques.identifiers.base import Fields, FixedIdentifier, Permutation, cycle, places, step_aside, within
from masking.techniques.identifiers.digits import Flags, all_digits, read, write

KINDS: Final = (
    *USCC_NUMERIC_PREFIXES,
    *("21", "29", "31", "32", "33", "34", "35", "39", "41", "49", "61", "62", "69", "71", "72", "79", "81", "89"),
    *("A1", "A9", "N1", "N2", "N3", "N9", "Y1"),
)
"""Registering body and kind of organisation, GB 32100 table 1 with its amendments."""
REGISTRIES: Final = (*sorted(PROVINCES), "10")  # 10: the State's own registry
BODIES: Final = 31**8
MARK: Final = 7  # how far the last character of a pseudonym is from the right one
_ORGANISATION_CHECKS: Final = "_123456789X0"  # by 11 - sum mod 11


@technique("pseudonymization.credit_code")
@dataclass(frozen=True)
class CreditCode(FixedIdentifier):
    """
    Replace each unified social credit code by another, one to one under the key, with a wrong check character.

    Column: text; null stays null. A value is in the format if it is valid: 18 characters (lower case is read as upper
    case), a kind of GB 32100, a province, the check character of the organisation code within it (GB 11714) and its
    own. For others ``on_invalid`` says whether the run stops (reject), the value becomes a keyed token (token) or null
    (null). It never passes in clear. In the rare pseudonym that would hold the digits of a mobile, a 1 is written L.
    Unit: ``keep`` names parts that stay legible: kind (the first two characters), province. They count as
    quasi-identifiers. ``valid_looking``: the check character is right; for test data only.
    Loss: everything but equality and the kept parts. Tables join where their rules have the same key and ``keep``.
    The holder of the key can undo it (``decrypt``), so the result is de-identified, never anonymized.
    Source: GB 32100-2015; GB 11714-1997; NIST SP 800-38G, FF1; ISO/IEC 20889:2018, pseudonymization.

    Raises:
        InvalidParameter: ``keep`` names another part.
        InvalidValue: ``on_invalid`` is reject and values are not valid.

    """

    choices: ClassVar[tuple[str, ...]] = ("kind", "province")
    valid: ClassVar[str] = "unified social credit code (GB 32100, GB 11714)"
    lengths: ClassVar[tuple[int, ...]] = (18,)
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {}, ("91350100M000100Y43", None), ("N2239207FKU9456762", None), "a wrong check character; null stays null"
        ),
        Example(
            {"keep": ["kind", "province"]},
            ("91350100m000100y43",),
            ("9135207176T9WRB7X8",),
            "the kept parts stay legible",
        ),
        Example({"on_invalid": "null"}, ("91350100M000100Y44", "91350100M000100X43"), (None, None), "not valid"),
        Example(
            {"valid_looking": True},
            ("91350100M000100Y43",),
            ("N2239207FKU945676T",),
            "for test data: all checks are right",
        ),
    )

    def _smallest_stratum(self) -> tuple[int, str]:
        kinds = 1 if "kind" in self.keep else len(KINDS)
        registries = 1 if "province" in self.keep else len(REGISTRIES)
        return kinds * registries * 10_000 * BODIES, f"{kinds} kind(s), {registries} province(s)"

    def _ascii(self, text: pa.Array, *, marked: bool) -> pa.Array:
        text = pc.ascii_upper(text)
        return pc.replace_substring_regex(text, "^([^L]?)L", r"\11") if marked else text

    def _spelled(self, text: pa.Array, *, marked: bool) -> pa.Array:
        return pc.replace_substring_regex(text, _LIKE_A_MOBILE, r"\1L\2") if marked else text

    def _read(self, matrix: Bytes, *, marked: bool) -> tuple[Fields, Flags]:
        kind = _KIND_OF.take(words(matrix, 0, "<u2"))
        registry = _REGISTRY_OF.take(words(matrix, 2, "<u2"))
        body = _VALUES[matrix[:, 8:16]]
        fields = {
            "kind": kind.astype(np.uint64),
            "registry": registry.astype(np.uint64),
            "region": read(matrix, 4, 4),
            "body": body.astype(np.uint64) @ _POWERS,
        }
        fit = (kind != _NONE) & (registry != _NONE) & all_digits(matrix, 4, 8) & (body != _NONE).all(axis=1)
        again = np.empty_like(matrix)
        self._write(within(fields, fit), again, marked=marked)
        return fields, fit & (again[:, 16:] == matrix[:, 16:]).all(axis=1)

    def _permute(self, fields: Fields, permutation: Permutation, length: int) -> None:
        del length
        sizes = {"kind": len(KINDS), "registry": len(REGISTRIES), "region": 10_000, "body": BODIES}
        parts = {"kind": "kind", "province": "registry"}
        kept = {parts[part]: sizes.pop(parts[part]) for part in self.choices if part in self.keep}
        permutation(fields, sizes, kept)

    def _write(self, fields: Fields, matrix: Bytes, *, marked: bool) -> None:
        words(matrix, 0, "<u2")[:] = _KIND_TEXT.take(fields["kind"].view(np.int64))
        words(matrix, 2, "<u2")[:] = _REGISTRY_TEXT.take(fields["registry"].view(np.int64))
        write(matrix, 4, 4, fields["region"])
        rest = fields["body"]
        for place in range(15, 7, -1):
            rest, last = np.divmod(rest, np.uint64(31))
            matrix[:, place] = _LETTERS.take(last.view(np.int64))
        organisation = 11 - _ORGANISATION_VALUES[matrix[:, 8:16]] @ np.array(ORG_WEIGHTS) % 11
        matrix[:, 16] = np.frombuffer(_ORGANISATION_CHECKS.encode(), dtype=np.uint8)[organisation]
        total = _VALUES[matrix[:, :17]] @ np.array(USCC_WEIGHTS) % 31
        right = _LETTERS[(31 - total) % 31]
        matrix[:, 17] = _MARKED[right] if marked else right
        if marked:
            step_aside(matrix, np.flatnonzero(all_digits(matrix, 0, 17)), _NEXT)

    def _part(self, part: str, values: pa.Array) -> pa.Array:
        return pc.utf8_slice_codeunits(values, 0, 2) if part == "kind" else pc.utf8_slice_codeunits(values, 2, 4)


_NONE: Final = 255
_LIKE_A_MOBILE: Final = r"^([^0-9]?)1([3-9][0-9]{9}(?:[^0-9]|$))"  # the kind and region begin so, no kind has L
_NEXT: Final = cycle(USCC_ALPHABET)
_MARKED: Final = cycle(USCC_ALPHABET, MARK)
_VALUES: Final = places(USCC_ALPHABET).astype(np.int64)
_ORGANISATION_VALUES: Final = places("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", 0).astype(np.int64)
_LETTERS: Final = np.frombuffer(USCC_ALPHABET.encode(), dtype=np.uint8)
_POWERS: Final = np.array([31**place for place in range(7, -1, -1)], dtype=np.uint64)
_KIND_TEXT: Final = np.frombuffer("".join(KINDS).encode(), dtype="<u2")
_REGISTRY_TEXT: Final = np.frombuffer("".join(REGISTRIES).encode(), dtype="<u2")
_KIND_OF: Final = np.full(1 << 16, _NONE, dtype=np.uint8)
_KIND_OF[_KIND_TEXT] = np.arange(len(KINDS))
_REGISTRY_OF: Final = np.full(1 << 16, _NONE, dtype=np.uint8)
_REGISTRY_OF[_REGISTRY_TEXT] = np.arange(len(REGISTRIES))
