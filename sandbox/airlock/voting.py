"""Voting: one ballot a checker, and what the last one awaited brings about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.db import utc_now
from opendata.identity import Actor
from opendata.jobs import enqueue
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.airlock import rules, scoring
from sandbox.airlock.assigning import draw_missing
from sandbox.airlock.cases import Case, find_case, get_case, move, output_case
from sandbox.airlock.looking import has_looked
from sandbox.airlock.models import CodeReview, ReleaseRequest, Vote
from sandbox.airlock.rules import Ballot, Decision, Forward
from sandbox.airlock.states import RequestState, check_transition
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import SandboxJob
from sandbox.workspaces.states import JobState

RELEASE_JOB: Final = "sandbox.release"


def cast_vote(
    session: Session,
    case_id: str,
    *,
    actor: Actor,
    decision: Decision,
    explanation: str,
    forward: Forward | None = None,
    now: datetime | None = None,
) -> Case:
    """Cast one vote of a person who has looked at the content and, when it was the last awaited, decide.

    Raises AirlockDenied, AirlockInvalid, AirlockConflict.
    """
    now = now or utc_now()
    case = get_case(session, case_id, actor=actor)
    votes = session.scalars(select(Vote).where(Vote.kind == case.kind, Vote.subject_id == case.id)).all()
    rules.check_vote(
        case.state,
        decision,
        explanation,
        voted=any(vote.checker_id == actor.id for vote in votes),
        looked=has_looked(session, case, actor),
        blocking=case.blocking,
    )
    vote = Vote(
        kind=case.kind,
        subject_id=case.id,
        checker_id=actor.id,
        decision=decision,
        explanation=explanation.strip(),
        forward=forward if decision is not Decision.APPROVE else None,
        cast_at=now,
    )
    session.add(vote)
    session.flush()
    append(session, AuditEvent("airlock:vote:cast", actor.id, case.subject, now, {"decision": str(decision)}))
    ballots = [Ballot(v.checker_id, Decision(v.decision)) for v in [*votes, vote]]
    if case.seeded:
        scoring.score(session, case, decision, now=now)
        return find_case(session, case_id)
    result = rules.outcome(ballots, needed=case.needed, third=case.state is RequestState.THIRD_REVIEW)
    if result is not None:
        _decide(session, case, result, [*votes, vote], now)
    return find_case(session, case_id)


def _decide(session: Session, case: Case, result: RequestState, votes: Sequence[Vote], now: datetime) -> None:
    if case.kind == "code":
        _decide_code(session, case, result, now)
        return
    request = session.get_one(ReleaseRequest, case.id)
    move(request, result)
    if result is RequestState.THIRD_REVIEW:
        session.flush()
        draw_missing(session, output_case(session, request), now=now)
        return
    request.decided_at = now
    if result is RequestState.APPROVED:
        request.release_job_id = enqueue(session, RELEASE_JOB, {"request_id": request.id}, actor_id=None).id
    else:
        request.forwarded = next((v.forward for v in votes if v.forward), None)
    append(session, AuditEvent("airlock:request:decide", None, f"release:{case.id}", now, {"outcome": str(result)}))


def _decide_code(session: Session, case: Case, result: RequestState, now: datetime) -> None:
    review = session.get_one(CodeReview, case.id)
    check_transition(RequestState(review.state), result)
    review.state, review.decided_at = result, now
    append(session, AuditEvent("airlock:code:decide", None, f"review:{case.id}", now, {"outcome": str(result)}))
    waiting = session.scalars(
        select(SandboxJob).where(
            SandboxJob.scope_digest == review.scope_digest,
            SandboxJob.state == JobState.CODE_REVIEW,
        ),
    ).all()
    for job in waiting:
        if result is RequestState.APPROVED:
            workspaces.queue_sealed(session, job, now=now)
        else:
            workspaces.move_job(job, JobState.CODE_REJECTED)
