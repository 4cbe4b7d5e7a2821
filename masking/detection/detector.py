"""Finds personal identifiers in text: shapes first, checksums as the arbiter, cue words where there is no check.

One pass of one alternation gives candidates; a validator says what each is. A number split by spaces or hyphens is
tried in windows of whole digit groups, longest first, so that a 19-digit card is not eaten as an 18-digit ID and two
numbers side by side stay two. Offsets are those of the text as given (``normalise`` moves no character).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from masking.detection import checks
from masking.detection.model import Finding
from masking.detection.normalise import half_width, han_digits
from masking.detection.rules import (
    CANDIDATES,
    CUES,
    GROUPINGS,
    LED,
    NOT_A_PERSONS_NUMBER,
    QUANTITY_AFTER,
    VERSION_BEFORE,
)

TYPES: Final = (
    "PERSON",
    "ADDRESS",
    "ORG",
    "ID_CARD",
    "PHONE",
    "LANDLINE",
    "BANK_CARD",
    "PASSPORT",
    "TRAVEL_PERMIT",
    "FOREIGN_PR",
    "LICENSE_PLATE",
    "VIN",
    "USCC",
    "ORG_CODE",
    "TAX_ID",
    "SOCIAL_SECURITY",
    "STUDENT_ID",
    "MILITARY_ID",
    "REAL_ESTATE_UNIT",
    "MEDICAL_INSURANCE",
    "MEDICAL_RECORD",
    "EMAIL",
    "IP",
    "MAC",
    "QQ",
    "WECHAT",
    "BIRTH_DATE",
    "GPS",
)
FOUND: Final = tuple(name for name in TYPES if name not in {"ADDRESS", "ORG"})
"""Types this version finds; PERSON only after a cue word such as 患者."""
CONTEXT: Final = 24
"""Characters before a candidate in which a cue is looked for."""
CHECKED, CUED, SHAPED = 1.0, 0.9, 0.75
_GROUP: Final = re.compile(r"[0-9]+[Xx]?|[Xx]")
_COUNTRY: Final = re.compile(r"^\(?\+?(?:00)?86\)?[ \-]?(?=1[3-9])")
_HAN_NUMBER: Final = re.compile(r"[〇零○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖0-9]{11,18}")
_PASSPORT: Final = re.compile(r"[A-Z]{1,2}[0-9]{7,9}|E[A-HJ-NP-Z][0-9]{7}|[0-9]{9}|[A-Z0-9]{6,12}")
_TRAVEL: Final = re.compile(
    r"C[0-9]{8}|C[A-Z][0-9]{7}|[HM][0-9]{8}(?:[0-9]{2})?|[0-9]{8}(?:[0-9]{2})?|[LT][0-9]{8}|W[0-9]{8}"
)
_FOREIGN_2017: Final = re.compile(r"[A-Z]{3}[0-9]{12}")


class Detector:
    """Finds identifiers of the types in ``FOUND``. Holds no text; may be shared between threads and pickled.

    >>> [(f.type, f.start, f.end) for f in Detector().find("电话13812345678，邮箱a@b.cn")]
    [('PHONE', 2, 13), ('EMAIL', 16, 22)]
    """

    def __init__(self, types: Iterable[str] | None = None) -> None:
        """Look for these types only; None: all.

        Raises:
            ValueError: a type has an unknown name.
        """
        wanted = frozenset(TYPES if types is None else types)
        if unknown := wanted - set(TYPES):
            raise ValueError(f"unknown detection types {sorted(unknown)}")
        self.types = wanted

    def find(self, text: str) -> list[Finding]:
        """Non-overlapping findings in the order of the text; offsets are Python characters of ``text``."""
        plain = half_width(text)
        return [
            finding
            for finding in _resolved([*_shapes(plain), *_led(plain), *_spelled(plain)])
            if finding.type in self.types
        ]

    def find_many(self, texts: Iterable[str | None]) -> list[list[Finding]]:
        """``find`` for each text; None gives no findings."""
        return [self.find(text) if text else [] for text in texts]


def _shapes(text: str) -> Iterator[Finding]:
    position = 0
    while match := CANDIDATES.search(text, position):
        shape = match.lastgroup if match.lastgroup != "macsep" else "mac"
        assert shape is not None
        found = list(_VALIDATORS[shape](text, match.start(), match.end()))
        yield from found
        if found or shape in {"number", "run"}:
            position = match.end()
        else:
            # The shape was wrong: what begins here may still be a number or a run of letters and digits.
            yield from _again(text, match.start(), match.end())
            position = match.end()


def _again(text: str, start: int, end: int) -> Iterator[Finding]:
    for match in _PIECES.finditer(text, start, end):
        yield from _VALIDATORS[str(match.lastgroup)](text, match.start(), match.end())


def _led(text: str) -> Iterator[Finding]:
    for type_, rule, pattern in LED:
        for match in pattern.finditer(text):
            if type_ == "BIRTH_DATE" and not _plausible_date(match):
                continue
            yield Finding(match.start("v"), match.end("v"), type_, CUED if rule == "cue" else SHAPED, f"{type_}:{rule}")


def _spelled(text: str) -> Iterator[Finding]:
    """Numbers written in Chinese numerals: mobiles and resident IDs only."""
    for match in _HAN_NUMBER.finditer(text):
        if match.group().isascii():
            continue
        value = han_digits(match.group())
        if len(value) == 11 and checks.mobile(value):
            yield Finding(match.start(), match.end(), "PHONE", CUED, "PHONE:spelled")
        elif len(value) == 18 and checks.resident_id(value):
            yield Finding(match.start(), match.end(), "ID_CARD", CHECKED, "ID_CARD:spelled")


def _number(text: str, start: int, end: int) -> Iterator[Finding]:
    """Digit groups split by single separators: windows of whole groups, longest first."""
    country = _COUNTRY.match(text[start:end])
    first = start + country.end() if country else start
    groups = [(m.start(), m.end()) for m in _GROUP.finditer(text, first, end)]
    i = 0
    while i < len(groups):
        for j in range(min(len(groups), i + 6), i, -1):
            lengths = tuple(b - a for a, b in groups[i:j])
            value = "".join(text[a:b] for a, b in groups[i:j]).upper()
            span = (start if country and i == 0 else groups[i][0], groups[j - 1][1])
            finding = _number_type(text, span, value, lengths, after_country=bool(country) and i == 0)
            if finding:
                yield finding
                i = j
                break
        else:
            i += 1


def _number_type(
    text: str, span: tuple[int, int], value: str, lengths: tuple[int, ...], *, after_country: bool
) -> Finding | None:
    """What a window of digit groups is, or None."""
    size = len(value)
    if size < 8:
        return None
    start, end = span

    def found(type_: str, score: float, rule: str) -> Finding:
        return Finding(start, end, type_, score, f"{type_}:{rule}")

    if size == 18 and _merged(lengths) in GROUPINGS["ID_CARD"]:
        if checks.resident_id(value):
            return found("ID_CARD", CHECKED, "GB 11643")
        if checks.foreign_permanent_resident(value):
            return found("FOREIGN_PR", CHECKED, "MOD 11-2")
        if len(lengths) == 1 and checks.uscc(value):
            return found("USCC", CHECKED, "GB 32100")
    if size == 20 and len(lengths) == 1 and checks.resident_id(value[:18]) and _cue(text, start, "TAX_ID"):
        return found("TAX_ID", CHECKED, "GB 11643")
    if size == 11 and lengths in GROUPINGS["PHONE"] and checks.mobile(value):
        if after_country or _cue(text, start, "PHONE") or not _thing(text, start, end):
            return found("PHONE", CUED, "prefix")
        return None
    if 15 <= size <= 19 and value.isdigit() and lengths in GROUPINGS["BANK_CARD"]:
        cue = _cue(text, start, "BANK_CARD")
        if checks.bank_card(value) and (cue or not _thing(text, start, end)):
            return found("BANK_CARD", CHECKED if cue else CUED, "Luhn")
        if cue and checks.luhn(value):
            return found("BANK_CARD", CUED, "Luhn")
    if len(lengths) != 1 or not value.isdigit():
        return None
    if size == 15 and checks.resident_id_15(value) and _cue(text, start, "ID_CARD"):
        return found("ID_CARD", CUED, "15 digits")
    if 12 <= size <= 22 and _cue(text, start, "BANK_CARD") and not _cue(text, start, "ID_CARD"):
        return found("BANK_CARD", SHAPED, "cue")
    if size in {8, 10} and _cue(text, start, "TRAVEL_PERMIT"):
        return found("TRAVEL_PERMIT", CUED, "cue")
    if size == 9 and _cue(text, start, "PASSPORT"):
        return found("PASSPORT", CUED, "cue")
    return None


def _run(text: str, start: int, end: int) -> Iterator[Finding]:
    """Letters and digits in one piece."""
    given = text[start:end]
    value = given.upper()
    if value.isdigit() or (value[:-1].isdigit() and value[-1] == "X"):
        yield from _number(text, start, end)
        return
    if not any(c.isdigit() for c in value):
        return

    def found(type_: str, score: float, rule: str) -> list[Finding]:
        return [Finding(start, end, type_, score, f"{type_}:{rule}")]

    size = len(value)
    if size == 19 and value[0] in "GL" and checks.resident_id(value[1:]):
        yield from found("STUDENT_ID", CHECKED, "GB 11643")
    elif size == 18 and checks.uscc(value):
        yield from found("USCC", CHECKED, "GB 32100")
    elif (
        size == 17
        and "I" not in value
        and "O" not in value
        and "Q" not in value
        and (checks.vin(value) or _cue(text, start, "VIN"))
    ):
        yield from found("VIN", CHECKED if checks.vin(value) else CUED, "GB 16735")
    elif size == 15 and _cue(text, start, "FOREIGN_PR") and _FOREIGN_2017.fullmatch(value):
        yield from found("FOREIGN_PR", CUED, "cue")
    elif size in {15, 18, 20} and _cue(text, start, "TAX_ID"):
        yield from found("TAX_ID", CUED, "cue")
    elif _cue(text, start, "PASSPORT") and _PASSPORT.fullmatch(value):
        yield from found("PASSPORT", CUED, "cue")
    elif _cue(text, start, "TRAVEL_PERMIT") and _TRAVEL.fullmatch(value):
        yield from found("TRAVEL_PERMIT", CUED, "cue")
    elif size == 9 and _cue(text, start, "ORG_CODE") and checks.organisation_code(value):
        yield from found("ORG_CODE", CHECKED, "GB 11714")
    elif size == 12 and _cue(text, start, "MAC") and all(c in "0123456789ABCDEF" for c in value):
        yield from found("MAC", CUED, "cue")


def _email(text: str, start: int, end: int) -> Iterator[Finding]:
    if not text[start:end].lower().endswith(checks.NO_DOMAIN):
        yield Finding(start, end, "EMAIL", CUED, "EMAIL:shape")


def _mac(text: str, start: int, end: int) -> Iterator[Finding]:
    del text
    yield Finding(start, end, "MAC", CUED, "MAC:shape")


def _ip(text: str, start: int, end: int) -> Iterator[Finding]:
    value = text[start:end]
    version = VERSION_BEFORE.search(text, max(0, start - CONTEXT), start)
    if checks.ip_address(value) and not version and (":" not in value or len(value.replace(":", "")) >= 3):
        yield Finding(start, end, "IP", CUED, "IP:range")


def _gps(text: str, start: int, end: int) -> Iterator[Finding]:
    first, second = (float(number) for number in re.findall(r"[0-9]{1,3}\.[0-9]{4,}", text[start:end])[:2])
    if (73 <= first <= 136 and 3 <= second <= 54) or (73 <= second <= 136 and 3 <= first <= 54):
        yield Finding(start, end, "GPS", SHAPED, "GPS:range")


def _plate(text: str, start: int, end: int) -> Iterator[Finding]:
    if sum(c.isdigit() for c in text[start + 2 : end]) >= 2:
        yield Finding(start, end, "LICENSE_PLATE", CUED, "LICENSE_PLATE:shape")


def _military(text: str, start: int, end: int) -> Iterator[Finding]:
    del text
    yield Finding(start, end, "MILITARY_ID", CUED, "MILITARY_ID:shape")


def _landline(text: str, start: int, end: int) -> Iterator[Finding]:
    value = text[start:end]
    subscriber = re.search(r"[2-8][0-9]{6,7}", value[3:])
    dated = subscriber is not None and checks.real_date(subscriber.group())
    cue = _cue(text, start, "LANDLINE")
    separated = re.search(r"[\-) ]", value) is not None
    if cue or (separated and not dated and not _thing(text, start, end)):
        yield Finding(start, end, "LANDLINE", CUED if cue else SHAPED, "LANDLINE:area code")


def _organisation(text: str, start: int, end: int) -> Iterator[Finding]:
    value = text[start:end].replace("-", "")
    if checks.organisation_code(value) and (_cue(text, start, "ORG_CODE") or not value[:8].isdigit()):
        yield Finding(start, end, "ORG_CODE", CHECKED, "ORG_CODE:GB 11714")


_PIECES: Final = re.compile(
    r"(?P<number>(?<![0-9A-Za-z])(?<![0-9]\.)[0-9]+(?:[ \-][0-9]+)*(?:[ \-]?[Xx])?(?![0-9A-Za-z]))"
    r"|(?P<run>(?<![0-9A-Za-z])[0-9A-Za-z]{6,28}(?![0-9A-Za-z]))"
)
_VALIDATORS: Final[dict[str, Callable[[str, int, int], Iterator[Finding]]]] = {
    "email": _email,
    "mac": _mac,
    "ipv6": _ip,
    "ipv4": _ip,
    "gps": _gps,
    "plate": _plate,
    "military": _military,
    "landline": _landline,
    "organisation": _organisation,
    "number": _number,
    "run": _run,
}


def _merged(lengths: tuple[int, ...]) -> tuple[int, ...]:
    """``lengths`` with a lone check character X joined to the group before it."""
    return (*lengths[:-2], lengths[-2] + 1) if len(lengths) > 2 and lengths[-1] == 1 else lengths


def _cue(text: str, start: int, type_: str) -> bool:
    return CUES[type_].search(text[max(0, start - CONTEXT) : start]) is not None


def _thing(text: str, start: int, end: int) -> bool:
    """True if words around a number say that it counts or names a thing."""
    return (
        NOT_A_PERSONS_NUMBER.search(text[max(0, start - CONTEXT) : start]) is not None
        or QUANTITY_AFTER.match(text, end) is not None
    )


def _plausible_date(match: re.Match[str]) -> bool:
    month = match["m"] or match["m2"]
    day = match["d"] or match["d2"]
    return month is None or checks.real_date(f"{match['y']}{int(month):02d}{int(day or 1):02d}")


def _resolved(findings: list[Finding]) -> list[Finding]:
    """Where findings overlap the surer one stays, then the longer one, then the earlier one."""
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda f: (-f.score, f.start - f.end, f.start)):
        if all(finding.end <= other.start or other.end <= finding.start for other in kept):
            kept.append(finding)
    return sorted(kept, key=lambda f: f.start)
