"""The one way out of a jail: a pipe whose number the launcher gave, and its first byte.

The descriptor is taken out of the environment at once and never inherited, so the user's own processes do not hold
it. (What comes through it is hostile all the same.)
"""

from __future__ import annotations

import os
from typing import BinaryIO, Final

STARTED: Final = b"\x06"
"""Told the launcher first: inputs are copied, limits may now be those of the user's code."""
REFUSED_OUTPUT: Final = 77
"""Exit code: the run ended, but its outputs broke the rules and were left behind."""
TELL_ERRORS: Final = "tell-errors"
"""Argument of a dry run: what a failed script wrote to stderr goes into the tar. A sealed run never gets it."""
ERROR_FILE: Final = "error.txt"


def open_output() -> BinaryIO:
    """Take the pipe and say that the run begins.

    Raises:
        KeyError: not started by the launcher.
    """
    fd = int(os.environ.pop("SBX_OUTPUT_FD"))
    os.set_inheritable(fd, False)
    os.write(fd, STARTED)
    return open(fd, "wb")


def no_screen() -> None:
    """Nothing this process or its children print goes anywhere."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
