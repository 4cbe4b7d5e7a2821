"""What a process does right after it was forked: die with its parent, forget the parent's files and signals."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Sequence
from typing import Final

PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process when ``parent`` dies; leave at once if it already has.

    It follows the thread that forked, and a change of uid undoes it.
    """
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def close_all_but(keep_open: Sequence[int]) -> None:
    """Close every descriptor a fork inherited except the standard ones and these."""
    keep_set = {0, 1, 2, *keep_open}
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd not in keep_set:
            try:
                os.close(fd)
            except OSError:
                continue


def plain_signals() -> None:
    """Undo the launcher's own handling of signals in a fork of it."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
