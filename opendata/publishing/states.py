"""Moves of an edition, as data: which act, by whom, leads from which states to which.

``SYSTEM`` acts are steps of durable jobs; nobody can ask for them. The diagram in the docs is made from this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from opendata.catalog.models import EditionState as S
from opendata.identity import Role


class Act(StrEnum):
    """What can be done with an edition."""

    BUILT = "built"
    FAIL = "fail"
    SUBMIT = "submit"
    APPROVE = "approve"
    RETURN = "return"
    REJECT = "reject"
    PUBLISH = "publish"
    SUPERSEDE = "supersede"
    WITHDRAW = "withdraw"
    DESTROY = "destroy"


@dataclass(frozen=True, slots=True)
class Move:
    """``roles`` empty: a step of a job."""

    start: frozenset[S]
    end: S
    roles: frozenset[Role]


SYSTEM: Final[frozenset[Role]] = frozenset()
OFFICER: Final = frozenset({Role.DATA_OFFICER})
REVIEWER: Final = frozenset({Role.REVIEWER})

TRANSITIONS: Final[Mapping[Act, Move]] = {
    Act.BUILT: Move(frozenset({S.BUILDING}), S.DRAFT, SYSTEM),
    Act.FAIL: Move(frozenset({S.BUILDING, S.APPROVED}), S.FAILED, SYSTEM),
    Act.SUBMIT: Move(frozenset({S.DRAFT, S.RETURNED}), S.IN_REVIEW, OFFICER),
    Act.APPROVE: Move(frozenset({S.IN_REVIEW}), S.APPROVED, REVIEWER),  # never author, creator or submitter: rules.py
    Act.RETURN: Move(frozenset({S.IN_REVIEW}), S.RETURNED, REVIEWER),
    Act.REJECT: Move(frozenset({S.IN_REVIEW}), S.REJECTED, REVIEWER),
    Act.PUBLISH: Move(frozenset({S.APPROVED, S.BUILDING}), S.PUBLISHED, SYSTEM),  # a recipient's line repeats a review
    Act.SUPERSEDE: Move(frozenset({S.PUBLISHED}), S.SUPERSEDED, SYSTEM),
    Act.WITHDRAW: Move(frozenset({S.APPROVED, S.PUBLISHED, S.SUPERSEDED}), S.WITHDRAWN, OFFICER | REVIEWER),
    Act.DESTROY: Move(frozenset({S.WITHDRAWN, S.SUPERSEDED}), S.DESTROYED, SYSTEM),
}

OPEN_WORK: Final = frozenset({S.BUILDING, S.DRAFT, S.IN_REVIEW, S.RETURNED, S.APPROVED})
"""An edition that may still come out."""


def end_of(act: Act, state: S) -> S | None:
    """Where the act leads from this state; None when it does not start there."""
    move = TRANSITIONS[act]
    return move.end if state in move.start else None
