"""The web process as the hub sees it: who may work in which workspace, with what data.

The hub proves itself with its client secret and gets a short-lived token bound to one person and one workspace. The
token stays in this process. When the web process is not up yet, questions are asked again with growing pauses.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.errors import SandboxError
from sandbox.hub.options import CLIENT_ID

if TYPE_CHECKING:
    import aiohttp

_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0)
_DEFAULT_LIFE_S = 300.0
_MAX_ANSWER = 1024 * 1024


class ServiceAway(SandboxError):
    """The web process does not answer. Try again; nothing was decided."""

    @classmethod
    def now(cls) -> ServiceAway:
        """The sentence for people."""
        return cls("服务暂时没有回应，请稍后再试。", "The service does not answer; try again in a moment.")


class NotEntitled(SandboxError):
    """The service says this person may not (or no longer) work in this workspace."""

    @classmethod
    def to_workspace(cls) -> NotEntitled:
        """The sentence for people."""
        return cls(
            "您目前没有可用的沙箱，或它已到期。请在门户申请，或联系沙箱负责人。",
            "You have no such sandbox workspace, or it has expired. Apply in the portal or ask the workspace's owner.",
        )


@dataclass(frozen=True, slots=True)
class SessionToken:
    """A short-lived token of one person (and workspace); ``fresh_until`` is on the monotonic clock."""

    value: str = field(repr=False)
    fresh_until: float

    @property
    def fresh(self) -> bool:
        """It will still be good for a request started now."""
        return time.monotonic() < self.fresh_until


@dataclass(frozen=True, slots=True)
class WorkspaceEntry:
    """A workspace a person may open. ``id`` is the service's, ``name`` the one that names folders.

    ``expires_at``: since 1970, 0 when the service does not say.
    """

    id: str
    name: str
    title: str
    expires_at: float = 0.0


class Service:
    """Calls to the web process. One object for the whole hub."""

    def __init__(self, web_url: str, client_secret: str) -> None:
        self.web_url = web_url.rstrip("/")
        self._secret = client_secret
        self._http: aiohttp.ClientSession | None = None

    @property
    def http(self) -> aiohttp.ClientSession:
        """The connection pool: no cookies, no redirects followed, no proxy taken from the environment."""
        import aiohttp

        if self._http is None or self._http.closed:
            self._http = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=120, sock_connect=5, sock_read=110),
                trust_env=False,
                auto_decompress=False,
                connector=aiohttp.TCPConnector(limit=64),
            )
        return self._http

    async def session_token(self, username: str, workspace: str | None) -> SessionToken:
        """A token of ``username`` for ``workspace`` (none: only to see which there are).

        Raises:
            NotEntitled: the service refuses.
            ServiceAway: it did not answer after several tries.
        """
        import aiohttp

        url = f"{self.web_url}/api/v1/internal/session-token"
        login = {"Authorization": aiohttp.encode_basic_auth(CLIENT_ID, self._secret)}
        question = {"username": username, "workspace": workspace}
        for pause in (*_PAUSES_S, None):
            try:
                async with self.http.post(url, json=question, headers=login, allow_redirects=False) as answer:
                    if answer.status in {200, 201}:
                        return _token(await answer.json())
                    if answer.status in {400, 401, 403, 404, 409, 422}:
                        raise NotEntitled.to_workspace()
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
                pass
            if pause is not None:
                await asyncio.sleep(pause)
        raise ServiceAway.now()

    async def roles(self, username: str) -> set[str]:
        """The roles the person has now.

        Raises:
            NotEntitled: the person is not known or not active.
            ServiceAway: the service does not answer.
        """
        token = await self.session_token(username, None)
        async with self.ask("GET", "/oidc/userinfo", token) as answer:
            if answer.status != 200:
                raise NotEntitled.to_workspace()
            document = await answer.json()
        return set(document.get("groups") or ())

    async def workspaces(self, username: str) -> list[WorkspaceEntry]:
        """The workspaces the person may open now."""
        token = await self.session_token(username, None)
        items = await self._list(token, "/api/v1/workspaces", "workspaces")
        return [
            WorkspaceEntry(
                id=str(item["id"]),
                name=str(item.get("name") or item["id"]),
                title=_words(item.get("title")),
                expires_at=_moment(item.get("expires_at")),
            )
            for item in items
            if str(item.get("state") or "active") in {"active", "approved", "open"} and item.get("may_work", True)
        ]

    async def datasets(self, token: SessionToken, workspace: str) -> dict[str, str]:
        """Names of the workspace's datasets that have something to show (one still being prepared has not).

        With each the id of the edition that stands there, or nothing when it is practice data.
        """
        items = await self._list(token, f"/api/v1/workspaces/{workspace}/datasets", "datasets")
        return {str(item["name"]): str(item.get("edition") or "") for item in items if item.get("prepared_at", True)}

    async def may_hold(self, token: SessionToken, workspace: str) -> set[str]:
        """Ids of the editions that a session of the workspace may hold now."""
        document = await self._answer(token, f"/api/v1/workspaces/{workspace}/datasets")
        held = document.get("held") if isinstance(document, dict) else None
        return {str(edition) for edition in held or ()}

    async def home_bytes(self, token: SessionToken, workspace: str) -> int:
        """How large a home of the workspace is made, by its level; 0 when the service does not say."""
        async with self.ask("GET", f"/api/v1/workspaces/{workspace}/budget", token) as answer:
            document = await answer.json() if answer.status == 200 else {}
        return int(document.get("home_bytes") or 0)

    async def open_imports(self, token: SessionToken, workspace: str) -> dict[str, str]:
        """Have the members' own imports put into the launcher's memory; name and id of each that a session may name.

        Raises:
            ServiceAway: they are not ready now.
        """
        async with self.ask("POST", f"/api/v1/workspaces/{workspace}/imports/open", token) as answer:
            if answer.status in {404, 405}:
                return {}
            if answer.status != 200:
                raise ServiceAway.now()
            document = await answer.json()
        return {str(item["name"]): str(item["id"]) for item in document["mounted"]}

    async def imports(self, token: SessionToken, workspace: str) -> set[str]:
        """Ids of the imports that are mounted now."""
        items = await self._list(token, f"/api/v1/workspaces/{workspace}/imports", "mounted")
        return {str(item["id"]) for item in items}

    async def _answer(self, token: SessionToken, path: str) -> Any:
        async with self.ask("GET", path, token) as answer:
            if answer.status in {401, 403, 404, 409}:  # 409: expired, suspended or closed
                raise NotEntitled.to_workspace()
            if answer.status != 200:
                raise ServiceAway.now()
            return await answer.json()

    async def _list(self, token: SessionToken, path: str, member: str) -> list[dict[str, Any]]:
        document = await self._answer(token, path)
        if isinstance(document, dict):
            document = document.get(member) or document.get("items") or []
        return [item for item in document if isinstance(item, dict)]

    @asynccontextmanager
    async def ask(self, method: str, path: str, token: SessionToken, **options: Any) -> AsyncIterator[Any]:
        """One request with a session's token; the answer is open inside the block."""
        import aiohttp
        import yarl

        headers = {**options.pop("headers", {}), "Authorization": f"Bearer {token.value}"}
        url = yarl.URL(self.web_url + path, encoded=True)
        try:
            async with self.http.request(method, url, headers=headers, allow_redirects=False, **options) as answer:
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ServiceAway.now() from error

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()


def _token(document: dict[str, Any]) -> SessionToken:
    """Read the answer: ``token`` with ``expires_in`` seconds or ``expires_at`` (ISO); half of its life is used."""
    value = document["token"]
    if not isinstance(value, str) or not value:
        raise ValueError
    life = float(document.get("expires_in") or 0)
    if not life and isinstance(at := document.get("expires_at"), str):
        life = datetime.fromisoformat(at).timestamp() - time.time()
    return SessionToken(value, time.monotonic() + max(life or _DEFAULT_LIFE_S, 2.0) / 2)


def _moment(value: Any) -> float:
    """Seconds since 1970 of a moment with its zone; 0 for anything else."""
    try:
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError):
        return 0.0


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("zh") or value.get("en") or "")
    return str(value or "")
