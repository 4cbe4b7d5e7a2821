"""What others ask of workspaces: the one they mean, who is in it, what it holds, which row of grades it lives under."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.access.models import Grant, GrantBasis
from opendata.access.rules import is_living
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset
from opendata.db import utc_now
from opendata.identity import Actor, Organization, User
from sandbox.workspaces import permissions, rules
from sandbox.workspaces.errors import WorkspaceNotFound
from sandbox.workspaces.imports import imports_of
from sandbox.workspaces.models import Membership, SandboxJob, Workspace, WorkspaceDataset
from sandbox.workspaces.permissions import WorkspaceFacts
from sandbox.workspaces.pledge import current_pledge
from sandbox.workspaces.rules import SealedDoor
from sandbox.workspaces.states import MemberRole

LEVEL_ORDER: Final = {level.value: level.rank for level in DataLevel}
OPERATOR: Final = "operator"


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


def memberships_of(session: Session, workspace: Workspace) -> list[Membership]:
    """Live memberships."""
    return list(
        session.scalars(
            select(Membership).where(Membership.workspace_id == workspace.id, Membership.removed_at.is_(None)),
        ),
    )


def facts(session: Session, workspace: Workspace) -> WorkspaceFacts:
    """What deciders need to know of the workspace, now."""
    members = memberships_of(session, workspace)
    digest = current_pledge().digest
    return WorkspaceFacts(
        owner_id=workspace.owner_id,
        member_ids=frozenset(member.user_id for member in members),
        organization_ids=frozenset({workspace.organization_id, *(m.organization_id for m in members)}),
        providing_organizations=frozenset(each.organization_id for each in sources(session, workspace)),
        reader_ids=frozenset(m.user_id for m in members if m.role == MemberRole.READER),
        pledged_ids=frozenset(m.user_id for m in members if m.pledge_digest == digest),
    )


def sources(session: Session, workspace: Workspace) -> list[Dataset]:
    """The catalogue entries of the workspace's datasets, by name."""
    return list(
        session.scalars(
            select(Dataset)
            .join(WorkspaceDataset, WorkspaceDataset.dataset_id == Dataset.id)
            .where(WorkspaceDataset.workspace_id == workspace.id)
            .order_by(Dataset.name),
        ),
    )


def door_of(session: Session, workspace: Workspace, grades: Grades) -> SealedDoor:
    """The strictest row of grades over the workspace's datasets, and over what they are joined with its imports.

    Raises WorkspaceDenied when it is shut, or when an operator in it has lost its central authorization.
    """
    datasets = sources(session, workspace)
    joined = [_door_at(DataLevel(each.joined_level), each.name, grades) for each in imports_of(session, workspace)]
    found = rules.strictest([*(door(dataset, grades) for dataset in datasets), *joined], LEVEL_ORDER)
    for organization_id in facts(session, workspace).organization_ids:
        check_authorized(session, organization_id, datasets)
    return found


def door(dataset: Dataset, grades: Grades) -> SealedDoor:
    """The row of grades one dataset lives under. Raises WorkspaceDenied when it admits no sealed jobs."""
    level = DataLevel(dataset.level) if dataset.level else None
    return _door_at(level, dataset.name, grades, negative_list=dataset.negative_list)


def check_authorized(session: Session, organization_id: str, datasets: Sequence[Dataset]) -> None:
    """Raise unless the organisation is no operator, or one authorized for every one of the datasets now."""
    if session.get_one(Organization, organization_id).kind != OPERATOR:
        return
    now = utc_now()
    living = {
        grant.dataset_id
        for grant in session.scalars(
            select(Grant).where(
                Grant.organization_id == organization_id,
                Grant.basis == GrantBasis.CENTRAL_AUTHORIZATION,
                Grant.revoked_at.is_(None),
            ),
        )
        if is_living(grant, now)
    }
    for dataset in datasets:
        rules.check_authorized(operator=True, authorized=dataset.id in living)


def scope_digest(workspace_id: str, code_digest: str, dataset_ids: Sequence[str]) -> str:
    """What one code review covers: this code, in this workspace, over these datasets and imports."""
    text = json.dumps([1, workspace_id, code_digest, sorted(dataset_ids)], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def columns_json(schema: Sequence[tuple[str, str]], titles: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """Column names, types and titles as the API shows them."""
    return [{"name": name, "type": type_, "title": titles.get(name, {})} for name, type_ in schema]


def _door_at(level: DataLevel | None, name: str, grades: Grades, *, negative_list: bool = False) -> SealedDoor:
    row = grades.sealed_jobs(level, negative_list=negative_list)
    found = level and SealedDoor(
        level=level.value,
        open=row.open,
        code_review=row.code_review != "none",
        checkers=row.checkers,
        registered_kinds_only=row.registered_outputs_only,
        clause=row.clause["zh"],
    )
    rules.check_door_open(name, found or None)
    assert found
    return found
