"""What several test folders share: outside data, and one real service for all that need it."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest

hypothesis.settings.register_profile("unhurried", deadline=None)  # a law holds however busy the machine is
hypothesis.settings.load_profile("unhurried")
ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("OPENDATA_SHARED", ROOT.parent / "shared"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only integration tests are asked for, files without any are not even imported: that takes a while."""
    asked = config.option.markexpr
    if asked.startswith(("integration", "alone")) and " or " not in asked and collection_path.name.startswith("test_"):
        return None if may_hold_integration(collection_path) else True
    return None


def may_hold_integration(file: Path) -> bool:
    """Whether a file, or the fixtures beside it, says the word."""
    return any(
        "integration" in each.read_text("utf-8") for each in (file, file.with_name("conftest.py")) if each.is_file()
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Tests in front of the one service come first, in an order drawn as always: their files are the longest."""
    for item in items:
        if item.get_closest_marker("alone") and not item.get_closest_marker("integration"):
            raise pytest.UsageError(f"{item.nodeid} is marked alone but not integration")
        if item.get_closest_marker("integration") and not may_hold_integration(item.path):
            raise pytest.UsageError(f"{item.nodeid} would be overlooked: its file does not say integration")
    yield
    items.sort(key=lambda item: "service" not in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def templates_are_compiled_once() -> Iterator[None]:
    """However many applications tests make: an eighth of a second each."""
    from jinja2 import BytecodeCache, Environment
    from jinja2.bccache import Bucket

    class Memory(BytecodeCache):
        def __init__(self) -> None:
            self.known: dict[str, bytes] = {}

        def load_bytecode(self, bucket: Bucket) -> None:
            if bucket.key in self.known:
                bucket.bytecode_from_string(self.known[bucket.key])  # only if the source is the same

        def dump_bytecode(self, bucket: Bucket) -> None:
            self.known[bucket.key] = bucket.bytecode_to_string()

    memory, plain = Memory(), Environment.__init__

    def remembering(self: Environment, *arguments: Any, **options: Any) -> None:
        plain(self, *arguments, **options)
        self.bytecode_cache = self.bytecode_cache or memory

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "__init__", remembering)
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """Outside data and schemas to test against."""
    if not SHARED.is_dir():
        pytest.skip(f"no outside data: set OPENDATA_SHARED (looked in {SHARED.name}/ beside the checkout)")
    return SHARED


@dataclass
class Service:
    """A running service: portal, worker, sandbox, in a home of its own."""

    home: Path
    port: int
    hub_port: int
    process: subprocess.Popen[bytes] | None = None
    clients: dict = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "OPENDATA_HOME": str(self.home),
            "OPENDATA_PORT": str(self.port),
            "OPENDATA_HUB_PORT": str(self.hub_port),
            "OPENDATA_DEMO": "true",
        }

    def settings(self):
        from opendata.settings import Settings

        return Settings.load(self.home, port=self.port, hub_port=self.hub_port, demo=True)

    def start(self, prefix: Sequence[str] = ()) -> None:
        """Start all processes, below ``prefix``, and wait for the portal."""
        log = (self.home.parent / "up.log").open("ab")
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", "from opendata.cli import main; main()", "up"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        from opendata.supervisor.probes import http_ready

        deadline = time.monotonic() + 240
        while not http_ready("127.0.0.1", self.port, "/readyz"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service did not start:\n{self.logs()}")
            time.sleep(0.2)

    def wait_hub(self) -> None:
        """Wait until the sandbox answers too."""
        from opendata.supervisor.probes import http_ready

        deadline = time.monotonic() + 240
        while not http_ready("127.0.0.1", self.hub_port, "/hub/health"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the sandbox did not start:\n{self.logs()}")
            time.sleep(0.3)

    def stop(self) -> None:
        """Stop all processes."""
        while self.clients:
            self.clients.popitem()[1].close()
        if self.process is not None:
            self.process.terminate()
            self.process.wait(180)
            self.process = None

    def logs(self) -> str:
        """The end of every log."""
        files = [self.home.parent / "up.log", *sorted((self.home / "logs").glob("*.log"))]
        return "\n".join(
            f"== {file.name}\n{file.read_text(errors='replace')[-3000:]}" for file in files if file.exists()
        )

    def entries(self) -> list[tuple[str, str, str]]:
        """Type, subject and payload of every ledger entry whose opening is still there."""
        from sqlalchemy import select

        from opendata.db import Database
        from opendata.ledger.models import LedgerEntry, LedgerOpening

        database = Database(self.settings())
        with database.session() as session:
            pairs = session.execute(
                select(LedgerEntry.type, LedgerOpening.subject, LedgerOpening.payload).join(
                    LedgerOpening, LedgerOpening.index == LedgerEntry.index
                )
            ).all()
        database.dispose()
        return [(str(kind), subject, payload) for kind, subject, payload in pairs]

    def seed(self) -> None:
        """The people of the demonstration."""
        from opendata.cli.demo.people import seed
        from opendata.db import Database

        database = Database(self.settings())
        with database.begin() as session:
            seed(session)
        database.dispose()

    def link(self, username: str) -> str:
        """The secret of a one-time sign-in link."""
        from opendata.cli.demo.people import links
        from opendata.db import Database

        database = Database(self.settings())
        with database.begin() as session:
            secret = links(session)[username]
        database.dispose()
        return secret

    def client(self, username: str | None = None, **options: str):
        """An API client that speaks for a person, or for nobody."""
        from opendata.cli.client import Client

        if username is not None and username in self.clients:
            return self.clients[username]
        made = Client(self.url, **options) if username is None else Client.signed_in(self.url, self.link(username))
        self.clients[username or f"anonymous-{len(self.clients)}"] = made
        return made


def free_port() -> int:
    """Below those that the kernel gives to outgoing connections: a server may be started there again and again."""
    while True:
        port = random.SystemRandom().randrange(15_000, 30_000)  # not the seed that all workers have
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def short_home() -> Iterator[Path]:
    """Place for a home whose name is short, because sockets' paths are; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="service-"))
    folder.chmod(0o755)
    try:
        yield folder / "home"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """One real service for all that one worker runs; tests use datasets of their own names in it."""
    with short_home() as home:
        running = Service(home, free_port(), free_port())
        running.start()
        running.seed()
        yield running
        running.stop()
