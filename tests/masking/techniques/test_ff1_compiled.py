"""The compiled kernel gives what the pure one gives, value for value; skipped where numba is not installed."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.techniques import ff1
from masking.techniques.ff1 import FF1

pytest.importorskip("numba", reason="numba (the extra `fast`) is not installed: there is no compiled kernel to compare")
KEY = bytes(range(16))


@pytest.fixture
def compiled(monkeypatch):
    monkeypatch.setattr(ff1, "_WORTH_COMPILING", 1)
    monkeypatch.setattr(ff1, "_CHUNK", 1000)


def pure(column, tweak=b"", *, key=KEY, forward=True):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ff1, "compiled_kernel", lambda: None)
        return FF1(key).convert(column, tweak, forward=forward)


def numbers(length, count, seed):
    drawn = np.random.default_rng(seed).integers(0, 10 ** min(length, 18), count)
    return pa.array([f"{n:0{length}d}" for n in [0, 10**length - 1, *drawn.tolist()]])


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("length", range(6, 21))
@pytest.mark.parametrize("size", [16, 32])
def test_every_length_is_equal_to_the_pure_kernel(length, size):
    column, key, tweak = numbers(length, 4100, length), bytes(range(size)), b"tweak" * size
    encrypted, outside = FF1(key).convert(column, tweak)
    assert outside is None
    assert encrypted.equals(pure(column, tweak, key=key)[0])
    assert FF1(key).decrypt(encrypted, tweak).equals(column)
    assert pure(encrypted, tweak, key=key, forward=False)[0].equals(column)


@pytest.mark.parametrize("length", [7, 8, 18, 19])
def test_it_is_the_compiled_kernel_that_works(compiled, monkeypatch, length):
    del compiled
    called = []
    kernel = ff1.compiled_kernel().Kernel
    monkeypatch.setattr(
        ff1.compiled_kernel(), "Kernel", lambda *given, **words: called.append(1) or kernel(*given, **words)
    )
    FF1(KEY).encrypt(numbers(length, 10, 0))
    assert bool(called) == (8 <= length <= 18)


@settings(max_examples=60, deadline=None)
@given(st.integers(8, 18), st.data())
def test_letters_outside_are_found(length, data):
    letters = st.text("0123456789/:xé\0", min_size=length, max_size=length)
    digits = st.text("0123456789", min_size=length, max_size=length)
    values = data.draw(st.lists(st.none() | digits | letters, min_size=1, max_size=20))
    column = pa.array(values, pa.string())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ff1, "_WORTH_COMPILING", 1)
        patch.setattr(ff1, "_CHUNK", 5)
        converted, outside = FF1(KEY).convert(column)
    expected, wrong = pure(column)
    assert converted.equals(expected)
    assert (outside is None) == (wrong is None)
    assert outside is None or (outside == wrong).all()


@settings(max_examples=200, deadline=None)
@given(st.integers(4, 9), st.integers(0, 2**64 - 1), st.data())
def test_remainders_are_exact_at_the_edges(digits, given_, data):
    """A block may hold any 64 bits; the floating-point quotient must not show, least of all beside multiples."""
    modulus = 10**digits
    near = given_ - given_ % modulus + data.draw(st.integers(-2, 2))
    number = data.draw(st.sampled_from([0, 1, modulus - 1, modulus // 2]))
    for r in (given_, min(max(near, 0), 2**64 - 1), 0, 2**64 - 1):
        for forward in (True, False):
            changed, blocks = np.array([number], np.uint64), np.zeros(2, np.uint64)
            taken = np.array([r, 0], np.uint64).byteswap()
            ff1.compiled_kernel().advance(taken, changed, blocks, np.uint64(modulus), np.uint64(0), forward)
            assert int(changed[0]) == (number + r if forward else number - r) % modulus
            assert int(blocks[1].byteswap()) == int(changed[0])
