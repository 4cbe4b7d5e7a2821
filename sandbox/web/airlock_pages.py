"""Pages of the output checker: queue with a clock, and one case with its table, checks and code side by side."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from opendata.db import utc_now
from opendata.errors import ConflictError, InvalidInputError
from opendata.identity import Actor
from opendata.web.deps import CurrentActor, SessionDep, SettingsDep, WriteDep
from opendata.web.rendering import gettext, render, say
from sandbox.airlock import permissions, rules, scoring
from sandbox.airlock import service as airlock
from sandbox.airlock.errors import AirlockInvalid
from sandbox.airlock.rules import FORWARD_TEXT, Decision, Forward
from sandbox.airlock.states import VOTING
from sandbox.web import job_api, views
from sandbox.web.airlock_api import look, uncover
from sandbox.web.deps import GradesDep

router = APIRouter(include_in_schema=False)
NO_STORE: Final = {"Cache-Control": "no-store"}
REFUSALS: Final = (ConflictError, InvalidInputError)
"""What gives the form back as it was filled in, with the reason; other refusals are pages of their own."""


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
    return _page(request, session, airlock.get_case(session, case_id, actor=actor), actor)


@router.get("/airlock/{case_id}/view")
@router.get("/airlock/{case_id}/reveal")
@router.get("/airlock/{case_id}/vote")
def back_to_case(case_id: str) -> Response:
    """Where a form stood: loading its address anew shows the case as it was, covered, and does nothing."""
    return RedirectResponse(f"/airlock/{quote(case_id)}", 303)


@router.post("/airlock/{case_id}/view")
def show(
    request: Request, case_id: str, session: SessionDep, actor: CurrentActor, purpose: Annotated[str, Form()] = ""
) -> Response:
    """The case with output, checks and code, through the raw door; never stored by this process."""
    found = airlock.get_case(session, case_id, actor=actor)
    try:
        rules.check_purpose(purpose)
        shown = look(request, case_id, purpose)
    except REFUSALS as error:
        return _page(request, session, found, actor, purpose=purpose, errors={"purpose": _told(request, error)})
    return _page(request, session, found, actor, shown=shown, purpose=purpose)


@router.post("/airlock/{case_id}/reveal")
def reveal(
    *,
    request: Request,
    case_id: str,
    session: SessionDep,
    actor: CurrentActor,
    file: Annotated[str, Form()] = "",
    purpose: Annotated[str, Form()] = "",
) -> Response:
    """The first rows of one covered table, through the raw door; asked by htmx, these rows alone."""
    found = airlock.get_case(session, case_id, actor=actor)
    rows, error = None, ""
    try:
        rules.check_purpose(purpose)
        rows = uncover(request, case_id, file, purpose)
    except REFUSALS as refusal:
        error = _told(request, refusal)
    asked = {"file": file, "purpose": purpose, "rows": rows, "error": error}
    if _in_place(request):
        return render(request, "sandbox/_case_reveal.html", headers=NO_STORE, case={"id": case_id}, asked=asked)
    return _page(request, session, found, actor, asked=asked, errors={f"reveal-{file}": error} if error else {})


@router.post("/airlock/{case_id}/vote")
def vote(
    *,
    request: Request,
    case_id: str,
    session: WriteDep,
    actor: CurrentActor,
    decision: Annotated[str, Form()] = "",
    explanation: Annotated[str, Form()] = "",
    forward: Annotated[str, Form()] = "",
) -> Response:
    """Cast the vote and see it recorded, or get the form back as it was filled in."""
    found = airlock.get_case(session, case_id, actor=actor)
    errors = _faults(request, found, decision, explanation)
    if not errors:
        chosen = Decision(decision)
        reason = Forward(forward) if forward in set(Forward) else None
        try:
            airlock.cast_vote(session, case_id, actor=actor, decision=chosen, explanation=explanation, forward=reason)
        except REFUSALS as error:
            errors = {"decision": _told(request, error)}
    if errors:
        ballot = {"decision": decision, "explanation": explanation, "forward": forward}
        return _page(request, session, found, actor, ballot=ballot, errors=errors, template="sandbox/_case_vote.html")
    if _in_place(request):
        return Response(headers={"HX-Redirect": f"/airlock/{case_id}"})
    return RedirectResponse(f"/airlock/{case_id}", 303)


def _faults(request: Request, found: airlock.Case, decision: str, explanation: str) -> dict[str, str]:
    """What is missing in a ballot, by field; nothing when the case is no longer voted on, which comes first."""
    errors = {}
    if found.state in VOTING and decision not in set(Decision):
        errors["decision"] = gettext(request, "请选择一个决定")
    if found.state in VOTING:
        try:
            rules.check_reason(explanation)
        except AirlockInvalid as error:
            errors["explanation"] = _told(request, error)
    return errors


def _page(
    request: Request,
    session: Session,
    found: airlock.Case,
    actor: Actor,
    *,
    shown: dict[str, Any] | None = None,
    asked: dict[str, Any] | None = None,
    purpose: str | None = None,
    ballot: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    template: str = "",
) -> Response:
    """The case; ``template``: the part of it that htmx swaps, for which 200 is success whatever it says."""
    case = views.case(session, found, actor, now=utc_now())
    case["looked"] |= shown is not None  # recorded by the worker after this session began
    part = bool(template) and _in_place(request)
    return render(
        request,
        template if part else "sandbox/case.html",
        status_code=422 if errors and not part else 200,
        headers=NO_STORE,
        case=case,
        shown=shown,
        asked=asked,
        votable=found.state in VOTING,
        may_vote=found.state in VOTING and not case["voted"],
        forwards=[
            ("", gettext(request, "不告知")),
            *((str(each), say(request, FORWARD_TEXT[each])) for each in Forward),
        ],
        purpose=purpose or gettext(request, "出域审查"),
        ballot=ballot or {"decision": "", "explanation": "", "forward": ""},
        errors=errors or {},
    )


def _told(request: Request, error: Exception) -> str:
    chinese, _, english = str(error).partition(" · ")
    told = say(request, {"zh": chinese, "en": english or chinese})
    return told[:1].upper() + told[1:]


def _in_place(request: Request) -> bool:
    return request.headers.get("HX-Request") == "true"
