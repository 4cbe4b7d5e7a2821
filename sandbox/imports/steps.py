"""One step in the life of an import: the state along its table, the ledger entry, and what has to follow.

Deciding, withdrawing, replacing and the clock end an import in the same way; this is that way.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from opendata.jobs import enqueue
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.imports.models import Import
from sandbox.imports.states import ImportState, check_transition
from sandbox.workspaces.models import WorkspaceImport

DESTROY_JOB: Final = "sandbox.import_destroy"


def move(found: Import, new: ImportState) -> None:
    """Change an import's state along `TRANSITIONS`."""
    check_transition(ImportState(found.state), new)
    found.state = new


def end(session: Session, found: Import, *, actor_id: str | None, now: datetime, reason: str = "") -> None:
    """Withdraw whoever asked; also when a newer version replaces it or the workspace has ended."""
    move(found, ImportState.WITHDRAWN)
    found.ended_at = now
    if reason:
        found.error = reason
    mount = session.get(WorkspaceImport, found.id)
    if mount is not None and mount.removed_at is None:
        mount.removed_at = now
    record(session, "withdraw", found, actor_id, now)
    enqueue(session, DESTROY_JOB, {"import_id": found.id}, actor_id=None)


def refuse(session: Session, found: Import, actor_id: str | None, reason: str, now: datetime) -> None:
    """End an import in review with its decider's reason."""
    move(found, ImportState.REFUSED)
    found.decision_reason, found.ended_at = reason.strip(), now
    record(session, "refuse", found, actor_id, now)
    enqueue(session, DESTROY_JOB, {"import_id": found.id}, actor_id=None)


def record(session: Session, verb: str, found: Import, actor_id: str | None, now: datetime, **payload: Any) -> None:
    """Enter one event of an import into the ledger; its workspace is always named."""
    of = {"workspace": found.workspace_id, **payload}
    append(session, AuditEvent(f"sandbox:import:{verb}", actor_id, f"import:{found.id}", now, of))
