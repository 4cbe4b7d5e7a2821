"""A session: one person's notebook server in a jail, built by the launcher, reached over one inherited socket.

The hub binds the socket and passes only its descriptor, so the jail cannot put another socket in its place. The hub
never touches the jail itself: it names a workspace, its datasets and a person's number, the launcher does the rest.
Sessions outlive a restart of the hub; their gates are opened again when the hub finds them.
"""

from __future__ import annotations

import asyncio
import html
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote, urlsplit

from jupyterhub.spawner import Spawner, SpawnException

from sandbox.contracts import SessionSpec
from sandbox.errors import LauncherBusy, SandboxError
from sandbox.execution.client import Launcher
from sandbox.hub import endings
from sandbox.hub.gate import Gate, Session
from sandbox.hub.idle import IdleClock
from sandbox.hub.options import HubOptions
from sandbox.hub.people import People
from sandbox.hub.sealing import Sealer
from sandbox.hub.service import NotEntitled, Service, ServiceAway, WorkspaceEntry

T = TypeVar("T")

GATE_IN_JAIL = "/run/hub/hub.sock"
SERVER_IN_JAIL = "/run/srv.sock"
_LONGEST_LOOK = 8
"""Looks at a session that is slow are late; a stretch of more of them is no time that anybody left it unused."""
_BEGAN = time.monotonic()
_SETTLING_S = 10.0
"""JupyterHub gives up its own start when a session ends while it compares its routes."""
_PASSED = frozenset(
    {
        "JUPYTERHUB_BASE_URL",
        "JUPYTERHUB_CLIENT_ID",
        "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED",
        "JUPYTERHUB_COOKIE_OPTIONS",
        "JUPYTERHUB_DISABLE_USER_CONFIG",
        "JUPYTERHUB_HOST",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES",
        "JUPYTERHUB_OAUTH_CALLBACK_URL",
        "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES",
        "JUPYTERHUB_OAUTH_SCOPES",
        "JUPYTERHUB_PUBLIC_HUB_URL",
        "JUPYTERHUB_PUBLIC_URL",
        "JUPYTERHUB_SERVER_NAME",
        "JUPYTERHUB_SERVICE_PREFIX",
        "JUPYTERHUB_USER",
    }
)


