"""Looks into cases: what the ledger says of them, and who may look how far.

A look is its ledger entry, recorded before the content leaves; whoever votes must have looked, and what was erased from
the ledger was not seen. Source: PRIVACY.md 21.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.identity import Actor
from opendata.ledger.models import LedgerEntry, LedgerOpening
from sandbox.airlock import rules
from sandbox.airlock.cases import Case, get_case

LOOK: Final = "airlock:case:view"
REVEAL: Final = "airlock:case:reveal"


def has_looked(session: Session, case: Case, actor: Actor) -> bool:
    """Whether this person has opened this case's content."""
    return (
        session.scalar(
            select(LedgerEntry.index)
            .join(LedgerOpening, LedgerOpening.index == LedgerEntry.index)
            .where(LedgerOpening.subject == case.subject, LedgerOpening.actor_id == actor.id, LedgerEntry.type == LOOK)
            .limit(1)
        )
        is not None
    )


def case_to_reveal(session: Session, case_id: str, *, actor: Actor) -> Case:
    """The case, for a checker drawn for it who has seen it covered, while it is voted on.

    Raises AirlockDenied, WorkspaceNotFound, AirlockConflict.
    """
    case = get_case(session, case_id, actor=actor)
    rules.check_reveal(case.state, looked=has_looked(session, case, actor))
    return case
