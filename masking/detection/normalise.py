"""Makes look-alike characters ASCII without moving any: offsets in the result are those of the text as given."""

from __future__ import annotations

from typing import Final

_DASHES: Final = "‐‑‒–—―−－﹣"
_SPACES: Final = "\u00a0\u1680\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t"
_MAP: Final[dict[int, str]] = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys(map(ord, _SPACES), " "),
    **dict.fromkeys(map(ord, _DASHES), "-"),
    **dict(zip(map(ord, "①②③④⑤⑥⑦⑧⑨⓪"), "1234567890", strict=True)),
}
_HAN_DIGITS: Final = str.maketrans("〇零○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖", "0001234567891123456789")


def half_width(text: str) -> str:
    """Full-width forms, dashes and spaces as ASCII; the length stays.

    >>> half_width("电话：１３８－１２３４")
    '电话:138-1234'
    """
    return text.translate(_MAP)


def han_digits(text: str) -> str:
    """Chinese numerals as digits, for numbers that are spelled out; the length stays.

    >>> han_digits("幺三八")
    '138'
    """
    return text.translate(_HAN_DIGITS)
