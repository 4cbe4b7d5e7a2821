"""Counts in bounded memory: exact while few, fair estimates beyond, the same however the stream is cut."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.engines import classes, tally
from masking.engines.classes import BatchHashes, ClassSample
from masking.engines.tally import Tally
from masking.measures import risk_figures


def hashes(values):
    return BatchHashes(pa.record_batch({"a": values})).of("a")


def counted(values, size):
    made = Tally()
    for start in range(0, len(values), size):
        made.add(values[start : start + size])
    return made


@given(st.lists(st.integers(0, 30)), st.integers(1, 50))
def test_few_keys_are_counted_exactly(values, size):
    made = counted(hashes(pa.array(values, pa.int64())), size)
    assert made.level == 0
    assert made.keys == len(set(values))
    assert made.alone == sum(values.count(value) == 1 for value in values)
    assert made.rows == len(values)


@given(st.integers(1, 3000), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_a_sample_does_not_depend_on_batches_or_order(size, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally, "HELD", 100)
        keys = np.random.default_rng(seed).integers(0, 2**64, 3000, dtype=np.uint64).repeat(2)
        one, two = counted(keys, 6000), counted(np.random.default_rng(1).permutation(keys), size)
        assert one.level == two.level > 0
        assert np.array_equal(one.counts, two.counts)
        assert (one.keys, one.alone) == (two.keys, two.alone)
        assert one.alone == 0


def test_estimates_lie_within_the_stated_error(monkeypatch):
    """Half of the keys come once; over 200 streams the mean error is none, its spread what theory says."""
    monkeypatch.setattr(tally, "HELD", 1024)
    errors = []
    for seed in range(200):
        keys = np.random.default_rng(seed).integers(0, 2**64, 40_000, dtype=np.uint64)
        made = counted(np.concatenate([keys, keys[:20_000]]), 7000)
        assert len(made.counts) <= 1024
        errors.append(made.alone / 20_000 - 1)
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(200)
    assert np.std(errors) < 1 / np.sqrt(256)  # 256 of the held keys come once, at least


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.sampled_from("xyz")), min_size=1, max_size=60)


@given(ROWS, st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_a_class_sample_equals_the_measures_while_classes_are_few(rows, size):
    table = pa.table(dict(zip("qrs", map(list, zip(*rows, strict=True)), strict=True)))
    sample = ClassSample(["q", "r"], ["s"])
    for batch in table.to_batches(max_chunksize=size):
        sample.merge(sample.counted(BatchHashes(batch)))
    found, expected = sample.figures(), risk_figures(table, ["q", "r"], ["s"])
    assert found.prosecutor_average == pytest.approx(expected.prosecutor_average)
    assert replace(found, prosecutor_average=0) == replace(expected, prosecutor_average=0)


def test_what_a_sample_cannot_tell_is_the_worst(monkeypatch):
    monkeypatch.setattr(tally, "HELD", 64)
    monkeypatch.setattr(classes, "HELD", 64)
    table = pa.table({"q": [n // 5 for n in range(5000)], "s": list(range(5000))})
    sample = ClassSample(["q"], ["s"])
    for batch in table.to_batches(max_chunksize=500):
        sample.merge(sample.counted(BatchHashes(batch)))
    found = sample.figures()
    assert (found.k, found.prosecutor_max, found.distinct_l) == (1, 1.0, {"s": 1})
    assert found.persons == 5000
    assert found.classes == pytest.approx(1000, rel=0.6)


def test_many_values_of_one_class_are_held_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(classes, "HELD", 500)
    sample = ClassSample([], ["s"])
    for start in range(0, 10_000, 250):
        batch = pa.record_batch({"s": list(range(start, start + 250))})
        sample.merge(sample.counted(BatchHashes(batch)))
    assert sample._values["s"]._pairs.height <= 100
    assert sample.figures().distinct_l == {"s": 100}
    assert ClassSample(["q"], ["s"]).figures().persons == 0
