"""Errors of the airlock. Messages name rules and counts, never cells, keys or tokens."""

from __future__ import annotations

from typing import Self

from sandbox.workspaces.errors import WorkspaceConflict, WorkspaceDenied, WorkspaceError, WorkspaceInvalid


class AirlockDenied(WorkspaceDenied):
    """The airlock refuses this person this act."""


class AirlockInvalid(WorkspaceInvalid):
    """A vote or a bundle that is not acceptable as it stands."""


class AirlockConflict(WorkspaceConflict):
    """The request is in a state that does not allow this step."""

    @classmethod
    def from_states(cls, old: str, new: str) -> Self:
        """Build the sentence for a refused transition."""
        return cls(f"出域申请不能由“{old}”变为“{new}” · a {old} release request cannot become {new}")


class BundleInvalid(WorkspaceError):
    """A released bundle does not verify: a file, the record or the signature was changed."""
