"""A real launcher, a real hub, a real proxy, in a home of their own, in front of the small test portal."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from sandbox.contracts import MIB
from sandbox.errors import SandboxError
from sandbox.execution.client import Launcher
from tests.conftest import free_port
from tests.sandbox.hub.browser import Browser
from tests.sandbox.hub.portal import Portal

ROOT = Path(__file__).resolve().parents[3]
PROXY = ROOT / "deploy/proxy/node_modules/configurable-http-proxy"


@dataclass
class Sandbox:
    """Everything that runs for one test module."""

    root: Path
    portal: Portal
    port: int
    hub_options: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    """The options of the hub that runs, beside ``hub_options``."""
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)
    browsers: list[Browser] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def run(self) -> Path:
        return self.root / "r"

    @property
    def url(self) -> str:
        return f"http://sandbox.localhost:{self.port}"

    @property
    def launcher(self) -> Launcher:
        return Launcher(self.run / "launcher-hub.sock")

    def log(self, name: str) -> str:
        return (self.root / f"{name}.log").read_text(errors="replace")

    def logs(self) -> str:
        """Everything anybody wrote."""
        files = [*self.root.glob("*.log"), *(self.run / "logs").glob("*.log")]
        return "\n".join(file.read_text(errors="replace") for file in files)

    def start(self, name: str, *arguments: str) -> None:
        with (self.root / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            )

    def start_launcher(self) -> None:
        self.start("launcher", "sandbox.execution", "--home", str(self.home), "--run", str(self.run))
        self._wait("launcher", lambda: self.launcher.probe() is not None)

    def start_hub(self, *options: str) -> None:
        """``options`` come last and win."""
        self.given = options
        self.start(
            "hub",
            "sandbox.hub",
            *("--home", str(self.home), "--run", str(self.run), "--port", str(self.port)),
            *("--hub-url", self.url, "--public-url", self.portal.url, "--web-url", self.portal.url),
            *(*self.hub_options, *options),
        )
        health = f"http://127.0.0.1:{self.port}/hub/health"
        self._wait("hub", lambda: httpx2.get(health, timeout=30).status_code == 200)

    def restart_hub(self, *options: str, how: int = signal.SIGTERM) -> None:
        if "hub" in self.processes:
            self.stop("hub", how)
        self.start_hub(*options)

    def restart_launcher(self) -> None:
        """Ends all sessions too."""
        if "launcher" in self.processes:
            self.stop("launcher")
        self.start_launcher()

    def stop(self, name: str, how: int = signal.SIGTERM) -> None:
        process = self.processes.pop(name)
        process.send_signal(how)
        process.wait(90)

    def runs(self, name: str) -> bool:
        return name in self.processes and self.processes[name].poll() is None

    def _wait(self, name: str, ready) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                if ready():
                    return
            except (SandboxError, httpx2.HTTPError):
                pass
            if self.processes[name].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start:\n{self.log(name)[-3000:]}")
            time.sleep(0.1)

    def browser(self, person: str) -> Browser:
        self.browsers.append(Browser(self.url, self.portal.url, person))
        return self.browsers[-1]

    def close(self) -> None:
        for browser in self.browsers:
            browser.http.close()
        for name in ("hub", "launcher"):
            if name in self.processes:
                self.stop(name)
        self.portal.close()


def start_sandbox(root: Path, *hub_options: str) -> Sandbox:
    """A sandbox with two workspaces of real data files; ends with ``close``."""
    import pyarrow as pa
    from pyarrow import parquet

    secret = secrets.token_hex(32)
    keys = root / "home/keys/hub"
    keys.mkdir(parents=True)
    (root / "r").mkdir()
    for path in (keys.parent, keys):
        path.chmod(0o700)
    shared = keys / "oidc-client-secret"
    shared.write_text(secret)
    shared.chmod(0o600)
    vault = root / "home/vault"
    vault.mkdir()
    (vault / "raw.csv").write_text("name,id\nCANARY-RAW-ROW,1\n")
    for workspace, rows in (("falls", ["practice", "rows"]), ("other", ["CANARY-OTHER-WORKSPACE"])):
        folder = root / f"home/workspaces/{workspace}/data/flights"
        folder.mkdir(parents=True)
        parquet.write_table(pa.table({"origin": rows}), folder / "flights.parquet")
    portal = Portal(
        client_secret=secret,
        people={"alice": ["researcher"], "bob": ["researcher"], "carol": ["applicant"], "dave": ["researcher"]},
        workspaces={"falls": ["alice"], "other": ["bob"], "empty": ["bob"]},
        datasets={"falls": ["flights"], "other": ["flights"]},
        homes={"falls": 96 * MIB},
    )
    running = Sandbox(root, portal, free_port(), hub_options)
    portal.redirect = f"{running.url}/hub/oauth_callback"
    try:
        running.start_launcher()
        running.start_hub()
    except BaseException:
        running.close()
        raise
    return running


@pytest.fixture(scope="module")
def hub_options() -> tuple[str, ...]:
    """More arguments for the hub of a module."""
    return ()


@pytest.fixture(scope="module")
def sandbox(hub_options) -> Iterator[Sandbox]:
    """The running sandbox of a test module. Its directory is short, because sockets' paths are."""
    if not PROXY.is_dir():
        pytest.fail("the proxy is not installed: run ./run setup")
    root = Path(tempfile.mkdtemp(prefix="hub-"))
    root.chmod(0o755)
    running = None
    try:
        running = start_sandbox(root, *hub_options)
        if not running.launcher.probe().open:
            pytest.skip(f"this machine cannot build jails: {running.log('launcher')[-400:]}")
        yield running
    finally:
        if running is not None:
            running.close()
        shutil.rmtree(root, ignore_errors=True)
