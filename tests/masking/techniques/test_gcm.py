"""cryptographic.aes_gcm: NIST's vectors, a plain GCM beside it, one envelope a record in all editions, its laws."""

from pathlib import Path

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.keys import as_keys, derive
from masking.techniques.base import get
from masking.techniques.cryptographic import decrypt

KEYS = as_keys({"k": bytes(range(32)), "other": bytes(32)})
VALUES = st.lists(st.none() | st.text(max_size=40), max_size=20)


def vectors():
    for line in Path(__file__).with_name("nist_gcm.txt").read_text().splitlines():
        if not line.startswith("#"):
            yield tuple(bytes.fromhex(part.strip()) for part in line.split("|"))


def rule(attribute="a", key="k", **parameters):
    made = get("cryptographic.aes_gcm")
    return made.build(parameters, attribute=attribute, key=key, keys=KEYS, record=("id",))


def records(values, start=0):
    return {"id": pa.array(range(start, start + len(values)), pa.int64())}


def plain_gcm(key, nonce, data, text):
    """NIST SP 800-38D, algorithms 1, 2 and 4, with a nonce of 96 bits."""
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update
    h = int.from_bytes(block(bytes(16)), "big")

    def times_h(x):
        product, v = 0, h
        for bit in range(127, -1, -1):
            if x >> bit & 1:
                product ^= v
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
        return product

    stream = b"".join(block(nonce + (i + 2).to_bytes(4, "big")) for i in range(-(-len(text) // 16)))
    sealed = bytes(x ^ y for x, y in zip(text, stream, strict=False))
    hashed = data + bytes(-len(data) % 16) + sealed + bytes(-len(sealed) % 16)
    hashed += (8 * len(data)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
    y = 0
    for place in range(0, len(hashed), 16):
        y = times_h(y ^ int.from_bytes(hashed[place : place + 16], "big"))
    first = int.from_bytes(block(nonce + bytes([0, 0, 0, 1])), "big")
    return sealed + (y ^ first).to_bytes(16, "big")


@pytest.mark.parametrize(("key", "nonce", "data", "plain", "output"), list(vectors()), ids=["2", "3", "4"])
def test_nist_vectors(key, nonce, data, plain, output):
    assert plain_gcm(key, nonce, data, plain) == output
    assert AESGCM(key).encrypt(nonce, plain, data) == output


@settings(max_examples=20, deadline=None)
@given(VALUES, st.integers(1, 20))
def test_envelopes_equal_the_plain_implementation(values, pad):
    secret = derive(bytes(range(32)), domain="k", technique="cryptographic.aes_gcm/a")
    key = derive(secret, domain="cryptographic.aes_gcm", technique="aes-gcm")
    masked = rule(encoding="hex", pad=pad).apply(pa.array(values, pa.string()), records(values)).to_pylist()
    for value, text in zip(values, masked, strict=True):
        if value is None:
            assert text is None
            continue
        envelope = bytes.fromhex(text)
        padded = value.encode() + b"\x80"
        padded += bytes(-len(padded) % pad)
        assert envelope[:1] == b"\x01"
        assert envelope[13:] == plain_gcm(key, envelope[1:13], b"\x01", padded)


@settings(max_examples=30, deadline=None)
@given(VALUES, st.integers(0, 20), st.sampled_from(["base32", "hex"]))
def test_laws_of_the_technique(values, cut, encoding):
    technique, column = rule(encoding=encoding), pa.array(values, pa.string())
    masked = technique.apply(column, records(values))
    assert [v is None for v in values] == [m is None for m in masked.to_pylist()]
    assert len(set(masked.drop_null().to_pylist())) == len(column.drop_null())  # equal values look different
    parts = [
        technique.apply(part, records(part, start))
        for part, start in ((column[:cut], 0), (column[cut:], len(column[:cut])))
    ]
    assert pa.concat_arrays(parts).equals(masked)  # whole = chunked
    assert rule(encoding=encoding).apply(column.dictionary_encode(), records(values)).equals(masked)
    assert decrypt(technique, masked).to_pylist() == values
    backwards = technique.apply(column[::-1], {"id": records(values)["id"][::-1]})
    assert backwards.equals(masked[::-1])  # the place of a record does not matter


def test_one_envelope_a_record_in_every_edition():
    first = rule().apply(pa.array(["有", "没有", "有"]), {"id": pa.array([1, 2, 3])}).to_pylist()
    later = rule().apply(pa.array(["没有", "有"]), {"id": pa.array([3, 1])}).to_pylist()
    assert later[1] == first[0]  # the same value of the same record
    assert later[0] != first[2]
    assert len({len(text) for text in first}) == 1  # lengths do not tell 有 from 没有


def test_a_corrected_value_has_another_nonce():
    sealed = [
        bytes.fromhex(rule(encoding="hex").apply(pa.array([value]), {"id": pa.array([1])}).to_pylist()[0])
        for value in ("13800000000", "13800000001")
    ]
    assert sealed[0][1:13] != sealed[1][1:13]


def test_attributes_and_keys_have_keystreams_of_their_own():
    column, ids = pa.array(["13800000000"]), {"id": pa.array([1])}
    outputs = {
        rule(attribute, key).apply(column, ids).to_pylist()[0] for attribute in ("a", "b") for key in ("k", "other")
    }
    assert len(outputs) == 4


def test_strange_values_are_refused_unseen():
    technique = rule(encoding="hex")
    sealed = technique.apply(pa.array(["13800000000"]), {"id": pa.array([1])}).to_pylist()[0]
    version = "02" + sealed[2:]
    changed = sealed[:-1] + ("0" if sealed[-1] != "0" else "1")
    strange = [version, changed, sealed[:20], "01", "", "canary-7731"]
    with pytest.raises(InvalidValue) as refused:
        decrypt(technique, pa.array([sealed, None, *strange]))
    assert refused.value.count == len(strange)
    assert "canary" not in str(refused.value)
    with pytest.raises(InvalidValue):
        decrypt(rule("b", encoding="hex"), pa.array([sealed]))


@pytest.mark.parametrize("pad", [0, -1, 4097])
def test_pad_is_bounded(pad):
    with pytest.raises(InvalidParameter, match="pad"):
        rule(pad=pad)


def test_without_record_columns_it_is_refused():
    with pytest.raises(InvalidParameter, match="record"):
        get("cryptographic.aes_gcm").build({}, attribute="a", key="k", keys=KEYS)


def test_nested_and_binary_columns_are_refused():
    with pytest.raises(UnsupportedColumn):
        rule().apply(pa.array([b"x"]), {"id": pa.array([1])})


def test_repr_hides_the_key():
    assert "secret" not in repr(rule())
