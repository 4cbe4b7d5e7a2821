"""Workspaces as researchers and reviewers use them. Every write leaves its ledger entry in the same transaction.

Free text of an application is stored for those who decide and never enters the ledger or a public page.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset
from opendata.catalog.visibility import visible
from opendata.catalog.workdays import WorkCalendar
from opendata.db import new_id, utc_now
from opendata.identity import Actor, Role, User
from opendata.jobs import enqueue
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.workspaces import permissions, rules
from sandbox.workspaces.errors import WorkspaceDenied, WorkspaceInvalid, WorkspaceNotFound
from sandbox.workspaces.imports import imports_of, scope_ids
from sandbox.workspaces.models import Membership, SandboxJob, Workspace, WorkspaceDataset
from sandbox.workspaces.permissions import WorkspaceFacts
from sandbox.workspaces.rules import SealedDoor
from sandbox.workspaces.states import (
    JOB_TRANSITIONS,
    WORKSPACE_TRANSITIONS,
    JobState,
    WorkspaceState,
    check_transition,
)

PREPARE_JOB: Final = "sandbox.prepare"
DRY_JOB: Final = "sandbox.dry"
SEALED_JOB: Final = "sandbox.sealed"
LEVEL_ORDER: Final = {level.value: level.rank for level in DataLevel}


def apply(
    session: Session,
    *,
    actor: Actor,
    name: str,
    title: str,
    purpose: str,
    datasets: Sequence[str],
    term_days: int,
    grades: Grades,
    calendar: WorkCalendar,
    now: datetime | None = None,
) -> Workspace:
    """Apply for a workspace over the named datasets; due within 1 work day. The applicant becomes its owner.

    Raises WorkspaceDenied (role, level), WorkspaceInvalid (form, unknown dataset, name taken).
    """
    now = now or utc_now()
    permissions.check_can_apply(actor)
    wanted = list(dict.fromkeys(datasets))
    rules.check_application(name=name, title=title, purpose=purpose, term_days=term_days, datasets=wanted)
    if session.scalar(select(Workspace.id).where(Workspace.name == name)) is not None:
        raise WorkspaceInvalid("这个名称已被使用 · this name is taken")
    found = [_open_dataset(session, each, actor, grades) for each in wanted]
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
    session.add(workspace)
    session.flush()
    session.add(_membership(workspace, actor.id, actor.organization_id, actor.id, now))
    for dataset in found:
        session.add(WorkspaceDataset(workspace_id=workspace.id, dataset_id=dataset.id, name=dataset.name))
    session.flush()
    payload = {"datasets": [dataset.id for dataset in found], "term_days": term_days}
    append(session, AuditEvent("sandbox:workspace:apply", actor.id, f"workspace:{workspace.id}", now, payload))
    return workspace


def decide(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    approve: bool,
    reason: str,
    grades: Grades,
    now: datetime | None = None,
) -> Workspace:
    """Approve, and have its data prepared, or reject. By a reviewer who is no member; a reason is always needed."""
    now = now or utc_now()
    permissions.check_can_decide(actor, facts(session, workspace))
    if len(reason.strip()) < 2:
        raise WorkspaceInvalid("请写明理由 · give a reason")
    _move(workspace, WorkspaceState.APPROVED if approve else WorkspaceState.REJECTED)
    if approve:
        door_of(session, workspace, grades)
        workspace.expires_at = now + timedelta(days=workspace.term_days)
        enqueue(session, PREPARE_JOB, {"workspace_id": workspace.id}, actor_id=actor.id)
    workspace.decided_by, workspace.decided_at, workspace.decision_reason = actor.id, now, reason.strip()
    verb = "approve" if approve else "reject"
    append(session, AuditEvent(f"sandbox:workspace:{verb}", actor.id, f"workspace:{workspace.id}", now))
    return workspace


def withdraw(session: Session, workspace: Workspace, *, actor: Actor, now: datetime | None = None) -> Workspace:
    """The owner takes an undecided application back."""
    now = now or utc_now()
    permissions.check_can_manage_members(actor, facts(session, workspace))
    _move(workspace, WorkspaceState.WITHDRAWN)
    append(session, AuditEvent("sandbox:workspace:withdraw", actor.id, f"workspace:{workspace.id}", now))
    return workspace


def close(session: Session, workspace: Workspace, *, actor: Actor, now: datetime | None = None) -> Workspace:
    """End a workspace before its term; the owner or a reviewer may."""
    now = now or utc_now()
    if Role.REVIEWER not in actor.roles:
        permissions.check_can_manage_members(actor, facts(session, workspace))
    _move(workspace, WorkspaceState.CLOSED)
    workspace.closed_at = now
    append(session, AuditEvent("sandbox:workspace:close", actor.id, f"workspace:{workspace.id}", now))
    return workspace


def add_member(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    username: str,
    now: datetime | None = None,
) -> Membership:
    """The owner adds a researcher. A checker of the workspace's outputs can never be a member's colleague."""
    now = now or utc_now()
    permissions.check_can_manage_members(actor, facts(session, workspace))
    rules.check_live(workspace.state, workspace.expires_at, now)
    user = session.scalar(select(User).where(User.username == username, User.active))
    if user is None or Role.RESEARCHER not in user.roles:
        raise WorkspaceInvalid("没有这位研究人员 · there is no such researcher")
    member = session.scalar(
        select(Membership).where(Membership.workspace_id == workspace.id, Membership.user_id == user.id),
    )
    if member is None:
        member = _membership(workspace, user.id, user.organization_id, actor.id, now)
        session.add(member)
    elif member.removed_at is None:
        raise WorkspaceInvalid("已经是成员 · already a member")
    member.removed_at, member.added_by, member.added_at = None, actor.id, now
    session.flush()
    payload = {"member": user.id}
    append(session, AuditEvent("sandbox:member:add", actor.id, f"workspace:{workspace.id}", now, payload))
    return member


def remove_member(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    username: str,
    now: datetime | None = None,
) -> None:
    """The owner removes a member, whose rights end at once; the owner cannot be removed."""
    now = now or utc_now()
    permissions.check_can_manage_members(actor, facts(session, workspace))
    member = session.scalar(
        select(Membership)
        .join(User, User.id == Membership.user_id)
        .where(Membership.workspace_id == workspace.id, User.username == username, Membership.removed_at.is_(None)),
    )
    if member is None:
        raise WorkspaceNotFound("没有这位成员 · there is no such member")
    if member.user_id == workspace.owner_id:
        raise WorkspaceDenied("负责人不能被移除 · the owner cannot be removed")
    member.removed_at = now
    payload = {"member": member.user_id}
    append(session, AuditEvent("sandbox:member:remove", actor.id, f"workspace:{workspace.id}", now, payload))


def submit_job(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    entry: str,
    code: bytes,
    job_id: str,
    grades: Grades,
    charge_bits: int,
    now: datetime | None = None,
) -> SandboxJob:
    """Record a submitted notebook or script (sealed already into the vault as upload ``job_id``) and start its dry run.

    ``charge_bits`` is what the moments of its states may tell; it is debited now, spent or not.
    """
    now = now or utc_now()
    check_may_submit(session, workspace, actor=actor, entry=entry, code=code, charge_bits=charge_bits, now=now)
    door = door_of(session, workspace, grades)
    imports = imports_of(session, workspace)
    digest = hashlib.sha256(code).hexdigest()
    scope = [*(each.dataset_id for each in datasets_of(session, workspace)), *scope_ids(imports)]
    job = SandboxJob(
        id=job_id,
        workspace_id=workspace.id,
        author_id=actor.id,
        entry=entry,
        code_digest=digest,
        scope_digest=scope_digest(workspace.id, digest, scope),
        code_object=f"code-{digest}",
        state=JobState.SUBMITTED,
        level=door.level,
        created_at=now,
        bits_charged=charge_bits,
        imports={each.name: each.id for each in imports},
    )
    workspace.bits_spent += charge_bits
    session.add(job)
    session.flush()
    job.dry_job_id = enqueue(session, DRY_JOB, {"job_id": job.id}, actor_id=actor.id).id
    payload = {"job": job.id, "code": digest}
    append(session, AuditEvent("sandbox:job:submit", actor.id, f"workspace:{workspace.id}", now, payload))
    return job


def check_may_submit(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    entry: str,
    code: bytes,
    charge_bits: int,
    now: datetime,
) -> None:
    """Everything that can refuse a submission, before a byte is stored."""
    permissions.check_can_work(actor, facts(session, workspace))
    rules.check_live(workspace.state, workspace.expires_at, now)
    rules.check_code(entry, code)
    rules.check_budget(workspace.bits_spent, charge_bits, workspace.bits_budget)


def cancel_job(session: Session, job: SandboxJob, *, actor: Actor, now: datetime | None = None) -> SandboxJob:
    """The author stops a job that has not met raw data yet."""
    now = now or utc_now()
    if actor.id != job.author_id:
        raise WorkspaceNotFound("没有这个作业 · there is no such job")
    move_job(job, JobState.CANCELLED)
    append(session, AuditEvent("sandbox:job:cancel", actor.id, f"workspace:{job.workspace_id}", now, {"job": job.id}))
    return job


def queue_sealed(session: Session, job: SandboxJob, *, now: datetime) -> None:
    """Let a job go to its sealed run. Nobody is named as its starter: its row in the job table is nobody's to read."""
    move_job(job, JobState.SEALED_QUEUED)
    job.sealed_queued_at = now
    job.sealed_job_id = enqueue(session, SEALED_JOB, {"job_id": job.id}, actor_id=None).id
    append(session, AuditEvent("sandbox:job:seal", None, f"workspace:{job.workspace_id}", now, {"job": job.id}))


