"""A researcher's browser, by HTTP and websocket only: every host name leads to loopback, cookies are real."""

from __future__ import annotations

import contextlib
import json
import socket
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2
from websockets.sync.client import connect


class _Loopback(httpx2.HTTPTransport):
    """Connects to 127.0.0.1 whatever the host is called, as a browser does for *.localhost."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        # A copy: cookies are kept for the host the page knows.
        sent = httpx2.Request(
            request.method,
            request.url.copy_with(host="127.0.0.1"),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return super().handle_request(sent)


@dataclass
class Reply:
    """What one cell gave back."""

    text: str = ""
    error: str = ""
    html: str = ""
    messages: list[dict] = field(default_factory=list)


class Browser:
    """One person's browser. ``hub`` is the address of the sandbox, ``portal`` that of the portal."""

    def __init__(self, hub: str, portal: str = "", person: str = "") -> None:
        self.hub = hub
        self.http = httpx2.Client(transport=_Loopback(), follow_redirects=True, timeout=180)
        self.person = person
        if person and portal:
            self.http.cookies.set("person", person, domain=urlsplit(portal).hostname or "")

    @property
    def server(self) -> str:
        """Where this person's own server is."""
        parts = urlsplit(self.hub)
        return f"{parts.scheme}://{self.person}.{parts.netloc}/user/{self.person}"

    def sign_in(self) -> httpx2.Response:
        return self.http.get(f"{self.hub}/hub/home")

    def spawn(self, query: str = "") -> httpx2.Response:
        """Ask for a server and wait until its page comes."""
        answer = self.http.get(f"{self.hub}/hub/spawn{query}")
        deadline = time.monotonic() + 180
        while "/hub/spawn-pending/" in str(answer.url) and time.monotonic() < deadline:
            time.sleep(0.5)
            answer = self.http.get(f"{self.hub}/hub/spawn-pending/{self.person}")
        return answer

    def lab(self) -> httpx2.Response:
        """The page of JupyterLab, through the whole cookie flow of the person's own host name."""
        return self.http.get(f"{self.server}/lab")

    def cookie(self, name: str, host: str) -> str:
        return next(
            (c.value or "" for c in self.http.cookies.jar if c.name == name and host == c.domain.lstrip(".")), ""
        )

    def api(self, method: str, path: str, **options) -> httpx2.Response:
        """A call of the person's server with the cookie and the token against forgery a page would send."""
        host = urlsplit(self.server).hostname or ""
        token = self.cookie("_xsrf", host)
        return self.http.request(method, f"{self.server}/{path}", headers={"X-XSRFToken": token}, **options)

    def hub_api(self, method: str, path: str, **options) -> httpx2.Response:
        token = self.cookie("_xsrf", urlsplit(self.hub).hostname or "")
        headers = {
            "X-XSRFToken": token,
            "Referer": f"{self.hub}/hub/home",
            "Sec-Fetch-Mode": "cors",
            "Sec-Fetch-Site": "same-origin",
        }
        return self.http.request(method, f"{self.hub}/hub/api/{path}", headers=headers, **options)

    def kernel(self) -> Kernel:
        answer = self.api("POST", "api/kernels", json={"name": "python3"})
        assert answer.status_code == 201, answer.text
        return Kernel(self, answer.json()["id"])


class Kernel:
    """A kernel over its websocket."""

    def __init__(self, browser: Browser, kernel_id: str) -> None:
        self.id = kernel_id
        parts = urlsplit(browser.server)
        session = uuid.uuid4().hex
        request = browser.http.build_request("GET", f"{browser.server}/api/kernels")
        self._closing = contextlib.ExitStack()
        websocket = connect(
            f"ws://{parts.netloc}{parts.path}/api/kernels/{kernel_id}/channels?session_id={session}",
            sock=socket.create_connection(("127.0.0.1", parts.port)),
            proxy=None,
            origin=f"{parts.scheme}://{parts.netloc}",
            additional_headers={"Cookie": request.headers["Cookie"]},
            max_size=64 * 1024 * 1024,
            open_timeout=120,
        )
        self._socket = self._closing.enter_context(websocket)
        self._session = session

    def begin(self, code: str) -> str:
        """Have a cell run, and wait for nothing; the message's identity."""
        identity = uuid.uuid4().hex
        header = {
            "msg_id": identity,
            "msg_type": "execute_request",
            "session": self._session,
            "username": "",
            "version": "5.4",
            "date": "",
        }
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        self._socket.send(json.dumps(message))
        return identity

    def run(self, code: str, timeout_s: float = 120) -> Reply:
        """Run a cell and collect what it printed, displayed and raised."""
        identity = self.begin(code)
        reply, replied, idle = Reply(), False, False
        deadline = time.monotonic() + timeout_s
        while not (replied and idle):
            given = json.loads(self._socket.recv(timeout=max(0.1, deadline - time.monotonic())))
            if given["parent_header"].get("msg_id") != identity:
                continue
            reply.messages.append(given)
            kind, body = given["header"]["msg_type"], given["content"]
            if kind == "stream":
                reply.text += body["text"]
            elif kind in {"execute_result", "display_data"}:
                reply.text += body["data"].get("text/plain", "")
                reply.html += body["data"].get("text/html", "")
            elif kind == "error":
                reply.error = f"{body['ename']}: {body['evalue']}"
            replied = replied or kind == "execute_reply"
            idle = idle or (kind == "status" and body["execution_state"] == "idle")
        return reply

    def close(self) -> None:
        self._closing.close()
