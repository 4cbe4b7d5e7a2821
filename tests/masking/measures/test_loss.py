"""Loss: drawn tables, ARX's own numbers on Adult at the lattice nodes that ARX chose, laws, hostile tables."""

from __future__ import annotations

import csv
import doctest
import importlib
import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue, UnknownAttribute
from masking.hierarchies import Hierarchy, as_hierarchy
from masking.measures.loss import (
    ambiguity,
    average_class_size,
    discernibility,
    granularity,
    loss,
    losses,
    non_uniform_entropy,
)

AGE = [["21", "20-29", "*"], ["25", "20-29", "*"], ["33", "30-39", "*"], ["38", "30-39", "*"]]
SEX = [["f", "*"], ["m", "*"]]
TREES = {"age": Hierarchy.of(AGE), "sex": Hierarchy.of(SEX)}


def test_docstrings():
    assert doctest.testmod(importlib.import_module("masking.measures.loss")).failed == 0


def test_drawn_table():
    # Ages: shares 1/4, 2/4, 2/4, 1 over 4 leaves; sexes: 1/2, 1/2, 1, 1 over 2.
    table = pa.table({"age": ["21", "20-29", "30-39", "*"], "sex": ["f", "m", "*", "*"]})
    age, sex = (2.25 / 4 - 1 / 4) / (3 / 4), (3 / 4 - 1 / 2) / (1 / 2)
    assert losses(table, ["age", "sex"], TREES) == pytest.approx({"age": age, "sex": sex})
    assert granularity(table, TREES, pooled=False) == pytest.approx(1 - (age + sex) / 2)
    assert granularity(table, TREES) == pytest.approx(1 - ((2.25 / 4 + 3 / 4) / 2 - 3 / 8) / (5 / 8))
    assert loss(table, TREES) == pytest.approx(math.sqrt((1 + age) * (1 + sex)) - 1)
    assert loss(table, TREES, mean="arithmetic") == pytest.approx((age + sex) / 2)
    assert loss(table, TREES, weights={"age": 2, "sex": 0.5}) == pytest.approx(math.sqrt((1 + age) * (1 + sex / 4)) - 1)
    assert loss(table, TREES, weights={"age": 0, "sex": 0}) == loss(table, TREES)
    assert discernibility(table, TREES) == 1 + 1 + 1 + 4
    assert average_class_size(table, TREES) == 1
    assert average_class_size(table, TREES, k=2) == 0.5
    assert ambiguity(table, TREES) == pytest.approx((1 / 8 + 2 / 8 + 4 / 8 + 1) / 4)


def test_records_that_left_count_as_suppressed():
    kept = pa.table({"age": ["21", "20-29"], "sex": ["f", "m"]})
    stars = pa.table({"age": ["*"] * 2, "sex": ["*"] * 2})
    whole = pa.concat_tables([kept, stars])
    assert loss(kept, TREES, rows=4) == pytest.approx(loss(whole, TREES), abs=1e-15)
    assert granularity(kept, TREES, rows=4) == pytest.approx(granularity(whole, TREES), abs=1e-15)
    assert discernibility(kept, TREES, rows=4) == discernibility(whole, TREES)
    with pytest.raises(InvalidParameter, match="fewer"):
        loss(kept, TREES, rows=1)


def test_columns_without_a_hierarchy_lose_only_what_is_suppressed():
    table = pa.table({"age": [21, 22, 23, 24], "zip": ["1", "*", "*", "*"]})
    assert losses(table, ["age", "zip"]) == {"age": 0.0, "zip": 0.75}
    assert losses(table, {"age": None, "zip": SEX[:0] or None}) == {"age": 0.0, "zip": 0.75}
    assert ambiguity(table, ["age", "zip"]) == pytest.approx((1 / 4 * 1 + 3 * 1 / 4) / 4)


def test_a_text_on_several_levels_is_the_largest_node():
    tree = [["a", "a", "*"], ["b", "a", "*"], ["c", "c", "*"]]
    assert losses(pa.table({"x": ["a", "c"]}), {"x": tree})["x"] == pytest.approx(((2 + 1) / 6 - 1 / 3) / (2 / 3))


def test_null_is_one_more_leaf():
    table = pa.table({"x": ["f", None, "*"]})
    assert losses(table, {"x": SEX})["x"] == pytest.approx(((2 / 3 + 1) / 3 - 1 / 3) / (2 / 3))


