"""The parts of the global search by themselves: bounds of a lattice, ladders, what closeness leaves, what is held."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.hierarchies import Hierarchy
from masking.limits import Limits
from masking.recoding.closest import most_kept
from masking.recoding.held import held
from masking.recoding.items import Items, Sensitive
from masking.recoding.ladders import Ladders, rungs
from masking.recoding.lattice import Lattice, nodes_of

PARTS = [np.array([0.0, 0.1, 0.5]), np.array([0.2]), np.array([0.0, 0.3])]


def bounds(lattice: Lattice, parts=PARTS) -> dict[tuple[int, ...], float]:
    every = itertools.product(*(range(len(part)) for part in parts))
    return {node: lattice.bound(node) for node in every}


def test_bounds_are_sums_of_parts():
    found = bounds(Lattice(PARTS))
    assert found == {
        (a, 0, c): pytest.approx(PARTS[0][a] + 0.2 + PARTS[2][c]) for a, c in itertools.product(range(3), range(2))
    }


def test_least_is_the_finest_of_equal_ones():
    lattice = Lattice([np.zeros(2), np.zeros(2)])
    assert lattice.least() == ((0, 0), 0.0)
    lattice.done((0, 0))
    assert lattice.least() == ((0, 1), 0.0)


def test_what_is_said_of_a_node_holds_for_finer_ones_only():
    lattice = Lattice(PARTS)
    before = bounds(lattice)
    lattice.raise_below((1, 0, 1), [part + 1 for part in PARTS])
    after = bounds(lattice)
    for node in before:
        below = node[0] <= 1
        assert after[node] == pytest.approx(before[node] + 3 if below else before[node])
    lattice.raise_below((2, 0, 1), PARTS)
    assert bounds(lattice) == after, "a bound never falls"
    lattice.close_below((1, 0, 0))
    assert {node for node in before if not lattice.is_open(node)} == {(0, 0, 0), (1, 0, 0)}


def test_paths_go_up_by_what_loses_least():
    assert Lattice(PARTS).path((0, 0, 0)) == [(0, 0, 0), (1, 0, 0), (1, 0, 1), (2, 0, 1)]


def test_floor_and_share_are_of_the_nodes_that_may_win():
    lattice = Lattice(PARTS)
    assert lattice.floor(1.0) == (0, 0, 0)
    lattice.close_below((0, 0, 1))
    assert lattice.floor(1.0) == (1, 0, 0)
    assert lattice.open_share(1.1) == pytest.approx(4 / 6)
    assert nodes_of([2, 0, 1]) == 6


def test_a_lattice_of_one_node():
    lattice = Lattice([np.array([0.5])])
    assert lattice.least() == ((0,), 0.5)
    lattice.raise_below((0,), [np.array([0.75])])
    assert lattice.bound((0,)) == 0.75
    lattice.close_below((0,))
    assert not lattice.is_open((0,))


@pytest.mark.parametrize(
    ("rows", "low", "high", "expected"),
    [
        ([["a", "x"], ["b", "x"], ["c", "y"]], 0, 2, (0, 1, 2)),  # all differ
        ([["a", "a", "*"], ["b", "b", "*"]], 0, 2, (0, 2)),  # a repeated level is no choice
        ([["a", "all"], ["b", "all"]], 0, 2, (0, 1)),  # a name for all says as little as `*`, and is kept
        ([["a", "x"], ["b", "x"], ["c", "y"]], 1, 1, (1,)),  # a wished level
        ([["a"]], 0, 1, (0,)),  # nothing to generalize
    ],
)
def test_rungs(rows, low, high, expected):
    assert rungs(Hierarchy.of(rows), low, high) == expected


def test_a_star_below_the_top_is_the_top():
    stars = Hierarchy((("a", "b"), ("*",), ("*",)), (np.arange(2), np.zeros(2, int), np.zeros(2, int)))
    assert rungs(stars, 0, 2) == (0, 2)


def test_ladders_know_levels_and_top():
    items, _ = Items.of(pa.table({"a": ["a", "b"]}), {"a": Hierarchy.of([["a", "a"], ["b", "b"]])})
    ladders = Ladders.of(items, [(0, 2)])
    assert ladders.node((1,)) == (2,)
    assert ladders.top(items) == (1,)
    assert Ladders.of(items, [(0, 1)]).top(items) is None


TREE = Hierarchy.of([["p", "x"], ["q", "x"], ["r", "y"]])


def far(part: tuple[int, ...], whole: tuple[float, ...], kind: str) -> float:
    """The distance from its definition; hierarchical: 1/2 within x, 1 across."""
    gap = [count / sum(part) - share for count, share in zip(part, whole, strict=True)]
    if kind == "equal":
        return sum(map(abs, gap)) / 2
    within = min(sum(max(each, 0) for each in gap[:2]), sum(max(-each, 0) for each in gap[:2]))
    return within / 2 + abs(gap[2])


@given(
    counts=st.tuples(*[st.integers(0, 4)] * 3).filter(sum),
    whole=st.tuples(*[st.integers(1, 5)] * 3),
    t=st.sampled_from([0.05, 0.2, 0.35, 1.0]),
    kind=st.sampled_from(["equal", "hierarchical"]),
)
@settings(max_examples=150, deadline=None)
def test_no_part_of_a_class_that_is_close_is_larger_than_most_kept(counts, whole, t, kind):
    shares = tuple(each / sum(whole) for each in whole)
    limit = Limits.of({"t_closeness": {"t": t, "distance": kind}}).t_closeness
    sensitive = Sensitive("ill", np.arange(3), 3, pa.array([], pa.string()), TREE)
    most = int(most_kept(np.array([counts], float), np.array(shares), limit, sensitive)[0])
    parts = [each for each in itertools.product(*(range(count + 1) for count in counts)) if sum(each)]
    close = [sum(part) for part in parts if far(part, shares, kind) <= t + 1e-12]
    assert max(close, default=0) <= most <= sum(counts)
    if kind == "equal" and most == sum(counts):
        assert far(counts, shares, kind) <= t + 1e-6


def test_what_leaves_changes_what_classes_are_compared_with():
    """Ten flu and ten colds; one lone ulcer. With it gone, a class of half and half is at distance 0."""
    table = pa.table({"a": ["x"] * 20 + ["y"], "ill": ["flu", "cold"] * 10 + ["ulcer"]})
    items, _ = Items.of(table, {"a": Hierarchy.of([["x"], ["y"]])}, ["ill"])
    limits = Limits.of({"k_anonymity": 2, "t_closeness": 0.04})
    ids, count = items.classes((0,))
    state = held(items, limits, ids, count, items.leaves[0] == 0)
    assert not state.kept.any(), "against all 21 the class lies at 1/21 and is suppressed"
    state = held(items, Limits.of({"k_anonymity": 2, "t_closeness": 0.05}), ids, count, items.leaves[0] == 0)
    assert state.kept.sum() == 2
    assert items.weights[state.gone].tolist() == [1]
    assert state.persons(items, limits, ids, count).tolist() == [20]
