"""Signing in and out: password, one-time link, session cookie; bearer tokens for programs; the account page."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from opendata.db import Database, utc_now
from opendata.errors import AuthenticationError
from opendata.identity import Actor
from opendata.identity import service as identity
from opendata.web.deps import CurrentActor, DatabaseDep, OptionalActor, SettingsDep, WriteDep
from opendata.web.problems import Problem
from opendata.web.rendering import gettext, render
from opendata.web.security import SESSION_COOKIE, local_path, set_cookie

router = APIRouter()

SESSION_HOURS = 8
TOKEN_HOURS = 12

Next = Annotated[str, Query(alias="next")]


class SignIn(BaseModel):
    """Either an account name with its password, or the secret of a one-time link."""

    username: str | None = None
    password: str | None = None
    link: str | None = None

    def __repr__(self) -> str:
        return "SignIn()"


@router.get("/sign-in", include_in_schema=False)
def sign_in_page(request: Request, actor: OptionalActor, next_: Next = "/") -> Response:
    """The form; somebody who is signed in already goes on."""
    if actor is not None and next_ != "/":
        return RedirectResponse(local_path(next_), 303)
    return render(request, "sign_in.html", target=local_path(next_), errors={}, username="")


@router.post("/sign-in", include_in_schema=False)
def sign_in(
    request: Request,
    database: DatabaseDep,
    username: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    target: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Check the password and open a session; a failure says the same whatever its cause."""
    try:
        actor = identity.sign_in(database, username.strip()[:64], password, now=utc_now())
    except AuthenticationError:
        message = gettext(request, "账号或密码不对，或账号已被暂时锁定。")
        errors, target = {"username": message}, local_path(target)
        return render(request, "sign_in.html", status_code=401, target=target, errors=errors, username=username[:64])
    return _start_session(request, database, actor, local_path(target))


@router.get("/sign-in/link/{secret}", include_in_schema=False)
def link_page(request: Request, secret: str) -> Response:
    """A page that spends the link by POST: programs that look ahead at links must not use it up."""
    headers = {"Cache-Control": "no-store"}
    return render(request, "link.html", headers=headers, secret=secret)


@router.post("/sign-in/link", include_in_schema=False)
def redeem_link(request: Request, database: DatabaseDep, secret: Annotated[str, Form()]) -> Response:
    """Spend a one-time link and open a session."""
    with database.begin() as session:
        actor = identity.redeem_sign_in_link(session, secret, now=utc_now())
    return _start_session(request, database, actor, "/account")


@router.post("/sign-out", include_in_schema=False)
def sign_out(request: Request, session: WriteDep) -> Response:
    """End the session here and in the database."""
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie:
        identity.close_session(session, cookie, now=utc_now())
    response = RedirectResponse("/", 303)
    response.delete_cookie(SESSION_COOKIE, path="/")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@router.get("/account", include_in_schema=False)
def account(request: Request, actor: CurrentActor, settings: SettingsDep) -> Response:
    """Who I am here, what I may do, and where."""
    return render(request, "account.html", roles=sorted(actor.roles), hub_url=settings.hub_url)


@router.post("/api/v1/sign-in", tags=["access"])
def api_sign_in(body: SignIn, database: DatabaseDep) -> dict[str, Any]:
    """A bearer token for 12 hours, for a password or a one-time link."""
    if body.link:
        with database.begin() as session:
            actor = identity.redeem_sign_in_link(session, body.link, now=utc_now())
    elif body.username and body.password is not None:
        actor = identity.sign_in(database, body.username[:64], body.password, now=utc_now())
    else:
        raise Problem.invalid(
            {"zh": "请给出 username 与 password，或 link。", "en": "Send username and password, or link."}
        )
    with database.begin() as session:
        lifetime = timedelta(hours=TOKEN_HOURS)
        token = identity.issue_token(session, actor.id, name="api sign-in", now=utc_now(), lifetime=lifetime)
    return {"token": token, "expires_in": TOKEN_HOURS * 3600, "user": actor_json(actor)}


@router.get("/api/v1/me", tags=["access"])
def me(actor: CurrentActor) -> dict[str, Any]:
    """The person this token or session belongs to."""
    return actor_json(actor)


def actor_json(actor: Actor) -> dict[str, Any]:
    """A person as they see themselves."""
    return {
        "id": actor.id,
        "username": actor.username,
        "name": actor.name,
        "organization": {"id": actor.organization_id, "name": actor.organization_name},
        "roles": sorted(str(role) for role in actor.roles),
    }


def _start_session(request: Request, database: Database, actor: Actor, target: str) -> Response:
    settings = request.app.state.settings
    old = request.cookies.get(SESSION_COOKIE)
    with database.begin() as session:
        if old:
            identity.close_session(session, old, now=utc_now())
        signed_in = identity.open_session(session, actor, now=utc_now(), lifetime=timedelta(hours=SESSION_HOURS))
    response = RedirectResponse(target, 303)
    set_cookie(response, SESSION_COOKIE, signed_in.secret, settings=settings, max_age_s=SESSION_HOURS * 3600)
    return response
