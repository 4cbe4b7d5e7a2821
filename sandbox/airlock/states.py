"""States of a release request, as data.

Source: the airlock machines of AzureTRE and OpenSAFELY. ``blocked`` is what automatic checks found; a
blocked request is still voted on, so that nothing the author sees depends on it, and can only be
refused.
"""

from __future__ import annotations

from enum import StrEnum

from sandbox.airlock.errors import AirlockConflict


class RequestState(StrEnum):
    """Life of a release request."""

    SUBMITTED = "submitted"
    CHECKING = "checking"
    BLOCKED = "blocked"
    IN_REVIEW = "in_review"
    THIRD_REVIEW = "third_review"
    APPROVED = "approved"
    RELEASING = "releasing"
    RELEASED = "released"
    REVOKED = "revoked"
    RETURNED = "returned"
    REJECTED = "rejected"


S = RequestState
TRANSITIONS: dict[RequestState, frozenset[RequestState]] = {
    S.SUBMITTED: frozenset({S.CHECKING}),
    S.CHECKING: frozenset({S.BLOCKED, S.IN_REVIEW}),
    S.BLOCKED: frozenset({S.RETURNED, S.REJECTED}),
    S.IN_REVIEW: frozenset({S.APPROVED, S.RETURNED, S.REJECTED, S.THIRD_REVIEW}),
    S.THIRD_REVIEW: frozenset({S.APPROVED, S.RETURNED, S.REJECTED}),
    S.APPROVED: frozenset({S.RELEASING}),
    S.RELEASING: frozenset({S.RELEASED}),
    S.RELEASED: frozenset({S.REVOKED}),
    S.REVOKED: frozenset(),
    S.RETURNED: frozenset(),
    S.REJECTED: frozenset(),
}
VOTING = frozenset({S.IN_REVIEW, S.BLOCKED, S.THIRD_REVIEW})
"""States in which votes are taken."""
DECIDED = frozenset({S.APPROVED, S.RELEASING, S.RELEASED, S.REVOKED, S.RETURNED, S.REJECTED})
"""States after the votes: the first moment the author learns anything."""


def check_transition(old: RequestState, new: RequestState) -> None:
    """Raise `AirlockConflict` unless ``old`` may become ``new``."""
    if new not in TRANSITIONS[old]:
        raise AirlockConflict.from_states(old, new)
