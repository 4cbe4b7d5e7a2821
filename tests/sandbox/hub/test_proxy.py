"""The proxy in front of hub and sessions, by itself: an answer that comes fast is never taken for a failure."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from sandbox.hub.options import CODE_ROOT, HubOptions
from sandbox.settings import SandboxSettings
from tests.conftest import free_port
from tests.sandbox.execution.test_launcher import wait_for

pytestmark = pytest.mark.integration
OPTIONS = HubOptions(SandboxSettings(Path("home"), Path("run")), Path("keys"))
PRELOAD = ("--import", str(OPTIONS.proxy_preload))


class Upstream:
    """Answers at once and, when it was asked to close, closes at once, as Tornado does; keeps what it was asked."""

    def __init__(self, path: Path) -> None:
        self.asked: list[str] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            wanted = next(
                line.split(b":")[1].strip().lower().decode()
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"connection:")
            )
            self.asked.append(wanted)
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            if wanted != "close":
                connection.recv(65536)  # the proxy closes


@contextmanager
def proxy(*preload: str) -> Iterator[tuple[Upstream, str]]:
    with tempfile.TemporaryDirectory() as folder:
        path, port = Path(folder) / "u.sock", free_port()
        upstream = Upstream(path)
        target = f"http+unix://{quote(str(path), safe='')}"
        process = subprocess.Popen(
            [OPTIONS.node, *preload, OPTIONS.proxy_script, "--port", str(port), "--ip", "127.0.0.1",
             "--api-socket", str(Path(folder) / "api.sock"), "--default-target", target],
            cwd=CODE_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert wait_for(lambda: answers(port))
            yield upstream, f"http://127.0.0.1:{port}/user/li/api/kernels"
        finally:
            process.kill()
            process.wait()


def answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/_chp_healthz").status_code == 200
    except httpx2.HTTPError:
        return False


def codes(url: str, times: int) -> set[int]:
    with httpx2.Client() as client:
        return {client.post(url, json={"name": "python3"}).status_code for _ in range(times)}


def test_an_upstream_is_asked_to_keep_its_connection_whatever_the_caller_asks() -> None:
    with proxy(*PRELOAD) as (upstream, url):
        assert codes(url, 200) == {204}
        assert httpx2.post(url, json={}, headers={"Connection": "close"}).status_code == 204
        assert set(upstream.asked) == {"keep-alive"}


def test_without_the_preload_it_is_asked_to_close() -> None:
    with proxy() as (upstream, url):
        codes(url, 5)
        assert set(upstream.asked) == {"close"}
