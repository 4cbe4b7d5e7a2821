"""SM4: the standard's vectors, and FF1 over a second, plain implementation of the cipher."""

import importlib.util
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.keys import as_keys
from masking.techniques.base import get
from masking.techniques.ff1 import FF1, BlockCipher


def _beside(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


plain_ff1, plain_sm4 = _beside("plain_ff1"), _beside("plain_sm4")
ONCE, MILLION = plain_sm4.vectors()
KEY = bytes(range(16))


def sm4_ff1(key, radix, tweak, text):
    """FF1 with nothing of the library in it: plain FF1 over plain SM4."""
    keys = plain_sm4.round_keys(key)
    return plain_ff1.encrypt_with(lambda block: plain_sm4.encrypt_block(keys, block), radix, tweak, text)


def test_standard_vector_by_the_plain_implementation():
    key, times, plain, cipher = ONCE
    assert times == 1
    assert plain_sm4.encrypt(key, plain) == cipher


def test_standard_vector_by_the_column_cipher():
    key, _, plain, cipher = ONCE
    assert BlockCipher(key, "sm4")(plain * 3) == cipher * 3
    out = bytearray(3 * 16 + 15)
    BlockCipher(key, "sm4").into(plain * 3, out)
    assert out[:48] == cipher * 3


def test_standard_vector_of_a_million_encryptions():
    key, times, block, cipher = MILLION
    encrypt = BlockCipher(key, "sm4")
    for _ in range(times):
        block = encrypt(block)
    assert block == cipher


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_the_library_and_the_plain_cipher_agree(key, block):
    assert BlockCipher(key, "sm4")(block) == plain_sm4.encrypt(key, block)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([10, 36]), st.integers(6, 45), st.binary(max_size=20), st.data())
def test_columns_equal_plain_ff1_over_plain_sm4(radix, length, tweak, data):
    text = data.draw(st.text("0123456789abcdefghijklmnopqrstuvwxyz"[:radix], min_size=length, max_size=length))
    (encrypted,) = FF1(KEY, radix, "sm4").encrypt([text], tweak)
    assert encrypted == sm4_ff1(KEY, radix, tweak, text)
    assert FF1(KEY, radix, "sm4").decrypt([encrypted], tweak) == [text]


def test_each_distinct_value_is_encrypted_once():
    counted = []

    class Counting(BlockCipher):
        def into(self, blocks, out):
            counted.append(len(blocks) // 16)
            super().into(blocks, out)

    ff1 = FF1(KEY, 10, "sm4")
    ff1._block = Counting(KEY, "sm4")
    values = [f"{138_0000_0000 + n}" for n in range(50)]
    column = pa.array([*values * 200, None, "1"])
    converted, outside = ff1.convert(column)
    assert sum(counted) == 10 * 50
    assert converted.to_pylist() == [*FF1(KEY, 10, "sm4").encrypt(values) * 200, None, None]
    assert np.flatnonzero(outside).tolist() == [len(column) - 1]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.none() | st.text("0123456789", min_size=6, max_size=12), max_size=20), st.integers(0, 20))
def test_laws_of_the_technique(values, cut):
    technique = get("cryptographic.ff1").build({"cipher": "sm4"}, attribute="a", key="k", keys=as_keys({"k": KEY}))
    column = pa.array(values, pa.string())
    masked = technique.apply(column)
    assert [None if v is None else len(v) for v in values] == [
        None if v is None else len(v) for v in masked.to_pylist()
    ]
    parts = [technique.apply(part) for part in (column.slice(0, cut), column.slice(cut))]
    assert pa.concat_arrays(parts).equals(masked)  # whole = chunked
    assert technique.apply(column).equals(masked)
    assert len(set(values)) == len(set(masked.to_pylist()))


@pytest.mark.parametrize("key", [bytes(24), bytes(32), b""])
def test_sm4_has_keys_of_16_bytes(key):
    from masking.errors import InvalidParameter

    with pytest.raises(InvalidParameter):
        FF1(key, 10, "sm4")
