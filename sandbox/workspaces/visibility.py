"""What the author of a sealed job may see before the votes: an id and one of three fixed states.

Source: PRIVACY.md 14. ``finished`` covers ok, failed, killed and unavailable alike. A change of state is
shown only at fixed ticks after the sealed run was queued: ``base * 2**n`` seconds, never past the wall
limit's tick. Sessions that stood still meanwhile go on at the same tick, the host's counters padded to one of
`COUNTER_STEPS` totals. With ``n`` ticks all this carries at most ``log2((n + 1) * COUNTER_STEPS)`` bits, which
`bits_of` gives and every run debits from its workspace.

Pure: times in, words out.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final, Literal

from sandbox import contracts
from sandbox.contracts import COUNTER_STEPS
from sandbox.workspaces.states import JobState

SealedState = Literal["queued", "running", "finished"]
SEALED_STATES: Final[tuple[SealedState, ...]] = ("queued", "running", "finished")
IN_SEALED_PHASE: Final = frozenset({JobState.SEALED_QUEUED, JobState.SEALED_RUNNING, JobState.FINISHED})


class Ticks(contracts.Ticks):
    """Moments at which a sealed job's visible state may change; the launcher thaws sessions at the same ones."""

    __slots__ = ()

    def last_at(self, start: datetime, now: datetime) -> datetime | None:
        """The latest tick not after ``now``; None before the first."""
        tick = self.last((now - start).total_seconds())
        return None if tick is None else start + timedelta(seconds=tick)

    def next_at(self, start: datetime, now: datetime) -> datetime:
        """The earliest tick not before ``now``."""
        return start + timedelta(seconds=self.next((now - start).total_seconds()))

    def meant_at(self, start: datetime, moment: datetime) -> datetime:
        """The tick that ``moment`` means, which another clock counted from ``start``: the two drift by a little.

        A moment that is a hair after its tick would otherwise be shown at the next one only.
        """
        drift = timedelta(seconds=min(1.0, self.base_s / 4))
        tick = self.last_at(start, moment + drift)
        return tick if tick is not None and moment - tick <= drift else self.next_at(start, moment)


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
    """Upper bound in bits of what the moment of ``finished`` and the padded counters tell together."""
    return math.ceil(math.log2((ticks.count + 1) * COUNTER_STEPS))
