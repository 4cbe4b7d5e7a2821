"""Pages of the output checker: queue with a clock, and one case with its table, checks and code side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from opendata.db import utc_now
from opendata.web.deps import CurrentActor, SessionDep, SettingsDep, WriteDep
from opendata.web.rendering import render
from sandbox.airlock import permissions, scoring
from sandbox.airlock import service as airlock
from sandbox.airlock.rules import FORWARD_TEXT, Decision, Forward
from sandbox.airlock.states import VOTING
from sandbox.web import job_api, views
from sandbox.web.airlock_api import look
from sandbox.web.deps import GradesDep

router = APIRouter(include_in_schema=False)


@router.get("/airlock")
def queue_page(request: Request, session: WriteDep, actor: CurrentActor) -> Response:
    """Cases assigned to this checker, most urgent first."""
    now = utc_now()
    return render(
        request,
        "sandbox/airlock.html",
        cases=[views.case(session, each, actor, now=now) for each in airlock.queue(session, actor, now=now)],
        decided=[views.case(session, each, actor, now=now) for each in airlock.decided(session, actor)],
        sees_scores=permissions.can_see_scores(actor),
    )


@router.get("/airlock/checkers")
def checkers_page(request: Request, session: SessionDep, actor: CurrentActor) -> Response:
    """How each checker fared with seeded cases, for the security administrator and auditors."""
    return render(request, "sandbox/checkers.html", checkers=[row.to_json() for row in scoring.scores(session, actor)])


@router.post("/workspaces/{name}/jobs/{job_id}/rerun")
def rerun(
    *, name: str, job_id: str, session: WriteDep, actor: CurrentActor, settings: SettingsDep, grades: GradesDep
) -> Response:
    """Run a finished job again, and follow it."""
    made = job_api.rerun_job(name=name, job_id=job_id, session=session, actor=actor, settings=settings, grades=grades)
    return RedirectResponse(f"/workspaces/{name}/jobs/{made['id']}", 303)


@router.get("/airlock/{case_id}")
def case_page(request: Request, case_id: str, session: SessionDep, actor: CurrentActor) -> Response:
    """One case before it is looked into: what it is, and the question why."""
    found = airlock.get_case(session, case_id, actor=actor)
    return render(
        request,
        "sandbox/case.html",
        case=views.case(session, found, actor, now=utc_now()),
        shown=None,
        voting=found.state in VOTING,
        forwards=_forwards(),
        purpose="",
    )


@router.post("/airlock/{case_id}/view")
def show(
    request: Request,
    case_id: str,
    session: SessionDep,
    actor: CurrentActor,
    purpose: Annotated[str, Form(max_length=200)],
) -> Response:
    """The case with output, checks and code, through the raw door; never stored by this process."""
    found = airlock.get_case(session, case_id, actor=actor)
    shown = look(request, case_id, purpose)
    return render(
        request,
        "sandbox/case.html",
        headers={"Cache-Control": "no-store"},
        case=views.case(session, found, actor, now=utc_now()),
        shown=shown,
        voting=found.state in VOTING,
        forwards=_forwards(),
        purpose=purpose,
    )


@router.post("/airlock/{case_id}/vote")
def vote(
    *,
    case_id: str,
    session: WriteDep,
    actor: CurrentActor,
    decision: Annotated[Decision, Form()],
    explanation: Annotated[str, Form(max_length=4000)] = "",
    forward: Annotated[str, Form()] = "",
) -> Response:
    """Cast the vote, and see it recorded."""
    reason = Forward(forward) if forward in set(Forward) else None
    airlock.cast_vote(session, case_id, actor=actor, decision=decision, explanation=explanation, forward=reason)
    return RedirectResponse(f"/airlock/{case_id}", 303)


def _forwards() -> list[tuple[str, dict[str, str]]]:
    return [(str(each), FORWARD_TEXT[each]) for each in Forward]
