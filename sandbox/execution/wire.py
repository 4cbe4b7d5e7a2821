"""The launcher's side of its two sockets: accept, look at the caller's uid, read one request, answer once."""

from __future__ import annotations

import json
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox.contracts import BadContract
from sandbox.errors import LauncherRefused, SandboxError, SandboxUnavailable
from sandbox.execution.child import error_document
from sandbox.execution.client import MAX_LINE

MAX_FDS: Final = 64
PATIENCE_S: Final = 10.0
HUB: Final = "hub"
WORKER: Final = "worker"
NOBODY: Final = "nobody"
Act = Callable[["Caller", dict[str, Any], Sequence[int]], bool]
"""Does what was asked; true if the answer comes later."""


@dataclass(slots=True)
class Caller:
    """An accepted connection that has not asked yet."""

    connection: socket.socket
    door: str
    since: float


class Doors:
    """The two listening sockets and the callers that have not asked yet."""

    def __init__(self, selector: selectors.BaseSelector, act: Act, say: Callable[..., None], *, as_root: bool) -> None:
        """Nothing is opened yet."""
        self.selector = selector
        self.act = act
        self.say = say
        self.as_root = as_root

    def listen(self, path: Path, door: str, uid: int | None) -> socket.socket:
        """Open one door for ``uid``, root and the launcher's own user."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        old = os.umask(0o177)
        try:
            listening.bind(os.fspath(path))
        finally:
            os.umask(old)
        if self.as_root and uid is not None:
            os.chown(path, uid, -1)
        listening.listen(64)
        listening.setblocking(False)
        self.selector.register(listening, selectors.EVENT_READ, lambda: self._accept(listening, door, uid))
        return listening

    def drop_silent_callers(self) -> None:
        """Close the lines of those who connected and never asked."""
        for key in list(self.selector.get_map().values()):
            if isinstance(key.data, _Ask) and time.monotonic() - key.data.caller.since > PATIENCE_S:
                self.selector.unregister(key.fileobj)
                key.data.caller.connection.close()

    def _accept(self, listening: socket.socket, door: str, uid: int | None) -> None:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        size = struct.calcsize("3i")
        peer = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1]
        if peer not in {0, os.geteuid(), os.geteuid() if uid is None else uid}:
            door = NOBODY  # told so in answer to the request; closing now would only break the line
        connection.setblocking(False)
        caller = Caller(connection, door, time.monotonic())
        self.selector.register(connection, selectors.EVENT_READ, _Ask(self, caller))

    def ask(self, caller: Caller) -> None:
        """Read the one request of a caller and act on it."""
        self.selector.unregister(caller.connection)
        connection, fds = caller.connection, list[int]()
        later = False
        try:
            line, fds, flags, _ = socket.recv_fds(connection, MAX_LINE, MAX_FDS)
            if not line:
                return
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise LauncherRefused("请求过长。", "The request is too long.")
            if caller.door == NOBODY:
                raise LauncherRefused("这个用户不可使用启动器。", "This user may not ask the launcher.")
            later = self.act(caller, json.loads(line), fds)
        except SandboxError as error:
            reply(connection, error_document(error))
        except (BadContract, ValueError, KeyError, TypeError, RecursionError) as error:
            words = str(error) if isinstance(error, BadContract) else "格式 / form"
            reply(connection, error_document(LauncherRefused(f"请求有误：{words}", f"The request is wrong: {words}")))
        except OSError as error:
            self.say("failed", errno=error.errno)
            reply(connection, error_document(SandboxUnavailable("启动器出错。", "The launcher failed.")))
        finally:
            for fd in fds:
                os.close(fd)
            if not later:
                connection.close()


class _Ask:
    """What the selector calls for a caller's connection."""

    def __init__(self, doors: Doors, caller: Caller) -> None:
        self.doors = doors
        self.caller = caller

    def __call__(self) -> None:
        self.doors.ask(self.caller)


def reply(connection: socket.socket, document: dict[str, Any]) -> None:
    """One answer, one line. Quiet if the caller is gone."""
    try:
        connection.send(json.dumps(document, ensure_ascii=False).encode() + b"\n")
    except OSError:
        return
