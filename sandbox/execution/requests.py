"""What the worker and the hub ask for, checked and turned into orders for keepers. Names in, never paths."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sandbox.contracts import JAIL_PATH, JobSpec, SessionSpec
from sandbox.errors import LauncherRefused, SandboxError
from sandbox.execution import cgroup, staging
from sandbox.execution.child import answer, error_document
from sandbox.execution.clock import StoppedClock
from sandbox.execution.jail import Bind, Environment, Jail, module_command
from sandbox.execution.keeper import keep
from sandbox.execution.keepers import KEEPER_FAILED
from sandbox.execution.order import Order
from sandbox.execution.profiles import load
from sandbox.execution.shelf import Shelved, session_inputs
from sandbox.execution.watching import log_file
from sandbox.execution.wire import reply
from sandbox.inside.output import TELL_ERRORS
from sandbox.settings import SandboxSettings

SESSION_ENDED: Final = 0


@dataclass(frozen=True, slots=True)
class Means:
    """What orders are made of."""

    settings: SandboxSettings
    environment: Environment
    trees: cgroup.Trees
    as_root: bool


def job_order(
    means: Means, spec: JobSpec, paths: Sequence[str], fds: Sequence[int], uid: int | None, connection: socket.socket
) -> Order:
    """The order for one job; the last of ``fds`` takes its output.

    Raises:
        LauncherRefused: an input has another place than ``/job`` and ``/data``, or the numbers do not match.
    """
    if len(fds) != len(paths) + 1 or not paths:
        raise LauncherRefused("文件描述符数目不符。", "The number of file descriptors does not match.")
    for path in paths:
        if not JAIL_PATH.fullmatch(path) or ".." in path.split("/") or paths.count(path) > 1:
            raise LauncherRefused("输入只能放在 /job 或 /data 下。", "Inputs may lie below /job and /data only.")
    if f"/job/{spec.entry}" not in paths:
        raise LauncherRefused("输入里没有入口文件。", "The entry is not among the inputs.")
    profile = load("check" if spec.kind == "parse" else "sealed")
    jail = Jail(
        profile,
        spec.limits,
        (
            *module_command(profile.command),
            f"/job/{spec.entry}",
            str(spec.limits.output_files),
            str(spec.limits.output_bytes),
            *((TELL_ERRORS,) if spec.kind == "dry" else ()),
        ),
        binds=means.environment.binds(),
        inputs=[(path, fd) for path, fd in zip(paths, fds, strict=False)],
    )
    return Order(
        jail=jail,
        group=cgroup.Group(means.trees, f"job-{spec.id}"),
        uid=uid,
        wall_s=spec.limits.wall_s,
        output_fd=fds[-1],
        output_bytes=spec.limits.output_bytes,
        started_marker=True,
        connection=connection,
        extra_memory=sum(entry.size(spec.limits) for entry in profile.tmpfs if entry.sealed),
        clock=StoppedClock() if spec.shown else None,
    )


def job_run(order: Order) -> Callable[[], int]:
    """What the keeper of a job does: keep it and answer the worker."""

    def run() -> int:
        assert order.connection is not None
        order.connection.setblocking(True)
        reply(order.connection, answer(order))
        return 0

    return run


def session_order(means: Means, spec: SessionSpec, fds: Sequence[int], imports: Sequence[Shelved] = ()) -> Order:
    """The order for one session. ``imports`` are copied into its memory, which grows by them.

    Raises:
        LauncherRefused: there is not exactly one descriptor, or it does not listen.
    """
    if len(fds) != 1 or not _listening(fds[0]):
        raise LauncherRefused("需要一个正在监听的套接字。", "One listening socket is needed.")
    settings, profile = means.settings, load("session")
    jail = Jail(
        profile,
        profile.limits,
        module_command(profile.command),
        binds=[
            *means.environment.binds(),
            *(
                Bind(
                    settings.session_data(spec.workspace, name),
                    f"/data/{name}",
                    below=settings.workspaces_dir,
                    data=True,
                )
                for name in spec.datasets
            ),
            Bind(_home(means, spec), profile.home, writable=True, below=settings.workspaces_dir),
            Bind(settings.gate_dir(spec.id), "/run/hub", below=settings.run_dir),
        ],
        environment={**spec.env, "SBX_LISTEN_FD": str(fds[0])},
        pass_fds=[fds[0]],
    )
    return Order(
        jail=jail,
        group=cgroup.Group(means.trees, f"session-{spec.workspace}-{spec.user_index}"),
        uid=settings.first_session_uid + spec.user_index if means.as_root else None,
        wall_s=None,
        log=log_file(settings.run_dir / "logs" / f"{spec.id}.log"),
        extra_memory=sum(each.size for each in imports),
    )


def session_run(
    means: Means, spec: SessionSpec, order: Order, connection: socket.socket, imports: Sequence[Shelved] = ()
) -> Callable[[], int]:
    """What the keeper of a session does: make its home, keep it, tell the hub once it has started."""
    home, size, told = _home(means, spec), spec.home_bytes or means.settings.home_bytes, False

    def tell() -> None:
        nonlocal told
        told = True
        reply(connection, {"started": True})
        connection.close()

    def run() -> int:
        connection.setblocking(True)
        try:
            _check_no_links(home, order.jail.binds)
            if order.uid is None:
                home.mkdir(parents=True, exist_ok=True, mode=0o700)
            else:
                staging.make_image(home, size, order.uid)
            jail = replace(order.jail, inputs=session_inputs(imports))
            result = keep(replace(order, jail=jail), on_start=tell)
        except SandboxError as error:
            if not told:
                reply(connection, error_document(error))
            elif order.log is not None:
                order.log.write(f"{error}\n".encode())
            return KEEPER_FAILED
        return SESSION_ENDED if result.state == "ok" else (result.exit_code or 1) & 0xFF or 1

    return run


def _home(means: Means, spec: SessionSpec) -> Path:
    home = means.settings.session_home(spec.workspace, spec.user_index)
    return home.with_name(home.name + ".ext4") if means.as_root else home


def _check_no_links(home: Path, binds: Sequence[Bind]) -> None:
    """The folders above the home belong to another process; none of them may be a link when root writes there."""
    below = next(bind.below for bind in binds if bind.source == home)
    assert below is not None
    path = below
    for part in home.relative_to(below).parts:
        path /= part
        if path.is_symlink():
            raise LauncherRefused("个人目录的路径里有链接。", "The path of the home holds a link.")


def _listening(fd: int) -> bool:
    try:
        with socket.socket(fileno=os.dup(fd)) as given:
            return given.family == socket.AF_UNIX and bool(given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False
