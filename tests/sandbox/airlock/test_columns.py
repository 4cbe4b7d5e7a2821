"""What a column is, by its name and cells: numbers written for people, ranks and bins, and what follows from others."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from sandbox.airlock.checks import CheckInput, run_checks
from sandbox.airlock.checks.raw import RawTable
from sandbox.airlock.limits import default_limits
from sandbox.airlock.typed import TypedTable, shape_of, typed_tables
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
        ("gap_pct", "measure"),
        ("odds_ratio", "measure"),
        ("sex_ratio", "share"),
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


def test_two_figures_of_growth_follow_from_three_counts():
    three = counted().head(3).with_columns(month=pl.Series(["a", "b", "c"]))
    honest = three.with_columns(growth_pct=((pl.col("n") / pl.col("n").shift(1) - 1) * 100).round(1))
    assert "measure_not_recomputed" not in rules_of(honest.write_csv())
    digits = three.with_columns(growth_pct=pl.Series([None, 17.3, 41.9]))
    assert "measure_not_recomputed" in rules_of(digits.write_csv())


def test_numbers_that_stand_in_the_code_are_labels_and_others_are_not():
    def curve(days: list[int]) -> str:
        rows = [f"{sex},{day},{500 - day // 10 * 5},0.{95 - day // 30}" for sex in "FM" for day in days]
        return "\n".join(["sex,day,n,survival", *rows]) + "\n"

    assert roles(curve([90, 180, 360, 540]))[1] == "dimension"
    assert roles(curve([91, 187, 366, 542]))[1] == "measure"  # on no grid
    assert roles("low,high,n\n0.0,18.5,50\n18.5,24.0,60\n24.0,28.0,70\n")[:2] == ["dimension", "dimension"]
    assert roles("low,high,n\n0.0,18.5,50\n19.1,24.0,60\n25.3,28.0,70\n")[0] == "measure"  # no bins
    # Released as they are, so they must be those of the dry run.
    shape = shape_of([table_of(curve([90, 180, 360, 540]))], max_labels=200)
    for days, told in (([90, 180, 360, 540], set()), ([90, 180, 270, 540], {"unusual_label"})):
        output = parse(io.BytesIO(pack_single("t.csv", curve(days).encode())))
        tables = typed_tables(output, attributes=("stay",), shape=shape)
        found = run_checks(CheckInput(output, tables, LIMITS, shape=shape, known=frozenset({"F", "M"})))
        assert {f.rule for f in found if f.column == "day"} == told


def test_whole_numbers_that_add_up_to_a_count_are_counts():
    assert roles("g,a,b,Total\nx,120.0,40.0,160\ny,50.0,,50\n")[1:] == ["count"] * 3
    assert roles("g,a,b,Total\nx,120.0,40.0,165\ny,50.0,,50\n")[1:] == ["measure", "measure", "count"]


def test_a_total_of_rounded_parts_may_be_as_much_more_as_they_are():
    fives = (pl.len() / 5).ceil().cast(pl.Int64) * 5
    long = RAW.group_by("town", (pl.col("stay") % 4).alias("k")).agg(fives.alias("n"))
    wide = (
        long.sort("k").pivot(on="k", index="town", values="n").sort("town").rename({str(k): f"k{k}" for k in range(4)})
    )
    honest = wide.with_columns(Total=pl.sum_horizontal("k0", "k1", "k2", "k3"))
    sizes = RAW.group_by("town").len("size").sort("town")["size"]
    assert (honest["Total"] - sizes).max() >= 5  # a count by itself may not
    assert "overstated_count" not in rules_of(honest.write_csv())
    assert "overstated_count" in rules_of(honest.with_columns(pl.col("Total") + 30).write_csv())
    assert "overstated_count" in rules_of(honest.select("town", n=pl.col("Total") + 0).write_csv())


def test_counts_of_the_category_after_which_their_column_is_called_need_no_search():
    kinds = RAW.with_columns(size=pl.Series(np.where(RNG.random(4_000) < 0.05, "large", "small")))
    table = RawTable("kinds", reader(kinds), {"town": 10, "size": 2})
    large = kinds.filter(pl.col("size") == "large").group_by("town")
    counts = large.agg(((pl.len() / 5).round().cast(pl.Int64) * 5).alias("large")).sort("town")
    assert "count_not_recomputed" not in rules_of(counts.write_csv(), table)
    # The same numbers of nobody knows whom; others under that name.
    assert "count_not_recomputed" in rules_of(counts.rename({"large": "those"}).write_csv(), table)
    assert "count_not_recomputed" in rules_of(counts.with_columns(pl.col("large").reverse() + 10).write_csv(), table)


def test_a_matrix_of_correlations_has_no_shares():
    rows = ["variable,los,drug_share,fee,n", "los,1.0,0.2,0.0,900", "drug_share,0.2,1.0,0.4,900"]
    assert "full_share" not in rules_of("\n".join([*rows, "fee,0.0,0.4,1.0,900\n"]))
    assert "full_share" in rules_of("\n".join([*rows, "fee,0.0,0.3,1.0,900\n"]))  # no matrix of correlations


def test_totals_that_were_rounded_by_themselves_hide_no_group():
    rows = ["g,a,b,c,Total", "x,50,40,30,115", "y,60,70,80,215"]  # parts of x are more than their total
    assert "small_remainder" not in rules_of("\n".join(rows) + "\n")
    rows[1] = "x,50,40,30,125"  # of neither less: a group of five may be left out
    assert "small_remainder" in rules_of("\n".join(rows) + "\n")


def test_what_is_counted_by_day_follows_from_what_is_counted():
    daily = counted().with_columns(daily=(pl.col("n") / 91).round(2))
    assert "measure_not_recomputed" not in rules_of(daily.write_csv())
    secret = counted().with_columns(daily=(pl.col("n") / 47.3).round(2))  # a number that is no period
    assert "measure_not_recomputed" in rules_of(secret.write_csv())
