"""What the author of a sealed job may see before the votes: an id and one of three fixed states.

Source: PRIVACY.md 14. ``finished`` covers ok, failed, killed and unavailable alike. A change of state is
shown only at fixed ticks after the sealed run was queued: ``base * 2**n`` seconds, never past the wall
limit's tick. With ``n`` ticks the moment of the change carries at most ``log2(n + 1)`` bits, which
`bits_of` gives and every run debits from its workspace.

Pure: times in, words out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sandbox.workspaces.states import JobState

SealedState = Literal["queued", "running", "finished"]
SEALED_STATES: Final[tuple[SealedState, ...]] = ("queued", "running", "finished")
IN_SEALED_PHASE: Final = frozenset({JobState.SEALED_QUEUED, JobState.SEALED_RUNNING, JobState.FINISHED})


@dataclass(frozen=True, slots=True)
class Ticks:
    """Moments at which a sealed job's visible state may change.

    ``base_s`` is the first tick in seconds, ``wall_s`` the longest run; both must be in (0, inf).
    """

    base_s: float = 15.0
    wall_s: float = 600.0

    @property
    def count(self) -> int:
        """How many ticks there are, the one at or after the wall limit included."""
        return max(1, math.ceil(math.log2(self.wall_s / self.base_s)) + 1)

    def last_at(self, start: datetime, now: datetime) -> datetime | None:
        """The latest tick not after ``now``; None before the first. Past the table, ticks are one wall apart."""
        elapsed = (now - start).total_seconds()
        if elapsed < self.base_s:
            return None
        exponent = min(int(math.log2(elapsed / self.base_s)), self.count - 1)
        tick = self.base_s * 2**exponent
        if exponent == self.count - 1:
            tick += math.floor((elapsed - tick) / self.wall_s) * self.wall_s
        return start + timedelta(seconds=tick)

    def next_at(self, start: datetime, now: datetime) -> datetime:
        """The earliest tick not before ``now``."""
        seconds = max((now - start).total_seconds(), 0.0)
        tick, count = self.base_s, 1
        while tick < seconds and count < self.count:
            tick, count = tick * 2, count + 1
        if tick < seconds:
            tick += math.ceil((seconds - tick) / self.wall_s) * self.wall_s
        return start + timedelta(seconds=tick)


DEFAULT_TICKS: Final = Ticks()


def sealed_state(
    *,
    queued_at: datetime,
    started_at: datetime | None,
    finished_at: datetime | None,
    now: datetime,
    ticks: Ticks = DEFAULT_TICKS,
) -> SealedState:
    """The fixed state shown at ``now``: what was true at the last tick, nothing later."""
    seen = ticks.last_at(queued_at, now)
    if seen is None:
        return "queued"
    if finished_at is not None and finished_at <= seen:
        return "finished"
    return "running" if started_at is not None and started_at <= seen else "queued"


def bits_of(ticks: Ticks) -> int:
    """Upper bound in bits of what the moment of ``finished`` tells."""
    return math.ceil(math.log2(ticks.count + 1))
