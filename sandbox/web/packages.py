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

CHOSEN_FILE: Final = CODE_ROOT / "requirements" / "kernel.in"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One installed package. ``chosen``: named by the environment's list, not brought in by another one."""

    name: str
    version: str
    summary: str
    chosen: bool


@lru_cache(maxsize=4)
def installed(environment: Path) -> tuple[Package, ...]:
    """Every package of an environment by name; empty when there is none or it cannot be read."""
    folders = [str(path) for path in sorted(environment.glob("lib/python3*/site-packages"))]
    wanted = _chosen()
    found: dict[str, Package] = {}
    for each in distributions(path=folders):
        name = each.metadata["Name"] or ""
        if name:
            plain = _plain(name)
            found[plain] = Package(name, each.version, (each.metadata["Summary"] or "").strip(), plain in wanted)
    return tuple(found[name] for name in sorted(found))


def _chosen() -> frozenset[str]:
    if not CHOSEN_FILE.is_file():
        return frozenset()
    lines = (line.split("#")[0].strip() for line in CHOSEN_FILE.read_text("utf-8").splitlines())
    return frozenset(_plain(match.group()) for line in lines if (match := _NAME.match(line)))


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
