"""The life of a workspace: applied for, withdrawn, suspended, closed, expired. The door for callers of this package.

Every write leaves its ledger entry in the same transaction. Free text of an application is stored for those who decide
and never enters the ledger or a public page. Looking up, deciding, members and jobs stand in the files beside this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset
from opendata.catalog.visibility import visible
from opendata.catalog.workdays import WorkCalendar
from opendata.db import new_id, utc_now
from opendata.identity import Actor
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.workspaces import permissions, rules
from sandbox.workspaces.decisions import (
    can_decide,
    decide,
    decision_queue,
    organization_title,
    parts_of,
    shown_parts,
    waiting_decision,
)
from sandbox.workspaces.errors import WorkspaceConflict, WorkspaceDenied, WorkspaceError, WorkspaceInvalid
from sandbox.workspaces.extensions import ask_extension, extensions_of, withdraw_extension
from sandbox.workspaces.lookups import (
    check_authorized,
    columns_json,
    datasets_of,
    door,
    door_of,
    facts,
    get_job,
    get_workspace,
    jobs_of,
    members_of,
    memberships_of,
    scope_digest,
    workspaces_of,
)
from sandbox.workspaces.members import add_member, change_role, membership, remove_member, sign_pledge
from sandbox.workspaces.models import Workspace, WorkspaceDataset, WorkspaceSuspension
from sandbox.workspaces.pledge import current_pledge, signature_faults
from sandbox.workspaces.states import WORKSPACE_TRANSITIONS, ExtensionState, WorkspaceState, check_transition
from sandbox.workspaces.submissions import (
    cancel_job,
    check_may_submit,
    move_job,
    queue_sealed,
    stop_jobs,
    submit_job,
    use_of,
)

__all__ = [
    "add_member",
    "apply",
    "ask_extension",
    "can_decide",
    "cancel_job",
    "change_role",
    "check_may_submit",
    "close",
    "columns_json",
    "datasets_of",
    "decide",
    "decision_queue",
    "door_of",
    "expire",
    "extensions_of",
    "facts",
    "get_job",
    "get_workspace",
    "jobs_of",
    "lift",
    "members_of",
    "memberships_of",
    "move_job",
    "organization_title",
    "parts_of",
    "queue_sealed",
    "remove_member",
    "scope_digest",
    "shown_parts",
    "sign_pledge",
    "stop_jobs",
    "submit_job",
    "suspend",
    "suspension_of",
    "use_of",
    "waiting_decision",
    "withdraw",
    "withdraw_extension",
    "workspaces_of",
]


def apply(
    session: Session,
    *,
    actor: Actor,
    name: str,
    title: str,
    purpose: str,
    datasets: Sequence[str],
    term_days: int | None,
    pledge_version: int,
    pledge_name: str,
    grades: Grades,
    calendar: WorkCalendar,
    now: datetime | None = None,
) -> Workspace:
    """Apply for a workspace over the named datasets; due within 1 work day. The applicant becomes its owner.

    ``pledge_version`` and ``pledge_name`` are the owner's signature under the pledge.

    Raises WorkspaceDenied (role, level, authorization), FormInvalid with everything else that is wrong with the form.
    """
    now = now or utc_now()
    permissions.check_can_apply(actor)
    wanted = list(dict.fromkeys(datasets))
    faults = rules.application_faults(name=name, title=title, purpose=purpose, term_days=term_days, datasets=wanted)
    if session.scalar(select(Workspace.id).where(Workspace.name == name)) is not None:
        faults["name"] = "这个名称已被使用 · this name is taken"
    found, shut = _open_datasets(session, wanted, actor, grades)
    if shut:
        faults["datasets"] = str(shut)
    faults |= signature_faults(current_pledge(), version=pledge_version, name=pledge_name, own_name=actor.name)
    if isinstance(shut, WorkspaceDenied) and len(faults) == 1:
        raise shut
    rules.check_form(faults)
    assert term_days is not None
    check_authorized(session, actor.organization_id, found)
    workspace = Workspace(
        id=new_id(),
        name=name,
        title=title.strip(),
        purpose=purpose.strip(),
        organization_id=actor.organization_id,
        owner_id=actor.id,
        state=WorkspaceState.APPLIED,
        term_days=term_days,
        applied_at=now,
        due_at=calendar.due(now),
    )
    payload = {"datasets": [dataset.id for dataset in found], "term_days": term_days}
    append(session, AuditEvent("sandbox:workspace:apply", actor.id, f"workspace:{workspace.id}", now, payload))
    session.add(workspace)
    session.flush()
    session.add(membership(workspace, actor.id, actor.organization_id, actor.id, now))
    for dataset in found:
        session.add(WorkspaceDataset(workspace_id=workspace.id, dataset_id=dataset.id, name=dataset.name))
    session.flush()
    sign_pledge(session, workspace, actor=actor, version=pledge_version, name=pledge_name, now=now)
    return workspace


def withdraw(session: Session, workspace: Workspace, *, actor: Actor, now: datetime | None = None) -> Workspace:
    """The owner takes an undecided application back."""
    now = now or utc_now()
    permissions.check_can_manage_members(actor, facts(session, workspace))
    _move(workspace, WorkspaceState.WITHDRAWN)
    append(session, AuditEvent("sandbox:workspace:withdraw", actor.id, f"workspace:{workspace.id}", now))
    return workspace


def close(session: Session, workspace: Workspace, *, actor: Actor, now: datetime | None = None) -> Workspace:
    """End a workspace before its term: its owner, a reviewer or a providing department may. Waiting jobs end."""
    now = now or utc_now()
    permissions.check_can_close(actor, facts(session, workspace))
    _move(workspace, WorkspaceState.CLOSED)
    workspace.closed_at = now
    append(session, AuditEvent("sandbox:workspace:close", actor.id, f"workspace:{workspace.id}", now))
    for extension in extensions_of(session, workspace):
        if extension.state == ExtensionState.APPLIED:
            extension.state, extension.decided_at = ExtensionState.WITHDRAWN, now
    stop_jobs(session, workspace, now=now)
    return workspace


def suspend(
    session: Session, workspace: Workspace, *, actor: Actor, reason: str, now: datetime | None = None
) -> WorkspaceSuspension:
    """A security administrator stops a workspace until lifted: sessions end within 60 s, waiting jobs at once."""
    now = now or utc_now()
    permissions.check_can_suspend(actor)
    rules.check_reason(reason)
    _move(workspace, WorkspaceState.SUSPENDED)
    append(session, AuditEvent("sandbox:workspace:suspend", actor.id, f"workspace:{workspace.id}", now))
    made = WorkspaceSuspension(
        workspace_id=workspace.id, reason=reason.strip(), suspended_by=actor.id, suspended_at=now
    )
    session.add(made)
    stop_jobs(session, workspace, now=now)
    return made


def lift(session: Session, workspace: Workspace, *, actor: Actor, now: datetime | None = None) -> Workspace:
    """A security administrator lets a suspended workspace go on; its term has run meanwhile."""
    now = now or utc_now()
    permissions.check_can_suspend(actor)
    suspension = suspension_of(session, workspace)
    if suspension is None:
        raise WorkspaceConflict("沙箱没有被暂停 · the workspace is not suspended")
    _move(workspace, WorkspaceState.APPROVED)
    append(session, AuditEvent("sandbox:workspace:lift", actor.id, f"workspace:{workspace.id}", now))
    suspension.lifted_by, suspension.lifted_at = actor.id, now
    return workspace


def suspension_of(session: Session, workspace: Workspace) -> WorkspaceSuspension | None:
    """The suspension in force."""
    return session.scalar(
        select(WorkspaceSuspension).where(
            WorkspaceSuspension.workspace_id == workspace.id, WorkspaceSuspension.lifted_at.is_(None)
        ),
    )


def expire(session: Session, workspace: Workspace, *, now: datetime) -> None:
    """The term is over: record it and end what waits. Nothing ran since ``expires_at`` anyway (`rules.check_live`)."""
    append(session, AuditEvent("sandbox:workspace:expire", None, f"workspace:{workspace.id}", now))
    _move(workspace, WorkspaceState.EXPIRED)
    suspension = suspension_of(session, workspace)
    if suspension is not None:
        suspension.lifted_at = now
    stop_jobs(session, workspace, now=now)


def _open_datasets(
    session: Session, names: Sequence[str], actor: Actor, grades: Grades
) -> tuple[list[Dataset], WorkspaceError | None]:
    """Those that may enter a workspace, and what keeps the first of the others out."""
    found: list[Dataset] = []
    shut: WorkspaceError | None = None
    for name in names:
        try:
            found.append(_open_dataset(session, name, actor, grades))
        except (WorkspaceDenied, WorkspaceInvalid) as error:
            shut = shut or error
    return found, shut


def _open_dataset(session: Session, name: str, actor: Actor, grades: Grades) -> Dataset:
    dataset = session.scalar(select(Dataset).where(Dataset.name == name))
    if dataset is None or not visible(dataset, actor):
        raise WorkspaceInvalid(f"没有数据集 {name[:100]} · there is no dataset {name[:100]}")
    door(dataset, grades)
    if dataset.current_edition_id is None:
        raise WorkspaceInvalid(
            f"数据集 {name} 还没有发布版本和脱敏策略 · {name} has no published edition and masking policy yet",
        )
    return dataset


def _move(workspace: Workspace, new: WorkspaceState) -> None:
    check_transition(WORKSPACE_TRANSITIONS, WorkspaceState(workspace.state), new)
    workspace.state = new
