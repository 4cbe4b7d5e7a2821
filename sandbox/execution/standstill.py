"""Quiet times as they happen: freezing who is concerned, wiping what a sealed job left, telling the worker its tick.

Who stands still and until when is decided in `freezing`, what is wiped in `scrub`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from sandbox.contracts import Enforcement, JobSpec, Quiet
from sandbox.errors import LauncherBusy
from sandbox.execution import scrub
from sandbox.execution.admission import check_level
from sandbox.execution.freezing import QuietTime, QuietTimes
from sandbox.execution.keepers import Keepers, Kept
from sandbox.execution.wire import reply
from sandbox.settings import SandboxSettings


class Standstill:
    """The quiet times of one launcher and what it does for them."""

    def __init__(self, settings: SandboxSettings, keepers: Keepers, say: Callable[..., None]) -> None:
        """Nobody stands still yet."""
        self.settings = settings
        self.keepers = keepers
        self.say = say
        self.times = QuietTimes()

    def begin(self, spec: JobSpec, quiet: Quiet, enforcement: Enforcement) -> None:
        """Freeze whom a sealed job concerns before it starts.

        Raises:
            SandboxUnavailable: this machine lacks what the level needs.
            LauncherBusy: the host is another job's own.
        """
        check_level(enforcement, quiet.level)
        if self.times.shuts_out(spec.id, quiet):
            raise LauncherBusy(
                "主机正由另一个密封作业独占。", "The host belongs to another sealed job at the moment; try later."
            )
        there = self.times.begin(spec.id, spec.workspace, quiet, now=time.monotonic(), clock=time.time())
        self._freeze()
        if there.counters is None:
            there.counters = scrub.read_counters()

    def run_ended(self, job: str) -> None:
        """The sealed run is over; whoever waits to settle it can be served now."""
        ended = self.times.run_ended(job, time.monotonic())
        if ended.settling:
            self._wipe(ended)

    def settle(self, job: str, connection: socket.socket) -> bool:
        """Wipe what the job left; the answer is the tick at which its quiet time ends, seconds since 1970.

        True if the answer comes later.
        """
        quiet = self.times.by_job.get(job)
        if quiet is None:
            reply(connection, {"tick": None})
            return False
        if quiet.until is not None:
            reply(connection, {"tick": time.time() + quiet.until - time.monotonic()})
            return False
        quiet.settling.append(connection)
        if not quiet.running:
            self._wipe(quiet)
        return True

    def mind(self) -> None:
        """To be called again and again: end what is over, settle what a worker forgot, freeze what is new."""
        now = time.monotonic()
        for quiet in list(self.times.by_job.values()):
            if quiet.forgotten(now):
                self.say("forgotten", seconds=round(now - (quiet.ended or now)))
                self._wipe(quiet)
        if self.times.over(now) or self.times.by_job:
            self._freeze()

    def wiped(self, job: str) -> None:
        """Its tick is the next one: from now on nothing of the run can be seen."""
        quiet = self.times.by_job[job]
        quiet.wiping = False
        if quiet.running:  # once more, after a crash of the worker
            return
        now = time.monotonic()
        quiet.until = quiet.next_tick(now)
        for connection in quiet.settling:
            reply(connection, {"tick": time.time() + quiet.until - now})
            connection.close()
        quiet.settling.clear()

    def _freeze(self) -> None:
        """Freeze what a quiet time concerns, let the rest go on. Done again and again: it also finds what is new."""
        for kept in self.keepers:
            if kept.shown:
                kept.freeze(self.times.frozen(kept.workspace))

    def _wipe(self, quiet: QuietTime) -> None:
        """Start wiping, unless it is going on."""
        if quiet.wiping:
            return
        quiet.wiping = True
        before, step, caches = quiet.counters, self.settings.counter_step, self.settings.wipe_caches

        def wipe() -> int:
            done = before is None or scrub.pad_counters(before, step)
            if caches:
                scrub.drop_caches()
            return 0 if done else 1

        self.keepers.start(Kept(0, "wipe", quiet.job, quiet.workspace, shown=False), wipe, [])
