"""Deciding on an import: owners consent to the join, a reviewer of another organisation approves or refuses.

Reasons are stored for those who decide and never enter the ledger or a public page.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.jobs import enqueue
from sandbox.imports import permissions, rules
from sandbox.imports.door import check_door
from sandbox.imports.errors import ImportConflict, ImportNotFound
from sandbox.imports.lookups import check_can_see, consents_of, datasets_joined, facts, joined_datasets
from sandbox.imports.models import Import, ImportConsent
from sandbox.imports.states import ImportState, check_transition
from sandbox.imports.steps import move, record, refuse
from sandbox.workspaces import rules as workspace_rules
from sandbox.workspaces.models import Workspace

MOUNT_JOB: Final = "sandbox.import_mount"


def consent(
    session: Session,
    found: Import,
    *,
    actor: Actor,
    dataset: str,
    approve: bool,
    reason: str,
    now: datetime | None = None,
) -> ImportConsent:
    """A providing department consents to the join with one of its datasets, or refuses it, which ends the import."""
    now = now or utc_now()
    check_can_see(session, found, actor)
    entry = _joined_dataset(session, found, dataset)
    permissions.check_can_consent(actor, facts(session, found), entry.organization_id)
    if ImportState(found.state) is not ImportState.IN_REVIEW:
        raise ImportConflict("这个导入不在审核中 · this import is not in review")
    if not found.person_keys:
        raise ImportConflict("没有个人关联键，不需要提供部门同意 · it has no person keys and needs no owner's consent")
    rules.check_reason(reason)
    if entry.id in consents_of(session, found):
        raise ImportConflict("提供部门已经表态 · the providing department has answered already")
    made = ImportConsent(
        import_id=found.id,
        dataset_id=entry.id,
        organization_id=entry.organization_id,
        approve=approve,
        reason=reason.strip(),
        decided_by=actor.id,
        decided_at=now,
    )
    session.add(made)
    session.flush()
    record(session, "consent", found, actor.id, now, dataset=entry.id, approve=approve)
    if not approve:
        refuse(session, found, actor.id, reason, now)
    return made


def decide(
    session: Session,
    found: Import,
    *,
    actor: Actor,
    approve: bool,
    reason: str,
    grades: Grades,
    now: datetime | None = None,
) -> Import:
    """Approve, and have it compared and mounted, or refuse. A reviewer of another organisation; a reason is needed.

    With person keys every owner must have consented before.
    """
    now = now or utc_now()
    check_can_see(session, found, actor)
    permissions.check_can_decide(actor, facts(session, found))
    rules.check_reason(reason)
    check_transition(ImportState(found.state), ImportState.APPROVED if approve else ImportState.REFUSED)
    if ImportState(found.state) is not ImportState.IN_REVIEW:
        raise ImportConflict("这个导入不在审核中 · this import is not in review")
    if not approve:
        found.decided_by, found.decided_at = actor.id, now
        refuse(session, found, actor.id, reason, now)
        return found
    workspace = session.get_one(Workspace, found.workspace_id)
    workspace_rules.check_live(workspace.state, workspace.expires_at, now)
    if found.person_keys:
        given = {dataset: each.approve for dataset, each in consents_of(session, found).items()}
        rules.check_consents(joined_datasets(session, workspace), given)
    check_door(workspace, found.name, DataLevel(str(found.joined_level)), grades)
    found.decided_by, found.decided_at, found.decision_reason = actor.id, now, reason.strip()
    move(found, ImportState.APPROVED)
    record(session, "approve", found, actor.id, now, joined_level=found.joined_level)
    found.job_id = enqueue(session, MOUNT_JOB, {"import_id": found.id}, actor_id=actor.id).id
    return found


def _joined_dataset(session: Session, found: Import, name: str) -> Dataset:
    workspace = session.get_one(Workspace, found.workspace_id)
    for dataset in datasets_joined(session, workspace):
        if dataset.name == name:
            return dataset
    raise ImportNotFound("没有这个数据集 · there is no such dataset")
