"""Limits as policies write them: read, written back, and refused with the limit's name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.errors import InvalidParameter
from masking.limits import Closeness, Limits, PopulationUniqueness

WHOLE: dict[str, Any] = {
    "k_anonymity": 5,
    "distinct_l_diversity": 3,
    "entropy_l_diversity": 2.5,
    "recursive_cl_diversity": [4, 3],
    "t_closeness": {"t": 0.2, "distance": "hierarchical", "hierarchies": {"ill": "ill.csv"}},
    "max_risk": 0.1,
    "average_risk": 0.05,
    "population_uniqueness": {"share": 0.01, "population": 10_000, "estimator": "pitman"},
    "k_map": 7,
    "delta_presence": [0.1, 0.4],
    "suppression": 0.02,
}


@given(st.sets(st.sampled_from(sorted(WHOLE))))
def test_what_is_read_is_written_back(names: set[str]) -> None:
    asked = {name: WHOLE[name] for name in names}
    limits = Limits.of(asked)
    assert Limits.of(limits.to_dict()) == limits
    assert limits.to_dict() == asked
    assert set(limits.asked) == names - {"suppression"}


def test_values_have_their_types() -> None:
    limits = Limits.of(WHOLE)
    assert limits.recursive_cl_diversity == (4.0, 3)
    assert limits.t_closeness == Closeness(0.2, "hierarchical", {"ill": "ill.csv"})
    assert limits.population_uniqueness == PopulationUniqueness(0.01, 10_000, "pitman")
    assert Limits.of({"t_closeness": 0.3}).t_closeness == Closeness(0.3)
    assert Limits.of({"k_anonymity": None}) == Limits()


@pytest.mark.parametrize(("asked", "least"), [({}, 1), ({"k_anonymity": 7}, 7), ({"max_risk": 0.1}, 10),
                                              ({"max_risk": 1 / 3}, 3), ({"k_anonymity": 4, "max_risk": 0.09}, 12)])  # fmt: skip
def test_the_least_class_is_the_stricter_of_k_and_risk(asked: dict[str, Any], least: int) -> None:
    assert Limits.of(asked).least_class == least
    assert Limits.of(asked).k == (least if asked else None)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"k_anonimity": 5}, "did you mean 'k_anonymity'"),
        ({"k_anonymity": 0}, "a whole number of at least 1"),
        ({"k_anonymity": 2.5}, "a whole number"),
        ({"k_anonymity": True}, "a whole number"),
        ({"entropy_l_diversity": 0.5}, "at least 1"),
        ({"recursive_cl_diversity": 4}, r"\[c, l\]"),
        ({"recursive_cl_diversity": [0, 3]}, "above 0"),
        ({"t_closeness": 1.2}, "at most 1"),
        ({"t_closeness": {"t": 0.2, "distance": "far"}}, "distance is one of"),
        ({"t_closeness": {"distance": "equal"}}, "mapping of"),
        ({"t_closeness": {"t": 0.2, "hierarchies": "x"}}, "hierarchies is a mapping"),
        ({"max_risk": 0}, "above 0"),
        ({"average_risk": 2}, "at most 1"),
        ({"population_uniqueness": 0.1}, "mapping of"),
        ({"population_uniqueness": {"share": 0.1, "population": 10, "estimator": "guess"}}, "estimator is one of"),
        ({"delta_presence": [0.5, 0.1]}, "the greatest"),
        ({"suppression": 1.01}, "at most 1"),
        ({"k_anonymity": float("nan")}, "a whole number"),
        ({"t_closeness": float("nan")}, "a number"),
    ],
)
def test_what_cannot_be_is_refused_by_name(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidParameter, match=says):
        Limits.of(asked)
