"""cryptographic.aes_siv: the RFC's vectors, a plain SIV beside it, its laws, and what the holder of the key reads."""

import base64
from pathlib import Path

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.keys import as_keys, derive
from masking.techniques.base import get
from masking.techniques.cryptographic import decrypt

KEYS = as_keys({"k": bytes(range(32)), "other": bytes(32)})
VALUES = st.lists(st.none() | st.text(max_size=40), max_size=20)


def vectors():
    for line in Path(__file__).with_name("rfc5297_siv.txt").read_text().splitlines():
        if not line.startswith("#"):
            key, data, plain, output = (part.strip() for part in line.split("|"))
            yield bytes.fromhex(key), [bytes.fromhex(part) for part in data.split(",")], plain, output


def rule(key="k", **parameters):
    return get("cryptographic.aes_siv").build(parameters, attribute="a", key=key, keys=KEYS)


def plain_siv(key, data, text):
    """RFC 5297, 2.4 to 2.6."""

    def mac(message):
        cmac = CMAC(algorithms.AES(key[: len(key) // 2]))
        cmac.update(message)
        return int.from_bytes(cmac.finalize(), "big")

    def doubled(number):
        number <<= 1
        return number & (2**128 - 1) ^ (0x87 if number >> 128 else 0)

    d = mac(bytes(16))
    for part in data:
        d = doubled(d) ^ mac(part)
    if len(text) >= 16:
        end = int.from_bytes(text[-16:], "big") ^ d
        v = mac(text[:-16] + end.to_bytes(16, "big"))
    else:
        v = mac((doubled(d) ^ int.from_bytes((text + b"\x80").ljust(16, b"\0"), "big")).to_bytes(16, "big"))
    counter = v & ~(1 << 63 | 1 << 31)
    stream = Cipher(algorithms.AES(key[len(key) // 2 :]), modes.CTR(counter.to_bytes(16, "big"))).encryptor()
    return v.to_bytes(16, "big") + stream.update(text)


@pytest.mark.parametrize(("key", "data", "plain", "output"), list(vectors()), ids=["A.1", "A.2"])
def test_rfc_5297(key, data, plain, output):
    assert plain_siv(key, data, bytes.fromhex(plain)).hex() == output
    assert AESSIV(key).encrypt(bytes.fromhex(plain), data).hex() == output


@settings(max_examples=30, deadline=None)
@given(VALUES)
def test_columns_equal_the_plain_implementation(values):
    secret = derive(bytes(range(32)), domain="k", technique="cryptographic.aes_siv")
    key = derive(secret, domain="cryptographic.aes_siv", technique="aes-siv", length=32)
    outputs = [None if v is None else plain_siv(key, [], v.encode()) for v in values]
    column = pa.array(values, pa.string())
    assert rule(encoding="hex").apply(column).to_pylist() == [None if o is None else o.hex() for o in outputs]
    letters = [None if o is None else base64.b32encode(o).decode().rstrip("=") for o in outputs]
    assert rule().apply(column).to_pylist() == letters


@settings(max_examples=30, deadline=None)
@given(VALUES, st.integers(0, 20), st.sampled_from(["base32", "hex"]))
def test_laws_of_the_technique(values, cut, encoding):
    technique, column = rule(encoding=encoding), pa.array(values, pa.string())
    masked = technique.apply(column)
    assert [v is None for v in values] == [m is None for m in masked.to_pylist()]
    assert len(set(values)) == len(set(masked.to_pylist()))
    parts = [technique.apply(part) for part in (column.slice(0, cut), column.slice(cut))]
    assert pa.concat_arrays(parts).equals(masked)  # whole = chunked
    assert technique.apply(pa.chunked_array([column.slice(0, cut), column.slice(cut)])).equals(masked)
    assert rule(encoding=encoding).apply(column.dictionary_encode()).equals(masked)
    assert decrypt(technique, masked).to_pylist() == values
    assert decrypt(technique, pa.chunked_array([masked.slice(0, cut), masked.slice(cut)])).to_pylist() == values
    other = rule("other", encoding=encoding).apply(column).to_pylist()
    assert not set(other) & set(masked.drop_null().to_pylist())


def test_numbers_and_dates_come_back_as_their_text():
    for column, text in ((pa.array([5, None]), ["5", None]), (pa.array([18262], pa.date32()), ["2020-01-01"])):
        assert decrypt(rule(), rule().apply(column)).to_pylist() == text


@pytest.mark.parametrize("encoding", ["base32", "hex"])
def test_strange_values_are_refused_unseen(encoding):
    sealed = rule(encoding=encoding).apply(pa.array(["13800000000"])).to_pylist()[0]
    changed = ("A" if sealed[0] != "A" else "B") + sealed[1:]
    strange = ["", "张三", sealed[:-1], sealed + sealed[0], changed, sealed.swapcase(), "canary-7731"]
    with pytest.raises(InvalidValue) as refused:
        decrypt(rule(encoding=encoding), pa.array([sealed, None, *strange]))
    assert refused.value.count == len(strange)
    assert refused.value.first_rows == (2, 3, 4, 5, 6)
    assert "canary" not in str(refused.value)
    with pytest.raises(InvalidValue):
        decrypt(rule("other", encoding=encoding), pa.array([sealed]))


def test_base32_has_one_spelling():
    sealed = rule().apply(pa.array(["ab"])).to_pylist()[0]  # 18 bytes: 29 letters, one bit over
    twin = sealed[:-1] + "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"["ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".index(sealed[-1]) ^ 1]
    assert len(sealed) == 29
    with pytest.raises(InvalidValue):
        decrypt(rule(), pa.array([twin]))


def test_ff1_is_turned_back_too():
    values = pa.array(["13800000000", None, "1234", "1380000000A"])
    for parameters in ({"on_invalid": "token", "mark": "#"}, {"on_invalid": "null"}):
        technique = get("cryptographic.ff1").build(parameters, attribute="a", key="k", keys=KEYS)
        masked = technique.apply(values)
        if "mark" in parameters:
            with pytest.raises(InvalidValue) as refused:
                decrypt(technique, masked)
            assert refused.value.first_rows == (2, 3)
        assert decrypt(technique, masked.slice(0, 2)).equals(values.slice(0, 2))


def test_tokens_beside_surrogates_need_a_mark():
    technique = get("cryptographic.ff1").build({"on_invalid": "token"}, attribute="a", key="k", keys=KEYS)
    with pytest.raises(InvalidParameter, match="mark"):
        decrypt(technique, pa.array(["13800000000"]))


def test_tokens_have_no_way_back():
    token = get("pseudonymization.keyed").build({}, attribute="a", key="k", keys=KEYS)
    with pytest.raises(InvalidParameter, match="no way back"):
        decrypt(token, pa.array(["00" * 8]))


def test_nested_and_binary_columns_are_refused():
    for column in (pa.array([b"x"]), pa.array([["x"]])):
        with pytest.raises(UnsupportedColumn):
            rule().apply(column)


def test_repr_hides_the_key():
    assert "secret" not in repr(rule())
