"""The airlock as checkers use it: what comes before them, and their queue. The door for callers of this package.

Every write leaves its ledger entry. Drawing checkers, voting and released outputs stand in the files beside this one.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog.workdays import WorkCalendar
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.airlock import permissions
from sandbox.airlock.assigning import draw_missing
from sandbox.airlock.cases import (
    Case,
    approved_code,
    assigned,
    case_facts,
    code_case,
    decided,
    find_case,
    get_case,
    move,
    open_cases,
    output_case,
    request_of,
    votes_of,
)
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.looking import case_to_reveal, has_looked
from sandbox.airlock.models import CodeReview, ReleaseRequest
from sandbox.airlock.outputs import get_output, output_to_revoke, outputs_of, overseen, revoke, revoked_of
from sandbox.airlock.states import RequestState
from sandbox.airlock.voting import RELEASE_JOB, cast_vote
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import SandboxJob, Workspace

__all__ = [
    "RELEASE_JOB",
    "Case",
    "approved_code",
    "case_facts",
    "case_to_reveal",
    "cast_vote",
    "decided",
    "draw_missing",
    "find_case",
    "get_case",
    "get_output",
    "has_looked",
    "move",
    "open_code_review",
    "open_request",
    "output_to_revoke",
    "outputs_of",
    "overseen",
    "queue",
    "request_of",
    "revoke",
    "revoked_of",
    "start_review",
    "votes_of",
]


def open_code_review(
    session: Session,
    job: SandboxJob,
    *,
    calendar: WorkCalendar,
    limits: AirlockLimits | None = None,
    now: datetime | None = None,
) -> CodeReview:
    """Ask for the review of a snapshot's first run and draw its checker; an open or decided one is reused."""
    now = now or utc_now()
    review = session.scalar(select(CodeReview).where(CodeReview.scope_digest == job.scope_digest))
    if review is None:
        workspace = session.get_one(Workspace, job.workspace_id)
        review = CodeReview(
            scope_digest=job.scope_digest,
            workspace_id=job.workspace_id,
            job_id=job.id,
            author_id=job.author_id,
            code_digest=job.code_digest,
            state=RequestState.IN_REVIEW,
            excluded_organizations=sorted(workspaces.facts(session, workspace).organization_ids),
            created_at=now,
            due_at=calendar.due(now),
        )
        session.add(review)
        session.flush()
        payload = {"job": job.id, "code": job.code_digest}
        append(session, AuditEvent("airlock:code:submit", None, f"review:{review.id}", now, payload))
        draw_missing(session, code_case(session, review), limits=limits, now=now)
    return review


def open_request(session: Session, job: SandboxJob, *, checkers: int, now: datetime | None = None) -> ReleaseRequest:
    """The request of a sealed run, made before the run so that its existence tells nothing. Idempotent.

    Its ledger entry waits for the tick after the run (`start_review`): the ledger's size is public, and the moment at
    which a sealed run starts is nobody's to see.
    """
    now = now or utc_now()
    request = session.scalar(select(ReleaseRequest).where(ReleaseRequest.job_id == job.id))
    if request is None:
        workspace = session.get_one(Workspace, job.workspace_id)
        request = ReleaseRequest(
            workspace_id=job.workspace_id,
            job_id=job.id,
            author_id=job.author_id,
            state=RequestState.SUBMITTED,
            level=job.level,
            checkers_needed=checkers,
            excluded_organizations=sorted(workspaces.facts(session, workspace).organization_ids),
            created_at=now,
        )
        session.add(request)
        session.flush()
    return request


def start_review(
    session: Session,
    request: ReleaseRequest,
    *,
    blocking: int,
    calendar: WorkCalendar,
    limits: AirlockLimits | None = None,
    now: datetime | None = None,
) -> None:
    """After the checks: blocked or in review, with a work-day clock and drawn checkers. Idempotent."""
    now = now or utc_now()
    if RequestState(request.state) is not RequestState.CHECKING:
        return
    move(request, RequestState.BLOCKED if blocking else RequestState.IN_REVIEW)
    request.due_at = calendar.due(now)
    submitted = {"job": request.job_id, "at": request.created_at.isoformat()}
    append(session, AuditEvent("airlock:request:submit", None, f"release:{request.id}", now, submitted))
    payload = {"files": [file["sha256"] for file in request.files or []]}
    append(session, AuditEvent("airlock:request:check", None, f"release:{request.id}", now, payload))
    draw_missing(session, output_case(session, request), limits=limits, now=now)


def queue(session: Session, actor: Actor, *, now: datetime | None = None) -> list[Case]:
    """Undecided cases assigned to this checker, most urgent first. Cases still lacking checkers are drawn first."""
    permissions.check_can_list(actor)
    for case in open_cases(session):
        draw_missing(session, case, now=now)
    return [case for case in open_cases(session) if actor.id in assigned(session, case)]
