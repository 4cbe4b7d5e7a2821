"""Errors of fixed tables, by whose fault and what next. A refusal names what is registered, never what was found.

Every sentence is Chinese, `` · ``, the same in English, as in ``sandbox.workspaces.errors``.
"""

from __future__ import annotations

from sandbox.workspaces.errors import WorkspaceConflict, WorkspaceDenied, WorkspaceInvalid


class QuestionRefused(WorkspaceInvalid):
    """The question is not one that the registered tables answer; whoever asks must change it. Shape alone decides."""


class TablesDenied(WorkspaceDenied):
    """Somebody may not have the tables computed, or another person's review is missing."""


class TablesConflict(WorkspaceConflict):
    """There is a published set already, or one is being computed: no second one is made."""


class TablesTooSparse(WorkspaceInvalid):
    """The expected error is larger than the figures; the registration must get fewer categories."""
