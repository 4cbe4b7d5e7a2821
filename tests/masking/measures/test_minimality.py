"""The minimality attack: the paper's example, every order of the values one by one, and tables where it is silent."""

from __future__ import annotations

import doctest
import importlib
import itertools

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import DataError, InvalidParameter
from masking.measures.minimality import Minimality, credible, minimality_attack

ZIP = {"zip": [["q1", "Q"], ["q2", "Q"]]}


def test_docstrings():
    assert doctest.testmod(importlib.import_module("masking.measures.minimality")).failed == 0


def attack(ills, zips=("q1", "q1", "q2", "q2", "q2", "q2"), masked=("Q",) * 6, k=2, share=0.5, **given_too):
    raw = pa.table({"zip": list(zips)})
    edition = pa.table({"zip": list(masked), "ill": list(ills)})
    return minimality_attack(raw, edition, ["zip"], ZIP, "ill", k=k, share=share, **given_too)


def test_the_example_of_the_paper():
    # Two of six are ill. Only if both live in q1 would the finer table have broken 2-diversity.
    found = attack(["hiv", "hiv", "none1", "none2", "none3", "none4"])
    assert found == Minimality(
        credibility=pytest.approx(1), before=pytest.approx(1 / 3), gain=pytest.approx(2 / 3), telling=1, classes=1
    )


@pytest.mark.parametrize(
    ("given_as", "why"),
    [
        ({"k": 3}, "q1 has two persons: k alone forbids the finer class"),
        ({"masked": ("q1", "q1", "q2", "q2", "q2", "q2")}, "nothing was generalised"),
        ({"zips": ("q1",) * 6}, "one step down divides nothing"),
        ({"share": 0.9, "zips": ("q1",) * 3 + ("q2",) * 3}, "two can never be nine in ten of three"),
    ],
)
def test_silent_where_another_reason_will_do(given_as, why):
    found = attack(["hiv", "hiv", "a", "b", "c", "d"], **given_as)
    assert found.telling == found.gain == 0, why
    assert found.credibility == found.before, why


def test_suppressed_classes_are_taken_one_level_down():
    found = attack(["hiv", "hiv", "a", "b", "c", "d"], masked=("*",) * 6)
    # Below "*" all are "Q", which divides nothing; below that are q1 and q2.
    assert found.credibility == pytest.approx(1)


def test_link_and_parameters():
    ills = ["hiv", "hiv", "a", "b", "c", "d"]
    assert attack(ills, zips=("q1", "q1", "q2", "q2", "q2", "q2", "q2"), link=[0, 1, 2, 3, 4, 5]).telling == 1
    with pytest.raises(DataError):
        attack(ills, zips=("q1",))
    for wrong in ({"k": 0}, {"share": 0}, {"share": 1}):
        with pytest.raises(InvalidParameter):
            attack(ills, **wrong)
    empty = attack([], zips=(), masked=())
    assert (empty.credibility, empty.classes) == (0, 0)


@settings(deadline=None, max_examples=80)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data(), st.sampled_from([0.2, 1 / 3, 0.5, 0.75]))
def test_equals_every_order_of_the_values(groups, data, share):
    persons = sum(groups)
    count = data.draw(st.integers(1, persons))
    group_of = [place for place, size in enumerate(groups) for _ in range(size)]
    breaking, holds = 0, [0] * persons
    for chosen in itertools.combinations(range(persons), count):
        inside = [sum(group_of[person] == place for person in chosen) for place in range(len(groups))]
        if any(held > share * size + 1e-9 for held, size in zip(inside, groups, strict=True)):
            breaking += 1
            for person in chosen:
                holds[person] += 1
    found = credible(tuple(sorted(groups)), count, share)
    if not breaking:
        assert found is None
    else:
        assert found == pytest.approx(max(holds) / breaking, abs=1e-9)
        assert found >= count / persons - 1e-9, "the attack never tells less than the share"


def test_large_classes_keep_their_digits():
    # Equal groups tell nothing apart: given that either broke the limit, each person keeps the share.
    found = credible((500, 500), 240, 0.27)
    assert found == pytest.approx(0.24, abs=1e-9)
    assert credible((1500, 1500), 3000, 0.5) == pytest.approx(1)
