"""Draws: uniform, independent, the same for the same record whatever stands around it."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import UnsupportedColumn
from masking.techniques.draws import addresses, draws, identities, uniforms
from tests.masking.techniques.randomized import chi_square, ids, kolmogorov

SECRET = bytes(range(16))
MANY = 200_000
HOSTILE = st.text(alphabet="a0\x1e\x1f\x00é", max_size=4) | st.none()


def test_uniform_over_the_whole_interval():
    drawn = draws(SECRET, [ids(MANY)])
    for column in (0, 1):
        share = uniforms(drawn[:, column])
        assert kolmogorov(share, lambda x: x) < 1.95
        assert abs(chi_square(np.bincount((share * 100).astype(int), minlength=100), [MANY / 100] * 100)) < 4


def test_every_bit_is_fair_and_the_two_numbers_are_independent():
    drawn = draws(SECRET, [ids(MANY)])
    for bit in range(64):
        for column in (0, 1):
            ones = ((drawn[:, column] >> np.uint64(bit)) & np.uint64(1)).sum()
            assert abs(int(ones) - MANY / 2) < 5 * math.sqrt(MANY) / 2
    first, second = (uniforms(drawn[:, column]) for column in (0, 1))
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / math.sqrt(MANY)
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 5 / math.sqrt(MANY)


def test_uniforms_never_reach_0_or_1():
    ends = uniforms(np.array([0, 2**64 - 1, 2**11, 2**64 - 2**11], dtype=np.uint64))
    assert (ends > 0).all()
    assert (ends < 1).all()


def test_another_key_another_record_other_draws():
    one, other = draws(SECRET, [ids(1000)]), draws(bytes(16), [ids(1000)])
    assert not np.isin(one, other).any()
    assert len(np.unique(one)) == 2000


@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_identities_are_equal_exactly_when_records_are(rows):
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in (0, 1)]
    found = identities(columns).to_pylist()
    assert all((found[i] == found[j]) == (rows[i] == rows[j]) for i in range(len(rows)) for j in range(i))
    single = identities(columns[:1]).to_pylist()
    assert all((single[i] == single[j]) == (rows[i][0] == rows[j][0]) for i in range(len(rows)) for j in range(i))


@given(st.lists(HOSTILE, min_size=1, max_size=12), st.data())
@settings(max_examples=100, deadline=None)
def test_a_record_has_its_draws_whatever_its_batch_holds(values, data):
    """A null or an odd character elsewhere in the batch once changed how all its values were spelled."""
    column = pa.array(values, pa.string())
    whole = draws(SECRET, [column])
    place = data.draw(st.integers(0, len(values) - 1))
    assert (draws(SECRET, [column.slice(place, 1)]) == whole[place]).all()
    assert (draws(SECRET, [column.dictionary_encode()]) == whole).all()
    assert (draws(SECRET, [column.cast(pa.large_string())]) == whole).all()


def test_one_spelling_whatever_type_holds_a_value():
    spelled = [pa.array([5, 7]), pa.array([5.0, 7.0]), pa.array(["5", "7"]), pa.array([5, 7], pa.int8())]
    assert len({identities([column]).to_pylist()[0] for column in spelled}) == 1


def test_null_is_a_value_of_its_own():
    found = identities([pa.array([None, "", "null", "None", "\x1e0", "0"])]).to_pylist()
    assert len(set(found)) == 6
    assert identities([pa.array([None, None])]).to_pylist() == [found[0]] * 2


def test_empty():
    assert draws(SECRET, [pa.array([], pa.string())]).shape == (0, 2)
    assert len(addresses([ids(0)])) == 0


@pytest.mark.parametrize("record", [[pa.array([b"Canary"])], [pa.array([["Canary"]])], []])
def test_columns_that_cannot_tell_records_apart(record):
    with pytest.raises(UnsupportedColumn) as refused:
        identities(record)
    assert "Canary" not in str(refused.value)
    assert refused.value.__context__ is None


def test_addresses_are_no_draws():
    """They are the same for everybody, so nothing may be drawn from them."""
    assert (addresses([ids(9)]) == addresses([ids(9)])).all()
    assert not np.isin(addresses([ids(9)]), draws(SECRET, [ids(9)])).any()
