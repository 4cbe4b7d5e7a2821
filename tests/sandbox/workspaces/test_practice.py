"""Practice tables: exactly the raw table's columns and types, valid for nobody, marked, fast, whatever the schema."""

from __future__ import annotations

import datetime as dt
import functools
import io
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import masking
from masking.detection import Detector, checks
from masking.policy.load import load
from masking.policy.model import AttributeRule, MaskingPolicy
from masking.techniques.generalization.divisions import names
from sandbox import client
from sandbox.workspaces.practice import NOTE, arrow_type, make_practice
from sandbox.workspaces.practice.identifiers import patterned
from sandbox.workspaces.runs import parquet_bytes
from tests.masking.sectors.tables import TABLES

POLICIES = Path(__file__).resolve().parents[3] / "policies"
SECTORS = POLICIES / "sectors"
Practice = tuple[MaskingPolicy, pa.Schema, pa.Table]


@functools.cache
def sector(name: str) -> Practice:
    """A sector's policy, the raw table's schema as the sealed stream has it, and its practice table."""
    policy = load(SECTORS / f"{name}.yaml")
    raw = TABLES[name]().to_arrow().schema
    return policy, raw, make_practice(policy, spelled(raw), seed="w", files=SECTORS)


def spelled(schema: pa.Schema) -> list[tuple[str, str]]:
    """A schema as an intake keeps it."""
    return [(field.name, str(field.type)) for field in schema]


@pytest.mark.parametrize("name", TABLES)
def test_sector_has_exactly_the_raw_schema(name: str) -> None:
    policy, raw, practice = sector(name)
    assert practice.schema.equals(raw, check_metadata=False)
    assert practice.num_rows == policy.sandbox.practice_rows
    assert all(column.null_count == 0 for column in practice.columns)


@pytest.mark.parametrize("name", ["patients", "flights", "social-insure", "villages"])
def test_demo_policy_has_exactly_the_raw_schema(name: str) -> None:
    """Types as the demonstration's own intake infers them; the outside tables are not needed."""
    policy = load(POLICIES / f"{name}.yaml")
    given = {each: _demo_type(each, rule) for each, rule in policy.attributes.items()}
    practice = make_practice(policy, list(given.items()), seed="w", files=POLICIES)
    assert [(f.name, str(f.type)) for f in practice.schema] == list(given.items())
    for each, rule in policy.attributes.items():
        listed = rule.codes or (rule.practice or {}).get("values")
        if listed:
            number = str(practice[each].type) in ("int64", "double")
            assert set(practice[each].to_pylist()) <= {v if number else str(v) for v in listed}, each
        for word, bound in (rule.practice or {}).items():
            if word in ("minimum", "maximum") and isinstance(bound, int | float):
                found = pc.min_max(practice[each]).as_py()
                assert found["min"] >= bound if word == "minimum" else found["max"] <= bound, each
        if "hhmm" in rule.title.get("en", ""):
            assert max(time % 100 for time in practice[each].drop_null().to_pylist()) == 59


def test_it_is_marked_in_the_file() -> None:
    _, _, practice = sector("population")
    metadata = pq.read_schema(io.BytesIO(parquet_bytes(practice))).metadata
    assert metadata[b"practice"].decode() == NOTE["en"]
    assert metadata[b"practice-zh"].decode() == NOTE["zh"]


def test_it_is_marked_in_a_notebook() -> None:
    shown = client.Practice.from_json("d", {"kind": "practice", "note": dict(NOTE), "columns": []})._repr_html_()
    assert NOTE["zh"] in shown
    assert "for debugging only" in shown


@pytest.mark.parametrize("name", TABLES)
def test_no_identifier_is_a_valid_one(name: str) -> None:
    """The scan before publication, which refuses every valid identifier (PRIVACY 9), finds none."""
    _, _, practice = sector(name)
    assert valid_identifiers(practice) == set()


def test_the_scan_finds_valid_ones_in_a_raw_table() -> None:
    """Control."""
    assert valid_identifiers(TABLES["population"]().head(1000).to_arrow())


