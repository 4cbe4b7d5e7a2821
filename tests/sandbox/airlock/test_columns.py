"""What a column is, by its name and cells: numbers written for people, ranks and bins, and what follows from others."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from sandbox.airlock.checks import CheckInput, run_checks
from sandbox.airlock.checks.raw import RawTable
from sandbox.airlock.limits import default_limits
from sandbox.airlock.typed import TypedTable, typed_tables
from sandbox.inside.parse import parse
from sandbox.workspaces.runs import pack_single
from tests.sandbox.airlock.seeded.test_raw_groups import reader

LIMITS = default_limits()
RNG = np.random.default_rng(5)
TOWNS = [f"镇{number}" for number in "一二三四五六七八九十"]
RAW = pl.DataFrame(
    {
        # The first person has sixty records.
        "person": ["P00001"] * 60 + [f"P{number:05d}" for number in range(2, 3_942)],
        "town": np.array(TOWNS)[RNG.integers(0, 10, 4_000)],
        "stay": RNG.integers(1, 40, 4_000),
        "rare": RNG.random(4_000) < 0.004,
    }
)


def table_of(content: str) -> TypedTable:
    [table] = typed_tables(parse(io.BytesIO(pack_single("t.csv", content.encode()))), attributes=("stay",), shape=None)
    return table


def roles(content: str) -> list[str]:
    return [str(column.role) for column in table_of(content).columns]


def rules_of(content: str, *others: RawTable) -> set[str]:
    output = parse(io.BytesIO(pack_single("t.csv", content.encode())))
    raws = [RawTable("raw", reader(RAW), {name: RAW[name].n_unique() for name in RAW.columns}), *others]
    tables = typed_tables(output, attributes=RAW.columns, shape=None)
    given = CheckInput(output, tables, LIMITS, direct=frozenset({"person"}), raws=raws)
    return {finding.rule for finding in run_checks(given)}


def counted(**more: pl.Expr) -> pl.DataFrame:
    return RAW.group_by("town").agg((pl.len() / 5).round().cast(pl.Int64).alias("n") * 5, **more).sort("town")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("visits_per_patient", "measure"),  # so many for each
        ("n_patients", "count"),
        ("total_stay", "measure"),  # of a raw column
        ("total_patients", "count"),
        ("growth_pct", "measure"),
        ("deaths_per_100k", "share"),
        ("95%CI", "measure"),
        ("95%", "extreme"),
    ],
)
def test_names_say_what_a_column_is(name: str, role: str):
    assert roles(f"g,{name}\na,1.5\nb,2.5\n")[1] == role


def test_numbers_written_for_people_become_numbers():
    table = table_of('g,share,pct,n\na,12.5%,12.5%,"1,230"\nb,87.5%,87.5%,<10\n')
    assert table.rows == (("a", 0.125, 12.5, 1230), ("b", 0.875, 87.5, None))
    assert table_of("g,code\na,007\nb,<10\n").columns[1].type == "string"  # no number


def test_ranks_classes_and_bins_are_groups_and_other_numbers_are_counts():
    assert roles("place,g,n\n1,a,90\n2,b,80\n3,c,70\n")[0] == "dimension"
    assert roles("low,high,n\n0,9,50\n10,19,60\n20,39,70\n")[:2] == ["dimension", "dimension"]
    assert roles("decade,n\n20,50\n30,60\n50,70\n")[0] == "dimension"
    assert roles("x,n\n20481,50\n30977,60\n50113,70\n")[0] == "count"  # on no grid
    assert roles("low,high,n\n0,9,50\n15,19,60\n27,39,70\n")[0] == "count"  # no bins


def test_what_identifies_directly_is_no_category_however_often_it_is_there():
    assert "raw_value" in rules_of("g,n\nP00001,60\n")


def test_a_rate_is_turned_back_into_persons():
    rates = counted(x_per_100k=(pl.col("rare").mean() * 1e5).round(1)).write_csv()
    assert "small_share" in rules_of(rates)


def test_labels_that_another_table_has_too_excuse_nothing():
    other = pl.DataFrame({"place": TOWNS * 30})
    made_up = counted().with_columns(index_x=pl.Series(np.round(RNG.normal(500, 90, 10), 1))).write_csv()
    assert "measure_not_recomputed" in rules_of(made_up)
    assert "measure_not_recomputed" in rules_of(made_up, RawTable("other", reader(other), {"place": 10}))


def test_what_follows_from_the_counts_needs_no_records_and_what_does_not_is_told():
    n = pl.col("n")
    honest = counted().with_columns(growth_pct=((n / n.shift(1) - 1) * 100).round(1), running=n.cum_sum().cast(float))
    assert not {"measure_not_recomputed", "small_share"} & rules_of(honest.write_csv())
    digits = counted().with_columns(growth_pct=pl.Series(np.round(RNG.normal(0, 30, 10), 1)))
    assert "measure_not_recomputed" in rules_of(digits.write_csv())
