"""A clock that stands still with its jail, so that standing still costs nobody their time.

It lies in memory that the launcher and the keeper share: the launcher stops it and lets it go on, the keeper reads it.
"""

from __future__ import annotations

import mmap
import struct
import time


class StoppedClock:
    """For how many seconds a jail stood still."""

    def __init__(self) -> None:
        """Going."""
        self._memory = mmap.mmap(-1, 16)

    def stop(self) -> None:
        """The jail is frozen from now on."""
        struct.pack_into("d", self._memory, 8, time.monotonic())

    def go_on(self) -> None:
        """It is not any more."""
        struct.pack_into("dd", self._memory, 0, self.seconds(), 0.0)

    def seconds(self) -> float:
        """The sum so far."""
        total, since = struct.unpack_from("dd", self._memory)
        return float(total + (time.monotonic() - since if since else 0.0))
