"""Record suppression and sampling: who stays, the same in every edition, and never half a person."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, UnsupportedColumn
from masking.techniques.conditions import condition
from masking.techniques.records import RecordSuppression, Sampling
from tests.masking.techniques.randomized import ids

SECRET = bytes(range(16))


def sample(share, context, *, record=("id",), secret=SECRET):
    return Sampling(share, record, secret=secret).stays(context)


def test_suppression_leaves_out_what_meets_the_condition():
    made = RecordSuppression(condition({"column": "age", "at_least": 90}))
    assert made.stays({"age": pa.array([89, 90, None])}).tolist() == [True, False, True]
    assert made.context() == ("age",)
    both = RecordSuppression(
        condition({"any": [{"column": "age", "at_least": 90}, {"column": "age", "is_null": True}]})
    )
    assert both.stays({"age": pa.array([89, 90, None])}).tolist() == [True, False, False]
    assert both.stays({"age": pa.array([], pa.int64())}).tolist() == []


def test_suppression_that_cannot_look_stops():
    with pytest.raises(UnsupportedColumn, match="'age'"):
        RecordSuppression(condition({"column": "age", "at_least": 90})).stays({"age": pa.array(["95"])})


@given(st.floats(0.001, 0.999), st.binary(min_size=16, max_size=16))
@settings(max_examples=60, deadline=None)
def test_share(share, secret):
    count = 20_000
    kept = sample(share, {"id": ids(count)}, secret=secret).sum()
    assert abs(kept - share * count) < 6 * math.sqrt(count * share * (1 - share)) + 1


@given(st.floats(0.001, 0.998), st.floats(0.001, 0.998))
@settings(max_examples=60, deadline=None)
def test_a_larger_sample_holds_the_smaller_one(one, other):
    small, large = sorted((one, other))
    context = {"id": ids(2_000)}
    assert not (sample(small, context) & ~sample(large, context)).any()


@given(st.lists(st.sampled_from(["a", "b", "c", "", None]), max_size=20), st.data())
@settings(max_examples=60, deadline=None)
def test_a_person_stays_whole_in_any_batch_and_order(persons, data):
    column = pa.array(persons, pa.string())
    stays = sample(0.5, {"id": column})
    decided = dict(zip(persons, stays.tolist(), strict=True))
    assert stays.tolist() == [decided[person] for person in persons]
    cut = data.draw(st.integers(0, len(persons)))
    pieces = [sample(0.5, {"id": part}).tolist() for part in (column[:cut], column[cut:])]
    assert pieces[0] + pieces[1] == stays.tolist()
    assert sample(0.5, {"id": column.dictionary_encode()}).tolist() == stays.tolist()


def test_all_editions_hold_one_sample_and_another_key_another():
    context = {"id": ids(10_000)}
    editions = [sample(0.1, context) for _ in range(100)]
    assert (np.array(editions) == editions[0]).all()  # a hundred samples of 10 % still show 10 %
    fresh = [sample(0.1, context, secret=bytes([key] * 16)) for key in range(50)]
    assert np.logical_or.reduce(fresh).mean() > 0.99  # drawn anew they would show nearly everybody
    both = (fresh[0] & fresh[1]).mean()
    assert 0.005 < both < 0.016


def test_the_sample_says_nothing_about_values():
    values = np.random.default_rng(1).normal(size=20_000)
    stays = sample(0.5, {"id": ids(20_000)})
    assert abs(values[stays].mean() - values[~stays].mean()) < 0.07
    neighbours = np.corrcoef(stays[1:], stays[:-1])[0, 1]
    assert abs(neighbours) < 0.04


def test_several_record_columns():
    context = {"a": pa.array([1, 1, 2, 2] * 100), "b": pa.array([1, 2, 1, 2] * 100)}
    made = Sampling(0.5, ("a", "b"), secret=SECRET)
    assert made.context() == ("a", "b")
    assert len({tuple(part) for part in made.stays(context).reshape(-1, 4)}) == 1


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_shares(share):
    with pytest.raises(InvalidParameter):
        Sampling(share, ("id",), secret=SECRET)


def test_columns_that_tell_no_records_apart():
    with pytest.raises(UnsupportedColumn):
        sample(0.5, {"id": pa.array([b"a"])})
    with pytest.raises(UnsupportedColumn):
        sample(0.5, {}, record=())


def test_hides_its_key():
    assert repr(SECRET)[2:-1] not in repr(Sampling(0.5, ("id",), secret=SECRET))
    assert "secret" not in repr(Sampling(0.5, ("id",), secret=SECRET))
