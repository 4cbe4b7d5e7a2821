"""The supervisor: prepares the home, starts every part's processes in order of need, keeps them running, stops them.

It opens no database and no socket. What a process may hold follows from its user (``opendata.storage.keys``); what it
needs follows from its part's ``ProcessSpec``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from opendata.errors import ConfigurationError
from opendata.parts import ProcessSpec, installed_parts
from opendata.settings import Settings
from opendata.storage.keys import initialise
from opendata.supervisor.paths import enter_command
from opendata.supervisor.processes import Child

READY_S = 120.0
TICK_S = 0.2

Announce = Callable[[str], None]


class Supervisor:
    """Children of one home. ``run`` blocks until a signal or, with ``until``, until that says so."""

    def __init__(self, settings: Settings, announce: Announce, parts: Iterable[ProcessSpec] | None = None) -> None:
        self.settings = settings
        self.announce = announce
        self.specs = (
            list(parts) if parts is not None else [spec for part in installed_parts() for spec in part.processes]
        )
        self.children: dict[str, Child] = {}
        self.ready: set[str] = set()
        self.stopping = False
        self._since = time.monotonic()

    def prepare(self) -> None:
        """Home, users, keys and sockets' directory; refuses ports that are taken.

        Raises:
            ConfigurationError: a port is in use or the home belongs to somebody else.
        """
        check_port(self.settings.host, self.settings.port)
        check_port(self.settings.hub_host, self.settings.hub_port)
        initialise(self.settings)
        enter = self._enter()
        for spec in self.specs:
            self.children[spec.name] = Child(
                name=spec.name,
                argv=spec.argv(self.settings),
                user=self._account(spec),
                environment=environment(self.settings, spec.name),
                log=self.settings.logs_dir / f"{spec.name}.log",
                enter=() if spec.user == "root" else enter,
            )

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Start, watch, and stop everything at the end whatever happened."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        try:
            while not self.stopping and not (until is not None and until()):
                self.tick()
                time.sleep(TICK_S)
        finally:
            self.stop()

    def tick(self) -> None:
        """One look at every child: note readiness, restart what ended, start what can start."""
        for spec in self.specs:
            child = self.children[spec.name]
            code = child.poll()
            if code is not None:
                self.ready.discard(spec.name)
                self.announce(f"{spec.name}: 已退出 exited ({code})，将重启 will restart · {child.log}")
            if child.process is None:
                if time.monotonic() >= child.not_before and all(need in self.ready for need in spec.needs):
                    if child.enter:
                        self._staging().mkdir(mode=0o700, exist_ok=True)
                    child.start()
            elif spec.name not in self.ready and spec.ready(self.settings):
                self.ready.add(spec.name)
                self.announce(f"{spec.name}: 就绪 ready ({time.monotonic() - self._since:.1f} s)")

    def wait_ready(self, names: Iterable[str], timeout_s: float = READY_S) -> bool:
        """Tick until all ``names`` are ready; False when the time is over first."""
        deadline = time.monotonic() + timeout_s
        wanted = set(names)
        while not wanted <= self.ready:
            if time.monotonic() > deadline or self.stopping:
                return False
            self.tick()
            time.sleep(TICK_S)
        return True

    def stop(self) -> None:
        """Stop the children in reverse order of their start."""
        self.stopping = True
        for spec in reversed(self.specs):
            if spec.name in self.children:
                self.children[spec.name].stop()
        if self.settings.users.separated:
            with contextlib.suppress(OSError):
                self._staging().rmdir()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _account(self, spec: ProcessSpec) -> str | None:
        if spec.user == "root" or not self.settings.users.separated:
            return None
        return {"web": self.settings.users.web, "worker": self.settings.users.worker, "hub": self.settings.users.hub}[
            spec.user
        ]

    def _enter(self) -> list[str]:
        if not self.settings.users.separated:
            return []
        checkout = Path(__file__).resolve().parent.parent.parent
        staging = self._staging()
        return enter_command([checkout, Path(sys.prefix), self.settings.home, self.settings.policies_dir], staging)

    def _staging(self) -> Path:
        """One mount point a home, so that a killed start leaves nothing that the next one does not use."""
        mark = hashlib.sha256(os.fsencode(self.settings.home)).hexdigest()[:12]
        return Path("/run") / f"opendata-paths-{mark}"


def environment(settings: Settings, name: str) -> dict[str, str]:
    """What a child sees of the environment: its settings and nothing of the caller's."""
    own = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENDATA_PROCESS": name,
        "OPENDATA_HOME": str(settings.home),
        "OPENDATA_DATABASE_URL": settings.database_url,
        "OPENDATA_HOST": settings.host,
        "OPENDATA_PORT": str(settings.port),
        "OPENDATA_HUB_HOST": settings.hub_host,
        "OPENDATA_HUB_PORT": str(settings.hub_port),
        "OPENDATA_PUBLIC_URL": settings.public_url,
        "OPENDATA_HUB_URL": settings.hub_url,
        "OPENDATA_RUN_DIR": str(settings.run_dir),
        "OPENDATA_POLICIES_DIR": str(settings.policies_dir),
        "OPENDATA_DEMO": str(settings.demo).lower(),
    }
    return own | {name: os.environ[name] for name in ("OPENBLAS_CORETYPE", "TZ") if name in os.environ}


def check_port(host: str, port: int) -> None:
    """Refuse a port that somebody listens on already.

    Raises:
        ConfigurationError: the port is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"端口 {port} 已被占用；请改设 OPENDATA_PORT 或 OPENDATA_HUB_PORT（port {port} is in use）"
            ) from error