def move_job(job: SandboxJob, new: JobState) -> None:
    """Change a job's state along `JOB_TRANSITIONS`."""
    check_transition(JOB_TRANSITIONS, JobState(job.state), new)
    job.state = new


def get_workspace(session: Session, name_or_id: str, *, actor: Actor) -> Workspace:
    """The workspace, if this person may know of it. Raises WorkspaceNotFound."""
    workspace = session.scalar(
        select(Workspace).where((Workspace.id == name_or_id) | (Workspace.name == name_or_id)),
    )
    if workspace is None:
        raise WorkspaceNotFound("没有这个沙箱 · there is no such workspace")
    permissions.check_can_see(actor, facts(session, workspace))
    return workspace


def get_job(session: Session, workspace: Workspace, job_id: str) -> SandboxJob:
    """The job of this workspace. Raises WorkspaceNotFound."""
    job = session.get(SandboxJob, job_id)
    if job is None or job.workspace_id != workspace.id:
        raise WorkspaceNotFound("没有这个作业 · there is no such job")
    return job


def workspaces_of(session: Session, actor: Actor) -> list[Workspace]:
    """Workspaces the person is a live member of, newest first."""
    return list(
        session.scalars(
            select(Workspace)
            .join(Membership, Membership.workspace_id == Workspace.id)
            .where(Membership.user_id == actor.id, Membership.removed_at.is_(None))
            .order_by(Workspace.applied_at.desc()),
        ),
    )


