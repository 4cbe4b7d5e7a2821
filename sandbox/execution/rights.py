"""What a process gives up before it becomes bubblewrap: its uid, groups, capabilities, and what it may use up.

Between fork and exec, by the kernel's own calls: two programs that do the same (``setpriv``, ``prlimit``) cost 3 ms of
every start. The order matters. The bounding set needs rights that the change of uid takes away; the inheritable set
survives it and is emptied after it; the limit of processes counts those of the new uid.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PR_CAPBSET_READ: Final = 23
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
CAPABILITY_VERSION_3: Final = 0x20080522
MEMLOCK_BYTES: Final = 65_536
_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]


@dataclass(frozen=True, slots=True)
class Rights:
    """What is left to the process. ``uid`` None keeps the caller's own, and its processes uncounted."""

    uid: int | None
    file_bytes: int
    open_files: int
    processes: int

    def limits(self) -> Mapping[int, int]:
        """The kernel's number of each resource and its limit, soft and hard."""
        limits = {
            resource.RLIMIT_FSIZE: self.file_bytes,
            resource.RLIMIT_NOFILE: self.open_files,
            resource.RLIMIT_MEMLOCK: MEMLOCK_BYTES,
            # One byte, not none: with a piped core pattern 0 does not keep the host's handler from the memory.
            resource.RLIMIT_CORE: 1,
            resource.RLIMIT_MSGQUEUE: 0,
        }
        return limits if self.uid is None else {**limits, resource.RLIMIT_NPROC: self.processes}

    def take(self) -> None:
        """Keep no more than these, for good. Runs between fork and exec.

        Raises:
            OSError, ValueError: the kernel refused; then nothing may be run.
        """
        if self.uid is not None:
            _drop_bounding_set()
            os.setgroups([])
            os.setresgid(self.uid, self.uid, self.uid)
            os.setresuid(self.uid, self.uid, self.uid)
            _drop_all_sets()
        _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        for number, most in self.limits().items():
            resource.setrlimit(number, (most, most))


def _drop_bounding_set() -> None:
    """Every capability that this kernel knows."""
    number = 0
    while _libc.prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0:
        _check(_libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0))
        number += 1


def _drop_all_sets() -> None:
    """Effective, permitted and inheritable, and with them the ambient set."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)()))


def _check(returned: int) -> None:
    if returned != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
