"""The launcher: a small process that builds jails for the hub and the worker, and nothing else.

It takes names, never paths, on two unix sockets, and looks at the caller's uid on each (SO_PEERCRED). It has one
thread; every jail gets a forked keeper that dies with it. It holds no database and no network.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from sandbox.contracts import JAIL_PATH, BadContract, Enforcement, JobSpec, SessionSpec
from sandbox.errors import LauncherBusy, LauncherRefused, SandboxError, SandboxUnavailable
from sandbox.execution import cgroup, staging
from sandbox.execution.child import answer, error_document, plain_signals
from sandbox.execution.client import MAX_LINE
from sandbox.execution.jail import Bind, Environment, Jail, module_command
from sandbox.execution.keeper import Order, close_all_but, die_with, keep, log_file
from sandbox.execution.probe import Prober
from sandbox.execution.profiles import load
from sandbox.settings import SandboxSettings

MAX_FDS: Final = 64
PATIENCE_S: Final = 10.0
HUB: Final = "hub"
WORKER: Final = "worker"
NOBODY: Final = "nobody"
KEEPER_FAILED: Final = 70


@dataclass(slots=True)
class Kept:
    """A running keeper."""

    pid: int
    kind: str
    id: str
    workspace: str
    group: cgroup.Group
    uid: int | None
    sealed: bool = False
    waiting: list[socket.socket] = field(default_factory=list)


@dataclass(slots=True)
class Caller:
    """An accepted connection that has not asked yet."""

    connection: socket.socket
    door: str
    since: float


class Daemon:
    """All state of the launcher: the keepers, and how the last sessions ended."""

    def __init__(self, settings: SandboxSettings, environment: Environment | None, *, as_root: bool) -> None:
        """Nothing is opened yet."""
        self.settings = settings
        self.environment = environment
        self.as_root = as_root
        self.trees = cgroup.NOWHERE
        self.enforcement = Enforcement(())
        self.kept: dict[int, Kept] = {}
        self.ended: dict[str, int] = {}
        self.selector = selectors.DefaultSelector()
        self.stopping = False

    def serve(self) -> None:
        """Clean up after a predecessor, probe, then answer until SIGTERM. Ends every jail on the way out.

        Raises:
            SandboxUnavailable: another launcher holds this run directory.
        """
        lock = self._prepare_places()
        self.trees = cgroup.find(self.settings.run_dir, as_root=self.as_root)
        cgroup.clean(self.trees)
        self._wake_on_signals()
        self.enforcement = Prober(
            self.environment,
            self.trees,
            self.settings.first_job_uid if self.as_root else None,
            [
                os.fspath(path)
                for path in (self.settings.home, self.settings.run_dir, "/etc/shadow", "/root", "/home/jovyan/.ssh")
            ],
        ).run()
        self._write_enforcement()
        doors = [
            self._listen(self.settings.launcher_hub_socket, HUB, self.settings.hub_uid),
            self._listen(self.settings.launcher_worker_socket, WORKER, self.settings.worker_uid),
        ]
        _say("ready", open=self.enforcement.open, missing=[check.name for check in self.enforcement.missing])
        try:
            while not self.stopping:
                for key, _ in self.selector.select(5.0):
                    key.data()
                self._drop_silent_callers()
        finally:
            for kept in self.kept.values():
                _signal(kept.pid)
            deadline = time.monotonic() + PATIENCE_S
            while self.kept and time.monotonic() < deadline:
                self._reap()
                time.sleep(0.01)
            for door in doors:
                door.close()
            for path in (self.settings.launcher_hub_socket, self.settings.launcher_worker_socket):
                path.unlink(missing_ok=True)
            cgroup.clean(self.trees)
            cgroup.leave(self.trees)
            os.close(lock)

    # Places and sockets

    def _prepare_places(self) -> int:
        """Make the run directory, take its lock and remove what a killed predecessor left."""
        run_dir = self.settings.run_dir
        run_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
        lock = os.open(run_dir / "launcher.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SandboxUnavailable(
                "另一个启动器正在使用这个目录。", "Another launcher is using this run directory."
            ) from error
        for path in (self.settings.launcher_hub_socket, self.settings.launcher_worker_socket):
            path.unlink(missing_ok=True)
        self.settings.enforcement_file.unlink(missing_ok=True)
        for log in (run_dir / "logs").glob("*.log"):
            log.unlink()
        hub_run = self.settings.hub_run_dir
        hub_run.mkdir(exist_ok=True, mode=0o700)
        if self.as_root and self.settings.hub_uid is not None:
            os.chown(hub_run, self.settings.hub_uid, -1, follow_symlinks=False)
        return lock

    def _listen(self, path: Path, door: str, uid: int | None) -> socket.socket:
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

    def _accept(self, listening: socket.socket, door: str, uid: int | None) -> None:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        peer = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))[
            1
        ]
        if peer not in {0, os.geteuid(), os.geteuid() if uid is None else uid}:
            door = NOBODY  # told so in answer to the request; closing now would only break the line
        connection.setblocking(False)
        caller = Caller(connection, door, time.monotonic())
        self.selector.register(connection, selectors.EVENT_READ, _Ask(self, caller))

    def _drop_silent_callers(self) -> None:
        for key in list(self.selector.get_map().values()):
            if isinstance(key.data, _Ask) and time.monotonic() - key.data.caller.since > PATIENCE_S:
                self.selector.unregister(key.fileobj)
                key.data.caller.connection.close()

    def _write_enforcement(self) -> None:
        draft = self.settings.enforcement_file.with_suffix(".part")
        draft.write_text(json.dumps(self.enforcement.to_json(), ensure_ascii=False), "utf-8")
        draft.chmod(0o644)
        draft.rename(self.settings.enforcement_file)

    # Requests

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
            later = self._act(caller, line, fds)
        except SandboxError as error:
            _reply(connection, error_document(error))
        except (BadContract, ValueError, KeyError, TypeError, RecursionError) as error:
            words = str(error) if isinstance(error, BadContract) else "格式 / form"
            _reply(connection, error_document(LauncherRefused(f"请求有误：{words}", f"The request is wrong: {words}")))
        except OSError as error:
            _say("failed", errno=error.errno)
            _reply(connection, error_document(SandboxUnavailable("启动器出错。", "The launcher failed.")))
        finally:
            for fd in fds:
                os.close(fd)
            if not later:
                connection.close()

    def _act(self, caller: Caller, line: bytes, fds: Sequence[int]) -> bool:
        """Do what was asked; true if the answer comes later, from a keeper or when a session has ended."""
        if caller.door == NOBODY:
            raise LauncherRefused("这个用户不可使用启动器。", "This user may not ask the launcher.")
        request = json.loads(line)
        operation = request["op"]
        if operation == "probe":
            _reply(caller.connection, {"enforcement": self.enforcement.to_json()})
        elif operation == "run_job" and caller.door == WORKER:
            self._check_open()
            self._run_job(caller, JobSpec.from_json(request["spec"]), request["inputs"], fds)
        elif operation == "start_session" and caller.door == HUB:
            self._check_open()
            self._start_session(caller, SessionSpec.from_json(request["spec"]), fds)
        elif operation == "poll_session" and caller.door == HUB:
            running = self._session(request["id"])
            _reply(caller.connection, {"exit_code": None if running else self.ended.get(request["id"], 1)})
        elif operation == "stop_session" and caller.door == HUB:
            running = self._session(request["id"])
            if running is not None:
                running.group.freeze(False)
                _signal(running.pid)
                running.waiting.append(caller.connection)
                return True
            _reply(caller.connection, {"stopped": True})
        else:
            raise LauncherRefused("这个入口不接受此请求。", "This socket does not take that request.")
        return False

    def _check_open(self) -> None:
        if not self.enforcement.open:
            names = {check.name: check for check in self.enforcement.checks}
            shut = [names[name] for name in Enforcement.REQUIRED if name in names and not names[name].stopped]
            zh = "；".join(check.zh for check in shut) or "尚未检测。"
            en = " ".join(check.en for check in shut) or "Not probed."
            raise SandboxUnavailable(
                f"沙箱已关闭，缺少必须的隔离：{zh}", f"The sandbox is shut, isolation is missing: {en}"
            )

    def _run_job(self, caller: Caller, spec: JobSpec, paths: list[str], fds: Sequence[int]) -> None:
        if len(fds) != len(paths) + 1 or not paths:
            raise LauncherRefused("文件描述符数目不符。", "The number of file descriptors does not match.")
        for path in paths:
            if not JAIL_PATH.fullmatch(path) or ".." in path.split("/") or paths.count(path) > 1:
                raise LauncherRefused("输入只能放在 /job 或 /data 下。", "Inputs may lie below /job and /data only.")
        if f"/job/{spec.entry}" not in paths:
            raise LauncherRefused("输入里没有入口文件。", "The entry is not among the inputs.")
        self._check_new("job", spec.id, self.settings.max_jobs + (1 if spec.kind == "parse" else 0))
        profile = load("check" if spec.kind == "parse" else "sealed")
        sealed = spec.kind == "sealed"
        jail = Jail(
            profile,
            spec.limits,
            (
                *module_command(profile.command),
                f"/job/{spec.entry}",
                str(spec.limits.output_files),
                str(spec.limits.output_bytes),
            ),
            binds=self._environment().binds(),
            inputs=[(path, fd) for path, fd in zip(paths, fds, strict=False)],
        )
        group = cgroup.Group(self.trees, f"job-{spec.id}")
        uid = self._free_uid()
        order = Order(
            jail=jail,
            group=group,
            uid=uid,
            wall_s=spec.limits.wall_s,
            output_fd=fds[-1],
            output_bytes=spec.limits.output_bytes,
            started_marker=True,
            connection=caller.connection,
            extra_memory=sum(entry.size(spec.limits) for entry in profile.tmpfs if entry.sealed),
        )
        if sealed:
            self._freeze(spec.workspace, True)
        pid = self._fork(lambda: _job(order), [*fds, caller.connection.fileno()])
        self.kept[pid] = Kept(pid, "job", spec.id, spec.workspace, group, uid, sealed)

    def _start_session(self, caller: Caller, spec: SessionSpec, fds: Sequence[int]) -> None:
        if len(fds) != 1 or not _listening(fds[0]):
            raise LauncherRefused("需要一个正在监听的套接字。", "One listening socket is needed.")
        self._check_new("session", spec.id, self.settings.max_sessions)
        if self._sealed_jobs(spec.workspace):
            raise LauncherBusy(
                "这个沙箱正在运行密封作业，结束后可以打开会话。",
                "A sealed job of this workspace is running; a session can start when it has ended.",
            )
        profile = load("session")
        home = self.settings.session_home(spec.workspace, spec.user_index)
        if self.as_root:
            home = home.with_name(home.name + ".ext4")
        if any(kept.group.name == _session_group(spec) for kept in self.kept.values()):
            raise LauncherRefused(
                "这位成员在这个沙箱已有会话。", "This member already has a session in this workspace."
            )
        jail = Jail(
            profile,
            profile.limits,
            module_command(profile.command),
            binds=[
                *self._environment().binds(),
                *(
                    Bind(
                        self.settings.session_data(spec.workspace, name),
                        f"/data/{name}",
                        below=self.settings.workspaces_dir,
                        data=True,
                    )
                    for name in spec.datasets
                ),
                Bind(home, profile.home, writable=True, below=self.settings.workspaces_dir),
                Bind(self.settings.gate_dir(spec.id), "/run/hub", below=self.settings.run_dir),
            ],
            environment={**spec.env, "SBX_LISTEN_FD": str(fds[0])},
            pass_fds=[fds[0]],
        )
        group = cgroup.Group(self.trees, _session_group(spec))
        uid = self.settings.first_session_uid + spec.user_index if self.as_root else None
        log = log_file(self.settings.run_dir / "logs" / f"{spec.id}.log")
        order = Order(jail=jail, group=group, uid=uid, wall_s=None, log=log)
        size = self.settings.home_bytes

        def run() -> int:
            return _session(order, home, size, caller.connection)

        self.ended.pop(spec.id, None)
        pid = self._fork(run, [*fds, caller.connection.fileno(), log.fileno()])
        log.close()
        self.kept[pid] = Kept(pid, "session", spec.id, spec.workspace, group, uid)

    # Keepers

    def _fork(self, run: Callable[[], int], keep_open: Sequence[int]) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = KEEPER_FAILED
        try:
            plain_signals()
            die_with(parent)
            close_all_but(keep_open)
            code = run()
        finally:
            os._exit(code)

    def _reap(self) -> None:
        while self.kept:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            kept = self.kept.pop(pid, None)
            if kept is None:
                continue
            kept.group.remove()
            if kept.kind == "session":
                self.ended[kept.id] = os.waitstatus_to_exitcode(status) & 0xFF
                while len(self.ended) > 10_000:
                    self.ended.pop(next(iter(self.ended)))
            for connection in kept.waiting:
                _reply(connection, {"stopped": True})
                connection.close()
            if kept.sealed and not self._sealed_jobs(kept.workspace):
                self._freeze(kept.workspace, False)

    def _freeze(self, workspace: str, frozen: bool) -> None:
        for kept in self.kept.values():
            if kept.kind == "session" and kept.workspace == workspace:
                kept.group.freeze(frozen)

    def _sealed_jobs(self, workspace: str) -> bool:
        return any(kept.sealed and kept.workspace == workspace for kept in self.kept.values())

    def _session(self, session: str) -> Kept | None:
        return next((kept for kept in self.kept.values() if kept.kind == "session" and kept.id == session), None)

    def _check_new(self, kind: str, name: str, most: int) -> None:
        running = [kept for kept in self.kept.values() if kept.kind == kind]
        if any(kept.id == name for kept in running):
            raise LauncherRefused("这个编号正在运行。", "Something with this id is running.")
        if len(running) >= most:
            raise LauncherBusy("沙箱已满，请稍后再试。", "The sandbox is full; try later.")

    def _free_uid(self) -> int | None:
        if not self.as_root:
            return None
        taken = {kept.uid for kept in self.kept.values()}
        return next(
            uid for uid in range(self.settings.first_job_uid, self.settings.first_job_uid + 10_000) if uid not in taken
        )

    def _environment(self) -> Environment:
        if self.environment is None:
            raise SandboxUnavailable("没有内核环境。", "There is no kernel environment.")
        return self.environment

    def _wake_on_signals(self) -> None:
        read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

        def wake() -> None:
            os.read(read, 4096)
            self._reap()

        self.selector.register(read, selectors.EVENT_READ, wake)

    def _stop(self, *_: object) -> None:
        self.stopping = True


class _Ask:
    """What the selector calls for a caller's connection."""

    def __init__(self, daemon: Daemon, caller: Caller) -> None:
        self.daemon = daemon
        self.caller = caller

    def __call__(self) -> None:
        self.daemon.ask(self.caller)


