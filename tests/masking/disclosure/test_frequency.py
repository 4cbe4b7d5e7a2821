"""Fixed tables: what shows, what hides, and what nobody can work out."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.disclosure import tabulate
from masking.errors import InvalidParameter, UnknownAttribute, UnsupportedColumn

COUNT = {"n": {"count": "*"}}


def table(**columns):
    return pa.table(columns)


def test_small_cells_are_not_listed_and_counts_are_rounded():
    made = tabulate(table(r=["a"] * 12 + ["b"] * 9 + [None] * 33), by=["r"], measures=COUNT)
    assert made.table.to_pylist() == [{"r": "a", "n": 10}, {"r": None, "n": 35}]  # null is a category, last
    assert (made.cells, made.hidden_small, made.persons, made.hidden_persons, made.smallest_shown) == (3, 1, 54, 9, 12)
    figures = made.figures()
    assert (figures.k, figures.persons, figures.classes, figures.unique_persons) == (12, 45, 2, 0)


def test_persons_are_counted_not_records():
    rows = table(r=["a"] * 40, p=[f"p{i % 8}" for i in range(40)])
    assert tabulate(rows, by=["r"], measures=COUNT).table.num_rows == 1
    assert tabulate(rows, by=["r"], measures=COUNT, unit="p").table.num_rows == 0
    assert tabulate(rows.drop_columns(["p"]), by=["r"], measures=COUNT, unit=rows["p"]).table.num_rows == 0
    assert tabulate(rows, by=["r"], measures=COUNT, unit="p", threshold=8).table["n"].to_pylist() == [10]


def test_sums_and_means_are_clamped_and_rounded():
    rows = table(r=["a"] * 20, v=[1.0] * 19 + [1e9])
    made = tabulate(
        rows, by=["r"], measures={"s": {"sum": "v"}, "m": {"mean": "v"}}, clamp={"v": (0, 5)}, dominance=None
    )
    assert made.table.to_pylist() == [{"r": "a", "s": 24.0, "m": 1.2}]


def test_one_person_adds_at_most_the_clamp_however_many_records():
    rows = table(r=["a"] * 110, v=[5] * 110, p=[f"p{i}" for i in range(10)] + ["big"] * 100)
    made = tabulate(rows, by=["r"], measures={"s": {"sum": "v"}}, clamp={"v": (0, 5)}, unit="p", dominance=None)
    assert made.table["s"].to_pylist() == [55.0]


def test_a_figure_needs_its_own_persons():
    rows = table(r=["a"] * 30, v=[1.0] * 9 + [None] * 20 + [float("nan")])
    assert tabulate(rows, by=["r"], measures={"m": {"mean": "v"}}, clamp={"v": (0, 5)}).table.num_rows == 0
    assert tabulate(rows, by=["r"], measures={"n": {"count": "v"}}).table.num_rows == 1  # NaN counts as given
    assert tabulate(rows.slice(0, 29), by=["r"], measures={"n": {"count": "v"}}).table.num_rows == 0


def test_a_dominated_sum_is_hidden():
    rows = table(r=["a"] * 20 + ["b"] * 20, v=[0.1] * 19 + [90] + [1.0] * 20)
    made = tabulate(rows, by=["r"], measures={"s": {"sum": "v"}}, clamp={"v": (0, 100)}, dominance=(1, 0.5))
    assert made.table["r"].to_pylist() == ["b"]
    assert (made.hidden_dominated, made.hidden_persons) == (1, 20)


def test_empty_tables_give_no_rows_but_columns():
    made = tabulate(table(r=pa.array([], pa.string())), by=["r"], measures=COUNT)
    assert made.table.schema.names == ["r", "n"]
    assert made.table.num_rows == 0
    assert made.figures().k == 0


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_any_table(kind):
    assert tabulate(kind({"r": ["a"] * 10}), by=["r"], measures=COUNT).table.to_pylist() == [{"r": "a", "n": 10}]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"by": []}, InvalidParameter),
        ({"by": ["r", "r"]}, InvalidParameter),
        ({"measures": {}}, InvalidParameter),
        ({"measures": {"r": {"count": "*"}}}, InvalidParameter),
        ({"measures": {"x": {"max": "v"}}}, InvalidParameter),
        ({"measures": {"x": {"sum": "v", "mean": "v"}}}, InvalidParameter),
        ({"measures": {"x": {"sum": "v"}}}, InvalidParameter),  # no clamp
        ({"measures": {"x": {"sum": "v"}}, "clamp": {"v": (1, 1)}}, InvalidParameter),
        ({"measures": {"x": {"sum": "r"}}, "clamp": {"r": (0, 1)}}, UnsupportedColumn),
        ({"by": ["z"]}, UnknownAttribute),
        ({"threshold": 1}, InvalidParameter),
        ({"rounding": 0}, InvalidParameter),
        ({"dominance": (0, 0.5)}, InvalidParameter),
        ({"dominance": (1, 1.5)}, InvalidParameter),
    ],
)
def test_refuses(arguments, error):
    with pytest.raises(error):
        tabulate(table(r=["a"], v=[1]), **{"by": ["r"], "measures": COUNT, **arguments})


ROWS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([None, "x", "y"]), st.integers(0, 30)), max_size=120)


@settings(deadline=None)
@given(ROWS, st.integers(2, 12), st.sampled_from([1, 5, 10]))
def test_every_shown_cell_stands_on_enough_persons(rows, threshold, rounding):
    given_ = pa.table(
        {
            "a": pa.array([r[0] for r in rows], pa.string()),
            "b": pa.array([r[1] for r in rows], pa.string()),
            "p": pa.array([r[2] for r in rows], pa.int64()),
        }
    )
    made = tabulate(given_, by=["a", "b"], measures=COUNT, unit="p", threshold=threshold, rounding=rounding)
    persons = {}
    for a, b, p in rows:
        persons.setdefault((a, b), set()).add(p)
    shown = {(row["a"], row["b"]): row["n"] for row in made.table.to_pylist()}
    assert set(shown) == {cell for cell, members in persons.items() if len(members) >= threshold}
    for cell, n in shown.items():
        assert n % rounding == 0
        assert abs(n - len(persons[cell])) <= rounding / 2
    # No margin is released: rows are cells of the full grouping only.
    assert made.table.schema.names == ["a", "b", "n"]


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), min_size=12, max_size=40), st.integers(0, 20))
def test_one_changed_record_within_a_rounding_step_changes_nothing(values, other):
    def made(column):
        rows = pa.table({"r": ["a"] * len(column), "v": column})
        return tabulate(rows, by=["r"], measures=COUNT).table

    assert made(values).equals(made([other, *values[1:]]))
