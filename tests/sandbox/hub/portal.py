"""A small portal for the hub's tests: an OIDC provider with PKCE and the few pages of the service the hub asks.

It keeps the real rules that matter here: a code works once, for one redirect and one verifier; the hub's calls need its
client secret; a session's token is bound to one person and one workspace. What it was asked is kept in ``seen``.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import threading
from dataclasses import dataclass, field
from urllib.parse import urlencode

from aiohttp import web

CLIENT_ID = "sandbox-hub"


@dataclass
class Portal:
    """Runs in a thread of its own; ``url`` is where."""

    client_secret: str
    people: dict[str, list[str]]
    workspaces: dict[str, list[str]]
    over: set[str] = field(default_factory=set)
    datasets: dict[str, list[str]] = field(default_factory=dict)
    homes: dict[str, int] = field(default_factory=dict)
    editions: dict[str, str] = field(default_factory=dict)
    """Of each dataset the edition that stands there; practice data where there is none."""
    held: set[str] = field(default_factory=set)
    token_life_s: float = 600
    url: str = ""
    seen: list[dict] = field(default_factory=list)
    redirect: str = ""

    def __post_init__(self) -> None:
        self._codes: dict[str, dict] = {}
        self._access: dict[str, str] = {}
        self.tokens: dict[str, tuple[str, str | None]] = {}
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(60)

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(ready))
        self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        self._stop = asyncio.Event()
        app = web.Application(client_max_size=20 * 1024 * 1024)
        app.router.add_get("/oidc/authorize", self._authorize)
        app.router.add_post("/oidc/token", self._token)
        app.router.add_get("/oidc/userinfo", self._userinfo)
        app.router.add_post("/api/v1/internal/session-token", self._session_token)
        app.router.add_route("*", "/api/v1/workspaces{rest:.*}", self._api)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await self._stop.wait()
        await runner.cleanup()

    def _is_hub(self, request: web.Request) -> bool:
        expected = "Basic " + base64.b64encode(f"{CLIENT_ID}:{self.client_secret}".encode()).decode()
        return request.headers.get("Authorization") == expected

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = request.query
        person = request.cookies.get("person", "")
        assert asked["client_id"] == CLIENT_ID
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        if self.redirect and asked["redirect_uri"] != self.redirect:
            return web.Response(status=400)
        if person not in self.people:
            return web.Response(status=401, text="sign in first")
        code = secrets.token_urlsafe(16)
        self._codes[code] = {"person": person, "challenge": asked["code_challenge"], "to": asked["redirect_uri"]}
        raise web.HTTPFound(asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"]}))

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if not self._is_hub(request):
            return web.json_response({"error": "invalid_client"}, status=401)
        code = self._codes.pop(str(form.get("code")), None)
        digest = hashlib.sha256(str(form.get("code_verifier", "")).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if code is None or code["challenge"] != challenge or form.get("redirect_uri") != code["to"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        access = "portal-access-" + secrets.token_urlsafe(16)
        self._access[access] = code["person"]
        return web.json_response({"access_token": access, "token_type": "Bearer", "expires_in": 60})

    async def _userinfo(self, request: web.Request) -> web.Response:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        person = self._access.get(bearer) or self.tokens.get(bearer, (None,))[0]
        if person is None:
            return web.Response(status=401)
        return web.json_response({"sub": person, "preferred_username": person, "groups": self.people[person]})

    async def _session_token(self, request: web.Request) -> web.Response:
        if not self._is_hub(request):
            return web.Response(status=401)
        asked = await request.json()
        person, workspace = asked["username"], asked["workspace"]
        if person not in self.people:
            return web.Response(status=404)
        token = "portal-session-" + secrets.token_urlsafe(16)
        self.tokens[token] = (person, workspace)
        return web.json_response({"token": token, "expires_in": self.token_life_s})

    async def _api(self, request: web.Request) -> web.Response:
        body = await request.read()
        who = self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        self.seen.append(
            {
                "who": who,
                "method": request.method,
                "path": request.raw_path,
                "headers": dict(request.headers),
                "body": body,
            }
        )
        if who is None:
            return web.Response(status=401)
        person, bound = who
        parts = request.path.split("/")[4:]
        if not parts:
            mine = [
                {"id": name, "name": name, "title": f"项目 {name}", "state": "active"}
                for name, members in self.workspaces.items()
                if person in members
            ]
            return web.json_response(mine)
        if parts[0] != bound or person not in self.workspaces.get(bound, []):
            return web.Response(status=403)
        if bound in self.over:
            return web.Response(status=409)
        headers = {"Set-Cookie": "portal=1", "X-Inner": "secret", "Content-Disposition": "inline"}
        if parts[1:] == ["datasets"]:
            names = self.datasets.get(bound, [])
            items = [
                {
                    "name": n,
                    "title": {"zh": f"表 {n}", "en": n},
                    "kind": "edition" if n in self.editions else "practice",
                    "edition": self.editions.get(n),
                }
                for n in names
            ]
            return web.json_response({"datasets": items, "held": sorted(self.held)}, headers=headers)
        if parts[1:] == ["budget"] and bound in self.homes:
            return web.json_response({"home_bytes": self.homes[bound]})
        if parts[1:] == ["queries"]:
            problem = {"status": 501, "title": "固定口径统计尚未开放", "detail": "Fixed tables are not open yet."}
            return web.Response(status=501, body=json.dumps(problem).encode(), content_type="application/problem+json")
        if parts[1:] == ["outputs"]:
            return web.json_response([{"id": "out1", "files": ["big.csv"]}])
        if parts[1:] == ["outputs", "out1", "big.csv"]:
            return web.Response(body=b"x" * 3_000_000, headers={"Content-Type": "text/csv"})
        if parts[1:] == ["check"]:
            return web.json_response({"findings": [], "bytes": len(body)})
        if parts[1:] == ["jobs"] and request.method == "POST":
            return web.json_response({"id": "job1", "state": "queued", "entry": request.query["filename"]}, status=202)
        return web.Response(status=404)
