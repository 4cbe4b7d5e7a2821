"""Pseudonyms of resident IDs (居民身份号码, GB 11643-1999; 港澳台居民居住证 too)."""

import functools
import re
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.detection.checks import CARD, PROVINCES, RESIDENT_CHECKS, RESIDENT_WEIGHTS, USCC_ALPHABET, USCC_WEIGHTS
from masking.techniques.base import Example, technique
from masking.techniques.fixed_width import Bytes, words
from masking.techniques.identifiers.base import (
    Fields,
    FixedIdentifier,
    Permutation,
    in_groups,
    joined,
    split,
)
from masking.techniques.identifiers.digits import FOUR_DIGITS, Flags, all_digits, read

AREAS = len(PROVINCES) * 10_000  # county codes are abolished and made: any four digits below a province
YEARS = range(1800, 2100)
DAYS = 109_573
ORDERS = 1000
MARK = 5  # how far the check character of a pseudonym is from the right one, in the order of the standard's table


@technique("pseudonymization.resident_id")
@dataclass(frozen=True)
class ResidentID(FixedIdentifier):
    """
    Replace each resident ID by another number of its kind, one to one under the key, with a wrong check character.

    Column: text or integers; null stays null. A value is in the format if it is valid: 18 characters, a province, a
    day from 1800 to 2099, the check character (x is read as X). For others ``on_invalid`` says whether the run stops
    (reject), the value becomes a keyed token (token) or null (null). It never passes in clear.
    Unit: ``keep`` names parts that stay legible: province, county (six digits), birth_year, birth_date, gender. They
    count as quasi-identifiers. At least 1,000,000 numbers must share them. ``valid_looking``: the check character is
    right; for test data only.
    Loss: everything but equality and the kept parts. Tables join where their rules have the same key and ``keep``.
    The holder of the key can undo it (``decrypt``), so the result is de-identified, never anonymized.
    Source: GB 11643-1999; NIST SP 800-38G, FF1; ISO/IEC 20889:2018, pseudonymization.

    Raises:
        InvalidParameter: ``keep`` names another part, or leaves fewer than 1,000,000 numbers in a stratum.
        InvalidValue: ``on_invalid`` is reject and values are not valid.

    """

    choices: ClassVar[tuple[str, ...]] = ("province", "county", "birth_year", "birth_date", "gender")
    valid: ClassVar[str] = "resident ID (GB 11643)"
    lengths: ClassVar[tuple[int, ...]] = (18,)
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {}, ("11010519491231002X", None), ("718938200208177329", None), "a wrong check character; null stays null"
        ),
        Example(
            {"keep": ["province", "birth_year", "gender"]},
            ("11010519491231002X", "11010519491231002x"),
            ("119600194903118748", "119600194903118748"),
            "the kept parts stay legible",
        ),
        Example({"on_invalid": "null"}, ("110105194912310021", "11010519490231002X"), (None, None), "not valid"),
        Example(
            {"valid_looking": True},
            ("11010519491231002X",),
            ("718938200208177323",),
            "for test data: the check is right",
        ),
    )

    def _smallest_stratum(self) -> tuple[int, str]:
        areas = 1 if "county" in self.keep else 10_000 if "province" in self.keep else AREAS
        days = 1 if "birth_date" in self.keep else 365 if "birth_year" in self.keep else DAYS
        orders = ORDERS // 2 if "gender" in self.keep else ORDERS
        return areas * days * orders, f"{areas:,} county codes, {days:,} days, {orders:,} order numbers"

    def _read(self, matrix: Bytes, *, marked: bool) -> tuple[Fields, Flags]:
        tables = _tables()
        area = tables.area_of.take(read(matrix, 0, 6).view(np.int64), mode="clip")
        day = tables.day_of.take((read(matrix, 6, 8) - np.uint64(_BEFORE)).view(np.int64), mode="clip")
        fields = {
            "area": (area >> np.uint32(4)).astype(np.uint64),
            "day": (day >> np.uint32(4)).astype(np.uint64),
            "order": read(matrix, 14, 3),
        }
        fit = all_digits(matrix, 0, 17) & (area != _NONE) & (day != _NONE)
        if marked:
            again = np.zeros_like(matrix)
            self._write(
                {name: np.where(fit, column, np.uint64(0)) for name, column in fields.items()}, again, marked=True
            )
            return fields, fit & (again[:, 17] == matrix[:, 17])
        total = (area & np.uint32(15)) + (day & np.uint32(15))
        total += tables.order_sums.take(fields["order"].view(np.int64), mode="clip") >> np.uint32(16)
        check = tables.check_of.take(total, mode="clip")
        given = matrix[:, 17]
        return fields, fit & ((check == given) | ((given == ord("x")) & (check == ord("X"))))

    def _permute(self, fields: Fields, permutation: Permutation, length: int) -> None:
        del length
        hidden, kept = {}, {}
        if "county" in self.keep:
            kept["area"] = AREAS
        elif "province" in self.keep:
            split(fields, "area", "province", "county", 10_000)
            kept["province"], hidden["county"] = len(PROVINCES), 10_000
        else:
            hidden["area"] = AREAS
        by_year = "birth_year" in self.keep and "birth_date" not in self.keep
        if "birth_date" in self.keep:
            kept["day"] = DAYS
        elif by_year:
            fields["year"] = _tables().year_of.take(fields["day"].view(np.int64))
            fields["day"] -= _tables().first_day.take(fields["year"].view(np.int64))
            kept["year"] = len(YEARS)
        else:
            hidden["day"] = DAYS
        if "gender" in self.keep:
            split(fields, "order", "pair", "sex", 2)
            kept["sex"], hidden["pair"] = 2, ORDERS // 2
        else:
            hidden["order"] = ORDERS
        if by_year:
            leap = _tables().leap.take(fields["year"].view(np.int64))
            in_groups(fields, leap, permutation, [{**hidden, "day": days} for days in (365, 366)], kept)
            fields["day"] += _tables().first_day.take(fields.pop("year").view(np.int64))
        else:
            permutation(fields, hidden, kept)
        if "province" in fields:
            joined(fields, "area", "province", "county", 10_000)
        if "pair" in fields:
            joined(fields, "order", "pair", "sex", 2)

    def _write(self, fields: Fields, matrix: Bytes, *, marked: bool) -> None:
        tables = _tables()
        area, day, order = (fields[name].view(np.int64) for name in ("area", "day", "order"))
        province = area // 10_000
        county = area - province * 10_000
        words(matrix, 0, "<u2")[:] = tables.province_text.take(province)
        words(matrix, 2, "<u4")[:] = FOUR_DIGITS.take(county)
        words(matrix, 6)[:] = tables.day_text.take(day)
        sums = tables.province_sums.take(province)
        sums += tables.county_sums.take(county)
        sums += tables.day_sums.take(day)
        sums += tables.order_sums.take(order)
        last = self._mark(sums) if marked else tables.check_of.take(sums >> np.uint32(16))
        words(matrix, 14, "<u4")[:] = tables.order_text.take(order) | (last.astype(np.uint32) << np.uint32(24))

    def _mark(self, sums: Any) -> Bytes:
        """A wrong check character that makes no credit code and no bank card either."""
        bytes_of = sums.view(np.uint8).reshape(-1, 4)
        state = _tables().bank_card_state.take(bytes_of[:, 0])
        state += _tables().credit_code_state.take(bytes_of[:, 1])
        state += _tables().resident_state.take(bytes_of[:, 2])
        return _tables().mark_of.take(state)

    def _part(self, part: str, values: pa.Array) -> pa.Array:
        if part == "gender":
            odd = pc.is_in(pc.utf8_slice_codeunits(values, 16, 17), value_set=pa.array(list("13579")))
            return pc.if_else(pc.is_valid(values), pc.if_else(odd, "male", "female"), pa.scalar(None, pa.string()))
        start, end = {"province": (0, 2), "county": (0, 6), "birth_year": (6, 10), "birth_date": (6, 14)}[part]
        return pc.utf8_slice_codeunits(values, start, end)


