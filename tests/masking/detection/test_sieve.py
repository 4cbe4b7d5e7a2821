"""The sieve before a scan never holds back a value in which the detector finds a direct identifier."""

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from masking.detection import Detector
from masking.detection.invented import resident_ids
from masking.detection.sieve import DIRECT_TYPES, may_hold_direct_identifier

DETECTOR = Detector()
ID = str(resident_ids([1980], [True], seed=1)[0])
CARD = "6222021234567890128"
FRAGMENTS = [
    *("电话", "微信", "微信号：", "WX", "weıxin ", "qq号", "学号", "学籍号", "护照", "Passport No.", "港澳居民通行证"),
    *(
        "医保卡号",
        "社保号",
        "身份证",
        "卡号",
        "军字第",
        "武字第",
        "号",
        "村",
        "居委会",
        "（",
        "）",
        "(at)",
        "（at）",
        "@",
        "＠",
        "#",
    ),
    *(
        "13800001234",
        "138 0000 1234",
        "138-0000-1234",
        "１３８００００１２３４",
        "一三八零零零零一二三四",
        "86",
        "+86 ",
        "0086",
    ),
    *(ID, ID[:6] + " " + ID[6:14] + " " + ID[14:], "G" + ID, CARD, "6222 0212 3456 7890 128", "A1234567", "AB123456"),
    *(
        "京A12345",
        "沪AD12345",
        "京a·f1234",
        "a.b",
        "qq.com",
        "x9",
        "abcdef",
        "C12345678",
        "1234",
        "①②③④",
        "\n",
        " ",
        "0",
    ),
]


def held_back(texts: list[str]) -> list[str]:
    return (
        pl.Series(texts, dtype=pl.String)
        .filter(~may_hold_direct_identifier(pl.Series(texts, dtype=pl.String)))
        .to_list()
    )


def found(texts: list[str]) -> set[str]:
    return {each.type for findings in DETECTOR.find_many(texts) for each in findings} & DIRECT_TYPES


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(FRAGMENTS), max_size=6).map("".join), min_size=20, max_size=40))
@example(["86" + ID, "0086" + ID, "008613800001234", "weıxin abcdef", "微信号abcdef", "护照 A12345"])
def test_nothing_that_would_be_found_is_held_back(texts):
    assert not found(held_back(texts))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.from_regex(r"(0086|86)?1[0-9]{10}|[0-9]{5,24}", fullmatch=True), min_size=20, max_size=40))
def test_bare_numbers_are_held_back_by_length_only(texts):
    assert not found(held_back(texts))


@pytest.mark.parametrize(
    "text", ["东关村居委会", "110101001001", "北京市东城区（东华门街道）", "N142X", "", "3号楼2单元1"]
)
def test_values_of_no_interest_are_held_back(text):
    assert may_hold_direct_identifier(pl.Series([text], dtype=pl.String)).to_list() == [False]


def test_null_is_held_back_and_empty_stays_empty():
    assert may_hold_direct_identifier(pl.Series([None], dtype=pl.String)).to_list() == [False]
    assert may_hold_direct_identifier(pl.Series([], dtype=pl.String)).to_list() == []
