"""Keys: found by name, never shown, derived apart for each technique and domain."""

import base64
import json
import os
import pickle

import pytest
from cryptography.hazmat.primitives import hashes, hmac

from masking.errors import KeyMissing
from masking.keys import (
    FileKeys,
    Keys,
    KeyUse,
    MappingKeys,
    ThrowawayKeys,
    as_keys,
    base_name,
    create_keys,
    derive,
    derived,
    destroy_keys,
    rotate_keys,
)

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


# Keys files that are written.


def mode(path):
    return path.stat().st_mode & 0o777


def test_created_keys_are_random_private_and_read_back(tmp_path):
    path = tmp_path / "keys.json"
    old = os.umask(0)
    try:
        create_keys(path, ["a", "就诊-2026"])
    finally:
        os.umask(old)
    assert mode(path) == 0o600
    keys = FileKeys(path)
    assert len(keys.get("a")) == len(keys.get("就诊-2026")) == 32
    assert keys.get("a") != keys.get("就诊-2026")
    create_keys(path, ["b"])
    assert FileKeys(path).get("a") == keys.get("a")
    assert json.loads(path.read_text())["version"] == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["keys.json"]


@pytest.mark.parametrize("names", [["a"], ["b", "a"], [""], ["x@1"], [" x"], ["x\n"], ["b\u202e"]])
def test_what_cannot_be_created_changes_nothing(tmp_path, names):
    path = tmp_path / "keys.json"
    create_keys(path, ["a"])
    before = path.read_bytes()
    with pytest.raises(KeyMissing):
        create_keys(path, names)
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["keys.json"]


def test_a_rotated_key_is_kept_and_still_makes_its_pseudonyms(tmp_path):
    path = tmp_path / "keys.json"
    create_keys(path, ["a", "b"])
    first, other = FileKeys(path).get("a"), FileKeys(path).get("b")
    before = derived(FileKeys(path), "a", technique="t")
    assert rotate_keys(path, ["a"]) == {"a": "a@1"}
    assert rotate_keys(path, ["a"]) == {"a": "a@2"}
    keys = FileKeys(path)
    assert keys.get("a@1") == first
    assert len({keys.get("a"), keys.get("a@1"), keys.get("a@2")}) == 3
    assert keys.get("b") == other
    assert derived(keys, "a@1", technique="t") == before
    assert derived(keys, "a", technique="t") != before
    assert mode(path) == 0o600
    content = path.read_bytes()
    with pytest.raises(KeyMissing, match="'c' was not given"):
        rotate_keys(path, ["a", "c"])
    assert path.read_bytes() == content


def test_destroyed_keys_are_gone_with_their_old_ones(tmp_path):
    path = tmp_path / "keys.json"
    create_keys(path, ["a", "b"])
    rotate_keys(path, ["a", "a", "b"])
    lost = [base64.b64encode(FileKeys(path).get(name)) for name in ("a", "a@1", "b@1")]
    copy = tmp_path / "hard link"
    copy.hardlink_to(path)
    assert destroy_keys(path, ["a", "b@1"]) == ("a", "a@1", "b@1")
    assert list(json.loads(path.read_text())["keys"]) == ["b"]
    assert not any(key in path.read_bytes() for key in lost)
    assert set(copy.read_bytes()) == {0}  # the old bytes are overwritten where they stood
    with pytest.raises(KeyMissing):
        destroy_keys(path, ["a"])
    assert mode(path) == 0o600


@pytest.mark.parametrize("change", [create_keys, rotate_keys, destroy_keys])
def test_a_second_command_and_an_odd_file_are_refused(tmp_path, change):
    path = tmp_path / "keys.json"
    create_keys(path, ["a"])
    before = path.read_bytes()
    lock = tmp_path / ".keys.json.new"
    lock.touch()
    with pytest.raises(KeyMissing, match="another command"):
        change(path, ["b" if change is create_keys else "a"])
    assert lock.exists()
    lock.unlink()
    (tmp_path / "link.json").symlink_to(path)
    with pytest.raises(KeyMissing, match="a link"):
        change(tmp_path / "link.json", ["a"])
    path.write_text("no json " + SECRET.decode())
    with pytest.raises(KeyMissing) as refused:
        change(path, ["a"])
    assert SECRET.decode() not in str(refused.value)
    assert path.read_text().startswith("no json")
    path.write_bytes(before)
    if change is not create_keys:
        with pytest.raises(KeyMissing, match="cannot be read"):
            change(tmp_path / "none.json", ["a"])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["keys.json", "link.json"]


@pytest.mark.parametrize(
    ("name", "base"), [("a@1", "a"), ("a@b", "a@b"), ("@1", "@1"), ("a@1@2", "a@1"), ("a@１", "a@１")]
)
def test_base_names(name, base):
    assert base_name(name) == base
    assert KeyUse(name).scope == base
    assert KeyUse(name, "domain").scope == "domain"
