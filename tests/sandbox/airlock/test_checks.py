"""Seeded bad outputs are found, each by its rule; good ones pass. One row a defect, named by it."""

from __future__ import annotations

import io
import json
import pickle
import random
import string

import pyarrow as pa
import pytest

from sandbox.airlock.checks import RULES, CheckInput, Finding, explain, run_checks
from sandbox.airlock.checks.raw import RawTable
from sandbox.airlock.digits import significant
from sandbox.airlock.limits import default_limits
from sandbox.airlock.typed import canonical_csv, shape_of, typed_tables
from sandbox.inside.parse import parse
from sandbox.workspaces.runs import pack_single

ROWS = 3000
RAW = pa.table(
    {
        "patient": [f"P{i:05d}" for i in range(ROWS)],
        "village": [f"村{i // 4:04d}" for i in range(ROWS)],
        "sex": ["男" if i % 2 else "女" for i in range(ROWS)],
        "age": [60 + i % 30 for i in range(ROWS)],
        "income": [round(1000 + i * 7.31, 2) for i in range(ROWS)],
    }
)
ATTRIBUTES = frozenset(RAW.schema.names)
DIRECT = frozenset({"patient"})
DISTINCT = {name: len(set(RAW.column(name).to_pylist())) for name in RAW.schema.names}


class _Open:
    def __enter__(self):
        return RAW.to_reader(max_chunksize=500)

    def __exit__(self, *_):
        return None


RAWS = [RawTable("patients", _Open, DISTINCT)]
GOOD = "sex,n,mean_age\n女,1500,74.5\n男,1500,74.5\n"


def rules_of(
    name: str, content: bytes, *, raw: bool = True, dry: bytes | None = None, strict: bool = False
) -> set[str]:
    limits = default_limits().tightened([], registered_only=strict)
    output = parse(io.BytesIO(pack_single(name, content)))
    shape = None
    if dry is not None:
        practice = typed_tables(parse(io.BytesIO(pack_single(name, dry))), attributes=ATTRIBUTES, shape=None)
        shape = shape_of(practice, max_labels=200)
    tables = typed_tables(output, attributes=ATTRIBUTES, shape=shape)
    given = CheckInput(output, tables, limits, shape=shape, direct=DIRECT, raws=RAWS if raw else ())
    return {finding.rule for finding in run_checks(given)}


def blocking(found: set[str]) -> set[str]:
    return {rule for rule in found if RULES[rule].blocking}


def table(columns: str, *rows: str) -> bytes:
    return "\n".join([columns, *rows, ""]).encode()


def noise(rows: int) -> bytes:
    rng = random.Random(5)
    words = ["".join(rng.choices(string.ascii_letters, k=60)) for _ in range(rows)]
    return table("label,n", *(f"{word},50" for word in words))


