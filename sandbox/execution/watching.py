"""Watching a jail until it ended or must end: its output, what it prints, the clock, the caller.

What comes out of the jail passes through here and is counted, so neither an endless writer nor a stuck reader can
hold more than one buffer.
"""

from __future__ import annotations

import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from sandbox.execution.order import Order
from sandbox.execution.starting import Started

PIPE_PIECE: Final = 4096  # a pipe that polls writable takes this much without blocking
STDERR_BYTES: Final = 4096
LOG_BYTES: Final = 1024 * 1024
STARTED: Final = b"\x06"
"""First byte our runner writes on the output: everything is mounted and copied, user code comes next."""


@dataclass(slots=True)
class Seen:
    """What the keeper learned while it watched; ``stop`` is why the jail must end."""

    sent: int = 0
    logged: int = 0
    stderr: bytes = b""
    status: bytes = b""
    waiting_for_start: bool = False
    stop: str | None = None


def watch(order: Order, running: Started, since: float) -> Seen:
    """Until the jail ended or must end: relay its output, keep its log, mind the clock, the caller and SIGTERM."""
    seen = Seen(waiting_for_start=order.started_marker)
    process, status_fd, output_fd = running.process, running.status_fd, running.output_fd
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
        while open_fds and seen.stop is None:
            left = order.left(since)
            if left is not None and left <= 0:
                seen.stop = "timeout"
                break
            for fd, _ in poller.poll(order.patience_ms(since)):
                if fd == wake_read or (order.connection is not None and fd == order.connection.fileno()):
                    seen.stop = "cancelled"
                    break
                piece = os.read(fd, PIPE_PIECE)
                if not piece:
                    poller.unregister(fd)
                    open_fds.discard(fd)
                elif fd == status_fd:
                    seen.status += piece
                elif fd == output_fd:
                    _relay(order, seen, piece, since)
                elif fd == log_fd:
                    _log(order, seen, piece)
                else:
                    seen.stderr += piece[: STDERR_BYTES - len(seen.stderr)]
    finally:
        signal.signal(signal.SIGTERM, before)
        os.close(wake_read)
        os.close(wake_write)
    return seen


def _relay(order: Order, seen: Seen, piece: bytes, since: float) -> None:
    if seen.waiting_for_start:
        seen.waiting_for_start = False
        order.group.settle(order.jail.limits)
        piece = piece.removeprefix(STARTED)
    seen.sent += len(piece)
    if seen.sent > order.output_bytes:
        seen.stop = "output"
        return
    assert order.output_fd is not None
    poller = select.poll()
    poller.register(order.output_fd, select.POLLOUT)
    if order.connection is not None:
        poller.register(order.connection, select.POLLIN | select.POLLRDHUP)
    view = memoryview(piece)
    while view:
        ready = dict(poller.poll(order.patience_ms(since)))
        if not ready:
            left = order.left(since)
            if left is not None and left <= 0:
                seen.stop = "timeout"
                return
            continue
        if ready.get(order.output_fd, 0) & select.POLLOUT:
            try:
                view = view[os.write(order.output_fd, view) :]
            except OSError:
                seen.stop = "cancelled"
                return
        else:
            seen.stop = "cancelled"
            return


def _log(order: Order, seen: Seen, piece: bytes) -> None:
    """Keep the first part of what a session prints; the rest is read and dropped, so the session is not held up."""
    assert order.log is not None
    room = LOG_BYTES - seen.logged
    seen.logged += len(piece)
    if room > 0:
        order.log.write(piece[:room])
        order.log.flush()


def log_file(path: Path) -> BinaryIO:
    """A fresh log, readable by the launcher's user only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    return open(fd, "wb", buffering=0)
