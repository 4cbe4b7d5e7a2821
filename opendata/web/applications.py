"""Conditional data: applying, deciding, grants and app keys; pages and API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.access import service as access
from opendata.access.errors import InvalidRequest
from opendata.access.models import AccessRequest, Grant
from opendata.catalog import service as catalog
from opendata.catalog.models import Dataset
from opendata.db import utc_now
from opendata.errors import NotFoundError
from opendata.identity import Actor, Organization, Role, User
from opendata.web.deps import CurrentActor, SessionDep, WriteDep, require
from opendata.web.problems import Problem
from opendata.web.rendering import render, say

router = APIRouter()

TERMS = (30, 90, 180, 365)
Decider = Annotated[Actor, Depends(require(Role.DATA_OFFICER, Role.REVIEWER))]


class RequestBody(BaseModel):
    """An application: what for, how long, how protected."""

    scenario: str = Field(min_length=1, max_length=2000)
    purpose: str = Field(min_length=1, max_length=200)
    term_days: int = Field(ge=1, le=3650)
    safeguards: str = Field(min_length=1, max_length=2000)
    pledge: bool


class Reason(BaseModel):
    """Why."""

    reason: str = Field(default="", max_length=2000)


@router.get("/dataset/{name}/request", include_in_schema=False)
def request_page(request: Request, name: str, session: SessionDep, actor: CurrentActor) -> Response:
    """The application form of a conditional dataset."""
    dataset = catalog.get(session, name, actor)
    existing = access.open_request(session, dataset, actor)
    if existing is not None:
        return RedirectResponse(f"/requests/{existing.id}", 303)
    return _form(request, dataset, {}, {})


@router.post("/dataset/{name}/request", include_in_schema=False)
def send_request(
    request: Request,
    name: str,
    session: WriteDep,
    actor: CurrentActor,
    scenario: Annotated[str, Form()] = "",
    purpose: Annotated[str, Form()] = "",
    term_days: Annotated[str, Form()] = "",
    safeguards: Annotated[str, Form()] = "",
    pledge: Annotated[str, Form()] = "",
) -> Response:
    """Send the application, or show the form again with what to correct."""
    dataset = catalog.get(session, name, actor)
    values = {
        "scenario": scenario,
        "purpose": purpose,
        "term_days": term_days,
        "safeguards": safeguards,
        "pledge": pledge,
    }
    try:
        made = _apply(
            request,
            session,
            dataset,
            actor,
            scenario=scenario.strip(),
            purpose=purpose.strip(),
            term_days=int(term_days) if term_days.isascii() and term_days.isdigit() else 0,
            safeguards=safeguards.strip(),
            pledge=pledge == "yes",
        )
    except InvalidRequest as error:
        return _form(request, dataset, values, {error.field: say(request, error.reason)}, status_code=422)
    return RedirectResponse(f"/requests/{made.id}?sent=1", 303)


@router.get("/requests", include_in_schema=False)
def requests_page(request: Request, session: SessionDep, actor: CurrentActor) -> Response:
    """My applications."""
    mine = access.requests_of(session, actor)
    return render(request, "requests.html", mine=mine, datasets=_datasets(session, mine))


@router.get("/requests/{request_id}", include_in_schema=False)
def request_status(request: Request, request_id: str, session: SessionDep, actor: CurrentActor) -> Response:
    """Where one application stands, for its applicant and for those who may decide it."""
    found, dataset = _request(session, request_id, actor)
    grant = session.scalar(select(Grant).where(Grant.request_id == found.id))
    return render(
        request,
        "request.html",
        found=found,
        dataset=dataset,
        grant=grant,
        mine=found.user_id == actor.id,
        may_decide=any(item.id == found.id for item in _queue(session, actor)),
        applicant=session.get(User, found.user_id),
        organization=session.get(Organization, found.organization_id),
        now=utc_now(),
    )


@router.post("/requests/{request_id}/withdraw", include_in_schema=False)
def withdraw_page(request_id: str, session: WriteDep, actor: CurrentActor) -> Response:
    """Take my application back."""
    found, _ = _request(session, request_id, actor)
    access.withdraw_request(session, found, actor=actor)
    return RedirectResponse(f"/requests/{found.id}", 303)


@router.post("/requests/{request_id}/decide", include_in_schema=False)
def decide_page(
    request_id: str,
    session: WriteDep,
    actor: Decider,
    decision: Annotated[str, Form()],
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Approve or reject."""
    found, _ = _request(session, request_id, actor)
    if decision not in {"approve", "reject"}:
        raise Problem.invalid({"zh": "请选择批准或驳回。", "en": "Choose to approve or to reject."})
    access.decide(session, found, actor=actor, approve=decision == "approve", reason=reason.strip())
    return RedirectResponse(f"/requests/{found.id}", 303)


