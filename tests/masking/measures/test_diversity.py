"""l-diversity: drawn classes, the definitions a second time, persons, several attributes, hostile tables."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, UnknownAttribute
from masking.measures import diversity, k_anonymity, l_diversity, likeness
from masking.measures.diversity import least_c
from masking.measures.likeness import alpha, beta_likeness, delta_disclosure
from tests.masking.measures import slow_models

# Class 1: a, a, a, b, c. Class 2: a, b.
TABLE = pa.table({"q": [1, 1, 1, 1, 1, 2, 2], "s": list("aaabc") + list("ab")})


@pytest.mark.parametrize("module", [diversity, likeness])
def test_docstrings(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("kind", "c", "expected"),
    [
        ("distinct", None, 2.0),
        ("entropy", None, min(2.0, math.exp(-(0.6 * math.log(0.6) + 2 * 0.2 * math.log(0.2))))),
        ("recursive", 1.4, 1.0),  # class 1: 3 < 1.4 * 5 holds, 3 < 1.4 * 2 does not
        ("recursive", 1.5, 1.0),  # 3 < 3 does not hold: strictly less
        ("recursive", 1.6, 2.0),  # 3 < 3.2; class 2: 1 < 1.6
        ("recursive", 3.1, 2.0),  # class 1 would reach 3, class 2 has only two values
        ("recursive", 0.5, 0.0),  # class 2: 1 < 0.5 * 2 does not hold
    ],
)
def test_drawn_classes(kind, c, expected):
    assert l_diversity(TABLE, ["q"], "s", kind, c) == pytest.approx(expected, abs=1e-12)


def test_least_c_is_the_border_of_the_models():
    assert least_c(TABLE, ["q"], "s", l=1) == pytest.approx(3 / 5)
    assert least_c(TABLE, ["q"], "s", l=2) == pytest.approx(3 / 2)
    assert least_c(TABLE, ["q"], "s", l=3) == math.inf
    assert l_diversity(TABLE, ["q"], "s", "recursive", 1.5) < 2 <= l_diversity(TABLE, ["q"], "s", "recursive", 1.5001)


def test_a_person_counts_once_for_each_value():
    table = pa.table({"q": [1, 1, 1, 1], "s": ["a", "a", "a", "b"], "p": ["x", "x", "x", "y"]})
    assert l_diversity(table, ["q"], "s", "entropy") < 2
    assert l_diversity(table, ["q"], "s", "entropy", unit="p") == pytest.approx(2)
    assert l_diversity(table, ["q"], "s", "entropy", unit=["x", "x", "x", "y"]) == pytest.approx(2)
    assert alpha(table, ["q"], "s", unit="p") == pytest.approx(0.5)
    # One person with two values: both are certain of them.
    assert alpha(pa.table({"q": [1, 1], "s": ["a", "b"], "p": ["x", "x"]}), ["q"], "s", unit="p") == 1


def test_several_attributes_are_each_tested_with_the_others_known():
    table = pa.table({"q": [1, 1, 1, 1], "ill": ["a", "a", "b", "b"], "job": ["x", "y", "x", "y"]})
    assert l_diversity(table, ["q"], ["ill", "job"]) == 2
    # Who knows the job knows the illness.
    told = pa.table({"q": [1, 1, 1, 1], "ill": ["a", "a", "b", "b"], "job": ["x", "x", "y", "y"]})
    assert l_diversity(told, ["q"], "ill") == 2
    assert l_diversity(told, ["q"], ["ill", "job"]) == 1
    assert least_c(told, ["q"], ["ill", "job"], l=2) == math.inf


def test_what_is_asked_wrongly_is_refused():
    for wrong in (
        lambda: l_diversity(TABLE, ["q"], "s", "renyi"),
        lambda: l_diversity(TABLE, ["q"], "s", "recursive"),
        lambda: l_diversity(TABLE, ["q"], "s", "recursive", c=0),
        lambda: l_diversity(TABLE, ["q"], "s", "recursive", c=math.nan),
        lambda: l_diversity(TABLE, ["q"], []),
        lambda: least_c(TABLE, ["q"], "s", l=0),
        lambda: beta_likeness(TABLE, ["q"], "s", "third"),
    ):
        with pytest.raises(InvalidParameter):
            wrong()
    with pytest.raises(UnknownAttribute, match="nobody"):
        l_diversity(TABLE, ["q"], "nobody")


def test_likeness_by_hand():
    # Overall a 4/7, b 2/7, c 1/7. Class 1: .6 .2 .2; class 2: .5 .5 0.
    assert alpha(TABLE, ["q"], "s") == pytest.approx(0.6)
    assert beta_likeness(TABLE, ["q"], "s") == pytest.approx(0.5 / (2 / 7) - 1)
    assert beta_likeness(TABLE, ["q"], "s", "enhanced") == pytest.approx(0.75)
    assert delta_disclosure(TABLE, ["q"], "s") == pytest.approx(math.log(0.5 / (2 / 7)))


VALUE = st.sampled_from([None, "a", "b", "c", "d"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {"q": st.sampled_from([None, 1, 2]), "r": st.booleans(), "s": VALUE, "t": VALUE, "p": st.integers(0, 6)}
    ),
    min_size=1,
    max_size=30,
)


def arrow(rows):
    return pa.Table.from_pylist(
        rows,
        pa.schema([("q", pa.int64()), ("r", pa.bool_()), ("s", pa.string()), ("t", pa.string()), ("p", pa.int64())]),
    )


@settings(deadline=None, max_examples=40)
@given(ROWS, st.sampled_from([None, "p"]), st.sampled_from([0.5, 1.0, 2.0, 3.0, 7.5]))
def test_equals_the_definitions(rows, unit, c):
    table, quasi = arrow(rows), ["q", "r"]
    assert l_diversity(table, quasi, "s", unit=unit) == slow_models.distinct_l(rows, quasi, "s", unit)
    entropy = l_diversity(table, quasi, "s", "entropy", unit=unit)
    assert entropy == pytest.approx(slow_models.entropy_l(rows, quasi, "s", unit), abs=1e-12)
    found = int(l_diversity(table, quasi, "s", "recursive", c, unit))
    assert all(slow_models.recursive_holds(rows, quasi, "s", c, l, unit) for l in range(1, found + 1))
    assert not slow_models.recursive_holds(rows, quasi, "s", c, found + 1, unit)
    assert l_diversity(table, quasi, ["s", "t"]) == min(
        slow_models.distinct_l(rows, [*quasi, "t"], "s"), slow_models.distinct_l(rows, [*quasi, "s"], "t")
    )


@settings(deadline=None, max_examples=25)
@given(ROWS, st.randoms())
def test_laws(rows, random):
    table, quasi = arrow(rows), ["q", "r"]
    distinct, entropy = l_diversity(table, quasi, "s"), l_diversity(table, quasi, "s", "entropy")
    assert 1 <= entropy <= distinct + 1e-12
    assert distinct <= k_anonymity(table, quasi)
    # Classes that merge are no less diverse, and no smaller.
    assert l_diversity(table, ["q"], "s") >= distinct
    assert l_diversity(table, ["q"], "s", "entropy") >= entropy - 1e-12
    assert l_diversity(table, ["q"], "s", "recursive", 3) >= l_diversity(table, quasi, "s", "recursive", 3)
    assert k_anonymity(table, ["q"]) >= k_anonymity(table, quasi)
    assert k_anonymity(table, quasi, "p") <= k_anonymity(table, quasi)
    assert alpha(table, ["q"], "s") <= alpha(table, quasi, "s") + 1e-12
    shuffled = list(rows)
    random.shuffle(shuffled)
    again = arrow(shuffled)
    for measure in (alpha, beta_likeness, delta_disclosure):
        assert measure(again, quasi, "s") == measure(table, quasi, "s")
    for kind in ("distinct", "entropy", "recursive"):
        assert l_diversity(again, quasi, "s", kind, 2.5) == l_diversity(table, quasi, "s", kind, 2.5)


@pytest.mark.parametrize("kind", [pa.table, pl.DataFrame, pd.DataFrame])
@pytest.mark.parametrize(
    ("table", "quasi", "k", "l"),
    [
        ({"a": [], "s": []}, ["a"], 0, 0),
        ({"a": [1], "s": ["x"]}, ["a"], 1, 1),
        ({"a": [None] * 4, "s": [None] * 4}, ["a"], 4, 1),
        ({"a": [7] * 4, "s": list("xyzw")}, ["a"], 4, 4),
        ({"a": [1, 2, 3], "s": list("xyz")}, ["a"], 1, 1),
        ({"a": [1, 2, 3], "s": list("xyz")}, [], 3, 3),
        ({"a": [0.0, -0.0, 1.5, 1.5], "s": list("xyxy")}, ["a"], 2, 2),
        ({"a": [[1], [1], [2], [2]], "s": list("xyxy")}, ["a"], 2, 2),
    ],
)
def test_hostile_tables(kind, table, quasi, k, l):
    table = kind(table)
    assert k_anonymity(table, quasi) == k
    assert l_diversity(table, quasi, "s") == l
    assert l_diversity(table, quasi, "s", "entropy") == pytest.approx(l)
    assert alpha(table, quasi, "s") == (pytest.approx(1 / l) if l else 0)


def test_sixty_quasi_identifiers_and_a_million_values():
    random = np.random.default_rng(4)
    wide = {f"q{number}": random.integers(0, 5, 2_000) for number in range(60)}
    table = pa.table({**wide, "s": np.arange(2_000) % 3})
    assert k_anonymity(table, list(wide)) == 1
    assert k_anonymity(pa.concat_tables([table, table, table]), list(wide)) == 3
    many = pa.table({"q": np.arange(1_000_000), "s": np.arange(1_000_000)[::-1]})
    assert k_anonymity(many, ["q"]) == 1
    assert l_diversity(many, ["q"], "s", "entropy") == 1


def test_categories_keep_their_meaning():
    table = pa.table({"q": [1, 1, 2, 2], "s": ["a", "b", "a", "b"]})
    for coded in (
        table.set_column(1, "s", table["s"].dictionary_encode()),
        pl.DataFrame(table).with_columns(pl.col("s").cast(pl.Categorical)),
        table.to_pandas().astype({"s": pd.CategoricalDtype(["z", "b", "a"])}),
        pa.table({"q": table["q"], "s": pa.DictionaryArray.from_arrays([0, 1, 2, 1], ["a", "b", "a"])}),
    ):
        assert l_diversity(coded, ["q"], "s") == 2
        assert beta_likeness(coded, ["q"], "s") == 0
        assert delta_disclosure(coded, ["q"], "s") == 0
    chunks = pa.chunked_array([pa.array(["a", None]).dictionary_encode(), pa.array([None, "a"]).dictionary_encode()])
    assert k_anonymity(pa.table({"q": chunks}), ["q"]) == 2
