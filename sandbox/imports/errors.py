"""Errors of the import airlock: those of the workspaces, so that one place maps them to answers.

Messages name columns, lines and counts of the uploader's own file, never a cell value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from sandbox.workspaces.errors import WorkspaceConflict, WorkspaceDenied, WorkspaceInvalid, WorkspaceNotFound


class ImportDenied(WorkspaceDenied):
    """A rule refuses this person this act on an import; another person is needed."""


class ImportInvalid(WorkspaceInvalid):
    """The file or the declaration is not acceptable; its uploader must change it."""


class ImportNotFound(WorkspaceNotFound):
    """There is no such import for this person."""

    @classmethod
    def here(cls) -> Self:
        """The one sentence for absent and hidden alike."""
        return cls("没有这个导入 · there is no such import")


class ImportConflict(WorkspaceConflict):
    """The import is in a state that does not allow this step."""

    @classmethod
    def from_states(cls, old: Mapping[str, str] | str, new: Mapping[str, str] | str) -> Self:
        """Build the sentence for a refused transition."""
        before = old if isinstance(old, Mapping) else {"zh": old, "en": old}
        after = new if isinstance(new, Mapping) else {"zh": new, "en": new}
        chinese = f"“{before['zh']}”的导入不能变为“{after['zh']}”"
        return cls(f"{chinese} · an import that is {before['en']} cannot become {after['en']}")
