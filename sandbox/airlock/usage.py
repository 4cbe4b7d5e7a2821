"""What runs used: seconds, peak memory and bytes by workspace, for administrators and auditors (SATRE 2.2.13).

No author reads any of it, not after the votes either: a duration tells of the data it came from (PRIVACY.md 14).
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.identity import Actor
from sandbox.airlock import permissions
from sandbox.workspaces.models import SandboxJob, Workspace

NEWEST: Final = 200


def used(session: Session, actor: Actor) -> list[dict[str, Any]]:
    """Each workspace's runs, newest first, with their sums. Raises AirlockDenied."""
    permissions.check_can_see_usage(actor)
    rows = session.execute(
        select(SandboxJob, Workspace.name)
        .join(Workspace, Workspace.id == SandboxJob.workspace_id)
        .where(SandboxJob.sealed_finished_at.is_not(None))
        .order_by(SandboxJob.created_at.desc())
        .limit(NEWEST)
    ).all()
    found: dict[str, list[dict[str, Any]]] = {}
    for job, name in rows:
        line = {"job": job.id, "submitted_at": job.created_at.isoformat(), **(job.usage or {})}
        found.setdefault(name, []).append(line)
    return [{"workspace": name, "seconds": _seconds(lines), "jobs": lines} for name, lines in found.items()]


def _seconds(lines: list[dict[str, Any]]) -> float:
    runs = (line[kind] for line in lines for kind in ("dry", "sealed") if line.get(kind))
    return round(sum(float(run["seconds"]) for run in runs), 3)
