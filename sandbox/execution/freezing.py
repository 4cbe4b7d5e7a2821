"""The quiet time around a sealed job: who stands still, who must wait, and at which tick both go on.

PRIVACY.md 15 with the levels' rules of ``QUIET_RULES``. A quiet time begins with the sealed run and ends at the first
of its ticks after the worker has said that everything which depends on the run is done (``settle``) and its traces
are wiped. So an author sees one moment, the tick at which the job is shown as finished, whatever the run did: also
when it died at once, and when it was run again after a crash. If the worker never says so, the launcher does when the
longest run has passed once more.

Meanwhile, of those concerned, sessions and running jobs whose results are shown are frozen and new ones are refused.

Times are monotonic seconds; the daemon acts.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from sandbox.contracts import Quiet
from sandbox.execution.scrub import Counters


@dataclass(slots=True)
class QuietTime:
    """One quiet time. ``zero`` is the moment from which its ticks count: when the sealed run was queued."""

    job: str
    workspace: str
    quiet: Quiet
    zero: float
    counters: Counters | None = None
    running: bool = True
    ended: float | None = None
    """When the last run of the job ended."""
    wiping: bool = False
    until: float | None = None
    """The tick at which it ends, once known."""
    settling: list[socket.socket] = field(default_factory=list)
    """Who waits to hear of that tick."""

    def concerns(self, workspace: str) -> bool:
        """Whether that workspace stands still for it."""
        return self.quiet.rule.everyone or workspace == self.workspace or workspace in self.quiet.kin

    def next_tick(self, now: float) -> float:
        """The earliest tick not before ``now``."""
        return self.zero + self.quiet.ticks.next(now - self.zero)

    def forgotten(self, now: float) -> bool:
        """Whether the worker has had a whole run's length to settle it and did not."""
        idle = self.ended is not None and self.until is None and not self.wiping
        return idle and now - (self.ended or now) > self.quiet.ticks.wall_s


@dataclass(slots=True)
class QuietTimes:
    """All quiet times, by the job they belong to."""

    by_job: dict[str, QuietTime] = field(default_factory=dict)

    def begin(self, job: str, workspace: str, quiet: Quiet, *, now: float, clock: float) -> QuietTime:
        """A sealed run starts; ``clock`` is now in seconds since 1970. A repeated run goes on with its own."""
        there = self.by_job.get(job)
        if there is None:
            zero = now - max(0.0, clock - quiet.queued_at)
            there = self.by_job[job] = QuietTime(job, workspace, quiet, zero)
        there.running, there.ended, there.until = True, None, None
        return there

    def run_ended(self, job: str, now: float) -> QuietTime:
        """The sealed run is over; the quiet is not."""
        there = self.by_job[job]
        there.running, there.ended = False, now
        return there

    def frozen(self, workspace: str) -> bool:
        """Whether sessions and shown jobs of that workspace stand still and new ones wait."""
        return any(each.concerns(workspace) for each in self.by_job.values())

    def shuts_out(self, job: str, quiet: Quiet) -> bool:
        """Whether a sealed job has to wait: a host that is one job's own is no other's."""
        others = [each for each in self.by_job.values() if each.job != job]
        return any(quiet.rule.everyone or each.quiet.rule.everyone for each in others)

    def held_places(self, job: str) -> int:
        """Places of other runs that ended and stay taken: when the next job starts tells only ticks."""
        return sum(not each.running for each in self.by_job.values() if each.job != job)

    def over(self, now: float) -> list[QuietTime]:
        """Remove and return those whose tick has come."""
        done = [each for each in self.by_job.values() if each.until is not None and now >= each.until]
        for each in done:
            del self.by_job[each.job]
        return done

    def wake_in(self, now: float, most: float) -> float:
        """Seconds until the next tick, at most ``most``."""
        return max(0.0, min([most, *(each.until - now for each in self.by_job.values() if each.until is not None)]))
