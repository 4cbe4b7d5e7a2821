"""What the notebooks' environment was made of: its lock, and what stands in it beside the lock.

`./run` writes the digest of the lock into the environment when everything of the lock is installed. That one is
recorded with each sealed job: a lock that was changed and not installed yet is not what a job ran with.
"""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from sandbox.settings import CODE_ROOT, DEFAULT_KERNEL_ENV

LOCK: Final = CODE_ROOT / "requirements" / "kernel.lock"
STAMP: Final = "stamp"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_LOCKED: Final = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)


def lock_digest(environment: Path = DEFAULT_KERNEL_ENV, lock: Path = LOCK) -> str | None:
    """SHA-256 of the lock that ``environment`` was made of; of ``lock`` itself where there is no environment.

    None: there is neither, or the environment is not complete (its making was interrupted, or goes on just now).
    """
    if environment.is_dir():
        return _stamp(environment)
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None


def is_installed(environment: Path = DEFAULT_KERNEL_ENV, lock: Path = LOCK) -> bool:
    """Whether the environment was made of the lock as it is now."""
    return lock.is_file() and _stamp(environment) == hashlib.sha256(lock.read_bytes()).hexdigest()


def beside_the_lock(environment: Path = DEFAULT_KERNEL_ENV, lock: Path = LOCK) -> tuple[str, ...]:
    """Names of installed packages that the lock does not name in that version: somebody put them there by hand."""
    if not lock.is_file():
        return ()
    locked = {(plain(name), version) for name, version in _LOCKED.findall(lock.read_text("utf-8"))}
    folders = [str(path) for path in sorted(environment.glob("lib/python3*/site-packages"))]
    found = {(plain(each.metadata["Name"] or ""), each.version) for each in distributions(path=folders)}
    return tuple(sorted({name for name, version in found - locked if name}))


def plain(name: str) -> str:
    """A package's name as all its spellings have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _stamp(environment: Path) -> str | None:
    try:
        text = (environment / STAMP).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return text if _DIGEST.fullmatch(text) else None
