"""Readiness is success, not an answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from opendata.supervisor.probes import http_ready


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "ready"), [(200, True), (302, True), (404, False), (503, False)])
def test_only_success_is_ready(port: int, status: int, ready: bool) -> None:
    assert http_ready("127.0.0.1", port, f"/{status}") is ready


def test_nobody_listening_is_not_ready() -> None:
    assert not http_ready("127.0.0.1", 9, "/")
