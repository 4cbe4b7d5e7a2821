"""FF1: the standard's samples, an independent implementation, a bijection on every length, refusals."""

import importlib.util
import types
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue
from masking.techniques import ff1 as ff1_module
from masking.techniques.ff1 import ALPHABET, FF1, Rounds

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


def test_no_collision_and_an_exact_inverse_among_ten_million():
    ff1, step = FF1(KEY), 1 << 20
    numbers = np.arange(10_000_000, dtype=np.int64) * 61_803_398_874 + 10**17  # 10 M distinct numbers of 18 digits
    encrypted = np.empty_like(numbers)
    for start in range(0, len(numbers), step):
        values = pa.array(numbers[start : start + step]).cast(pa.string())
        surrogates = ff1.encrypt(values)
        assert pc.all(pc.equal(pc.binary_length(surrogates), 18)).as_py()
        assert ff1.decrypt(surrogates).equals(values)
        encrypted[start : start + step] = surrogates.cast(pa.int64())
    encrypted.sort()
    assert numbers[-1] < 10**18
    assert (encrypted[1:] != encrypted[:-1]).all()


class Blocks:
    """A block cipher that answers one block for all: the rounds' arithmetic at its edges, which no key reaches."""

    def __init__(self, block):
        self.block = block

    def __call__(self, blocks):
        return self.block * (len(blocks) // 16)

    def into(self, blocks, out):
        out[: len(blocks)] = self(blocks)


@pytest.mark.parametrize(
    "block", [b"\xff" * 16, bytes(16), b"\xff" * 8 + bytes(8), b"\xff" * 7 + b"\xfe" + b"\xff" * 8]
)
@pytest.mark.parametrize("length", [6, 11, 18, 19, 20, 25, 36])
def test_sums_that_pass_64_bits_are_exact(block, length):
    values = ["0" * length, "9" * length, ("0123456789" * 4)[:length]]
    u = length // 2
    a, b = (np.array([int(v[part]) for v in values], np.uint64) for part in (slice(u), slice(u, None)))
    rounds = Rounds(10, Blocks(block), b"", length)
    left, right = rounds.encrypt(a, b)
    expected = [plain_ff1.encrypt_with(Blocks(block), 10, b"", value) for value in values]
    assert [f"{x:0{u}d}{y:0{length - u}d}" for x, y in zip(left.tolist(), right.tolist(), strict=True)] == expected
    for given_, undone in zip((a, b), rounds.decrypt(left, right), strict=True):
        assert (given_ == undone).all()


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_values_outside_are_found_in_any_chunk(data):
    letters = st.sampled_from("0123456789x/:-")
    values = data.draw(st.lists(st.text(letters, min_size=9, max_size=9), min_size=1, max_size=40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("masking.techniques.ff1._CHUNK", 7)
        converted, outside = FF1(KEY).convert(pa.array(values))
    wrong = [not value.isdigit() for value in values]
    assert (outside is None) == (not any(wrong))
    assert outside is None or outside.tolist() == wrong
    expected = [None if bad else FF1(KEY).encrypt([v])[0] for v, bad in zip(values, wrong, strict=True)]
    assert converted.to_pylist() == expected


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


@pytest.mark.parametrize("converts", [True, False])
def test_a_compiled_kernel_is_asked_first_and_may_decline(monkeypatch, converts):
    class Kernel:
        def __init__(self, cipher, steps, room, *, forward):
            self.forward = forward
            assert [step[2] for step in steps] == [10**5, 10**6] * 5
            assert room == 3

        def convert(self, letters, out):
            out[:] = letters[:, ::-1]
            return converts

    monkeypatch.setattr(ff1_module, "compiled_kernel", lambda: types.SimpleNamespace(Kernel=Kernel))
    monkeypatch.setattr(ff1_module, "_WORTH_COMPILING", 3)
    values = ["13800000000", "13900000000", "13700000000"]
    expected = [value[::-1] for value in values] if converts else plain(values)
    assert FF1(KEY).encrypt(values) == expected
    assert FF1(KEY).encrypt(values[:2]) == plain(values[:2])  # not worth it
    assert FF1(KEY, 16).encrypt(values) == plain(values, 16)  # not its numerals


def plain(values, radix=10):
    return [plain_ff1.encrypt(KEY, radix, b"", value) for value in values]


def test_without_numba_there_is_no_compiled_kernel(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert ff1_module.compiled_kernel.__wrapped__() is None
