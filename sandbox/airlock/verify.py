"""Offline verification of a released bundle: needs the bundle, the public key and nothing of the service.

Signed bytes: a context line, then ``sdc-record.json`` exactly as it stands. The record lists every file with its
SHA-256; a file more or less, or another byte anywhere, fails.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sandbox.airlock.errors import BundleInvalid

RECORD: Final = "sdc-record.json"
SIGNATURE: Final = "sdc-record.json.sig"
CONTEXT: Final = b"opendata sdc-record v1\n"
MAX_FILE: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Verified:
    """A bundle that verifies: its record and the names of its files."""

    record: Mapping[str, Any]
    files: tuple[str, ...]


def signed_bytes(record: bytes) -> bytes:
    """What the signature covers."""
    return CONTEXT + record


def verify_bundle(bundle: Path, public_key: bytes) -> Verified:
    """Verify a directory with the bundle's files against a PEM (or 32 raw bytes) Ed25519 public key.

    Raises:
        BundleInvalid: something is missing, added or changed, or the key is another one.
    """
    if not bundle.is_dir():
        raise BundleInvalid("不是目录 · the bundle is not a directory")
    files = {path.name: _read(path) for path in sorted(bundle.iterdir()) if not path.name.startswith(".")}
    return verify_files(files, public_key)


def verify_files(files: Mapping[str, bytes], public_key: bytes) -> Verified:
    """`verify_bundle` over names and bytes."""
    for name in (RECORD, SIGNATURE):
        if name not in files:
            raise BundleInvalid(f"缺少 {name} · {name} is missing")
    try:
        _key(public_key).verify(files[SIGNATURE], signed_bytes(files[RECORD]))
    except InvalidSignature:
        raise BundleInvalid("签名不符 · the signature does not fit the record and key") from None
    record = json.loads(files[RECORD])
    if not isinstance(record, dict) or record.get("version") != 1:
        raise BundleInvalid("记录版本不符 · the record has another version")
    listed = {file["name"]: file for file in record["files"]}
    given = set(files) - {RECORD, SIGNATURE}
    if given != set(listed):
        raise BundleInvalid("文件与记录不一致 · the files are not those of the record")
    for name in listed:
        if hashlib.sha256(files[name]).hexdigest() != listed[name]["sha256"]:
            raise BundleInvalid(f"文件被改动：{name} · the file {name} was changed")
    return Verified(record, tuple(sorted(listed)))


def _key(given: bytes) -> Ed25519PublicKey:
    try:
        key = Ed25519PublicKey.from_public_bytes(given) if len(given) == 32 else load_pem_public_key(given)
    except ValueError:
        raise BundleInvalid("公钥无法读取 · the public key cannot be read") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BundleInvalid("公钥不是 Ed25519 · the public key is not Ed25519")
    return key


def _read(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_FILE:
        raise BundleInvalid("包中只能有普通文件 · a bundle holds plain files only")
    return path.read_bytes()
