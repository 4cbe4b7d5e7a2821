"""A released bundle verifies offline, and any change to it is found."""

from __future__ import annotations

import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from sandbox.airlock.errors import BundleInvalid
from sandbox.airlock.release import sign, write_bundle
from sandbox.airlock.verify import RECORD, SIGNATURE, verify_bundle, verify_files

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()
TABLE = b"sex,n\nF,50\n"


def bundle(**changes: bytes) -> dict[str, bytes]:
    listed = [{"name": "t.csv", "sha256": hashlib.sha256(TABLE).hexdigest(), "bytes": len(TABLE)}]
    facts = {"output": "o", "released_at": "2026-01-01", "code": {"sha256": "0"}, "votes": []}
    record = json.dumps({"version": 1, "files": listed, **facts}).encode()
    return {"t.csv": TABLE, RECORD: record, SIGNATURE: sign(record, KEY)} | changes


def test_untouched_bundle_verifies():
    assert verify_files(bundle(), PUBLIC).files == ("t.csv",)


@pytest.mark.parametrize(
    "changed",
    [
        {"t.csv": b"sex,n\nF,55\n"},  # another cell
        {"t.csv": b"sex,n\r\nF,50\r\n"},  # the same table, other bytes
        {"extra.csv": b"x"},  # a file more
        {RECORD: bundle()[RECORD] + b" "},  # another byte in the record
        {SIGNATURE: b"\0" * 64},
        {SIGNATURE: KEY.sign(bundle()[RECORD])},  # signed for another context
    ],
)
def test_any_change_is_found(changed):
    with pytest.raises(BundleInvalid):
        verify_files(bundle(**changed), PUBLIC)


@pytest.mark.parametrize("name", ["t.csv", RECORD, SIGNATURE])
def test_missing_file_is_found(name):
    files = bundle()
    del files[name]
    with pytest.raises(BundleInvalid):
        verify_files(files, PUBLIC)


def test_another_key_is_refused():
    with pytest.raises(BundleInvalid):
        verify_files(bundle(), Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    with pytest.raises(BundleInvalid):
        verify_files(bundle(), b"no key at all")


def test_command_verifies_a_folder(tmp_path):
    from sandbox.cli.main import app

    folder, key = tmp_path / "w" / "released" / "o", tmp_path / "release.pub"
    (tmp_path / "w").mkdir()
    write_bundle(folder, bundle())
    key.write_bytes(PUBLIC)
    done = CliRunner().invoke(app, ["airlock", "verify", str(folder), "--key", str(key), "--json"])
    assert json.loads(done.stdout)["verdict"] == "ok"
    (folder / "link").symlink_to("t.csv")
    with pytest.raises(BundleInvalid):
        verify_bundle(folder, PUBLIC)
    failed = CliRunner().invoke(app, ["airlock", "verify", str(folder), "--key", str(key)])
    assert failed.exit_code == 1