@router.get("/console/requests", include_in_schema=False)
def queue_page(request: Request, session: SessionDep, actor: Decider) -> Response:
    """Applications waiting for my decision, most urgent first."""
    queue = access.request_queue(session, actor)
    users = {item.user_id: session.get(User, item.user_id) for item in queue}
    firms = {item.organization_id: session.get(Organization, item.organization_id) for item in queue}
    return render(
        request,
        "request_queue.html",
        queue=queue,
        datasets=_datasets(session, queue),
        users=users,
        firms=firms,
        grants=access.department_grants(session, actor),
        now=utc_now(),
    )


@router.get("/grants", include_in_schema=False)
def grants_page(request: Request, session: SessionDep, actor: CurrentActor) -> Response:
    """My grants and their keys."""
    grants = access.grants_of(session, actor)
    return _grants(request, session, grants, None)


@router.post("/grants/{grant_id}/keys", include_in_schema=False)
def issue_key_page(request: Request, grant_id: str, session: WriteDep, actor: CurrentActor) -> Response:
    """Issue an app key and show it this once."""
    grant = _grant(session, grant_id, actor)
    key = access.issue_app_key(session, grant, actor=actor)
    session.flush()
    response = _grants(request, session, access.grants_of(session, actor), (grant.id, key))
    response.headers["Cache-Control"] = "no-store"
    return response


@router.post("/grants/{grant_id}/revoke", include_in_schema=False)
def revoke_page(grant_id: str, session: WriteDep, actor: CurrentActor, reason: Annotated[str, Form()] = "") -> Response:
    """End a grant: its holder gives it back, or the providing department takes it."""
    grant = _grant(session, grant_id, actor)
    access.revoke_grant(session, grant, actor=actor, reason=reason.strip())
    return RedirectResponse("/grants" if grant.user_id == actor.id else "/console/requests", 303)


@router.post("/api/v1/datasets/{name}/requests", tags=["access"], status_code=201)
def api_request(
    request: Request, name: str, body: RequestBody, session: WriteDep, actor: CurrentActor
) -> dict[str, Any]:
    """Apply for a conditional dataset; decided within one work day."""
    dataset = catalog.get(session, name, actor)
    return request_json(_apply(request, session, dataset, actor, **body.model_dump()), dataset)


