"""The launcher's children: a forked keeper for each jail, and what is known of each.

A keeper dies with the launcher and its jail with it; what is frozen dies when the next launcher's janitor thaws it.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from sandbox.execution import stopping
from sandbox.execution.cgroup import Group
from sandbox.execution.clock import StoppedClock
from sandbox.execution.forks import close_all_but, die_with, plain_signals
from sandbox.execution.jail import read_host

KEEPER_FAILED: Final = 70
REMEMBERED: Final = 10_000


@dataclass(slots=True)
class Kept:
    """A running keeper. ``shown``: an author looks at it or at its result, so it is frozen in quiet times."""

    pid: int
    kind: Literal["job", "session", "wipe"]
    id: str
    workspace: str
    group: Group | None = None
    uid: int | None = None
    shown: bool = True
    sealed: bool = False
    sealed_output: bool = False
    clock: StoppedClock | None = None
    frozen: bool = False
    waiting: list[socket.socket] = field(default_factory=list)

    def freeze(self, frozen: bool) -> None:
        """Stop or continue everything in the jail. Stopping again finds what has come since."""
        if self.group is None or not (frozen or self.frozen):
            return
        if self.clock is not None and frozen != self.frozen:
            self.clock.stop() if frozen else self.clock.go_on()
        self.frozen = frozen
        if "freezer" in self.group.folders:
            self.group.freeze(frozen)
        elif frozen:
            stopping.stop_below(self.pid)
        else:
            stopping.go_on_below(self.pid)


class Keepers:
    """All running keepers, and how the last sessions ended."""

    def __init__(self) -> None:
        """None yet."""
        self.kept: dict[int, Kept] = {}
        self.ended: dict[str, int] = {}

    def __iter__(self) -> Iterator[Kept]:
        return iter(list(self.kept.values()))

    def start(self, kept: Kept, run: Callable[[], int], keep_open: Sequence[int]) -> Kept:
        """Fork a keeper that runs ``run`` and exits with its answer. Its group is there at once and can be frozen."""
        read_host()
        if kept.group is not None:
            kept.group.make()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            code = KEEPER_FAILED
            try:
                plain_signals()
                die_with(parent)
                close_all_but(keep_open)
                code = run()
            finally:
                os._exit(code)
        kept.pid = pid
        self.kept[pid] = kept
        if kept.kind == "session":
            self.ended.pop(kept.id, None)
        return kept

    def reap(self) -> list[Kept]:
        """Those that have ended; their groups are gone, the session's code is remembered."""
        over = []
        while self.kept:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            kept = self.kept.pop(pid, None)
            if kept is None:
                continue
            if kept.group is not None:
                kept.group.remove()
            if kept.kind == "session":
                self.ended[kept.id] = os.waitstatus_to_exitcode(status) & 0xFF
                while len(self.ended) > REMEMBERED:
                    self.ended.pop(next(iter(self.ended)))
            over.append(kept)
        return over

    def session(self, session: str) -> Kept | None:
        """The running session of that id."""
        return next((kept for kept in self.kept.values() if kept.kind == "session" and kept.id == session), None)

    def uids(self) -> set[int | None]:
        """Those that are taken."""
        return {kept.uid for kept in self.kept.values()}


def end(kept: Kept) -> None:
    """Ask a keeper to kill its jail."""
    try:
        os.kill(kept.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