def decision_queue(session: Session, actor: Actor) -> list[Workspace]:
    """Undecided applications this reviewer may decide, most urgent first."""
    if Role.REVIEWER not in actor.roles:
        return []
    waiting = session.scalars(
        select(Workspace).where(Workspace.state == WorkspaceState.APPLIED).order_by(Workspace.due_at),
    )
    return [each for each in waiting if permissions.can_decide(actor, facts(session, each))]


def datasets_of(session: Session, workspace: Workspace) -> list[WorkspaceDataset]:
    """The workspace's datasets by name."""
    return list(
        session.scalars(
            select(WorkspaceDataset)
            .where(WorkspaceDataset.workspace_id == workspace.id)
            .order_by(WorkspaceDataset.name),
        ),
    )


def jobs_of(session: Session, workspace: Workspace) -> list[SandboxJob]:
    """The workspace's jobs, newest first."""
    return list(
        session.scalars(
            select(SandboxJob).where(SandboxJob.workspace_id == workspace.id).order_by(SandboxJob.created_at.desc()),
        ),
    )


def members_of(session: Session, workspace: Workspace) -> list[User]:
    """Live members by user name."""
    return list(
        session.scalars(
            select(User)
            .join(Membership, Membership.user_id == User.id)
            .where(Membership.workspace_id == workspace.id, Membership.removed_at.is_(None))
            .order_by(User.username),
        ),
    )


