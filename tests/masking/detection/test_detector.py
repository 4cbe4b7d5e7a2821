"""The detector: each type, each known trap, offsets, and that hostile text does not hang it."""

from __future__ import annotations

import pickle
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.detection import Detector
from masking.detection.detector import FOUND, TYPES
from masking.detection.invented import resident_ids

ID = resident_ids([1950], [True], seed=1)[0]
WRONG = ID[:17] + ("0" if ID[17] != "0" else "1")
CARD = "6222021234567890128"
DETECTOR = Detector()


def found(text):
    return [(finding.type, text[finding.start : finding.end]) for finding in DETECTOR.find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Chinese characters are word characters: \b would find nothing here.
        (f"身份证号{ID}已核", [("ID_CARD", ID)]),
        ("电话13812345678转张三", [("PHONE", "13812345678")]),
        ("邮箱zhang.san@163.com收", [("EMAIL", "zhang.san@163.com")]),
        ("邮箱：a_b@mail.gov.cn。", [("EMAIL", "a_b@mail.gov.cn")]),
        # Spaces, hyphens, full width, lower case x.
        (f"{ID[:6]} {ID[6:14]} {ID[14:]}", [("ID_CARD", f"{ID[:6]} {ID[6:14]} {ID[14:]}")]),
        ("1３8－1２３4－5６78", [("PHONE", "1３8－1２３4－5６78")]),
        ("11010519491231002x", [("ID_CARD", "11010519491231002x")]),
        ("+86 138 1234 5678", [("PHONE", "+86 138 1234 5678")]),
        ("电话幺三八一二三四五六七八", [("PHONE", "幺三八一二三四五六七八")]),
        # A 19-digit card is not eaten as an 18-digit ID; two numbers side by side stay two.
        (f"卡号{CARD}", [("BANK_CARD", CARD)]),
        (f"{CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:16]} {CARD[16:]}", [("BANK_CARD", "6222 0212 3456 7890 128")]),
        ("13812345678 13912345679", [("PHONE", "13812345678"), ("PHONE", "13912345679")]),
        # Wrong check digit, numbers of things, amounts.
        (f"编号{WRONG}", []),
        ("订单号13812345678", []),
        ("用水13812345678吨", []),
        ("流水6222021234567890128", []),
        ("圆周率3.14159265358979323846", []),
        ("热线12345、4008001234、95588", []),
        # Landlines and project numbers that look like them.
        ("0571-87654321转802", [("LANDLINE", "0571-87654321转802")]),
        ("项目0571-20230415", []),
        ("传真：87654321", [("LANDLINE", "87654321")]),
        # 15 digits only with a cue.
        ("110105491231002", []),
        ("身份证110105491231002", [("ID_CARD", "110105491231002")]),
        # Documents whose shape says nothing need a cue.
        ("护照号E12345678", [("PASSPORT", "E12345678")]),
        ("批号E20231101", []),
        ("国药准字H20203456", []),
        ("港澳通行证C12345678", [("TRAVEL_PERMIT", "C12345678")]),
        ("台胞证号12345678", [("TRAVEL_PERMIT", "12345678")]),
        # Vehicles.
        ("车牌浙A·D12345停放", [("LICENSE_PLATE", "浙A·D12345")]),
        ("京A12345", [("LICENSE_PLATE", "京A12345")]),
        ("浙B2-20201234", []),
        ("川A股 京A级", []),
        ("车架号LSVAM4187C2184847", [("VIN", "LSVAM4187C2184847")]),
        # Firms.
        ("信用代码91350100M000100Y43", [("USCC", "91350100M000100Y43")]),
        ("机构代码12345678-8", [("ORG_CODE", "12345678-8")]),
        # Networks: versions and times are none.
        ("地址192.168.1.1:8080", [("IP", "192.168.1.1")]),
        ("版本10.2.13.1，时间10:20:30", []),
        ("fe80::1ff:fe23:4567:890a", [("IP", "fe80::1ff:fe23:4567:890a")]),
        ("00:1B:44:11:3A:B7", [("MAC", "00:1B:44:11:3A:B7")]),
        ("001b.4411.3ab7", [("MAC", "001b.4411.3ab7")]),
        # Messengers: a group is not a person; 微信同号 is the telephone.
        ("QQ：12345678，QQ群87654321", [("QQ", "12345678")]),
        ("微信wxid_abc123", [("WECHAT", "wxid_abc123")]),
        ("微信同号13812345678", [("PHONE", "13812345678")]),
        ("1234567@qq.com", [("EMAIL", "1234567@qq.com")]),
        ("zhangsan（at）qq.com", [("EMAIL", "zhangsan（at）qq.com")]),
        # Births, not foundations.
        ("1980年3月5日出生", [("BIRTH_DATE", "1980年3月5日")]),
        ("出生日期：1980-02-30", []),
        ("成立于1980-01-01", []),
        ("1990年生产", []),
        # Places.
        ("位置120.1551,30.2741", [("GPS", "120.1551,30.2741")]),
        ("比例0.1234,0.5678", []),
        # Others.
        (f"学籍号G{ID}", [("STUDENT_ID", f"G{ID}")]),
        ("住院号：ZY123456", [("MEDICAL_RECORD", "ZY123456")]),
        ("军字第1234567号", [("MILITARY_ID", "军字第1234567号")]),
        ("330106001001GB00001F00010001", [("REAL_ESTATE_UNIT", "330106001001GB00001F00010001")]),
        # Names after a cue, without what follows.
        ("家属王小明来电", [("PERSON", "王小明")]),
        ("患者欧阳锋的病情", [("PERSON", "欧阳锋")]),
        ("高兴地回家", []),
        ("", []),
    ],
)
def test_finds(text, expected):
    assert found(text) == expected


def test_every_type_found_is_a_contract_type():
    assert set(FOUND) <= set(TYPES)


def test_only_wanted_types():
    assert [f.type for f in Detector(["EMAIL"]).find("13812345678 a@b.cn")] == ["EMAIL"]
    with pytest.raises(ValueError, match="EMIAL"):
        Detector(["EMIAL"])


def test_find_many_takes_nulls():
    assert [len(f) for f in DETECTOR.find_many([None, "", "13812345678"])] == [0, 0, 1]


def test_pickles():
    assert pickle.loads(pickle.dumps(DETECTOR)).find("13812345678")


@settings(deadline=None)
@given(st.text(st.sampled_from("0123456789Xx-— ：:@.#·ABEGW京浙年月日号身份证电话微信QQ１８　\n"), max_size=80))
def test_findings_are_in_the_text_in_order_and_apart(text):
    end = 0
    for finding in DETECTOR.find(text):
        assert end <= finding.start < finding.end <= len(text)
        end = finding.end
        assert finding.type in FOUND
        assert 0 < finding.score <= 1


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=10))
def test_an_identifier_is_found_in_any_chinese_context(text):
    spans = [f for f in DETECTOR.find(f"{text}，{ID}，{text}") if f.type == "ID_CARD"]
    assert [(f.start, f.end) for f in spans] == [(len(text) + 1, len(text) + 19)]


@pytest.mark.parametrize(
    "piece", ["1", "1 ", "1-", "a.", "a@", "1.", "0:", "::", "a-", "Ｑ", "〇", "京A", "120.12345,"]
)
def test_hostile_repetition_does_not_hang(piece):
    started = time.process_time()
    DETECTOR.find(piece * (4000 // len(piece)))
    assert time.process_time() - started < 30
