"""The import airlock as researchers use it: uploading, declaring, withdrawing. The door for callers of this package.

Every write leaves its ledger entry in the same transaction. Free text (purpose, assessment, reasons) is stored for
those who decide and never enters the ledger or a public page. Looking up and deciding stand in the files beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.catalog.grades import Grades
from opendata.catalog.workdays import WorkCalendar
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.jobs import enqueue
from sandbox.imports import keys, permissions, rules, sniffing
from sandbox.imports.decisions import consent, decide
from sandbox.imports.door import check_door, derive_level
from sandbox.imports.limits import ImportRules, default_rules
from sandbox.imports.lookups import (
    check_can_see,
    consents_of,
    decided,
    facts,
    get_import,
    imports_in,
    joined_datasets,
    may_consent,
    may_decide,
    over,
    queue,
    versions_of,
)
from sandbox.imports.models import Import
from sandbox.imports.states import OPEN, ImportState, check_transition
from sandbox.imports.steps import end, move, record
from sandbox.workspaces import rules as workspace_rules
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import Workspace

__all__ = [
    "OPEN_JOB",
    "check_may_upload",
    "consent",
    "consents_of",
    "decide",
    "decided",
    "declare",
    "end_all",
    "facts",
    "get_import",
    "imports_in",
    "joined_datasets",
    "may_consent",
    "may_decide",
    "over",
    "queue",
    "record_upload",
    "versions_of",
    "withdraw",
]
SCAN_JOB: Final = "sandbox.import_scan"
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
    record(session, "upload", made, actor.id, now, number=made.number, bytes=nbytes)
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
    record(session, "declare", found, actor.id, now, person_keys=len(declared), joined_level=found.joined_level)
    return found


def withdraw(session: Session, found: Import, *, actor: Actor, now: datetime | None = None) -> Import:
    """Take an import back: it stands nowhere once this commits, sessions that hold it end, its key is destroyed."""
    now = now or utc_now()
    check_can_see(session, found, actor)
    permissions.check_can_withdraw(actor, facts(session, found))
    end(session, found, actor_id=actor.id, now=now)
    return found


def end_all(session: Session, *, now: datetime | None = None) -> list[str]:
    """Withdraw every import of workspaces that are over; returns their ids. For the worker's clock."""
    now = now or utc_now()
    ended = over(session, now=now)
    for import_id in ended:
        found = session.get_one(Import, import_id)
        end(session, found, actor_id=None, now=now, reason="沙箱已结束 · the workspace is over")
    return ended
