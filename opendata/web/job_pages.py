"""The page of one job: how far it is, where it leads, and the button that stops it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog.models import Edition
from opendata.jobs import FINISHED, Job, request_cancel
from opendata.publishing import curves
from opendata.publishing.models import Intake
from opendata.web import publishing_work as work
from opendata.web.deps import CurrentActor, SessionDep, WriteDep
from opendata.web.rendering import render

router = APIRouter(include_in_schema=False)


@router.get("/console/jobs/{job_id}")
def job_page(request: Request, job_id: str, session: SessionDep, actor: CurrentActor) -> Response:
    """Progress of one job; the page renews its middle while the job runs."""
    job = work.own_job(session, job_id, actor)
    fragment = "hx-request" in request.headers
    headers = {"HX-Refresh": "true"} if fragment and job.state in FINISHED else {}
    template = "console/job_status.html" if fragment else "console/job.html"
    return render(
        request, template, headers=headers, job=job, target=_target(session, job), finished=job.state in FINISHED
    )


@router.post("/console/jobs/{job_id}/cancel")
def cancel_job(job_id: str, session: WriteDep, actor: CurrentActor) -> Response:
    """Ask a job to stop."""
    work.own_job(session, job_id, actor)
    request_cancel(session, job_id)
    return RedirectResponse(f"/console/jobs/{job_id}", 303)


def _target(session: Session, job: Job) -> str | None:
    """Where to go when the job is done."""
    intake_id, edition_id = job.arguments.get("intake_id"), job.arguments.get("edition_id")
    if intake_id and job.kind == curves.JOB:
        return f"/console/intakes/{intake_id}/curve"
    if edition_id and session.get(Edition, edition_id) is not None:
        return f"/console/editions/{edition_id}"
    if intake_id and session.get(Intake, intake_id) is not None:
        return f"/console/intakes/{intake_id}"
    found = session.scalar(select(Edition.id).where(Edition.job_id == job.id))
    return f"/console/editions/{found}" if found else None
