"""The simplest honest tables pass, and what they must not open stays shut: one control each.

Also: what is too large or empty is told with its true number and its true limit.
"""

from __future__ import annotations

import io
import random

import polars as pl
import pytest

from sandbox.airlock.checks import CheckInput, explain, run_checks
from sandbox.airlock.checks.raw import RawTable
from sandbox.airlock.limits import default_limits
from sandbox.airlock.typed import typed_tables
from sandbox.inside.parse import parse
from sandbox.workspaces.runs import pack_single
from tests.sandbox.airlock.seeded.test_raw_groups import reader

LIMITS = default_limits()
RNG = random.Random(3)
AIRPORTS = [f"A{number:02d}" for number in range(60)]
FLIGHTS = pl.DataFrame(
    {
        # ORY is a frequent origin, and the destination of a single flight.
        "origin": ["ORY" if row % 2 else "LBG" for row in range(4_000)],
        "dest": ["ORY"] + [AIRPORTS[row % 60] for row in range(3_999)],
        "age": [(30 + row % 25) / 10 for row in range(4_000)],
        "delay": [round(RNG.gauss(8, 30), 2) for _ in range(4_000)],
    }
)


def rules_of(content: str | bytes, *, name: str = "t.csv", strict: bool = True) -> dict[str, int]:
    content = content.encode() if isinstance(content, str) else content
    output = parse(io.BytesIO(pack_single(name, content)))
    limits = LIMITS.tightened([], registered_only=strict)
    tables = typed_tables(output, attributes=FLIGHTS.columns, shape=None)
    distinct = {column: FLIGHTS[column].n_unique() for column in FLIGHTS.columns}
    raws = [RawTable("flights", reader(FLIGHTS), distinct)]
    return {finding.rule: finding.count for finding in run_checks(CheckInput(output, tables, limits, raws=raws))}


def counted(*by: str, **more: pl.Expr) -> str:
    table = FLIGHTS.group_by(by).agg((pl.len() / 5).round().cast(pl.Int64).alias("n") * 5, **more)
    return table.filter(pl.col("n") >= 10).sort(by).write_csv()


def test_a_value_frequent_in_its_own_column_is_no_raw_value():
    assert rules_of(counted("origin")) == {}
    assert rules_of(counted("origin", "dest")) == {}
    # The control: the same word where it has one record.
    assert rules_of("dest,n\nORY,50\n")["small_group_in_raw"] == 1
    # A word that few records have in every column is still found.
    few = FLIGHTS.with_columns(
        pl.when(pl.col("origin") == "ORY").then(pl.lit("LBG")).otherwise("origin").alias("origin")
    )
    raw = RawTable("flights", reader(few), {column: few[column].n_unique() for column in few.columns})
    output = parse(io.BytesIO(pack_single("t.csv", b"place,n\nORY,50\n")))
    tables = typed_tables(output, attributes=few.columns, shape=None)
    assert "raw_value" in {f.rule for f in run_checks(CheckInput(output, tables, LIMITS, raws=[raw]))}


def test_groups_by_a_column_of_decimals_are_groups():
    assert rules_of(counted("age")) == {}
    assert rules_of(counted("age", "origin", mean_delay=pl.col("delay").mean().round_sig_figs(3))) == {}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("origin,age,n\nORY,3.1,80\nORY,3.1,80\n", "duplicate_groups"),  # still records
        ("age,n\n3.1234,80\n3.2345,80\n", "duplicate_groups"),  # too long for a key
        (
            "delay,n\n" + "".join(f"{v:g},80\n" for v in FLIGHTS["delay"][:20] if len(f"{v:g}") < 5),
            "small_group_in_raw",
        ),
        ("age,delay,n\n" + "".join(f"3.1,{v:g},80\n" for v in FLIGHTS["delay"][:20]), "duplicate_groups"),
        ("other,n\n3.1,80\n3.2,80\n", "duplicate_groups"),  # no raw column of that name
    ],
)
def test_decimals_that_are_no_keys(content: str, rule: str):
    assert rule in rules_of(content)


def test_a_table_without_rows_is_told_as_that_and_stops_no_dry_run():
    empty = "origin,n,mean_delay,share_late\n"
    for strict in (True, False):
        assert rules_of(empty, strict=strict) == {"no_rows": 0}
    assert "no_counts" in rules_of("origin,mean_delay\nORY,8.1\n")


@pytest.mark.parametrize(
    ("content", "rule", "number", "limit"),
    [
        (b"a\n" + b"1\n" * 100_000, "too_many_rows", "100000", "5000"),
        (b"a\n" + b"1\n" * 6_000, "too_many_rows", "6000", "5000"),
        (b",".join(b"c%d" % n for n in range(5_000)), "too_many_columns", "5000", "50"),
        (b"a\n" + b"x" * 2_100, "oversized_text", "1", "2000"),
        (b"a,n\n" + b"x" * 90 + b",50\n", "long_text", "1", "80"),
    ],
)
def test_what_is_too_large_is_told_with_its_number_and_its_limit(content, rule: str, number: str, limit: str):
    output = parse(io.BytesIO(pack_single("t.csv", content)))
    tables = typed_tables(output, attributes=(), shape=None)
    [told] = [f for f in explain(run_checks(CheckInput(output, tables, LIMITS)), LIMITS) if f["rule"] == rule]
    for language in ("zh", "en"):
        assert number in told["message"][language].replace(",", "")
        assert limit in told[language]


def test_too_many_terms_of_a_model_are_told_with_their_own_limit():
    content = "term,estimate,n\n" + "".join(f"x{n},1.5,5000\n" for n in range(70))
    output = parse(io.BytesIO(pack_single("t.csv", content.encode())))
    findings = run_checks(CheckInput(output, typed_tables(output, attributes=(), shape=None), LIMITS))
    [told] = [f for f in explain(findings, LIMITS) if f["rule"] == "too_many_terms"]
    assert "70" in told["message"]["en"]
    assert "60" in told["advice"]["en"]
