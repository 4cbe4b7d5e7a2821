"""k-map: hand-computed tables, a slow count, and its relation to k-anonymity."""

from __future__ import annotations

import doctest
import importlib
from collections import Counter
from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import UnknownAttribute, UnsupportedColumn
from masking.measures import k_anonymity, presence, risk
from masking.measures.k_map import POPULATION, SAMPLE, k_map, matched_classes

ROWS = st.lists(st.tuples(st.sampled_from([None, 1, 2, 3]), st.sampled_from("xy")), min_size=1, max_size=25)


def table(rows):
    return pl.DataFrame(dict(zip("ab", zip(*rows, strict=True), strict=True)), schema={"a": pl.Int64, "b": pl.String})


def test_docstrings():
    assert doctest.testmod(importlib.import_module("masking.measures.k_map")).failed == 0


@pytest.mark.parametrize(
    ("released", "people", "k"),
    [
        ([1, 2], [1, 1, 2, 2, 2], 2),
        ([1], [1, 1, 2], 2),  # 2 is not released: its single person does not matter
        ([None], [None, None, None, 1], 3),  # null is a value
        ([1, 9], [1, 1, 2], 0),  # nobody of the register is 9
        ([], [1, 1], 0),
        ([1], [], 0),
    ],
)
def test_k_map(released, people, k):
    def frame(values):
        return pl.DataFrame({"a": values}, schema={"a": pl.Int64})

    assert k_map(frame(released), frame(people), ["a"]) == k


def test_persons():
    released = pl.DataFrame({"a": [1, 1], "p": ["x", "y"]})
    people = pl.DataFrame({"a": [1, 1, 1, 1], "p": ["x", "x", "y", "z"]})
    assert k_map(released, people, ["a"], "p", "p") == 3
    assert k_map(released, people, ["a"]) == 4
    assert k_map(released, people, []) == 4


def test_matched_classes_hold_both_sides():
    matched = matched_classes(pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [2, 2, 3]}), ["a"])
    assert sorted(matched.select("a", SAMPLE, POPULATION).rows()) == [(1, 1, 0), (2, 1, 2), (3, 0, 1)]


def test_research_subset_of_adult(shared):
    adult = pl.read_csv(shared / "data/arx/adult/adult.csv", separator=";")
    subset = pl.read_csv(shared / "data/arx/adult/adult_subset.csv", separator=";")
    columns = ["sex", "race", "salary-class"]
    people = Counter(adult.select(columns).rows())
    assert k_map(subset, adult, columns) == min(people[key] for key in subset.select(columns).rows())
    assert k_map(subset, adult, columns) > k_anonymity(subset, columns)


@settings(deadline=None, max_examples=25)
@given(ROWS, ROWS)
def test_equals_a_slow_count(released, people):
    counts = Counter(people)
    assert k_map(table(released), table(people), ["a", "b"]) == min(counts[key] for key in released)


@settings(deadline=None, max_examples=25)
@given(ROWS, ROWS)
def test_never_below_k_anonymity_when_the_population_holds_the_sample(released, others):
    everyone = table(released + others)
    assert k_map(table(released), everyone, ["a", "b"]) >= k_anonymity(table(released), ["a", "b"])
    assert k_map(table(released), everyone, ["a"]) >= k_map(table(released), everyone, ["a", "b"])
    assert k_map(everyone, everyone, ["a", "b"]) == k_anonymity(everyone, ["a", "b"])


def test_without_quasi_identifiers_all_persons_are_one_class():
    released = pl.DataFrame({"p": ["x", "x", "y"]})
    people = pl.DataFrame({"p": ["x", "y", "y", "z"]})
    found = risk(released, [], "p", population=people, population_unit="p")
    assert (found.persons, found.journalist.max) == (2, 1 / 3)


def test_dates_are_compared_as_they_are():
    days = pl.DataFrame({"a": [date(2020, 1, 1), None]})
    assert k_map(days, pl.concat([days, days]), ["a"]) == 2


def test_a_census_counts():
    released = pl.DataFrame({"a": [1, 2, None]})
    census = pl.DataFrame({"a": [1, 2, 2, None], "b": [0, 0, 1, 0], "people": [7, 3, 4, 5]})
    assert k_map(released, census, ["a"], population_count="people") == 5
    assert k_map(released.head(2), census, ["a"], population_count="people") == 7
    assert k_map(released, census, [], population_count="people") == 19
    assert k_map(released, census.head(0), [], population_count="people") == 0
    by_count = risk(released, ["a"], population=census, population_count="people").journalist
    assert by_count.marketer == pytest.approx((1 / 7 + 1 / 7 + 1 / 5) / 3)
    assert presence(released, census, ["a"], population_count="people").greatest == 1 / 5
    for wrong in ([1.5, 1.0, 1.0, 1.0], [-1, 1, 1, 1], [None, 1, 1, 1]):
        with pytest.raises(UnsupportedColumn, match="'people': counts of persons"):
            k_map(released, census.with_columns(people=pl.Series(wrong)), ["a"], population_count="people")
    with pytest.raises(UnknownAttribute, match="nobody"):
        k_map(released, census, ["a"], population_count="nobody")
