"""Control groups of jails: memory, processes, cores, freezing. Version 1 (a tree for each controller) and version 2.

A jail's groups lie below the launcher's own group, in a folder named after the launcher's run directory, so a
janitor can find what a killed launcher left. Only writable trees are used; what is missing is reported, not guessed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.contracts import Limits

WANTED: Final = ("memory", "pids", "cpu", "freezer")
PERIOD_US: Final = 100_000


@dataclass(frozen=True, slots=True)
class Trees:
    """Where each controller's groups can be made. ``version`` 0 means nowhere."""

    version: int
    parents: Mapping[str, Path]

    @property
    def controllers(self) -> frozenset[str]:
        """What can be limited here."""
        return frozenset(self.parents)


NOWHERE: Final = Trees(0, {})


def find(run_dir: Path, *, mounts: str | None = None, own: str | None = None, as_root: bool = True) -> Trees:
    """Find the launcher's folder in every useful tree and make it.

    ``mounts`` and ``own`` are the texts of ``/proc/self/mounts`` and ``/proc/self/cgroup`` (for tests).
    """
    if not as_root:
        return NOWHERE
    mounts = Path("/proc/self/mounts").read_text() if mounts is None else mounts
    own = Path("/proc/self/cgroup").read_text() if own is None else own
    folder = "opendata-sandbox-" + hashlib.sha256(os.fspath(run_dir.absolute()).encode()).hexdigest()[:12]
    one = _version_1(mounts, own, folder)
    if {"memory", "pids"} <= one.keys():
        return Trees(1, one)
    two = _version_2(mounts, folder)
    if {"memory", "pids"} <= two.keys():
        return Trees(2, two)
    return NOWHERE


def _version_1(mounts: str, own: str, folder: str) -> dict[str, Path]:
    paths = {}
    for line in own.splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            paths[name] = path
    found: dict[str, Path] = {}
    for line in mounts.splitlines():
        _, target, kind, flags, *_ = line.split()
        if kind != "cgroup":
            continue
        for name in set(flags.split(",")) & set(WANTED):
            parent = Path(target) / paths.get(name, "/").lstrip("/") / folder
            with contextlib.suppress(OSError):
                parent.mkdir(parents=False, exist_ok=True)
                if name == "memory":
                    # A limit below must count what lies below it, whatever the age of the tree.
                    with contextlib.suppress(OSError):
                        (parent / "memory.use_hierarchy").write_text("1")
                found[name] = parent
    return found


def _version_2(mounts: str, folder: str) -> dict[str, Path]:
    for line in mounts.splitlines():
        _, target, kind, *_ = line.split()
        if kind != "cgroup2":
            continue
        root = Path(target)
        try:
            there = set((root / "cgroup.controllers").read_text().split()) & set(WANTED)
        except OSError:
            continue
        if not {"memory", "pids"} <= there:
            continue
        # At the root processes may stay beside groups ("no internal processes" holds below it only).
        parent = root / folder
        with contextlib.suppress(OSError):
            parent.mkdir(exist_ok=True)
            for place in (root, parent):
                for name in sorted(there):
                    with contextlib.suppress(OSError):
                        (place / "cgroup.subtree_control").write_text(f"+{name}")
            enabled = set((parent / "cgroup.subtree_control").read_text().split())
            found = dict.fromkeys(enabled & set(WANTED), parent)
            return {**found, "freezer": parent} if found else {}
    return {}


