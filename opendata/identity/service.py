"""Accounts, sessions, one-time links, tokens and codes. Every secret is 256 random bits, stored as its hash.

Whatever creates or changes a person is in the ledger in the same transaction. Sign-ins are not entries (they are no
exits); a lock-out is.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from opendata.db.base import utc_now
from opendata.db.engine import Database
from opendata.errors import AuthenticationError, ConflictError, InvalidInputError, NotFoundError
from opendata.identity.models import ApiToken, OAuthCode, Organization, SignInFailure, SignInLink, User, WebSession
from opendata.identity.roles import Actor, Role, check_fit, check_roles
from opendata.ledger.events import AuditEvent, EventType
from opendata.ledger.service import append

ORGANIZATION_KINDS = frozenset({"department", "enterprise", "research", "operator"})
FAILURES_BEFORE_LOCK = 5
LOCK_FOR = timedelta(minutes=15)
FORGET_FAILURES_AFTER = timedelta(hours=1)
CODE_LIFETIME = timedelta(seconds=60)
KEEP_ENDED_FOR = timedelta(days=1)
OIDC_TOKEN = "oidc"  # noqa: S105 (a name)
HUB_TOKEN = "hub"  # noqa: S105 (a name)
WORKSPACES_PATH = "/api/v1/workspaces"
WORKSPACE_TOKEN = "workspace:"  # noqa: S105 (a name; the workspace follows)
PASSWORD_LENGTH = (10, 200)

_USERNAME = re.compile(r"[a-z][a-z0-9._-]{1,62}[a-z0-9]")
#: argon2 takes 64 MiB a call; more than this many at once wait.
_HASHING = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A fresh session: ``secret`` goes into the cookie and nowhere else."""

    secret: str
    csrf: str
    actor: Actor
    expires_at: datetime

    def __repr__(self) -> str:
        """Never the secret."""
        return f"SignedIn({self.actor.username!r})"


# People


def create_organization(
    session: Session,
    *,
    name_zh: str,
    kind: str,
    name_en: str = "",
    uscc: str | None = None,
    actor_id: str | None = None,
) -> Organization:
    """Add an organisation. Raises InvalidInputError, or ConflictError when the name is taken."""
    if kind not in ORGANIZATION_KINDS:
        raise InvalidInputError(f"机构类型必须是 {sorted(ORGANIZATION_KINDS)} 之一（kind of organisation）")
    if not name_zh.strip():
        raise InvalidInputError("机构名称不能为空（an organisation needs a name）")
    if session.scalar(select(Organization.id).where(Organization.name_zh == name_zh)):
        raise ConflictError("同名机构已存在（an organisation of that name exists）")
    organization = Organization(name_zh=name_zh, name_en=name_en, uscc=uscc, kind=kind)
    session.add(organization)
    session.flush()
    _record(session, EventType.ORGANIZATION_CREATE, actor_id, f"organization:{organization.id}", kind=kind)
    return organization


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
    """Add a person; without a password they sign in by one-time links.

    Raises InvalidInputError (name, password), ConflictError (taken), RolesDenied (separation of duties).
    """
    if not _USERNAME.fullmatch(username):
        raise InvalidInputError("账号须为 3 到 64 个小写字母、数字或 . _ -，以字母开头（user name）")
    if session.scalar(select(User.id).where(User.username == username)):
        raise ConflictError("账号已存在（user name is taken）")
    granted = check_roles(roles)
    check_fit(granted, organization.kind)
    user = User(
        username=username,
        name=name,
        organization=organization,
        organization_id=organization.id,
        password_hash=_hashed(password) if password is not None else None,
        roles=sorted(str(role) for role in granted),
    )
    session.add(user)
    session.flush()
    _record(session, EventType.USER_CREATE, actor_id, f"user:{user.id}", roles=user.roles)
    return user


def change_roles(session: Session, user: User, roles: Iterable[Role | str], *, actor_id: str | None) -> None:
    """Replace a person's roles. Sessions and tokens follow at once: roles are read with every request."""
    granted = check_roles(roles)
    check_fit(granted, user.organization.kind)
    user.roles = sorted(str(role) for role in granted)
    session.flush()
    _record(session, EventType.USER_ROLES, actor_id, f"user:{user.id}", roles=user.roles)


def set_password(session: Session, user: User, password: str) -> None:
    """Replace a person's password."""
    user.password_hash = _hashed(password)
    session.flush()


def deactivate_user(session: Session, user: User, *, actor_id: str | None, now: datetime) -> None:
    """Close an account: no way of signing in works, every session and token ends."""
    user.active = False
    session.execute(
        update(WebSession).where(WebSession.user_id == user.id, WebSession.revoked_at.is_(None)).values(revoked_at=now)
    )
    session.execute(
        update(ApiToken).where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None)).values(revoked_at=now)
    )
    session.flush()
    _record(session, EventType.USER_DEACTIVATE, actor_id, f"user:{user.id}")


