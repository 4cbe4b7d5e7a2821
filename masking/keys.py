"""
Keys by name: policies say which key, a provider holds the bytes.

Nothing here prints, logs or compares key bytes in clear, and a provider's ``repr`` says only what kind it is. Technique
keys are derived by HKDF-SHA256 (RFC 5869) below the named key, so that no two techniques ever use one key and two
columns join exactly when the policy gives them the same key name: the name is the key domain.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from masking.errors import KeyMissing

MINIMUM_BYTES = 16
_SALT = b"opendata-sandbox masking"


@runtime_checkable
class Keys(Protocol):
    """Gives key bytes by name; raises ``KeyMissing`` for a name it does not hold."""

    def get(self, name: str, /) -> bytes:
        """Return at least 16 bytes."""
        ...


class MappingKeys:
    """Keys held in memory."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = {name: _checked(name, value) for name, value in keys.items()}

    def get(self, name: str, /) -> bytes:
        """Return the key of that name."""
        try:
            return self._keys[name]
        except KeyError:
            raise KeyMissing.from_name(name) from None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<hidden>)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("keys are not pickled: derive what a plan needs and pass that")


class FileKeys(MappingKeys):
    """Keys of a JSON file ``{"version": 1, "keys": {name: base64}}``, read once when the object is made."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(_read(Path(path)))


class ThrowawayKeys:
    """A fresh random key for every name, gone with the object: for previews and trials."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes] = {}

    def get(self, name: str, /) -> bytes:
        """Return this object's random key of that name."""
        return self._keys.setdefault(name, secrets.token_bytes(32))

    def __repr__(self) -> str:
        return "ThrowawayKeys(<hidden>)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("keys are not pickled: derive what a plan needs and pass that")


@dataclass(frozen=True, slots=True)
class KeyUse:
    """How a rule uses a named key. Columns join exactly when name, ``domain`` and ``version`` are equal."""

    name: str
    domain: str = ""  # empty: the key's name is the domain
    version: int = 1

    @property
    def scope(self) -> str:
        """What goes into the derivation: a rotated key ``name@1`` still gives the pseudonyms of ``name``."""
        return self.domain or base_name(self.name)


def base_name(name: str) -> str:
    """The name of a key without the ``@<n>`` that rotation gives to an old one.

    >>> base_name("visits@2"), base_name("a@b")
    ('visits', 'a@b')
    """
    base, _, number = name.rpartition("@")
    return base if base and number.isascii() and number.isdigit() else name


def derived(keys: Keys | None, use: KeyUse | str, *, technique: str, for_records: bool = False) -> bytes:
    """
    Return a technique's own key below the named one.

    ``for_records``: randomness that is drawn once for each record and must be equal in the editions of all recipients
    (PRIVACY 13). A provider that gives each recipient an own key has ``for_records(name)`` beside ``get(name)`` for it.

    Raises:
        KeyMissing: the key was not given.
    """
    use = KeyUse(use) if isinstance(use, str) else use
    if keys is None:
        raise KeyMissing.from_name(use.name)
    get = getattr(keys, "for_records", keys.get) if for_records else keys.get
    return derive(get(use.name), domain=use.scope, technique=technique, version=use.version)


def as_keys(keys: "Keys | Mapping[str, bytes] | str | Path | None") -> Keys:
    """Accept what callers have: a provider, a mapping of names to bytes, the path of a keys file, or nothing."""
    if keys is None:
        return MappingKeys({})
    if isinstance(keys, Mapping):
        return MappingKeys(keys)
    if isinstance(keys, str | Path):
        return FileKeys(keys)
    if isinstance(keys, Keys):
        return keys
    raise TypeError(f"keys must be a mapping, a path or a provider, not {type(keys).__name__}")


def derive(key: bytes, *, domain: str, technique: str, version: int = 1, length: int = 16) -> bytes:
    """
    Derive a technique's own key from a named key by HKDF-SHA256.

    ``domain`` is the key's name in the policy. The info is unambiguous: each part is preceded by its length.
    """
    _checked(domain, key)
    parts = (technique.encode(), domain.encode(), str(version).encode())
    info = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=_SALT, info=info).derive(key)


def _checked(name: str, value: object) -> bytes:
    if not isinstance(name, str) or not name:
        raise KeyMissing("a key has no name")
    if not isinstance(value, bytes | bytearray | memoryview):
        raise KeyMissing(f"the key {name!r} is not bytes")
    if len(bytes(value)) < MINIMUM_BYTES:
        raise KeyMissing(f"the key {name!r} is shorter than {MINIMUM_BYTES} bytes")
    return bytes(value)


def _read(path: Path) -> dict[str, bytes]:
    content = reason = None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except ValueError:
        reason = "is not JSON"
    if reason is not None:  # outside of the handlers: errors of JSON and UTF-8 carry the text, which is key material
        raise KeyMissing(f"the keys file {path.name!r} {reason}")
    if not isinstance(content, dict) or content.get("version") != 1 or not isinstance(content.get("keys"), dict):
        raise KeyMissing(f'the keys file {path.name!r} must be {{"version": 1, "keys": {{name: base64}}}}')
    keys = {}
    for name, text in content["keys"].items():
        try:
            keys[name] = base64.b64decode(text, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise KeyMissing(f"the key {name!r} in {path.name!r} is not base64") from None
    return keys
