"""The airlock as checkers use it: drawing, voting, code review, revocation. Every write leaves its ledger entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import combinations
from random import Random, SystemRandom
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog.workdays import WorkCalendar
from opendata.db import utc_now
from opendata.identity import Actor, Role, User
from opendata.jobs import enqueue
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.airlock import draw, permissions, rules, scoring
from sandbox.airlock.cases import (
    Case,
    assigned,
    case_facts,
    code_case,
    decided,
    find_case,
    get_case,
    open_cases,
    output_case,
    votes_of,
)
from sandbox.airlock.errors import AirlockConflict
from sandbox.airlock.limits import AirlockLimits, default_limits
from sandbox.airlock.models import Assignment, CodeReview, ReleasedOutput, ReleaseRequest, Vote
from sandbox.airlock.rules import Ballot, Decision, Forward
from sandbox.airlock.states import VOTING, RequestState, check_transition
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.errors import WorkspaceNotFound
from sandbox.workspaces.models import SandboxJob, Workspace
from sandbox.workspaces.states import JobState

RELEASE_JOB: Final = "sandbox.release"
__all__ = [
    "RELEASE_JOB",
    "Case",
    "approved_code",
    "case_facts",
    "cast_vote",
    "decided",
    "draw_missing",
    "find_case",
    "get_case",
    "get_output",
    "move",
    "open_code_review",
    "open_request",
    "outputs_of",
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


def draw_missing(
    session: Session,
    case: Case,
    *,
    limits: AirlockLimits | None = None,
    now: datetime | None = None,
    rng: Random | None = None,
) -> list[str]:
    """Draw as many checkers as the case still lacks; none while the pool is too small. Returns who was drawn."""
    now, limits, rng = now or utc_now(), limits or default_limits(), rng or SystemRandom()
    already = assigned(session, case)
    wanted = case.needed + (case.state is RequestState.THIRD_REVIEW) - len(already)
    if case.seeded or wanted <= 0 or case.state not in VOTING:
        return []
    workspace = session.get_one(Workspace, case.workspace_id)
    facts = workspaces.facts(session, workspace)
    candidates = draw.eligible(
        _pool(session),
        excluded_organizations=case.excluded | facts.organization_ids,
        excluded_persons=facts.member_ids | {case.author_id},
    )
    if len(candidates) < max(limits.checker_pool_minimum, case.needed):
        return []
    drawn = draw.draw(
        candidates,
        needed=wanted,
        author_id=case.author_id,
        pairs=_pairs(session),
        cap=limits.pair_cap,
        rng=rng,
        already=already,
    )
    for place, checker in enumerate(drawn, len(already) + 1):
        session.add(
            Assignment(
                kind=case.kind,
                subject_id=case.id,
                checker_id=checker.id,
                author_id=case.author_id,
                position=place,
                drawn_at=now,
            ),
        )
        append(session, AuditEvent("airlock:checker:draw", None, case.subject, now, {"checker": checker.id}))
    session.flush()
    return [checker.id for checker in drawn]


def queue(session: Session, actor: Actor, *, now: datetime | None = None) -> list[Case]:
    """Undecided cases assigned to this checker, most urgent first. Cases still lacking checkers are drawn first."""
    permissions.check_can_list(actor)
    for case in open_cases(session):
        draw_missing(session, case, now=now)
    return [case for case in open_cases(session) if actor.id in assigned(session, case)]


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
    """Cast one vote and, when it was the last awaited, decide.

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


def revoke(
    session: Session,
    output: ReleasedOutput,
    *,
    actor: Actor,
    reason: str,
    now: datetime | None = None,
) -> None:
    """Take a released output back: its door is shut when the transaction commits; digest and reason stay. For good."""
    now = now or utc_now()
    permissions.check_can_revoke(actor)
    rules.check_reason(reason)
    request = session.get_one(ReleaseRequest, output.request_id)
    if output.revoked_at is not None:
        raise AirlockConflict(
            "已经撤回；撤回不能撤销，请重新运行并审查 · revoked already; a revocation cannot be undone: run again",
        )
    move(request, RequestState.REVOKED)
    output.revoked_at, output.revoked_by, output.revoke_reason = now, actor.id, reason.strip()
    payload = {"record": output.record_digest}
    append(session, AuditEvent("airlock:output:revoke", actor.id, f"release:{request.id}", now, payload))


def outputs_of(session: Session, workspace: Workspace) -> list[ReleasedOutput]:
    """Released outputs of a workspace that were not revoked, newest first."""
    return list(
        session.scalars(
            select(ReleasedOutput)
            .where(ReleasedOutput.workspace_id == workspace.id, ReleasedOutput.revoked_at.is_(None))
            .order_by(ReleasedOutput.released_at.desc()),
        ),
    )


def revoked_of(session: Session, workspace: Workspace) -> list[ReleasedOutput]:
    """Outputs that were taken back, for the workspace's members: which, when and why."""
    return list(
        session.scalars(
            select(ReleasedOutput)
            .where(ReleasedOutput.workspace_id == workspace.id, ReleasedOutput.revoked_at.is_not(None))
            .order_by(ReleasedOutput.revoked_at.desc()),
        ),
    )


def get_output(session: Session, workspace: Workspace, output_id: str) -> ReleasedOutput:
    """The released output of this workspace. Raises WorkspaceNotFound, AirlockConflict when it was revoked."""
    output = session.get(ReleasedOutput, output_id)
    if output is None or output.workspace_id != workspace.id:
        raise WorkspaceNotFound("没有这个产出 · there is no such output")
    if output.revoked_at is not None:
        raise AirlockConflict(
            "放行已撤回，不能再下载；请删除已下载的副本 · the release was revoked: delete the copies you have",
        )
    return output


def request_of(session: Session, job: SandboxJob) -> ReleaseRequest | None:
    """The release request of a job, if its sealed run was started."""
    return session.scalar(select(ReleaseRequest).where(ReleaseRequest.job_id == job.id))


def approved_code(session: Session, scope_digest: str) -> CodeReview | None:
    """The review that accepted this code in this scope."""
    return session.scalar(
        select(CodeReview).where(CodeReview.scope_digest == scope_digest, CodeReview.state == RequestState.APPROVED),
    )


def move(request: ReleaseRequest, new: RequestState) -> None:
    """Change a request's state along ``TRANSITIONS``."""
    check_transition(RequestState(request.state), new)
    request.state = new


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


def _pool(session: Session) -> list[draw.Checker]:
    users = session.scalars(select(User).where(User.active).order_by(User.id))
    return [draw.Checker(user.id, user.organization_id) for user in users if Role.OUTPUT_CHECKER in user.roles]


def _pairs(session: Session) -> Counter[frozenset[str]]:
    """How often two people met in a case: author and checker, checker and checker."""
    met: dict[tuple[str, str], set[str]] = {}
    for row in session.scalars(select(Assignment)):
        met.setdefault((row.kind, row.subject_id), {row.author_id}).add(row.checker_id)
    return Counter(frozenset(pair) for people in met.values() for pair in combinations(sorted(people), 2))
