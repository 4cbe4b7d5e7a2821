"""More days for a workspace: asked for and taken back by its owner; the same people decide anew (`decisions`)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog.workdays import WorkCalendar
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.workspaces import permissions, rules
from sandbox.workspaces.errors import WorkspaceConflict
from sandbox.workspaces.lookups import facts
from sandbox.workspaces.models import Workspace, WorkspaceExtension
from sandbox.workspaces.states import (
    EXTENSION_TRANSITIONS,
    WORKSPACE_TRANSITIONS,
    ExtensionState,
    WorkspaceState,
    check_transition,
)


def ask_extension(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    days: int | None,
    reason: str,
    calendar: WorkCalendar,
    now: datetime | None = None,
) -> WorkspaceExtension:
    """The owner asks for more days; the same people decide anew, within 1 work day."""
    now = now or utc_now()
    permissions.check_can_manage_members(actor, facts(session, workspace))
    earlier = extensions_of(session, workspace)
    rules.check_extension(
        state=workspace.state,
        expires_at=workspace.expires_at,
        cleared=workspace.cleared_at is not None,
        days=days,
        reason=reason,
        waiting=any(each.state == ExtensionState.APPLIED for each in earlier),
    )
    assert days is not None
    payload = {"days": days, "number": len(earlier) + 1}
    append(session, AuditEvent("sandbox:extension:apply", actor.id, f"workspace:{workspace.id}", now, payload))
    made = WorkspaceExtension(
        workspace_id=workspace.id,
        number=len(earlier) + 1,
        days=days,
        reason=reason.strip(),
        state=ExtensionState.APPLIED,
        requested_by=actor.id,
        requested_at=now,
        due_at=calendar.due(now),
    )
    session.add(made)
    session.flush()
    return made


def withdraw_extension(session: Session, workspace: Workspace, *, actor: Actor, now: datetime | None = None) -> None:
    """The owner takes an undecided request for more days back."""
    now = now or utc_now()
    permissions.check_can_manage_members(actor, facts(session, workspace))
    waiting = waiting_extension(session, workspace)
    if waiting is None:
        raise WorkspaceConflict("没有等待决定的延期申请 · no extension waits for a decision")
    append(session, AuditEvent("sandbox:extension:withdraw", actor.id, f"workspace:{workspace.id}", now))
    move_extension(waiting, ExtensionState.WITHDRAWN)
    waiting.decided_at = now


def extensions_of(session: Session, workspace: Workspace) -> list[WorkspaceExtension]:
    """All requests for more days, in order."""
    return list(
        session.scalars(
            select(WorkspaceExtension)
            .where(WorkspaceExtension.workspace_id == workspace.id)
            .order_by(WorkspaceExtension.number),
        ),
    )


def waiting_extension(session: Session, workspace: Workspace) -> WorkspaceExtension | None:
    """The extension of this workspace that waits for a decision, if there is one."""
    return session.scalar(
        select(WorkspaceExtension).where(
            WorkspaceExtension.workspace_id == workspace.id, WorkspaceExtension.state == ExtensionState.APPLIED
        ),
    )


def move_extension(extension: WorkspaceExtension, new: ExtensionState) -> None:
    """Change an extension's state along its table."""
    check_transition(EXTENSION_TRANSITIONS, ExtensionState(extension.state), new)
    extension.state = new


def extend(session: Session, workspace: Workspace, days: int, now: datetime) -> None:
    """Give a workspace more days, from now if it has expired."""
    payload = {"days": days}
    append(session, AuditEvent("sandbox:workspace:extend", None, f"workspace:{workspace.id}", now, payload))
    workspace.expires_at = max(workspace.expires_at or now, now) + timedelta(days=days)
    if workspace.state == WorkspaceState.EXPIRED:
        check_transition(WORKSPACE_TRANSITIONS, WorkspaceState.EXPIRED, WorkspaceState.APPROVED)
        workspace.state = WorkspaceState.APPROVED
