"""What parts do by the clock: every few seconds, one after the other; a failing one is logged and tried again.

A round is short and idempotent: it looks at what is due, acts in its own transactions, and returns.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from opendata.jobs.context import Resources
from opendata.logs import get_logger, where
from opendata.parts import resolve

EVERY_S = 10.0

_log = get_logger("opendata.worker.rounds")


class Rounds:
    """A thread that calls every part's round."""

    def __init__(self, resources: Resources, rounds: Mapping[str, str], *, every_s: float = EVERY_S) -> None:
        """``rounds``: name -> ``module:function`` with the signature ``f(resources)``."""
        self._resources = resources
        self._rounds = dict(rounds)
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="rounds", daemon=True)

    def start(self) -> None:
        """Now and then again and again."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; a round in the middle is not waited for."""
        self._stop.set()

    def once(self) -> None:
        """One round of each."""
        for name, dotted in self._rounds.items():
            try:
                function: Callable[[Resources], None] = resolve(dotted)
                function(self._resources)
            except Exception as error:  # noqa: BLE001 (the others still have their turn; it is tried again)
                _log.error("round failed", round=name, error=type(error).__name__, where=where(error))

    def _loop(self) -> None:
        while True:
            self.once()
            if self._stop.wait(self._every_s):
                return
