"""Accounts, sessions, one-time links, tokens and codes. Every secret is 256 random bits, stored as its hash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from opendata.identity.models import Organization, User
from opendata.identity.roles import Actor, Role


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A fresh session: ``secret`` goes into the cookie and nowhere else."""

    secret: str
    csrf: str
    actor: Actor
    expires_at: datetime


def create_organization(
    session: Session,
    *,
    name_zh: str,
    kind: str,
    name_en: str = "",
    uscc: str | None = None,
    actor_id: str | None = None,
) -> Organization:
    raise NotImplementedError


def create_user(
    session: Session,
    *,
    username: str,
    name: str,
    organization: Organization,
    roles: Iterable[Role | str],
    password: str | None = None,
    actor_id: str | None = None,
) -> User:
    raise NotImplementedError


def actor_of(user: User) -> Actor:
    raise NotImplementedError


def authenticate(session: Session, username: str, password: str, *, now: datetime) -> Actor:
    """Writes the failure counter also when it raises: call it through ``sign_in`` or commit yourself."""
    raise NotImplementedError


def open_session(
    session: Session, actor: Actor, *, now: datetime, lifetime: timedelta = timedelta(hours=8)
) -> SignedIn:
    raise NotImplementedError


def actor_of_session(session: Session, secret: str, *, now: datetime) -> tuple[Actor, str]:
    """The person of a session cookie and the session's CSRF token. Raises AuthenticationError."""
    raise NotImplementedError


def close_session(session: Session, secret: str, *, now: datetime) -> None:
    raise NotImplementedError


def issue_sign_in_link(
    session: Session,
    user: User,
    *,
    now: datetime,
    lifetime: timedelta = timedelta(hours=1),
    actor_id: str | None = None,
) -> str:
    """The secret of a one-time link (the web adds the path)."""
    raise NotImplementedError


def redeem_sign_in_link(session: Session, secret: str, *, now: datetime) -> Actor:
    raise NotImplementedError


def issue_token(
    session: Session, user_id: str, *, name: str, now: datetime, lifetime: timedelta = timedelta(days=1)
) -> str:
    raise NotImplementedError


def actor_of_token(session: Session, secret: str, *, now: datetime) -> Actor:
    raise NotImplementedError


def revoke_token(session: Session, secret: str, *, now: datetime) -> None:
    raise NotImplementedError


def issue_code(
    session: Session,
    *,
    client_id: str,
    redirect_uri: str,
    user_id: str,
    nonce: str | None,
    code_challenge: str,
    scope: str,
    now: datetime,
) -> str:
    raise NotImplementedError


def redeem_code(session: Session, secret: str, *, client_id: str, redirect_uri: str, now: datetime) -> object:
    """The OAuthCode row, marked used. Raises AuthenticationError when unknown, used, expired or another client's."""
    raise NotImplementedError