def test_non_uniform_entropy_by_hand():
    original = pa.table({"age": ["21", "25", "25", "33"]})
    released = pa.table({"age": ["20-29", "20-29", "25", "*"]})
    # 21 is one of three, 25 two of three, 25 stays, 33 one of four; suppressing all: 1/4, 2/4, 2/4, 1/4.
    lost = math.log2(3) + math.log2(3 / 2) + 0 + 2
    assert non_uniform_entropy(released, original, {"age": AGE})["age"] == pytest.approx(lost / (2 + 1 + 1 + 2))
    bare = pa.table({"age": ["21", "*", "*", "33"]})
    assert non_uniform_entropy(bare, original, ["age"])["age"] == pytest.approx(2 / 6)
    assert non_uniform_entropy(original, original, {"age": AGE}) == {"age": 0}
    with pytest.raises(InvalidParameter, match="same records"):
        non_uniform_entropy(released.slice(1), original, ["age"])


def test_what_is_no_node_is_counted_and_not_named():
    with pytest.raises(InvalidValue, match=r"2 value\(s\)") as refused:
        loss(pa.table({"age": ["21", "secret", "hidden"]}), {"age": AGE})
    assert "secret" not in str(refused.value)
    for wrong in ({"mean": "harmonic"}, {"weights": {"age": -1}}, {"weights": {"age": math.inf}}):
        with pytest.raises(InvalidParameter):
            loss(pa.table({"age": ["21"]}), {"age": AGE}, **wrong)
    with pytest.raises(UnknownAttribute, match="agee"):
        loss(pa.table({"age": ["21"]}), ["agee"])
    with pytest.raises(InvalidParameter):
        average_class_size(pa.table({"age": ["21"]}), ["age"], k=0)


# The transformations that ARX chose, found by trying all 12,960 (nine columns) or 4,320 (occupation sensitive).
NODES = {
    "k=5 sup=0 global optimal": (5, (0, 4, 1, 1, 3, 2, 2, 1, 0)),
    "k=5 sup=0.02 global optimal": (5, (0, 3, 0, 2, 2, 1, 1, 2, 0)),
    "k=5 sup=1.0 global optimal": (5, (0, 3, 0, 0, 2, 1, 1, 1, 0)),
    "k=10 sup=0.02 global optimal": (10, (0, 4, 0, 1, 2, 1, 1, 2, 0)),
    "k=10 sup=1.0 global optimal": (10, (0, 3, 0, 0, 2, 1, 1, 1, 0)),
}


@pytest.fixture(scope="module")
def adult(shared):
    folder = shared / "data/arx/adult"
    table = pl.read_csv(folder / "adult.csv", separator=";", infer_schema=False).to_arrow()
    return table, {name: as_hierarchy(folder / f"adult_hierarchy_{name}.csv") for name in table.column_names}


@pytest.mark.parametrize(("configuration", "chosen"), NODES.items())
def test_arx_gives_the_same_numbers(shared, adult, configuration, chosen):
    table, trees = adult
    (row,) = (
        row
        for row in csv.DictReader((shared / "data/arx/reference.csv").read_text(encoding="utf-8").splitlines())
        if row["config"] == configuration and row["dataset"] == "adult 30162x9"
    )
    k, levels = chosen
    columns = {
        name: trees[name].written(trees[name].find(table[name].combine_chunks())[0], level)
        for name, level in zip(table.column_names, levels, strict=True)
    }
    frame = pl.DataFrame(pa.table(columns))
    small = pl.len().over(frame.columns) < k
    released = frame.select(pl.when(small).then(pl.lit("*")).otherwise(pl.col(name)).alias(name) for name in columns)
    assert released.select(pl.all_horizontal(pl.all() == "*").sum()).item() == int(row["suppressed_rows"])
    assert loss(released, trees) == pytest.approx(float(row["loss_geomean"]), abs=1e-9)
    assert granularity(released, trees) == pytest.approx(float(row["granularity"]), abs=5e-5)
    kept = released.filter(~pl.all_horizontal(pl.all() == "*"))
    assert loss(kept, trees, rows=table.num_rows) == pytest.approx(loss(released, trees), abs=1e-12)
    assert average_class_size(released, list(columns)) == pytest.approx(kept.height / int(row["classes"]))


