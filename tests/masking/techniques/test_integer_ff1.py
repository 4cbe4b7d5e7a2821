"""FF1 on integers: equal to the standard's algorithm on lists of numerals, a bijection of every size, refusals."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter
from masking.techniques.ff1 import BlockCipher
from masking.techniques.integer_ff1 import CHUNK, TWEAK_BYTES, IntegerFF1, TweakedRounds, least_radix

_SPEC = importlib.util.spec_from_file_location("plain_ff1", Path(__file__).with_name("plain_ff1.py"))
plain_ff1 = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(plain_ff1)

KEY = bytes(range(16))
CIPHERS = {"aes": algorithms.AES, "sm4": algorithms.SM4}
SIZES = (10**6, 999_999 + 2, 56 * 10**8, 2**32 - 1, 2**32, 2**32 + 1, 35 * 10**4 * 109_573 * 1000, 10**18, 2**64 - 1)


def numeral_ff1(key, radix, tweak, numerals, algorithm=algorithms.AES):
    """FF1.Encrypt as Algorithm 7 writes it, on a list of numerals of any radix up to 2^16."""

    def block(data):
        return Cipher(algorithm(key), modes.ECB()).encryptor().update(data)

    def number(x):
        total = 0
        for numeral in x:
            total = total * radix + numeral
        return total

    def spelled(total, m):
        out = []
        for _ in range(m):
            out.append(total % radix)
            total //= radix
        return out[::-1]

    n, t = len(numerals), len(tweak)
    u = n // 2
    v = n - u
    a, b_ = numerals[:u], numerals[u:]
    b = -(-(radix**v - 1).bit_length() // 8)
    d = 4 * -(-b // 4) + 4
    p = bytes([1, 2, 1]) + radix.to_bytes(3, "big") + bytes([10, u % 256]) + n.to_bytes(4, "big") + t.to_bytes(4, "big")
    for i in range(10):
        message = p + tweak + bytes((-t - b - 1) % 16) + bytes([i]) + number(b_).to_bytes(b, "big")
        r = bytes(16)
        for j in range(0, len(message), 16):
            r = block(bytes(x ^ y for x, y in zip(r, message[j : j + 16], strict=True)))
        m = u if i % 2 == 0 else v
        a, b_ = b_, spelled((number(a) + int.from_bytes(r[:d], "big")) % radix**m, m)
    return a + b_


def plain(key, size, tweak, value, cipher="aes"):
    """One value of an integer domain: numerals, FF1, and again while it is outside."""
    length = 2 if size <= 2**32 else 4
    radix = least_radix(size, length)
    while True:
        numerals = [value // radix**place % radix for place in reversed(range(length))]
        result = numeral_ff1(key, radix, tweak.to_bytes(TWEAK_BYTES, "big"), numerals, CIPHERS[cipher])
        value = sum(numeral * radix**place for numeral, place in zip(result, reversed(range(length)), strict=True))
        if value < size:
            return value


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 36), st.lists(st.integers(0, 2**30), min_size=2, max_size=30), st.binary(max_size=20))
def test_the_second_implementation_agrees_with_the_first(radix, numerals, tweak):
    numerals = [numeral % radix for numeral in numerals]
    text = "".join(plain_ff1.LETTERS[numeral] for numeral in numerals)
    expected = plain_ff1.encrypt(KEY, radix, tweak, text)
    assert "".join(plain_ff1.LETTERS[n] for n in numeral_ff1(KEY, radix, tweak, numerals)) == expected


@pytest.mark.parametrize("cipher", ["aes", "sm4"])
@pytest.mark.parametrize("size", SIZES)
def test_equals_the_standard_value_for_value_and_tweak_for_tweak(size, cipher):
    random = np.random.default_rng(size % 1000)
    numbers = np.append(random.integers(0, size, 40, dtype=np.uint64), np.array([0, size - 1], dtype=np.uint64))
    tweaks = random.integers(0, 2**56, len(numbers), dtype=np.uint64)
    tweaks[:2] = 0, 2**56 - 1
    ours = IntegerFF1(KEY, size, cipher)
    for under in (tweaks, 0, 2**56 - 1):
        encrypted = ours.encrypt(numbers, under)
        each = tweaks if under is tweaks else [under] * len(numbers)
        assert encrypted.tolist() == [
            plain(KEY, size, int(tweak), int(number), cipher) for number, tweak in zip(numbers, each, strict=True)
        ]
        assert (ours.decrypt(encrypted, under) == numbers).all()


@pytest.mark.parametrize(("radix", "length"), [(41, 4), (41, 5), (41, 11), (41, 22), (41, 17), (38, 24), (2, 20)])
def test_strings_under_a_tweak_for_every_value(radix, length):
    """Lengths whose halves need one to eight bytes: then the round's number stands in the tweak's own word."""
    random = np.random.default_rng(length)
    u, v = length // 2, length - length // 2
    left, right = (random.integers(0, radix**m, 20, dtype=np.uint64) for m in (u, v))
    tweaks = random.integers(0, 2**56, 20, dtype=np.uint64)
    a, b = left.copy(), right.copy()
    rounds = TweakedRounds(radix, BlockCipher(KEY, "aes"), length)
    rounds.in_place_under(tweaks, a, b, forward=True)
    for row in range(20):
        numerals = [int(left[row]) // radix**place % radix for place in reversed(range(u))]
        numerals += [int(right[row]) // radix**place % radix for place in reversed(range(v))]
        expected = numeral_ff1(KEY, radix, int(tweaks[row]).to_bytes(TWEAK_BYTES, "big"), numerals)
        assert int(a[row]) == sum(n * radix**p for n, p in zip(expected[:u], reversed(range(u)), strict=True))
        assert int(b[row]) == sum(n * radix**p for n, p in zip(expected[u:], reversed(range(v)), strict=True))
    rounds.in_place_under(tweaks, a, b, forward=False)
    assert (a == left).all()
    assert (b == right).all()


@pytest.mark.parametrize("size", [10**6, 1_000_003, 3_400_000])
def test_every_number_of_a_small_domain_is_hit_once(size):
    numbers = np.arange(size, dtype=np.uint64)
    encrypted = IntegerFF1(KEY, size).encrypt(numbers, 7)
    assert (np.sort(encrypted) == numbers).all()
    assert (encrypted != numbers).sum() > size - 20


def test_chunks_do_not_show():
    ours = IntegerFF1(KEY, 10**12)
    numbers = np.arange(2 * CHUNK + 3, dtype=np.uint64)
    tweaks = numbers % np.uint64(5)
    whole = ours.encrypt(numbers, tweaks)
    assert (
        whole[CHUNK - 2 : CHUNK + 2] == ours.encrypt(numbers[CHUNK - 2 : CHUNK + 2], tweaks[CHUNK - 2 : CHUNK + 2])
    ).all()
    assert len(ours.encrypt(np.array([], dtype=np.uint64))) == 0


def test_tweaks_and_keys_permute_independently():
    numbers = np.arange(1000, dtype=np.uint64)
    ours = IntegerFF1(KEY, 10**9)
    assert (ours.encrypt(numbers, 1) != ours.encrypt(numbers, 2)).all()
    assert (ours.encrypt(numbers, 1) != IntegerFF1(bytes(16), 10**9).encrypt(numbers, 1)).all()
    assert "key hidden" in repr(ours)
    assert repr(KEY) not in repr(ours)


@given(st.integers(10**6, 2**64 - 1))
def test_hardly_any_value_walks(size):
    length = 2 if size <= 2**32 else 4
    radix = least_radix(size, length)
    assert radix <= 2**16
    assert (radix - 1) ** length < size <= radix**length
    assert radix**length / size < (1 + 1 / 60)


@pytest.mark.parametrize("size", [999_999, 0, -1, 2**64])
def test_refuses_small_and_vast_domains(size):
    with pytest.raises(InvalidParameter, match="1,000,000"):
        IntegerFF1(KEY, size)
