"""Coding and counting: which cell a value belongs to, who counts where, and that no order of records matters."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.queries.coding import Coder, units
from sandbox.queries.registration import Registration
from tests.sandbox.queries.cubes import POLICY, counted, persons_table, registered

ONE = """\
version: 1
dataset: d
attributes:
  x: {{role: sensitive, technique: keep{codes}}}
sandbox: {{tables: {{dimensions: {{x: {words}}}}}}}
"""


def one(words: str, codes: str = "") -> Registration:
    return registered(ONE.format(words=words, codes=codes))


@pytest.mark.parametrize(
    ("words", "values", "expected"),
    [
        ("{codes: [1, 2]}", [1, 2, 3, None], [0, 1, 2, 2]),  # what no code takes, and the empty cell: other
        ("{codes: [1, 2]}", ["1", "2", "", " 1"], [0, 1, 2, 2]),  # text and numbers are spelled alike, and exactly
        ("{codes: [1, 2], other: false}", [1, 2, 3, None], [0, 1, -1, -1]),  # or nowhere
        ("{edges: [0, 10, 20]}", [-1, 0, 9.9, 10, 19, 20, None, float("nan")], [2, 0, 0, 1, 1, 2, 2, 2]),
        ("{edges: [null, 10, null]}", [-5, 10, 9, 1e300], [0, 1, 0, 1]),  # no bounds
        ("{edges: [null, 10], other: false}", [-5, 10], [0, -1]),
        ("{edges: [0, 10]}", ["5", "x", "-1"], [0, 1, 1]),  # numbers in a column of text; what is none is other
        ("{lower: 0, upper: 25, width: 10}", [0, 10, 20, 24, 25], [0, 1, 2, 2, 3]),  # the last band is shorter
        ("{edges: ['2013-01-01', '2013-02-01', null]}", [date(2013, 1, 31), date(2013, 2, 1), date(2012, 1, 1)],
         [0, 1, 2]),
        ("{characters: [1, 2], codes: [43, 44]}", [430102, 440103, 4, None], [0, 1, 2, 2]),
        ("{characters: [3, 4], edges: [0, 50, null]}", ["xx07", "xx99", "xx"], [0, 1, 2]),
    ],
)  # fmt: skip
def test_coding(words, values, expected):
    column = pa.array(values)
    assert Coder(one(words)).cells(pa.record_batch({"x": column})).tolist() == expected


def test_codes_of_the_attribute_and_of_a_hierarchy():
    assert one("{}", ", codes: [a, b]").dimensions[0].codes == ("a", "b", "other")
    yaml = ONE.format(words="{}", codes="").replace(
        "technique: keep", "technique: generalization.hierarchy, mapping: {p: [U], q: [U], r: [V]}"
    )
    registration = registered(yaml)
    assert registration.dimensions[0].codes == ("U", "V", "other")
    batch = pa.record_batch({"x": pa.array(["p", "r", "q", "z"])})
    assert Coder(registration).cells(batch).tolist() == [0, 1, 0, 2]


def test_no_category_comes_from_the_table():
    """Two tables with different values have the same categories."""
    registration = registered()
    strange = persons_table(200).set_column(3, "kind", pa.array(["zebra"] * 200))
    found = counted(registration, strange)
    assert found.persons.sum() == 0
    assert registration.shape == (2, 3, 3)


def test_repeated_records_count_once_and_add_up_to_the_bound():
    registration = registered()
    table = pa.table(
        {"patient": ["P", "P", "P", "Q"], "sex": ["F"] * 4, "age": [20] * 4, "kind": ["b"] * 4,
         "cost": [400.0, 400.0, 400.0, 100.0]}
    )  # fmt: skip
    found = counted(registration, table)
    [cell] = np.flatnonzero(found.persons)
    measure = registration.measures[0]
    assert found.persons[cell] == 2
    assert (found.sums[0][cell] + 2 * measure.middle) * measure.grid == pytest.approx(1000 + 100)


@pytest.mark.parametrize("contribution", [1, 2, 3])
def test_a_person_counts_in_so_many_cells_at_most(contribution):
    yaml = POLICY.replace("measures: {cost: {lower: 0, upper: 1000}}", f"contribution: {contribution}")
    kinds = ["=a", "b", "c"] * 50
    table = pa.table(
        {"patient": [f"P{place // 3}" for place in range(150)], "sex": ["F"] * 150, "age": [20] * 150, "kind": kinds,
         "cost": [1.0] * 150}
    )  # fmt: skip
    found = counted(registered(yaml), table)
    assert found.persons.sum() == 50 * contribution
    assert found.persons[found.persons > 0].min() > 5  # the draw favours no cell
    other_key = counted(registered(yaml), table, key=b"x" * 32)
    assert contribution == 3 or not np.array_equal(found.persons, other_key.persons)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 10.0, None, float("nan"), float("inf")], [0, 10000, 0, 0, 0]),
        ([1e300, -1e300], [2**40, -(2**40)]),  # nobody overflows a sum
    ],
)
def test_units(values, expected):
    yaml = POLICY.replace("upper: 1000", "upper: 10")
    assert units(pa.array(values), registered(yaml).measures[0]).tolist() == expected


@given(st.permutations(range(120)), st.integers(7, 120), st.integers(40, 120))
@settings(max_examples=8, deadline=None)
def test_neither_order_nor_batches_nor_passes_matter(order, batch, at_a_time):
    registration = registered()
    table = _with_repeats()
    straight = counted(registration, table)
    shuffled = counted(registration, table.take(pa.array(order)), batch=batch, at_a_time=at_a_time)
    assert np.array_equal(straight.persons, shuffled.persons)
    assert np.array_equal(straight.sums[0], shuffled.sums[0])


def _with_repeats() -> pa.Table:
    table = persons_table(120)
    return table.set_column(0, "patient", pa.array([f"P{place % 40}" for place in range(120)]))


def test_a_registration_survives_the_database():
    registration = registered()
    assert Registration.from_json(registration.to_json()) == registration
    assert Registration.from_json(registration.to_json()).digest == registration.digest
