"""What others ask of imports: the one they mean, its versions, who answered for it, and who is still waited for.

Whoever may not know of an import gets the answer of one that is not there.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog.models import Dataset
from opendata.identity import Actor, Role
from sandbox.imports import permissions
from sandbox.imports.errors import ImportNotFound
from sandbox.imports.models import Import, ImportConsent
from sandbox.imports.permissions import ImportFacts
from sandbox.imports.states import OPEN, ImportState
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import Workspace, WorkspaceDataset
from sandbox.workspaces.states import ENDED


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
        for dataset in datasets_joined(session, workspace)
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
    return {dataset.id: dataset.name for dataset in datasets_joined(session, workspace)}


def facts(session: Session, found: Import) -> ImportFacts:
    """What deciders need to know, now."""
    workspace = session.get_one(Workspace, found.workspace_id)
    return ImportFacts(
        uploader_id=found.created_by,
        workspace=workspaces.facts(session, workspace),
        consenting_ids=frozenset(each.decided_by for each in consents_of(session, found).values()),
    )


def datasets_joined(session: Session, workspace: Workspace) -> list[Dataset]:
    """The datasets an import is joined with, by name."""
    return list(
        session.scalars(
            select(Dataset)
            .join(WorkspaceDataset, WorkspaceDataset.dataset_id == Dataset.id)
            .where(WorkspaceDataset.workspace_id == workspace.id)
            .order_by(Dataset.name)
        )
    )