BAD = {
    "pickled object": ("model.pkl", pickle.dumps({"a": 1}), "file_type"),
    "pickle named csv": ("t.csv", pickle.dumps([1, 2]), "file_type"),
    "web page": ("page.html", b"<html><body>x</body></html>", "file_type"),
    "vector drawing": ("plot.svg", b"<svg></svg>", "file_type"),
    "picture": ("plot.png", b"\x89PNG\r\n\x1a\nxx", "file_type"),
    "notebook": ("copy.ipynb", b'{"cells": []}', "file_type"),
    "free text": ("note.txt", "这里是一段话，没有表格".encode(), "no_counts"),
    "too many rows": ("t.csv", table("k,n", *(f"a{i},50" for i in range(6000))), "too_many_rows"),
    "too many columns": (
        "t.csv",
        table(",".join(f"c{i}" for i in range(60)), ",".join(["50"] * 60)),
        "too_many_columns",
    ),
    "small count": ("t.csv", table("sex,n", "男,1500", "女,5"), "small_count"),
    "unrounded count": ("t.csv", table("sex,n", "男,1503", "女,1497"), "unrounded_count"),
    "negative count": ("t.csv", table("sex,n", "男,-15", "女,1500"), "bad_count"),
    "no counts": ("t.csv", table("sex,mean_age", "男,74.5", "女,74.5"), "no_counts"),
    "small cell of a cross table": ("t.csv", table("sex,low,high", "男,1500,5", "女,1000,500"), "small_count"),
    "resident id": ("t.csv", table("k,n", "11010519491231002X,50"), "identifier"),
    "mobile number": ("t.csv", table("k,n", "13800138000,50"), "identifier"),
    "e-mail": ("t.csv", table("k,n", "zhang.san@hospital.cn,50"), "identifier"),
    "identifier column": ("t.csv", table("patient,n", "一,50"), "identifier_column"),
    "raw string": ("t.csv", table("who,n", "P00017,50"), "raw_value"),
    "raw village": ("t.csv", table("place,n", "村0042,50"), "raw_value"),
    "group that is small in raw": ("t.csv", table("village,sex,n", "村0042,男,50"), "small_group_in_raw"),
    "raw rows": (
        "t.csv",
        table("sex,age,income,n", *(f"{RAW['sex'][i]},{RAW['age'][i]},{RAW['income'][i]},50" for i in range(20))),
        "raw_row",
    ),
    "raw numbers under another name": (
        "t.csv",
        table("band,mean_x,n", *(f"b{i},{RAW['income'][i]},50" for i in range(15))),
        "raw_numbers",
    ),
    "minimum and maximum": ("t.csv", table("sex,n,min_age,max_age", "男,1500,60,89"), "extreme_value"),
    "median of few": ("t.csv", table("sex,n,median_age", "男,150,74"), "extreme_value"),
    "median to the cent": ("t.csv", table("sex,n,median_income", "男,1500,6478.66"), "extreme_value"),
    "outer quantile": ("t.csv", table("sex,n,p99_age", "男,150000,89"), "extreme_value"),
    "inner quantile of a thin tail": ("t.csv", table("sex,n,p5_age", "男,1500,61"), "extreme_value"),
    "median without counts": ("t.csv", table("sex,median_age", "男,74"), "extreme_value"),
    "small share": ("t.csv", table("sex,n,share_ill", "男,500,0.01", "女,500,0.3"), "small_share"),
    "share without count": ("t.csv", table("sex,share_ill", "男,0.2"), "share_without_count"),
    "gap next to its total": ("t.csv", table("sex,n", "男,1500", "女,", "合计,3000"), "suppressed_by_total"),
    "repeated groups": ("t.csv", table("sex,n", *(["男,1500"] * 5)), "duplicate_groups"),
    "long text": ("t.csv", table("k,n", "很" * 200 + ",50"), "long_text"),
    "spreadsheet formula": ("t.csv", table("k,n", "=HYPERLINK(1),50"), "control_characters"),
    "invisible characters": ("t.csv", table("k,n", "a\u200bb,50"), "control_characters"),
    "noise as labels": ("t.csv", noise(1500), "dense"),
    "too many labels": ("t.csv", noise(300), "too_many_labels"),
    "saturated model": (
        "m.csv",
        table("term,estimate,n", "x1,1.5,20", *(f"x{i},0.1,20" for i in range(2, 16))),
        "saturated_model",
    ),
    "model without observations": ("m.csv", table("term,estimate", "x1,1.5"), "saturated_model"),
}


@pytest.mark.parametrize("defect", BAD)
def test_bad_output_is_blocked(defect: str):
    name, content, rule = BAD[defect]
    found = rules_of(name, content)
    assert rule in found
    assert blocking(found)


def test_good_tables_pass():
    assert blocking(rules_of("t.csv", GOOD.encode(), dry=b"sex,n,mean_age\n\xe7\x94\xb7,500,70.1\n")) == set()


def test_quantiles_of_many_are_left_to_people_below_strict_levels():
    content = table("sex,n,p25_age,median_age,q3_age", "男,1500,67,74,82", "女,1500,67,,82")
    found = rules_of("t.csv", content, dry=content)
    assert "quantile" in found
    assert blocking(found) == set()
    assert "extreme_value" in rules_of("t.csv", content, dry=content, strict=True)


def test_good_model_passes():
    content = table("term,estimate,std_error,n", "x,1.52,0.1,1500", "y,0.3,0.05,1500")
    assert blocking(rules_of("m.csv", content, dry=content, strict=True)) == set()


