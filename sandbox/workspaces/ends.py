"""What happens by the clock: terms end, waiting jobs end with them, and homes of ended workspaces are cleared.

Source: issue "Workspaces" (expiry kills sessions and queued jobs within 60 s); SATRE 1.4.04 (end of a project). The
worker calls `sweep` every few seconds. Rights end at ``expires_at`` itself, whether or not the sweep has been by:
every door asks `rules.check_live`. Released outputs outlive their workspace; homes and practice data do not.
"""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from opendata.db import utc_now
from opendata.jobs.context import Resources
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append, openings_of
from opendata.logs import get_logger
from opendata.settings import Settings
from sandbox.workspaces import service
from sandbox.workspaces.models import SandboxJob, Workspace
from sandbox.workspaces.quotas import default_quotas
from sandbox.workspaces.states import ENDED, STOPPABLE, WorkspaceState

HOMES = "homes"
CLEAR = "sandbox:workspace:clear"
_log = get_logger("sandbox.workspaces.ends")


def sweep(resources: Resources) -> None:
    """One round: expire, end jobs of people who left, clear homes whose time is over."""
    now = utc_now()
    for workspace_id in _over(resources, now):
        with resources.database.begin() as session:
            service.expire(session, session.get_one(Workspace, workspace_id), now=now)
    _stop_orphans(resources, now)
    for workspace_id in _to_clear(resources, now):
        clear(resources, workspace_id, now=now)


def clear(resources: Resources, workspace_id: str, *, now: datetime) -> None:
    """Remove homes and practice data of an ended workspace: recorded once and first, done, then marked as done."""
    subject = f"workspace:{workspace_id}"
    with resources.database.begin() as session:
        if all(entry.type != CLEAR for entry, _ in openings_of(session, subject)):  # a round before may have failed
            append(session, AuditEvent(CLEAR, None, subject, now))
    for folder in (homes_of(resources.settings, workspace_id), data_of(resources.settings, workspace_id)):
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            _log.error("homes stay", workspace=workspace_id, folder=folder.name)
            return
    with resources.database.begin() as session:
        session.get_one(Workspace, workspace_id).cleared_at = now


def clears_at(workspace: Workspace) -> datetime | None:
    """When homes of this workspace are removed; None while it goes on or never began."""
    if workspace.state not in ENDED or workspace.expires_at is None:
        return None
    ended = workspace.closed_at or workspace.expires_at
    return ended + timedelta(days=default_quotas().home_days_after_end)


def homes_of(settings: Settings, workspace_id: str) -> Path:
    """The folder of the homes of a workspace's sessions; the launcher puts them there."""
    return settings.workspaces_dir / workspace_id / HOMES


def data_of(settings: Settings, workspace_id: str) -> Path:
    """The folder of what stands under ``/data`` in a workspace's sessions."""
    return settings.workspaces_dir / workspace_id / "data"


def home_bytes(settings: Settings, workspace_id: str) -> int | None:
    """Bytes that the homes of a workspace take on the disk; None where this process may not look."""
    try:
        files = [path.lstat() for path in homes_of(settings, workspace_id).rglob("*")]
    except FileNotFoundError:
        return 0
    except OSError:
        return None
    return sum(state.st_blocks * 512 for state in files)


def _over(resources: Resources, now: datetime) -> list[str]:
    running = [str(WorkspaceState.APPROVED), str(WorkspaceState.SUSPENDED)]
    with resources.database.session() as session:
        return list(
            session.scalars(select(Workspace.id).where(Workspace.state.in_(running), Workspace.expires_at <= now)),
        )


def _stop_orphans(resources: Resources, now: datetime) -> None:
    """Jobs of people who are no member any more, or of accounts that were closed."""
    waiting = [str(state) for state in STOPPABLE]
    with resources.database.begin() as session:
        found = session.execute(
            select(SandboxJob.workspace_id, SandboxJob.author_id).where(SandboxJob.state.in_(waiting)).distinct(),
        ).all()
        for workspace_id, author_id in found:
            workspace = session.get_one(Workspace, workspace_id)
            known = service.facts(session, workspace)
            if author_id not in known.member_ids - known.reader_ids:
                service.stop_jobs(session, workspace, author_id=author_id, now=now)


def _to_clear(resources: Resources, now: datetime) -> list[str]:
    ended = [str(state) for state in ENDED]
    with resources.database.session() as session:
        found = session.scalars(
            select(Workspace).where(Workspace.state.in_(ended), Workspace.cleared_at.is_(None)),
        ).all()
        return [each.id for each in found if (at := clears_at(each)) is not None and at <= now]