def valid_identifiers(table: pa.Table) -> set[str]:
    found = set()
    for name in table.column_names:
        if not pa.types.is_large_string(table[name].type) and not pa.types.is_string(table[name].type):
            continue
        text = checks.clean(pl.Series(table[name].combine_chunks()))
        kinds = {
            "ID_CARD": checks.resident_ids,
            "USCC": checks.usccs,
            "BANK_CARD": checks.bank_cards,
            "PHONE": checks.mobiles,
            "EMAIL": checks.emails,
            "VIN": checks.vins,
        }
        found |= {f"{name}: {kind}" for kind, check in kinds.items() if check(text).any()}
    return found


@pytest.mark.parametrize("kind", ["ID_CARD", "PHONE", "BANK_CARD", "USCC", "EMAIL", "LICENSE_PLATE", "VIN", "PASSPORT"])
def test_the_detector_takes_none_for_real(kind: str) -> None:
    policy = _policy(f"x: {{role: direct_identifier, technique: suppression.drop, practice: {{type: {kind}}}}}")
    values = make_practice(policy, [("x", "string")], seed="w")["x"].to_pylist()
    assert len(set(values)) > 900
    assert not any(Detector().find_many(values))


def test_code_that_parses_identifiers_runs_the_same() -> None:
    """Length, alphabet, county, date and sex of each kind, as such code cuts them out."""
    _, _, people = sector("population")
    ids = people["resident_id"].to_pylist()
    assert all(re.fullmatch(r"[0-9]{17}[0-9X]", value) for value in ids)
    assert all(value[:6] in names() for value in ids)
    born = [dt.date(int(value[6:10]), int(value[10:12]), int(value[12:14])) for value in ids]
    assert max(born) <= dt.date(2025, 12, 31)
    assert all(re.fullmatch(r"2[3-9][0-9]{9}", value) for value in people["mobile"].to_pylist())
    assert all(re.fullmatch(r"[0-9]{12}", value) for value in people["division"].to_pylist())
    _, _, firms = sector("enterprises")
    assert all(
        re.fullmatch(rf"91[0-9]{{6}}[{checks.USCC_ALPHABET}]{{10}}", v) for v in firms["credit_code"].to_pylist()
    )
    assert all(checks.organisation_code(value[8:17]) for value in firms["credit_code"].to_pylist())
    assert all(re.fullmatch(checks.EMAIL, value) for value in firms["email"].to_pylist())
    _, _, insured = sector("health-insurance")
    assert all(re.fullmatch(r"62[0-9]{17}", value) for value in insured["bank_card"].to_pylist())
    assert all(re.fullmatch(r"[A-Z][0-9]{2}\.[x0-9][0-9]{2}", value) for value in insured["diagnosis"].to_pylist())
    stays = pc.subtract(insured["discharge_date"], insured["admission_date"]).cast(pa.int64()).to_pylist()
    assert min(stays) >= 0
    _, _, taps = sector("transport")
    assert all(re.fullmatch(r".[A-Z][0-9]{5}", value) for value in taps["plate"].to_pylist())
    assert 18 < pc.min(taps["latitude"]).as_py() < pc.max(taps["latitude"]).as_py() < 54
    _, _, calls = sector("hotline-12345")
    assert all(re.search(r"[一-鿿]{4}", value) for value in calls["content"].to_pylist())


def test_masking_itself_takes_the_practice_table() -> None:
    """Hierarchies, divisions, code lists and bands all know the made values: the policy runs over it."""
    policy, _, practice = sector("hospital-visits")
    done = masking.apply(SECTORS / "hospital-visits.yaml", practice)
    assert done.table.num_rows > 0
    assert policy.aggregate is not None


