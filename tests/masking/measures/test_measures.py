"""Measures: drawn tables, persons against records, and laws against a slow second way of counting."""

from __future__ import annotations

import doctest
import math
from collections import Counter, defaultdict

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking import measures
from masking.errors import UnknownAttribute
from masking.measures import classes, diversity, k_anonymity, l_diversity, risk, risk_figures, uniqueness

TABLE = pa.table(
    {
        "age": [30, 30, 41, None, None],
        "sex": ["m", "m", "f", "f", "f"],
        "ill": ["a", "b", "c", "c", "c"],
        "person": ["p1", "p1", "p2", "p3", "p4"],
    }
)


@pytest.mark.parametrize("module", [classes, diversity, measures.risk.__module__])
def test_docstrings(module):
    import importlib

    module = importlib.import_module(module) if isinstance(module, str) else module
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("quasi", "unit", "k", "unique"),
    [
        (["age"], None, 1, 1 / 5),  # 41 stands alone; nulls are a class
        (["age"], "person", 1, 2 / 4),  # the two records of 30 are one person
        (["sex"], None, 2, 0.0),
        (["sex"], "person", 1, 1 / 4),
        ([], None, 5, 0.0),  # no quasi-identifier: everyone is one class
        ([], "person", 4, 0.0),
    ],
)
def test_k_and_uniqueness(quasi, unit, k, unique):
    assert k_anonymity(TABLE, quasi, unit) == k
    assert uniqueness(TABLE, quasi, unit) == pytest.approx(unique)


def test_classes_are_listed_smallest_first_with_both_counts():
    listed = measures.equivalence_classes(TABLE, ["sex"], "person")
    assert listed.columns == ["sex", "records", "persons"]
    assert listed.rows() == [("m", 2, 1), ("f", 3, 3)]


def test_an_attribute_named_like_a_count_is_no_trouble():
    table = pa.table({"records": [1, 1], "persons": [2, 3], "size": [1, 1]})
    assert measures.equivalence_classes(table, ["records"]).columns == ["records", "records_", "persons"]
    assert k_anonymity(table, ["records", "persons"]) == 1
    assert measures.class_sizes(table, ["size"]).to_pylist() == [2, 2]


def test_class_sizes_keep_the_order():
    assert measures.class_sizes(TABLE, ["age"]).to_pylist() == [2, 2, 1, 2, 2]
    assert measures.class_sizes(TABLE, ["age"], "person").to_pylist() == [1, 1, 1, 2, 2]
    assert measures.class_sizes(TABLE, [], "person").to_pylist() == [4] * 5


def test_the_unit_may_be_an_array_beside_the_table():
    masked = TABLE.drop_columns(["person"])
    assert k_anonymity(masked, ["sex"], TABLE["person"]) == 1
    assert k_anonymity(masked, ["sex"], pl.Series(["p1", "p2", "p3", "p4", "p5"])) == 2
    assert k_anonymity(masked, ["sex"], ["p1", "p2", "p3", "p4", "p5"]) == 2


def test_null_units_are_one_person():
    assert k_anonymity(pa.table({"a": [1, 1, 1], "p": [None, None, "x"]}), ["a"], "p") == 2


@pytest.mark.parametrize("kind", [pa.table, pl.DataFrame, pd.DataFrame])
def test_any_table(kind):
    table = kind({"age": [1, 1, 2]})
    assert k_anonymity(table, ["age"]) == 1


def test_empty_tables_have_no_risk():
    empty = TABLE.slice(0, 0)
    assert k_anonymity(empty, ["age"]) == 0
    assert uniqueness(empty, ["age"]) == 0
    assert l_diversity(empty, ["age"], "ill") == 0
    assert risk(empty, ["age"]).prosecutor_max == 0
    assert risk_figures(empty, ["age"]).k == 0
    assert measures.class_sizes(empty, ["age"]).to_pylist() == []
    assert measures.uniqueness_all_columns(empty) == 0
    assert measures.equivalence_classes(empty, []).height == 0


def test_unknown_columns_are_named():
    with pytest.raises(UnknownAttribute, match="agee"):
        k_anonymity(TABLE, ["agee"])
    with pytest.raises(UnknownAttribute, match="nobody"):
        k_anonymity(TABLE, ["age"], "nobody")


