"""The gate over real sockets, between a hostile session, a stand-in hub on a unix socket and the test portal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import pytest
from aiohttp import web

from sandbox.client import Denied, NotAvailable, TryLater, Workspace
from sandbox.client.gate import Gate as ClientGate
from sandbox.hub import gate as gate_module
from sandbox.hub import service as service_module
from sandbox.hub.gate import Gate, Session
from sandbox.hub.sealing import Sealer
from sandbox.hub.service import NotEntitled, Service
from tests.sandbox.hub.portal import Portal

PATIENCE_S = 60

pytestmark = pytest.mark.integration


@dataclass
class Running:
    """A gate in a thread, with a hub that says what it was asked."""

    directory: Path
    portal: Portal
    sealer: Sealer
    gate: Gate | None = None
    hub_saw: list[dict] = field(default_factory=list)

    @property
    def socket_path(self) -> str:
        return str(self.directory / "hub.sock")

    def ask(self, raw: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send bytes as they are and read the whole answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE_S)
            connection.connect(self.socket_path)
            connection.sendall(raw)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while not whole(answer) and (chunk := connection.recv(65536)):
                    answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        return int(lines[0].split()[1]) if answer else 0, headers, body

    def request(self, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[int, dict, bytes]:
        lines = [f"{method} {target} HTTP/1.1", "Host: gate", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return self.ask("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def workspace(self) -> Workspace:
        return Workspace("falls", ClientGate(self.socket_path))


def whole(answer: bytes) -> bool:
    """Whether all that it announces has come: the gate hangs up a while later."""
    head, ended, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\ncontent-length: (\d+)", head)
    return bool(ended and length) and len(body) >= int(length[1])


@pytest.fixture
def portal() -> Iterator[Portal]:
    running = Portal(
        client_secret=secrets.token_hex(16),
        people={"alice": ["researcher"]},
        workspaces={"falls": ["alice"], "other": ["bob"]},
        datasets={"falls": ["flights"]},
    )
    yield running
    running.close()


@pytest.fixture
def running(tmp_path, portal) -> Iterator[Running]:
    sealer = Sealer(secrets.token_bytes(32))
    state = Running(tmp_path / "gate", portal, sealer)
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def hub(request: web.Request) -> web.Response:
        body = await request.read()
        state.hub_saw.append({"path": request.path, "headers": dict(request.headers), "body": body})
        if request.path == "/hub/api/oauth2/token":
            answer = {"access_token": "real-access", "refresh_token": "real-refresh", "token_type": "Bearer"}
            return web.json_response(answer)
        headers = {"Set-Cookie": "hub=1", "X-JupyterHub-Version": "6.1.1"}
        return web.json_response({"name": "alice"}, headers=headers)

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", hub)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.UnixSite(runner, str(tmp_path / "real.sock")).start()
        service = Service(portal.url, portal.client_secret)
        gate = Gate(
            Session("u1-a", "alice", "alice", "falls"),
            hub_socket=tmp_path / "real.sock",
            service=service,
            sealer=sealer,
        )
        state.gate = gate
        await gate.open(state.directory)
        ready.set()
        await stop.wait()
        for _ in range(100):  # asyncio forgets to close what waits to be accepted when its server is closed
            await asyncio.sleep(0)
        await gate.close()
        await service.close()
        await runner.cleanup()
        for linger in (lingering := asyncio.all_tasks() - {asyncio.current_task()}):  # for bodies that never come
            linger.cancel()
        await asyncio.gather(*lingering, return_exceptions=True)

    thread = threading.Thread(target=lambda: (asyncio.set_event_loop(loop), loop.run_until_complete(run())))
    thread.start()
    assert ready.wait(PATIENCE_S)
    yield state
    loop.call_soon_threadsafe(stop.set)
    thread.join(PATIENCE_S)
    loop.close()


def test_sealed_tokens_are_opened_towards_the_hub_only(running):
    form = urlencode(
        {"grant_type": "authorization_code", "code": "c", "client_secret": running.sealer.seal("real", "u1-a")}
    )
    status, _, body = running.request("POST", "/hub/api/oauth2/token", form.encode())
    answer = json.loads(body)
    assert status == 200
    assert parse_qs(running.hub_saw[-1]["body"].decode())["client_secret"] == ["real"]
    assert "real-access" not in body.decode()
    assert "refresh_token" not in answer

    status, headers, _ = running.request("GET", "/hub/api/user", Authorization=f"token {answer['access_token']}")
    assert status == 200
    assert running.hub_saw[-1]["headers"]["Authorization"] == "token real-access"
    assert "set-cookie" not in headers


@pytest.mark.parametrize("token", ["real-access", "", "sealed-AAAA"])
def test_token_that_is_not_sealed_for_the_session_never_reaches_the_hub(running, token):
    status, _, _ = running.request("GET", "/hub/api/user", Authorization=f"token {token}")
    assert status == 403
    assert running.hub_saw == []


def test_hub_sees_no_header_of_the_session(running):
    running.request("GET", "/hub/api", Cookie="a=b", X_Forwarded_For="1.2.3.4", X_Anything="x")
    seen = {name.lower() for name in running.hub_saw[-1]["headers"]}
    assert not seen & {"cookie", "x-forwarded-for", "x-anything", "authorization"}


def test_service_is_asked_with_a_token_the_session_never_sees(running):
    status, headers, body = running.request(
        "GET",
        "/api/v1/workspaces/falls/datasets",
        Authorization="Bearer forged",
        Cookie="portal=1",
        X_Real_IP="1.1.1.1",
    )
    seen = running.portal.seen[-1]
    assert status == 200
    assert json.loads(body)["datasets"][0]["name"] == "flights"
    assert seen["who"] == ("alice", "falls")
    assert not {"Cookie", "X-Real-IP"} & set(seen["headers"])
    assert not {"set-cookie", "x-inner"} & set(headers)
    assert not any(token in body.decode() + str(headers) for token in running.portal.tokens)


def test_expired_right_ends_the_answers(running):
    running.request("GET", "/api/v1/workspaces/falls/datasets")
    running.portal.tokens.clear()
    assert running.request("GET", "/api/v1/workspaces/falls/datasets")[0] == 401
    assert running.request("GET", "/api/v1/workspaces/falls/datasets")[0] == 200  # asked for a new one
    running.portal.workspaces["falls"] = []  # no longer a member
    assert running.request("GET", "/api/v1/workspaces/falls/datasets")[0] == 403


def test_refused_request_names_the_gate(running):
    status, _, body = running.request("GET", "/hub/api/users")
    assert status == 403
    assert "网关" in body.decode()
    assert running.hub_saw == []


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /hub/api/oauth2/token HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Length: 20000\r\n\r\n", 413),
        (
            b"GET /api/v1/workspaces/falls/jobs HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Length: 5\r\n\r\nabcde",
            413,
        ),
        (
            b"POST /api/v1/workspaces/falls/check HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            411,
        ),
        (b"GET /hub/api HTTP/1.1\r\nHost: g\r\nX: " + b"a" * 20000 + b"\r\n\r\n", 400),
        (b"\x16\x03\x01garbage\r\n\r\n", 400),
    ],
)
def test_oversized_or_broken_request_is_refused(running, head, status):
    assert running.ask(head)[0] == status
    assert running.hub_saw == []


def test_body_reaches_the_service_whole(running):
    body = secrets.token_bytes(3_000_000)
    status, _, answer = running.request("POST", "/api/v1/workspaces/falls/check?path=a.csv", body)
    assert status == 200
    assert json.loads(answer)["bytes"] == len(body)
    assert running.portal.seen[-1]["body"] == body


def test_many_connections_are_hung_up(running):
    held = [socket.socket(socket.AF_UNIX) for _ in range(gate_module.MAX_CONNECTIONS + 40)]
    try:
        for connection in held:
            connect_patiently(connection, running.socket_path)
        hung_up: set[int] = set()
        for _ in patiently():
            hung_up |= {number for number, connection in enumerate(held) if is_hung_up(connection)}
            if len(hung_up) >= 20:
                break
        assert len(hung_up) >= 20
    finally:
        for connection in held:
            connection.close()


def connect_patiently(connection: socket.socket, path: str) -> None:
    """Connect, waiting while the queue of the listening socket is full."""
    for _ in patiently():
        with contextlib.suppress(BlockingIOError):
            connection.connect(path)
            return
    raise AssertionError("the gate accepts nobody")


def is_hung_up(connection: socket.socket) -> bool:
    connection.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        return connection.recv(1) == b""
    return False


def patiently() -> Iterator[None]:
    """Again and again, as long as a busy machine may need."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        yield
        time.sleep(0.02)