def user_by_username(session: Session, username: str) -> User:
    """The account of that name. Raises NotFoundError."""
    user = session.scalar(select(User).where(User.username == username))
    if user is None:
        raise NotFoundError(f"没有账号 {username!r}（no such user）")
    return user


def actor_of(user: User) -> Actor:
    """The person as deciders see them. An inactive account proves nobody."""
    if not user.active:
        raise AuthenticationError
    return Actor(
        id=user.id,
        username=user.username,
        name=user.name,
        organization_id=user.organization_id,
        organization_name=user.organization.name_zh,
        roles=frozenset(Role(role) for role in user.roles),
    )


# Passwords


def authenticate(session: Session, username: str, password: str, *, now: datetime) -> Actor:
    """The person with this password. Raises AuthenticationError, the same for every cause.

    After five failures in an hour the name is locked for fifteen minutes, whether or not such an account exists. The
    counter is written in the caller's transaction: on AuthenticationError the caller must *commit* (catch it inside
    ``Database.begin()`` and raise it again outside), or use :func:`sign_in`.
    """
    counter = _counter(session, username, now)
    if counter.locked_until is not None and now < counter.locked_until:
        raise AuthenticationError
    user = session.scalar(select(User).where(User.username == username))
    stored = user.password_hash if user is not None and user.active else None
    if not _matches(stored, password) or user is None:
        _count_failure(session, counter, user, now)
        raise AuthenticationError
    session.execute(delete(SignInFailure).where(SignInFailure.id == counter.id))
    if _hasher().check_needs_rehash(user.password_hash or ""):
        user.password_hash = _hashed(password)
    session.flush()
    return actor_of(user)


def sign_in(database: Database, username: str, password: str, *, now: datetime) -> Actor:
    """:func:`authenticate` in its own transaction, which is committed whatever the outcome."""
    failure: AuthenticationError | None = None
    with database.begin() as session:
        try:
            return authenticate(session, username, password, now=now)
        except AuthenticationError as error:
            failure = error
    raise failure


# Sessions


def open_session(
    session: Session, actor: Actor, *, now: datetime, lifetime: timedelta = timedelta(hours=8)
) -> SignedIn:
    """A new session of a proven person."""
    secret, csrf = _secret(), _secret()
    row = WebSession(id=_hash(secret), user_id=actor.id, csrf=csrf, created_at=now, expires_at=now + lifetime)
    session.add(row)
    session.flush()
    return SignedIn(secret=secret, csrf=csrf, actor=actor, expires_at=row.expires_at)


def actor_of_session(session: Session, secret: str, *, now: datetime) -> tuple[Actor, str]:
    """The person of a session cookie and the session's CSRF token. Raises AuthenticationError."""
    row = session.get(WebSession, _hash(secret))
    if row is None or row.revoked_at is not None or now >= row.expires_at:
        raise AuthenticationError
    return _actor_by_id(session, row.user_id), row.csrf


def close_session(session: Session, secret: str, *, now: datetime) -> None:
    """End a session. Idempotent."""
    session.execute(
        update(WebSession).where(WebSession.id == _hash(secret), WebSession.revoked_at.is_(None)).values(revoked_at=now)
    )


# One-time links


def issue_sign_in_link(
    session: Session,
    user: User,
    *,
    now: datetime,
    lifetime: timedelta = timedelta(hours=1),
    actor_id: str | None = None,
) -> str:
    """The secret of a one-time link (the web adds the path)."""
    secret = _secret()
    session.add(SignInLink(id=_hash(secret), user_id=user.id, expires_at=now + lifetime))
    session.flush()
    _record(session, EventType.LINK_ISSUE, actor_id, f"user:{user.id}")
    return secret


def redeem_sign_in_link(session: Session, secret: str, *, now: datetime) -> Actor:
    """The person of a link, which is spent by this. Raises AuthenticationError when unknown, used or expired."""
    spent = session.scalar(
        update(SignInLink)
        .where(SignInLink.id == _hash(secret), SignInLink.used_at.is_(None), SignInLink.expires_at > now)
        .values(used_at=now)
        .returning(SignInLink.user_id)
        .execution_options(synchronize_session=False)
    )
    if spent is None:
        raise AuthenticationError
    return _actor_by_id(session, spent)


# Tokens


def issue_token(
    session: Session, user_id: str, *, name: str, now: datetime, lifetime: timedelta = timedelta(days=1)
) -> str:
    """A person's bearer token, shown once."""
    secret = _secret()
    session.add(ApiToken(id=_hash(secret), user_id=user_id, name=name, created_at=now, expires_at=now + lifetime))
    session.flush()
    return secret


