"""Which values of a column could hold a direct identifier at all: the rest need not be read one by one.

A sieve only rules out. Whatever it lets through is for ``Detector``; what it holds back has too few digits and none of
the marks and words that ``detector`` and ``rules`` ask for. The tests hold the two together: no value in which the
detector finds one of these types may be held back.
"""

from __future__ import annotations

from typing import Final

import polars as pl

DIRECT_TYPES: Final = frozenset(
    {
        "ID_CARD",
        "PHONE",
        "BANK_CARD",
        "PASSPORT",
        "TRAVEL_PERMIT",
        "FOREIGN_PR",
        "MILITARY_ID",
        "SOCIAL_SECURITY",
        "MEDICAL_INSURANCE",
        "STUDENT_ID",
        "EMAIL",
        "LICENSE_PLATE",
        "QQ",
        "WECHAT",
    }
)
"""Types that may not leave in records; the sieve is made for these."""

_DIGITS: Final = 4
"""Every type has at least so many digits (MILITARY_ID), but for those that a mark or a word below announces."""
_MARKS: Final = (
    r"@|at[)\]\uFF09\uFF3D]|#"  # EMAIL
    r"|[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Za-z]"  # LICENSE_PLATE
    r"|[〇零○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖0-9]{11}"  # numbers that are spelled out
    r"|(?i:微信|薇信|威信|weixin|wechat|wx|vx|学号|学籍号|学籍|护照|passport)"  # WECHAT, STUDENT_ID, PASSPORT
    r"|[\uFF03\uFF10-\uFF19\uFF20-\uFF3A\uFF41-\uFF5A①-⑨⓪]"  # what half_width makes ASCII
    r"|[\u0130\u0131]"  # Python's re takes these for i
)
_MOBILE_LENGTHS: Final = (11, 13)
_LEAST_LENGTH: Final = 15
"""A value of digits alone has no word beside it: it is a mobile (perhaps after 86), or has 15 digits or more."""


def may_hold_direct_identifier(column: pl.Series) -> pl.Series:
    """False where ``Detector`` cannot find any of ``DIRECT_TYPES``; null is false. ``column`` is text.

    >>> may_hold_direct_identifier(pl.Series(["东关居委会", "13800001234", "110101001001", "a@b.cn"])).to_list()
    [False, True, False, True]
    """
    frame = pl.DataFrame({"v": column})
    value = pl.col("v")
    bare = value.str.contains("^[0-9]+$")
    length = value.str.len_bytes()
    long_enough = length.is_in(_MOBILE_LENGTHS) | (length >= _LEAST_LENGTH)
    mixed = (value.str.count_matches("[0-9]") >= _DIGITS) | value.str.contains(_MARKS)
    return frame.select(pl.when(bare).then(long_enough).otherwise(mixed).fill_null(value=False).alias("v"))["v"]
