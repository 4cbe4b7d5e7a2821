"""The one way out of a session: HTTP on a unix socket, bound into the jail as ``/run/hub/hub.sock``.

Each session has its own gate in the hub process. It allows what ``allowed`` names, opens the session's sealed tokens on
the way to the hub (``sealing``), and adds the right to ask the service, which never enters the jail. Headers are
written anew in both directions; bodies, answers, connections and rates are bounded, so a hostile session can exhaust
its own gate only.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import aiohttp
from aiohttp import web

from sandbox.hub.allowed import Allowed, Call, allow
from sandbox.hub.sealing import NotOurs, Sealer
from sandbox.hub.service import NotEntitled, Service, ServiceAway, SessionToken

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 64
MAX_AT_ONCE = 8
RATE_PER_S = 20.0
BURST = 200.0
BODY_TIMEOUT_S = 60.0
# Accepted in one go before the count is seen again, so at most MAX_CONNECTIONS + _BACKLOG are ever open.
_BACKLOG = 16
_CHUNK = 64 * 1024
_TO_SERVICE = ("Accept", "Accept-Language", "Content-Type")
_FROM_SERVICE = ("Content-Type", "Content-Disposition", "Content-Language", "Retry-After")
_FROM_HUB = ("Content-Type", "X-JupyterHub-Version")


@dataclass(frozen=True, slots=True)
class Session:
    """Whose gate it is. ``user`` is the hub's name for the person, ``escaped_user`` as it stands in the hub's paths."""

    id: str
    user: str
    escaped_user: str
    workspace: str


class Refused(Exception):
    """An answer the gate gives by itself."""

    def __init__(self, status: int, zh: str, en: str) -> None:
        super().__init__(en)
        self.status = status
        self.zh = zh
        self.en = en


class Gate:
    """The gate of one session. ``open`` it before the jail starts, ``close`` it after; both may be called again."""

    def __init__(self, session: Session, *, hub_socket: Path, service: Service, sealer: Sealer) -> None:
        self.session = session
        self._hub_socket = hub_socket
        self._service = service
        self._sealer = sealer
        self._token: SessionToken | None = None
        self._bucket = TokenBucket(RATE_PER_S, BURST)
        self._working = 0
        self._handler = web.Server(self._answer, access_log=None, keepalive_timeout=15, max_line_size=4096)
        self._server: asyncio.AbstractServer | None = None
        self._hub: aiohttp.ClientSession | None = None

    async def open(self, directory: Path) -> None:
        """Listen at ``directory/hub.sock``; only the launcher and the jail it builds can reach the directory."""
        socket_path = _fresh_socket_path(directory)
        self._hub = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(self._hub_socket)),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=30),
        )
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._accept, str(socket_path), backlog=_BACKLOG)
        # The jail's uid is another one; the directory above keeps everybody else on the host away.
        os.chmod(socket_path, 0o666)  # noqa: S103

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._handler.shutdown(timeout=1)
        if self._hub is not None:
            await self._hub.close()
            self._hub = None

    async def entitled(self, *, imports: bool = False) -> set[str]:
        """Ask the service anew whether the session may go on: ids of the editions it may hold, and of the imports.

        ``imports``: it has some, so they are asked for.

        Raises:
            NotEntitled: it may not.
            ServiceAway: the service does not answer now.
        """
        token = await self._service.session_token(self.session.user, self.session.workspace)
        held = await self._service.may_hold(token, self.session.workspace)
        if imports:
            held |= await self._service.imports(token, self.session.workspace)
        self._token = token
        return held

    def _accept(self) -> asyncio.BaseProtocol:
        if len(self._handler.connections) >= MAX_CONNECTIONS:
            return _Hangup()
        return self._handler()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if not self._bucket.take() or self._working >= MAX_AT_ONCE:
            return _problem(429, "请求太频繁，请稍后再试。", "Too many requests; try again in a moment.")
        try:
            allowed = self._allowed(request)
            self._working += 1
            try:
                return await self._pass(request, allowed)
            finally:
                self._working -= 1
        except Refused as refused:
            return _problem(refused.status, refused.zh, refused.en)
        except NotOurs:
            return _problem(403, "这个令牌不属于本会话。", "This token is not of this session.")
        except NotEntitled as error:
            return _problem(403, error.zh, error.en)
        except (ServiceAway, aiohttp.ClientError, TimeoutError, OSError):
            return _problem(
                503, "服务暂时没有回应，请稍后再试。", "The service does not answer; try again in a moment."
            )

    def _allowed(self, request: web.BaseRequest) -> Allowed:
        path, _, query = request.raw_path.partition("?")
        allowed = allow(request.method, path, query, user=self.session.escaped_user, workspace=self.session.workspace)
        if allowed is None:
            log.warning("gate %s: refused a %s request", self.session.id, request.method[:10])
            raise Refused(
                403,
                "网关：沙箱会话只能访问本沙箱的接口。",
                "gate: a sandbox session may reach the pages of its own workspace only.",
            )
        if "Transfer-Encoding" in request.headers:
            raise Refused(411, "请求必须说明长度。", "The request must state its length.")
        if (request.content_length or 0) > allowed.request_bytes:
            raise Refused(
                413,
                f"内容过大，上限为 {allowed.request_bytes:,} 字节。",
                f"The body is too large; at most {allowed.request_bytes:,} bytes are taken.",
            )
        return allowed

    async def _pass(self, request: web.BaseRequest, allowed: Allowed) -> web.StreamResponse:
        if allowed.call is Call.SERVICE:
            return await self._to_service(request, allowed)
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await request.content.read() if request.content_length else b""
        headers = {"Content-Type": "application/json"} if body else {}
        if allowed.call in {Call.USER, Call.ACTIVITY}:
            sealed = request.headers.get("Authorization", "").removeprefix("token ").removeprefix("Bearer ")
            headers["Authorization"] = f"token {self._sealer.open(sealed, self.session.id)}"
        if allowed.call is Call.TOKEN:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = self._open_form(body)
        assert self._hub is not None
        url = f"http://hub{request.raw_path}"
        async with self._hub.request(request.method, url, data=body, headers=headers, allow_redirects=False) as answer:
            content = await answer.content.read(allowed.answer_bytes)
            if not answer.content.at_eof():
                raise Refused(502, "回答过大。", "The answer is too large.")
            if allowed.call is Call.TOKEN and answer.status == 200:
                content = self._seal_answer(content)
            return web.Response(status=answer.status, body=content, headers=_kept(answer.headers, _FROM_HUB))

    def _open_form(self, body: bytes) -> bytes:
        """The form of a token request with the client secret opened."""
        fields = dict(parse_qsl(body.decode("ascii", "replace"), max_num_fields=12))
        fields["client_secret"] = self._sealer.open(fields.get("client_secret", ""), self.session.id)
        return urlencode(fields).encode()

    def _seal_answer(self, content: bytes) -> bytes:
        """The hub's answer to a token request with the access token sealed and everything else left out."""
        given = json.loads(content)
        kept = {name: given[name] for name in ("token_type", "expires_in", "scope") if name in given}
        return json.dumps({**kept, "access_token": self._sealer.seal(given["access_token"], self.session.id)}).encode()

    async def _to_service(self, request: web.BaseRequest, allowed: Allowed) -> web.StreamResponse:
        if self._token is None or not self._token.fresh:
            await self.entitled()
        token = self._token
        assert token is not None
        options: dict[str, Any] = {"headers": _kept(request.headers, _TO_SERVICE) | {"Accept-Encoding": "identity"}}
        if request.method == "POST":
            options["data"] = _timed(request.content.iter_chunked(_CHUNK))
            options["headers"]["Content-Length"] = str(request.content_length or 0)
        async with self._service.ask(request.method, request.raw_path, token, **options) as answer:
            if answer.status == 401:
                self._token = None
            if (answer.content_length or 0) > allowed.answer_bytes:
                raise Refused(502, "回答过大。", "The answer is too large.")
            response = web.StreamResponse(status=answer.status, headers=_kept(answer.headers, _FROM_SERVICE))
            response.headers["Cache-Control"] = "no-store"
            if answer.content_length is not None:
                response.content_length = answer.content_length
            await response.prepare(request)
            sent = 0
            async for chunk in answer.content.iter_chunked(_CHUNK):
                sent += len(chunk)
                if sent > allowed.answer_bytes:
                    response.force_close()
                    raise ConnectionResetError
                await response.write(chunk)
            await response.write_eof()
            return response


class TokenBucket:
    """At most ``burst`` at once and ``per_s`` in the long run. Both in (0, inf)."""

    def __init__(self, per_s: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._level = burst
        self._at = clock()

    def take(self) -> bool:
        """Whether one more is fine now; takes it if so."""
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._at) * self._per_s)
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


def _fresh_socket_path(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    path = directory / "hub.sock"
    path.unlink(missing_ok=True)
    return path


class _Hangup(asyncio.Protocol):
    """Ends a connection at once: the session already has as many as it may."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def _timed(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass a body on, ending after the body timeout."""
    async with asyncio.timeout(BODY_TIMEOUT_S):
        async for chunk in chunks:
            yield chunk


def _kept(headers: Any, names: tuple[str, ...]) -> dict[str, str]:
    return {name: headers[name] for name in names if name in headers}


def _problem(status: int, zh: str, en: str) -> web.Response:
    """A problem of RFC 9457, Chinese first."""
    body = {"type": "about:blank", "status": status, "title": zh, "detail": en}
    return web.Response(
        status=status, body=json.dumps(body, ensure_ascii=False).encode(), content_type="application/problem+json"
    )
