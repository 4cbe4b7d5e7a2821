"""Pages of imports: the researcher's (upload, states, declaration, versions) and the decider's (evidence, answer)."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.catalog import workdays
from opendata.identity import Actor
from opendata.web.deps import CurrentActor, SessionDep, SettingsDep, VisitorDep, WriteDep
from opendata.web.rendering import language, render
from opendata.web.security import streams_body
from sandbox.imports import permissions
from sandbox.imports import service as imports
from sandbox.imports.limits import default_rules
from sandbox.imports.models import Import
from sandbox.imports.states import OPEN, ImportState
from sandbox.imports.visibility import import_view, review_view, version
from sandbox.web.deps import GradesDep, working
from sandbox.web.import_api import receive
from sandbox.workspaces.door import door_state
from sandbox.workspaces.errors import WorkspaceError
from sandbox.workspaces.models import Workspace

router = APIRouter(include_in_schema=False)
COLOURS = {
    "mounted": "green",
    "in_review": "yellow",
    "declaring": "blue",
    "scanning": "blue",
    "uploaded": "blue",
    "approved": "blue",
    "rejected": "red",
    "refused": "red",
}


@router.get("/workspaces/{name}/imports")
def list_page(request: Request, name: str, session: SessionDep, actor: CurrentActor, settings: SettingsDep) -> Response:
    """The workspace's imports, each with its newest version, and the form for a new one."""
    found = working(session, name, actor)
    versions = [import_view(session, each, found) for each in imports.imports_in(session, found)]
    newest: dict[str, dict[str, Any]] = {}
    for each in versions:
        if each["name"] not in newest or each["number"] > newest[each["name"]]["number"]:
            newest[each["name"]] = each
    return render(
        request,
        "sandbox/imports.html",
        workspace={"name": found.name, "title": found.title},
        imports=sorted(newest.values(), key=lambda each: str(each["name"])),
        colours=COLOURS,
        limits=default_rules().limits,
        door=door_state(settings),
    )


@router.post("/workspaces/{name}/imports")
@streams_body
async def upload(request: Request, name: str, actor: CurrentActor, visitor: VisitorDep) -> Response:
    """Seal a file on the fly; the import is named by it."""
    import_id = await receive(request, name, actor, None, "", visitor)
    return RedirectResponse(f"/workspaces/{name}/imports/{import_id}", 303)


@router.post("/workspaces/{name}/imports/{import_name}/versions")
@streams_body
async def upload_version(
    request: Request, name: str, import_name: str, actor: CurrentActor, visitor: VisitorDep
) -> Response:
    """Seal a new version of an import."""
    import_id = await receive(request, name, actor, import_name, "", visitor)
    return RedirectResponse(f"/workspaces/{name}/imports/{import_id}", 303)


@router.get("/workspaces/{name}/imports/{import_id}")
def import_page(request: Request, name: str, import_id: str, session: SessionDep, actor: CurrentActor) -> Response:
    """One version: what was found, what is needed, where it stands; with htmx only its state."""
    place = working(session, name, actor)
    found = imports.get_import(session, import_id, actor=actor, workspace=place)
    if "hx-request" in request.headers:
        shown = import_view(session, found, place)
        headers = {} if shown["going"] else {"HX-Refresh": "true"}
        return render(
            request,
            "sandbox/_import_status.html",
            headers=headers,
            imported=shown,
            workspace={"name": place.name},
            colours=COLOURS,
        )
    return _page(request, session, place, found, actor, {}, "")


@router.post("/workspaces/{name}/imports/{import_id}/declare")
async def declare(
    request: Request, name: str, import_id: str, actor: CurrentActor, settings: SettingsDep, grades: GradesDep
) -> Response:
    """Send the declaration, or show the form again with what to correct."""
    form = await request.form()
    values = {key: str(value) for key, value in form.items() if isinstance(value, str)}
    keys = [str(value) for value in form.getlist("person_keys") if isinstance(value, str)]
    not_keys = {
        key.removeprefix("reason:"): value.strip()[:1000]
        for key, value in values.items()
        if key.startswith("reason:") and value.strip() and key.removeprefix("reason:") not in keys
    }

    def send() -> Response:
        try:
            with request.app.state.database.begin() as session:
                place = working(session, name, actor)
                found = imports.get_import(session, import_id, actor=actor, workspace=place)
                imports.declare(
                    session,
                    found,
                    actor=actor,
                    purpose=values.get("purpose", "")[:4000],
                    person_keys=keys,
                    not_keys=not_keys,
                    level=values.get("level", ""),
                    legal_basis=values.get("legal_basis", ""),
                    legal_note=values.get("legal_note", "")[:1000],
                    assessment=values.get("assessment", "")[:4000],
                    assessed_on=values.get("assessed_on", "")[:10],
                    assessed_by=values.get("assessed_by", "")[:100],
                    calendar=workdays.load(settings),
                    grades=grades,
                )
        except WorkspaceError as error:
            with request.app.state.database.session() as session:
                place = working(session, name, actor)
                found = imports.get_import(session, import_id, actor=actor, workspace=place)
                given = values | {"person_keys": keys, "not_keys": not_keys}
                return _page(request, session, place, found, actor, given, error.reason[language(request)])
        return RedirectResponse(f"/workspaces/{name}/imports/{import_id}", 303)

    return await run_in_threadpool(send)