class BubblewrapSpawner(Spawner):
    """Spawns through the launcher. ``options``, ``service``, ``sealer`` and ``people`` are set once at start."""

    options: ClassVar[HubOptions]
    service: ClassVar[Service]
    sealer: ClassVar[Sealer]
    people: ClassVar[People]
    # Calls to the launcher block; few threads keep a stuck one from taking all of the hub's.
    threads: ClassVar[ThreadPoolExecutor] = ThreadPoolExecutor(8, "launcher")

    session = ""
    workspace = ""
    started = 0.0
    imports: tuple[str, ...] = ()
    editions: tuple[str, ...] = ()
    told: tuple[tuple[str, str], ...] = ()
    """What the server inside is told of its life: names and texts of its environment."""
    gate: Gate | None = None
    idle: IdleClock | None = None
    _rechecked = 0.0
    _stopped = False
    """It was told to stop, so that its end is no surprise."""

    # --- where the server is: the hub's own record of it cannot hold a socket's path

    @property
    def server(self) -> Any:
        """The hub's record of the server, always pointing at the session's socket."""
        server = Spawner.server.fget(self)
        if server is not None and self.session:
            url = self._server_url + server.base_url
            if server.connect_url != url:
                server.connect_url = url
        return server

    @server.setter
    def server(self, server: Any) -> None:
        Spawner.server.fset(self, server)

    @property
    def _server_url(self) -> str:
        return unix_url(str(self.options.session_socket(self.session)))

    # --- choosing the workspace

    async def get_options_form(self) -> str:
        """The workspaces to choose from; no form when there is exactly one."""
        entries = await self._entries()
        if len(entries) == 1:
            return ""
        boxes = "".join(
            f'<div class="radio"><label><input type="radio" name="workspace" value="{html.escape(entry.id)}" required> '
            f"{html.escape(entry.title or entry.name)} <small>{html.escape(entry.name)}</small></label></div>"
            for entry in entries
        )
        return f"<p>请选择沙箱 <small lang='en'>Choose the workspace</small></p>{boxes}"

    def options_from_form(self, form_data: dict[str, list[str]]) -> dict[str, str]:
        """The chosen workspace, from the form or from ``/hub/spawn?workspace=…``."""
        chosen = form_data.get("workspace") or [""]
        return {"workspace": str(chosen[0])[:63]}

    async def _entries(self) -> list[WorkspaceEntry]:
        try:
            entries = await self.service.workspaces(self.user.name)
        except SandboxError as error:
            raise _refusal(error) from error
        if not entries:
            raise _refusal(NotEntitled.to_workspace())
        return entries

    async def _chosen(self) -> WorkspaceEntry:
        entries = await self._entries()
        wanted = str(self.user_options.get("workspace") or "")
        for entry in entries:
            if wanted in {entry.id, entry.name} or (not wanted and len(entries) == 1):
                return entry
        raise _refusal(NotEntitled.to_workspace())

    # --- life

    async def start(self) -> str:
        """Start the session and return where its server is.

        Raises:
            SpawnException: a person may not, nothing is free, or the sandbox's door is shut; with the reason.
        """
        entry = await self._chosen()
        self._stopped = False
        before = endings.words(self.user.name)
        endings.forget(self.user.name)
        self.session = new_session_id(self.people.number(self.user.name))
        self.workspace = entry.id
        self.started = time.time()
        self.idle = self._idle_clock(self.started)
        self.told = _told(entry, self.started + self.options.longest_s, before)
        listening: socket.socket | None = None
        try:
            token = await self.service.session_token(self.user.name, self.workspace)
            datasets = await self.service.datasets(token, self.workspace)
            imports = await self.service.open_imports(token, self.workspace)
            home_bytes = await self.service.home_bytes(token, self.workspace)
            self.imports = tuple(imports.values())
            self.editions = tuple(edition for edition in datasets.values() if edition)
            await self._open_gate()
            listening = listen_at(str(self.options.session_socket(self.session)))
            spec = SessionSpec(
                id=self.session,
                user_index=self.people.number(self.user.name),
                workspace=self.workspace,
                datasets=tuple(sorted(datasets)),
                env=self.get_env(),
                imports=tuple(sorted(imports)),
                home_bytes=home_bytes,
            )
            descriptor = listening.fileno()
            await self._launcher(lambda launcher: launcher.start_session(spec, descriptor))
        except (SandboxError, ValueError, OSError) as error:
            await self._tidy()
            if isinstance(error, SandboxError):
                raise _refusal(error) from error
            raise
        finally:
            if listening is not None:
                listening.close()
        self.log.info("session %s started in workspace %s", self.session, self.workspace)
        return self._server_url

    async def poll(self) -> int | None:
        """None while it runs. Ends it when it is idle or old, or when the right to the workspace has ended."""
        if not self.session:
            return 0
        session = self.session
        try:
            code = await self._launcher(lambda launcher: launcher.poll_session(session))
        except SandboxError:
            self.log.warning("session %s: the launcher does not answer", session)
            code = 1
        if code is not None:
            if code != 0 and not self._stopped:
                endings.remember(self.user.name, endings.DIED)
            await self._tidy()
            return code
        if self.gate is None:
            await self._open_gate()
        if time.monotonic() - _BEGAN > _SETTLING_S and (reason := await self._over()):
            self.log.info("session %s ends: %s", session, reason)
            endings.remember(self.user.name, reason)
            await self.stop()
            return 0
        return None

    async def stop(self, now: bool = False) -> None:  # noqa: ARG002
        """Kill the session with everything in it."""
        session = self.session
        self._stopped = True
        if session:
            try:
                await self._launcher(lambda launcher: launcher.stop_session(session))
            except SandboxError:
                # The launcher is gone, and its jails die with it.
                self.log.warning("session %s: the launcher does not answer", session)
        await self._tidy()

    async def _over(self) -> str:
        """Why the session must end now, or nothing."""
        now, session = time.time(), self.session
        if now - self.started > self.options.longest_s:
            return endings.LONGEST
        last = self.orm_spawner.last_activity if self.orm_spawner else None
        if last is not None:
            try:
                still = await self._launcher(lambda launcher: launcher.stands_still(session))
            except SandboxError:
                still = True  # nobody knows; it is not counted
            still = still or self.pending == "spawn"  # nobody can use it before it is up
            self.idle = self.idle or self._idle_clock(now)
            if self.idle.look(now, used=last.replace(tzinfo=UTC).timestamp(), still=still) > self.options.idle_s:
                return endings.IDLE
        if self.gate is not None and now - self._rechecked > self.options.recheck_s:
            try:
                held = await self.gate.entitled(imports=bool(self.imports))
            except NotEntitled:
                return endings.NOT_ENTITLED
            except ServiceAway:
                # The doors of the service are shut while it is away; the session has nothing to ask.
                return ""
            if not held.issuperset(self.imports):
                return endings.IMPORT_WITHDRAWN
            if not held.issuperset(self.editions):
                return endings.EDITION_TAKEN_DOWN
            self._rechecked = now
        return ""

    def _idle_clock(self, now: float) -> IdleClock:
        return IdleClock(now, longest_look_s=_LONGEST_LOOK * self.options.poll_s)

    async def _open_gate(self) -> None:
        session = Session(self.session, self.user.name, self.user.escaped_name, self.workspace)
        self.gate = Gate(session, hub_socket=self.options.hub_socket, service=self.service, sealer=self.sealer)
        await self.gate.open(self.options.places.gate_dir(self.session))

    async def _tidy(self) -> None:
        """Close the gate and remove the session's sockets; safe to call again."""
        gate, self.gate = self.gate, None
        if gate is not None:
            await gate.close()
        if self.session:
            directory = self.options.places.gate_dir(self.session)
            for path in (self.options.session_socket(self.session), directory / "hub.sock"):
                path.unlink(missing_ok=True)
            if directory.is_dir():
                directory.rmdir()

    async def _launcher(self, call: Callable[[Launcher], T]) -> T:
        launcher = Launcher(self.options.places.launcher_hub_socket)
        return await asyncio.get_running_loop().run_in_executor(self.threads, call, launcher)

    # --- what the server inside is told

    def get_env(self) -> dict[str, str]:
        """Names and addresses as they are inside, and tokens sealed for this session."""
        given = super().get_env()
        env = {name: str(value) for name, value in given.items() if name in _PASSED and value is not None}
        sealed = self.sealer.seal(self.api_token, self.session)
        hub_api = unix_url(GATE_IN_JAIL) + "/hub/api"
        return env | {
            "JUPYTERHUB_API_TOKEN": sealed,
            "JUPYTERHUB_API_URL": hub_api,
            "JUPYTERHUB_ACTIVITY_URL": f"{hub_api}/users/{self.user.escaped_name}/activity",
            "JUPYTERHUB_SERVICE_URL": unix_url(SERVER_IN_JAIL) + urlsplit(given["JUPYTERHUB_SERVICE_URL"]).path,
            "JUPYTERHUB_DEFAULT_URL": "/lab",
            "SANDBOX_WORKSPACE": self.workspace,
            **dict(self.told),
        }

    # --- what survives a restart of the hub

    def get_state(self) -> dict[str, Any]:
        """Which session it is. No token: the sealed ones inside are opened by the key alone."""
        return super().get_state() | {
            "session": self.session,
            "workspace": self.workspace,
            "started": self.started,
            "imports": list(self.imports),
            "editions": list(self.editions),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Find the session again."""
        super().load_state(state)
        self.session = str(state.get("session") or "")
        self.workspace = str(state.get("workspace") or "")
        self.started = float(state.get("started") or 0.0)
        self.imports = tuple(str(each) for each in state.get("imports") or ())
        self.editions = tuple(str(each) for each in state.get("editions") or ())

    def clear_state(self) -> None:
        """Forget the session."""
        super().clear_state()
        self.session = ""
        self.workspace = ""
        self.started = 0.0
        self.imports = ()
        self.editions = ()
        self.told = ()
        self.idle = None

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What the waiting page shows."""
        yield {"progress": 20, "message": "正在准备隔离环境… Building the isolated session…"}
        await asyncio.sleep(2)
        yield {"progress": 60, "message": "正在启动 JupyterLab（无网络）… Starting JupyterLab, without a network…"}


def _told(entry: WorkspaceEntry, ends_at: float, before: tuple[str, str] | None) -> tuple[tuple[str, str], ...]:
    """When the session ends at the latest, when its workspace does, and why the last session ended."""
    told = [("SANDBOX_ENDS_AT", f"{ends_at:.0f}")]
    if entry.expires_at:
        told.append(("SANDBOX_EXPIRES_AT", f"{entry.expires_at:.0f}"))
    if before is not None:
        told.append(("SANDBOX_ENDED_BEFORE", "\n".join(before)))
    return tuple(told)


def unix_url(path: str) -> str:
    """The form in which the hub, the proxy and the server inside name a unix socket."""
    return "http+unix://" + quote(path, safe="")


def new_session_id(number: int) -> str:
    """A short name that sorts by person and time, good as part of a path and never used twice."""
    return f"u{number}-{int(time.time() * 1000):x}"


def listen_at(path: str) -> socket.socket:
    """A listening unix socket that only the hub's own uid can connect to.

    Raises:
        OSError: the path is too long or taken.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(path)
        os.chmod(path, 0o600)
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening


def _refusal(error: SandboxError) -> SpawnException:
    """The reason on the page and in the metrics."""
    status = 503 if isinstance(error, ServiceAway | LauncherBusy) else 403
    return SpawnException(
        f"{error.zh} {error.en}",
        reason=type(error).__name__,
        status_code=status,
    )