def _job(order: Order) -> int:
    assert order.connection is not None
    order.connection.setblocking(True)
    _reply(order.connection, answer(order))
    return 0


def _session(order: Order, home: Path, size: int, connection: socket.socket) -> int:
    connection.setblocking(True)
    told = False

    def tell() -> None:
        nonlocal told
        told = True
        _reply(connection, {"started": True})
        connection.close()

    try:
        _check_no_links(home, order.jail.binds)
        if order.uid is None:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
        else:
            staging.make_image(home, size, order.uid)
        result = keep(order, on_start=tell)
    except SandboxError as error:
        if not told:
            _reply(connection, error_document(error))
        elif order.log is not None:
            order.log.write(f"{error}\n".encode())
        return KEEPER_FAILED
    return 0 if result.state == "ok" else (result.exit_code or 1) & 0xFF or 1


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


def _session_group(spec: SessionSpec) -> str:
    return f"session-{spec.workspace}-{spec.user_index}"


def _signal(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def _reply(connection: socket.socket, document: dict[str, Any]) -> None:
    try:
        connection.send(json.dumps(document, ensure_ascii=False).encode() + b"\n")
    except OSError:
        return


def _say(event: str, **fields: object) -> None:
    """One line to the supervisor's log; counts and names of checks only."""
    print(json.dumps({"event": f"launcher:{event}", **fields}, ensure_ascii=False), file=sys.stderr, flush=True)


def run(settings: SandboxSettings) -> None:
    """Serve until SIGTERM."""
    settings = replace(
        settings,
        home=settings.home.absolute(),
        run_dir=settings.run_dir.absolute(),
        kernel_env=settings.kernel_env.absolute(),
    )
    try:
        environment: Environment | None = Environment.find(settings.kernel_env)
    except OSError:
        environment = None
    Daemon(settings, environment, as_root=os.geteuid() == 0).serve()
