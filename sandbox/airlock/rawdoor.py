"""The checker's views, answered by the worker: files, findings and code of one case; covered rows by a second act.

The person was proven by the worker; she must be drawn for the case. The ledger gets its entry before the answer
leaves, sealed to a key of this one request; the web process renders it and keeps nothing. What an executed notebook
printed never leaves the vault: it cannot be released, so nobody has to read it. Source: PRIVACY.md 21.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from opendata.db import utc_now
from opendata.identity import Actor
from opendata.ledger.events import AuditEvent
from opendata.storage.rawdoor import RawAnswer, RawDoorContext
from sandbox.airlock import covering, rules, service
from sandbox.airlock.errors import AirlockConflict, AirlockInvalid
from sandbox.airlock.looking import LOOK, REVEAL
from sandbox.airlock.models import ReleaseRequest
from sandbox.airlock.package import Package, package_name
from sandbox.airlock.service import Case
from sandbox.airlock.typed import Shape
from sandbox.workspaces.models import SandboxJob


def view(door: RawDoorContext, actor: Actor, request: dict[str, Any]) -> RawAnswer:
    """Show one case to a checker drawn for it. ``request``: ``{"id": …, "purpose": …}``."""
    purpose = _purpose(request)
    with door.database.session() as session:
        case = service.get_case(session, str(request.get("id") or ""), actor=actor)
        body = _body(door, session, case)
    return RawAnswer(body, AuditEvent(LOOK, actor.id, case.subject, utc_now(), {"purpose": purpose}))


def reveal(door: RawDoorContext, actor: Actor, request: dict[str, Any]) -> RawAnswer:
    """Show the first rows of one covered table as they are. ``request``: ``{"id": …, "file": …, "purpose": …}``."""
    purpose = _purpose(request)
    with door.database.session() as session:
        case = service.case_to_reveal(session, str(request.get("id") or ""), actor=actor)
    package = _package(door, case) if case.kind == "output" else None
    name = str(request.get("file") or "")
    file = covering.table_named(package.files, name) if package is not None else None
    if package is None or file is None or file.name not in covering.covered_files(package):
        raise AirlockInvalid("这项审查没有这张被遮盖的表 · this case has no covered table of that name")
    body = {"id": case.id, **covering.uncovered(file)}
    payload = {"purpose": purpose, "file": file.sha256, "rows": len(body["rows"])}
    return RawAnswer(body, AuditEvent(REVEAL, actor.id, case.subject, utc_now(), payload))


def _purpose(request: Mapping[str, Any]) -> str:
    purpose = str(request.get("purpose") or "").strip()
    rules.check_purpose(purpose)
    return purpose


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
    shape = Shape({})
    if not case.seeded:
        job = session.get_one(SandboxJob, case.job_id)
        body["dry_findings"] = job.dry_findings or []
        shape = Shape.from_json(job.dry_shape)
        if case.kind == "code":
            body["code"] = code_text(job.entry, _object(door, job.code_object))
            return body
        if session.get_one(ReleaseRequest, case.id).object_name is None:
            raise AirlockConflict("产出尚未准备好 · the output is not ready yet")
    package = _package(door, case)
    body["code"] = package.code
    body["files"] = covering.shown_files(package, shape)
    body["findings"] = covering.shown_findings(package, shape)
    body["executed"] = executed_cells(package.executed)
    body["run"] = dict(package.run)
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


def executed_cells(document: Any) -> list[dict[str, Any]] | None:
    """How much each cell of an executed notebook printed and whether it raised: counts only, no word of it.

    None when there is no notebook. ``printed``: characters; ``shown``: tables, pictures and the like.
    """
    if not isinstance(document, dict):
        return None
    cells = document.get("cells")
    told = [_executed(number, cell) for number, cell in enumerate(cells if isinstance(cells, list) else [], 1)]
    return [each for each in told if each["printed"] or each["shown"] or each["raised"]]


def _executed(number: int, cell: Any) -> dict[str, Any]:
    outputs = cell.get("outputs") if isinstance(cell, dict) else None
    kinds = [each for each in outputs if isinstance(each, dict)] if isinstance(outputs, list) else []
    raised = sum(each.get("output_type") == "error" for each in kinds)
    streams = [each for each in kinds if each.get("output_type") == "stream"]
    printed = sum(len(_joined(each.get("text"))) for each in streams)
    return {"cell": number, "printed": printed, "shown": len(kinds) - len(streams) - raised, "raised": raised > 0}


def _source(cell: dict[str, Any]) -> str:
    return _joined(cell.get("source", ""))


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def _package(door: RawDoorContext, case: Case) -> Package:
    return Package.from_bytes(_object(door, package_name(case.id)))


def _object(door: RawDoorContext, name: str) -> bytes:
    with door.vault.open_object(name) as stream:
        return stream.read()
