"""Errors of the sandbox, by whose fault it is and what happens next.

Messages name datasets, limits and counts, never cell values, keys or tokens. A failed *job* is a result
(``contracts.JobResult``), not an exception.
"""

from __future__ import annotations


class SandboxError(Exception):
    """Base of all sandbox errors. Catch it at the edge of a process, where an answer for a person is made."""

    def __init__(self, zh: str, en: str) -> None:
        """Both sentences are complete; the Chinese one is shown first."""
        super().__init__(f"{zh} / {en}")
        self.zh = zh
        self.en = en


class SandboxUnavailable(SandboxError):
    """The door is shut: something this machine must enforce is missing. Nothing was run; the operator must act."""


class LauncherAway(SandboxUnavailable):
    """The launcher does not answer: it is starting, or it was killed. ``broke_off``: with the request in its hands."""

    broke_off = False

    @classmethod
    def while_asked(cls) -> LauncherAway:
        """It ended before it answered; what it ran for the request has ended with it."""
        made = cls("沙箱启动器中断了请求。", "The sandbox launcher broke off the request.")
        made.broke_off = True
        return made


class LauncherBusy(SandboxError):
    """Every place is taken at the moment. Nothing was run; try later."""


class LauncherRefused(SandboxError):
    """The request is wrong or its sender may not ask for it. Repeating it does not help."""


class BadOutput(SandboxError):
    """What came back from a jail is not in the agreed format. It is treated as hostile and thrown away."""


class ProfileError(SandboxError):
    """A jail profile in ``sandbox/execution/profiles`` is wrong; whoever edited it must change it."""
