"""Starting bubblewrap: pipes, files in memory, rights and limits in place before it runs.

What bubblewrap reads lies in files in memory (`jail`); the pipes are how it says what became of the jail and how the
jail's output comes out.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from typing import Final

from sandbox.errors import SandboxUnavailable
from sandbox.execution.forks import die_with
from sandbox.execution.jail import Jail, options
from sandbox.execution.order import Order
from sandbox.execution.profiles import base
from sandbox.execution.rights import Rights

BUBBLEWRAP: Final = "bwrap"


@dataclass(frozen=True, slots=True)
class Started:
    """Bubblewrap runs. ``status_fd`` tells how the jail ended, ``output_fd`` is the end of its output to read."""

    process: subprocess.Popen[bytes]
    status_fd: int
    output_fd: int | None

    def close(self) -> None:
        """Close every end of a pipe."""
        for fd in (self.status_fd, self.output_fd):
            if fd is not None:
                os.close(fd)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def start(order: Order, jail: Jail) -> Started:
    """Start bubblewrap with everything in place.

    Raises:
        SandboxUnavailable: it cannot be started.
    """
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

        rights = Rights(order.uid, jail.profile.files_bytes, jail.profile.open_files, 4 * jail.limits.pids)

        def prepare() -> None:
            order.group.join()
            rights.take()
            die_with(keeper)

        process = subprocess.Popen(
            [
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
            "不能启动 bubblewrap（软件包 bubblewrap）。",
            "bubblewrap cannot be started (package bubblewrap).",
        ) from error
    finally:
        for fd in handed:
            os.close(fd)
        for _, fd in jail.inputs:
            os.close(fd)
    return Started(process, status_read, output_read)


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
