"""What a sealed job leaves behind on the host after its jail is gone, wiped before its author's sessions go on.

PRIVACY.md 15. Two things outlast a frozen time and could be read after it, at thousands of bits a job:

* *Counters.* The kernel numbers the inodes of pipes, sockets and ``/proc`` and those of memory files host-wide. Both
  numbers are padded with inodes of our own until they are ``step * 6**n`` beyond where they stood when the quiet time
  began, ``n`` from 0 to ``COUNTER_STEPS - 1``, and every core's own batch is begun anew. What is left is ``n``,
  which the workspace's budget pays for (`sandbox.workspaces.visibility.bits_of`).
* *Caches.* Which files and names of the shared system lie in memory shows in how fast they are found. The kernel drops
  them all, for everybody.

As root only; the probe ``scrub`` says whether it works here.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.contracts import COUNTER_STEPS

DROP_CACHES: Final = Path("/proc/sys/vm/drop_caches")
FACTOR: Final = 6
BATCH: Final = 1024
"""So many numbers the kernel hands to a core at a time."""
AT_ONCE: Final = 400
WRAP: Final = 1 << 32
LONGEST_S: Final = 1800.0


@dataclass(frozen=True, slots=True)
class Counters:
    """Where the host's numbering of pipes and of memory files stands."""

    pipes: int
    files: int


def caches_can_be_dropped() -> bool:
    """Whether this process may ask the kernel to drop its caches."""
    return os.geteuid() == 0 and os.access(DROP_CACHES, os.W_OK)


def drop_caches() -> None:
    """Drop clean pages, names and inodes from memory. Quiet where it is not allowed: the probe has said so."""
    with contextlib.suppress(OSError):
        DROP_CACHES.write_text("3")


def read_counters() -> Counters:
    """The next batches of numbers. Begins a new batch of each on one core."""
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, [min(cores)])
        return Counters(_next_batch(_pipe_number, 1), _next_batch(_file_number, 0))
    finally:
        os.sched_setaffinity(0, cores)


def total(used: int, step: int) -> int:
    """What ``used`` numbers are padded to: the smallest ``step * 6**n`` that is enough.

    >>> [total(used, 100) for used in (0, 100, 101, 600, 601)]
    [100, 100, 600, 600, 3600]
    """
    padded = step
    for _ in range(COUNTER_STEPS - 1):
        if padded >= used:
            return padded
        padded *= FACTOR
    return -(-used // padded) * padded


def pad_counters(before: Counters, step: int, *, longest_s: float = LONGEST_S) -> bool:
    """Pad both counters to the same total since ``before``; false if that took longer than ``longest_s``.

    Takes some ten seconds of one core for a million numbers. Runs in a process of its own: it moves between cores.
    """
    end = time.monotonic() + longest_s
    cores = sorted(os.sched_getaffinity(0))
    try:
        os.sched_setaffinity(0, cores[:1])
        now = read_counters()
        used = max((now.pipes - before.pipes) % WRAP, (now.files - before.files) % WRAP)
        if used > WRAP // 2:  # no job uses that many: the numbering was begun anew, so it counts from here
            before, used = now, 0
        goal = total(used + 2 * BATCH * len(cores), step)
        padded = [
            _burn(_pipes, _pipe_number, before.pipes, goal, end),
            _burn(_files, _file_number, before.files, goal, end),
        ]
        for core in cores:
            os.sched_setaffinity(0, [core])
            read_counters()
    finally:
        os.sched_setaffinity(0, cores)
    return all(padded)


def _burn(make: Callable[[int], None], number: Callable[[], int], start: int, goal: int, end: float) -> bool:
    while (left := goal - (number() - start) % WRAP) > 0 and (number() - start) % WRAP < WRAP // 2:
        if time.monotonic() > end:
            return False
        make(min(left, AT_ONCE))
    return True


def _next_batch(number: Callable[[], int], first: int) -> int:
    """Use up this core's batch; returns the first number seen of its next one. Batches begin at ``first`` of 1024."""
    before = number()
    now = before
    while (now - first) // BATCH == (before - first) // BATCH:
        now = number()
    return now


def _pipe_number() -> int:
    read, write = os.pipe2(os.O_CLOEXEC)
    number = os.fstat(read).st_ino
    os.close(read)
    os.close(write)
    return number


def _file_number() -> int:
    fd = os.memfd_create("")
    number = os.fstat(fd).st_ino
    os.close(fd)
    return number


def _pipes(count: int) -> None:
    held = [fd for _ in range(count) for fd in os.pipe2(os.O_CLOEXEC)]
    for fd in held:
        os.close(fd)


def _files(count: int) -> None:
    held = [os.memfd_create("") for _ in range(count)]
    for fd in held:
        os.close(fd)
