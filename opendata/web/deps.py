"""What endpoints ask for: settings, a database session, the person who acts.

A reading endpoint takes `SessionDep`; a writing one takes `WriteDep`, whose transaction commits before the answer is
sent. Both are plain synchronous sessions; endpoints are ``def`` and run in FastAPI's thread pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from opendata.db import Database, utc_now
from opendata.errors import AuthenticationError
from opendata.identity import Actor, Role
from opendata.identity import service as identity
from opendata.settings import Settings
from opendata.web import security
from opendata.web.problems import Problem
from opendata.web.security import SESSION_COOKIE, VISITOR_COOKIE, Visitor


def get_settings(request: Request) -> Settings:
    """The service's settings."""
    settings: Settings = request.app.state.settings
    return settings


def get_database(request: Request) -> Database:
    """The service's database, for endpoints that open their own short sessions."""
    database: Database = request.app.state.database
    return database


def get_visitor(request: Request) -> Visitor:
    """Who sent this request. A bearer token wins over a cookie; looked up once per request."""
    known: Visitor | None = getattr(request.state, "visitor", None)
    if known is None:
        known = _find_visitor(request)
        request.state.visitor = known
    return known


SettingsDep = Annotated[Settings, Depends(get_settings)]
DatabaseDep = Annotated[Database, Depends(get_database)]
VisitorDep = Annotated[Visitor, Depends(get_visitor)]


def read_session(database: DatabaseDep) -> Iterator[Session]:
    """A session for reading."""
    with database.session() as session:
        yield session


def write_session(database: DatabaseDep) -> Iterator[Session]:
    """A session in one writing transaction: committed when the endpoint returns, rolled back when it raises."""
    with database.begin() as session:
        yield session


SessionDep = Annotated[Session, Depends(read_session)]
WriteDep = Annotated[Session, Depends(write_session, scope="function")]


def current_actor(visitor: VisitorDep) -> Actor:
    """The signed-in person; anyone else is asked to sign in."""
    if visitor.actor is None:
        raise Problem.sign_in_needed()
    return visitor.actor


CurrentActor = Annotated[Actor, Depends(current_actor)]


def optional_actor(visitor: VisitorDep) -> Actor | None:
    """The signed-in person, or nobody."""
    return visitor.actor


OptionalActor = Annotated[Actor | None, Depends(optional_actor)]


def require(*roles: Role) -> Callable[[Actor], Actor]:
    """A dependency that lets only people with one of ``roles`` pass: ``Depends(require(Role.REVIEWER))``."""

    def actor_with_role(actor: CurrentActor) -> Actor:
        if not actor.roles.intersection(roles):
            raise Problem.role_needed(roles)
        return actor

    return actor_with_role


async def check_request(request: Request, visitor: VisitorDep, settings: SettingsDep) -> None:
    """CSRF and origin check of every endpoint (an application-wide dependency)."""
    await security.check_request(request, visitor, settings)


def _find_visitor(request: Request) -> Visitor:
    database = get_database(request)
    token = _bearer(request)
    if token:
        try:
            with database.session() as session:
                return Visitor(
                    identity.actor_of_token(session, token, now=utc_now(), path=request.url.path), "", "token"
                )
        except AuthenticationError:
            raise Problem.bad_token() from None
    if security.is_machine(request):
        return Visitor(None, "", None)
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie:
        try:
            with database.session() as session:
                actor, csrf = identity.actor_of_session(session, cookie, now=utc_now())
            return Visitor(actor, csrf, "session")
        except AuthenticationError:
            pass  # an expired cookie is no error: the person is simply not signed in any more
    visitor_cookie = request.cookies.get(VISITOR_COOKIE)
    return Visitor(None, security.anonymous_token(visitor_cookie) if visitor_cookie else "", None)


def _bearer(request: Request) -> str:
    """The token of ``Authorization: Bearer …``; CKAN's clients send the bare token."""
    header = request.headers.get("authorization", "").strip()
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    return header if header and not rest else ""
