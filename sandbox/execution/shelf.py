"""The members' own imports, in the launcher's memory: what sessions of a workspace find below ``/data/import``.

The worker opens the vault and hands over sealed files in memory (memfd); the launcher keeps the descriptors and never
looks inside. So nothing of an import lies on a disk in clear, and all of it is gone when the launcher ends (PRIVACY.md
30). A session gets copies in its own memory.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.contracts import ID
from sandbox.errors import LauncherBusy, LauncherRefused

FOLDER: Final = "/data/import"
MAX_FILES: Final = 20
MAX_FILE_BYTES: Final = 512 * 1024 * 1024
MAX_BYTES: Final = 2 * 1024 * 1024 * 1024
F_GET_SEALS: Final = 1034
WANTED_SEALS: Final = 0x0002 | 0x0004 | 0x0008
"""F_SEAL_SHRINK, GROW, WRITE: what was handed over can change for nobody any more."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """One import of a workspace."""

    name: str
    id: str
    descriptor: int
    size: int


class Shelf:
    """All imports the launcher holds, by workspace; the workspace that was set longest ago makes room."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        """Empty."""
        self.most = most
        self.held: dict[str, tuple[Shelved, ...]] = {}

    def set(self, workspace: str, named: Sequence[tuple[str, str]], fds: Sequence[int]) -> None:
        """Hold exactly these for the workspace, in place of what was held; the caller closes its own descriptors.

        Raises:
            LauncherRefused: a name is wrong or stands twice, a descriptor is no sealed file in memory, or too large.
            LauncherBusy: there is no room, not even without all others.
        """
        names = [name for name, _ in named]
        if not ID.fullmatch(workspace) or len(named) != len(fds) or len(named) > MAX_FILES:
            raise LauncherRefused("导入的清单不符。", "The list of imports does not match.")
        if len(set(names)) != len(names) or not all(ID.fullmatch(part) for pair in named for part in pair):
            raise LauncherRefused("导入的名称不符。", "The names of the imports are wrong.")
        sizes = [_checked_size(fd) for fd in fds]
        if sum(sizes) > self.most:
            raise LauncherBusy("内存中放不下这些导入。", "There is no room in memory for these imports.")
        made = tuple(
            Shelved(name, identifier, fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3), size)
            for (name, identifier), fd, size in zip(named, fds, sizes, strict=True)
        )
        self.drop(workspace)
        while self.held and self.bytes + sum(sizes) > self.most:
            self.drop(next(iter(self.held)))
        if made:
            self.held[workspace] = made

    def drop(self, workspace: str) -> None:
        """Forget the imports of a workspace."""
        for shelved in self.held.pop(workspace, ()):
            os.close(shelved.descriptor)

    def wanted(self, workspace: str, names: Sequence[str]) -> list[Shelved]:
        """The named imports of a workspace.

        Raises:
            LauncherBusy: one is not here (any more); the worker must hand it over again.
        """
        held = {shelved.name: shelved for shelved in self.held.get(workspace, ())}
        missing = [name for name in names if name not in held]
        if missing:
            raise LauncherBusy("导入尚未就绪，请稍后再试。", "The imports are not ready; try again in a moment.")
        return [held[name] for name in names]

    @property
    def bytes(self) -> int:
        """How much is held."""
        return sum(shelved.size for of in self.held.values() for shelved in of)

    @property
    def descriptors(self) -> list[int]:
        """All of them, for a fork that must keep them open."""
        return [shelved.descriptor for of in self.held.values() for shelved in of]


def session_inputs(shelved: Sequence[Shelved]) -> list[tuple[str, int]]:
    """Path and descriptor of each, opened anew so that every session reads from the start. Called by the keeper."""
    return [
        (f"{FOLDER}/{each.name}/{each.name}.parquet", os.open(f"/proc/self/fd/{each.descriptor}", os.O_RDONLY))
        for each in shelved
    ]


def _checked_size(fd: int) -> int:
    try:
        seals = fcntl.fcntl(fd, F_GET_SEALS)
    except OSError:
        seals = 0
    if seals & WANTED_SEALS != WANTED_SEALS:
        raise LauncherRefused("导入必须是封存的内存文件。", "An import must be a sealed file in memory.")
    size = os.fstat(fd).st_size
    if not 0 < size <= MAX_FILE_BYTES:
        raise LauncherRefused("导入过大或为空。", "An import is too large, or empty.")
    return size
