"""Earlier releases and editions of a case's populations, so that checkers see beside what a new table will stand."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.publishing.models import Exposure
from sandbox.airlock.cases import Case
from sandbox.airlock.models import ReleasedOutput, SeededCase
from sandbox.workspaces.models import WorkspaceDataset

SHOWN: Final = 20
KINDS: Final[dict[str, dict[str, str]]] = {
    "release": {"zh": "放行的产出", "en": "released output"},
    "edition": {"zh": "发布版本", "en": "edition"},
    "query": {"zh": "固定口径统计", "en": "fixed tables"},
}


def populations_of(session: Session, case: Case) -> frozenset[str]:
    """The source populations (dataset ids) that the case's output is about."""
    if case.seeded:
        return frozenset({session.get_one(SeededCase, case.id).dataset_id})
    rows = select(WorkspaceDataset.dataset_id).where(WorkspaceDataset.workspace_id == case.workspace_id)
    return frozenset(session.scalars(rows))


def earlier_of(session: Session, case: Case) -> list[dict[str, Any]]:
    """What of these populations was shown before, newest first: kind, short id, time, columns; never a figure."""
    rows = session.scalars(
        select(Exposure)
        .where(Exposure.population.in_(populations_of(session, case)), Exposure.kind != "practice")
        .order_by(Exposure.at.desc(), Exposure.id)
        .limit(SHOWN)
    )
    return [_line(session, case, row) for row in rows]


def _line(session: Session, case: Case, row: Exposure) -> dict[str, Any]:
    identifier = row.reference.partition(":")[0]
    output = session.get(ReleasedOutput, identifier) if row.kind == "release" else None
    return {
        "kind": row.kind,
        "kind_title": KINDS.get(row.kind, {"zh": row.kind, "en": row.kind}),
        "id": identifier[:8],
        "at": row.at.isoformat(),
        "columns": list(row.quasi_identifiers),
        "own": output is not None and output.workspace_id == case.workspace_id,
        "revoked": output is not None and output.revoked_at is not None,
    }
