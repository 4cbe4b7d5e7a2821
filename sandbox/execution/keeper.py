"""The keeper of one jail: starts it, watches clock, output and caller, kills it, says how it ended.

One process a jail, forked by the launcher's only thread (``--die-with-parent`` follows the thread that forked). It
dies with the launcher and the jail dies with it. What comes out of the jail passes through here and is counted, so
neither an endless writer nor a stuck reader can hold more than one buffer.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from sandbox.contracts import JobResult
from sandbox.errors import LauncherRefused, SandboxUnavailable
from sandbox.execution import staging
from sandbox.execution.cgroup import Group
from sandbox.execution.jail import Jail, options
from sandbox.execution.profiles import base

PR_SET_PDEATHSIG: Final = 1
BUBBLEWRAP: Final = "bwrap"
PIPE_PIECE: Final = 4096  # a pipe that polls writable takes this much without blocking
STDERR_BYTES: Final = 4096
LOG_BYTES: Final = 1024 * 1024
REFUSED_OUTPUT: Final = 77
"""Exit code by which our own runner inside says: the outputs broke the rules."""
STARTED: Final = b"\x06"
"""First byte our runner writes on the output: everything is mounted and copied, user code comes next."""
LOOK_AT_CLOCK_S: Final = 0.5
KILL_AGAIN_S: Final = 0.02
_libc: Final = ctypes.CDLL(None, use_errno=True)


class StoppedClock:
    """For how many seconds a jail stood still, in memory that the launcher and the keeper share.

    The launcher stops it and lets it go on; the keeper reads it, so that standing still costs nobody their time.
    """

    def __init__(self) -> None:
        """Going."""
        self._memory = mmap.mmap(-1, 16)

    def stop(self) -> None:
        """The jail is frozen from now on."""
        struct.pack_into("d", self._memory, 8, time.monotonic())

    def go_on(self) -> None:
        """It is not any more."""
        struct.pack_into("dd", self._memory, 0, self.seconds(), 0.0)

    def seconds(self) -> float:
        """The sum so far."""
        total, since = struct.unpack_from("dd", self._memory)
        return float(total + (time.monotonic() - since if since else 0.0))


@dataclass(frozen=True, slots=True)
class Order:
    """One jail to keep. ``uid`` None keeps the caller's own (no separation of users).

    ``output_fd`` takes what the jail writes on its output; ``log`` what it prints (sessions, capped); ``screen``
    lets it print to the caller's own standard output (``sandbox try`` only). ``connection`` is watched: when the
    caller is gone, so is the jail. ``clock`` tells what of ``wall_s`` does not count.
    """

    jail: Jail
    group: Group
    uid: int | None
    wall_s: float | None
    output_fd: int | None = None
    output_bytes: int = 0
    started_marker: bool = False
    log: BinaryIO | None = None
    screen: bool = False
    connection: socket.socket | None = None
    extra_memory: int = 0
    clock: StoppedClock | None = None

    def left(self, started: float) -> float | None:
        """Seconds that remain."""
        if self.wall_s is None:
            return None
        stood = self.clock.seconds() if self.clock is not None else 0.0
        return started + self.wall_s + stood - time.monotonic()

    def patience_ms(self, started: float) -> float | None:
        """How long to wait for the jail before looking at the clock again."""
        left = self.left(started)
        if left is None:
            return None
        return max(0.0, left if self.clock is None else min(left, LOOK_AT_CLOCK_S)) * 1000 + 1


@dataclass(slots=True)
class _Watch:
    """What the keeper learned while it watched."""

    sent: int = 0
    logged: int = 0
    stderr: bytes = b""
    status: bytes = b""
    waiting_for_start: bool = False
    stop: str | None = None


def keep(order: Order, *, on_start: Callable[[], None] = lambda: None) -> JobResult:
    """Run the jail to its end.

    ``on_start`` is called once bubblewrap is running. SIGTERM ends the jail (reason ``cancelled``).

    Raises:
        SandboxUnavailable: the jail could not be built; nothing of the user ran.
        LauncherRefused: an input is missing or larger than its limit.
    """
    started = time.monotonic()
    jail = order.jail
    if order.uid is not None:
        staged = staging.stage(jail.binds, uid=order.uid, copy_bytes=jail.limits.data_bytes)
        jail = replace(jail, binds=staged)
    watch = _Watch(waiting_for_start=order.started_marker)
    try:
        order.group.create(jail.limits, extra_memory=order.extra_memory)
    except OSError as error:
        order.group.remove()
        raise SandboxUnavailable("不能设置资源上限。", "The limits of the control group cannot be set.") from error
    try:
        process, status_fd, output_fd = _start(order, jail)
        on_start()
        try:
            _watch(order, watch, process, status_fd, output_fd, started)
        finally:
            _end(order.group, process)
            for fd in (status_fd, output_fd):
                if fd is not None:
                    os.close(fd)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        peak = order.group.peak_memory() or resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        out_of_memory = order.group.out_of_memory()
    finally:
        order.group.remove()
    return _result(watch, time.monotonic() - started, peak, out_of_memory)


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process when ``parent`` dies; leave at once if it already has."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _end(group: Group, process: subprocess.Popen[bytes]) -> None:
    """Kill the jail and wait for its death.

    Again and again: in a quiet time the launcher freezes what it finds, and a jail that it froze between the kill and
    its death would die at the tick only.
    """
    if process.poll() is None:
        process.kill()
        group.kill()
    while True:
        try:
            process.wait(KILL_AGAIN_S)
        except subprocess.TimeoutExpired:
            group.kill()  # also what is frozen: it wakes up dead
        else:
            return


def _start(order: Order, jail: Jail) -> tuple[subprocess.Popen[bytes], int, int | None]:
    """Start bubblewrap with everything in place; returns the process, its status pipe and the output pipe."""
    handed: list[int] = []

    def open_data(content: bytes) -> int:
        fd = os.memfd_create("jail")
        with open(fd, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(fd, 0, os.SEEK_SET)
        handed.append(fd)
        return fd

    status_read, status_write = os.pipe()
    handed.append(status_write)
    output_read: int | None = None
    environment = dict(jail.environment)
    if order.output_fd is not None:
        output_read, output_write = os.pipe()
        handed.append(output_write)
        environment["SBX_OUTPUT_FD"] = str(output_write)
    jail = replace(jail, environment=environment)
    try:
        arguments = open_data("\0".join(options(jail, base(), open_data)).encode() + b"\0")
        keeper = os.getpid()
        stderr: int | None = subprocess.PIPE
        if order.screen:
            stderr = None
        elif order.log is not None:
            stderr = subprocess.STDOUT

        def prepare() -> None:
            order.group.join()
            die_with(keeper)

        process = subprocess.Popen(
            [
                *_drop_rights(order, jail),
                *(BUBBLEWRAP, "--args", str(arguments), "--json-status-fd", str(status_write), "--"),
                *_inner_limits(order, jail),
                *jail.command,
            ],
            stdin=subprocess.DEVNULL,
            stdout=None if order.screen else subprocess.PIPE if order.log is not None else subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=[*handed, *(fd for _, fd in jail.inputs), *jail.pass_fds],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            cwd="/",
            preexec_fn=prepare,  # noqa: PLW1509 - this process has one thread
        )
    except (OSError, subprocess.SubprocessError) as error:
        os.close(status_read)
        if output_read is not None:
            os.close(output_read)
        raise SandboxUnavailable(
            "不能启动 bubblewrap（软件包 bubblewrap、util-linux）。",
            "bubblewrap cannot be started (packages bubblewrap, util-linux).",
        ) from error
    finally:
        for fd in handed:
            os.close(fd)
        for _, fd in jail.inputs:
            os.close(fd)
    return process, status_read, output_read


def _drop_rights(order: Order, jail: Jail) -> list[str]:
    command = ["setpriv"]
    if order.uid is not None:
        command += [f"--reuid={order.uid}", f"--regid={order.uid}", "--clear-groups"]
        command += ["--bounding-set=-all", "--inh-caps=-all"]
    command += ["--no-new-privs", "--", "prlimit"]
    command += [f"--fsize={jail.profile.files_bytes}", f"--nofile={jail.profile.open_files}", "--memlock=65536"]
    # One byte, not none: with a piped core pattern a limit of 0 does not keep the host's handler from the memory.
    command += ["--core=1", "--msgqueue=0"]
    if order.uid is not None:
        command.append(f"--nproc={4 * jail.limits.pids}")
    return [*command, "--"]


def _inner_limits(order: Order, jail: Jail) -> list[str]:
    """Where no control group counts: limits for the user namespace (processes) and for each process (memory)."""
    limits: list[str] = []
    if "limits" in jail.unsafe_without:
        return limits
    if "pids" not in order.group.folders:
        limits.append(f"--nproc={jail.limits.pids}")
    if "memory" not in order.group.folders:
        limits.append(f"--data={jail.limits.memory_bytes}")
    return ["/usr/bin/prlimit", *limits, "--"] if limits else []


def _watch(
    order: Order, watch: _Watch, process: subprocess.Popen[bytes], status_fd: int, output_fd: int | None, started: float
) -> None:
    """Until the jail ended or must end: relay its output, keep its log, mind the clock, the caller and SIGTERM."""
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.signal(signal.SIGTERM, lambda *_: os.write(wake_write, b"."))
    log_fd = process.stdout.fileno() if process.stdout is not None else None
    stderr_fd = process.stderr.fileno() if process.stderr is not None else None
    poller = select.poll()
    for fd in (status_fd, output_fd, log_fd, stderr_fd, wake_read):
        if fd is not None:
            poller.register(fd, select.POLLIN)
    if order.connection is not None:
        poller.register(order.connection, select.POLLIN | select.POLLRDHUP)
    open_fds = {fd for fd in (status_fd, output_fd, log_fd, stderr_fd) if fd is not None}
    try:
        while open_fds and watch.stop is None:
            left = order.left(started)
            if left is not None and left <= 0:
                watch.stop = "timeout"
                break
            for fd, _ in poller.poll(order.patience_ms(started)):
                if fd == wake_read or (order.connection is not None and fd == order.connection.fileno()):
                    watch.stop = "cancelled"
                    break
                piece = os.read(fd, PIPE_PIECE)
                if not piece:
                    poller.unregister(fd)
                    open_fds.discard(fd)
                elif fd == status_fd:
                    watch.status += piece
                elif fd == output_fd:
                    _relay(order, watch, piece, started)
                elif fd == log_fd:
                    _log(order, watch, piece)
                else:
                    watch.stderr += piece[: STDERR_BYTES - len(watch.stderr)]
    finally:
        signal.signal(signal.SIGTERM, before)
        os.close(wake_read)
        os.close(wake_write)


def _relay(order: Order, watch: _Watch, piece: bytes, started: float) -> None:
    if watch.waiting_for_start:
        watch.waiting_for_start = False
        order.group.settle(order.jail.limits)
        piece = piece.removeprefix(STARTED)
    watch.sent += len(piece)
    if watch.sent > order.output_bytes:
        watch.stop = "output"
        return
    assert order.output_fd is not None
    poller = select.poll()
    poller.register(order.output_fd, select.POLLOUT)
    if order.connection is not None:
        poller.register(order.connection, select.POLLIN | select.POLLRDHUP)
    view = memoryview(piece)
    while view:
        ready = dict(poller.poll(order.patience_ms(started)))
        if not ready:
            left = order.left(started)
            if left is not None and left <= 0:
                watch.stop = "timeout"
                return
            continue
        if ready.get(order.output_fd, 0) & select.POLLOUT:
            try:
                view = view[os.write(order.output_fd, view) :]
            except OSError:
                watch.stop = "cancelled"
                return
        else:
            watch.stop = "cancelled"
            return


def _log(order: Order, watch: _Watch, piece: bytes) -> None:
    """Keep the first part of what a session prints; the rest is read and dropped, so the session is not held up."""
    assert order.log is not None
    room = LOG_BYTES - watch.logged
    watch.logged += len(piece)
    if room > 0:
        order.log.write(piece[:room])
        order.log.flush()


def _result(watch: _Watch, seconds: float, peak: int, out_of_memory: bool) -> JobResult:
    code = _exit_code(watch.status)
    if watch.stop is not None:
        return JobResult("killed", watch.stop, None, seconds, peak, watch.sent)  # type: ignore[arg-type]
    if code is None and not out_of_memory:
        raise _not_built(watch.stderr)
    if code == 0:
        return JobResult("ok", "exit", 0, seconds, peak, watch.sent)
    if out_of_memory:
        return JobResult("killed", "memory", code, seconds, peak, watch.sent)
    reason = "output" if code == REFUSED_OUTPUT else "exit"
    return JobResult("failed", reason, code, seconds, peak, watch.sent)  # type: ignore[arg-type]


def _exit_code(status: bytes) -> int | None:
    """From bubblewrap's status documents, one a line; absent if the jail was never entered."""
    for line in status.splitlines():
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict) and isinstance(document.get("exit-code"), int):
            return int(document["exit-code"])
    return None


def _not_built(stderr: bytes) -> SandboxUnavailable | LauncherRefused:
    """Bubblewrap's own words; nothing of the user ran, so they quote no data."""
    if b"No space left" in stderr:
        return LauncherRefused("数据超出沙箱的容量。", "The data is larger than the sandbox's limit.")
    own = [
        line
        for line in stderr.decode(errors="replace").splitlines()
        if line.startswith(("bwrap:", "setpriv:", "prlimit:"))
    ]
    words = own[0][:300] if own else "no message"
    return SandboxUnavailable(f"不能建立隔离环境：{words}", f"The jail cannot be built: {words}")


def close_all_but(keep_open: Sequence[int]) -> None:
    """Close every descriptor a fork inherited except the standard ones and these."""
    keep_set = {0, 1, 2, *keep_open}
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd not in keep_set:
            try:
                os.close(fd)
            except OSError:
                continue


def log_file(path: Path) -> BinaryIO:
    """A fresh log, readable by the launcher's user only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    return open(fd, "wb", buffering=0)
