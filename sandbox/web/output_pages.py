"""Pages of released outputs: for members the output itself, for those who may revoke what there is and the act.

Everything shown here has been released; nothing of a run that people have not voted on comes near these pages. Who
revokes and is no member sees whose, what and when, no content.
"""

from __future__ import annotations

import csv
import io
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from opendata.settings import Settings
from opendata.storage.keys import public_key
from opendata.web.deps import CurrentActor, SessionDep, SettingsDep, WriteDep
from opendata.web.rendering import gettext, language, render
from sandbox.airlock import permissions, rules
from sandbox.airlock import service as airlock
from sandbox.airlock.errors import AirlockConflict, AirlockInvalid, BundleInvalid
from sandbox.airlock.models import ReleasedOutput
from sandbox.airlock.release import output_directory
from sandbox.airlock.verify import verify_files
from sandbox.web import views
from sandbox.web.deps import member

router = APIRouter(include_in_schema=False)
MOST_ROWS: Final = 200
FIGURES: Final = (".svg", ".png")


@router.get("/workspaces/{name}/outputs/{output_id}")
def output_page(
    request: Request, name: str, output_id: str, session: SessionDep, actor: CurrentActor, settings: SettingsDep
) -> Response:
    """One released output."""
    found = member(session, name, actor)
    output = airlock.get_output(session, found, output_id)
    files = read(settings, output)
    return render(
        request,
        "sandbox/output.html",
        headers={"Cache-Control": "private, no-store"},
        workspace={"name": found.name, "title": found.title},
        output=views.output(output),
        tables=[table(file, content) for file, content in files.items() if file.endswith(".csv")],
        figures=[file for file in files if file.endswith(FIGURES)],
        verified=verifies(files, public_key(settings, "release")),
        may_revoke=permissions.can_revoke(actor),
    )


@router.get("/airlock/outputs")
def overseen_page(request: Request, session: SessionDep, actor: CurrentActor) -> Response:
    """Released outputs of all workspaces, for those who may revoke one."""
    outputs = [views.overseen(session, each) for each in airlock.overseen(session, actor=actor)]
    return render(
        request,
        "sandbox/outputs.html",
        released=[each for each in outputs if each["revoked_at"] is None],
        revoked=[each for each in outputs if each["revoked_at"] is not None],
    )


@router.get("/airlock/outputs/{output_id}")
def revoking_page(request: Request, output_id: str, session: SessionDep, actor: CurrentActor) -> Response:
    """One released output: whose, what, when, and the act that takes it back."""
    return _revoking(request, session, airlock.output_to_revoke(session, output_id, actor=actor))


@router.get("/airlock/outputs/{output_id}/revoke")
def back_to_output(output_id: str) -> Response:
    """Where the form stood: loading its address anew shows the output, and does nothing."""
    return RedirectResponse(f"/airlock/outputs/{quote(output_id)}", 303)


@router.post("/airlock/outputs/{output_id}/revoke")
def revoke(
    *,
    request: Request,
    output_id: str,
    session: WriteDep,
    actor: CurrentActor,
    reason: Annotated[str, Form()] = "",
    confirmed: Annotated[str, Form()] = "",
) -> Response:
    """Take a released output back, or give the form back as it was filled in."""
    output = airlock.output_to_revoke(session, output_id, actor=actor)
    errors = {}
    try:
        rules.check_reason(reason)
        if confirmed == "yes":
            airlock.revoke(session, output, actor=actor, reason=reason)
            return RedirectResponse(f"/airlock/outputs/{output_id}", 303)
    except (AirlockInvalid, AirlockConflict) as error:
        told = error.reason[language(request)]
        errors["reason"] = told[:1].upper() + told[1:]
    if confirmed != "yes":
        errors["confirmed"] = gettext(request, "请确认撤回")
    return _revoking(request, session, output, reason=reason, confirmed=confirmed == "yes", errors=errors)


def _revoking(
    request: Request,
    session: Session,
    output: ReleasedOutput,
    *,
    reason: str = "",
    confirmed: bool = False,
    errors: dict[str, str] | None = None,
) -> Response:
    return render(
        request,
        "sandbox/output_revoke.html",
        status_code=422 if errors else 200,
        output=views.overseen(session, output),
        reason=reason,
        confirmed=confirmed,
        errors=errors or {},
    )


def read(settings: Settings, output: ReleasedOutput) -> dict[str, bytes]:
    """The bundle's files as the row lists them."""
    folder = output_directory(settings, output.workspace_id, output.id)
    return {str(entry["name"]): (folder / str(entry["name"])).read_bytes() for entry in output.files}


def table(name: str, content: bytes) -> dict[str, Any]:
    """The first rows of a canonical CSV."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    return {"name": name, "columns": header, "rows": body[:MOST_ROWS], "count": len(body)}


def verifies(files: dict[str, bytes], key: bytes) -> bool:
    """Whether record, signature and files agree, by the same code as ``sandbox airlock verify``."""
    try:
        verify_files(files, key)
    except BundleInvalid:
        return False
    return True
