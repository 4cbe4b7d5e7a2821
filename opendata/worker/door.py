"""The raw door's server: HTTP on a unix socket. Prove the person, decide, record, and only then answer, sealed.

It trusts nothing that web says about the person: the session secret or token is checked against the database here.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opendata.db.base import utc_now
from opendata.errors import (
    AuthenticationError,
    ConflictError,
    DeniedError,
    InvalidInputError,
    NotFoundError,
    safe_sentence,
)
from opendata.identity.roles import Actor
from opendata.identity.service import actor_of_session, actor_of_token
from opendata.ledger.events import AuditEvent, EventType
from opendata.ledger.service import append
from opendata.logs import get_logger, where
from opendata.parts import resolve
from opendata.storage.hpke import SUITE
from opendata.storage.rawdoor import ANSWER_TYPE, INFO, RawAnswer, RawDoorContext

REQUEST_BYTES = 1 << 20
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (AuthenticationError, 401),
    (DeniedError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (InvalidInputError, 422),
)

_log = get_logger("opendata.worker.door")

Handler = Callable[[RawDoorContext, Actor, dict[str, Any]], RawAnswer]


def raw_door(context: RawDoorContext, handlers: Mapping[str, str], *, alive: Callable[[], bool]) -> Starlette:
    """The ASGI application. ``handlers``: path -> ``module:function``, resolved at the first call."""

    def call(path: str) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            from starlette.concurrency import run_in_threadpool

            body = await _body(request)
            return await run_in_threadpool(_answer, context, path, handlers[path], body)

        return endpoint

    async def health(request: Request) -> Response:
        del request
        return JSONResponse({"ready": alive()}, status_code=200 if alive() else 503)

    routes = [Route(f"/{path.strip('/')}", call(path), methods=["POST"]) for path in handlers]
    return Starlette(routes=[Route("/healthz", health), *routes], middleware=list[Middleware]())


async def _body(request: Request) -> bytes | None:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > REQUEST_BYTES:
            return None
    return bytes(received)


def _answer(context: RawDoorContext, path: str, dotted: str, body: bytes | None) -> Response:
    actor: Actor | None = None
    try:
        token, asked, public = _parsed(body)
        actor = _person(context, token)
        handler: Handler = resolve(dotted)
        answer = handler(context, actor, asked)
        sealed = SUITE.encrypt(json.dumps(dict(answer.body), ensure_ascii=False).encode(), public, info=INFO)
        _record(context, answer.audit)
    except Exception as error:  # noqa: BLE001 (one place decides what may be said)
        return _refused(context, path, actor, error)
    return Response(sealed, media_type=ANSWER_TYPE, headers={"Cache-Control": "no-store"})


def _parsed(body: bytes | None) -> tuple[str, dict[str, Any], X25519PublicKey]:
    try:
        sent = json.loads(body or b"")
        token, asked = sent["token"], sent["request"]
        public = X25519PublicKey.from_public_bytes(base64.b64decode(sent["public_key"], validate=True))
        if not isinstance(token, str) or not isinstance(asked, dict):
            raise TypeError  # noqa: TRY301
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise InvalidInputError("请求格式不对（malformed request）") from None
    return token, asked, public


def _person(context: RawDoorContext, token: str) -> Actor:
    now = utc_now()
    with context.database.session() as session:
        try:
            return actor_of_session(session, token, now=now)[0]
        except AuthenticationError:
            return actor_of_token(session, token, now=now)


def _record(context: RawDoorContext, event: AuditEvent) -> None:
    with context.database.begin() as session:
        append(session, event)


def _refused(context: RawDoorContext, path: str, actor: Actor | None, error: Exception) -> Response:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    _log.warning("refused", path=path, error=type(error).__name__, status=status, where=where(error))
    if actor is not None:
        payload = {"door": path.strip("/"), "reason": type(error).__name__}
        event = AuditEvent(EventType.RAW_REFUSE, actor.id, f"rawdoor:{path.strip('/')}", utc_now(), payload)
        try:
            _record(context, event)
        except Exception as failure:  # noqa: BLE001 (nothing is shown; the refusal stands without its entry)
            _log.error("refusal not recorded", path=path, error=type(failure).__name__)
    return JSONResponse(
        {"error": type(error).__name__, "sentence": safe_sentence(error)},
        status_code=status,
        headers={"Cache-Control": "no-store"},
    )
