"""Invented identifiers for test data: valid in form and check digit, and marked so that anybody sees they are invented.

Faker's numbers are often invalid; these pass every check of ``checks``. Each kind has its mark:

- resident ID: city code ``99``, which no census or civil-affairs list holds, so no living person has the number;
- credit code: the same ``99`` in the place of the registering city;
- e-mail: a domain of RFC 2606, which can never receive mail;
- bank card: issuer ``62000``, on which payment services' public test cards stand;
- plate: city letter ``Z``, which no city has outside 川 and 粤 (those two are left out);
- mobile: ``000`` after the prefix. No range of Chinese mobiles is reserved for tests, so such a number **may be in
  service**: it must never be called or written to.

Such values are test data; editions never hold them (PRIVACY 9). All are drawn as numpy columns, distinct within a call
and the same for one seed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from masking.detection.checks import (
    ORG_WEIGHTS,
    PROVINCES,
    RESIDENT_CHECKS,
    RESIDENT_WEIGHTS,
    USCC_ALPHABET,
    USCC_NUMERIC_PREFIXES,
    USCC_WEIGHTS,
)

RESERVED_CITY: Final = "99"
MAINLAND: Final = tuple(sorted(code for code in PROVINCES if code < "71"))
_RANGES: Final = (
    *((130, 139), (145, 149), (150, 153), (155, 159), (162, 162), (165, 167)),
    *((170, 173), (175, 178), (180, 193), (195, 199)),
)
MOBILE_PREFIXES: Final = tuple(str(prefix) for first, last in _RANGES for prefix in range(first, last + 1))
"""MIIT 2023-03 without satellite telephones."""
MOBILE_BLOCK: Final = "000"
CARD_ISSUER: Final = "62000"
CARD_LENGTHS: Final = (16, 19)
PLATE_PROVINCES: Final = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵青藏宁琼"
PLATE_CITY: Final = "Z"
PLATE_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
MAIL_DOMAINS: Final = ("example.com", "example.net", "example.org", "mail.example.com", "staff.example.org")

Draws = npt.NDArray[np.int64]


def resident_ids(birth_years: Sequence[int] | Any, male: Sequence[bool] | Any, seed: int = 0) -> list[str]:
    """A resident ID per person with this year of birth (1800 to 2099) and sex, all different, the same for one seed.

    >>> resident_ids([1950, 1950], [True, False], seed=1) == resident_ids([1950, 1950], [True, False], seed=1)
    True
    """
    years, men = np.asarray(birth_years, dtype=np.int64), np.asarray(male, dtype=np.bool_)
    if years.shape != men.shape:
        raise ValueError("birth_years and male must have the same length")
    if years.size and not (years.min() >= 1800 and years.max() <= 2099):
        raise ValueError("birth_years must be in [1800, 2099]")
    random = np.random.default_rng(seed)

    def draw(places: Draws) -> Draws:
        count = len(places)
        province = np.array(MAINLAND, dtype=np.int64)[random.integers(len(MAINLAND), size=count)]
        area = province * 10_000 + int(RESERVED_CITY) * 100 + random.integers(1, 100, count)
        month, day = random.integers(1, 13, count), random.integers(1, 29, count)  # every month has 28 days
        order = random.integers(0, 500, count) * 2 + men[places]  # odd for men
        return area * 10**11 + ((years[places] * 100 + month) * 100 + day) * 1000 + order

    body = _digits(_distinct(len(years), draw), 17)
    checks = _letters(RESIDENT_CHECKS)[(body - 48) @ np.array(RESIDENT_WEIGHTS) % 11]
    return _texts(body, checks[:, None])


def mobiles(count: int, seed: int = 0) -> list[str]:
    """Mobile numbers over all prefixes, at most 1,000,000, all different. They may be in service: see above.

    >>> [number[3:6] for number in mobiles(2, seed=1)]
    ['000', '000']
    """
    prefixes = np.array(MOBILE_PREFIXES, dtype=np.int64)
    random = _random(count, seed)

    def draw(places: Draws) -> Draws:
        prefix = prefixes[random.integers(len(prefixes), size=len(places))]
        return prefix * 10**8 + random.integers(0, 10**5, len(places))

    return _texts(_digits(_distinct(count, draw), 11))


def bank_cards(count: int, seed: int = 0, lengths: Sequence[int] = CARD_LENGTHS) -> list[str]:
    """Bank cards of these lengths (16 to 19) that pass Luhn, at most 1,000,000, all different.

    >>> {len(card) for card in bank_cards(50, seed=1)} == {16, 19}
    True
    """
    if not lengths or not all(16 <= length <= 19 for length in lengths):
        raise ValueError("lengths must be in [16, 19]")
    random = _random(count, seed)
    serials = _distinct(count, lambda places: random.integers(0, 10**10, len(places)))
    chosen = np.array(lengths)[random.integers(len(lengths), size=count)]
    cards = np.empty(count, dtype=object)
    for length in set(lengths):
        rows = np.flatnonzero(chosen == length)
        body = np.hstack([_constant(CARD_ISSUER, len(rows)), _digits(serials[rows], length - 6)])
        values = body[:, ::-1].astype(np.int64) - 48
        doubled = values[:, ::2] * 2
        total = (doubled - 9 * (doubled > 9)).sum(axis=1) + values[:, 1::2].sum(axis=1)
        cards[rows] = _texts(body, (48 + -total % 10)[:, None])
    return cards.tolist()


def credit_codes(count: int, seed: int = 0, kinds: Sequence[str] = ("91", "92", "93")) -> list[str]:
    """Unified social credit codes with both checks right, at most 1,000,000, all different.

    ``kinds``: the first two characters, registering body and kind: 91 firms, 92 individual businesses, 93 farmers'
    cooperatives, 11 and 12 public bodies, 51 and 52 associations.

    >>> from masking.detection.checks import uscc
    >>> all(uscc(code) for code in credit_codes(50, seed=1))
    True
    """
    alphabet = _letters(USCC_ALPHABET)
    if not kinds or not set(kinds) <= set(USCC_NUMERIC_PREFIXES):
        raise ValueError(f"kinds must be some of {USCC_NUMERIC_PREFIXES}")
    random = _random(count, seed)
    serial = _distinct(count, lambda places: random.integers(0, 31**8, len(places)))
    kind = np.array([[ord(letter) for letter in each] for each in kinds])[random.integers(len(kinds), size=count)]
    region = _digits(np.array(MAINLAND, dtype=np.int64)[random.integers(len(MAINLAND), size=count)], 2)
    county = _digits(random.integers(1, 100, count), 2)
    body = alphabet[serial[:, None] // 31 ** np.arange(8)[::-1] % 31]
    organisation = 11 - _values("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")[body] @ np.array(ORG_WEIGHTS) % 11
    check = _letters("_123456789X0")[organisation][:, None]  # 10 is X and 11 is 0
    code = np.hstack([kind, region, _constant(RESERVED_CITY, count), county, body, check]).astype(np.int64)
    total = _values(USCC_ALPHABET)[code] @ np.array(USCC_WEIGHTS) % 31
    return _texts(code, alphabet[(31 - total) % 31][:, None])


def plates(count: int, seed: int = 0, new_energy: float = 0.2) -> list[str]:
    """Vehicle plates after GA 36, at most 1,000,000, all different; a share ``new_energy`` of them has six places.

    >>> len(set(plates(100, seed=1)))
    100
    """
    random = _random(count, seed)
    energy = random.random(count) < new_energy

    def draw(places: Draws) -> Draws:
        serial = random.integers(0, len(PLATE_PROVINCES) * 2 * 24 * 10**4, len(places))
        return np.where(energy[places], serial, serial // (2 * 10**4) * (2 * 10**4) + serial % 10**4)

    serials = _distinct(count, lambda places: draw(places) + energy[places] * 2**40) % 2**40
    place, number = np.divmod(serials, 10**4)
    place, fuel = np.divmod(place, 2)
    province, letter = np.divmod(place, len(PLATE_LETTERS))
    tails = np.empty(count, dtype=object)
    common = np.column_stack([_letters(PLATE_LETTERS)[letter], _digits(number, 4)])
    tails[:] = _texts(common)
    tails[energy] = _texts(_letters("DF")[fuel[energy]][:, None], common[energy])
    heads = np.array([each + PLATE_CITY for each in PLATE_PROVINCES], dtype=object)
    return (heads[province] + tails).tolist()


def emails(count: int, seed: int = 0) -> list[str]:
    """E-mail addresses under the domains that RFC 2606 keeps for examples, all different.

    >>> all("@" in address and "example." in address for address in emails(20, seed=1))
    True
    """
    random = _random(count, seed)
    serials = _distinct(count, lambda places: random.integers(0, len(_GIVEN) * len(_FAMILY) * 10**4, len(places)))
    names, number = np.divmod(serials, 10**4)
    given, family = np.divmod(names, len(_FAMILY))
    domain = np.array(MAIL_DOMAINS, dtype=object)[random.integers(len(MAIL_DOMAINS), size=count)]
    digits = np.array([str(each) for each in range(10**4)], dtype=object)[number]
    local = np.array(_FAMILY, dtype=object)[family] + np.array(_GIVEN, dtype=object)[given] + digits
    return (local + "@" + domain).tolist()


def is_invented(value: str) -> bool:
    """True if an identifier bears the mark of its kind."""
    return _INVENTED.fullmatch(value) is not None


def _random(count: int, seed: int) -> np.random.Generator:
    if not 0 <= count <= 1_000_000:
        raise ValueError("count must be in [0, 1000000]")
    return np.random.default_rng(seed)


def _distinct(count: int, draw: Callable[[Draws], Draws]) -> Draws:
    """``draw`` gives a number for each of the places; those that an earlier place has are drawn again."""
    numbers = draw(np.arange(count))
    while len(first := np.unique(numbers, return_index=True)[1]) < count:
        again = np.ones(count, dtype=np.bool_)
        again[first] = False
        numbers[again] = draw(np.flatnonzero(again))
    return numbers


def _digits(numbers: Draws, width: int) -> Draws:
    """The character codes of numbers of ``width`` digits."""
    return 48 + numbers[:, None] // 10 ** np.arange(width, dtype=np.int64)[::-1] % 10


def _letters(alphabet: str) -> Draws:
    """The character code of each letter of an alphabet."""
    return np.array([ord(letter) for letter in alphabet])


def _values(alphabet: str) -> Draws:
    """The place in the alphabet of each character code."""
    values = np.zeros(128, dtype=np.int64)
    values[_letters(alphabet)] = np.arange(len(alphabet))
    return values


def _constant(text: str, count: int) -> Draws:
    return np.broadcast_to(_letters(text), (count, len(text)))


def _texts(*parts: Draws) -> list[str]:
    """Columns of character codes, side by side, as texts."""
    matrix = np.ascontiguousarray(np.hstack(parts).astype(np.uint8))
    return matrix.view(f"S{matrix.shape[1]}")[:, 0].astype(f"U{matrix.shape[1]}").tolist()


_FAMILY: Final = ("wang", "li", "zhang", "liu", "chen", "yang", "huang", "zhao", "wu", "zhou", "ouyang", "sima")
_GIVEN: Final = ("wei", "fang", "na", "min", "jing", "qiang", "lei", "jun", "yong", "jie", "tao", "xiaohong", "zihan")
_INVENTED: Final = re.compile(
    r"[1-9][0-9]99[0-9]{13}[0-9X]"  # resident ID
    rf"|[0-9A-Z]{{2}}[0-9]{{2}}99[0-9]{{2}}[{USCC_ALPHABET}]{{10}}"  # credit code
    r"|1[0-9]{2}000[0-9]{5}|62000[0-9]{11,14}"  # mobile, bank card
    rf"|[{PLATE_PROVINCES}]Z[0-9A-HJ-NP-Z]{{5,6}}"
    r"|[^@]+@(?:[^@]+\.)?example\.(?:com|net|org)"
)
