"""FF1: the standard's samples, an independent implementation, a bijection on every length, refusals."""

import importlib.util
from pathlib import Path

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue
from masking.techniques.cryptographic import ALPHABET, FF1

_SPEC = importlib.util.spec_from_file_location("plain_ff1", Path(__file__).with_name("plain_ff1.py"))
plain_ff1 = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(plain_ff1)

KEY = bytes(range(16))
SAMPLES = list(plain_ff1.samples())


@pytest.mark.parametrize(("key", "radix", "tweak", "plain", "cipher"), SAMPLES, ids=range(1, 10))
def test_nist_samples_are_exact(key, radix, tweak, plain, cipher):
    assert plain_ff1.encrypt(key, radix, tweak, plain) == cipher
    assert FF1(key, radix).encrypt([plain, None, plain], tweak) == [cipher, None, cipher]
    assert FF1(key, radix).decrypt([cipher], tweak) == [plain]


def test_there_are_nine_samples():
    assert len(SAMPLES) == 9


@st.composite
def cases(draw):
    radix = draw(st.sampled_from([2, 3, 8, 10, 16, 26, 36]))
    least = FF1(KEY, radix).minimum_length
    length = draw(st.integers(least, least + 60))
    letters = ALPHABET[:radix]
    text = draw(st.text(letters, min_size=length, max_size=length))
    return radix, text, draw(st.binary(max_size=40)), draw(st.sampled_from([16, 24, 32]))


@settings(max_examples=40, deadline=None)
@given(cases())
def test_columns_equal_the_plain_implementation(case):
    radix, text, tweak, size = case
    key = bytes(range(size))
    (encrypted,) = FF1(key, radix).encrypt([text], tweak)
    assert encrypted == plain_ff1.encrypt(key, radix, tweak, text)
    assert FF1(key, radix).decrypt([encrypted], tweak) == [text]


@settings(max_examples=20, deadline=None)
@given(st.text("0123456789", min_size=6, max_size=40))
def test_sm4_equals_the_plain_implementation(text):
    assert FF1(KEY, 10, "sm4").encrypt([text]) == [plain_ff1.encrypt(KEY, 10, b"", text, algorithms.SM4)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text("0123456789", min_size=6, max_size=25)), max_size=30))
def test_laws_of_a_column(values):
    ff1 = FF1(KEY)
    encrypted = ff1.encrypt(values)
    assert [None if v is None else len(v) for v in values] == [None if v is None else len(v) for v in encrypted]
    assert ff1.decrypt(encrypted) == values
    assert len({v for v in values if v}) == len({v for v in encrypted if v})  # one to one
    chunked = pa.chunked_array([pa.array(values[:7], pa.string()), pa.array(values[7:], pa.string())])
    assert ff1.encrypt(chunked).to_pylist() == encrypted  # whole = chunked


def test_no_collision_among_many():
    values = pa.array([f"138{i:08d}" for i in range(200_000)])
    encrypted = FF1(KEY).encrypt(values)
    assert len(encrypted.unique()) == len(values)
    assert FF1(KEY).decrypt(encrypted).equals(values)


def test_same_kind_comes_out():
    ff1 = FF1(KEY)
    assert isinstance(ff1.encrypt(["123456"]), list)
    assert ff1.encrypt(pa.array(["123456"])).type == pa.string()
    assert ff1.encrypt(pa.array(["123456"], pa.large_string())).type == pa.large_string()
    assert isinstance(ff1.encrypt(pa.chunked_array([["123456"]])), pa.ChunkedArray)
    assert ff1.encrypt(pa.array(["123456"]).dictionary_encode()).to_pylist() == ff1.encrypt(["123456"])
    assert ff1.encrypt(pa.array([123456])).to_pylist() == ff1.encrypt(["123456"])
    assert ff1.encrypt([]) == []
    assert ff1.encrypt([None]) == [None]
    sliced = pa.array(["999999", "123456", None, "234567"]).slice(1)
    assert ff1.encrypt(sliced).to_pylist() == ff1.encrypt(["123456", None, "234567"])


def test_keys_and_tweaks_separate():
    outputs = [
        FF1(KEY).encrypt(["13800000000"]),
        FF1(KEY).encrypt(["13800000000"], b"t"),
        FF1(KEY[::-1]).encrypt(["13800000000"]),
        FF1(KEY, 10, "sm4").encrypt(["13800000000"]),
        FF1(KEY, 11).encrypt(["13800000000"]),
    ]
    assert len({output[0] for output in outputs}) == len(outputs)


@pytest.mark.parametrize(
    "value",
    [
        "99999",  # 10^5 values: below the domain of a million
        "",  # one value
        "12345X",  # outside the alphabet
        "１２３４５６",  # full-width digits are other characters
        "1234567é",
        "-1234567",
    ],
)
def test_values_outside_the_format_are_refused_unseen(value):
    with pytest.raises(InvalidValue) as refused:
        FF1(KEY).encrypt(["123456", value])
    assert refused.value.count == 1
    assert refused.value.first_rows == (1,)
    assert not value or value not in str(refused.value)


@pytest.mark.parametrize(("radix", "least"), [(2, 20), (10, 6), (36, 4)])
def test_domain_starts_at_a_million(radix, least):
    assert FF1(KEY, radix).minimum_length == least
    assert radix**least >= 10**6 > radix ** (least - 1)


@pytest.mark.parametrize(
    "arguments",
    [
        (KEY, 1),
        (KEY, 37),
        (KEY, True),
        (KEY, "10"),
        (b"short", 10),
        ("0123456789abcdef", 10),
        (KEY, 10, "des"),
        (bytes(32), 10, "sm4"),
    ],
)
def test_wrong_parameters_are_refused(arguments):
    with pytest.raises(InvalidParameter):
        FF1(*arguments)


def test_tweak_is_bounded():
    with pytest.raises(InvalidParameter):
        FF1(KEY).encrypt(["123456"], bytes(2**16 + 1))


def test_repr_hides_the_key():
    assert KEY.hex() not in repr(FF1(KEY))
    assert repr(KEY) not in repr(FF1(KEY))
