"""Pages of workspaces: the list, applying, one workspace for members, deciders and security administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog import workdays
from opendata.catalog.models import Dataset, DatasetState
from opendata.catalog.visibility import visible_clause
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.web.deps import CurrentActor, DatabaseDep, SessionDep, SettingsDep, WriteDep
from opendata.web.problems import Problem
from opendata.web.rendering import render
from sandbox.web import next_steps, views
from sandbox.web.deps import GradesDep
from sandbox.web.packages import installed
from sandbox.web.workspace_acts import ACTS, DONE, Act, FormDep, Shop, faults_of, whole
from sandbox.web.workspace_shown import spoken, workspace_page
from sandbox.workspaces import permissions
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.door import check_open, door_state, sandbox_settings
from sandbox.workspaces.errors import WorkspaceError
from sandbox.workspaces.pledge import current_pledge

router = APIRouter(include_in_schema=False)
TERMS: Final = (30, 90, 180, 365)
SECTIONS: Final = ("jobs", "outputs")
"""Parts of a workspace's page that are also words of an address."""


@router.get("/workspaces")
def list_page(
    request: Request, session: SessionDep, actor: CurrentActor, settings: SettingsDep, grades: GradesDep
) -> Response:
    """The person's workspaces with their next step and, for those who decide, what waits for them with its clock."""
    now = utc_now()
    return render(
        request,
        "sandbox/workspaces.html",
        own=[
            views.workspace(session, each, now=now) | {"next": next_steps.of(session, each, actor, grades, now=now)}
            for each in workspaces.workspaces_of(session, actor)
        ],
        to_decide=[
            views.workspace(session, each.workspace, now=now) | {"decision": views.decision(session, each, now=now)}
            for each in workspaces.decision_queue(session, actor, grades)
        ],
        may_apply=permissions.can_apply(actor),
        overseen=views.running(session, now=now) if permissions.can_suspend(actor) else None,
        door=door_state(settings),
    )


@router.get("/workspaces/new")
def new_page(request: Request, session: SessionDep, actor: CurrentActor, dataset: str = "") -> Response:
    """The application form."""
    permissions.check_can_apply(actor)
    return _form(request, session, actor, {"datasets": [dataset] if dataset else []}, {})


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
    term_days: Annotated[str, Form()] = "",
    datasets: Annotated[list[str] | None, Form()] = None,
    pledge_version: Annotated[str, Form()] = "",
    pledge_name: Annotated[str, Form()] = "",
) -> Response:
    """Send the application, or show the form again with what to correct."""
    values: dict[str, Any] = {"name": name.strip(), "title": title, "purpose": purpose, "term_days": whole(term_days)}
    values |= {"datasets": datasets or [], "pledge_version": whole(pledge_version) or 0, "pledge_name": pledge_name}
    try:
        check_open(settings)
        made = workspaces.apply(session, actor=actor, **values, grades=grades, calendar=workdays.load(settings))
    except WorkspaceError as error:
        return _form(request, session, actor, values, faults_of("apply", error))
    return RedirectResponse(f"/workspaces/{made.name}", 303)


@router.get("/workspaces/packages")
def packages_page(request: Request, actor: CurrentActor, settings: SettingsDep) -> Response:  # noqa: ARG001
    """What stands in the notebooks' environment, for everybody who is signed in."""
    found = installed(sandbox_settings(settings).kernel_env)
    return render(
        request,
        "sandbox/packages.html",
        chosen=[each for each in found if each.chosen],
        others=[each for each in found if not each.chosen],
    )


@router.get("/workspaces/{name}")
def one_page(
    *,
    request: Request,
    name: str,
    session: SessionDep,
    actor: CurrentActor,
    settings: SettingsDep,
    grades: GradesDep,
    done: str = "",
) -> Response:
    """One workspace: next step, data, members, quotas, jobs, released outputs; the decision for those who decide."""
    found = workspaces.get_workspace(session, name, actor=actor)
    return workspace_page(request, session, found, actor=actor, settings=settings, grades=grades, done=done)


@router.get("/workspaces/{name}/{act}")
def back_to_page(name: str, act: str) -> Response:
    """Where a refused form stood: loading its address anew shows the page, and does nothing."""
    if act not in ACTS and act not in SECTIONS:
        raise Problem.not_found()
    return RedirectResponse(f"/workspaces/{quote(name)}" + (f"#{act}" if act in SECTIONS else ""), 303)


@router.post("/workspaces/{name}/{act}")
def act_on(
    *,
    request: Request,
    name: str,
    act: Act,
    database: DatabaseDep,
    actor: CurrentActor,
    settings: SettingsDep,
    grades: GradesDep,
    form: FormDep,
) -> Response:
    """Do one of the acts of the page; a refused one shows the page again with the reason."""
    try:
        with database.begin() as session:
            found = workspaces.get_workspace(session, name, actor=actor)
            ACTS[act](session, found, actor, form, Shop(settings, grades))
    except WorkspaceError as error:
        with database.session() as session:
            found = workspaces.get_workspace(session, name, actor=actor)
            return workspace_page(
                request, session, found, actor=actor, settings=settings, grades=grades,
                faults=faults_of(act, error), typed=form,
            )  # fmt: skip
    return RedirectResponse(f"/workspaces/{name}" + (f"?done={act}" if act in DONE else ""), 303)


def _form(
    request: Request, session: Session, actor: Actor, values: dict[str, Any], faults: Mapping[str, Mapping[str, str]]
) -> Response:
    choices = session.scalars(
        select(Dataset)
        .where(visible_clause(actor), Dataset.state == DatasetState.PUBLISHED, Dataset.current_edition_id.is_not(None))
        .order_by(Dataset.title_zh),
    ).all()
    defaults = {"name": "", "title": "", "purpose": "", "term_days": 90, "datasets": [], "pledge_name": ""}
    return render(
        request,
        "sandbox/apply.html",
        status_code=422 if faults else 200,
        values=defaults | values,
        error=spoken(request, faults),
        choices=choices,
        pledge=current_pledge(),
        terms=sorted({*TERMS, *filter(None, [values.get("term_days")])}),
    )
