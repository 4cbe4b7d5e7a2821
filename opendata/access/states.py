"""Moves of an application, as data."""

from opendata.access.models import RequestState

TRANSITIONS: dict[RequestState, frozenset[RequestState]] = {
    RequestState.SUBMITTED: frozenset({RequestState.APPROVED, RequestState.REJECTED, RequestState.WITHDRAWN}),
    RequestState.APPROVED: frozenset(),  # a grant ends by expiry or revocation, the application stays as decided
    RequestState.REJECTED: frozenset(),
    RequestState.WITHDRAWN: frozenset(),
}
