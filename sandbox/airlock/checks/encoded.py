"""Raw values written another way in labels: hex, base64, reversed, spelled out, moved, inside longer text.

``readings`` gives every text that a label may stand for; the raw match looks them up beside the label itself. What
cannot be read back (a digest, a compressed block) still looks like no word: ``looks_encoded``. Pure.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

LONGEST: Final = 80
MIN_LETTERS: Final = 4
MIN_DIGITS: Final = 6
MIN_IDEOGRAPHS: Final = 2
MAX_IDEOGRAPHS: Final = 12
_SEPARATORS: Final = re.compile(r"[\s\-_.,:;|/\\'\"()（）、·]+")
_HEX: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{4,})")
_BINARY: Final = re.compile(r"[01]{16,}")
_POINTS: Final = re.compile(r"(?:U\+|\\u)?[0-9a-fA-F]{4,5}(?:[-\s,;]+(?:U\+|\\u)?[0-9a-fA-F]{4,5})*")
_DIGITS: Final = re.compile(rf"\d{{{MIN_DIGITS},}}")
_WORD: Final = re.compile(r"[A-Za-z0-9]{4,}")
_IDEOGRAPHS: Final = re.compile(r"[\u4e00-\u9fff]+")
_CHINESE_DIGITS: Final = str.maketrans("〇零一二三四五六七八九壹贰叁肆伍陆柒捌玖", "00123456789123456789")
_DIGEST: Final = re.compile(r"(?:0x)?[0-9a-f]{16,}|(?:0x)?[0-9A-F]{16,}")
_PACKED: Final = re.compile(r"[A-Za-z0-9+/=_\-!#$%&()*;<>?@^`{|}~]{20,}")


def readings(label: str) -> frozenset[str]:
    """What a label may stand for, the label itself left out; empty for labels of more than ``LONGEST`` characters."""
    if not 1 < len(label) <= LONGEST:
        return frozenset()
    plain = unicodedata.normalize("NFKC", label).strip()
    joined = _SEPARATORS.sub("", plain)
    found = {plain, joined, *_SEPARATORS.split(plain), plain[::-1], joined[::-1]}
    found |= {plain.casefold(), plain.upper(), joined.upper(), joined.translate(_CHINESE_DIGITS)}
    found |= {_moved(plain, by) for by in (-3, -2, -1, 1, 2, 3)}
    for read in (_from_hex, _from_binary, _from_points, _from_base(base64.b64decode), _from_base(_base32)):
        found |= set(read(plain)) | set(read(joined))
    for match in (*_DIGITS.finditer(joined), *_WORD.finditer(plain)):
        found.add(match.group())
        found.add(match.group().lstrip("0"))
    found |= set(_inside(plain))
    return frozenset(text for text in found if _long_enough(text)) - {label}


def looks_encoded(label: str) -> bool:
    """Whether a label looks like a digest or a packed block: long, no spaces, letters and digits mixed.

    >>> [looks_encoded(x) for x in ("9f86d081884c7d65", "mental_and_behavioural_disorders", "2025-01")]
    [True, False, False]
    """
    if _DIGEST.fullmatch(label) or _BINARY.fullmatch(label):
        return True
    if not _PACKED.fullmatch(label):
        return False
    changes = sum(_class(a) != _class(b) for a, b in pairwise(label))
    return changes * 3 > len(label)


def _long_enough(text: str) -> bool:
    if text.isdigit():
        return len(text) >= MIN_DIGITS
    return len(text) >= (MIN_IDEOGRAPHS if _IDEOGRAPHS.search(text) else MIN_LETTERS)


def _moved(text: str, by: int) -> str:
    return "".join(chr(ord(c) + by) if 0x20 < ord(c) + by < 0xD800 else c for c in text)


def _from_hex(text: str) -> Iterator[str]:
    match = _HEX.fullmatch(text)
    if match:
        yield str(int(match[1], 16))
        yield from _text(bytes.fromhex(match[1].zfill(len(match[1]) + len(match[1]) % 2)))


def _from_binary(text: str) -> Iterator[str]:
    if _BINARY.fullmatch(text):
        number = int(text, 2)
        yield str(number)
        yield from _text(number.to_bytes((len(text) + 7) // 8, "big"))


def _from_points(text: str) -> Iterator[str]:
    if _POINTS.fullmatch(text):
        points = [int(point, 16) for point in re.findall(r"[0-9a-fA-F]{4,5}", text)]
        if all(0x20 < point < 0xD800 for point in points):
            yield "".join(map(chr, points))


def _base32(text: str) -> bytes:
    return base64.b32decode(text, casefold=True)


def _from_base(decode: Callable[[str], bytes]) -> Callable[[str], Iterator[str]]:
    def read(text: str) -> Iterator[str]:
        bare = text.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            yield from _text(decode(bare + "=" * (-len(bare) % 8 if decode is _base32 else -len(bare) % 4)))
        except (binascii.Error, ValueError):
            return

    return read


def _text(content: bytes) -> Iterator[str]:
    for encoding in ("utf-8", "gb18030"):
        try:
            text = content.decode(encoding).strip("\0")
        except UnicodeDecodeError:
            continue
        if text.isprintable():
            yield text


def _inside(text: str) -> Iterator[str]:
    """Parts of runs of ideographs, short enough to be names or places."""
    for run in _IDEOGRAPHS.findall(text):
        for size in range(MIN_IDEOGRAPHS, min(MAX_IDEOGRAPHS, len(run)) + 1):
            for start in range(len(run) - size + 1):
                yield run[start : start + size]


def _class(character: str) -> str:
    if character.isdigit():
        return "digit"
    if character.isalpha():
        return "upper" if character.isupper() else "lower"
    return "other"