LEAVES = [row[0] for row in AGE]
RECORDS = st.lists(st.tuples(st.sampled_from(LEAVES), st.integers(0, 2), st.sampled_from("fm"), st.integers(0, 1)))


def released_of(records, more=0):
    age, sex = TREES["age"], TREES["sex"]
    ages, sexes = pa.array([r[0] for r in records], pa.string()), pa.array([r[2] for r in records], pa.string())
    return pa.table(
        {
            "age": age.written(age.find(ages)[0], np.array([min(r[1] + more, 2) for r in records], dtype=int)),
            "sex": sex.written(sex.find(sexes)[0], np.array([min(r[3] + more, 1) for r in records], dtype=int)),
        }
    )


def slow_losses(table):
    found = {}
    for name, rows in (("age", AGE), ("sex", SEX)):
        covers = {}
        for level in range(len(rows[0])):
            for row in rows:
                covers.setdefault((level, row[level]), set()).add(row[0])
        width = {label: len(leaves) for (_, label), leaves in covers.items()}
        shares = [width[value] / len(rows) for value in table[name].to_pylist()]
        found[name] = (sum(shares) / len(shares) - 1 / len(rows)) / (1 - 1 / len(rows)) if shares else 0.0
    return found


@settings(deadline=None, max_examples=20)
@given(RECORDS, st.randoms())
def test_laws(records, random):
    table, coarser = released_of(records), released_of(records, more=1)
    assert losses(table, TREES) == pytest.approx(slow_losses(table), abs=1e-12)
    for measure in (loss, discernibility):
        assert measure(coarser, TREES) >= measure(table, TREES) - 1e-12
    for pooled in (True, False):
        assert granularity(coarser, TREES, pooled=pooled) <= granularity(table, TREES, pooled=pooled) + 1e-12
        assert 0 <= granularity(table, TREES, pooled=pooled) <= 1
    assert 0 <= loss(table, TREES) <= 1
    assert len(records) <= discernibility(table, TREES) <= len(records) ** 2
    shuffled = list(records)
    random.shuffle(shuffled)
    assert loss(released_of(shuffled), TREES) == pytest.approx(loss(table, TREES), abs=1e-15)
    original = pa.table({"age": [r[0] for r in records], "sex": [r[2] for r in records]})
    if records:
        before = non_uniform_entropy(table, original, TREES)
        after = non_uniform_entropy(coarser, original, TREES)
        assert all(0 <= before[name] <= after[name] + 1e-12 <= 1 + 2e-12 for name in TREES)


@pytest.mark.parametrize("kind", [pa.table, pl.DataFrame, pd.DataFrame])
def test_hostile_tables(kind):
    empty = kind({"age": [], "sex": []})
    assert (granularity(empty, TREES), loss(empty, TREES), discernibility(empty, TREES)) == (1, 0, 0)
    assert (average_class_size(empty, TREES), ambiguity(empty, TREES)) == (0, 0)
    one = kind({"age": ["21"], "sex": ["f"]})
    assert (granularity(one, TREES), loss(one, TREES), discernibility(one, TREES)) == (1, 0, 1)
    nulls = kind({"age": [None] * 3, "sex": [None] * 3})
    assert (granularity(nulls, TREES), loss(nulls, TREES)) == pytest.approx((1, 0), abs=1e-15)
    assert discernibility(nulls, TREES) == 9
    stars = kind({"age": ["*"] * 3, "sex": ["*"] * 3})
    assert (granularity(stars, TREES), loss(stars, TREES), discernibility(stars, TREES)) == (0, 1, 9)
    assert granularity(stars, ["age", "sex"]) == 0
    assert granularity(stars, []) == 1
    assert granularity(kind({"x": ["a", "*"]}), {"x": [["a", "*"]]}) == 1  # one leaf: nothing to lose


def test_many_columns_and_many_values():
    wide = {f"q{number}": ["a", "*"] for number in range(60)}
    assert granularity(pa.table(wide), list(wide)) == 0.5
    assert loss(pa.table(wide), list(wide)) == pytest.approx(0.5)
    values = np.arange(200_000).astype(str)
    tree = Hierarchy.of_columns([pa.array(values), pa.array([f"from {n // 1000}" for n in range(200_000)])])
    many = pa.table({"x": values})
    assert (granularity(many, {"x": tree}), discernibility(many, ["x"])) == (1, 200_000)
