"""The proof: each limit met and broken by hand, agreement with the other code path, what it says and never says."""

from __future__ import annotations

import ast
import inspect
import json
import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue, LimitsNotMet, UnknownAttribute
from masking.hierarchies import as_hierarchy
from masking.limits import Limits
from masking.measures import k_anonymity, l_diversity, least_c, proof, proof_of_closeness, proof_of_limits, t_closeness
from masking.measures.proof import examine, prove
from tests.masking.measures import slow_models

TREE = [["a", "x", "*"], ["b", "x", "*"], ["c", "y", "*"], ["d", "y", "*"]]
# Class 1: a a b c; class 2: a b; the suppressed: a a a.
TABLE = pa.table({"q": ["1"] * 4 + ["2"] * 2 + ["*"] * 3, "s": list("aabc") + list("ab") + list("aaa")})


def test_it_shares_no_code_with_searches_and_other_measures():
    for module in (proof, proof_of_closeness, proof_of_limits):
        tree = ast.parse(inspect.getsource(module))
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        own = {name.split(".")[-1] for name in imported if name and name.startswith("masking")}
        assert "recoding" not in str(imported)
        assert not own & {"coding", "histograms", "diversity", "closeness", "distances", "likeness", "cells"}


@pytest.mark.parametrize(
    ("limits", "measured", "classes", "persons"),
    [
        ({"k_anonymity": 2}, 2, 0, 0),
        ({"k_anonymity": 3}, 2, 1, 2),
        ({"k_anonymity": 4}, 2, 2, 5),  # the suppressed are a class too
        ({"max_risk": 0.5}, 0.5, 0, 0),
        ({"max_risk": 0.4}, 0.5, 1, 2),
        ({"average_risk": 1 / 3}, 1 / 3, 0, 0),
        ({"average_risk": 0.33}, 1 / 3, 1, 9),
        ({"distinct_l_diversity": 1}, 1, 0, 0),
        ({"distinct_l_diversity": 2}, 1, 1, 3),  # only the suppressed break it
        ({"distinct_l_diversity": 3}, 1, 2, 5),
        ({"entropy_l_diversity": 1}, 1, 0, 0),
        ({"entropy_l_diversity": 1.9}, 1, 1, 3),
        ({"entropy_l_diversity": 2.1}, 1, 2, 5),
        ({"recursive_cl_diversity": [1.1, 1]}, 1, 0, 0),
        ({"recursive_cl_diversity": [1, 1]}, 1, 1, 3),  # 3 < 1 * 3 does not hold
        ({"recursive_cl_diversity": [1.1, 2]}, math.inf, 1, 3),
        ({"recursive_cl_diversity": [1, 2]}, math.inf, 3, 9),  # 2 < 2 and 1 < 1 do not hold
        ({"t_closeness": 1 / 3}, 1 / 3, 0, 0),  # the suppressed: all a, 6 of 9 are
        ({"t_closeness": {"t": 0.3}}, 1 / 3, 1, 3),
    ],
)
def test_each_limit(limits, measured, classes, persons):
    found = examine(TABLE, ["q"], limits, sensitive="s")
    (name,) = limits
    assert found.measured[name] == pytest.approx(measured)
    assert found.holds == (classes == 0)
    assert sum(each.classes for each in found.broken) == classes
    assert sum(each.persons for each in found.broken) == persons
    assert (found.records, found.persons, found.classes, found.suppressed) == (9, 9, 3, 3)
    if found.holds:
        assert prove(TABLE, ["q"], limits, sensitive="s") == found
    else:
        with pytest.raises(LimitsNotMet, match=name) as refused:
            prove(TABLE, ["q"], limits, sensitive="s")
        assert refused.value.measured[name] == pytest.approx(measured)


def test_counterexamples_are_told_by_size_and_attribute_and_never_by_value():
    secret = pa.table(
        {"q": ["secret 1"] * 3 + ["*"] * 2, "s": ["hidden a", "hidden b", "hidden b", "hidden a", "hidden a"]}
    )
    found = examine(secret, ["q"], {"k_anonymity": 3, "distinct_l_diversity": 2}, sensitive=["s"])
    assert [(each.limit, each.attribute, each.persons, each.suppressed) for each in found.counterexamples] == [
        ("k_anonymity", None, 2, True),
        ("distinct_l_diversity", "s", 2, True),
    ]
    with pytest.raises(LimitsNotMet) as refused:
        prove(secret, ["q"], {"k_anonymity": 3, "distinct_l_diversity": 2}, sensitive=["s"])
    said = f"{refused.value} {json.dumps(found.to_dict())}"
    assert "secret" not in said
    assert "hidden" not in said
    many = pa.table({"q": np.arange(100)})
    found = examine(many, ["q"], {"k_anonymity": 2})
    assert (found.broken[0].classes, len(found.counterexamples)) == (100, proof_of_limits.MOST_SHOWN)


