"""Jail profiles: YAML files in this package, read once when the launcher starts.

A profile says what exists inside a jail and how much of it. Unknown keys are an error, so a misspelt protection
cannot be lost silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from sandbox.contracts import BadContract, Limits
from sandbox.errors import ProfileError

FOLDER: Final = Path(__file__).parent
NAMES: Final = ("session", "sealed", "check")


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """A memory file system. ``bytes`` is a number or the name of a limit; ``sealed`` is read-only once filled."""

    path: str
    bytes: int | str
    mode: str
    sealed: bool = False

    def size(self, limits: Limits) -> int:
        """Bytes under these limits."""
        return self.bytes if isinstance(self.bytes, int) else int(getattr(limits, self.bytes))


@dataclass(frozen=True, slots=True)
class Base:
    """What all jails share; see ``profiles/base.yaml``."""

    hostname: str
    read_only: tuple[str, ...]
    read_only_if_there: tuple[str, ...]
    links: Mapping[str, str]
    emptied: tuple[str, ...]
    files: Mapping[str, str]
    hidden_files: tuple[str, ...]
    hidden_folders: tuple[str, ...]
    virtual_files: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of jail."""

    name: str
    title: Mapping[str, str]
    command: str
    workdir: str
    home: str
    tmpfs: tuple[Tmpfs, ...]
    files_bytes: int
    open_files: int
    guards: bool
    limits: Limits


@cache
def base() -> Base:
    """The common part.

    Raises:
        ProfileError: the file is wrong.
    """
    given = _read("base")
    try:
        return Base(
            hostname=str(given.pop("hostname")),
            read_only=tuple(given.pop("read_only")),
            read_only_if_there=tuple(given.pop("read_only_if_there")),
            links=dict(given.pop("links")),
            emptied=tuple(given.pop("emptied")),
            files=dict(given.pop("files")),
            hidden_files=tuple(given.pop("hidden_files")),
            hidden_folders=tuple(given.pop("hidden_folders")),
            virtual_files=bool(given.pop("virtual_files")),
        )
    except (KeyError, TypeError) as error:
        raise _wrong("base", str(error)) from error
    finally:
        _nothing_left("base", given)


@cache
def load(name: str) -> Profile:
    """The profile of that name.

    Raises:
        ProfileError: there is no such profile or its file is wrong.
    """
    if name not in NAMES:
        raise ProfileError(
            f"没有这个隔离配置；可选：{'、'.join(NAMES)}。",
            f"There is no such profile; choose one of {', '.join(NAMES)}.",
        )
    given = _read(name)
    try:
        tmpfs = tuple(Tmpfs(path=path, **dict(entry)) for path, entry in given.pop("tmpfs").items())
        for entry in tmpfs:
            if not isinstance(entry.bytes, int) and entry.bytes not in ("data_bytes", "output_bytes"):
                raise _wrong(name, f"tmpfs {entry.path}: bytes")
        profile = Profile(
            name=str(given.pop("name")),
            title=dict(given.pop("title")),
            command=str(given.pop("command")),
            workdir=str(given.pop("workdir")),
            home=str(given.pop("home")),
            tmpfs=tmpfs,
            files_bytes=int(given.pop("files_bytes")),
            open_files=int(given.pop("open_files")),
            guards=bool(given.pop("guards")),
            limits=Limits(**dict(given.pop("limits"))),
        )
    except (KeyError, TypeError, AttributeError, ValueError, BadContract) as error:
        raise _wrong(name, str(error)) from error
    _nothing_left(name, given)
    if profile.name != name:
        raise _wrong(name, "name")
    return profile


def _read(name: str) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = FOLDER / f"{name}.yaml"
    try:
        given = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (OSError, YAMLError) as error:
        raise _wrong(name, type(error).__name__) from error
    if not isinstance(given, dict) or given.pop("version", None) != 1:
        raise _wrong(name, "version")
    return given


def _nothing_left(name: str, given: Mapping[str, object]) -> None:
    if given:
        raise _wrong(name, f"unknown {sorted(given)}")


def _wrong(name: str, what: str) -> ProfileError:
    return ProfileError(f"隔离配置 {name}.yaml 有误：{what}", f"Profile {name}.yaml is wrong: {what}")
