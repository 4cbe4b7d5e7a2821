"""Invented resident IDs for test data: check digit and date are right, the county code was never assigned.

Every number begins with a province and then ``99``, a city code that no census or civil-affairs list holds, so no
living person has it, and anybody can see that it is invented. Such values are test data; editions never hold them
(PRIVACY 9).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from masking.detection.checks import PROVINCES, RESIDENT_CHECKS, RESIDENT_WEIGHTS

RESERVED_CITY: Final = "99"
MAINLAND: Final = tuple(sorted(code for code in PROVINCES if code < "71"))


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
    seen: set[str] = set()
    result = []
    for year, man in zip(years.tolist(), men.tolist(), strict=True):
        number = _draw(random, year, man=man)
        while number in seen:
            number = _draw(random, year, man=man)
        seen.add(number)
        result.append(number)
    return result


def is_invented(value: str) -> bool:
    """True if a resident ID stands on the reserved code."""
    return value[2:4] == RESERVED_CITY


def _draw(random: np.random.Generator, year: int, *, man: bool) -> str:
    province = MAINLAND[random.integers(len(MAINLAND))]
    month = int(random.integers(1, 13))
    day = int(random.integers(1, 29))  # every month has 28 days
    order = int(random.integers(0, 500)) * 2 + man  # odd for men
    body = f"{province}{RESERVED_CITY}{int(random.integers(1, 100)):02d}{year:04d}{month:02d}{day:02d}{order:03d}"
    total = sum(int(c) * w for c, w in zip(body, RESIDENT_WEIGHTS, strict=True))
    return body + RESIDENT_CHECKS[total % 11]