def test_category_that_is_frequent_in_raw_is_an_admitted_label():
    dry = table("sex,n", "类别A,500", "类别B,500")
    found = rules_of("t.csv", table("sex,n", "男,1500", "女,1500"), dry=dry, strict=True)
    assert "new_label" not in found


def test_label_from_nowhere_blocks_only_at_strict_levels():
    dry = table("group,n", "a,500")
    assert "unusual_label" in rules_of("t.csv", table("group,n", "zzz,1500"), dry=dry)
    assert "new_label" in rules_of("t.csv", table("group,n", "zzz,1500"), dry=dry, strict=True)


def test_column_named_by_data_is_blocked():
    assert "new_column" in rules_of("t.csv", table("sex,P00017", "男,1500"), dry=table("sex,n", "男,500"))


def test_file_named_by_data_gets_a_server_name():
    output = parse(io.BytesIO(pack_single("P00017.csv", GOOD.encode())))
    shape = shape_of(
        typed_tables(parse(io.BytesIO(pack_single("t.csv", GOOD.encode()))), attributes=(), shape=None), max_labels=9
    )
    assert [t.name for t in typed_tables(output, attributes=ATTRIBUTES, shape=shape)] == ["table-01.csv"]


def test_unregistered_kind_blocks_at_strict_levels_only():
    content = table("sex,mean_age", "男,74.5")
    assert "unregistered_kind" in rules_of("t.csv", content, strict=True)
    assert "other_kind" in rules_of("t.csv", content)


def test_too_many_cells_at_strict_levels():
    content = table("a,b,n", *(f"x{i},y{i},50" for i in range(190)))
    assert "too_many_cells" in rules_of("t.csv", content, strict=True, raw=False)


def test_findings_never_hold_a_cell():
    limits = default_limits()
    output = parse(io.BytesIO(pack_single("t.csv", table("who,n", "P00017,3"))))
    tables = typed_tables(output, attributes=ATTRIBUTES, shape=None)
    told = json.dumps(explain(run_checks(CheckInput(output, tables, limits, direct=DIRECT, raws=RAWS)), limits))
    assert "P00017" not in told


def test_rules_have_both_languages():
    for told in explain([Finding(rule, "t.csv", "n", 1) for rule in RULES], default_limits()):
        for text in (told["message"]["zh"], told["message"]["en"], told["advice"]["zh"], told["advice"]["en"]):
            assert text
            assert "{" not in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (336776, "337000"),  # large counts keep three digits
        (0.012345, "0.0123"),  # small numbers too
        (12.5, "12.5"),  # nothing to cut
        (1235, "1240"),  # a tie goes to the even digit
        (-0.0, "0"),  # no sign on zero
        (1e-7, "0.0000001"),  # never an exponent
    ],
)
def test_significant(value, shown):
    assert significant(value, 3) == shown


def test_canonical_form_hides_order_and_low_digits():
    one = typed_tables(
        parse(io.BytesIO(pack_single("t.csv", b"k,n,m\nb,50,1.23456\na,60,2\n"))), attributes=(), shape=None
    )
    two = typed_tables(
        parse(io.BytesIO(pack_single("t.csv", b"m,k,n\n2.0,a,60\n1.2349,b,50\n"))), attributes=(), shape=None
    )
    assert canonical_csv(one[0], digits=3) == canonical_csv(two[0], digits=3) == b"k,n,m\na,60,2\nb,50,1.23\n"


@pytest.mark.parametrize(
    ("column", "values", "kept"),
    [
        ("year", (2023, 2024), True),  # three digits would make one year of them
        ("birth_year", (1958, 1961), True),
        ("月份", (1, 12), True),
        ("hour", (0, 23), True),
        ("year", (20231, 20242), False),  # no years: numbers that hide under the name are cut
        ("month", (1, 13), False),
        ("year_mean", (2023, 2024), False),
    ],
)
def test_periods_are_labels_when_they_can_be(column: str, values: tuple[int, int], kept: bool):
    content = table(f"{column},n", *(f"{value},50" for value in values))
    [typed] = typed_tables(parse(io.BytesIO(pack_single("t.csv", content))), attributes=(), shape=None)
    assert (typed.columns[0].role == "dimension") == kept
    assert all(str(value) in canonical_csv(typed, digits=3).decode() for value in values) == (kept or column == "month")
