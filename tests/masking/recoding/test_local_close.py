"""Quotas for t-closeness: near the whole table by a plain sum, and no more than there is."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.hierarchies import flat
from masking.recoding.items import Items
from masking.recoding.local_close import gather_close, placed_share, quotas
from masking.recoding.local_paths import Paths
from masking.recoding.search import Watch, Wishes

POOLS = st.lists(st.integers(0, 12), min_size=2, max_size=5)


def far(counts: list[int], whole: list[float]) -> float:
    total = sum(counts)
    return sum(abs(count / total - share) for count, share in zip(counts, whole, strict=True)) / 2


@given(POOLS, st.data(), st.sampled_from([0.05, 0.2, 0.5]), st.integers(1, 15))
@settings(deadline=None)
def test_quotas_are_within_t_and_within_the_pool(pool, data, t, size):
    others = data.draw(st.lists(st.integers(1, 12), min_size=len(pool), max_size=len(pool)))
    whole = [other / sum(others) for other in others]
    quota, good = quotas(np.array([pool]), np.array(whole), t, size)
    if good[0]:
        assert quota[0].sum() == size
        assert (quota[0] <= np.array(pool)).all()
        assert far(quota[0].tolist(), whole) <= t + 1e-9


def test_quotas_by_hand():
    # A half, a half: of 4 records 2 and 2 are at distance 0; 3 and 1 at 1/4.
    assert quotas(np.array([[9, 9]]), np.array([0.5, 0.5]), 0.0, 4)[0].tolist() == [[2, 2]]
    quota, good = quotas(np.array([[9, 1]]), np.array([0.5, 0.5]), 0.25, 4)
    assert (quota.tolist(), good.tolist()) == ([[3, 1]], [True])
    assert not quotas(np.array([[9, 1]]), np.array([0.5, 0.5]), 0.24, 4)[1][0]


@pytest.mark.parametrize(
    ("there", "t", "share"),
    [
        ([5, 5], 0.0, 1.0),  # as the whole
        ([10, 0], 0.2, 0.0),  # one value alone is at distance 1/2
        ([10, 0], 0.5, 1.0),
        ([8, 2], 0.0, 0.4),  # two of each can be placed
    ],
)
def test_share_that_can_be_placed(there, t, share):
    assert placed_share(np.array([there]), np.array([0.5, 0.5]), t)[0] == pytest.approx(share, abs=0.01)


def test_classes_are_close_and_together_hold_most_records():
    random = np.random.default_rng(1)
    place = random.integers(0, 12, 3000)
    illness = (place + random.integers(0, 4, 3000)) % 5  # depends on the place
    table = pa.table({"place": place.astype(str), "age": random.integers(0, 20, 3000).astype(str), "illness": illness})
    items, _ = Items.of(table, {name: flat(table[name]) for name in ("place", "age")}, ["illness"])
    paths = Paths.of(items, Wishes())
    item = np.repeat(np.arange(len(items)), items.weights)
    value = items.sensitive[0].codes[item]
    whole = np.bincount(value) / len(value)
    label = gather_close(paths, item, value, whole, 0.15, 5, Watch())
    assert (label >= 0).mean() > 0.9
    for number in np.unique(label[label >= 0]):
        members = value[label == number]
        assert len(members) >= 5
        assert far(np.bincount(members, minlength=5).tolist(), whole.tolist()) <= 0.15 + 1e-9