@pytest.mark.parametrize(
    "type_",
    [
        pa.int8(), pa.uint16(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(10, 2),
        pa.decimal256(40, 0), pa.bool_(), pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("us", tz="UTC"),
        pa.timestamp("ns", tz="Asia/Shanghai"), pa.time32("s"), pa.time64("us"), pa.duration("ms"), pa.string(),
        pa.large_string(), pa.string_view(), pa.binary(), pa.binary(4), pa.large_binary(), pa.null(),
        pa.dictionary(pa.int32(), pa.string()), pa.dictionary(pa.int8(), pa.large_string()), pa.list_(pa.string()),
        pa.large_list(pa.int8()), pa.list_(pa.int8(), 3), pa.map_(pa.string(), pa.int32()),
        pa.struct([("a", pa.int32()), ("b", pa.list_(pa.decimal128(5, 1)))]), pa.month_day_nano_interval(),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("rows", [0, 1, 50])
def test_every_type_of_arrow_comes_back_as_it_was(type_: pa.DataType, rows: int) -> None:
    policy = _rows(_policy("x: {role: sensitive}"), rows)
    practice = make_practice(policy, [("x", str(type_)), ("y", str(type_))], seed="w")
    assert practice.schema.field("x").type == arrow_type(str(type_)) == type_
    assert practice.num_rows == rows
    practice.validate(full=True)
    parquet_bytes(practice.select([] if pa.types.is_interval(type_) or type_ == pa.float16() else ["x"]))


@pytest.mark.parametrize(
    "name", ["", "geometry", "list<", "decimal128(x)", "dictionary<values=?, indices=int8, ordered=0>"]
)
def test_a_type_that_nobody_knows_is_text(name: str) -> None:
    assert make_practice(_policy("x: {role: sensitive}"), [("x", name)], seed="w")["x"].type == pa.string()


@pytest.mark.parametrize(
    "hints",
    [
        "minimum: 5, maximum: 1", "minimum: 2030-01-01", "maximum: 1e300", "minimum: text", "values: [1, a, 2.5]",
        "nulls: 1", "nulls: 0.5, type: ID_CARD", "type: NOTHING", 'pattern: "M##-####"', "type: GENDER, values: [1, 2, 9]",
        "minimum: 200, type: AGE", "type: BIRTH_DATE, format: '%d.%m.%Y'", "minimum: -9223372036854775808",
    ],
)  # fmt: skip
@pytest.mark.parametrize("type_", ["int64", "double", "string", "date32[day]", "uint8", "bool", "decimal128(4, 4)"])
def test_hostile_hints_give_a_table(hints: str, type_: str) -> None:
    policy = _policy(f"x: {{role: direct_identifier, technique: suppression.drop, practice: {{{hints}}}}}", rows=40)
    practice = make_practice(policy, [("x", type_)], seed="w")
    assert (practice.num_rows, str(practice["x"].type)) == (40, type_)


def test_two_hundred_columns_and_names_twice() -> None:
    schema = [(f"列 {i}", ("string", "int64", "double", "date32[day]")[i % 4]) for i in range(200)]
    assert make_practice(_policy("x: {role: sensitive}"), schema, seed="w").num_columns == 200


def test_patterns_spell_the_number() -> None:
    assert patterned("MZ####-#", np.array([0, 12345, 678901])).to_pylist() == ["MZ0000-0", "MZ1234-5", "MZ7890-1"]


def test_ten_thousand_rows_and_twenty_columns_take_a_second_at_most() -> None:
    """Processor time, the least of three; 20 columns of the dearest kinds."""
    kinds = ("ID_CARD", "PHONE", "PERSON", "ADDRESS", "FREE_TEXT", "BANK_CARD", "USCC", "ORG", "EMAIL", "LICENSE_PLATE")
    attributes = "\n  ".join(
        f"x{i}: {{role: direct_identifier, technique: suppression.drop, practice: {{type: {kinds[i % 10]}}}}}"
        for i in range(20)
    )
    policy = _policy(attributes, rows=10_000)
    schema = [(f"x{i}", "string") for i in range(20)]
    make_practice(_rows(policy, 10), schema, seed="w")  # word lists are read once a process
    taken = []
    for _ in range(3):
        start = time.process_time()
        assert make_practice(policy, schema, seed="w").num_rows == 10_000
        taken.append(time.process_time() - start)
    assert min(taken) < 1.0


def _policy(attributes: str, rows: int = 1000) -> MaskingPolicy:
    return load(
        f"version: 1\ndataset: d\ntitle: {{zh: 表, en: table}}\nattributes:\n  {attributes}\n"
        f"sandbox: {{practice_rows: {rows}}}\n"
    )


def _rows(policy: MaskingPolicy, rows: int) -> MaskingPolicy:
    return replace(policy, sandbox=replace(policy.sandbox, practice_rows=rows))


def _demo_type(name: str, rule: AttributeRule) -> str:
    hints = rule.practice or {}
    if name == "time_hour":
        return "timestamp[us]"
    numbers = [*(rule.codes or ()), hints.get("minimum"), hints.get("maximum"), *(hints.get("values") or ())]
    given = [each for each in numbers if each is not None]
    if given and all(isinstance(each, int | float) for each in given):
        return "int64" if all(isinstance(each, int) for each in given) else "double"
    return "string"
