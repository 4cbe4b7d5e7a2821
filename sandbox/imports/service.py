"""The import airlock as researchers and deciders use it. Every write leaves its ledger entry in the same transaction.

Free text (purpose, assessment, reasons) is stored for those who decide and never enters the ledger or a public page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset
from opendata.catalog.workdays import WorkCalendar
from opendata.db import utc_now
from opendata.identity import Actor, Role
from opendata.jobs import enqueue
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.imports import keys, permissions, rules, sniffing
from sandbox.imports.errors import ImportConflict, ImportDenied, ImportNotFound
from sandbox.imports.joining import Joined, joined_level
from sandbox.imports.limits import ImportRules, default_rules
from sandbox.imports.models import Import, ImportConsent
from sandbox.imports.permissions import ImportFacts
from sandbox.imports.states import OPEN, ImportState, check_transition
from sandbox.workspaces import rules as workspace_rules
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.imports import imports_of
from sandbox.workspaces.models import Workspace, WorkspaceDataset, WorkspaceImport
from sandbox.workspaces.states import ENDED

SCAN_JOB: Final = "sandbox.import_scan"
MOUNT_JOB: Final = "sandbox.import_mount"
DESTROY_JOB: Final = "sandbox.import_destroy"
OPEN_JOB: Final = "sandbox.import_open"
UNDECIDED: Final = frozenset(
    {ImportState.UPLOADED, ImportState.SCANNING, ImportState.DECLARING, ImportState.IN_REVIEW, ImportState.APPROVED}
)


def check_may_upload(
    session: Session, workspace: Workspace, *, actor: Actor, name: str, filename: str, now: datetime
) -> None:
    """Everything that can refuse an upload, before a byte is taken. An empty ``filename`` is not known yet."""
    limits = default_rules().limits
    permissions.check_can_upload(actor, workspaces.facts(session, workspace))
    workspace_rules.check_live(workspace.state, workspace.expires_at, now)
    rules.check_name(name, [each.name for each in workspaces.datasets_of(session, workspace)])
    if filename:
        sniffing.format_of(filename)
    earlier = versions_of(session, workspace, name)
    rules.check_no_open_version([each.number for each in earlier if ImportState(each.state) in UNDECIDED])
    names = {each.name for each in imports_in(session, workspace) if ImportState(each.state) in OPEN}
    rules.check_room(versions=len(earlier), names=names, name=name, limits=limits)


def record_upload(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    import_id: str,
    name: str,
    filename: str,
    nbytes: int,
    now: datetime | None = None,
) -> Import:
    """Record a sealed upload (already in the vault's incoming folder under ``import_id``) and enqueue its scan."""
    now = now or utc_now()
    check_may_upload(session, workspace, actor=actor, name=name, filename=filename, now=now)
    newest = session.scalar(
        select(func.max(Import.number)).where(Import.workspace_id == workspace.id, Import.name == name)
    )
    made = Import(
        id=import_id,
        workspace_id=workspace.id,
        name=name,
        number=(newest or 0) + 1,
        filename=filename,
        bytes=nbytes,
        state=ImportState.UPLOADED,
        created_by=actor.id,
        created_at=now,
    )
    session.add(made)
    session.flush()
    _record(session, "upload", made, actor.id, now, number=made.number, bytes=nbytes)
    made.job_id = enqueue(session, SCAN_JOB, {"import_id": made.id}, actor_id=actor.id).id
    return made


def declare(
    session: Session,
    found: Import,
    *,
    actor: Actor,
    purpose: str,
    person_keys: Sequence[str],
    not_keys: Mapping[str, str],
    level: str,
    legal_basis: str = "",
    legal_note: str = "",
    assessment: str = "",
    assessed_on: str = "",
    assessed_by: str = "",
    calendar: WorkCalendar,
    grades: Grades,
    given: ImportRules | None = None,
    now: datetime | None = None,
) -> Import:
    """Say what the import is, and send it for review; due within 1 work day.

    Raises ImportInvalid when something that its person keys require is missing, WorkspaceDenied when sealed jobs may
    not meet data of the joined level.
    """
    now, given = now or utc_now(), given or default_rules()
    permissions.check_can_declare(actor, facts(session, found))
    check_transition(ImportState(found.state), ImportState.IN_REVIEW)
    workspace = session.get_one(Workspace, found.workspace_id)
    workspace_rules.check_live(workspace.state, workspace.expires_at, now)
    declared = list(dict.fromkeys(person_keys))
    rules.check_purpose(purpose)
    keys.check_keys(
        declared, not_keys, candidates=found.key_candidates, columns=[column["name"] for column in found.schema]
    )
    rules.check_level(level, found.proposed_level)
    if declared:
        rules.check_person_declaration(
            legal_basis=legal_basis,
            legal_note=legal_note,
            assessment=assessment,
            assessed_on=assessed_on,
            assessed_by=assessed_by,
            bases=given.legal_bases,
            today=now.date(),
        )
    joined = derive_level(session, workspace, level=DataLevel(level), person_keys=bool(declared), given=given)
    check_door(workspace, found.name, joined.level, grades)
    found.person_keys, found.level, found.joined_level = declared, level, joined.level.value
    found.not_keys = {name: reason.strip() for name, reason in not_keys.items() if name not in declared}
    found.joined_reasons = joined.to_json()
    found.purpose, found.legal_note = purpose.strip(), legal_note.strip()
    found.legal_basis = legal_basis if declared else ""
    found.assessment, found.assessed_on, found.assessed_by = assessment.strip(), assessed_on, assessed_by.strip()
    found.due_at = calendar.due(now)
    move(found, ImportState.IN_REVIEW)
    _record(session, "declare", found, actor.id, now, person_keys=len(declared), joined_level=found.joined_level)
    return found


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
    _record(session, "consent", found, actor.id, now, dataset=entry.id, approve=approve)
    if not approve:
        _refuse(session, found, actor.id, reason, now)
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
        _refuse(session, found, actor.id, reason, now)
        return found
    workspace = session.get_one(Workspace, found.workspace_id)
    workspace_rules.check_live(workspace.state, workspace.expires_at, now)
    if found.person_keys:
        given = {dataset: each.approve for dataset, each in consents_of(session, found).items()}
        rules.check_consents(joined_datasets(session, workspace), given)
    check_door(workspace, found.name, DataLevel(str(found.joined_level)), grades)
    found.decided_by, found.decided_at, found.decision_reason = actor.id, now, reason.strip()
    move(found, ImportState.APPROVED)
    _record(session, "approve", found, actor.id, now, joined_level=found.joined_level)
    found.job_id = enqueue(session, MOUNT_JOB, {"import_id": found.id}, actor_id=actor.id).id
    return found


def withdraw(session: Session, found: Import, *, actor: Actor, now: datetime | None = None) -> Import:
    """Take an import back: it stands nowhere once this commits, sessions that hold it end, its key is destroyed."""
    now = now or utc_now()
    check_can_see(session, found, actor)
    permissions.check_can_withdraw(actor, facts(session, found))
    end(session, found, actor_id=actor.id, now=now)
    return found


def end(session: Session, found: Import, *, actor_id: str | None, now: datetime, reason: str = "") -> None:
    """Withdraw whoever asked; also when a newer version replaces it or the workspace has ended."""
    move(found, ImportState.WITHDRAWN)
    found.ended_at = now
    if reason:
        found.error = reason
    mount = session.get(WorkspaceImport, found.id)
    if mount is not None and mount.removed_at is None:
        mount.removed_at = now
    _record(session, "withdraw", found, actor_id, now)
    enqueue(session, DESTROY_JOB, {"import_id": found.id}, actor_id=None)


def end_all(session: Session, *, now: datetime | None = None) -> list[str]:
    """Withdraw every import of workspaces that are over; returns their ids. For the worker's clock."""
    now = now or utc_now()
    ended = over(session, now=now)
    for import_id in ended:
        found = session.get_one(Import, import_id)
        end(session, found, actor_id=None, now=now, reason="沙箱已结束 · the workspace is over")
    return ended


def over(session: Session, *, now: datetime) -> list[str]:
    """Ids of open imports of workspaces that are over; a suspended one goes on some day."""
    query = (
        select(Import.id)
        .join(Workspace, Workspace.id == Import.workspace_id)
        .where(
            Import.state.in_([str(state) for state in OPEN]),
            Workspace.state.in_([str(state) for state in ENDED]) | (Workspace.expires_at <= now),
        )
        .order_by(Import.id)
    )
    return list(session.scalars(query))


def derive_level(
    session: Session,
    workspace: Workspace,
    *,
    level: DataLevel,
    person_keys: bool,
    given: ImportRules | None = None,
    without: str | None = None,
) -> Joined:
    """The level of the workspace's datasets, its mounted imports (but ``without``) and one more import together."""
    given = given or default_rules()
    mounted = [each for each in imports_of(session, workspace) if each.name != without]
    levels = [DataLevel(each.level) for each in _datasets(session, workspace) if each.level]
    return joined_level(
        [*levels, *(DataLevel(each.level) for each in mounted), level],
        person_keys=person_keys or any(each.person_keys for each in mounted),
        rules=given.joining,
    )


def check_door(workspace: Workspace, name: str, level: DataLevel, grades: Grades) -> None:
    """Raise ImportDenied unless sealed jobs may meet data of this level."""
    row = grades.sealed_jobs(level, negative_list=False)
    if not row.open:
        raise ImportDenied(
            f"导入 {name} 与沙箱 {workspace.name} 的数据关联后为 {level.title('zh')}，"
            f"不能进入域内作业（{row.clause['zh']}） · "
            f"joined with {workspace.name}, the import {name} is {level.title('en')}; sealed jobs may not meet it "
            f"({row.clause['en']})"
        )


def move(found: Import, new: ImportState) -> None:
    """Change an import's state along `TRANSITIONS`."""
    check_transition(ImportState(found.state), new)
    found.state = new


def get_import(session: Session, import_id: str, *, actor: Actor, workspace: Workspace | None = None) -> Import:
    """The import, if this person may know of it. Raises ImportNotFound."""
    found = session.get(Import, import_id)
    if found is None or (workspace is not None and found.workspace_id != workspace.id):
        raise ImportNotFound.here()
    check_can_see(session, found, actor)
    return found


def check_can_see(session: Session, found: Import, actor: Actor) -> None:
    """Raise ImportNotFound unless this person may know of the import."""
    permissions.check_can_see(actor, facts(session, found))


def imports_in(session: Session, workspace: Workspace) -> list[Import]:
    """All versions of all imports of a workspace, newest first."""
    return list(
        session.scalars(
            select(Import).where(Import.workspace_id == workspace.id).order_by(Import.created_at.desc(), Import.id)
        )
    )


def versions_of(session: Session, workspace: Workspace, name: str) -> list[Import]:
    """The versions of one import, oldest first."""
    return list(
        session.scalars(
            select(Import).where(Import.workspace_id == workspace.id, Import.name == name).order_by(Import.number)
        )
    )


def queue(session: Session, actor: Actor) -> list[Import]:
    """Imports in review that wait for something this person may do, most urgent first."""
    if not actor.roles & permissions.DECIDERS:
        return []
    waiting = session.scalars(
        select(Import).where(Import.state == ImportState.IN_REVIEW).order_by(Import.due_at, Import.id)
    )
    return [found for found in waiting if may_consent(session, found, actor) or may_decide(session, found, actor)]


def decided(session: Session, actor: Actor, *, limit: int = 50) -> list[Import]:
    """Imports this person decided on or answered for; an auditor sees all decided ones. Newest first."""
    query = select(Import).where(Import.decided_at.is_not(None) | Import.ended_at.is_not(None))
    if Role.AUDITOR not in actor.roles:
        answered = select(ImportConsent.import_id).where(ImportConsent.decided_by == actor.id)
        query = select(Import).where((Import.decided_by == actor.id) | Import.id.in_(answered))
    return list(session.scalars(query.order_by(Import.created_at.desc()).limit(limit)))


def may_decide(session: Session, found: Import, actor: Actor) -> bool:
    """Whether this person can decide now, for queues and templates."""
    return ImportState(found.state) is ImportState.IN_REVIEW and permissions.can_decide(actor, facts(session, found))


def may_consent(session: Session, found: Import, actor: Actor) -> list[str]:
    """Names of the datasets for which this person's department has still to answer."""
    if ImportState(found.state) is not ImportState.IN_REVIEW or not found.person_keys:
        return []
    workspace, known = session.get_one(Workspace, found.workspace_id), facts(session, found)
    answered = consents_of(session, found)
    return [
        dataset.name
        for dataset in _datasets(session, workspace)
        if dataset.id not in answered and permissions.can_consent(actor, known, dataset.organization_id)
    ]


def consents_of(session: Session, found: Import) -> dict[str, ImportConsent]:
    """What the owners said, by dataset id."""
    rows = session.scalars(
        select(ImportConsent).where(ImportConsent.import_id == found.id).order_by(ImportConsent.decided_at)
    )
    return {row.dataset_id: row for row in rows}


def joined_datasets(session: Session, workspace: Workspace) -> dict[str, str]:
    """The datasets an import is joined with: id → name."""
    return {dataset.id: dataset.name for dataset in _datasets(session, workspace)}


def facts(session: Session, found: Import) -> ImportFacts:
    """What deciders need to know, now."""
    workspace = session.get_one(Workspace, found.workspace_id)
    return ImportFacts(
        uploader_id=found.created_by,
        workspace=workspaces.facts(session, workspace),
        consenting_ids=frozenset(each.decided_by for each in consents_of(session, found).values()),
    )


def _joined_dataset(session: Session, found: Import, name: str) -> Dataset:
    workspace = session.get_one(Workspace, found.workspace_id)
    for dataset in _datasets(session, workspace):
        if dataset.name == name:
            return dataset
    raise ImportNotFound("没有这个数据集 · there is no such dataset")


def _datasets(session: Session, workspace: Workspace) -> list[Dataset]:
    return list(
        session.scalars(
            select(Dataset)
            .join(WorkspaceDataset, WorkspaceDataset.dataset_id == Dataset.id)
            .where(WorkspaceDataset.workspace_id == workspace.id)
            .order_by(Dataset.name)
        )
    )


def _refuse(session: Session, found: Import, actor_id: str | None, reason: str, now: datetime) -> None:
    move(found, ImportState.REFUSED)
    found.decision_reason, found.ended_at = reason.strip(), now
    _record(session, "refuse", found, actor_id, now)
    enqueue(session, DESTROY_JOB, {"import_id": found.id}, actor_id=None)


def _record(session: Session, verb: str, found: Import, actor_id: str | None, now: datetime, **payload: Any) -> None:
    of = {"workspace": found.workspace_id, **payload}
    append(session, AuditEvent(f"sandbox:import:{verb}", actor_id, f"import:{found.id}", now, of))
