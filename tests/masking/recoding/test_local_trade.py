"""Trades: no class falls below k, nothing is lost by them, and what is in the way of its class does leave it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.hierarchies import Hierarchy
from masking.recoding.items import Items
from masking.recoding.local_paths import Paths
from masking.recoding.local_trade import traded
from masking.recoding.search import Watch, Wishes

VALUES = [str(value) for value in range(8)]
TREE = Hierarchy.of([[value, f"half {int(value) // 4}"] for value in VALUES])


def paths_of(rows: list[tuple[str, str]]) -> Paths:
    table = pa.table({name: pa.array(column) for name, column in zip("ab", zip(*rows, strict=True), strict=True)})
    items, _ = Items.of(table, {"a": TREE, "b": TREE})
    return Paths.of(items, Wishes())


def lost(paths: Paths, label: np.ndarray) -> float:
    inside = np.flatnonzero(label >= 0)
    names, numbers = np.unique(label[inside], return_inverse=True)
    losses = paths.losses(paths.shared(inside, numbers, len(names)))
    return float(losses[numbers] @ paths.items.weights[inside])


def test_two_that_are_in_the_way_change_places():
    # Items are sorted by their codes: (0,0) (1,1) (2,2) (4,4) (5,5) (6,6).
    paths = paths_of([("0", "0"), ("1", "1"), ("2", "2"), ("4", "4"), ("5", "5"), ("6", "6")])
    label = np.array([0, 0, 1, 0, 1, 1])
    found = traded(paths, 3, np.arange(6), paths.items.weights, label, Watch())
    assert found[0] == found[1] == found[2]
    assert found[3] == found[4] == found[5] != found[0]
    assert lost(paths, found) < lost(paths, label)


def test_one_leaves_a_class_that_can_spare_it():
    paths = paths_of([("0", "0"), ("1", "1"), ("2", "2"), ("4", "4"), ("5", "5")])
    label = np.array([0, 0, 1, 1, 1])
    found = traded(paths, 2, np.arange(5), paths.items.weights, label, Watch())
    assert found.tolist() in ([0, 0, 0, 1, 1], [1, 1, 1, 0, 0])
    kept = traded(paths, 3, np.arange(5), paths.items.weights, np.array([0, 0, 1, 1, 1]), Watch())
    assert kept.tolist() == label.tolist()


@given(
    st.lists(st.tuples(st.sampled_from(VALUES), st.sampled_from(VALUES)), min_size=1, max_size=60),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost_and_no_class_falls_below_k(rows, k, random):
    paths = paths_of(rows)
    pieces, weights = len(paths.items), paths.items.weights
    label = np.array([random.randrange(-1, max(1, pieces // 3)) for _ in range(pieces)])
    sizes = np.bincount(label[label >= 0], weights=weights[label >= 0], minlength=pieces)
    label = np.where((label >= 0) & (sizes[label] >= k), label, -1)
    found = traded(paths, k, np.arange(pieces), weights, label.copy(), Watch())
    assert ((found < 0) == (label < 0)).all()
    sizes = np.bincount(found[found >= 0], weights=weights[found >= 0])
    assert (sizes >= k).all()
    assert lost(paths, found) <= lost(paths, label) + 1e-3