def actor_of_token(session: Session, secret: str, *, now: datetime, path: str | None = None) -> Actor:
    """The person of a bearer token. Raises AuthenticationError.

    ``path`` is what the token is used for. A token that was made for another process (``OIDC_TOKEN``, ``HUB_TOKEN``, a
    workspace's) opens its own few paths and, without a path, nothing: whoever takes the hub over gets no officer's
    preview and no reviewer's vote.
    """
    row = session.get(ApiToken, _hash(secret))
    if row is None or row.revoked_at is not None or now >= row.expires_at or not _covers(row.name, path):
        raise AuthenticationError
    return _actor_by_id(session, row.user_id)


def revoke_token(session: Session, secret: str, *, now: datetime) -> None:
    """End a token. Idempotent."""
    session.execute(
        update(ApiToken).where(ApiToken.id == _hash(secret), ApiToken.revoked_at.is_(None)).values(revoked_at=now)
    )


def prune_tokens(session: Session, *, now: datetime) -> int:
    """Delete the rows of tokens, codes, links and sessions that expired more than a day ago. Returns how many."""
    removed = 0
    for model in (ApiToken, OAuthCode, SignInLink, WebSession):
        ended = delete(model).where(model.expires_at < now - KEEP_ENDED_FOR).returning(model.id)
        removed += len(session.execute(ended).all())
    return removed


# OIDC codes


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
    """An authorization code: one use, 60 seconds."""
    secret = _secret()
    session.add(
        OAuthCode(
            id=_hash(secret),
            client_id=client_id,
            redirect_uri=redirect_uri,
            user_id=user_id,
            nonce=nonce,
            code_challenge=code_challenge,
            scope=scope,
            expires_at=now + CODE_LIFETIME,
        )
    )
    session.flush()
    return secret


def redeem_code(session: Session, secret: str, *, client_id: str, redirect_uri: str, now: datetime) -> OAuthCode:
    """The code's row, spent by this. Raises AuthenticationError when unknown, used, expired or another client's."""
    spent = session.scalar(
        update(OAuthCode)
        .where(
            OAuthCode.id == _hash(secret),
            OAuthCode.client_id == client_id,
            OAuthCode.redirect_uri == redirect_uri,
            OAuthCode.used_at.is_(None),
            OAuthCode.expires_at > now,
        )
        .values(used_at=now)
        .returning(OAuthCode.user_id)
        .execution_options(synchronize_session=False)
    )
    if spent is None:
        raise AuthenticationError
    return session.scalars(
        select(OAuthCode).where(OAuthCode.id == _hash(secret)).execution_options(populate_existing=True)
    ).one()


# Private


def _covers(name: str, path: str | None) -> bool:
    """Whether a token of this name may be used on this path. A person's own tokens are good for everything."""
    if name == OIDC_TOKEN:
        return path == "/oidc/userinfo"
    if name == HUB_TOKEN:
        return path in {"/oidc/userinfo", WORKSPACES_PATH} or (path or "").startswith(f"{WORKSPACES_PATH}/")
    if name.startswith(WORKSPACE_TOKEN):
        own = f"{WORKSPACES_PATH}/{name.removeprefix(WORKSPACE_TOKEN)}"
        return path is not None and (path in {WORKSPACES_PATH, own} or path.startswith(f"{own}/"))
    return True


def _secret() -> str:
    return secrets.token_urlsafe(32)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _actor_by_id(session: Session, user_id: str) -> Actor:
    user = session.get(User, user_id)
    if user is None:
        raise AuthenticationError
    return actor_of(user)


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _decoy() -> str:
    """What an unknown account's password is checked against, so that it takes as long."""
    return _hasher().hash(_secret())


def _hashed(password: str) -> str:
    shortest, longest = PASSWORD_LENGTH
    if not shortest <= len(password) <= longest:
        raise InvalidInputError(f"密码长度须为 {shortest} 到 {longest} 个字符（length of the password）")
    with _HASHING:
        return _hasher().hash(password)


def _matches(stored: str | None, password: str) -> bool:
    with _HASHING:
        try:
            return _hasher().verify(stored or _decoy(), password[: PASSWORD_LENGTH[1] + 1]) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def _counter(session: Session, username: str, now: datetime) -> SignInFailure:
    key = _hash(username)
    counter = session.get(SignInFailure, key, with_for_update=True)
    if counter is None:
        counter = SignInFailure(id=key, failures=0, last_at=now)
        session.add(counter)
        session.flush()
    elif now - counter.last_at > FORGET_FAILURES_AFTER:
        counter.failures = 0
    return counter


def _count_failure(session: Session, counter: SignInFailure, user: User | None, now: datetime) -> None:
    counter.failures += 1
    counter.last_at = now
    if counter.failures >= FAILURES_BEFORE_LOCK:
        counter.locked_until, counter.failures = now + LOCK_FOR, 0
        if user is not None:
            _record(session, EventType.ACCOUNT_LOCK, None, f"user:{user.id}")
    session.flush()


def _record(session: Session, type: EventType, actor_id: str | None, subject: str, **payload: object) -> None:
    append(session, AuditEvent(type=type, actor_id=actor_id, subject=subject, at=utc_now(), payload=payload))
