"""How long a session could run and nobody used it. Time in which it stood still is not counted.

Frozen beside a sealed job (PRIVACY.md 15) a session can show no activity, and a long quiet time must not end it,
neither while it lasts nor at the first look after it. Looks come every few seconds; a stretch between two looks counts
only if the session ran at both ends, so less is counted than passed, never more. A longer stretch than looks leave is
a clock that was set forward or a host that slept, and is counted as one look.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class IdleClock:
    """Made when the session starts, or anew when the hub finds it again after a restart. Moments are since 1970."""

    at: float
    """The latest look."""
    used: float = 0.0
    """The latest use that was known then."""
    longest_look_s: float = math.inf
    """What is counted at most between two looks."""
    unused_s: float = field(default=0.0, init=False)
    """Counted since that use."""
    still: bool = field(default=False, init=False)

    def look(self, now: float, *, used: float, still: bool) -> float:
        """Count up to ``now``; ``used`` is when somebody last used it, ``still`` whether it stands still now."""
        since = self.at
        if used > self.used:
            self.used, self.unused_s, since = used, 0.0, max(self.at, used)
        if not still and not self.still:
            self.unused_s += min(max(0.0, now - since), self.longest_look_s)
        self.at, self.still = now, still
        return self.unused_s
