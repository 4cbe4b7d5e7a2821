"""Errors of workspaces and the airlock, by whose fault and what next. Messages never hold cell values.

Every sentence is Chinese, `` · ``, the same in English; ``reason`` holds the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from opendata.errors import ConflictError, DeniedError, InvalidInputError, NotFoundError, OpenDataError


class WorkspaceError(OpenDataError):
    """Base of everything a caller of `sandbox.workspaces` and `sandbox.airlock` may catch."""

    @property
    def reason(self) -> dict[str, str]:
        """The sentence in both languages."""
        chinese, _, english = str(self).partition(" · ")
        return {"zh": chinese, "en": english or chinese}


class WorkspaceDenied(WorkspaceError, DeniedError):
    """A rule refuses this person this act; another person or a decision is needed."""


class WorkspaceInvalid(WorkspaceError, InvalidInputError):
    """What was sent is not acceptable; the sender must change it."""


class FormInvalid(WorkspaceInvalid):
    """A form has several mistakes. ``faults``: what is wrong, by the name of its field, ``中文 · english`` each."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        apart = [fault.partition(" · ") for fault in faults.values()]
        super().__init__("；".join(each[0] for each in apart) + " · " + "; ".join(each[2] for each in apart))
        self.faults = dict(faults)


class WorkspaceNotFound(WorkspaceError, NotFoundError):
    """There is no such thing for this person (absent and hidden look the same)."""


class WorkspaceConflict(WorkspaceError, ConflictError):
    """The thing is in a state that does not allow this step."""

    @classmethod
    def from_states(cls, old: str, new: str) -> Self:
        """Build the sentence for a refused transition."""
        return cls(f"当前状态“{old}”不能变为“{new}” · a {old} thing cannot become {new}")


class SandboxClosed(WorkspaceError):
    """The sandbox door is closed on this machine: an isolation feature is missing. Nothing was run."""