@router.post("/workspaces/{name}/imports/{import_id}/withdraw")
def withdraw(name: str, import_id: str, session: WriteDep, actor: CurrentActor) -> Response:
    """Take an import back."""
    imports.withdraw(session, imports.get_import(session, import_id, actor=actor), actor=actor)
    return RedirectResponse(f"/workspaces/{name}/imports/{import_id}", 303)


@router.get("/workspaces/{name}/imports/{import_id}/versions")
@router.get("/workspaces/{name}/imports/{import_id}/declare")
@router.get("/workspaces/{name}/imports/{import_id}/withdraw")
def back_to_import(name: str, import_id: str) -> Response:
    """Where a refused form stood: loading its address anew shows the page, and does nothing."""
    return RedirectResponse(f"/workspaces/{quote(name)}/imports/{quote(import_id)}", 303)


@router.get("/imports/{import_id}/consent")
@router.get("/imports/{import_id}/withdraw")
@router.get("/imports/{import_id}/decide")
def back_to_review(import_id: str) -> Response:
    """The same for those who decide."""
    return RedirectResponse(f"/imports/{quote(import_id)}", 303)


@router.get("/imports")
def queue_page(request: Request, session: SessionDep, actor: CurrentActor) -> Response:
    """Imports that wait for this person, most urgent first, and those answered."""
    return render(
        request,
        "sandbox/import_queue.html",
        waiting=[review_view(session, each) for each in imports.queue(session, actor)],
        decided=[review_view(session, each) for each in imports.decided(session, actor)],
        colours=COLOURS,
    )


@router.get("/imports/{import_id}")
def review_page(request: Request, import_id: str, session: SessionDep, actor: CurrentActor) -> Response:
    """All evidence about one import, and this person's part of the decision."""
    return _review(request, session, imports.get_import(session, import_id, actor=actor), actor, "")


@router.post("/imports/{import_id}/consent")
def consent(
    *,
    request: Request,
    import_id: str,
    session: WriteDep,
    actor: CurrentActor,
    dataset: Annotated[str, Form(max_length=100)],
    decision: Annotated[str, Form()],
    reason: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Answer for one dataset of the department."""
    found = imports.get_import(session, import_id, actor=actor)
    try:
        imports.consent(session, found, actor=actor, dataset=dataset, approve=decision == "approve", reason=reason)
    except WorkspaceError as error:
        return _review(request, session, found, actor, error.reason[language(request)])
    return RedirectResponse(f"/imports/{import_id}", 303)


@router.post("/imports/{import_id}/withdraw")
def withdraw_as_reviewer(import_id: str, session: WriteDep, actor: CurrentActor) -> Response:
    """A reviewer takes an import out at once."""
    imports.withdraw(session, imports.get_import(session, import_id, actor=actor), actor=actor)
    return RedirectResponse(f"/imports/{import_id}", 303)


@router.post("/imports/{import_id}/decide")
def decide(
    *,
    request: Request,
    import_id: str,
    session: WriteDep,
    actor: CurrentActor,
    grades: GradesDep,
    decision: Annotated[str, Form()],
    reason: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Approve or refuse."""
    found = imports.get_import(session, import_id, actor=actor)
    try:
        imports.decide(session, found, actor=actor, approve=decision == "approve", reason=reason, grades=grades)
    except WorkspaceError as error:
        return _review(request, session, found, actor, error.reason[language(request)])
    return RedirectResponse(f"/imports/{import_id}", 303)


def _page(
    request: Request,
    session: Session,
    place: Workspace,
    found: Import,
    actor: Actor,
    values: dict[str, Any],
    error: str,
) -> Response:
    facts = imports.facts(session, found)
    levels = [
        level for level in list(DataLevel)[:4] if not found.proposed_level or level >= DataLevel(found.proposed_level)
    ]
    defaults: dict[str, Any] = {
        "purpose": "",
        "level": found.proposed_level or "L1",
        "legal_basis": "",
        "legal_note": "",
        "assessment": "",
        "assessed_on": "",
        "assessed_by": "",
        "person_keys": [each["column"] for each in found.key_candidates],
        "not_keys": {},
    }
    lang = language(request)
    return render(
        request,
        "sandbox/import.html",
        status_code=422 if error else 200,
        workspace={"name": place.name, "title": place.title},
        imported=import_view(session, found, place),
        candidates=found.key_candidates,
        versions=[version(each) for each in imports.versions_of(session, place, found.name)],
        colours=COLOURS,
        may_declare=ImportState(found.state) is ImportState.DECLARING and permissions.can_declare(actor, facts),
        may_withdraw=ImportState(found.state) in OPEN and permissions.can_withdraw(actor, facts),
        may_replace=permissions.can_upload(actor, facts.workspace) and found.state in {"mounted", "destroyed"},
        levels=[(level.value, level.title(lang)) for level in levels],
        bases=[("", "—"), *((key, words[lang]) for key, words in default_rules().legal_bases.items())],
        values=defaults | values,
        error=error,
    )


def _review(request: Request, session: Session, found: Import, actor: Actor, error: str) -> Response:
    facts = imports.facts(session, found)
    return render(
        request,
        "sandbox/import_review.html",
        status_code=409 if error else 200,
        imported=review_view(session, found),
        colours=COLOURS,
        may_consent=imports.may_consent(session, found, actor),
        may_decide=imports.may_decide(session, found, actor),
        may_withdraw=ImportState(found.state) in OPEN and permissions.can_withdraw(actor, facts),
        threshold=default_rules().limits.threshold,
        error=error,
    )
