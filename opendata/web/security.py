"""What protects a browser's session: cookies, CSRF, response headers, body limits.

A cookie is ambient authority, so every unsafe request that carries one must prove that our own page sent it: same
origin (``Origin``, ``Sec-Fetch-Site``) and a synchroniser token. Requests with a bearer token or an app key
carry no ambient authority and need neither. Session ids are opaque and stored hashed (``identity``); nothing here
is signed client-side.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.middleware.body_limit import RequestBodyLimitResponder
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opendata.identity import Actor
from opendata.settings import Settings
from opendata.web.problems import Problem

SESSION_COOKIE = "opendata_session"
VISITOR_COOKIE = "opendata_visitor"
LANGUAGE_COOKIE = "lang"
CSRF_FIELD = "csrf_token"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")

SMALL_BODY_BYTES = 4 * 1024**2
UPLOAD_BYTES = 64 * 1024**3
VERIFY_BYTES = 4 * 1024**3
IMPORT_BYTES = 65 * 1024**2
SENT_BYTES = 16 * 1024**2  # a notebook comes with what its cells showed; what is too large then is told in words
UPLOAD_PATHS = (
    (re.compile(r"^/api/v1/datasets/[^/]+/intakes$|^/console/datasets/[^/]+/intakes$"), UPLOAD_BYTES),
    (re.compile(r"^/(?:api/v1/)?workspaces/[^/]+/(?:jobs|check)$"), SENT_BYTES),
    (re.compile(r"^/api/v1/verify$|^/verify$"), VERIFY_BYTES),
    (re.compile(r"^/(?:api/v1/)?workspaces/[^/]+/imports(?:/[^/]+/versions)?$"), IMPORT_BYTES),
)

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sent this request, and the token their forms must carry.

    ``via`` is ``session`` (cookie), ``token`` (bearer) or ``None`` (nobody signed in).
    """

    actor: Actor | None
    csrf: str
    via: str | None

    def __repr__(self) -> str:
        return f"Visitor(via={self.via!r})"


def anonymous_token(cookie: str) -> str:
    """The CSRF token of a visitor who is not signed in: from a cookie that other sites cannot read."""
    return hashlib.sha256(b"csrf:" + cookie.encode()).hexdigest()


def new_visitor_cookie() -> str:
    """A fresh random value for the cookie of a visitor who is not signed in."""
    return secrets.token_urlsafe(32)


def is_machine(request: Request) -> bool:
    """Whether the request authenticates itself by a header that a browser never adds on its own."""
    return "authorization" in request.headers or "x-app-key" in request.headers


def streams_body(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that reads its body as a stream and therefore checks the CSRF token itself (`check_token`)."""
    endpoint.streams_body = True  # type: ignore[attr-defined]
    return endpoint


def check_token(visitor: Visitor, token: str | None) -> None:
    """Refuse a form whose token is not this visitor's."""
    if not visitor.csrf or not token or not hmac.compare_digest(visitor.csrf.encode(), token.encode()):
        raise Problem.csrf()


def check_origin(request: Request, settings: Settings) -> None:
    """Refuse an unsafe request that another site's page sent."""
    site = request.headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        raise Problem.csrf()
    origin = request.headers.get("origin")
    if origin is None:
        return
    ours = {_origin(settings.public_url), f"{request.url.scheme}://{request.headers.get('host', '')}"}
    if origin not in ours:
        raise Problem.csrf()


def is_guarded(request: Request) -> bool:
    """Whether this request must carry a CSRF token: unsafe, by a browser, to something a session could change."""
    if request.method in SAFE_METHODS or is_machine(request):
        return False
    machine_path = request.url.path.startswith(("/api/", "/oidc/token"))
    return not machine_path or SESSION_COOKIE in request.cookies


async def check_request(request: Request, visitor: Visitor, settings: Settings) -> None:
    """Origin and token check for one request; runs before every endpoint of the application."""
    if request.method in SAFE_METHODS or is_machine(request):
        return
    check_origin(request, settings)
    if not is_guarded(request) or getattr(request.scope.get("endpoint"), "streams_body", False):
        return
    token = request.headers.get(CSRF_HEADER)
    if token is None and request.headers.get("content-type", "").startswith(FORM_TYPES):
        value = (await request.form()).get(CSRF_FIELD)
        token = value if isinstance(value, str) else None
    check_token(visitor, token)


def set_cookie(response: Response, name: str, value: str, *, settings: Settings, max_age_s: int | None = None) -> None:
    """Set a cookie that scripts cannot read and other sites' forms do not send."""
    secure = settings.public_url.startswith("https:")
    response.set_cookie(name, value, max_age=max_age_s, path="/", httponly=True, samesite="lax", secure=secure)


def local_path(target: str | None, default: str = "/") -> str:
    """``target`` if it is a path on this site, else ``default``: a link cannot send people elsewhere after sign-in."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return default
    if any(ord(character) < 0x20 or character == "\\" for character in target):
        return default
    return target


def content_security_policy(settings: Settings) -> str:
    """No inline script or style, nothing from other hosts; forms may lead to the sandbox's sign-in."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            f"form-action 'self' {_origin(settings.hub_url)}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class SecurityHeaders:
    """ASGI middleware that adds the same protective headers to every answer, errors included."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.headers = {
            "Content-Security-Policy": content_security_policy(settings),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        }
        if settings.public_url.startswith("https:"):
            self.headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the answer's headers; what an endpoint set itself stays."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                # Pages differ by person and language: a shared cache must not keep one unless its endpoint says so.
                headers.setdefault("Cache-Control", "private, no-cache")
            await send(message)

        await self.app(scope, receive, send_with_headers)


class BodyLimit:
    """ASGI middleware: a small limit for every body, a large one for the few paths that stream a file."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its path's limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = next((bytes_ for path, bytes_ in UPLOAD_PATHS if path.match(scope["path"])), SMALL_BODY_BYTES)
        await RequestBodyLimitResponder(self.app, limit)(scope, receive, send)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