def facts(session: Session, workspace: Workspace) -> WorkspaceFacts:
    """What deciders need to know of the workspace, now."""
    members = session.scalars(
        select(Membership).where(Membership.workspace_id == workspace.id, Membership.removed_at.is_(None)),
    ).all()
    providers = session.scalars(
        select(Dataset.organization_id)
        .join(WorkspaceDataset, WorkspaceDataset.dataset_id == Dataset.id)
        .where(WorkspaceDataset.workspace_id == workspace.id),
    )
    return WorkspaceFacts(
        owner_id=workspace.owner_id,
        member_ids=frozenset(member.user_id for member in members),
        organization_ids=frozenset({workspace.organization_id, *(m.organization_id for m in members)}),
        providing_organizations=frozenset(providers),
    )


def door_of(session: Session, workspace: Workspace, grades: Grades) -> SealedDoor:
    """The strictest row of grades over the workspace's datasets, and over what they are joined with its imports.

    Raises WorkspaceDenied when it is shut.
    """
    rows = session.scalars(
        select(Dataset)
        .join(WorkspaceDataset, WorkspaceDataset.dataset_id == Dataset.id)
        .where(WorkspaceDataset.workspace_id == workspace.id),
    ).all()
    joined = [_door_at(DataLevel(each.joined_level), each.name, grades) for each in imports_of(session, workspace)]
    return rules.strictest([*(_door(dataset, grades) for dataset in rows), *joined], LEVEL_ORDER)


def scope_digest(workspace_id: str, code_digest: str, dataset_ids: Sequence[str]) -> str:
    """What one code review covers: this code, in this workspace, over these datasets and imports."""
    text = json.dumps([1, workspace_id, code_digest, sorted(dataset_ids)], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def columns_json(schema: Sequence[tuple[str, str]], titles: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """Column names, types and titles as the API shows them."""
    return [{"name": name, "type": type_, "title": titles.get(name, {})} for name, type_ in schema]


def _open_dataset(session: Session, name: str, actor: Actor, grades: Grades) -> Dataset:
    dataset = session.scalar(select(Dataset).where(Dataset.name == name))
    if dataset is None or not visible(dataset, actor):
        raise WorkspaceInvalid(f"没有数据集 {name[:100]} · there is no dataset {name[:100]}")
    _door(dataset, grades)
    if dataset.current_edition_id is None:
        raise WorkspaceInvalid(
            f"数据集 {name} 还没有发布版本和脱敏策略 · {name} has no published edition and masking policy yet",
        )
    return dataset


def _door(dataset: Dataset, grades: Grades) -> SealedDoor:
    level = DataLevel(dataset.level) if dataset.level else None
    return _door_at(level, dataset.name, grades, negative_list=dataset.negative_list)


def _door_at(level: DataLevel | None, name: str, grades: Grades, *, negative_list: bool = False) -> SealedDoor:
    row = grades.sealed_jobs(level, negative_list=negative_list)
    door = level and SealedDoor(
        level=level.value,
        open=row.open,
        code_review=row.code_review != "none",
        checkers=row.checkers,
        registered_kinds_only=row.registered_outputs_only,
        clause=row.clause["zh"],
    )
    rules.check_door_open(name, door or None)
    assert door
    return door


def _membership(workspace: Workspace, user_id: str, organization_id: str, by: str, now: datetime) -> Membership:
    return Membership(
        workspace_id=workspace.id,
        user_id=user_id,
        organization_id=organization_id,
        added_by=by,
        added_at=now,
    )


def _move(workspace: Workspace, new: WorkspaceState) -> None:
    check_transition(WORKSPACE_TRANSITIONS, WorkspaceState(workspace.state), new)
    workspace.state = new
