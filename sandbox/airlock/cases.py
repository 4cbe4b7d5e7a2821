"""What checkers decide on, as one kind of thing: sealed outputs, snapshots of code, and seeded ones among them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.identity import Actor, Role
from sandbox.airlock import permissions
from sandbox.airlock.models import Assignment, CodeReview, ReleaseRequest, SeededCase, Vote
from sandbox.airlock.permissions import RequestFacts
from sandbox.airlock.states import DECIDED, VOTING, RequestState, check_transition
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.errors import WorkspaceNotFound
from sandbox.workspaces.models import SandboxJob, Workspace

Kind = Literal["output", "code"]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to decide on: a sealed output or a snapshot of code.

    ``seeded`` is a made-up output that measures its one checker; nothing shown before the vote may depend on it.
    """

    kind: Kind
    id: str
    workspace_id: str
    job_id: str
    author_id: str
    state: RequestState
    level: str
    needed: int
    excluded: frozenset[str]
    blocking: int
    created_at: datetime
    due_at: datetime | None
    title: str
    purpose: str
    entry: str
    seeded: bool = False

    @property
    def subject(self) -> str:
        """What ledger entries about it name."""
        return f"{'release' if self.kind == 'output' else 'review'}:{self.id}"


def decided(session: Session, actor: Actor, *, limit: int = 50) -> list[Case]:
    """Decided cases this checker voted on; an auditor sees all. Newest first."""
    permissions.check_can_list(actor)
    cases = _cases_in(session, DECIDED)
    if Role.AUDITOR not in actor.roles:
        cases = [case for case in cases if actor.id in assigned(session, case)]
    return sorted(cases, key=lambda case: case.created_at, reverse=True)[:limit]


def get_case(session: Session, case_id: str, *, actor: Actor) -> Case:
    """The case, if this person was drawn for it. Raises AirlockDenied for its author, else WorkspaceNotFound."""
    case = find_case(session, case_id)
    permissions.check_can_check(actor, case_facts(session, case))
    return case


def find_case(session: Session, case_id: str) -> Case:
    """The case whoever asks; callers check permissions. Raises WorkspaceNotFound."""
    request = session.get(ReleaseRequest, case_id)
    if request is not None:
        return output_case(session, request)
    review = session.get(CodeReview, case_id)
    if review is not None:
        return code_case(session, review)
    seed = session.get(SeededCase, case_id)
    if seed is not None:
        return seeded_case(seed)
    raise WorkspaceNotFound("没有分配给您的这项审查 · no such check is assigned to you")


def case_facts(session: Session, case: Case) -> RequestFacts:
    """What deciders need to know of a case, now."""
    if case.seeded:
        return RequestFacts("", frozenset(), frozenset(), frozenset(assigned(session, case)))
    facts = workspaces.facts(session, session.get_one(Workspace, case.workspace_id))
    return RequestFacts(
        author_id=case.author_id,
        member_ids=facts.member_ids,
        excluded_organizations=case.excluded | facts.organization_ids,
        assigned_ids=frozenset(assigned(session, case)),
    )


def votes_of(session: Session, case: Case, *, viewer: Actor) -> list[Vote]:
    """Votes a checker may read: one's own until the case is decided, then all (blinded, independent)."""
    votes = session.scalars(
        select(Vote).where(Vote.kind == case.kind, Vote.subject_id == case.id).order_by(Vote.cast_at),
    ).all()
    if case.state in DECIDED:
        return list(votes)
    return [vote for vote in votes if vote.checker_id == viewer.id]


def open_cases(session: Session) -> list[Case]:
    """Everything that is being voted on, most urgent first."""
    cases = _cases_in(session, VOTING)
    return sorted(cases, key=lambda case: (case.due_at or case.created_at, case.id))


def output_case(session: Session, request: ReleaseRequest) -> Case:
    """A release request as a case."""
    workspace, job = session.get_one(Workspace, request.workspace_id), session.get_one(SandboxJob, request.job_id)
    return Case(
        kind="output",
        id=request.id,
        workspace_id=request.workspace_id,
        job_id=request.job_id,
        author_id=request.author_id,
        state=RequestState(request.state),
        level=request.level,
        needed=request.checkers_needed,
        excluded=frozenset(request.excluded_organizations),
        blocking=request.blocking_findings,
        created_at=request.created_at,
        due_at=request.due_at,
        title=workspace.title,
        purpose=workspace.purpose,
        entry=job.entry,
    )


def code_case(session: Session, review: CodeReview) -> Case:
    """A code review as a case; its level is the job's."""
    workspace, job = session.get_one(Workspace, review.workspace_id), session.get_one(SandboxJob, review.job_id)
    return Case(
        kind="code",
        id=review.id,
        workspace_id=review.workspace_id,
        job_id=review.job_id,
        author_id=review.author_id,
        state=RequestState(review.state),
        level=job.level,
        needed=1,
        excluded=frozenset(review.excluded_organizations),
        blocking=0,
        created_at=review.created_at,
        due_at=review.due_at,
        title=workspace.title,
        purpose=workspace.purpose,
        entry=job.entry,
    )


def seeded_case(seed: SeededCase) -> Case:
    """A seeded case as a case: of no workspace, no job, no author."""
    return Case(
        kind="output",
        id=seed.id,
        workspace_id="",
        job_id="",
        author_id="",
        state=RequestState(seed.state),
        level=seed.level,
        needed=seed.checkers_needed,
        excluded=frozenset(),
        blocking=0,
        created_at=seed.created_at,
        due_at=seed.due_at,
        title=seed.title,
        purpose=seed.purpose,
        entry=seed.entry,
        seeded=True,
    )


def assigned(session: Session, case: Case) -> list[str]:
    """Who was drawn for the case, in the order of the draws."""
    if case.seeded:
        return list(session.scalars(select(SeededCase.checker_id).where(SeededCase.id == case.id)))
    return list(
        session.scalars(
            select(Assignment.checker_id)
            .where(Assignment.kind == case.kind, Assignment.subject_id == case.id)
            .order_by(Assignment.position),
        ),
    )


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


def _cases_in(session: Session, states: Collection[RequestState]) -> list[Case]:
    wanted = [str(state) for state in states]
    requests = session.scalars(select(ReleaseRequest).where(ReleaseRequest.state.in_(wanted)))
    reviews = session.scalars(select(CodeReview).where(CodeReview.state.in_(wanted)))
    seeds = session.scalars(select(SeededCase).where(SeededCase.state.in_(wanted)))
    return [
        *(output_case(session, each) for each in requests),
        *(code_case(session, each) for each in reviews),
        *map(seeded_case, seeds),
    ]
