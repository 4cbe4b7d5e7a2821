"""Pseudonyms of vehicle plates (机动车号牌, GA 36-2018)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from masking.detection.checks import PLATE
from masking.techniques.base import Example, technique
from masking.techniques.fixed_width import Bytes
from masking.techniques.identifiers.base import Fields, FixedIdentifier, Permutation, places
from masking.techniques.identifiers.digits import Flags

PROVINCES: Final = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
MARKS: Final = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未酉戌亥乾坎艮震巽离坤兑角亢"
"""Written for the provinces in pseudonyms, one for one: no plate begins so."""
CITIES: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
PLACES: Final = "0123456789" + CITIES
SPECIAL: Final = "挂学警港澳试超"
FUELS: Final = "DABCEFGHJK"  # first place of new-energy plates of small vehicles; large ones end in D or F
TAILS: Final[Mapping[int, int]] = {7: 34**4 * (34 + len(SPECIAL)), 8: len(FUELS) * 34 * 10**4 + 2 * 10**5}
"""What can follow the city, by the plate's length."""


@technique("pseudonymization.plate")
@dataclass(frozen=True)
class Plate(FixedIdentifier):
    """
    Replace each vehicle plate by another of its length, one to one under the key, that begins with no province.

    Column: text; null stays null. A value is in the format if it is valid by GA 36: province, city letter and five
    places, of which the last may say what vehicle it is (挂, 学, 警, 港, 澳, 试, 超), or six of new energy. Lower case
    is read as upper case; a dot, hyphen or space after the city is left out. For others ``on_invalid`` says whether the
    run stops (reject), the value becomes a keyed token (token) or null (null). It never passes in clear.
    Unit: ``keep`` names parts that stay legible: province (written as a sign that stands for it), city (its letter).
    They count as quasi-identifiers. ``valid_looking``: begins with a province; for test data only.
    Loss: everything but equality, length and the kept parts. Tables join where their rules have the same key and
    ``keep``. The holder of the key can undo it (``decrypt``), so the result is de-identified, never anonymized.
    Source: GA 36-2018; NIST SP 800-38G, FF1; ISO/IEC 20889:2018, pseudonymization.

    Raises:
        InvalidParameter: ``keep`` names another part.
        InvalidValue: ``on_invalid`` is reject and values are not valid.

    """

    choices: ClassVar[tuple[str, ...]] = ("province", "city")
    valid: ClassVar[str] = "vehicle plate (GA 36)"
    lengths: ClassVar[tuple[int, ...]] = (7, 8)
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {},
            ("京A12345", "京A·12345", None),
            ("巳AV33AZ", "巳AV33AZ", None),
            "no province begins so; null stays null",
        ),
        Example(
            {"keep": ["province", "city"]}, ("京A12345", "京AD12345"), ("甲AW2L2C", "甲AJ63405"), "a sign stands for 京"
        ),
        Example({"on_invalid": "null"}, ("京I12345", "A12345"), (None, None), "not valid"),
        Example({"valid_looking": True}, ("京A12345",), ("赣AV33AZ",), "for test data"),
    )

    def _smallest_stratum(self) -> tuple[int, str]:
        provinces = 1 if "province" in self.keep else len(PROVINCES)
        cities = 1 if "city" in self.keep else len(CITIES)
        return provinces * cities * min(TAILS.values()), f"{provinces} province(s), {cities} city letter(s)"

    def _ascii(self, text: pa.Array, *, marked: bool) -> pa.Array:
        text = pc.utf8_upper(text)
        fit = pc.match_substring_regex(text, _MARKED if marked else f"^(?:{PLATE})$")
        text = pc.replace_substring_regex(text, r"^(..)[·•.\- ]", r"\1")
        text = pc.if_else(fit, text, pa.scalar(None, text.type))
        return _replaced(text, (MARKS if marked else PROVINCES) + SPECIAL, _PROVINCE_CODES + _SPECIAL_CODES)

    def _spelled(self, text: pa.Array, *, marked: bool) -> pa.Array:
        return _replaced(text, _PROVINCE_CODES + _SPECIAL_CODES, (MARKS if marked else PROVINCES) + SPECIAL)

    def _read(self, matrix: Bytes, *, marked: bool) -> tuple[Fields, Flags]:
        del marked
        place = [column.astype(np.uint64) for column in _PLACE_OF[matrix[:, 2:]].T]
        if matrix.shape[1] == 7:
            tail = place[0]
            for next_place in place[1:4]:
                tail = tail * np.uint64(34) + next_place
            tail = tail * np.uint64(34 + len(SPECIAL)) + place[4]
        else:
            digits = sum((place[i] * np.uint64(10 ** (5 - i)) for i in range(2, 6)), np.uint64(0))
            small = (_FUEL_OF[matrix[:, 2]] * np.uint64(34) + place[1]) * np.uint64(10**4) + digits
            of_large = sum((place[i] * np.uint64(10 ** (4 - i)) for i in range(5)), np.uint64(0))
            large = np.uint64(_SMALL) + (matrix[:, 7] == ord("F")) * np.uint64(10**5) + of_large
            tail = np.where(matrix[:, 2] > ord("9"), small, large)
        province, city = _PROVINCE_OF[matrix[:, 0]], _CITY_OF[matrix[:, 1]]
        fields = {"province": province.astype(np.uint64), "city": city.astype(np.uint64), "tail": tail}
        return fields, np.ones(len(matrix), dtype=np.bool_)  # the expression looked at every character

    def _permute(self, fields: Fields, permutation: Permutation, length: int) -> None:
        sizes = {"province": len(PROVINCES), "city": len(CITIES), "tail": TAILS[length]}
        kept = {part: sizes.pop(part) for part in self.choices if part in self.keep}
        permutation(fields, sizes, kept, salt=length)

    def _write(self, fields: Fields, matrix: Bytes, *, marked: bool) -> None:
        del marked
        matrix[:, 0] = _letters(_PROVINCE_CODES).take(fields["province"].view(np.int64))
        matrix[:, 1] = _letters(CITIES).take(fields["city"].view(np.int64))
        letters = _letters(PLACES + _SPECIAL_CODES)
        tail = fields["tail"]
        if matrix.shape[1] == 7:
            tail, last = np.divmod(tail, np.uint64(34 + len(SPECIAL)))
            matrix[:, 6] = letters.take(last.view(np.int64))
            for place in range(5, 1, -1):
                tail, last = np.divmod(tail, np.uint64(34))
                matrix[:, place] = letters.take(last.view(np.int64))
            return
        large = tail >= np.uint64(_SMALL)
        number = np.where(large, tail - np.uint64(_SMALL), tail)
        for place in range(5):  # five digits; small ones have four of them one place further on
            matrix[:, 2 + place] = letters.take((number // np.uint64(10 ** (4 - place)) % np.uint64(10)).view(np.int64))
        matrix[:, 7] = _letters("DF").take((number // np.uint64(10**5)).view(np.int64), mode="clip")
        small = np.flatnonzero(~large)
        head, digits = np.divmod(number[small], np.uint64(10**4))
        matrix[small, 2] = _letters(FUELS).take((head // np.uint64(34)).view(np.int64))
        matrix[small, 3] = letters.take((head % np.uint64(34)).view(np.int64))
        for place in range(4):
            last = digits // np.uint64(10 ** (3 - place)) % np.uint64(10)
            matrix[small, 4 + place] = letters.take(last.view(np.int64))

    def _part(self, part: str, values: pa.Array) -> pa.Array:
        start = self.choices.index(part)
        return pc.utf8_slice_codeunits(values, start, start + 1)


_PROVINCE_CODES: Final = "".join(chr(code) for code in range(1, 1 + len(PROVINCES)))  # a byte for each sign
_SPECIAL_CODES: Final = "".join(chr(code) for code in range(64, 64 - len(SPECIAL), -1))
_SMALL: Final = len(FUELS) * 34 * 10**4
_PROVINCE_OF: Final = places(_PROVINCE_CODES)
_CITY_OF: Final = places(CITIES)
_PLACE_OF: Final = places(PLACES + _SPECIAL_CODES)
_FUEL_OF: Final = places(FUELS, 0).astype(np.uint64)
_MARKED: Final = PLATE.replace(f"[{PROVINCES}]", f"[{MARKS}]").replace(r"[·•.\- ]?", "").join(("^(?:", ")$"))


def _letters(text: str) -> Bytes:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _replaced(text: pa.Array, old: str, new: str) -> pa.Array:
    """Replace single characters; polars does all at once."""
    replaced = pl.Series(text, dtype=pl.String).str.replace_many(list(old), list(new)).to_arrow()
    return replaced.cast(text.type)
