"""Errors of workspaces and the airlock, by whose fault and what next. Messages never hold cell values."""

from __future__ import annotations

from typing import Self


class WorkspaceError(Exception):
    """Base of everything a caller of `sandbox.workspaces` may catch."""


class WorkspaceDenied(WorkspaceError):
    """This person may not do this; another person or a decision is needed."""


class WorkspaceInvalid(WorkspaceError):
    """What was sent is not acceptable; the sender must change it."""


class WorkspaceNotFound(WorkspaceError):
    """There is no such thing for this person (absent and hidden look the same)."""


class WorkspaceConflict(WorkspaceError):
    """The thing is in a state that does not allow this step."""

    @classmethod
    def from_states(cls, old: str, new: str) -> Self:
        """Build the sentence for a refused transition."""
        return cls(f"当前状态“{old}”不能变为“{new}” · a {old} thing cannot become {new}")


class SandboxClosed(WorkspaceError):
    """The sandbox door is closed on this machine: an isolation feature is missing. Nothing was run."""
