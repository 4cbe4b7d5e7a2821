"""Check digits and formats of identifiers, for one value and for whole columns.

Sources: GB 11643-1999 (resident ID, ISO 7064 MOD 11-2), GB 32100-2015 (unified social credit code), GB 11714-1997
(organisation code), ISO/IEC 7812 (bank card, Luhn), GB 16735-2019 (VIN), MIIT numbering table 2023-03 (mobile).
The county code of a resident ID is the one at issue and may be abolished since: only the province is checked.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

PROVINCES: Final = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
    ]
)
RESIDENT_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
RESIDENT_CHECKS: Final = "10X98765432"
USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_WEIGHTS: Final = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
USCC_NUMERIC_PREFIXES: Final = ("11", "12", "13", "19", "51", "52", "53", "59", "91", "92", "93")
ORG_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
VIN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
VIN_VALUES: Final = {
    **{str(d): d for d in range(10)},
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)),
    **dict(zip("JKLMN", range(1, 6), strict=True)),
    "P": 7,
    "R": 9,
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}
MOBILE: Final = r"1(?:3[0-9]|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])[0-9]{8}"
CARD: Final = (
    r"(?:62|81)[0-9]{14,17}|4[0-9]{15}|5[1-5][0-9]{14}|2[2-7][0-9]{14}|35[0-9]{14}|3[47][0-9]{13}|9558[0-9]{15}"
)
EMAIL: Final = (
    r"[A-Za-z0-9](?:[A-Za-z0-9._%+\-]{0,62}[A-Za-z0-9_\-])?@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}"
)
NO_DOMAIN: Final = ".invalid"
"""The ending that no address has (RFC 2606): pseudonyms of addresses bear it."""
PLATE: Final = (
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Za-hj-np-z][·•.\- ]?"
    r"(?:[DABCEFGHJKdabcefghjk][A-HJ-NP-Za-hj-np-z0-9][0-9]{4}|[0-9]{5}[DFdf]"
    r"|[A-HJ-NP-Za-hj-np-z0-9]{4}[A-HJ-NP-Za-hj-np-z0-9挂学警港澳试超])"
)
LANDLINE: Final = r"\(?0(?:10|2[0-57-9]|[3-9][0-9]{2})\)?[\- ]?[2-8][0-9]{6,7}"


# One value: ASCII, upper case, no separators.


def resident_id(value: str) -> bool:
    """GB 11643, 18 characters: province, real date, check digit.

    >>> resident_id("11010519491231002X"), resident_id("110105194912310021")
    (True, False)
    """
    return (
        len(value) == 18
        and value[:17].isdigit()
        and value.isascii()
        and value[:2] in PROVINCES
        and real_date(value[6:14])
        and _resident_check(value) == value[17]
    )


def foreign_permanent_resident(value: str) -> bool:
    """Foreign permanent resident ID of 2023: 9, region, country, birth date, MOD 11-2."""
    return (
        len(value) == 18
        and value.isascii()
        and value[:17].isdigit()
        and value[0] == "9"
        and value[1:3] in PROVINCES
        and real_date(value[6:14])
        and _resident_check(value) == value[17]
    )


def resident_id_15(value: str) -> bool:
    """The old form of 15 digits: province and a real date of the 20th century; there is no check digit."""
    return len(value) == 15 and _digits(value) and value[:2] in PROVINCES and real_date("19" + value[6:12])


def uscc(value: str) -> bool:
    """GB 32100, 18 characters. An all-digit one must begin with a registering body in use: serials pass 1 in 31.

    >>> uscc("91350100M000100Y43")
    True
    """
    if len(value) != 18 or any(c not in USCC_ALPHABET for c in value) or not _digits(value[2:8]):
        return False
    if value[0] == "0" or (value[2:4] not in PROVINCES and value[2:4] != "10"):
        return False
    if _digits(value) and value[:2] not in USCC_NUMERIC_PREFIXES:
        return False
    total = sum(USCC_ALPHABET.index(c) * w for c, w in zip(value, USCC_WEIGHTS, strict=False))
    return USCC_ALPHABET[(31 - total % 31) % 31] == value[17]


def organisation_code(value: str) -> bool:
    """GB 11714, nine characters without the hyphen.

    >>> organisation_code("D21439462")
    False
    >>> organisation_code("123456788")
    True
    """
    if len(value) != 9 or not value.isascii() or not value[:8].isalnum():
        return False
    total = sum(int(c, 36) * w for c, w in zip(value, ORG_WEIGHTS, strict=False))
    return value[8] == {10: "X", 11: "0"}.get(11 - total % 11, str(11 - total % 11))


def luhn(value: str) -> bool:
    """ISO/IEC 7812 check digit; one random number in ten passes.

    >>> luhn("6222021234567890128"), luhn("6222021234567890129")
    (True, False)
    """
    if not _digits(value):
        return False
    digits = [int(c) for c in reversed(value)]
    return sum(d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(digits)) % 10 == 0


def bank_card(value: str) -> bool:
    """A card of a network in use here: issuer prefix, length and Luhn."""
    return _CARD.fullmatch(value) is not None and luhn(value)


def vin(value: str) -> bool:
    """GB 16735: 17 characters without I, O, Q; the ninth checks. All-digit ones are other serial numbers."""
    if len(value) != 17 or any(c not in VIN_VALUES for c in value) or _digits(value):
        return False
    total = sum(VIN_VALUES[c] * w for c, w in zip(value, VIN_WEIGHTS, strict=True))
    return value[8] == "0123456789X"[total % 11]


def mobile(value: str) -> bool:
    """Eleven digits under a mobile prefix."""
    return _MOBILE.fullmatch(value) is not None


def ip_address(value: str) -> bool:
    """IPv4 or IPv6; not the unspecified address."""
    try:
        return int(ipaddress.ip_address(value)) > 0
    except ValueError:
        return False


def real_date(value: str) -> bool:
    """YYYYMMDD of a day that existed, 1800 to 2099."""
    try:
        day = dt.date(int(value[:4]), int(value[4:6]), int(value[6:8]))
    except ValueError:
        return False
    return len(value) == 8 and 1800 <= day.year <= 2099


# Whole columns: a polars column of text in, a boolean column out (null stays null).


def clean(column: pl.Series) -> pl.Series:
    """Text trimmed, full-width forms made ASCII, letters upper case, spaces and hyphens inside gone."""
    text = column.cast(pl.String)
    if column.dtype.is_integer():  # digits; a sign is taken for a hyphen
        return text.str.strip_chars_start("-")
    if text.str.contains(r"[\uFF01-\uFF5E\u3000]").any():
        text = text.str.replace_many(_FULL_WIDTH_FROM, _FULL_WIDTH_TO)
    if text.str.contains(r"[\s\-]").any():
        text = text.str.replace_all(r"[\s\-]", "")
    return text.str.to_uppercase() if text.str.contains(r"\p{Changes_When_Uppercased}").any() else text


def resident_ids(column: pl.Series) -> pl.Series:
    """``resident_id`` of each value, over a cleaned column."""
    shaped = column.str.contains(r"^[1-8][0-9]{16}[0-9X]$") & column.str.slice(0, 2).is_in(list(PROVINCES))
    return _where(column, shaped, 18, _resident_matrix)


def usccs(column: pl.Series) -> pl.Series:
    """``uscc`` of each value, over a cleaned column."""
    shaped = column.str.contains(rf"^[1-9A-HJ-NPQRTUWXY][0-9A-HJ-NPQRTUWXY][0-9]{{6}}[{USCC_ALPHABET}]{{10}}$")
    region = column.str.slice(2, 2).is_in([*PROVINCES, "10"])
    numeric = column.str.contains(r"^[0-9]+$") & ~column.str.slice(0, 2).is_in(list(USCC_NUMERIC_PREFIXES))
    return _where(column, shaped & region & ~numeric, 18, _uscc_matrix)


def bank_cards(column: pl.Series) -> pl.Series:
    """``bank_card`` of each value, over a cleaned column."""
    result = column.is_null() & False
    for length in (15, 16, 17, 18, 19):
        shaped = (column.str.len_bytes() == length) & column.str.contains(f"^(?:{CARD})$")
        result = result | _where(column, shaped, length, _luhn_matrix)
    return result


def vins(column: pl.Series) -> pl.Series:
    """``vin`` of each value, over a cleaned column."""
    shaped = column.str.contains(r"^[0-9A-HJ-NPR-Z]{17}$") & column.str.contains(r"[A-Z]")
    return _where(column, shaped, 17, _vin_matrix)


def mobiles(column: pl.Series) -> pl.Series:
    """``mobile`` of each value, +86 allowed, over a cleaned column."""
    return column.str.contains(rf"^(?:\+?86)?{MOBILE}$")


def emails(column: pl.Series) -> pl.Series:
    """The e-mail format, over a cleaned column; under ``.invalid`` there is no address."""
    return column.str.contains(f"^{EMAIL}$") & ~column.str.to_lowercase().str.ends_with(NO_DOMAIN)


def _where(column: pl.Series, shaped: pl.Series, length: int, check: object) -> pl.Series:
    """The boolean column ``shaped``, with ``check`` of a byte matrix deciding where it is true."""
    shaped = shaped.fill_null(value=False)
    places = shaped.arg_true().to_numpy()
    result = np.zeros(len(column), dtype=np.bool_)
    if len(places):
        values = column.gather(places).to_numpy().astype(f"S{length}")
        matrix = np.frombuffer(values.tobytes(), dtype=np.uint8).reshape(len(places), length)
        result[places] = check(matrix)  # type: ignore[operator]
    return pl.Series(column.name, result)


def _resident_matrix(matrix: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    digits = matrix[:, :17].astype(np.int64) - 48
    remainder = digits @ np.array(RESIDENT_WEIGHTS) % 11
    expected = np.frombuffer(RESIDENT_CHECKS.encode(), dtype=np.uint8)[remainder]
    year = digits[:, 6:10] @ np.array([1000, 100, 10, 1])
    month = digits[:, 10:12] @ np.array([10, 1])
    day = digits[:, 12:14] @ np.array([10, 1])
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    lengths = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    last = lengths[np.where(month <= 12, month, 0)] + ((month == 2) & leap)
    return (matrix[:, 17] == expected) & (day >= 1) & (day <= last) & (year >= 1800) & (year <= 2099)


def _uscc_matrix(matrix: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    values = _table(USCC_ALPHABET)[matrix]
    return (31 - values[:, :17] @ np.array(USCC_WEIGHTS) % 31) % 31 == values[:, 17]


def _luhn_matrix(matrix: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    digits = matrix[:, ::-1].astype(np.int64) - 48
    doubled = digits[:, 1::2] * 2
    return (digits[:, ::2].sum(axis=1) + (doubled - 9 * (doubled > 9)).sum(axis=1)) % 10 == 0


def _vin_matrix(matrix: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    values = np.zeros(256, dtype=np.int64)
    for letter, value in VIN_VALUES.items():
        values[ord(letter)] = value
    remainder = values[matrix] @ np.array(VIN_WEIGHTS) % 11
    return np.frombuffer(b"0123456789X", dtype=np.uint8)[remainder] == matrix[:, 8]


def _table(alphabet: str) -> npt.NDArray[np.int64]:
    table = np.zeros(256, dtype=np.int64)
    table[[ord(c) for c in alphabet]] = np.arange(len(alphabet))
    return table


def _resident_check(value: str) -> str:
    return RESIDENT_CHECKS[sum(int(c) * w for c, w in zip(value, RESIDENT_WEIGHTS, strict=False)) % 11]


def _digits(value: str) -> bool:
    return value.isascii() and value.isdigit()


_CARD: Final = re.compile(CARD)
_MOBILE: Final = re.compile(MOBILE)
_FULL_WIDTH_FROM: Final = [chr(code) for code in range(0xFF01, 0xFF5F)] + ["\u3000"]
_FULL_WIDTH_TO: Final = [chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)] + [" "]
