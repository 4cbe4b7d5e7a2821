"""Opening a workspace while another one's session runs: one person has one session, and it is never swapped silently.

JupyterHub answers ``/hub/spawn`` of a running server by leading there, whatever workspace was asked for. Then a person
would work on other data than the page said. Here the person is told, and chooses.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from jupyterhub.handlers.pages import SpawnHandler
from jupyterhub.utils import maybe_future, url_path_join
from tornado import web
from tornado.httputil import url_concat

from sandbox.errors import SandboxError
from sandbox.hub.service import WorkspaceEntry


class OpenWorkspace(SpawnHandler):
    """``/hub/spawn``: as JupyterHub's own, but another workspace's running session is shown first."""

    @web.authenticated
    async def get(self, user_name: str | None = None, server_name: str = "") -> None:
        """Ask before a session of another workspace is stopped; otherwise start or lead to the session."""
        wanted = self.get_query_argument("workspace", "")
        user = self.current_user
        if not wanted and not user.spawner.active:
            # The hub would start the workspace of the last time, which may have ended.
            entries = await _entries(user.spawner)
            if len(entries) == 1:
                self.redirect(url_concat(self.request.uri, {"workspace": entries[0].id}))
                return
        if wanted and user_name in (None, user.name) and user.spawner.active and user.spawner.workspace:
            entries = await _entries(user.spawner)
            asked = _named(entries, wanted)
            if asked is None or asked.id != user.spawner.workspace:
                self.set_status(409)
                running = _named(entries, user.spawner.workspace)
                self.finish(await self._question(asked, running))
                return
        await maybe_future(super().get(user_name, server_name))

    async def _question(self, asked: WorkspaceEntry | None, running: WorkspaceEntry | None) -> str:
        return await self.render_template(
            "other_workspace.html",
            asked=asked,
            running=running,
            running_url=self.current_user.server_url(""),
            switch_url=url_path_join(self.hub.base_url, "switch"),
            xsrf=self.xsrf_token.decode("ascii"),
        )


class SwitchWorkspace(SpawnHandler):
    """``/hub/switch``: stop the session and start one of the named workspace. Only by a form of ours (XSRF)."""

    @web.authenticated
    async def post(self) -> None:
        """Stop, then start."""
        user = self.current_user
        wanted = self.get_body_argument("workspace", "")[:63]
        if user.spawner.pending:
            raise web.HTTPError(409, "会话正在启动或停止，请稍候再试。 The session is starting or stopping; try later.")
        if user.spawner.active:
            await self.stop_single_user(user)
        self.redirect(url_path_join(self.hub.base_url, "spawn") + "?" + urlencode({"workspace": wanted}))

    @web.authenticated
    async def get(self, *_: Any) -> None:
        """A reload of the address leads home."""
        self.redirect(url_path_join(self.hub.base_url, "home"))


async def _entries(spawner: Any) -> list[WorkspaceEntry]:
    """The person's workspaces; none when the service is away, so that nothing is started then."""
    try:
        entries: list[WorkspaceEntry] = await spawner.service.workspaces(spawner.user.name)
    except SandboxError:
        return []
    return entries


def _named(entries: list[WorkspaceEntry], wanted: str) -> WorkspaceEntry | None:
    return next((entry for entry in entries if wanted in (entry.id, entry.name)), None)
