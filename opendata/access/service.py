"""Applications, decisions, grants and app keys. Every write leaves its ledger entry in the same transaction."""

from datetime import datetime

from sqlalchemy.orm import Session

from opendata.access.models import AccessRequest, Grant
from opendata.catalog.models import Dataset
from opendata.identity import Actor


def request_access(
    session: Session,
    dataset: Dataset,
    *,
    actor: Actor,
    scenario: str,
    purpose: str,
    term_days: int,
    safeguards: str,
    pledge: bool,
    now: datetime | None = None,
) -> AccessRequest:
    """Apply for a conditional dataset; due within 1 work day. Raises RequestError, AccessDenied."""
    raise NotImplementedError


def withdraw_request(
    session: Session, request: AccessRequest, *, actor: Actor, now: datetime | None = None
) -> AccessRequest:
    """The applicant takes an undecided application back."""
    raise NotImplementedError


def decide(
    session: Session,
    request: AccessRequest,
    *,
    actor: Actor,
    approve: bool,
    reason: str,
    now: datetime | None = None,
) -> Grant | None:
    """Approve (returns the grant) or reject (returns None). Never the applicant; raises RequestError."""
    raise NotImplementedError


def requests_of(session: Session, actor: Actor) -> list[AccessRequest]:
    """The actor's own applications, newest first."""
    raise NotImplementedError


def request_queue(session: Session, actor: Actor) -> list[AccessRequest]:
    """Undecided applications this officer or reviewer may decide, most urgent first."""
    raise NotImplementedError


def grants_of(session: Session, actor: Actor) -> list[Grant]:
    """The actor's own grants, newest first."""
    raise NotImplementedError


def issue_app_key(session: Session, grant: Grant, *, actor: Actor, now: datetime | None = None) -> str:
    """Issue a key; the clear key is returned once and never stored."""
    raise NotImplementedError


def grant_of_key(session: Session, key: str, *, now: datetime) -> Grant | None:
    """The grant of a living key, or None for an unknown or revoked one."""
    raise NotImplementedError


def revoke_grant(session: Session, grant: Grant, *, actor: Actor, reason: str, now: datetime | None = None) -> Grant:
    """End a grant and its keys at once (its holder, or an officer or reviewer of the providing department)."""
    raise NotImplementedError
