"""The checker's view, answered by the worker: output table, findings, code and executed notebook of one case.

The person was proven by the worker; she must be drawn for the case. The ledger gets its entry before the answer
leaves, sealed to a key of this one request; the web process renders it and keeps nothing.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy.orm import Session

from opendata.db import utc_now
from opendata.identity import Actor
from opendata.ledger.events import AuditEvent
from opendata.storage.rawdoor import RawAnswer, RawDoorContext
from sandbox.airlock import service
from sandbox.airlock.errors import AirlockConflict, AirlockInvalid
from sandbox.airlock.models import ReleaseRequest
from sandbox.airlock.package import Package, package_name
from sandbox.airlock.service import Case
from sandbox.airlock.typed import canonical_rows
from sandbox.workspaces.models import SandboxJob

MIN_PURPOSE: Final = 2
MAX_SHOWN_ROWS: Final = 5000


def view(door: RawDoorContext, actor: Actor, request: dict[str, Any]) -> RawAnswer:
    """Show one case to a checker drawn for it. ``request``: ``{"id": …, "purpose": …}``."""
    purpose = str(request.get("purpose") or "").strip()
    if not MIN_PURPOSE <= len(purpose) <= 200:
        raise AirlockInvalid("请写明查看目的 · state why you look at it")
    with door.database.session() as session:
        case = service.get_case(session, str(request.get("id") or ""), actor=actor)
        body = _body(door, session, case)
    now = utc_now()
    return RawAnswer(body, AuditEvent("airlock:case:view", actor.id, case.subject, now, {"purpose": purpose}))


def _body(door: RawDoorContext, session: Session, case: Case) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": case.id,
        "kind": case.kind,
        "purpose_of_workspace": case.purpose,
        "entry": case.entry,
        "dry_findings": [],
        "files": [],
        "findings": [],
        "executed": None,
        "run": None,
    }
    if not case.seeded:
        job = session.get_one(SandboxJob, case.job_id)
        body["dry_findings"] = job.dry_findings or []
        if case.kind == "code":
            body["code"] = code_text(job.entry, _object(door, job.code_object))
            return body
        if session.get_one(ReleaseRequest, case.id).object_name is None:
            raise AirlockConflict("产出尚未准备好 · the output is not ready yet")
    package = Package.from_bytes(_object(door, package_name(case.id)))
    body["code"] = package.code
    body["findings"] = list(package.findings)
    body["executed"] = executed_text(package.executed)
    body["run"] = dict(package.run)
    for file in package.files:
        if file.figure is not None:
            body["files"].append({**file.entry(), "svg": file.content.decode()})
            continue
        header, rows = canonical_rows(file.content)
        shown = {"columns": header, "rows": rows[:MAX_SHOWN_ROWS], "row_count": len(rows)}
        body["files"].append({**file.entry(), **shown})
    return body


def code_text(entry: str, content: bytes) -> str:
    """The code as people read it: a script as it is, a notebook as its cells."""
    if not entry.endswith(".ipynb"):
        return content.decode("utf-8", "replace")
    try:
        cells = json.loads(content)["cells"]
        return "\n\n".join(
            f"# [{number}] {cell.get('cell_type', '')}\n{_source(cell)}" for number, cell in enumerate(cells, 1)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return content.decode("utf-8", "replace")


def executed_text(document: Any) -> str | None:
    """The text outputs of an executed notebook, for checkers: never rendered as HTML."""
    if not isinstance(document, dict):
        return None
    lines = []
    for number, cell in enumerate(document.get("cells") or [], 1):
        for output in (cell.get("outputs") or []) if isinstance(cell, dict) else []:
            if not isinstance(output, dict):
                continue
            data = output.get("data")
            plain = data.get("text/plain") if isinstance(data, dict) else None
            text = output.get("text") or plain or output.get("evalue") or ""
            lines.append(f"[{number}] {''.join(text) if isinstance(text, list) else text}")
    return "\n".join(lines)[:100_000]


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


def _object(door: RawDoorContext, name: str) -> bytes:
    with door.vault.open_object(name) as stream:
        return stream.read()
