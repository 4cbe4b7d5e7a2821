"""What happens to imports by the clock: they end with their workspace, and fingerprints when nobody needs them.

The worker calls `sweep` every few seconds. An ended workspace mounts nothing from the moment it ended, whether or not
the sweep has been by: every door asks whether it is live.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from opendata.db import utc_now
from opendata.errors import NotFoundError
from opendata.jobs.context import Resources
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.imports import service
from sandbox.imports.limits import default_rules
from sandbox.imports.models import Import
from sandbox.imports.mounting import fingerprints_object
from sandbox.imports.states import ImportState


def sweep(resources: Resources) -> None:
    """One round: withdraw the imports of ended workspaces, destroy fingerprints that are old enough."""
    now = utc_now()
    with resources.database.session() as session:
        wanted = service.over(session, now=now)
    if wanted:
        with resources.database.begin() as session:
            service.end_all(session, now=now)
    for import_id in _forgettable(resources, now):
        _forget(resources, import_id, now)


def _forgettable(resources: Resources, now: datetime) -> list[str]:
    """Versions whose persons need not be compared with any more."""
    before = now - timedelta(days=default_rules().limits.fingerprint_days)
    with resources.database.session() as session:
        return list(
            session.scalars(
                select(Import.id).where(
                    Import.state == ImportState.DESTROYED,
                    Import.mounted_at.is_not(None),
                    Import.ended_at < before,
                    Import.forgotten_at.is_(None),
                )
            )
        )


def _forget(resources: Resources, import_id: str, now: datetime) -> None:
    with resources.database.begin() as session:
        append(session, AuditEvent("sandbox:import:forget", None, f"import:{import_id}", now))
        session.get_one(Import, import_id).forgotten_at = now
    try:
        resources.vault.open_object(fingerprints_object(import_id)).close()
    except NotFoundError:
        return
    resources.vault.destroy_object(fingerprints_object(import_id))
