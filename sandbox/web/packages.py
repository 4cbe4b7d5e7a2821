"""What stands in the notebooks' environment: read from the metadata of what is installed there (SATRE 2.1.10).

The same environment is mounted read-only in sessions, dry runs and sealed jobs; changing it is an administrator's act.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from sandbox.settings import CODE_ROOT
from sandbox.workspaces.environment import plain

CHOSEN_FILE: Final = CODE_ROOT / "requirements" / "kernel.in"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One installed package. ``chosen``: named by the environment's list, not brought in by another one."""

    name: str
    version: str
    summary: str
    chosen: bool


def installed(environment: Path) -> tuple[Package, ...]:
    """Every package of an environment by name; empty when there is none or it cannot be read."""
    folders = tuple(sorted(environment.glob("lib/python3*/site-packages")))
    return _installed(tuple(map(str, folders)), tuple(folder.stat().st_mtime_ns for folder in folders))


@lru_cache(maxsize=4)
def _installed(folders: tuple[str, ...], changed: tuple[int, ...]) -> tuple[Package, ...]:  # noqa: ARG001
    """Read anew once a package came or went."""
    wanted = _chosen()
    found: dict[str, Package] = {}
    for each in distributions(path=list(folders)):
        name = each.metadata["Name"] or ""
        if name:
            key = plain(name)
            found[key] = Package(name, each.version, (each.metadata["Summary"] or "").strip(), key in wanted)
    return tuple(found[name] for name in sorted(found))


def _chosen() -> frozenset[str]:
    if not CHOSEN_FILE.is_file():
        return frozenset()
    lines = (line.split("#")[0].strip() for line in CHOSEN_FILE.read_text("utf-8").splitlines())
    return frozenset(plain(match.group()) for line in lines if (match := _NAME.match(line)))
