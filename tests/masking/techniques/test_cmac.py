"""Column AES-CMAC: RFC 4493's vectors, and cryptography's CMAC value for value."""

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.techniques.pseudonymization import ColumnCMAC

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)


def reference(key, message):
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


@pytest.mark.parametrize(
    ("length", "mac"),
    [
        (0, "bb1d6929e95937287fa37d129b756746"),  # RFC 4493, example 1
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),  # example 2
        (40, "dfa66747de9ae63030ca32611497c827"),  # example 3
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),  # example 4
    ],
)
def test_rfc_4493(length, mac):
    matrix = np.frombuffer(MESSAGE[:length], dtype=np.uint8).reshape(1, length)
    assert ColumnCMAC(KEY).macs(matrix).tobytes().hex() == mac == reference(KEY, MESSAGE[:length]).hex()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=40)), max_size=40), st.sampled_from([16, 24, 32]))
def test_tokens_equal_cryptography_value_for_value(values, size):
    key = bytes(range(size))
    expected = [None if value is None else reference(key, value.encode())[:8].hex() for value in values]
    tokens = ColumnCMAC(key).tokens(pa.array(values, pa.string()))
    assert tokens.to_pylist() == expected
    assert tokens.type == pa.string()


def test_long_column_is_chunked_and_the_same():
    values = pa.array([str(number) for number in range(100_000)])
    tokens = ColumnCMAC(KEY).tokens(values)
    for place in (0, 9, 10, 32_767, 32_768, 99_999):
        assert tokens[place].as_py() == reference(KEY, str(place).encode())[:8].hex()
    assert len(tokens.unique()) == len(values)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array([5]), "5"),
        (pa.array([5.0]), "5"),  # an integer column with gaps, read by pandas
        (pa.array([5.5]), "5.5"),
        (pa.array([18262], pa.date32()), "2020-01-01"),
        (pa.array(["5"]).dictionary_encode().dictionary_decode(), "5"),
        (pa.array(["5"], pa.large_string()), "5"),
    ],
)
def test_one_token_whatever_type_holds_the_value(column, text):
    assert ColumnCMAC(KEY).tokens(column).to_pylist() == [reference(KEY, text.encode())[:8].hex()]


def test_repr_hides_the_key():
    assert KEY.hex() not in repr(ColumnCMAC(KEY))
