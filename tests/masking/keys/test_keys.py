"""Keys: found by name, never shown, derived apart for each technique and domain."""

import base64
import json
import pickle

import pytest
from cryptography.hazmat.primitives import hashes, hmac

from masking.errors import KeyMissing
from masking.keys import FileKeys, Keys, MappingKeys, ThrowawayKeys, as_keys, derive

SECRET = b"a very secret key of 32 bytes!!!"


def write(tmp_path, content):
    path = tmp_path / "keys.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_file_keys_are_read_by_name(tmp_path):
    path = write(tmp_path, {"version": 1, "keys": {"a": base64.b64encode(SECRET).decode()}})
    assert FileKeys(path).get("a") == SECRET
    assert as_keys(path).get("a") == as_keys(str(path)).get("a") == SECRET


@pytest.mark.parametrize(
    "content",
    [
        "no json " + SECRET.decode(),  # the parser's message would quote it
        {"version": 2, "keys": {}},  # another version
        {"version": 1},  # no keys
        {"version": 1, "keys": {"a": "not base64 " + SECRET.decode()}},
        {"version": 1, "keys": {"a": 5}},
        {"version": 1, "keys": {"a": base64.b64encode(b"short").decode()}},  # too few bytes for a key
        [SECRET.decode()],
    ],
)
def test_faulty_keys_file_is_refused_without_quoting_it(tmp_path, content):
    with pytest.raises(KeyMissing) as refused:
        FileKeys(write(tmp_path, content))
    assert SECRET.decode() not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__cause__ is None


def test_missing_file_and_missing_name(tmp_path):
    with pytest.raises(KeyMissing, match="cannot be read"):
        FileKeys(tmp_path / "none.json")
    with pytest.raises(KeyMissing, match="'b' was not given"):
        MappingKeys({"a": SECRET}).get("b")


@pytest.mark.parametrize("value", ["text", b"short", 5, None])
def test_mapping_refuses_what_is_no_key(value):
    with pytest.raises(KeyMissing):
        MappingKeys({"a": value})


def test_empty_name_is_no_name():
    with pytest.raises(KeyMissing):
        MappingKeys({"": SECRET})


def test_nothing_shows_a_key():
    throwaway = ThrowawayKeys()
    throwaway.get("a")
    for keys in (MappingKeys({"name": SECRET}), throwaway):
        assert SECRET.decode() not in repr(keys) + str(keys)
        assert "name" not in repr(keys)
        with pytest.raises(TypeError):
            pickle.dumps(keys)


def test_throwaway_keys_are_stable_inside_and_new_outside():
    one, other = ThrowawayKeys(), ThrowawayKeys()
    assert one.get("a") == one.get("a")
    assert one.get("a") != one.get("b")
    assert one.get("a") != other.get("a")
    assert isinstance(one, Keys)


def test_as_keys_accepts_what_callers_have():
    provider = ThrowawayKeys()
    assert as_keys(provider) is provider
    assert as_keys({"a": bytearray(SECRET)}).get("a") == SECRET
    with pytest.raises(KeyMissing):
        as_keys(None).get("a")
    with pytest.raises(TypeError):
        as_keys(5)


def test_derive_is_hkdf_sha256():
    """RFC 5869 by hand: extract with the salt, expand one block with the info."""

    def mac(key, message):
        h = hmac.HMAC(key, hashes.SHA256())
        h.update(message)
        return h.finalize()

    parts = (b"pseudonymization.keyed", b"admissions", b"1")
    info = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    expected = mac(mac(b"opendata-sandbox masking", SECRET), info + b"\x01")[:16]
    assert derive(SECRET, domain="admissions", technique="pseudonymization.keyed") == expected


def test_derive_separates_domain_technique_and_version():
    base = derive(SECRET, domain="a", technique="t")
    others = [
        derive(SECRET, domain="b", technique="t"),
        derive(SECRET, domain="a", technique="u"),
        derive(SECRET, domain="a", technique="t", version=2),
        derive(SECRET[::-1], domain="a", technique="t"),
        derive(SECRET, domain="at", technique=""),
        derive(SECRET, domain="t", technique="a"),
    ]
    assert len({base, *others}) == len(others) + 1
    with pytest.raises(KeyMissing):
        derive(b"short", domain="a", technique="t")
