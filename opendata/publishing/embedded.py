"""Resident numbers and mobiles inside longer strings: what word-by-word detection leaves alone, the scan does not.

Detection wants a number to stand by itself, or every serial number would be a mobile. Before publication the doubt goes
the other way (PRIVACY.md 9, without exceptions): letters beside a number, separators, invisible characters and line
breaks within one do not hide it. Long hexadecimal words are digests and tokens, in which such digits stand by chance.
"""

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from masking.detection import checks
from masking.detection.normalise import half_width

_INVISIBLE: Final = "\u00ad\u200b-\u200f\u2060-\u2064\ufeff"
_WITHIN: Final = re.compile(rf"(?<=[0-9])[\s_/.\-·•,，、:|{_INVISIBLE}]{{1,3}}(?=[0-9Xx])")
_INVISIBLE_ONE: Final = re.compile(f"[{_INVISIBLE}]")
_RESIDENT: Final = re.compile(r"(?<![0-9])[1-9][0-9]{16}[0-9Xx]")
_MOBILE: Final = re.compile(r"(?<![0-9.])1[3-9][0-9]{9}(?![0-9]|\.[0-9])")
_HEXADECIMAL: Final = re.compile(r"(?i)(?<![0-9a-z])(?=[0-9-]*[a-f])[0-9a-f][0-9a-f-]{14,}[0-9a-f](?![0-9a-z])")
_DIGIT: Final = "[0-9０-９]"
_CANDIDATE: Final = (
    rf"(?:^|[^0-9０-９])[1１]{_DIGIT}{{10}}(?:[^0-9０-９]|$)|(?:{_DIGIT}[^0-9０-９]{{0,3}}){{17}}[0-9０-９XxＸｘ]"
)
"""What the whole column is searched for at once; only its hits are read one by one."""


def embedded(values: pa.Array) -> dict[str, int]:
    """Counts of texts that hold a valid resident number (ID_CARD) or mobile (PHONE); none found: empty."""
    counts = {"ID_CARD": 0, "PHONE": 0}
    seen = pc.replace_substring_regex(values, f"[{_INVISIBLE}]", "")
    likely = seen.filter(pc.fill_null(pc.match_substring_regex(seen, _CANDIDATE), False))
    for value in likely.to_pylist():
        text = half_width(value)
        for type_, found in (("ID_CARD", _resident(text)), ("PHONE", _mobile(text))):
            counts[type_] += found
    return {type_: count for type_, count in counts.items() if count}


def looks_like_a_value(name: str) -> bool:
    """Whether a column's name is an identifier, or a number of five digits or more: a file without a header."""
    text = _INVISIBLE_ONE.sub("", half_width(name)).strip()
    return re.fullmatch(r"[+-]?[0-9]{5,}(\.[0-9]+)?", text) is not None or _resident(text) or _mobile(text)


def _resident(text: str) -> bool:
    return any(
        checks.resident_id(match.group().upper())
        for form in {text, _WITHIN.sub("", text)}
        for match in _RESIDENT.finditer(form)
        if not form[match.end() : match.end() + 1].isdigit()
    )


def _mobile(text: str) -> bool:
    return any(checks.mobile(match.group()) for match in _MOBILE.finditer(_HEXADECIMAL.sub(" ", text)))
