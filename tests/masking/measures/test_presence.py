"""delta-presence: the paper's idea by hand, a slow count, and laws."""

from __future__ import annotations

import doctest
import importlib
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import DataError

module = importlib.import_module("masking.measures.presence")
presence, Presence = module.presence, module.Presence
ROWS = st.lists(st.tuples(st.sampled_from([None, 1, 2, 3]), st.sampled_from("xy")), max_size=25)


def table(rows):
    columns = dict(zip("ab", zip(*rows, strict=True), strict=True)) if rows else {"a": [], "b": []}
    return pl.DataFrame(columns, schema={"a": pl.Int64, "b": pl.String})


def test_docstrings():
    assert doctest.testmod(module).failed == 0


def test_by_hand():
    people = pl.DataFrame({"a": [1] * 4 + [2] * 2 + [3] * 5})
    found = presence(pl.DataFrame({"a": [1, 2]}), people, ["a"])
    assert found == Presence(least=0.0, greatest=0.5, least_released=0.25, classes=3)
    assert found.within(0, 0.5)
    assert not found.within(0, 0.49)
    assert not found.within(0.01, 1), "nobody of class 3 is in the subset, and that is known too"


@pytest.mark.parametrize(
    ("subset", "people", "expected"),
    [
        ([], [], (0.0, 0.0, 0.0, 0)),
        ([], [1, 2], (0.0, 0.0, 0.0, 2)),
        ([1, 2], [1, 2], (1.0, 1.0, 1.0, 2)),
        ([None], [None, None], (0.5, 0.5, 0.5, 1)),
    ],
)
def test_edges(subset, people, expected):
    def frame(values):
        return pl.DataFrame({"a": values}, schema={"a": pl.Int64})

    assert presence(frame(subset), frame(people), ["a"]) == Presence(*expected)


def test_without_quasi_identifiers_the_chance_is_the_share():
    assert presence(table([(1, "x")]), table([(1, "x")] * 4), []) == Presence(0.25, 0.25, 0.25, 1)
    assert presence(table([]), table([]), []).classes == 0


def test_a_subset_outside_the_population_is_refused():
    with pytest.raises(DataError, match=r"1 class\(es\)"):
        presence(pl.DataFrame({"a": [1, 1]}), pl.DataFrame({"a": [1, 2]}), ["a"])
    with pytest.raises(DataError, match="does not hold"):
        presence(pl.DataFrame({"a": [9]}), pl.DataFrame({"a": [1, 2]}), ["a"])


def test_persons():
    people = pl.DataFrame({"a": [1, 1, 1], "p": ["x", "x", "y"]})
    assert presence(people.head(2), people, ["a"], "p", "p").greatest == 0.5
    assert presence(people.head(2), people, ["a"]).greatest == pytest.approx(2 / 3)


def test_research_subset_of_adult(shared):
    adult = pl.read_csv(shared / "data/arx/adult/adult.csv", separator=";")
    subset = pl.read_csv(shared / "data/arx/adult/adult_subset.csv", separator=";")
    assert presence(subset, adult, adult.columns).greatest == 1
    both = presence(subset, adult, ["sex"])
    assert both.within(0.05, 0.15)
    ours, theirs = Counter(subset["sex"]), Counter(adult["sex"])
    assert sorted([both.least, both.greatest]) == pytest.approx(sorted(ours[sex] / theirs[sex] for sex in theirs))


@settings(deadline=None, max_examples=25)
@given(ROWS, ROWS, st.randoms(use_true_random=False))
def test_equals_a_slow_count_and_coarser_is_closer(subset, others, random):
    everyone = subset + others
    found = presence(table(subset), table(everyone), ["a", "b"])
    ours, theirs = Counter(subset), Counter(everyone)
    chances = [ours[key] / theirs[key] for key in theirs]
    assert (found.least, found.greatest) == pytest.approx((min(chances, default=0), max(chances, default=0)))
    coarse = presence(table(subset), table(everyone), ["a"])
    assert found.least <= coarse.least + 1e-12
    assert coarse.greatest <= found.greatest + 1e-12
    random.shuffle(everyone)
    assert presence(table(subset), table(everyone), ["a", "b"]) == found
