"""What each checker made of the seeded cases: their one vote is scored and decides nothing.

Source: PRIVACY.md 21. The checker hears it after the vote, the security administrator and auditors see everybody's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.identity import Actor, Role, User
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.airlock import permissions
from sandbox.airlock.cases import Case
from sandbox.airlock.models import SeededCase
from sandbox.airlock.rules import Decision
from sandbox.airlock.states import DECIDED, RequestState

Z: Final = 1.96
"""Of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Score:
    """How often a checker was right about seeded cases: all, bad ones stopped, good ones passed."""

    checker_id: str
    name: str
    cases: int
    hits: int
    bad: tuple[int, int]
    good: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        """With the share and its 95 % interval (Wilson); null without a case."""
        low, high = wilson(self.hits, self.cases)
        return {
            "checker": self.name,
            "cases": self.cases,
            "hits": self.hits,
            "rate": round(self.hits / self.cases, 3) if self.cases else None,
            "interval": [round(low, 3), round(high, 3)] if self.cases else None,
            "bad": {"cases": self.bad[1], "stopped": self.bad[0]},
            "good": {"cases": self.good[1], "passed": self.good[0]},
        }


def score(session: Session, case: Case, decision: Decision, *, now: datetime) -> bool:
    """Close a seeded case by its one vote. Returns whether the vote was right."""
    seed = session.get_one(SeededCase, case.id)
    refused = RequestState.RETURNED if decision is Decision.RETURN else RequestState.REJECTED
    hit = (decision is Decision.APPROVE) == seed.good
    payload = {"template": seed.template, "good": seed.good, "hit": hit}
    append(session, AuditEvent("airlock:seed:score", seed.checker_id, case.subject, now, payload))
    seed.state = RequestState.APPROVED if decision is Decision.APPROVE else refused
    seed.scored_at, seed.hit = now, hit
    return hit


def scores(session: Session, actor: Actor) -> list[Score]:
    """What each present checker made of the seeded cases, by name. For the security administrator and auditors."""
    permissions.check_can_see_scores(actor)
    rows = session.scalars(select(SeededCase).where(SeededCase.hit.is_not(None))).all()
    people = [user for user in session.scalars(select(User).order_by(User.name)) if Role.OUTPUT_CHECKER in user.roles]
    return [_score(user, [row for row in rows if row.checker_id == user.id]) for user in people]


def feedback(session: Session, case: Case) -> SeededCase | None:
    """The seeded case behind a decided one, for the checker who voted; None for real and open ones."""
    return session.get(SeededCase, case.id) if case.seeded and case.state in DECIDED else None


def wilson(hits: int, cases: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927); (0, 1) without a case.

    >>> [round(bound, 3) for bound in wilson(9, 10)]
    [0.596, 0.982]
    """
    if cases == 0:
        return 0.0, 1.0
    share, square = hits / cases, Z * Z
    middle = (share + square / (2 * cases)) / (1 + square / cases)
    half = Z / (1 + square / cases) * math.sqrt(share * (1 - share) / cases + square / (4 * cases * cases))
    return max(0.0, middle - half), min(1.0, middle + half)


def _score(user: User, rows: Sequence[SeededCase]) -> Score:
    bad, good = [row for row in rows if not row.good], [row for row in rows if row.good]
    hit = [sum(bool(row.hit) for row in some) for some in (rows, bad, good)]
    return Score(user.id, user.name, len(rows), hit[0], (hit[1], len(bad)), (hit[2], len(good)))
