"""By the clock: what may not stand under ``/data`` any more is removed, what may again is made.

Source: PRIVACY.md 7, 8 and 19. The file goes first and is recorded then: a crash between the two is mended by the next
round, and nothing is shown meanwhile. The worker calls `sweep` every few seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from opendata.catalog import grades
from opendata.catalog.models import Dataset, Edition, EditionState
from opendata.db import utc_now
from opendata.jobs import FINISHED, Job, JobState, enqueue
from opendata.jobs.context import Resources
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.logs import get_logger
from sandbox.workspaces.datasets import practice_path
from sandbox.workspaces.decisions import PREPARE_JOB
from sandbox.workspaces.models import Workspace, WorkspaceDataset
from sandbox.workspaces.standing import EDITION, gone, may_hold
from sandbox.workspaces.states import WorkspaceState

PAUSE_AFTER_FAILURE: Final = timedelta(minutes=10)
REMOVE: Final = "sandbox:data:remove"
_log = get_logger("sandbox.workspaces.keeping")


def sweep(resources: Resources) -> None:
    """One round: take down, then have made anew."""
    now = utc_now()
    for row_id in _fallen(resources):
        _take_down(resources, row_id, now)
    for workspace_id in _behind(resources):
        _have_prepared(resources, workspace_id, now)


def _fallen(resources: Resources) -> list[str]:
    """Datasets of workspaces under which something stands that may not stand there any more."""
    matrix = grades.load(resources.settings)
    with resources.database.session() as session:
        rows = session.scalars(select(WorkspaceDataset).where(WorkspaceDataset.kind.is_not(None)))
        return [row.id for row in rows if gone(session, row) or not _permitted(session, row, matrix)]


def _permitted(session: Session, row: WorkspaceDataset, matrix: grades.Grades) -> bool:
    """Practice data are nobody's edition; an edition stays as long as the matrix lets everybody have it."""
    if row.kind != EDITION:
        return True
    return may_hold(session.get_one(Dataset, row.dataset_id), session.get_one(Edition, row.edition_id), matrix)


def _take_down(resources: Resources, row_id: str, now: datetime) -> None:
    with resources.database.session() as session:
        row = session.get_one(WorkspaceDataset, row_id)
        practice_path(resources.settings, row.workspace_id, row.name).unlink(missing_ok=True)
    with resources.database.begin() as session:
        row = session.get_one(WorkspaceDataset, row_id)
        payload = {"dataset": row.dataset_id, "edition": row.edition_id, "kind": row.kind, "digest": row.digest}
        append(session, AuditEvent(REMOVE, None, f"workspace:{row.workspace_id}", now, payload))
        row.kind = row.edition_id = row.digest = row.rows = row.prepared_at = None
    _log.warning("data of sessions taken down", dataset=payload["dataset"], edition=payload["edition"])


def _behind(resources: Resources) -> list[str]:
    """Running workspaces with a dataset whose published edition is not the one that its file was made from."""
    with resources.database.session() as session:
        return list(session.scalars(_outdated(select(Workspace.id)).distinct()))


def _have_prepared(resources: Resources, workspace_id: str, now: datetime) -> None:
    """One job at a time; after one that failed, a pause."""
    with resources.database.begin() as session:
        last = session.scalar(
            select(Job)
            .where(Job.kind == PREPARE_JOB, Job.arguments["workspace_id"].as_string() == workspace_id)
            .order_by(Job.created_at.desc())
            .limit(1)
        )
        if last is not None and last.state not in FINISHED:
            return
        if last is not None and last.state != JobState.DONE and now - last.created_at < PAUSE_AFTER_FAILURE:
            return
        only = list(session.scalars(_outdated(select(WorkspaceDataset.id)).where(Workspace.id == workspace_id)))
        enqueue(session, PREPARE_JOB, {"workspace_id": workspace_id, "only": only}, actor_id=None)


def _outdated(query: Select[tuple[str]]) -> Select[tuple[str]]:
    """Narrow a query to rows of running workspaces that have another published edition than they were made from."""
    return (
        query.select_from(WorkspaceDataset)
        .join(Workspace, Workspace.id == WorkspaceDataset.workspace_id)
        .join(Dataset, Dataset.id == WorkspaceDataset.dataset_id)
        .join(Edition, Edition.id == Dataset.current_edition_id)
        .where(
            Workspace.state == WorkspaceState.APPROVED,
            Edition.state == EditionState.PUBLISHED,
            WorkspaceDataset.edition_id.is_distinct_from(Dataset.current_edition_id),
        )
    )
