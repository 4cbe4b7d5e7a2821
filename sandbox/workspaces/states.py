"""States of workspaces and sealed jobs, as data. The diagrams in the documentation are drawn from these tables."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from sandbox.workspaces.errors import WorkspaceConflict


class WorkspaceState(StrEnum):
    """Life of a workspace. Only an ``approved`` one whose term is not over runs anything.

    ``suspended``: stopped by a security administrator until lifted. ``expired``: the term is over; an agreed extension
    opens it again until its homes are cleared.
    """

    APPLIED = "applied"
    APPROVED = "approved"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"


class ExtensionState(StrEnum):
    """Life of a request for more days."""

    APPLIED = "applied"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class MemberRole(StrEnum):
    """What a member does in a workspace: readers see jobs and released outputs, and run nothing."""

    OWNER = "owner"
    MEMBER = "member"
    READER = "reader"


class JobState(StrEnum):
    """Life of one submitted notebook or script.

    Up to ``code_review`` nothing raw was met, so the author sees everything. From ``sealed_queued`` on
    the author sees only what `sandbox.workspaces.visibility` lets through.
    """

    SUBMITTED = "submitted"
    DRY_RUNNING = "dry_running"
    DRY_FAILED = "dry_failed"
    CODE_REVIEW = "code_review"
    CODE_REJECTED = "code_rejected"
    SEALED_QUEUED = "sealed_queued"
    SEALED_RUNNING = "sealed_running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    UNAVAILABLE = "unavailable"


WORKSPACE_TRANSITIONS: dict[WorkspaceState, frozenset[WorkspaceState]] = {
    WorkspaceState.APPLIED: frozenset(
        {WorkspaceState.APPROVED, WorkspaceState.REJECTED, WorkspaceState.WITHDRAWN},
    ),
    WorkspaceState.APPROVED: frozenset({WorkspaceState.SUSPENDED, WorkspaceState.EXPIRED, WorkspaceState.CLOSED}),
    WorkspaceState.SUSPENDED: frozenset({WorkspaceState.APPROVED, WorkspaceState.EXPIRED, WorkspaceState.CLOSED}),
    WorkspaceState.EXPIRED: frozenset({WorkspaceState.APPROVED, WorkspaceState.CLOSED}),
    WorkspaceState.REJECTED: frozenset(),
    WorkspaceState.WITHDRAWN: frozenset(),
    WorkspaceState.CLOSED: frozenset(),
}

EXTENSION_TRANSITIONS: dict[ExtensionState, frozenset[ExtensionState]] = {
    ExtensionState.APPLIED: frozenset({ExtensionState.APPROVED, ExtensionState.REJECTED, ExtensionState.WITHDRAWN}),
    ExtensionState.APPROVED: frozenset(),
    ExtensionState.REJECTED: frozenset(),
    ExtensionState.WITHDRAWN: frozenset(),
}

JOB_TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.SUBMITTED: frozenset({JobState.DRY_RUNNING, JobState.CANCELLED, JobState.UNAVAILABLE}),
    JobState.DRY_RUNNING: frozenset(
        {
            JobState.DRY_FAILED,
            JobState.CODE_REVIEW,
            JobState.SEALED_QUEUED,
            JobState.CANCELLED,
            JobState.UNAVAILABLE,
        },
    ),
    JobState.CODE_REVIEW: frozenset({JobState.SEALED_QUEUED, JobState.CODE_REJECTED, JobState.CANCELLED}),
    JobState.SEALED_QUEUED: frozenset({JobState.SEALED_RUNNING, JobState.CANCELLED}),
    JobState.SEALED_RUNNING: frozenset({JobState.FINISHED}),
    JobState.DRY_FAILED: frozenset(),
    JobState.CODE_REJECTED: frozenset(),
    JobState.FINISHED: frozenset(),
    JobState.CANCELLED: frozenset(),
    JobState.UNAVAILABLE: frozenset(),
}

STOPPABLE = frozenset({JobState.SUBMITTED, JobState.DRY_RUNNING, JobState.CODE_REVIEW, JobState.SEALED_QUEUED})
"""Jobs that end with their workspace or their author's membership: they have not met raw data."""

ENDED = frozenset({WorkspaceState.EXPIRED, WorkspaceState.CLOSED})
"""Workspaces whose homes are cleared after the stated time."""

State = TypeVar("State", WorkspaceState, ExtensionState, JobState)


def check_transition(table: dict[State, frozenset[State]], old: State, new: State) -> None:
    """Raise `WorkspaceConflict` unless ``table`` lets ``old`` become ``new``."""
    if new not in table[old]:
        raise WorkspaceConflict.from_states(old, new)