def test_the_proof_is_json_without_values():
    asked = {
        "recursive_cl_diversity": [1.1, 2],
        "t_closeness": {"t": 0.1, "distance": "hierarchical", "hierarchies": {"s": as_hierarchy(TREE)}},
    }
    said = json.dumps(examine(TABLE, ["q"], asked, sensitive="s").to_dict(), allow_nan=False)
    assert json.loads(said)["measured"]["recursive_cl_diversity"] is None
    assert json.loads(said)["asked"]["t_closeness"] == {"t": 0.1, "distance": "hierarchical"}
    assert '"b"' not in said


def test_persons_are_counted():
    table = pa.table({"q": [1, 1, 1, 2, 2], "s": list("aabab"), "p": ["x", "x", "x", "y", "z"]})
    found = examine(table, ["q"], {"k_anonymity": 2}, unit="p")
    assert found.counterexamples[0].persons == 1
    assert found.counterexamples[0].records == 3
    assert examine(table, ["q"], {"k_anonymity": 2}).holds
    assert examine(table, ["q"], {"k_anonymity": 2}, unit=list("vwxyz")).holds


def test_several_attributes_are_tested_with_the_others_known():
    told = pa.table({"q": [1, 1, 1, 1], "ill": list("aabb"), "job": list("xxyy")})
    assert examine(told, ["q"], {"distinct_l_diversity": 2}, sensitive=["ill"]).holds
    found = examine(told, ["q"], {"distinct_l_diversity": 2}, sensitive=["ill", "job"])
    assert [(each.attribute, each.classes) for each in found.broken] == [("ill", 2), ("job", 2)]


def test_population_limits():
    table = pa.table({"q": ["1", "1", "2"]})
    population = pa.table({"q": ["1"] * 4 + ["2"] * 2 + ["3"]})
    assert examine(table, ["q"], {"k_map": 2}, population=population).holds
    assert not examine(table, ["q"], {"k_map": 3}, population=population).holds
    assert examine(table, ["q"], {"delta_presence": [0, 0.5]}, population=population).holds
    found = examine(table, ["q"], {"delta_presence": [0.1, 0.4]}, population=population)
    assert len(found.broken) == 2  # nobody of class 3, half of the others
    found = examine(table, ["q"], {"population_uniqueness": {"share": 0.2, "population": 1000}})
    assert found.measured["population_uniqueness"] > 0
    for limits in ({"k_map": 2}, {"delta_presence": [0, 1]}):
        with pytest.raises(InvalidParameter, match="population"):
            examine(table, ["q"], limits)


def test_suppression_is_held_where_the_records_that_came_in_are_known():
    assert examine(TABLE, ["q"], {"suppression": 0.3}).holds
    assert not examine(TABLE, ["q"], {"suppression": 0.3}, rows=9).holds
    assert examine(TABLE, ["q"], {"suppression": 0.4}, rows=9).holds
    assert examine(TABLE, ["q"], {"suppression": 0.4}, rows=10).measured["suppression"] == pytest.approx(0.4)
    with pytest.raises(InvalidParameter, match="fewer"):
        examine(TABLE, ["q"], {}, rows=8)


def test_what_is_asked_wrongly_is_refused():
    for limits, kept in (
        ({"k_anonimity": 2}, {}),
        ({"distinct_l_diversity": 2}, {}),
        ({"t_closeness": {"t": 0.2, "distance": "hierarchical"}}, {"sensitive": "s"}),
        ({"t_closeness": {"t": 0.2, "distance": "ordered"}}, {"sensitive": "s"}),
    ):
        with pytest.raises(InvalidParameter):
            examine(TABLE, ["q"], limits, **kept)
    with pytest.raises(UnknownAttribute, match="nobody"):
        examine(TABLE, ["nobody"], {"k_anonymity": 2})
    for limits, kept in (
        ({"t_closeness": {"t": 0.2, "distance": "hierarchical"}}, {"hierarchies": {"s": TREE[:2]}}),
        ({"t_closeness": {"t": 0.2, "distance": "ordered"}}, {"orders": {"s": ["a", "b"]}}),
    ):
        with pytest.raises(InvalidValue, match=r"1 value\(s\)"):
            examine(TABLE, ["q"], limits, sensitive="s", **kept)


VALUE = st.sampled_from([None, "a", "b", "c", "d"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "q": st.sampled_from([None, "1", "2", "*"]),
            "r": st.sampled_from(["m", "*"]),
            "s": VALUE,
            "t": VALUE,
            "p": st.integers(0, 8),
        }
    ),
    min_size=1,
    max_size=30,
)
ASKED = {
    "k_anonymity": 3,
    "max_risk": 0.25,
    "distinct_l_diversity": 2,
    "entropy_l_diversity": 1.8,
    "recursive_cl_diversity": [2.5, 2],
}