def test_l_diversity():
    assert l_diversity(TABLE, ["sex"], "ill") == 1
    assert l_diversity(TABLE, [], "ill") == 3
    assert l_diversity(pa.table({"q": [1, 1], "s": ["a", "b"]}), ["q"], "s", "entropy") == pytest.approx(2)
    assert l_diversity(pa.table({"q": [1, 1, 1], "s": ["a", "b", "b"]}), ["q"], "s", "entropy") == pytest.approx(
        math.exp(-(math.log(1 / 3) / 3 + 2 * math.log(2 / 3) / 3))
    )
    assert l_diversity(TABLE, ["ill"], "ill") == 1  # an attribute that is both


def test_uniqueness_over_all_columns():
    assert measures.uniqueness_all_columns(pa.table({"a": [1, 1, 2], "b": [1, 1, 1]})) == pytest.approx(1 / 3)
    assert measures.uniqueness_all_columns(pa.table({"a": [[1], [1], [2]]})) == pytest.approx(1 / 3)


def test_risk_of_persons():
    found = risk(TABLE, ["sex"], "person", threshold=0.5)
    assert (found.prosecutor_max, found.unique_persons, found.persons, found.classes) == (1.0, 1, 4, 2)
    assert found.prosecutor_average == pytest.approx((1 + 3 * (1 / 3)) / 4)
    assert found.at_risk == pytest.approx(1 / 4)
    with pytest.raises(ValueError, match="threshold"):
        risk(TABLE, ["sex"], threshold=0)


ROWS = st.lists(
    st.tuples(st.sampled_from([None, 1, 2, 3]), st.sampled_from(["a", "b"]), st.integers(0, 5), st.sampled_from("xyz")),
    min_size=1,
    max_size=40,
)


@settings(deadline=None)
@given(ROWS)
def test_equals_a_slow_count(rows):
    table = pa.table(dict(zip("abps", zip(*rows, strict=True), strict=True)))
    persons, values = defaultdict(set), defaultdict(set)
    for a, b, person, value in rows:
        persons[a, b].add(person)
        values[a, b].add(value)
    records = Counter((a, b) for a, b, _, _ in rows)
    assert k_anonymity(table, ["a", "b"]) == min(records.values())
    assert k_anonymity(table, ["a", "b"], "p") == min(map(len, persons.values()))
    assert l_diversity(table, ["a", "b"], "s") == min(map(len, values.values()))
    assert measures.class_sizes(table, ["a", "b"], "p").to_pylist() == [len(persons[a, b]) for a, b, _, _ in rows]
    alone = {p for members in persons.values() if len(members) == 1 for p in members}
    figures = risk_figures(table, ["a", "b"], ["s"], "p")
    assert figures.unique_persons == len(alone)
    assert figures.k == min(map(len, persons.values()))
    assert figures.persons == len({p for _, _, p, _ in rows})
    assert figures.distinct_l == {"s": min(map(len, values.values()))}


@settings(deadline=None)
@given(ROWS)
def test_fewer_quasi_identifiers_never_lower_k(rows):
    table = pa.table(dict(zip("abps", zip(*rows, strict=True), strict=True)))
    assert k_anonymity(table, ["a"], "p") >= k_anonymity(table, ["a", "b"], "p")
    assert uniqueness(table, ["a"], "p") <= uniqueness(table, ["a", "b"], "p")


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "a", "ab", "b", None]), st.sampled_from(["", "b", "bc", None])), max_size=40
    )
)
def test_text_columns_are_counted_as_any_others(rows):
    """Columns of text alone take a way of their own; a column of numbers beside them does not."""
    names = ["x", "y", "z"]
    columns = list(zip(*rows, strict=True)) if rows else [[], []]
    text = pa.table({"x": pa.array(columns[0], pa.string()), "y": pa.array(columns[1], pa.string())})
    both = text.append_column("z", pa.array([1] * len(rows), pa.int64()))
    counts = sorted(Counter(rows).values())
    assert k_anonymity(text, names[:2]) == k_anonymity(both, names) == (counts[0] if counts else 0)
    assert k_anonymity(pl.from_arrow(text), names[:2]) == k_anonymity(text.to_pandas(), names[:2])
