"""``/api/v1/airlock``: the checkers' queue, views and reveals through the raw door, votes, revocation."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from opendata.db import utc_now
from opendata.storage import rawdoor
from opendata.storage.keys import public_key
from opendata.web.deps import CurrentActor, SessionDep, SettingsDep, WriteDep
from opendata.web.publishing_work import own_secret
from sandbox.airlock import scoring
from sandbox.airlock import service as airlock
from sandbox.airlock.rules import Decision, Forward
from sandbox.airlock.usage import used
from sandbox.web import views

router = APIRouter(prefix="/api/v1/airlock", tags=["airlock"])


class Ballot(BaseModel):
    """A vote. ``forward``: for a refusal, the one fixed reason the author may be told."""

    decision: Decision
    explanation: str = Field(max_length=4000)
    forward: Forward | None = None


class View(BaseModel):
    """Why the checker looks at the output."""

    purpose: str = Field(max_length=200)


class Reveal(BaseModel):
    """Which covered table the checker uncovers, and why."""

    file: str = Field(max_length=200)
    purpose: str = Field(max_length=200)


class Reason(BaseModel):
    """Why a release is revoked."""

    reason: str = Field(max_length=4000)


@router.get("")
def queue(session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """Cases assigned to this checker, most urgent first, and those decided."""
    now = utc_now()
    return {
        "cases": [views.case(session, each, actor, now=now) for each in airlock.queue(session, actor, now=now)],
        "decided": [views.case(session, each, actor, now=now) for each in airlock.decided(session, actor)],
    }


@router.get("/key", response_class=PlainTextResponse)
def key(settings: SettingsDep) -> PlainTextResponse:
    """The public key of released outputs (PEM), for offline verification."""
    return PlainTextResponse(public_key(settings, "release").decode())


@router.get("/checkers")
def checkers(session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """How each checker fared with seeded cases: share with n and 95 % interval."""
    return {"checkers": [row.to_json() for row in scoring.scores(session, actor)]}


@router.get("/usage")
def usage(session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """What runs used, by workspace and job, for administrators and auditors."""
    return {"workspaces": used(session, actor)}


@router.get("/outputs")
def released_outputs(session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """Released outputs of all workspaces, for those who may revoke one: what and when, no content."""
    return {"outputs": [views.overseen(session, each) for each in airlock.overseen(session, actor=actor)]}


@router.get("/{case_id}")
def get_case(case_id: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """One case: what is to be decided, not its cells."""
    return views.case(session, airlock.get_case(session, case_id, actor=actor), actor, now=utc_now())


@router.post("/{case_id}/view")
def view(case_id: str, body: View, request: Request, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """Output table, checks and code through the worker's raw door: logged there, kept nowhere here."""
    airlock.get_case(session, case_id, actor=actor)
    return look(request, case_id, body.purpose)


@router.post("/{case_id}/reveal")
def reveal(case_id: str, body: Reveal, request: Request, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """The first rows of one covered table as they are: an entry in the ledger of its own."""
    airlock.get_case(session, case_id, actor=actor)
    return uncover(request, case_id, body.file, body.purpose)


@router.post("/{case_id}/vote")
def vote(case_id: str, body: Ballot, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """Vote on a case whose content this person has opened. One vote a person, never changed."""
    case = airlock.cast_vote(
        session,
        case_id,
        actor=actor,
        decision=body.decision,
        explanation=body.explanation,
        forward=body.forward,
    )
    return views.case(session, case, actor, now=utc_now())


@router.post("/outputs/{output_id}/revoke")
def revoke(output_id: str, body: Reason, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """Take a released output back."""
    output = airlock.output_to_revoke(session, output_id, actor=actor)
    airlock.revoke(session, output, actor=actor, reason=body.reason)
    return views.output(output) | views.revoked(output)


def look(request: Request, case_id: str, purpose: str) -> dict[str, Any]:
    """Ask the worker for one case in this person's name."""
    question = {"id": case_id, "purpose": purpose}
    return rawdoor.ask(request.app.state.settings, "airlock-view", question, token=own_secret(request))


def uncover(request: Request, case_id: str, file: str, purpose: str) -> dict[str, Any]:
    """Ask the worker for the first rows of one covered table in this person's name."""
    question = {"id": case_id, "file": file, "purpose": purpose}
    return rawdoor.ask(request.app.state.settings, "airlock-reveal", question, token=own_secret(request))
