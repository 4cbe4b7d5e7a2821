"""Figures recomputed from raw records: usual statistics explain themselves, others are told, extremes are stopped."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from sandbox.airlock.checks import raw
from sandbox.airlock.checks.raw import RawTable, match_raw
from sandbox.airlock.limits import default_limits
from tests.sandbox.airlock.seeded.test_raw_groups import reader, typed

LIMITS = default_limits()
RNG = np.random.default_rng(5)
N = 6_000
RAW = pl.DataFrame(
    {
        "town": [f"镇{int(x):02d}" for x in RNG.integers(0, 12, N)],
        "sex": RNG.choice(["女", "男"], N),
        "person": [f"P{int(x):04d}" for x in RNG.integers(0, 3_000, N)],
        "day": [date(2025, 1, 1) + timedelta(days=int(d)) for d in RNG.integers(0, 365, N)],
        "stay": RNG.geometric(0.15, N),
        "cost": np.round(RNG.lognormal(8, 0.9, N), 2),
        "paid": np.where(RNG.random(N) < 0.9, np.round(RNG.lognormal(7, 0.5, N), 2), np.nan),
    },
    nan_to_null=True,
)
COST, STAY, PAID = pl.col("cost"), pl.col("stay"), pl.col("paid")
RULES = {
    *(
        "count_not_recomputed",
        "share_not_recomputed",
        "measure_not_recomputed",
        "rounded_both_ways",
        "group_not_in_raw",
    ),
    "raw_too_large",
    *("unexplained_gaps", "extreme_value", "raw_numbers", "disguised_numbers", "means_unlike_raw"),
}


def rules_of(name: str, expr: pl.Expr | pl.Series, *, frame: pl.DataFrame = RAW) -> set[str]:
    more = [expr.alias(name)] if isinstance(expr, pl.Expr) else []
    table = frame.group_by("town").agg((pl.len() / 5).round().cast(pl.Int64).alias("n") * 5, *more).sort("town")
    table = table if more else table.with_columns(expr.alias(name))
    raws = [RawTable("raw", reader(RAW), {column: RAW[column].n_unique() for column in RAW.columns})]
    return {f.rule for f in match_raw([typed(table.write_csv())], raws, LIMITS).findings} & RULES


def fives(expr: pl.Expr) -> pl.Expr:
    return (expr / 5).round().cast(pl.Int64) * 5


@pytest.mark.parametrize(
    ("name", "expr"),
    [
        ("mean_cost", COST.mean()),
        ("mean_cost", (COST.mean() / 1000).round(2)),
        ("anything", COST.mean().round_sig_figs(3)),
        ("sum_stay", STAY.sum()),
        ("sd_cost", COST.std()),
        ("var_stay", STAY.var()),
        ("mean_paid", PAID.mean()),  # of those that have one
        ("mean_log_cost", COST.log().mean()),
        ("geometric", COST.log().mean().exp()),
        ("cost_a_day", COST.sum() / STAY.sum()),
        ("r_cost_stay", pl.corr("cost", "stay")),
        ("se_cost", COST.std() / pl.len().sqrt()),
        ("gap_to_all", COST.mean() - RAW["cost"].mean()),
        ("share_women", (pl.col("sex") == "女").mean().round(3)),
        ("share_long", (STAY >= 7).mean()),
        ("pct_middle", STAY.is_between(4, 9).mean() * 100),
        ("share_of_spring", pl.col("day").dt.month().is_in([3, 4, 5]).mean()),
        ("share_dear", (COST > 5_000).mean()),
        ("n_men", fives((pl.col("sex") == "男").sum())),
        ("n_long", fives((STAY > 10).sum())),
        ("n_winter", fives(pl.col("day").dt.month().is_in([12, 1, 2]).sum())),
        ("n_persons", fives(pl.col("person").n_unique())),
    ],
)
def test_usual_figures_explain_themselves(name: str, expr: pl.Expr):
    assert rules_of(name, expr) == set()


def made_up(low: float, high: float, places: int) -> pl.Series:
    return pl.Series(np.round(np.random.default_rng(9).uniform(low, high, 12), places))


@pytest.mark.parametrize(
    ("name", "made", "rule"),
    [
        ("index_x", made_up(4, 9, 2), "measure_not_recomputed"),
        ("coef_x", pl.Series([0.1, -0.1] * 6), "measure_not_recomputed"),
        ("share_x", made_up(0.4, 0.5, 3), "share_not_recomputed"),
        ("n_x", made_up(3, 30, 0).cast(pl.Int64) * 5, "count_not_recomputed"),
    ],
)
def test_what_cannot_be_recomputed_is_told(name: str, made: pl.Series, rule: str):
    assert rules_of(name, made) == {rule}


@pytest.mark.parametrize(
    "expr",
    [
        COST.max() / COST.sum(),
        COST.max() - COST.mean(),
        COST.max() - COST.min(),
        (COST.sum() - COST.max()) / (pl.len() - 1),
        (COST**8).mean().pow(1 / 8),
        COST.mean() - COST.min(),
    ],
)
def test_figures_of_the_largest_record_are_stopped(expr: pl.Expr):
    assert rules_of("concentration", expr) == {"extreme_value"}


def test_a_part_of_the_records_is_recognised_and_its_figures_recomputed():
    spring = RAW.filter(pl.col("day").dt.month() <= 5)
    assert rules_of("mean_cost", COST.mean(), frame=spring) == set()
    assert rules_of("index_x", made_up(4, 9, 2), frame=spring) == {"measure_not_recomputed"}
    # Two columns at once are, where one is a class of few; three are not.
    both = spring.filter(pl.col("sex") == "男")
    assert rules_of("mean_cost", COST.mean(), frame=both) == set()
    assert rules_of("index_x", made_up(4, 9, 2), frame=both) == {"measure_not_recomputed"}
    three = both.filter(pl.col("cost") > pl.col("cost").median())
    assert "count_not_recomputed" in rules_of("mean_cost", COST.mean(), frame=three)


def test_growth_from_one_raw_column_to_another_is_recomputed_where_the_name_says_so():
    growth = ((COST.sum() / PAID.sum() - 1) * 100).round(1)
    assert rules_of("growth_pct", growth) == set()
    assert rules_of("index_x", growth) == {"measure_not_recomputed"}
    assert rules_of("growth_pct", made_up(4, 9, 2)) == {"measure_not_recomputed"}


def test_counts_rounded_both_ways_are_told():
    sizes = RAW.group_by("town").len("n").sort("town")
    raws = [RawTable("raw", reader(RAW), {})]

    def told(n: pl.Expr) -> set[str]:
        content = sizes.select("town", n.cast(pl.Int64).alias("n")).write_csv()
        return {f.rule for f in match_raw([typed(content)], raws, LIMITS).findings} & RULES

    for way in (pl.col("n") // 5 * 5, (pl.col("n") / 5).ceil() * 5, (pl.col("n") / 10).round() * 10):
        assert told(way) == set()
    odd = pl.int_range(pl.len()) % 2 == 0
    assert told(pl.when(odd).then(pl.col("n") // 5 * 5).otherwise((pl.col("n") / 5).ceil() * 5)) == {
        "rounded_both_ways"
    }


def test_a_count_of_a_group_without_a_record_is_told():
    raws = [RawTable("raw", reader(RAW.filter((pl.col("town") != "镇00") | (pl.col("sex") == "女"))), {})]
    table = RAW.group_by("town", "sex").agg(fives(pl.len()).alias("n")).sort("town", "sex")
    assert "group_not_in_raw" in {f.rule for f in match_raw([typed(table.write_csv())], raws, LIMITS).findings}


@pytest.mark.parametrize(("most", "told"), [(1 << 30, {"measure_not_recomputed"}), (1000, {"raw_too_large"})])
def test_of_a_raw_table_too_large_to_hold_checkers_are_told(
    most: int, told: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw, "KEPT_BYTES", 0)
    monkeypatch.setattr(raw, "RECOMPUTED_BYTES", most)
    assert rules_of("made_up", pl.Series(np.round(RNG.normal(5_000, 900, 12), 1))) == told


def test_figures_beside_numbers_of_persons_are_recomputed_from_their_records():
    persons = fives(pl.col("person").n_unique())
    raws = [RawTable("raw", reader(RAW), {column: RAW[column].n_unique() for column in RAW.columns})]

    def told(figures: pl.Expr) -> set[str]:
        table = RAW.group_by("town").agg(persons.alias("n"), figures.alias("index_x")).sort("town")
        return {f.rule for f in match_raw([typed(table.write_csv())], raws, LIMITS).findings} & RULES

    assert told(COST.mean()) == set()
    assert told((COST.head(1).sum() % 1000 + STAY.head(2).sum()).round(1)) == {"measure_not_recomputed"}


def test_figures_of_persons_explain_themselves():
    """The records of a person are taken together first, as people do. The control: what is made up is told as before."""
    raws = [RawTable("raw", reader(RAW), {column: RAW[column].n_unique() for column in RAW.columns})]
    people = RAW.group_by("town", "person").agg(COST.sum(), STAY.sum(), PAID.sum(), pl.len().alias("visits"))
    again = fives((pl.col("visits") >= 2).sum())

    def told(*figures: pl.Expr) -> set[str]:
        table = people.group_by("town").agg(fives(pl.len()).alias("persons"), *figures).sort("town")
        return {f.rule for f in match_raw([typed(table.write_csv())], raws, LIMITS).findings} & RULES

    assert told(COST.mean().round(0).alias("cost_a_person")) == set()
    assert told(COST.std().round(0).alias("sd"), STAY.mean().round(2).alias("days")) == set()
    assert told(pl.col("visits").mean().round(2).alias("visits_a_person")) == set()
    assert told(again.alias("n_again")) == set()
    assert told((COST.max() / 1000).round(2).alias("index_x")) == {"extreme_value"}
    nobodys = fives(pl.len()) - 100 - 5 * (COST.min().cast(pl.Int64) % 17)
    assert told((COST.mean() * (1 + nobodys / 500)).round(0).alias("index_x")) == {"measure_not_recomputed"}
    assert told(nobodys.alias("n_other")) == {"count_not_recomputed"}
