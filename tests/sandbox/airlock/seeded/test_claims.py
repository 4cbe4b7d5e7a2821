"""What an output claims of groups that the raw table has: small tables worked out by hand, each rule with its control."""

from __future__ import annotations

import random

import polars as pl
import pytest

from sandbox.airlock.checks.raw import RawTable, match_raw
from sandbox.airlock.limits import default_limits
from tests.sandbox.airlock.seeded.test_raw_groups import reader, typed

LIMITS = default_limits()
SIZES = {f"区{i:02d}": 20 + 10 * i for i in range(12)}
"""Twelve groups of 20, 30 … 130 records; the cost of a record is its group's number, and 2 for every other one."""
RAW = pl.DataFrame(
    [(name, "甲" if row % 2 else "乙", 2.0 + row % 7) for name, size in SIZES.items() for row in range(size)],
    schema=["district", "kind", "cost"],
    orient="row",
)
MEANS = dict(RAW.group_by("district").agg(pl.col("cost").mean()).rows())
CLAIMS = {"counts_unlike_raw", "means_unlike_raw", "groups_left_out"}


def claims(rows: list[tuple[object, ...]], columns: str, raw: pl.DataFrame = RAW) -> dict[str, int]:
    table = typed("\n".join([columns, *(",".join(map(str, row)) for row in rows), ""]))
    found = match_raw([table], [RawTable("raw", reader(raw))], LIMITS).findings
    return {f.rule: f.count for f in found if f.rule in CLAIMS}


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        (list(SIZES.values()), 0),  # the very sizes
        ([5 * round(n * 0.3 / 5) for n in SIZES.values()], 0),  # a third of the records
        ([30] * 12, 12),  # always thirty
        (random.Random(1).sample(list(SIZES.values()), 12), 12),  # in another order
    ],
)
def test_counts_follow_the_sizes_of_their_groups(counts: list[int], told: int):
    rows = list(zip(SIZES, counts, strict=True))
    assert claims(rows, "district,n").get("counts_unlike_raw", 0) == told


def test_few_groups_or_equal_ones_prove_nothing():
    assert claims([(name, 30) for name in list(SIZES)[:7]], "district,n") == {}
    equal = pl.DataFrame({"district": [name for name in SIZES for _ in range(50)]})
    assert claims([(name, 30) for name in SIZES], "district,n", equal) == {}


@pytest.mark.parametrize(
    ("column", "factor", "part", "told"),
    [
        ("mean_cost", 1.0, 1.0, 0),  # the groups' means
        ("mean_cost", 1.5, 1.0, 12),  # others
        ("cost均值", 1.5, 1.0, 12),
        ("mean_log_cost", 1.5, 1.0, 0),  # a name that says what was done
        ("mean_cost", 1.5, 0.5, 0),  # of a part of the records: not known here
    ],
)
def test_means_are_those_of_their_groups(column: str, factor: float, part: float, told: int):
    rows = [(name, 5 * int(size * part / 5), f"{MEANS[name] * factor:.3g}") for name, size in SIZES.items()]
    assert claims(rows, f"district,n,{column}").get("means_unlike_raw", 0) == told


def test_means_of_a_column_with_nulls_are_not_asked():
    holed = RAW.with_columns(pl.when(pl.col("cost") > 3).then("cost"))
    rows = [(name, size, 9.99) for name, size in SIZES.items()]
    assert "means_unlike_raw" not in claims(rows, "district,n,mean_cost", holed)
    assert "means_unlike_raw" in claims(rows, "district,n,mean_cost")


def test_large_groups_that_are_missing_are_counted():
    whole = RAW.group_by("district", "kind").agg(pl.len().alias("n")).sort("district", "kind")
    rows = whole.with_columns((pl.col("n") / 5).round().cast(pl.Int64) * 5).rows()
    assert claims(rows, "district,kind,n") == {}
    assert claims(rows[4:], "district,kind,n") == {}  # the smallest left out, with their labels
    without = [row for row in rows if row[:2] not in {("区10", "甲"), ("区11", "乙")}]
    assert claims(without, "district,kind,n") == {"groups_left_out": 2}