@router.get("/api/v1/requests", tags=["access"])
def api_requests(session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """My applications, and those that wait for my decision."""
    mine = access.requests_of(session, actor)
    queue = _queue(session, actor)
    datasets = _datasets(session, [*mine, *queue])
    return {
        "requests": [request_json(item, datasets[item.dataset_id]) for item in mine],
        "to_decide": [request_json(item, datasets[item.dataset_id]) for item in queue],
    }


@router.get("/api/v1/requests/{request_id}", tags=["access"])
def api_one_request(request_id: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """One application."""
    found, dataset = _request(session, request_id, actor)
    return request_json(found, dataset)


@router.post("/api/v1/requests/{request_id}/approve", tags=["access"])
def api_approve(request_id: str, body: Reason, session: WriteDep, actor: Decider) -> dict[str, Any]:
    """Approve: a grant is made, and a job builds the recipient's own edition where one is needed."""
    found, _ = _request(session, request_id, actor)
    grant = access.decide(session, found, actor=actor, approve=True, reason=body.reason)
    return {"state": found.state, "grant": grant.id if grant else None, "job": grant.job_id if grant else None}


@router.post("/api/v1/requests/{request_id}/reject", tags=["access"])
def api_reject(request_id: str, body: Reason, session: WriteDep, actor: Decider) -> dict[str, Any]:
    """Reject, with the reason."""
    found, _ = _request(session, request_id, actor)
    access.decide(session, found, actor=actor, approve=False, reason=body.reason)
    return {"state": found.state, "grant": None, "job": None}


@router.post("/api/v1/requests/{request_id}/withdraw", tags=["access"])
def api_withdraw(request_id: str, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """Take my application back."""
    found, dataset = _request(session, request_id, actor)
    return request_json(access.withdraw_request(session, found, actor=actor), dataset)


@router.get("/api/v1/grants", tags=["access"])
def api_grants(session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """My grants."""
    grants = access.grants_of(session, actor)
    datasets = _datasets(session, grants)
    return {"grants": [grant_json(item, datasets[item.dataset_id]) for item in grants]}


@router.post("/api/v1/grants/{grant_id}/keys", tags=["access"], status_code=201)
def api_issue_key(grant_id: str, session: WriteDep, actor: CurrentActor, response: Response) -> dict[str, Any]:
    """A key for a programme; shown this once, sent as ``X-App-Key``."""
    response.headers["Cache-Control"] = "no-store"
    grant = _grant(session, grant_id, actor)
    return {"key": access.issue_app_key(session, grant, actor=actor), "grant": grant.id}


@router.post("/api/v1/grants/{grant_id}/revoke", tags=["access"])
def api_revoke(grant_id: str, body: Reason, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """End a grant and its keys at once."""
    grant = _grant(session, grant_id, actor)
    access.revoke_grant(session, grant, actor=actor, reason=body.reason)
    return {"grant": grant.id, "revoked_at": grant.revoked_at}


def request_json(item: AccessRequest, dataset: Dataset) -> dict[str, Any]:
    """An application for its applicant and deciders."""
    return {
        "id": item.id,
        "dataset": dataset.name,
        "state": item.state,
        "scenario": item.scenario,
        "purpose": item.purpose,
        "term_days": item.term_days,
        "created_at": item.created_at,
        "due_at": item.due_at,
        "decided_at": item.decided_at,
        "reason": item.reason,
    }


def grant_json(item: Grant, dataset: Dataset) -> dict[str, Any]:
    """A grant for its holder."""
    return {
        "id": item.id,
        "dataset": dataset.name,
        "basis": item.basis,
        "purpose": item.purpose,
        "quota_per_day": item.quota_per_day,
        "starts_at": item.starts_at,
        "expires_at": item.expires_at,
        "revoked_at": item.revoked_at,
        "ready": item.edition_id is not None,
        "job": item.job_id,
    }


def is_ended(grant: Grant, now: datetime) -> bool:
    """Whether a grant opens nothing any more."""
    return grant.revoked_at is not None or grant.expires_at <= now


def _apply(request: Request, session: Session, dataset: Dataset, actor: Actor, **values: Any) -> AccessRequest:
    state = request.app.state
    return access.request_access(
        session, dataset, actor=actor, grades=state.grades, calendar=state.calendar, now=utc_now(), **values
    )


def _form(
    request: Request, dataset: Dataset, values: dict[str, str], errors: dict[str, str], *, status_code: int = 200
) -> Response:
    return render(
        request,
        "request_form.html",
        status_code=status_code,
        dataset=dataset,
        values=values,
        errors=errors,
        terms=TERMS,
    )


def _queue(session: Session, actor: Actor) -> list[AccessRequest]:
    if not actor.roles.intersection({Role.DATA_OFFICER, Role.REVIEWER}):
        return []
    return access.request_queue(session, actor)


def _request(session: Session, request_id: str, actor: Actor) -> tuple[AccessRequest, Dataset]:
    """The application, if this person sent it or belongs to the department that decides it."""
    found = session.get(AccessRequest, request_id)
    dataset = session.get(Dataset, found.dataset_id) if found is not None else None
    if found is None or dataset is None:
        raise NotFoundError("没有这份申请（no such request）")
    decider = actor.roles.intersection({Role.DATA_OFFICER, Role.REVIEWER})
    concerned = decider and (
        dataset.organization_id == actor.organization_id or any(item.id == found.id for item in _queue(session, actor))
    )
    if found.user_id != actor.id and not concerned:
        raise NotFoundError("没有这份申请（no such request）")
    return found, dataset


def _grant(session: Session, grant_id: str, actor: Actor) -> Grant:
    """The grant, if it is this person's or their department gave it."""
    grant = session.get(Grant, grant_id)
    dataset = session.get(Dataset, grant.dataset_id) if grant is not None else None
    if grant is None or dataset is None:
        raise NotFoundError("没有这份许可（no such grant）")
    if grant.user_id != actor.id and all(item.id != grant.id for item in _given(session, actor)):
        raise NotFoundError("没有这份许可（no such grant）")
    return grant


def _given(session: Session, actor: Actor) -> list[Grant]:
    if not actor.roles.intersection({Role.DATA_OFFICER, Role.REVIEWER}):
        return []
    return access.department_grants(session, actor)


def _grants(request: Request, session: Session, grants: list[Grant], fresh: tuple[str, str] | None) -> Response:
    return render(
        request,
        "grants.html",
        grants=grants,
        datasets=_datasets(session, grants),
        keys={grant.id: access.app_keys_of(session, grant) for grant in grants},
        fresh=fresh,
        now=utc_now(),
        is_ended=is_ended,
    )


def _datasets(session: Session, items: list[Any]) -> dict[str, Dataset]:
    ids = {item.dataset_id for item in items}
    return {dataset.id: dataset for dataset in session.scalars(select(Dataset).where(Dataset.id.in_(ids)))}
