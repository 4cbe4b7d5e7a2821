"""Keys and the home's owners and modes. Private halves never leave ``keys/<process>``; nothing here has a useful repr.

The worker's: a key-encrypting key (KEK), the vault's X25519 key, the Ed25519 keys for checkpoints and releases, and
one file for each data key (intake, quarantined object, recipient line, records of a dataset), wrapped by the KEK with
AES-256-GCM. A key is destroyed by overwriting and deleting its file; a tombstone stays, so that it is never made anew.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from opendata.errors import ConfigurationError, NotFoundError, TamperedError
from opendata.ledger.checkpoint import SigningKey
from opendata.settings import Settings
from opendata.storage import home
from opendata.storage.files import checked_name, destroy, sync_directory, write_once

VERSION = 1
KEY_BYTES = 32
_DOMAINS = ("intakes", "objects", "lines", "records")


class KeyStore:
    """The worker's keys: KEK, intake data keys, recipient-line keys, checkpoint and release keys, vault key."""

    def __init__(self, settings: Settings) -> None:
        self._directory = settings.keys_dir / "worker"
        self._kek = AESGCM(_secret(self._directory / "kek"))
        self._name = _text(self._directory / "checkpoint.name")

    def __repr__(self) -> str:
        """Nothing."""
        return "KeyStore()"

    def intake_key(self, intake_id: str, *, create: bool = True) -> bytes:
        """The 32-byte data key of an intake; made at first use. Raises NotFoundError once destroyed."""
        return self._data_key("intakes", intake_id, create=create)

    def has_intake_key(self, intake_id: str) -> bool:
        """Whether the intake's data key exists."""
        return self._path("intakes", intake_id).exists()

    def destroy_intake_key(self, intake_id: str) -> None:
        """What was under it is unreadable from now on. Idempotent."""
        self._destroy("intakes", intake_id)

    def object_key(self, name: str, *, create: bool = True) -> bytes:
        """The data key of a quarantined object. Raises NotFoundError once destroyed."""
        return self._data_key("objects", name, create=create)

    def destroy_object_key(self, name: str) -> None:
        """What was under it is unreadable from now on. Idempotent."""
        self._destroy("objects", name)

    def line_key(self, line_id: str, *, create: bool = True) -> bytes:
        """The 32 random bytes of a recipient line; made at first use. Raises NotFoundError once destroyed."""
        return self._data_key("lines", line_id, create=create)

    def destroy_line_key(self, line_id: str) -> None:
        """Pseudonyms of this line can be neither made nor tested from now on. Idempotent."""
        self._destroy("lines", line_id)

    def record_key(self, dataset_id: str) -> bytes:
        """The 32 random bytes under which a dataset's records draw noise, the same in every edition (PRIVACY 13)."""
        return self._data_key("records", dataset_id, create=True)

    def checkpoint_key(self) -> SigningKey:
        """Signs ledger checkpoints."""
        return SigningKey(self._name, Ed25519PrivateKey.from_private_bytes(_secret(self._directory / "checkpoint")))

    def release_key(self) -> Ed25519PrivateKey:
        """Signs receipts of editions and released outputs."""
        return Ed25519PrivateKey.from_private_bytes(_secret(self._directory / "release"))

    def vault_key(self) -> X25519PrivateKey:
        """Opens what web sealed."""
        return X25519PrivateKey.from_private_bytes(_secret(self._directory / "vault"))

    def _path(self, domain: str, name: str) -> Path:
        return self._directory / domain / f"{checked_name(name)}.key"

    def _data_key(self, domain: str, name: str, *, create: bool) -> bytes:
        path = self._path(domain, name)
        context = f"opendata wrapped key v1 {domain}/{name}".encode()
        tombstone = path.with_suffix(".destroyed")
        if tombstone.exists():
            raise NotFoundError("密钥已销毁，数据无法再读取（the key is destroyed）")
        if create and not path.exists():
            nonce = secrets.token_bytes(12)
            wrapped = self._kek.encrypt(nonce, secrets.token_bytes(KEY_BYTES), context)
            write_once(path, _document({"nonce": nonce.hex(), "wrapped": wrapped.hex()}))
        try:
            stored = _load(path)
            return self._kek.decrypt(bytes.fromhex(stored["nonce"]), bytes.fromhex(stored["wrapped"]), context)
        except FileNotFoundError:
            raise NotFoundError("没有这把数据密钥（no such data key）") from None
        except (InvalidTag, KeyError, TypeError, ValueError):
            raise TamperedError("数据密钥文件被改动，不能使用（a wrapped key was changed）") from None

    def _destroy(self, domain: str, name: str) -> None:
        path = self._path(domain, name)
        write_once(path.with_suffix(".destroyed"), b"")
        destroy(path)