class _Tables(NamedTuple):
    """
    ``_of``: by what stands in a number; ``_text``: what stands there, by field.

    ``_sums``: what a field adds to the sums behind check characters, one a byte: Luhn (and 128 if a bank card can begin
    so), GB 32100 (and 128 if a credit code can have this region), GB 11643. ``_state``: by such a byte, a third of the
    place in ``mark_of``: the character that would be right, if any.
    """

    area_of: Any  # by six digits: 16 x area + sum of GB 11643, or none
    day_of: Any  # by days written YYYYMMDD from 17991231 on: the same for the day
    check_of: Any  # by the sum of GB 11643
    mark_of: Any
    province_text: Any
    day_text: Any
    order_text: Any
    province_sums: Any
    county_sums: Any
    day_sums: Any
    order_sums: Any
    bank_card_state: Any
    credit_code_state: Any
    resident_state: Any
    year_of: Any  # by day, from 0
    first_day: Any  # by year
    leap: Any


_BEFORE = 18_000_100  # no day has this number
_NONE = np.uint32(0xFFFFFFFF)
_NONE_RIGHT = 11  # place of "no character" beside the eleven of RESIDENT_CHECKS


@functools.cache
def _tables() -> _Tables:
    """Made at the first use: 15 MB, 0.1 s."""
    provinces = np.array(sorted(PROVINCES), dtype=np.int64)
    county, order = np.arange(10_000), np.arange(ORDERS)
    cards = np.array([re.fullmatch(CARD, f"{province}{0:016d}") is not None for province in provinces])
    regions = np.isin(county // 100, [*provinces, 10])
    province_sums = _sums(provinces, 2, 0) + cards.astype(np.uint32) * np.uint32(128)
    county_sums = _sums(county, 4, 2) + regions.astype(np.uint32) * np.uint32(128 << 8)
    area_of = np.full(10**6, _NONE, dtype=np.uint32)
    area_total = ((province_sums >> 16)[:, None] + (county_sums >> 16)).reshape(-1) % 11
    area_of[(provinces[:, None] * 10_000 + county).reshape(-1)] = np.arange(AREAS, dtype=np.uint32) << 4 | area_total

    days = np.arange(f"{YEARS[0]}-01-01", f"{YEARS[-1] + 1}-01-01", dtype="datetime64[D]")
    years = days.astype("datetime64[Y]").astype(np.int64) + 1970
    first_day = np.flatnonzero(np.diff(years, prepend=0))
    month = days.astype("datetime64[M]")
    written = (years * 100 + month.astype(np.int64) % 12 + 1) * 100 + (days - month).astype(np.int64) + 1
    day_sums = _sums(written, 8, 6)
    day_of = np.full(int(written[-1]) - _BEFORE + 2, _NONE, dtype=np.uint32)
    day_of[written - _BEFORE] = np.arange(DAYS, dtype=np.uint32) << 4 | day_sums >> 16

    bank_card, credit_code, resident = _states()
    return _Tables(
        area_of,
        day_of,
        np.frombuffer(RESIDENT_CHECKS.encode(), dtype=np.uint8)[np.arange(256) % 11],
        _marks(),
        _texts(provinces, 2).view("<u2")[:, 0],
        _texts(written, 8).view("<u8")[:, 0],
        np.hstack([_texts(order, 3), np.zeros((ORDERS, 1), dtype=np.uint8)]).view("<u4")[:, 0],
        province_sums,
        county_sums,
        day_sums,
        _sums(order, 3, 14),
        bank_card,
        credit_code,
        resident,
        (years - YEARS[0]).astype(np.uint64),
        first_day.astype(np.uint64),
        np.diff(first_day, append=DAYS).astype(np.uint64) - np.uint64(365),
    )


def _sums(numbers: Any, width: int, place: int) -> Any:
    """The sums, one a byte, of numbers of ``width`` digits that begin at ``place`` of 18 characters."""
    digits = _texts(numbers, width).astype(np.int64) - 48
    here = slice(place, place + width)
    doubled = (np.arange(18) % 2 == 0)[here]  # Luhn doubles every other digit, the last but one first
    luhn = np.where(doubled & (digits > 4), digits * 2 - 9, digits * (1 + doubled)).sum(axis=1) % 10
    credit = digits @ np.array(USCC_WEIGHTS[here]) % 31
    resident = digits @ np.array(RESIDENT_WEIGHTS[here]) % 11
    return (luhn | credit << 8 | resident << 16).astype(np.uint32)


def _states() -> tuple[Any, Any, Any]:
    """By each byte of sums, the place among RESIDENT_CHECKS of the character that would be right."""
    sums = np.arange(256)
    place = {letter: RESIDENT_CHECKS.index(letter) for letter in RESIDENT_CHECKS}
    card = np.array([place[str(-(each % 128) % 10)] if each >= 128 else _NONE_RIGHT for each in sums])
    letters = [USCC_ALPHABET[-(each % 128) % 31] if each >= 128 else "" for each in sums]
    credit = np.array([place.get(letter, _NONE_RIGHT) for letter in letters])
    return card, credit * 12, sums % 11 * 144


def _marks() -> Bytes:
    """By resident, credit code and bank card state: the check character MARK places on, or the next that is wrong."""
    marks = np.empty((11, 12, 12), dtype=np.uint8)
    for right, credit, card in np.ndindex(marks.shape):
        steps = ((right + MARK + step) % 11 for step in range(3))
        marks[right, credit, card] = ord(RESIDENT_CHECKS[next(each for each in steps if each not in (credit, card))])
    return marks.reshape(-1)


def _texts(numbers: Any, width: int) -> Bytes:
    return (48 + numbers[:, None] // 10 ** np.arange(width)[::-1] % 10).astype(np.uint8)
