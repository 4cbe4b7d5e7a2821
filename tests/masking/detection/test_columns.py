"""Column typing: header words, shares over all values, levels; no cell value in any reason."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest

from masking.detection import detect_columns, propose_level
from masking.detection.invented import resident_ids
from masking.taxonomy import DataLevel, Role

IDS = resident_ids([1950 + i % 50 for i in range(200)], [i % 2 == 0 for i in range(200)], seed=5)
PHONES = [f"1380000{i:04d}" for i in range(200)]


def one(name, values, type_=None):
    return detect_columns(pa.table({name: pa.array(values, type_)}))[0]


def test_the_sentence_an_officer_reads():
    findings = detect_columns(pa.table({"resident_id": IDS, "diagnosis": ["a", "b"] * 100}))
    assert findings[0].role is Role.DIRECT_IDENTIFIER
    assert findings[0].reason["zh"].startswith("标识列：200/200 通过 GB 11643 校验 → 直接标识符")
    assert findings[0].reason["zh"].endswith("L4 敏感")
    assert (
        findings[0].reason["en"].startswith("identifier column: 200 of 200 pass the GB 11643 check → direct identifier")
    )
    assert findings[0].level is DataLevel.L4  # beside health data
    assert "第二十八条" in findings[0].clause
    level, reasons, clause = propose_level(findings)
    assert level is DataLevel.L4
    assert "就高从严" in reasons[0]["zh"]
    assert "第二十八条" in clause


@pytest.mark.parametrize(
    ("name", "values", "type_", "role", "level"),
    [
        ("x1", IDS, "ID_CARD", Role.DIRECT_IDENTIFIER, DataLevel.L3),  # values alone
        ("x1", [f" {i[:6]} {i[6:14]} {i[14:].lower()}" for i in IDS], "ID_CARD", Role.DIRECT_IDENTIFIER, DataLevel.L3),
        ("身份证号", ["x"] * 9, "ID_CARD", Role.DIRECT_IDENTIFIER, DataLevel.L3),  # header alone
        ("x2", PHONES, "PHONE", Role.DIRECT_IDENTIFIER, DataLevel.L3),
        ("x2", [int(p) for p in PHONES], "PHONE", Role.DIRECT_IDENTIFIER, DataLevel.L3),  # as numbers
        ("x3", [f"u{i}@example.com" for i in range(30)], "EMAIL", Role.DIRECT_IDENTIFIER, DataLevel.L3),
        ("card", ["6222021234567890128"] * 5, "BANK_CARD", Role.DIRECT_IDENTIFIER, DataLevel.L4),
        ("name", ["张三", "李四", "欧阳锋", "王小明"], "PERSON", Role.DIRECT_IDENTIFIER, DataLevel.L3),
        ("name", ["Brown, John", "Ann Smith"], "PERSON", Role.DIRECT_IDENTIFIER, DataLevel.L3),
        ("name", ["widget-1", "widget-2"], "CATEGORY", Role.QUASI_IDENTIFIER, DataLevel.L2),  # of a thing
        ("age", [30, 41], "AGE", Role.QUASI_IDENTIFIER, DataLevel.L2),
        ("age", [3, 41], "AGE", Role.QUASI_IDENTIFIER, DataLevel.L4),  # minors under 14
        ("age", [6.9, 7.5], "AGE", Role.QUASI_IDENTIFIER, DataLevel.L2),  # tens of years
        ("birthDate", ["1980-01-01"], "BIRTH_DATE", Role.QUASI_IDENTIFIER, DataLevel.L2),
        ("疾病名称", ["x"], "HEALTH", Role.SENSITIVE, DataLevel.L4),
        ("longitude", [120.1], "GPS", Role.SENSITIVE, DataLevel.L4),
        ("工资", [1.5], "INCOME", Role.SENSITIVE, DataLevel.L3),
        ("dep_time", [517, 2359], "NUMBER", Role.QUASI_IDENTIFIER, DataLevel.L2),  # a time of day is no date
        ("when", ["2020-01-31", "2021-12-01"], "DATE", Role.QUASI_IDENTIFIER, DataLevel.L2),
        ("q", ["x", "y"], "CATEGORY", Role.QUASI_IDENTIFIER, DataLevel.L2),  # unknown: quasi-identifier
        ("empty", [None, None], "CATEGORY", Role.QUASI_IDENTIFIER, DataLevel.L2),
    ],
)
def test_column(name, values, type_, role, level):
    finding = one(name, values, pa.string() if values == [None, None] else None)
    assert (finding.type, finding.role, finding.level) == (type_, role, level)
    assert finding.reason["zh"]
    assert finding.reason["en"]


def test_package_is_not_age_and_message_not_sage():
    assert one("package", [1, 2]).type == "NUMBER"
    assert one("stage", [1, 2]).type == "NUMBER"


def test_counts_cover_all_values_not_a_sample():
    values = ["-"] * 99_000 + IDS * 5
    finding = one("misc", values)
    assert finding.checked == 100_000
    assert finding.passed == 1_000
    assert finding.role is Role.DIRECT_IDENTIFIER  # some are identifiers: the column is one
    assert "混合列" in finding.reason["zh"]


def test_nulls_and_blanks_are_not_checked():
    finding = one("x", [None, "", "  ", IDS[0]])
    assert (finding.checked, finding.passed, finding.type) == (1, 1, "ID_CARD")


def test_free_text_names_what_it_holds_but_no_value():
    remarks = ["复诊，按时服药"] * 50 + [f"家属王小明来电，回电{p}" for p in PHONES[:50]] + [None] * 20
    finding = one("remark", remarks)
    assert (finding.type, finding.role, finding.checked, finding.passed) == (
        "FREE_TEXT",
        Role.DIRECT_IDENTIFIER,
        100,
        50,
    )
    assert "PHONE" in finding.reason["zh"]
    assert "王小明" not in str(finding)
    assert PHONES[0] not in str(finding)


def test_clean_free_text_is_sensitive_and_promises_nothing():
    finding = one("备注", ["复诊，按时服药", "无"])
    assert finding.role is Role.SENSITIVE
    assert "不能保证" in finding.reason["zh"]


def test_a_gazetteer_is_about_places():
    table = pa.table(
        {
            "code": [110101001001 + i for i in range(50)],
            "name": [f"第{i}社区居委会" for i in range(50)],
            "areaCode": [110101] * 50,
        }
    )
    findings = detect_columns(table)
    assert {f.role for f in findings} == {Role.INSENSITIVE}
    assert propose_level(findings)[0] is DataLevel.L1


def test_places_of_persons_are_not_a_gazetteer():
    table = pa.table({"village": ["甲村", "甲村", "乙村"], "town": ["丙镇", "丙镇", "丙镇"]})
    assert {f.role for f in detect_columns(table)} == {Role.QUASI_IDENTIFIER}


def test_every_kind_of_table_and_batching_give_the_same_answer():
    frame = pl.DataFrame({"resident_id": IDS, "phone": PHONES, "age": list(range(20, 220))})
    whole = detect_columns(frame)
    assert whole == detect_columns(frame.to_pandas())
    assert whole == detect_columns(frame.to_arrow())
    assert whole == detect_columns(frame.to_arrow().to_reader(max_chunksize=7))


def test_distinct_and_top_share():
    finding = one("x", ["a"] * 90 + [f"b{i}" for i in range(10)])
    assert (finding.distinct, finding.top_share) == (11, 0.9)


def test_empty_table_and_no_columns():
    assert one("x", [], pa.string()).checked == 0
    assert propose_level([])[0] is DataLevel.L1


def test_nested_and_binary_columns_are_quasi_identifiers():
    table = pa.table({"l": [[1], [2]], "b": [b"1", b"2"], "d": pa.array(["a", "b"]).dictionary_encode()})
    assert [f.role for f in detect_columns(table)] == [Role.QUASI_IDENTIFIER] * 3