def initialise(settings: Settings) -> None:
    """Create the home, users, directories and keys with their owners and modes, or bring them back to those.

    As root: users ``opendata-web``, ``-worker``, ``-hub`` and group ``opendata`` are created. Safe to call again.
    Raises ConfigurationError rather than use a home that somebody else owns or can write.
    """
    home.prepare(settings)
    worker, web, hub = (settings.keys_dir / name for name in ("worker", "web", "hub"))
    for domain in _DOMAINS:
        _owned_directory(worker / domain, settings.users.worker)
    for name in ("kek", "vault", "checkpoint", "release"):
        _make_secret(worker / name, settings.users.worker)
    _make_file(worker / "checkpoint.name", _origin(settings).encode(), settings.users.worker)
    _make_secret_text(web / "oidc-client-secret", settings.users.web)
    _make_file(hub / "oidc-client-secret", (web / "oidc-client-secret").read_bytes(), settings.users.hub)
    if not (web / "oidc.pem").exists():
        _make_file(web / "oidc.pem", _new_rsa(), settings.users.web)
    secrets_ = (
        *_secrets_of(worker, settings.users.worker),
        *_secrets_of(web, settings.users.web),
        *_secrets_of(hub, settings.users.hub),
    )
    for path, owner in secrets_:
        _check_secret(path, owner)
    keys = KeyStore(settings)
    _publish(settings, "vault", keys.vault_key().public_key().public_bytes_raw())
    _publish(settings, "checkpoint", f"{keys.checkpoint_key().verifier().line()}\n".encode())
    _publish(
        settings,
        "release",
        keys.release_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    )


def public_key(settings: Settings, name: str) -> bytes:
    """Contents of ``keys/public/<name>.pub``: vault (32 raw bytes), checkpoint (note verifier line), release (PEM)."""
    try:
        return (settings.keys_dir / "public" / f"{checked_name(name)}.pub").read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"没有公钥 {name}；请先启动服务一次（no such public key）") from None


def _origin(settings: Settings) -> str:
    """The log's name: the public host and a random mark, so that two installations are never one log."""
    host = urlsplit(settings.public_url).netloc or "localhost"
    return f"{host}/ledger/{secrets.token_hex(4)}"


def _publish(settings: Settings, name: str, data: bytes) -> None:
    path = settings.keys_dir / "public" / f"{name}.pub"
    mode = 0o644 if settings.users.separated else 0o600
    if not write_once(path, data, mode=mode) and path.read_bytes() != data:
        raise ConfigurationError(f"{path} 与私钥不符；请核实是否被替换（public key does not fit its private key）")


def _make_secret(path: Path, owner: str | None) -> None:
    if not path.exists():
        key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
        _make_file(path, _document({"key": key}), owner)


def _make_secret_text(path: Path, owner: str | None) -> None:
    if not path.exists():
        _make_file(path, secrets.token_hex(KEY_BYTES).encode(), owner)


def _make_file(path: Path, data: bytes, owner: str | None) -> None:
    """Written as the directory's owner: even root does not follow what that owner may have put there."""
    if path.exists():
        return
    write_once(path, data)
    _give(path, owner)


def _owned_directory(path: Path, owner: str | None) -> None:
    if not path.exists():
        path.mkdir(mode=0o700)
        _give(path, owner)
        sync_directory(path.parent)


def _give(path: Path, owner: str | None) -> None:
    if owner is not None:
        import pwd

        user = pwd.getpwnam(owner)
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _secrets_of(directory: Path, owner: str | None) -> list[tuple[Path, str | None]]:
    return [(path, owner) for path in directory.iterdir() if not path.is_dir()]


def _check_secret(path: Path, owner: str | None) -> None:
    """A key file must be its process's own; left behind by an interrupted start as root's, it is handed over."""
    state = path.lstat()
    if not stat.S_ISREG(state.st_mode):
        raise ConfigurationError(f"{path} 不是普通文件（not a plain file）")
    if stat.S_IMODE(state.st_mode) & 0o077:
        raise ConfigurationError(f"{path} 能被他人读取，密钥可能已泄露；请核实并更换（a key file is open to others）")
    if state.st_uid == os.geteuid():
        _give(path, owner)
        return
    import pwd

    if owner is None or state.st_uid != pwd.getpwnam(owner).pw_uid:
        raise ConfigurationError(f"{path} 属于 uid {state.st_uid}，不是服务进程的（key file of somebody else）")


def _secret(path: Path) -> bytes:
    try:
        raw = base64.b64decode(_load(path)["key"], validate=True)
    except FileNotFoundError:
        raise ConfigurationError(f"缺少密钥 {path.name}；请先启动服务一次（a key is missing）") from None
    except PermissionError:
        raise ConfigurationError(f"没有权限读取密钥 {path.name}（no permission for a key）") from None
    except (KeyError, TypeError, ValueError):
        raise TamperedError(f"密钥文件 {path.name} 格式不对（malformed key file）") from None
    if len(raw) != KEY_BYTES:
        raise TamperedError(f"密钥文件 {path.name} 长度不对（malformed key file）")
    return raw


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise ConfigurationError(f"缺少 {path.name}；请先启动服务一次（a key's name is missing）") from None


def _document(content: dict[str, Any]) -> bytes:
    return json.dumps({"version": VERSION, **content}, sort_keys=True).encode()


def _load(path: Path) -> dict[str, Any]:
    stored = json.loads(path.read_bytes())
    if not isinstance(stored, dict) or stored.get("version") != VERSION:
        raise ValueError("version")
    return stored


def _new_rsa() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
