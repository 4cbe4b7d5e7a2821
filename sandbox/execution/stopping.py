"""Stopping a jail's processes by SIGSTOP, where there are no control groups to freeze it.

The launcher sees every process of a jail as a descendant of its keeper, and nobody inside a pid namespace can refuse
a SIGSTOP from outside. One that forks between two looks is found by the next.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Final

LOOKS: Final = 50
STOPPED: Final = frozenset("TtZX")


def stop_below(keeper: int) -> bool:
    """Stop every descendant of ``keeper``; true once all of them stand still."""
    for _ in range(LOOKS):
        running = [pid for pid, state in below(keeper).items() if state not in STOPPED]
        if not running:
            return True
        _send(running, signal.SIGSTOP)
    return False


def go_on_below(keeper: int) -> None:
    """Let every descendant of ``keeper`` go on."""
    _send(list(below(keeper)), signal.SIGCONT)


def below(keeper: int) -> dict[int, str]:
    """The descendants of a process with the letter of their state."""
    parents: dict[int, int] = {}
    states: dict[int, str] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                states[int(name)], parents[int(name)] = fields[0].decode(), int(fields[1])
    found: dict[int, str] = {}
    layer = {keeper}
    while layer:
        layer = {pid for pid, parent in parents.items() if parent in layer and pid not in found}
        found.update((pid, states[pid]) for pid in layer)
    return found


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)
