"""Giving cases to checkers: who is in the pool, who has met whom, and the draw that is recorded.

Source: PRIVACY.md 21. The draw itself, a decider over these values, is in `draw`.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import combinations
from random import Random, SystemRandom

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.db import utc_now
from opendata.identity import Role, User
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.airlock import draw
from sandbox.airlock.cases import Case, assigned
from sandbox.airlock.limits import AirlockLimits, default_limits
from sandbox.airlock.models import Assignment
from sandbox.airlock.states import VOTING, RequestState
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import Workspace


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


def _pool(session: Session) -> list[draw.Checker]:
    users = session.scalars(select(User).where(User.active).order_by(User.id))
    return [draw.Checker(user.id, user.organization_id) for user in users if Role.OUTPUT_CHECKER in user.roles]


def _pairs(session: Session) -> Counter[frozenset[str]]:
    """How often two people met in a case: author and checker, checker and checker."""
    met: dict[tuple[str, str], set[str]] = {}
    for row in session.scalars(select(Assignment)):
        met.setdefault((row.kind, row.subject_id), {row.author_id}).add(row.checker_id)
    return Counter(frozenset(pair) for people in met.values() for pair in combinations(sorted(people), 2))
