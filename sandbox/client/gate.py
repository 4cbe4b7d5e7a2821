"""HTTP over the session's one socket.

The gate listens at ``/run/hub/hub.sock``. Every answer is bounded in bytes and seconds.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from sandbox.client.errors import ClientError, NotInSession, ServiceError, TryLater

GATE_SOCKET = "/run/hub/hub.sock"
TIMEOUT_S = 120.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
_CHUNK = 256 * 1024

Progress = Callable[[int, int | None], None]


class _SocketConnection(http.client.HTTPConnection):
    """An HTTP connection to a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("gate", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Gate:
    """The service as a session reaches it. It explains itself in all its languages (``mul``), else in ``language``."""

    def __init__(
        self, socket_path: str = GATE_SOCKET, *, language: str = "mul, zh-CN", timeout_s: float = TIMEOUT_S
    ) -> None:
        self.socket_path = socket_path
        self.language = language
        self.timeout_s = timeout_s

    def get(self, page: str) -> Any:
        """JSON answer of a GET."""
        return _json(self._request("GET", page, None, {"Accept": "application/json"}))

    def post(self, page: str, body: bytes | dict[str, Any], query: dict[str, str] | None = None) -> Any:
        """JSON answer of a POST; a dict is sent as JSON, bytes as they are."""
        headers = {"Accept": "application/json", "Content-Type": "application/octet-stream"}
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        return _json(self._request("POST", page, body, headers, query=query))

    def download(self, page: str, progress: Progress | None = None) -> bytes:
        """The bytes of a file."""
        return self._request("GET", page, None, {"Accept": "*/*"}, progress=progress)

    def _request(
        self,
        method: str,
        page: str,
        body: bytes | None,
        headers: dict[str, str],
        *,
        query: dict[str, str] | None = None,
        progress: Progress | None = None,
    ) -> bytes:
        if not os.path.exists(self.socket_path):
            raise NotInSession.without_gate()
        target = quote(page, safe="/") + (f"?{urlencode(query)}" if query else "")
        connection = _SocketConnection(self.socket_path, self.timeout_s)
        try:
            connection.request(method, target, body=body, headers=headers | {"Accept-Language": self.language})
            response = connection.getresponse()
            content = _read_bounded(response, progress)
        except (OSError, http.client.HTTPException):
            raise TryLater.unreachable() from None
        finally:
            connection.close()
        if response.status >= 400:
            raise ServiceError.from_answer(response.status, _problem(content))
        return content


def _json(answer: bytes) -> Any:
    try:
        return json.loads(answer) if answer else None
    except ValueError:
        raise ClientError("服务的回答无法读懂。", "The service's answer could not be read.") from None


def _read_bounded(response: http.client.HTTPResponse, progress: Progress | None) -> bytes:
    parts: list[bytes] = []
    done = 0
    total = response.length
    while chunk := response.read(_CHUNK):
        parts.append(chunk)
        done += len(chunk)
        if done > MAX_ANSWER_BYTES:
            raise ClientError(
                f"回答超过 {MAX_ANSWER_BYTES:,} 字节，已停止接收。",
                f"The answer is larger than {MAX_ANSWER_BYTES:,} bytes and was not taken.",
            )
        if progress is not None:
            progress(done, total)
    return b"".join(parts)


def _problem(content: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(content)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
