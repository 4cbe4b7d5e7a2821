"""Pages of the researcher (workspaces, jobs, practice findings, released outputs) and of the deciding reviewer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, UploadFile
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog import workdays
from opendata.catalog.models import Dataset, DatasetState
from opendata.catalog.visibility import visible_clause
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.web.deps import CurrentActor, DatabaseDep, SessionDep, SettingsDep, WriteDep
from opendata.web.rendering import render
from sandbox.airlock import service as airlock
from sandbox.web import views, workspace_api
from sandbox.web.workspace_api import GradesDep
from sandbox.workspaces import permissions
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.door import check_open, door_state
from sandbox.workspaces.errors import WorkspaceError

router = APIRouter(include_in_schema=False)
TERMS = (30, 90, 180, 365)


@router.get("/workspaces")
def list_page(
    request: Request, session: SessionDep, actor: CurrentActor, settings: SettingsDep, grades: GradesDep
) -> Response:
    """The person's workspaces and, for reviewers, the applications waiting for them."""
    now = utc_now()
    return render(
        request,
        "sandbox/workspaces.html",
        own=[views.workspace(session, each, now=now) for each in workspaces.workspaces_of(session, actor)],
        to_decide=[
            views.workspace(session, each.workspace, now=now)
            for each in workspaces.decision_queue(session, actor, grades)
        ],
        may_apply=permissions.can_apply(actor),
        door=door_state(settings),
    )


@router.get("/workspaces/new")
def new_page(request: Request, session: SessionDep, actor: CurrentActor, dataset: str = "") -> Response:
    """The application form."""
    permissions.check_can_apply(actor)
    return _form(request, session, actor, {"datasets": [dataset] if dataset else []}, "")


@router.post("/workspaces/new")
def send_application(
    *,
    request: Request,
    session: WriteDep,
    actor: CurrentActor,
    settings: SettingsDep,
    grades: GradesDep,
    name: Annotated[str, Form()] = "",
    title: Annotated[str, Form()] = "",
    purpose: Annotated[str, Form()] = "",
    term_days: Annotated[int, Form()] = 90,
    datasets: Annotated[list[str] | None, Form()] = None,
    pledge_version: Annotated[int, Form()] = 0,
    pledge_name: Annotated[str, Form()] = "",
) -> Response:
    """Send the application, or show the form again with what to correct."""
    values: dict[str, Any] = {"name": name, "title": title, "purpose": purpose, "term_days": term_days}
    values |= {"datasets": datasets or [], "pledge_version": pledge_version, "pledge_name": pledge_name}
    try:
        check_open(settings)
        made = workspaces.apply(session, actor=actor, **values, grades=grades, calendar=workdays.load(settings))
    except WorkspaceError as error:
        return _form(request, session, actor, values, _words(request, error))
    return RedirectResponse(f"/workspaces/{made.name}", 303)


@router.get("/workspaces/{name}")
def workspace_page(
    *,
    request: Request,
    name: str,
    session: SessionDep,
    actor: CurrentActor,
    settings: SettingsDep,
    grades: GradesDep,
    job: Annotated[str, Query(max_length=36)] = "",
) -> Response:
    """One workspace: data, jobs, released outputs, members."""
    found = workspaces.get_workspace(session, name, actor=actor)
    facts = workspaces.facts(session, found)
    now = utc_now()
    member = permissions.can_read(actor, facts)
    waiting = workspaces.waiting_decision(session, found, grades)
    jobs = [views.job(session, each, now=now) for each in workspaces.jobs_of(session, found)] if member else []
    return render(
        request,
        "sandbox/workspace.html",
        workspace=views.workspace(session, found, now=now),
        datasets=[views.dataset(session, each) for each in workspaces.datasets_of(session, found)],
        jobs=jobs,
        chosen=next((each for each in jobs if each["id"] == job), None),
        outputs=[views.output(each) for each in airlock.outputs_of(session, found)] if member else [],
        member=member,
        owner=permissions.can_manage_members(actor, facts),
        may_decide=waiting is not None and workspaces.can_decide(actor, waiting),
        door=door_state(settings),
        hub_url=settings.hub_url,
        live=views.workspace_state(found, now) == "approved",
    )


@router.post("/workspaces/{name}/decide")
def decide(
    *,
    name: str,
    session: WriteDep,
    actor: CurrentActor,
    grades: GradesDep,
    decision: Annotated[str, Form()],
    reason: Annotated[str, Form()] = "",
) -> Response:
    """A reviewer approves or refuses the application."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.decide(session, found, actor=actor, approve=decision == "approve", reason=reason, grades=grades)
    return RedirectResponse(f"/workspaces/{name}", 303)


@router.post("/workspaces/{name}/members")
def add_member(name: str, session: WriteDep, actor: CurrentActor, username: Annotated[str, Form()]) -> Response:
    """The owner adds a researcher."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.add_member(session, found, actor=actor, username=username.strip()[:64])
    return RedirectResponse(f"/workspaces/{name}", 303)


@router.post("/workspaces/{name}/members/remove")
def remove_member(name: str, session: WriteDep, actor: CurrentActor, username: Annotated[str, Form()]) -> Response:
    """The owner removes a member."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.remove_member(session, found, actor=actor, username=username)
    return RedirectResponse(f"/workspaces/{name}", 303)


@router.post("/workspaces/{name}/close")
def close(name: str, session: WriteDep, actor: CurrentActor) -> Response:
    """The owner or a reviewer ends the workspace."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.close(session, found, actor=actor)
    return RedirectResponse(f"/workspaces/{name}", 303)


@router.post("/workspaces/{name}/jobs")
def submit(
    *,
    name: str,
    file: UploadFile,
    database: DatabaseDep,
    actor: CurrentActor,
    settings: SettingsDep,
    grades: GradesDep,
) -> Response:
    """Submit a notebook or script chosen in the browser."""
    code = file.file.read()
    made = workspace_api.submit_job(
        name=name,
        filename=file.filename or "",
        code=code,
        database=database,
        actor=actor,
        settings=settings,
        grades=grades,
    )
    return RedirectResponse(f"/workspaces/{name}?job={made['id']}#jobs", 303)


@router.post("/workspaces/{name}/jobs/{job_id}/cancel")
def cancel(name: str, job_id: str, session: WriteDep, actor: CurrentActor) -> Response:
    """The author stops a job that has not met raw data yet."""
    workspace_api.cancel_job(name, job_id, session, actor)
    return RedirectResponse(f"/workspaces/{name}#jobs", 303)


def _form(request: Request, session: Session, actor: Actor, values: dict[str, Any], error: str) -> Response:
    choices = session.scalars(
        select(Dataset)
        .where(visible_clause(actor), Dataset.state == DatasetState.PUBLISHED, Dataset.current_edition_id.is_not(None))
        .order_by(Dataset.title_zh),
    ).all()
    defaults = {"name": "", "title": "", "purpose": "", "term_days": 90, "datasets": []}
    return render(
        request,
        "sandbox/apply.html",
        status_code=422 if error else 200,
        values=defaults | values,
        error=error,
        choices=choices,
        terms=TERMS,
    )


def _words(request: Request, error: WorkspaceError) -> str:
    from opendata.web.rendering import language

    return error.reason[language(request)]
