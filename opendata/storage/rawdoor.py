"""The raw door's two ends: what its handlers take and give, and how web asks it.

One logged view at a time: the worker proves the person from the database itself, a handler decides and reads, the
ledger gets its entry, and only then the answer leaves, sealed to a key that exists for this one request. The process
that asks holds the clear answer in memory only, to render it.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from opendata.db.engine import Database
from opendata.errors import (
    AuthenticationError,
    ConflictError,
    DeniedError,
    InvalidInputError,
    NotFoundError,
    OpenDataError,
)
from opendata.ledger.events import AuditEvent
from opendata.settings import Settings
from opendata.storage.hpke import SUITE, public_bytes
from opendata.storage.keys import KeyStore
from opendata.storage.vault import Vault

INFO = b"opendata raw door answer v1"
ANSWER_TYPE = "application/vnd.opendata.sealed"
_TIMEOUT_S = 60
_ERRORS: dict[int, type[OpenDataError]] = {
    401: AuthenticationError,
    403: DeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidInputError,
}


@dataclass(frozen=True, slots=True)
class RawDoorContext:
    """The worker's resources a handler may use."""

    settings: Settings
    database: Database
    vault: Vault
    keys: KeyStore


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """A handler's answer: ``body`` (JSON values; may hold cell values) and the entry that must precede it.

    Handlers have the signature ``f(door: RawDoorContext, actor: Actor, request: dict) -> RawAnswer`` and raise an
    OpenDataError to refuse (DeniedError 403, NotFoundError 404, InvalidInputError 422; refusals are recorded too).
    """

    body: Mapping[str, Any]
    audit: AuditEvent

    def __repr__(self) -> str:
        """Never the body."""
        return f"RawAnswer({self.audit.type!r}, {self.audit.subject!r})"


def ask(settings: Settings, path: str, request: Mapping[str, Any], *, token: str) -> dict[str, Any]:
    """Ask the raw door and open its answer. ``token``: the person's own session secret or API token.

    Raises the refusal's class (AuthenticationError, DeniedError, NotFoundError, InvalidInputError) with its sentence,
    or OpenDataError when the worker does not answer.
    """
    private = X25519PrivateKey.generate()
    sent = {"token": token, "request": dict(request), "public_key": base64.b64encode(public_bytes(private)).decode()}
    connection = _UnixConnection(str(settings.rawdoor_socket))
    try:
        connection.request("POST", f"/{path.strip('/')}", json.dumps(sent), {"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
    except OSError as error:
        raise OpenDataError(
            "原始数据通道没有应答：后台进程可能正在启动，请稍后重试（the raw door does not answer）"
        ) from error
    finally:
        connection.close()
    if response.status != 200:
        raise _refusal(response.status, body)
    return json.loads(SUITE.decrypt(body, private, info=INFO))


def _refusal(status: int, body: bytes) -> OpenDataError:
    try:
        sentence = str(json.loads(body)["sentence"])
    except (KeyError, TypeError, ValueError):
        sentence = f"原始数据通道拒绝了请求（{status}）；请检查服务版本（the raw door refused）"
    return _ERRORS.get(status, OpenDataError)(sentence)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("rawdoor", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
