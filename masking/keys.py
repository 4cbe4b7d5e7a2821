"""
Keys by name: policies say which key, a provider holds the bytes.

Nothing here prints, logs or compares key bytes in clear, and a provider's ``repr`` says only what kind it is. Technique
keys are derived by HKDF-SHA256 (RFC 5869) below the named key, so that no two techniques ever use one key and two
columns join exactly when the policy gives them the same key name: the name is the key domain.
"""

import base64
import binascii
import contextlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from masking.errors import KeyMissing

MINIMUM_BYTES = 16
_NEW_BYTES = 32
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


def create_keys(path: str | Path, names: Iterable[str]) -> None:
    """
    Put fresh random keys of these names into a keys file, which is made if it is not there.

    Raises:
        KeyMissing: a name is no name, or has a key already; the file is no keys file. Nothing was written then.
    """
    with _rewriting(Path(path), new=True) as keys:
        for name in _named(names):
            if name in keys:
                raise KeyMissing(f"there is a key {name!r} already; rotate it for another one")
            keys[name] = secrets.token_bytes(_NEW_BYTES)


def rotate_keys(path: str | Path, names: Iterable[str]) -> dict[str, str]:
    """
    Give each name a fresh random key and keep the old one as ``name@<n>``, n from 1; returns the old keys' new names.

    A rule with ``key: name@1`` makes the pseudonyms that ``name`` made before (see ``KeyUse.scope``).

    Raises:
        KeyMissing: there is no such key. Nothing was written then.
    """
    kept = {}
    with _rewriting(Path(path)) as keys:
        for name in _named(names):
            if name not in keys:
                raise KeyMissing.from_name(name)
            versions = [int(each.rpartition("@")[2]) for each in keys if each != name and base_name(each) == name]
            kept[name] = f"{name}@{max(versions, default=0) + 1}"
            keys[kept[name]] = keys[name]
            keys[name] = secrets.token_bytes(_NEW_BYTES)
    return kept


def destroy_keys(path: str | Path, names: Iterable[str]) -> tuple[str, ...]:
    """
    Take keys out of the file for good; ``name`` takes its old ones along, ``name@1`` goes alone. Returns what went.

    The file's old bytes are overwritten where they stand. Copies, backups and what a disk keeps of old blocks are out
    of reach: a key is destroyed when they are.

    Raises:
        KeyMissing: there is no such key. Nothing was written then.
    """
    gone = []
    with _rewriting(Path(path), wipe=True) as keys:
        for name in dict.fromkeys(names):
            found = [each for each in keys if name in (each, base_name(each))]
            if not found:
                raise KeyMissing.from_name(name)
            for each in found:
                del keys[each]
            gone += found
    return tuple(gone)


@contextlib.contextmanager
def _rewriting(path: Path, *, new: bool = False, wipe: bool = False) -> Iterator[dict[str, bytes]]:
    """
    The keys of a file, to be changed; they are written as a whole (mode 0600) or, if anything raises, not at all.

    The file that is being written locks out a second command. ``wipe`` overwrites the old file once it is replaced.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise KeyMissing(f"the keys file {path.name!r} is a link, a folder or a device; name a file")
    temporary = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise KeyMissing(
            f"another command writes the keys file {path.name!r}; if none does, remove {temporary.name!r}"
        ) from None
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            keys = {} if new and not path.exists() else _read(path)
            yield keys
            texts = {name: base64.b64encode(keys[name]).decode("ascii") for name in sorted(keys)}
            json.dump({"version": 1, "keys": texts}, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.ExitStack() as stack:
            old = stack.enter_context(path.open("r+b")) if wipe else None
            temporary.replace(path)
            if old is not None:
                old.write(bytes(os.fstat(old.fileno()).st_size))
                old.flush()
                os.fsync(old.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _named(names: Iterable[str]) -> list[str]:
    """Names that new keys may have, each once."""
    found = list(dict.fromkeys(names))
    for name in found:
        if not name or name != name.strip() or not name.isprintable() or base_name(name) != name:
            raise KeyMissing(f"{name!r} is no name for a key: visible characters, and no @<n>, which old keys have")
    return found


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
