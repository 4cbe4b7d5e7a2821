"""How the worker and the hub ask the launcher for jails: names and file descriptors, never paths of the host.

One request is one JSON line in one packet on a unix socket (SOCK_SEQPACKET), file descriptors beside it by
SCM_RIGHTS, one JSON line back. The launcher checks the uid of the caller (SO_PEERCRED).
"""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from sandbox.contracts import Enforcement, JobResult, JobSpec, SessionSpec
from sandbox.errors import LauncherAway, LauncherBusy, LauncherRefused, SandboxError, SandboxUnavailable

MAX_LINE: Final = 128 * 1024
LOOK_S: Final = 2.0
ERRORS: Final[dict[str, type[SandboxError]]] = {
    "unavailable": SandboxUnavailable,
    "busy": LauncherBusy,
    "refused": LauncherRefused,
}


class Launcher:
    """The launcher behind one of its two sockets (``settings.launcher_worker_socket`` or ``launcher_hub_socket``)."""

    def __init__(self, socket_path: Path) -> None:
        """Nothing is opened yet; every call makes its own connection, so one object serves many threads."""
        self.socket_path = socket_path

    def run_job(
        self,
        spec: JobSpec,
        inputs: Sequence[tuple[str, int]],
        output_fd: int,
        *,
        waiting: Callable[[], None] | None = None,
    ) -> JobResult:
        """Run one job in its own jail and wait for its end.

        ``inputs`` are pairs of a path in the jail and a readable file descriptor (file or pipe, read to its end in
        the order given): ``/job/<entry>`` and ``/data/<dataset>/<dataset>.parquet``; for kind ``parse``
        ``/job/outputs.tar``. Feed pipes from another thread: the launcher reads while this call waits. Together they
        hold at most ``spec.limits.data_bytes``.

        What the job wrote arrives on ``output_fd`` (file or pipe, at most ``spec.limits.output_bytes``, then the jail
        is killed): a tar of ``out/<name>`` members and ``executed.ipynb``, or the JSON of a ``ParsedOutput`` for kind
        ``parse``. It is hostile. The caller's descriptors stay open in the caller.

        Blocks as long as the job runs. If this process dies the jail dies with it. ``waiting`` is called every
        `LOOK_S` seconds meanwhile; when it raises, the jail is killed and the exception goes on.

        Raises:
            LauncherAway: the launcher is not there, or was killed meanwhile and the jail with it.
            SandboxUnavailable: its door is shut.
            LauncherBusy: all places are taken, or a quiet time is on (`sandbox.execution.freezing`); try later.
            LauncherRefused: the request is wrong or may not be made on this socket.
        """
        request = {"op": "run_job", "spec": spec.to_json(), "inputs": [path for path, _ in inputs]}
        answer = self._ask(request, [*(fd for _, fd in inputs), output_fd], waiting)
        return JobResult.from_json(answer.get("result"))

    def settle(self, job: str) -> float | None:
        """Say that everything which depends on a sealed run, its checks included, is done.

        Waits until what the run left on the host is wiped. Returns the tick at which its quiet time ends, in seconds
        since 1970: show the job as finished then, not before. None when there is no quiet time: no such run, or the
        launcher was started anew.

        Raises:
            SandboxUnavailable: the launcher is not there.
            LauncherRefused: the job is still running.
        """
        tick = self._ask({"op": "settle", "job": job}).get("tick")
        return None if tick is None else float(tick)

    def set_imports(self, workspace: str, imports: Sequence[tuple[str, str]], fds: Sequence[int]) -> None:
        """Let the launcher hold exactly these imports of a workspace in memory, for sessions that name them.

        ``imports`` are pairs of name and id, ``fds`` sealed files in memory in the same order; none empties it.

        Raises:
            SandboxUnavailable: the launcher is not there.
            LauncherBusy: there is no room for them.
            LauncherRefused: the list is wrong, or a file is not sealed, or this is not the worker's socket.
        """
        self._ask({"op": "set_imports", "workspace": workspace, "imports": [list(pair) for pair in imports]}, fds)

    def start_session(self, spec: SessionSpec, listen_fd: int) -> None:
        """Start an interactive server on ``listen_fd``, a bound and listening unix socket.

        The server finds the descriptor's number in ``SBX_LISTEN_FD``, its data under ``/data/<name>``, its home at
        ``/home/jovyan`` and the gate at ``/run/hub/hub.sock`` (the directory ``settings.gate_dir(spec.id)``, which
        must exist). Returns once the jail was started. It lives until it exits, ``stop_session`` or the launcher's end.

        Raises:
            SandboxUnavailable, LauncherBusy, LauncherRefused: as for ``run_job``.
        """
        self._ask({"op": "start_session", "spec": spec.to_json()}, [listen_fd])

    def poll_session(self, session: str) -> int | None:
        """None while it runs, else its exit code (an unknown or killed session: a code that is not 0)."""
        code = self._ask({"op": "poll_session", "id": session}).get("exit_code")
        return None if code is None else int(code)

    def stands_still(self, session: str) -> bool:
        """Whether a session is frozen because a sealed job runs; it is not idle then and answers nobody."""
        return bool(self._ask({"op": "poll_session", "id": session}).get("stands_still"))

    def stop_session(self, session: str) -> None:
        """Kill a session with everything in it and wait until it is gone. Unknown sessions are fine."""
        self._ask({"op": "stop_session", "id": session})

    def probe(self) -> Enforcement:
        """What the probes found when the launcher started.

        Raises:
            SandboxUnavailable: the launcher is not there.
        """
        return Enforcement.from_json(self._ask({"op": "probe"}).get("enforcement"))

    def _ask(
        self, request: dict[str, Any], fds: Sequence[int] = (), waiting: Callable[[], None] | None = None
    ) -> dict[str, Any]:
        line = json.dumps(request, ensure_ascii=False).encode() + b"\n"
        if len(line) > MAX_LINE:
            raise LauncherRefused("请求过长。", "The request is too long.")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            try:
                connection.connect(os.fspath(self.socket_path))
            except OSError as error:
                raise LauncherAway(
                    "沙箱启动器没有运行。", f"The sandbox launcher does not answer ({error.strerror})."
                ) from error
            try:
                socket.send_fds(connection, [line], list(fds))
                # Closing the connection, as leaving this block does, tells the jail's keeper that nobody waits.
                while waiting is not None and not select.select([connection], [], [], LOOK_S)[0]:
                    waiting()
                answered = connection.recv(MAX_LINE)
            except OSError as error:
                raise LauncherAway.while_asked() from error
        if not answered:
            raise LauncherAway.while_asked()
        answer: dict[str, Any] = json.loads(answered)
        if "error" in answer:
            raise ERRORS.get(str(answer["error"]), SandboxError)(str(answer["zh"]), str(answer["en"]))
        return answer