def arrow(rows):
    return pa.Table.from_pylist(
        rows,
        pa.schema([("q", pa.string()), ("r", pa.string()), ("s", pa.string()), ("t", pa.string()), ("p", pa.int64())]),
    )


@settings(deadline=None, max_examples=30)
@given(ROWS, st.sampled_from([None, "p"]), st.randoms())
def test_both_code_paths_and_the_definitions_agree(rows, unit, random):
    table, quasi = arrow(rows), ["q", "r"]
    found = examine(table, quasi, ASKED, sensitive="s", unit=unit).measured
    assert found["k_anonymity"] == k_anonymity(table, quasi, unit)
    assert found["max_risk"] == 1 / k_anonymity(table, quasi, unit)
    assert found["distinct_l_diversity"] == slow_models.distinct_l(rows, quasi, "s", unit)
    assert found["entropy_l_diversity"] == pytest.approx(
        l_diversity(table, quasi, "s", "entropy", unit=unit), abs=1e-12
    )
    assert found["recursive_cl_diversity"] == pytest.approx(least_c(table, quasi, "s", l=2, unit=unit))
    for kept in (
        {"distance": "equal"},
        {"distance": "ordered", "order": "abcd"},
        {"distance": "hierarchical", "hierarchy": TREE},
    ):
        names = [["s"], ["s", "t"]][random.randrange(2)]
        order, tree = kept.pop("order", None), kept.pop("hierarchy", None)
        limits = {"t_closeness": {"t": 0.2, **kept, "hierarchies": dict.fromkeys(names, tree) if tree else {}}}
        orders = dict.fromkeys(names, order) if order else None
        proved = examine(table, quasi, limits, sensitive=names, unit=unit, orders=orders)
        measured = t_closeness(
            table, quasi, names, kept["distance"], dict.fromkeys(names, tree) if tree else None, order=orders, unit=unit
        )
        assert proved.measured["t_closeness"] == pytest.approx(measured, abs=1e-12)
        assert proved.holds == (measured <= 0.2 + 1e-12)


@settings(deadline=None, max_examples=25)
@given(ROWS, st.randoms())
def test_the_proof_does_not_depend_on_the_order_of_records(rows, random):
    asked = {**ASKED, "t_closeness": 0.3}
    first = examine(arrow(rows), ["q", "r"], asked, sensitive=["s", "t"])
    random.shuffle(rows)
    again = examine(arrow(rows), ["q", "r"], asked, sensitive=["s", "t"])
    assert (first.broken, first.holds, first.suppressed) == (again.broken, again.holds, again.suppressed)
    assert first.measured == pytest.approx(again.measured, abs=1e-15)


@pytest.mark.parametrize("kind", [pa.table, pl.DataFrame, pd.DataFrame])
@pytest.mark.parametrize(
    ("table", "quasi", "holds"),
    [
        ({"a": [], "s": []}, ["a"], True),
        ({"a": [1], "s": ["x"]}, ["a"], False),
        ({"a": [None] * 4, "s": [None] * 4}, ["a"], False),  # one value
        ({"a": [7] * 4, "s": list("xyzw")}, ["a"], True),
        ({"a": [1, 2, 3], "s": list("xyz")}, ["a"], False),
        ({"a": [1, 2, 3], "s": list("xyz")}, [], True),
        ({"a": [0.5, 0.5, math.nan, math.nan], "s": list("xyxy")}, ["a"], True),
    ],
)
def test_hostile_tables(kind, table, quasi, holds):
    asked = {"k_anonymity": 2, "distinct_l_diversity": 2, "entropy_l_diversity": 2, "t_closeness": 1}
    assert examine(kind(table), quasi, asked, sensitive="s").holds is holds


def test_sixty_quasi_identifiers_and_many_values():
    random = np.random.default_rng(5)
    wide = {f"q{number}": random.integers(0, 5, 500) for number in range(60)}
    table = pa.table({**wide, "s": np.arange(500) % 3})
    asked = {"k_anonymity": 2, "distinct_l_diversity": 2, "t_closeness": {"t": 0.9, "distance": "ordered"}}
    assert examine(table, list(wide), asked, sensitive="s").broken[0].classes == 500
    many = pa.table({"q": np.arange(99_999) // 3, "s": np.arange(99_999)})
    found = examine(many, ["q"], {"k_anonymity": 3, "t_closeness": {"t": 0.6, "distance": "ordered"}}, sensitive="s")
    assert found.holds
    assert Limits.of(found.asked).k_anonymity == 3
