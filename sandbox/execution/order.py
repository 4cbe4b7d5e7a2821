"""What a keeper is told: which jail, in which group, as whom, for how long, and where its output goes."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import BinaryIO, Final

from sandbox.execution.cgroup import Group
from sandbox.execution.clock import StoppedClock
from sandbox.execution.jail import Jail

LOOK_AT_CLOCK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Order:
    """One jail to keep. ``uid`` None keeps the caller's own (no separation of users).

    ``output_fd`` takes what the jail writes on its output; ``log`` what it prints (sessions, capped); ``screen``
    lets it print to the caller's own standard output (``sandbox try`` only). ``connection`` is watched: when the
    caller is gone, so is the jail. ``clock`` tells what of ``wall_s`` does not count.
    """

    jail: Jail
    group: Group
    uid: int | None
    wall_s: float | None
    output_fd: int | None = None
    output_bytes: int = 0
    started_marker: bool = False
    log: BinaryIO | None = None
    screen: bool = False
    connection: socket.socket | None = None
    extra_memory: int = 0
    clock: StoppedClock | None = None

    def left(self, started: float) -> float | None:
        """Seconds that remain."""
        if self.wall_s is None:
            return None
        stood = self.clock.seconds() if self.clock is not None else 0.0
        return started + self.wall_s + stood - time.monotonic()

    def patience_ms(self, started: float) -> float | None:
        """How long to wait for the jail before looking at the clock again."""
        left = self.left(started)
        if left is None:
            return None
        return max(0.0, left if self.clock is None else min(left, LOOK_AT_CLOCK_S)) * 1000 + 1
