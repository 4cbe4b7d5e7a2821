"""Pages of workspaces: the list, applying, one workspace for members, deciders and security administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog import workdays
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset, DatasetState
from opendata.catalog.visibility import visible_clause
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.settings import Settings
from opendata.web.deps import CurrentActor, DatabaseDep, SessionDep, SettingsDep, WriteDep
from opendata.web.rendering import language, render
from sandbox.airlock import service as airlock
from sandbox.web import next_steps, views
from sandbox.web.deps import GradesDep
from sandbox.web.packages import installed
from sandbox.web.query_panels import answers_tables
from sandbox.web.timeline import stands_still
from sandbox.web.workspace_acts import ACTS, FIELDS, Act, FormDep, Shop
from sandbox.workspaces import permissions
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.door import check_open, door_state, sandbox_settings
from sandbox.workspaces.ends import clears_at, home_bytes
from sandbox.workspaces.errors import WorkspaceDenied, WorkspaceError
from sandbox.workspaces.models import Workspace
from sandbox.workspaces.pledge import current_pledge

router = APIRouter(include_in_schema=False)
TERMS = (30, 90, 180, 365)


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
def workspace_page(
    request: Request, name: str, session: SessionDep, actor: CurrentActor, settings: SettingsDep, grades: GradesDep
) -> Response:
    """One workspace: next step, data, members, quotas, jobs, released outputs; the decision for those who decide."""
    found = workspaces.get_workspace(session, name, actor=actor)
    return _page(request, session, found, actor=actor, settings=settings, grades=grades)


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
            return _page(
                request, session, found, actor=actor, settings=settings, grades=grades,
                error={FIELDS.get(act, "main-content"): _words(request, error)},
            )  # fmt: skip
    return RedirectResponse(f"/workspaces/{name}", 303)


def _page(
    request: Request,
    session: Session,
    found: Workspace,
    *,
    actor: Actor,
    settings: Settings,
    grades: Grades,
    error: dict[str, str] | None = None,
) -> Response:
    facts, now = workspaces.facts(session, found), utc_now()
    reads = permissions.can_read(actor, facts)
    jobs = [views.job(session, each, now=now) for each in workspaces.jobs_of(session, found)] if reads else []
    waiting = workspaces.waiting_decision(session, found, grades)
    state = views.workspace_state(found, now)
    suspension = workspaces.suspension_of(session, found)
    return render(
        request,
        "sandbox/workspace.html",
        status_code=422 if error else 200,
        error=error,
        workspace=views.workspace(session, found, now=now),
        datasets=[
            views.practice(session, each) | {"tables": answers_tables(session, each.name, actor, grades)}
            for each in workspaces.datasets_of(session, found)
        ],
        people=views.members(session, found, digest=current_pledge().digest),
        jobs=jobs,
        outputs=[views.output(each) for each in airlock.outputs_of(session, found)] if reads else [],
        revoked=[views.revoked(each) for each in airlock.revoked_of(session, found)] if reads else [],
        quota=_quota(session, found, grades, now=now) if state == "approved" else None,
        decision=views.decision(session, waiting, now=now) if waiting else None,
        history=views.history(session, found, without=waiting.round if waiting else None),
        member=actor.id in facts.member_ids,
        reads=reads,
        works=permissions.can_work(actor, facts),
        signed=actor.id in facts.pledged_ids,
        pledge=current_pledge(),
        owner=actor.id == facts.owner_id,
        may_decide=waiting is not None and workspaces.can_decide(actor, waiting),
        may_close=permissions.can_close(actor, facts) and state in {"approved", "suspended", "expired"},
        may_suspend=permissions.can_suspend(actor),
        suspended_for=suspension.reason if suspension else None,
        clears_at=clears_at(found),
        homes=home_bytes(settings, found.id) if reads else None,
        door=door_state(settings),
        hub_url=settings.hub_url,
        live=state == "approved",
        still=stands_still(jobs),
    )


def _quota(session: Session, found: Workspace, grades: Grades, *, now: datetime) -> dict[str, Any] | None:
    """None when a level was raised and the workspace's door is shut: the page says so elsewhere."""
    try:
        return views.quota(session, found, grades, now=now)
    except WorkspaceDenied:
        return None


def _form(request: Request, session: Session, actor: Actor, values: dict[str, Any], error: str) -> Response:
    choices = session.scalars(
        select(Dataset)
        .where(visible_clause(actor), Dataset.state == DatasetState.PUBLISHED, Dataset.current_edition_id.is_not(None))
        .order_by(Dataset.title_zh),
    ).all()
    defaults = {"name": "", "title": "", "purpose": "", "term_days": 90, "datasets": [], "pledge_name": ""}
    return render(
        request,
        "sandbox/apply.html",
        status_code=422 if error else 200,
        values=defaults | values,
        error=error,
        choices=choices,
        pledge=current_pledge(),
        terms=TERMS,
    )


def _words(request: Request, error: WorkspaceError) -> str:
    return error.reason[language(request)]
