"""Tokens by HMAC-SM3: the standard's vectors, a plain implementation, distinct values once, the laws of a token."""

import importlib.util
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter
from masking.keys import as_keys, derive
from masking.techniques.base import get
from masking.techniques.pseudonymization import ColumnSM3

_SPEC = importlib.util.spec_from_file_location("plain_sm3", Path(__file__).with_name("plain_sm3.py"))
plain_sm3 = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(plain_sm3)

KEYS = as_keys({"k": bytes(range(32)), "other": bytes(32)})
VALUES = st.lists(st.none() | st.text(max_size=70), max_size=20)


def keyed(key="k", **parameters):
    return get("pseudonymization.keyed").build(parameters, attribute="a", key=key, keys=KEYS)


@pytest.mark.parametrize(("message", "digest"), list(plain_sm3.vectors()))
def test_standard_vectors_by_the_plain_implementation(message, digest):
    assert plain_sm3.sm3(message) == digest


@settings(max_examples=30, deadline=None)
@given(VALUES, st.binary(min_size=16, max_size=64))
def test_tokens_equal_the_plain_implementation(values, key):
    expected = [None if v is None else plain_sm3.hmac_sm3(key, v.encode())[:8].hex() for v in values]
    assert ColumnSM3(key).tokens(pa.array(values, pa.string())).to_pylist() == expected


def test_the_technique_has_a_key_of_its_own():
    secret = derive(bytes(range(32)), domain="k", technique="pseudonymization.keyed")
    own = derive(secret, domain="pseudonymization.keyed", technique="hmac-sm3")
    (token,) = keyed(algorithm="hmac-sm3").apply(pa.array(["张三"])).to_pylist()
    assert token == plain_sm3.hmac_sm3(own, "张三".encode())[:8].hex()


@settings(max_examples=30, deadline=None)
@given(VALUES, st.integers(0, 20), st.sampled_from(["aes-cmac", "hmac-sm3"]))
def test_laws_of_a_token(values, cut, algorithm):
    technique, column = keyed(algorithm=algorithm), pa.array(values, pa.string())
    tokens = technique.apply(column)
    assert [v is None for v in values] == [t is None for t in tokens.to_pylist()]
    assert all(len(token) == 16 and set(token) <= set("0123456789abcdef") for token in tokens.drop_null().to_pylist())
    assert len(set(values)) == len(set(tokens.to_pylist()))
    parts = [technique.apply(part) for part in (column.slice(0, cut), column.slice(cut))]
    assert pa.concat_arrays(parts).equals(tokens)  # whole = chunked
    assert keyed(algorithm=algorithm).apply(column.dictionary_encode()).equals(tokens)
    other = keyed("other", algorithm=algorithm).apply(column).to_pylist()
    assert not set(other) & set(tokens.drop_null().to_pylist())


def test_each_distinct_value_is_computed_once():
    sm3 = ColumnSM3(bytes(16))
    seen = []
    token = sm3._token
    sm3._token = lambda value: seen.append(value) or token(value)
    tokens = sm3.tokens(pa.array(["a", "b", None, "a"] * 1000))
    assert seen == ["a", "b"]
    assert tokens.to_pylist()[:4] == [token("a"), token("b"), None, token("a")]


def test_one_token_whatever_type_holds_the_value():
    technique = keyed(algorithm="hmac-sm3")
    outputs = [technique.apply(c).to_pylist() for c in (pa.array([5]), pa.array(["5"]), pa.array([5.0]))]
    assert outputs[0] == outputs[1] == outputs[2]


def test_unknown_algorithms_are_refused():
    with pytest.raises(InvalidParameter, match="algorithm"):
        keyed(algorithm="sm3")


def test_repr_hides_the_key():
    assert repr(ColumnSM3(bytes(range(16)))) == "ColumnSM3(<key hidden>)"
