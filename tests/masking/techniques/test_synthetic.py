"""Synthetic columns: nothing of the raw value comes out, not even that it was null."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, UnkeyedToken
from masking.keys import MappingKeys
from masking.techniques import get

KEYS = MappingKeys({"one": bytes(range(32)), "other": bytes(range(1, 33))})
SOME = {
    "constant": {"value": "不公开"},
    "codes": {"values": ["A", "B", "O", "AB"]},
    "faker": {"kind": "person"},
}


def build(name, key="one", attribute="made", **parameters):
    cls = get(f"synthetic.{name}")
    return cls.build(
        parameters or SOME[name],
        attribute=attribute,
        key=key if cls.needs_key else None,
        keys=KEYS,
        record=("id",) if cls.per_record() else (),
    )


def ids(count, start=0):
    return {"id": pa.array(range(start, start + count))}


@pytest.mark.parametrize("name", sorted(SOME))
@given(values=st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=1, max_size=12), data=st.data())
@settings(max_examples=25, deadline=None)
def test_the_raw_column_plays_no_part(name, values, data):
    count = len(values)
    masked = build(name).apply(pa.array(values, pa.int64()), ids(count))
    assert masked.null_count == 0
    assert len(masked) == count
    others = data.draw(st.sampled_from([pa.nulls(count), pa.array(["甲"] * count), pa.array([[1]] * count)]))
    assert build(name).apply(others, ids(count)).equals(masked)
    cut = data.draw(st.integers(0, count))
    pieces = [build(name).apply(pa.nulls(size), ids(size, start)) for start, size in ((0, cut), (cut, count - cut))]
    assert pa.concat_arrays(pieces).equals(masked)


@pytest.mark.parametrize("name", ["codes", "faker"])
def test_key_record_and_attribute_decide(name):
    column = pa.nulls(300)
    masked = build(name).apply(column, ids(300)).to_pylist()
    assert build(name).apply(column, ids(300)).to_pylist() == masked
    for other in (
        build(name, key="other").apply(column, ids(300)),
        build(name, attribute="another").apply(column, ids(300)),
        build(name).apply(column, ids(300, 300)),
    ):
        assert other.to_pylist() != masked
    with pytest.raises(UnkeyedToken):
        get(f"synthetic.{name}").build(SOME[name], attribute="made", keys=KEYS, record=("id",))
    with pytest.raises(InvalidParameter, match="record"):
        get(f"synthetic.{name}").build(SOME[name], attribute="made", key="one", keys=KEYS)


@pytest.mark.parametrize(("weights", "shares"), [(None, [0.25] * 4), ([1, 0, 2, 1], [0.25, 0, 0.5, 0.25])])
def test_codes_are_drawn_by_their_weights(weights, shares):
    """40,000 draws: each share within five standard deviations."""
    made = build("codes", values=["A", "B", "O", "AB"], **({} if weights is None else {"weights": weights}))
    masked = made.apply(pa.nulls(40_000), ids(40_000)).to_pylist()
    for code, share in zip(["A", "B", "O", "AB"], shares, strict=True):
        assert abs(masked.count(code) / 40_000 - share) <= 5 * np.sqrt(share * (1 - share) / 40_000)


@pytest.mark.parametrize(
    ("name", "parameters", "type_"),
    [
        ("constant", {"value": 5}, pa.int64()),
        ("constant", {"value": 0.5}, pa.float64()),
        ("constant", {"value": ""}, pa.string()),
        ("codes", {"values": [1, 2]}, pa.int64()),
        ("codes", {"values": [1, "2"]}, pa.string()),
        ("faker", {"kind": "job", "locale": "en_US"}, pa.string()),
    ],
)
def test_types(name, parameters, type_):
    made = build(name, **parameters)
    assert made.output_type(pa.null()) == type_
    assert made.apply(pa.array([[1]]), ids(1)).type == type_
    assert made.apply(pa.array([], pa.string()), ids(0)).type == type_


def test_persons_are_marked_and_rarely_alike():
    masked = build("faker").apply(pa.array(["张三"] * 1000), ids(1000)).to_pylist()
    assert all(name.endswith("（化名）") for name in masked)
    assert len(set(masked)) > 990


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("constant", {"value": 2**63}),
        ("constant", {"value": [1]}),
        ("codes", {"values": []}),
        ("codes", {"values": ["1", 1]}),  # one code twice
        ("codes", {"values": ["a"], "weights": [1, 2]}),
        ("codes", {"values": ["a"], "weights": [0]}),
        ("codes", {"values": ["a", "b"], "weights": [2, -1]}),
        ("codes", {"values": ["a"], "weights": [float("inf")]}),
        ("codes", {"values": [2**63]}),
        ("faker", {"kind": "person", "mark": "先生"}),
        ("faker", {"kind": "cat"}),
    ],
)
def test_parameters_outside_their_interval(name, parameters):
    with pytest.raises(InvalidParameter):
        build(name, **parameters)