def test_flood_is_slowed(running):
    """As many as the burst at one moment, then none; a second later as many as the rate."""
    now = time.monotonic()
    running.gate._bucket._clock = lambda: now

    def refused(requests: float) -> list[bool]:
        return [running.request("GET", "/hub/api/none")[0] == 429 for _ in range(int(requests))]

    assert refused(gate_module.BURST + 3) == [False] * int(gate_module.BURST) + [True] * 3
    now += 1
    assert refused(gate_module.RATE_PER_S + 1) == [False] * int(gate_module.RATE_PER_S) + [True]


def test_client_through_the_gate(running, tmp_path, capsys):
    workspace = running.workspace()
    datasets = workspace.datasets()
    assert [(d.name, d.here) for d in datasets] == [("flights", False)]
    assert "表 flights" in datasets._repr_html_()
    with pytest.raises(NotAvailable, match="固定口径统计尚未开放"):
        workspace.query("flights", by=["month"], measures={"n": "count"})
    notebook = tmp_path / "a.ipynb"
    notebook.write_text("{}")
    assert workspace.check(notebook).passed
    job = workspace.submit(notebook)
    assert (job.id, job.entry) == ("job1", "a.ipynb")
    saved = workspace.outputs()[0].save(tmp_path / "outputs")
    assert saved[0].stat().st_size == 3_000_000
    assert "100%" in capsys.readouterr().out


def test_client_says_what_is_refused(running, monkeypatch):
    monkeypatch.setattr(service_module, "_PAUSES_S", (0.01,))
    with pytest.raises(Denied, match="网关"):
        Workspace("other", ClientGate(running.socket_path)).datasets()
    running.portal.close()
    gate_module_client = ClientGate(running.socket_path)
    with pytest.raises(TryLater):
        Workspace("falls", gate_module_client).datasets()


@pytest.mark.parametrize("how", ["goes on", "member removed", "suspended, expired or closed"])
def test_right_to_a_workspace_is_asked_anew_and_ends(portal, how):
    """What the spawner asks every 45 s: `NotEntitled` ends the session, any other trouble does not."""
    if how == "member removed":
        portal.workspaces["falls"] = []
    elif how != "goes on":
        portal.over.add("falls")

    async def ask() -> dict[str, str]:
        service = Service(portal.url, portal.client_secret)
        try:
            return await service.datasets(await service.session_token("alice", "falls"), "falls")
        finally:
            await service.close()

    if how == "goes on":
        assert asyncio.run(ask()) == {"flights": ""}
    else:
        with pytest.raises(NotEntitled):
            asyncio.run(ask())
