"""Linkage by distance: by hand, a slow attacker, noise that helps and noise that does not."""

from __future__ import annotations

import doctest
import importlib
import math
import statistics

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import DataError, InvalidParameter, InvalidValue, UnsupportedColumn
from masking.measures.distance_linkage import distance_linkage

TREE = [["a", "ab"], ["b", "ab"], ["c", "cd"], ["d", "cd"]]


def test_docstrings():
    assert doctest.testmod(importlib.import_module("masking.measures.distance_linkage")).failed == 0


def test_numbers_are_standardised():
    # Income in yuan would drown age; in standard deviations the ages decide.
    raw = pa.table({"age": [20, 40], "income": [100_000, 100_001]})
    edition = pa.table({"age": [21, 39], "income": [100_001, 100_000]})
    assert distance_linkage(raw, edition, ["age"]).successes == 2
    assert distance_linkage(raw, edition, ["income"]).successes == 0
    assert distance_linkage(raw, edition, ["age", "income"]).expected == 0  # income is off by a deviation, age by less


def test_ties_are_shared():
    raw = pa.table({"a": [1, 1, 5]})
    found = distance_linkage(raw, raw, ["a"])
    assert (found.successes, found.expected) == (1, pytest.approx((1 / 2 + 1 / 2 + 1) / 3))


def test_microaggregation_leaves_groups():
    raw = pa.table({"a": [1, 2, 3, 11, 12, 13]})
    edition = pa.table({"a": [2, 2, 2, 12, 12, 12]})
    found = distance_linkage(raw, edition, ["a"])
    assert (found.successes, found.expected) == (0, pytest.approx(1 / 3))
    assert found.upper_95 < 0.4


def test_categories():
    raw = pa.table({"x": ["a", "b", "c", "d"]})
    # A cell that covers the value is nearer than one that meets it higher up.
    edition = pa.table({"x": ["a", "ab", "cd", "*"]})
    found = distance_linkage(raw, edition, categorical=["x"], hierarchies={"x": TREE})
    assert found.expected == pytest.approx((1 + 1 / 2 + 1 + 0) / 4)  # b meets "a" and "ab" at one level
    flat = distance_linkage(raw, pa.table({"x": ["a", "b", "*", "*"]}), categorical=["x"])
    # c and d meet every other value at the top only.
    assert flat.expected == pytest.approx((1 + 1 + 1 / 4 + 1 / 4) / 4)


def test_nulls():
    raw = pa.table({"a": [1.0, None, 9.0]})
    assert distance_linkage(raw, raw, ["a"]).successes == 3
    nothing = pa.table({"a": pa.nulls(2, pa.float64())})
    assert distance_linkage(nothing, nothing, ["a"]).expected == 1 / 2


def test_edges():
    one = pa.table({"a": [3]})
    assert distance_linkage(one, one, ["a"]).successes == 1
    assert distance_linkage(one.slice(0, 0), one.slice(0, 0), ["a"]).expected == 0
    assert distance_linkage(one, one.slice(0, 0), ["a"], link=[]).expected == 0
    equal = pa.table({f"c{number}": [7] * 20 for number in range(60)})
    assert distance_linkage(equal, equal, equal.column_names).expected == pytest.approx(1 / 20)


def test_refusals(monkeypatch):
    table = pa.table({"a": ["x"], "b": [float("nan")], "c": [1]})
    with pytest.raises(InvalidParameter, match="at least one attribute"):
        distance_linkage(table, table)
    with pytest.raises(UnsupportedColumn, match="'a': distances need numbers"):
        distance_linkage(table, table, ["a"])
    with pytest.raises(UnsupportedColumn, match="finite"):
        distance_linkage(table, table, ["b"])
    with pytest.raises(InvalidParameter, match="targets"):
        distance_linkage(pa.table({"c": [1, 2]}), pa.table({"c": [1, 2]}), ["c"], targets=0)
    with pytest.raises(DataError, match="not 1 and 0"):
        distance_linkage(table, table.slice(0, 0), ["c"])
    with pytest.raises(InvalidValue, match="no level"):
        distance_linkage(table, pa.table({"a": ["strange"]}), categorical=["a"])
    monkeypatch.setattr(importlib.import_module("masking.measures.distance_linkage"), "MAX_PAIRS", 0)
    with pytest.raises(InvalidParameter, match="1 by 1 records"):
        distance_linkage(table, table, ["c"])


def test_noise_must_be_large_to_hide_anybody():
    draws = np.random.default_rng(11)
    raw = pl.DataFrame({name: draws.normal(size=800) for name in "abc"})
    found = []
    for noise in (0.0, 0.01, 0.3, 3.0):
        edition = raw.select(pl.all() + noise * pl.Series(draws.normal(size=800)))
        found.append(distance_linkage(raw, edition, ["a", "b", "c"]))
    rates = [each.successes for each in found]
    assert rates[0] == 800, "the positive control: without noise everybody is found"
    assert rates[0] >= rates[1] > rates[2] > rates[3]
    assert found[3].upper_95 < 0.1


def test_targets_and_order():
    draws = np.random.default_rng(5)
    raw = pl.DataFrame({"a": draws.normal(size=300), "b": draws.integers(0, 4, 300).astype(str)})
    edition = raw.with_columns(pl.col("a") + 0.05 * pl.Series(draws.normal(size=300)))
    whole = distance_linkage(raw, edition, ["a"], ["b"])
    few = distance_linkage(raw, edition, ["a"], ["b"], targets=60)
    assert few.attacked == 60
    assert few.expected == pytest.approx(whole.expected, abs=0.2)
    order = draws.permutation(300)
    assert distance_linkage(raw[order], edition[order], ["a"], ["b"], targets=60) == few
    places = np.argsort(order)
    assert distance_linkage(raw[order], edition, ["a"], ["b"], link=places) == whole


VALUES = st.tuples(st.integers(0, 6), st.sampled_from("abcd"), st.integers(-2, 2), st.integers(0, 2))


@settings(deadline=None, max_examples=30)
@given(st.lists(VALUES, min_size=1, max_size=12))
def test_equals_a_slow_attacker(people):
    def node(leaf, level):
        return next([*row, "*"] for row in TREE if row[0] == leaf)[level]

    def level_of(leaf, text):
        up = next([*row, "*"] for row in TREE if row[0] == leaf)
        below = [row for row in ([*row, "*"] for row in TREE) if text in row]
        return min(
            level for level in range(3) if any(row[level] == up[level] and row.index(text) <= level for row in below)
        )

    raw = pl.DataFrame({"n": [p[0] for p in people], "x": [p[1] for p in people]})
    edition = pl.DataFrame({"n": [p[0] + p[2] for p in people], "x": [node(p[1], p[3]) for p in people]})
    deviation = statistics.pstdev(raw["n"]) or 1.0
    expected = 0.0
    for number, (value, leaf, _, _) in enumerate(people):
        squares = [
            ((value - other) / deviation) ** 2 + (level_of(leaf, text) / 2) ** 2 for other, text in edition.rows()
        ]
        near = [
            place
            for place, square in enumerate(squares)
            if math.isclose(square, min(squares), rel_tol=1e-9, abs_tol=1e-12)
        ]
        expected += (number in near) / len(near)
    found = distance_linkage(raw, edition, ["n"], ["x"], {"x": TREE})
    assert found.expected == pytest.approx(expected / len(people), abs=1e-9)
