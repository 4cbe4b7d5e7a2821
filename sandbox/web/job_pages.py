"""Pages of one job: its way with the next moment, what the dry run found with full explanations, cancelling."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from opendata.catalog import workdays
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.settings import Settings
from opendata.web.deps import CurrentActor, DatabaseDep, SessionDep, SettingsDep, WriteDep
from opendata.web.rendering import CHINA, render
from sandbox.airlock import reruns
from sandbox.airlock import service as airlock
from sandbox.airlock.limits import airlock_ticks
from sandbox.airlock.models import CodeReview
from sandbox.airlock.sources import kernel_digest
from sandbox.web import job_api, timeline, views
from sandbox.web.deps import GradesDep, member
from sandbox.web.workspace_shown import workspace_page
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.door import door_state
from sandbox.workspaces.errors import WorkspaceConflict, WorkspaceError, WorkspaceInvalid, WorkspaceNotFound
from sandbox.workspaces.models import SandboxJob, Workspace

router = APIRouter(include_in_schema=False)


async def get_chosen(request: Request) -> tuple[str, bytes]:
    """Name and content of the file that was chosen in the browser; nothing of either if none was."""
    async with request.form() as form:
        file = form.get("file")
        return (file.filename or "", await file.read()) if isinstance(file, UploadFile) else ("", b"")


@router.post("/workspaces/{name}/jobs")
def submit(
    *,
    request: Request,
    name: str,
    chosen: Annotated[tuple[str, bytes], Depends(get_chosen)],
    database: DatabaseDep,
    actor: CurrentActor,
    settings: SettingsDep,
    grades: GradesDep,
) -> Response:
    """Submit a notebook or script chosen in the browser, and follow it, or show the page with the reason why not."""
    filename, code = chosen
    try:
        if not filename:
            raise WorkspaceInvalid("请选择一个 .ipynb 或 .py 文件 · choose a .ipynb or .py file")
        made = job_api.submit_job(
            name=name,
            filename=filename,
            code=code,
            database=database,
            actor=actor,
            settings=settings,
            grades=grades,
        )
    except WorkspaceNotFound:
        raise
    except WorkspaceError as error:
        field = "file" if isinstance(error, WorkspaceInvalid) else "jobs"  # a workspace at rest has no such field
        with database.session() as session:
            found = workspaces.get_workspace(session, name, actor=actor)
            return workspace_page(
                request, session, found, actor=actor, settings=settings, grades=grades, faults={field: error.reason}
            )
    return RedirectResponse(f"/workspaces/{name}/jobs/{made['id']}", 303)


@router.get("/workspaces/{name}/jobs/{job_id}")
def job_page(
    request: Request, name: str, job_id: str, session: SessionDep, actor: CurrentActor, settings: SettingsDep
) -> Response:
    """One job; asked by htmx, only the part that changes."""
    return _page(request, session, member(session, name, actor), job_id, settings, actor)


@router.get("/workspaces/{name}/jobs/{job_id}/cancel")
@router.get("/workspaces/{name}/jobs/{job_id}/rerun")
def back_to_job(name: str, job_id: str) -> Response:
    """Where an act was refused: loading its address anew shows the job, and does nothing."""
    return RedirectResponse(f"/workspaces/{quote(name)}/jobs/{quote(job_id)}", 303)


@router.post("/workspaces/{name}/jobs/{job_id}/cancel")
def cancel(
    request: Request, name: str, job_id: str, session: WriteDep, actor: CurrentActor, settings: SettingsDep
) -> Response:
    """The author stops a job that has not met raw data yet; too late, the page is shown with that."""
    found = member(session, name, actor)
    try:
        job_api.cancel_job(name, job_id, session, actor)
    except WorkspaceConflict as error:
        return _page(request, session, found, job_id, settings, actor, refused=error.reason)
    return RedirectResponse(f"/workspaces/{name}/jobs/{job_id}", 303)


def _page(
    request: Request,
    session: Session,
    found: Workspace,
    job_id: str,
    settings: Settings,
    actor: Actor,
    *,
    refused: dict[str, str] | None = None,
) -> Response:
    job = workspaces.get_job(session, found, job_id)
    fragment = request.headers.get("HX-Request") == "true"
    return render(
        request,
        "sandbox/_job_status.html" if fragment else "sandbox/job.html",
        status_code=409 if refused else 200,
        headers={"Cache-Control": "no-store"},
        workspace={"name": found.name, "title": found.title},
        outputs=outputs_of_job(session, job),
        refused=refused,
        **shown(session, found, job, settings, actor, now=utc_now()),
    )


def shown(
    session: Session, place: Workspace, job: SandboxJob, settings: Settings, actor: Actor, *, now: datetime
) -> dict[str, Any]:
    """What the page says of a job: nothing that its author's view does not hold."""
    view = views.job(session, job, now=now)
    ticks = airlock_ticks()
    review = session.scalar(select(CodeReview).where(CodeReview.scope_digest == job.scope_digest))
    due = review.due_at if review is not None else None
    if view["state"] == "finished" and job.sealed_finished_at is not None:
        due = workdays.load(settings).due(job.sealed_finished_at)
    moment = timeline.next_moment(
        view["state"], queued_at=job.sealed_queued_at, review_due_at=due, now=now, ticks=ticks
    )
    return {
        "job": view,
        "bits": job.bits_charged,
        "steps": timeline.steps_of(view["state"], reviewed=review is not None),
        "moment": moment,
        "moment_clock": moment.at.astimezone(CHINA).strftime("%H:%M:%S") if moment.at is not None else "",
        "repeatable": door_state(settings).open
        and reruns.can_rerun(session, place, job, actor=actor, kernel=kernel_digest(), ticks=ticks, now=now),
        "cancellable": actor.id == job.author_id and view["state"] in timeline.CANCELLABLE,
    }


def outputs_of_job(session: Session, job: SandboxJob) -> list[dict[str, Any]]:
    """Released outputs of one job."""
    request = airlock.request_of(session, job)
    workspace = session.get_one(Workspace, job.workspace_id)
    return [
        views.output(each)
        for each in airlock.outputs_of(session, workspace)
        if request is not None and each.request_id == request.id
    ]
