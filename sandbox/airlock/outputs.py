"""Released outputs: those of a workspace, one of them, and taking one back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.db import utc_now
from opendata.identity import Actor
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.airlock import permissions, rules
from sandbox.airlock.cases import move
from sandbox.airlock.errors import AirlockConflict
from sandbox.airlock.models import ReleasedOutput, ReleaseRequest
from sandbox.airlock.states import RequestState
from sandbox.workspaces.errors import WorkspaceNotFound
from sandbox.workspaces.models import Workspace


def revoke(
    session: Session,
    output: ReleasedOutput,
    *,
    actor: Actor,
    reason: str,
    now: datetime | None = None,
) -> None:
    """Take a released output back: its door is shut when the transaction commits; digest and reason stay. For good."""
    now = now or utc_now()
    permissions.check_can_revoke(actor)
    rules.check_reason(reason)
    request = session.get_one(ReleaseRequest, output.request_id)
    if output.revoked_at is not None:
        raise AirlockConflict(
            "已经撤回；撤回不能撤销，请重新提交并审查 · revoked already; a revocation cannot be undone: submit again",
        )
    move(request, RequestState.REVOKED)
    output.revoked_at, output.revoked_by, output.revoke_reason = now, actor.id, reason.strip()
    payload = {"record": output.record_digest}
    append(session, AuditEvent("airlock:output:revoke", actor.id, f"release:{request.id}", now, payload))


def overseen(session: Session, *, actor: Actor, limit: int = 200) -> list[ReleasedOutput]:
    """Released outputs of all workspaces, revoked ones too, newest first, for those who may revoke. No content."""
    permissions.check_can_revoke(actor)
    return list(session.scalars(select(ReleasedOutput).order_by(ReleasedOutput.released_at.desc()).limit(limit)))


def output_to_revoke(session: Session, output_id: str, *, actor: Actor) -> ReleasedOutput:
    """One of them, revoked or not. Raises AirlockDenied, WorkspaceNotFound."""
    permissions.check_can_revoke(actor)
    output = session.get(ReleasedOutput, output_id)
    if output is None:
        raise WorkspaceNotFound("没有这个产出 · there is no such output")
    return output


def outputs_of(session: Session, workspace: Workspace) -> list[ReleasedOutput]:
    """Released outputs of a workspace that were not revoked, newest first."""
    return list(
        session.scalars(
            select(ReleasedOutput)
            .where(ReleasedOutput.workspace_id == workspace.id, ReleasedOutput.revoked_at.is_(None))
            .order_by(ReleasedOutput.released_at.desc()),
        ),
    )


def revoked_of(session: Session, workspace: Workspace) -> list[ReleasedOutput]:
    """Outputs that were taken back, for the workspace's members: which, when and why."""
    return list(
        session.scalars(
            select(ReleasedOutput)
            .where(ReleasedOutput.workspace_id == workspace.id, ReleasedOutput.revoked_at.is_not(None))
            .order_by(ReleasedOutput.revoked_at.desc()),
        ),
    )


def get_output(session: Session, workspace: Workspace, output_id: str) -> ReleasedOutput:
    """The released output of this workspace. Raises WorkspaceNotFound, AirlockConflict when it was revoked."""
    output = session.get(ReleasedOutput, output_id)
    if output is None or output.workspace_id != workspace.id:
        raise WorkspaceNotFound("没有这个产出 · there is no such output")
    if output.revoked_at is not None:
        raise AirlockConflict(
            "放行已撤回，不能再下载；请删除已下载的副本 · the release was revoked: delete the copies you have",
        )
    return output