class Group:
    """The groups of one jail, in every tree at hand."""

    def __init__(self, trees: Trees, name: str) -> None:
        """Nothing is made yet."""
        self.trees = trees
        self.name = name
        self.folders = {controller: parent / name for controller, parent in trees.parents.items()}

    def create(self, limits: Limits, *, extra_memory: int = 0) -> None:
        """Make the groups and set their limits. ``extra_memory`` is for memory file systems, counted here too.

        Raises:
            OSError: a limit could not be set. Then no jail may start.
        """
        self.make()
        memory = limits.memory_bytes + extra_memory
        cpu_us = max(1000, int(limits.cpus * PERIOD_US))
        if self.trees.version == 1:
            self._set("memory", "memory.limit_in_bytes", str(memory))
            with contextlib.suppress(OSError):  # only where swap is counted
                self._set("memory", "memory.memsw.limit_in_bytes", str(memory))
            self._set("pids", "pids.max", str(limits.pids))
            self._set("cpu", "cpu.cfs_period_us", str(PERIOD_US))
            self._set("cpu", "cpu.cfs_quota_us", str(cpu_us))
        elif self.trees.version == 2:
            self._set("memory", "memory.max", str(memory))
            with contextlib.suppress(OSError):
                self._set("memory", "memory.swap.max", "0")
            self._set("pids", "pids.max", str(limits.pids))
            self._set("cpu", "cpu.max", f"{cpu_us} {PERIOD_US}")

    def make(self) -> None:
        """Make the groups, without limits: a group that is frozen before anything runs in it freezes what joins."""
        for folder in set(self.folders.values()):
            folder.mkdir(parents=True, exist_ok=True)  # a trial beside this one may just have left

    def settle(self, limits: Limits) -> None:
        """Inputs are copied: what is in use now plus ``memory_bytes`` is the limit for the code that follows."""
        name, used = (
            ("memory.max", "memory.current")
            if self.trees.version == 2
            else (
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            )
        )
        now = _number(self.folders, "memory", used)
        if now is None:
            return
        with contextlib.suppress(OSError):  # busy only if it already holds more; the first limit then stays
            self._set("memory", name, str(now + limits.memory_bytes))
            if self.trees.version == 1:
                self._set("memory", "memory.memsw.limit_in_bytes", str(now + limits.memory_bytes))

    def join(self) -> None:
        """Put the calling process in (runs between fork and exec, so it has one thread). Raises ``OSError``.

        Version 1 takes the calling thread itself at once; before it moves a whole process, named by its number, the
        kernel waits until nobody forks any more, some 15 ms.
        """
        name, whom = ("tasks", "0") if self.trees.version == 1 else ("cgroup.procs", str(os.getpid()))
        for folder in set(self.folders.values()):
            (folder / name).write_text(whom)

    def peak_memory(self) -> int | None:
        """The most bytes ever held at once, if the kernel tells."""
        return _number(
            self.folders, "memory", "memory.peak" if self.trees.version == 2 else "memory.max_usage_in_bytes"
        )

    def out_of_memory(self) -> bool:
        """Whether the kernel killed something here for want of memory."""
        name = "memory.events" if self.trees.version == 2 else "memory.oom_control"
        try:
            lines = (self.folders["memory"] / name).read_text().splitlines()
        except (KeyError, OSError):
            return False
        return any(line.startswith("oom_kill ") and line.split()[1] != "0" for line in lines)

    def freeze(self, frozen: bool) -> None:
        """Stop or continue everything in the group; the caller sees nothing of it but the clock."""
        freeze_folder(self.folders.get("freezer"), self.trees.version, frozen)

    def kill(self) -> None:
        """Kill everything in it; what is frozen is let go after it was killed, so it runs no further."""
        for folder in set(self.folders.values()):
            _kill(folder)
        self.freeze(False)

    def remove(self) -> None:
        """Kill what is left and remove the groups. Quiet if they are gone; a group that stays is the janitor's."""
        _remove(self.folders.values(), self.trees.version)

    def _set(self, controller: str, name: str, value: str) -> None:
        if controller in self.folders:
            (self.folders[controller] / name).write_text(value)


def clean(trees: Trees, *, spare: Callable[[str], bool] = lambda _: False) -> int:
    """The janitor: kill and remove every group a former launcher with this run directory left. Returns how many."""
    names = {
        path.name
        for parent in set(trees.parents.values())
        if parent.is_dir()
        for path in parent.iterdir()
        if path.is_dir() and not spare(path.name)
    }
    for name in names:
        Group(trees, name).remove()
    return len(names)


def leave(trees: Trees) -> None:
    """Remove the launcher's own folders; one that still holds a group stays."""
    for parent in set(trees.parents.values()):
        with contextlib.suppress(OSError):
            parent.rmdir()


def freeze_folder(folder: Path | None, version: int, frozen: bool) -> None:
    """Write the state the kernel's version understands. Quiet if the group is gone."""
    if folder is None:
        return
    with contextlib.suppress(OSError):
        if version == 2:
            (folder / "cgroup.freeze").write_text("1" if frozen else "0")
        else:
            (folder / "freezer.state").write_text("FROZEN" if frozen else "THAWED")


def _remove(folders: Iterable[Path], version: int) -> None:
    left = [folder for folder in set(folders) if folder.is_dir()]
    for folder in left:
        _kill(folder)
        freeze_folder(folder, version, False)  # a frozen process of version 1 does not die
    for attempt in range(200):
        still = []
        for folder in left:
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                still.append(folder)
                _kill(folder)
                freeze_folder(folder, version, False)  # in a quiet time the launcher may have frozen it again
        left = still
        if not left:
            return
        time.sleep(0.002 if attempt < 50 else 0.02)


def _kill(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for line in (folder / "cgroup.procs").read_text().split():
            if int(line) != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(line), signal.SIGKILL)


def _number(folders: Mapping[str, Path], controller: str, name: str) -> int | None:
    try:
        return int((folders[controller] / name).read_text())
    except (KeyError, OSError, ValueError):
        return None
