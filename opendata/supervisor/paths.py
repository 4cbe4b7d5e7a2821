"""Lets service users reach a checkout that lies under a directory closed to them.

A checkout or home under `/root` or a 0700 temporary directory cannot be entered by the service users. Opening that
directory would show its other contents, so each process instead gets a private mount namespace in which an empty,
passable directory stands over the closed one and only the needed folders are bound below it at their own paths.
Root only; nothing on the host changes.
"""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path


def closed_ancestor(path: Path) -> Path | None:
    """The topmost directory above ``path`` that other users cannot enter; None when all can be entered."""
    for parent in reversed(path.resolve().parents):
        if not parent.stat().st_mode & stat.S_IXOTH:
            return parent
    return None


def enter_command(needed: Iterable[Path], staging: Path) -> list[str]:
    """The prefix under which a program sees every path of ``needed``; empty when nothing is closed.

    ``staging`` is an empty directory outside the closed ones; it is only used as a mount point inside the namespace.
    """
    by_ancestor: dict[Path, list[Path]] = {}
    for path in {entry.resolve() for entry in needed}:
        ancestor = closed_ancestor(path)
        if ancestor is not None:
            by_ancestor.setdefault(ancestor, []).append(path)
    if not by_ancestor:
        return []
    script = [
        "set -eu",
        "before=$(umask)",
        "umask 022",
        f"mount -t tmpfs -o mode=0711,size=1m opendata-paths {shlex.quote(str(staging))}",
    ]
    for number, (ancestor, paths) in enumerate(sorted(by_ancestor.items())):
        script += _open_one(ancestor, _outermost(paths), staging / str(number))
    script += ['umask "$before"', 'exec "$@"']
    return ["unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-c", "\n".join(script), "enter"]


def _outermost(paths: Sequence[Path]) -> list[Path]:
    """Paths that lie in no other path of the list, since one recursive bind shows what is below it."""
    return sorted(path for path in paths if not any(other in path.parents for other in paths))


def _open_one(ancestor: Path, paths: Sequence[Path], staging: Path) -> list[str]:
    """Shell lines: bind aside, cover the closed directory with an empty one, bind back at the same paths."""
    lines = []
    for number, path in enumerate(paths):
        aside = shlex.quote(f"{staging}-{number}")
        lines += [f"mkdir {aside}", f"mount --rbind {shlex.quote(str(path))} {aside}"]
    lines.append(f"mount -t tmpfs -o mode=0711,size=1m opendata-paths {shlex.quote(str(ancestor))}")
    for number, path in enumerate(paths):
        quoted = shlex.quote(str(path))
        lines += [f"mkdir -p {quoted}", f"mount --rbind {shlex.quote(f'{staging}-{number}')} {quoted}"]
    return lines
