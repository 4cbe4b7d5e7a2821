"""The launcher: a small process that builds jails for the hub and the worker, and nothing else.

It takes names, never paths, on two unix sockets, and looks at the caller's uid on each (SO_PEERCRED). It has one
thread; every jail gets a forked keeper that dies with it. It holds no database and no network. Requests and doors are
in `requests` and `wire`, its children in `keepers`, who stands still and until when in `freezing`.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sandbox.contracts import Enforcement, JobSpec, Quiet, SessionSpec
from sandbox.errors import LauncherBusy, LauncherRefused, SandboxUnavailable
from sandbox.execution import cgroup, requests, scrub
from sandbox.execution.freezing import QuietTime, QuietTimes
from sandbox.execution.jail import Environment
from sandbox.execution.keepers import Keepers, Kept, end
from sandbox.execution.probe import Prober
from sandbox.execution.shelf import Shelf
from sandbox.execution.wire import HUB, PATIENCE_S, WORKER, Caller, Doors, reply
from sandbox.settings import SandboxSettings

LOOK_S: Final = 5.0
LOOK_WHILE_QUIET_S: Final = 0.25


class Daemon:
    """All state of the launcher: its keepers and the quiet times."""

    def __init__(self, settings: SandboxSettings, environment: Environment | None, *, as_root: bool) -> None:
        """Nothing is opened yet."""
        self.settings = settings
        self.environment = environment
        self.as_root = as_root
        self.trees = cgroup.NOWHERE
        self.enforcement = Enforcement(())
        self.keepers = Keepers()
        self.quiet = QuietTimes()
        self.shelf = Shelf()
        self.selector = selectors.DefaultSelector()
        self.doors = Doors(self.selector, self._act, _say, as_root=as_root)
        self.stopping = False

    def serve(self) -> None:
        """Clean up after a predecessor, probe, then answer until SIGTERM. Ends every jail on the way out.

        Raises:
            SandboxUnavailable: another launcher holds this run directory.
        """
        lock = self._prepare_places()
        self.trees = cgroup.find(self.settings.run_dir, as_root=self.as_root)
        if cgroup.clean(self.trees):
            scrub.drop_caches()  # a killed predecessor had no time to
        self._wake_on_signals()
        self.enforcement = Prober(
            self.environment,
            self.trees,
            self.settings.first_job_uid if self.as_root else None,
            [
                os.fspath(path)
                for path in (self.settings.home, self.settings.run_dir, "/etc/shadow", "/root", "/home/jovyan/.ssh")
            ],
            wipes=self.settings.wipe_caches,
        ).run()
        self._write_enforcement()
        doors = [
            self.doors.listen(self.settings.launcher_hub_socket, HUB, self.settings.hub_uid),
            self.doors.listen(self.settings.launcher_worker_socket, WORKER, self.settings.worker_uid),
        ]
        _say("ready", open=self.enforcement.open, missing=[check.name for check in self.enforcement.missing])
        try:
            while not self.stopping:
                most = LOOK_WHILE_QUIET_S if self.quiet.by_job else LOOK_S
                for key, _ in self.selector.select(self.quiet.wake_in(time.monotonic(), most)):
                    key.data()
                self.doors.drop_silent_callers()
                self._mind_quiet_times()
        finally:
            for kept in self.keepers:
                end(kept)
            deadline = time.monotonic() + PATIENCE_S
            while self.keepers.kept and time.monotonic() < deadline:
                self._reap()
                time.sleep(0.01)
            for door in doors:
                door.close()
            for path in (self.settings.launcher_hub_socket, self.settings.launcher_worker_socket):
                path.unlink(missing_ok=True)
            cgroup.clean(self.trees)
            cgroup.leave(self.trees)
            os.close(lock)

    # Requests

    def _act(self, caller: Caller, request: dict[str, Any], fds: Sequence[int]) -> bool:
        """Do what was asked; true if the answer comes later, from a keeper or when something has ended."""
        operation = request["op"]
        if operation == "probe":
            reply(caller.connection, {"enforcement": self.enforcement.to_json()})
        elif operation == "run_job" and caller.door == WORKER:
            self._check_open()
            self._run_job(caller, JobSpec.from_json(request["spec"]), request["inputs"], fds)
        elif operation == "settle" and caller.door == WORKER:
            return self._settle(caller, request["job"])
        elif operation == "set_imports" and caller.door == WORKER:
            self.shelf.set(request["workspace"], [tuple(pair) for pair in request["imports"]], fds)
            reply(caller.connection, {"held": len(fds)})
        elif operation == "start_session" and caller.door == HUB:
            self._check_open()
            self._start_session(caller, SessionSpec.from_json(request["spec"]), fds)
        elif operation == "poll_session" and caller.door == HUB:
            running = self.keepers.session(request["id"])
            code = None if running else self.keepers.ended.get(request["id"], 1)
            reply(caller.connection, {"exit_code": code, "stands_still": bool(running and running.frozen)})
        elif operation == "stop_session" and caller.door == HUB:
            running = self.keepers.session(request["id"])
            if running is not None:
                end(running)
                running.waiting.append(caller.connection)
                return True
            reply(caller.connection, {"stopped": True})
        else:
            raise LauncherRefused("这个入口不接受此请求。", "This socket does not take that request.")
        return False

    def _run_job(self, caller: Caller, spec: JobSpec, paths: list[str], fds: Sequence[int]) -> None:
        uid = self._free_uid()
        order = requests.job_order(self._means(), spec, paths, fds, uid, caller.connection)
        if spec.shown and self.quiet.frozen(spec.workspace):
            raise LauncherBusy(
                "密封作业运行期间，结果会被作者看到的作业要等到下一个固定时刻。",
                "While a sealed job runs, jobs whose result its author sees wait for the next fixed moment.",
            )
        self._check_places(spec)
        if spec.quiet is not None:
            self._begin_quiet(spec, spec.quiet)
        kept = Kept(0, "job", spec.id, spec.workspace, order.group, uid, spec.shown)
        kept.sealed, kept.sealed_output, kept.clock = spec.quiet is not None, spec.sealed_output, order.clock
        try:
            self.keepers.start(kept, requests.job_run(order), [*fds, caller.connection.fileno()])
        except OSError:
            self.quiet.run_ended(spec.id, time.monotonic())
            raise

    def _start_session(self, caller: Caller, spec: SessionSpec, fds: Sequence[int]) -> None:
        sessions = [kept for kept in self.keepers if kept.kind == "session"]
        _check_new(sessions, spec.id, self.settings.max_sessions)
        if self.quiet.frozen(spec.workspace):
            raise LauncherBusy(
                "密封作业正在运行：到下一个固定时刻才能打开会话，与作业何时结束无关。",
                "A sealed job is running: a session can start at the next fixed moment, however soon the job ends.",
            )
        means = self._means()
        imports = self.shelf.wanted(spec.workspace, spec.imports)
        order = requests.session_order(means, spec, fds, imports)
        if any(kept.group is not None and kept.group.name == order.group.name for kept in sessions):
            raise LauncherRefused(
                "这位成员在这个沙箱已有会话。", "This member already has a session in this workspace."
            )
        assert order.log is not None
        self.keepers.start(
            Kept(0, "session", spec.id, spec.workspace, order.group, order.uid),
            requests.session_run(means, spec, order, caller.connection, imports),
            [*fds, caller.connection.fileno(), order.log.fileno(), *(each.descriptor for each in imports)],
        )
        order.log.close()

    def _settle(self, caller: Caller, job: str) -> bool:
        """Wipe what the job left; the answer is the tick at which its quiet time ends, seconds since 1970."""
        quiet = self.quiet.by_job.get(job)
        if quiet is None:
            reply(caller.connection, {"tick": None})
            return False
        if quiet.until is not None:
            reply(caller.connection, {"tick": time.time() + quiet.until - time.monotonic()})
            return False
        quiet.settling.append(caller.connection)
        if not quiet.running:
            self._wipe(quiet)
        return True

    def _check_open(self) -> None:
        if not self.enforcement.open:
            names = {check.name: check for check in self.enforcement.checks}
            shut = [names[name] for name in Enforcement.REQUIRED if name in names and not names[name].stopped]
            zh = "；".join(check.zh for check in shut) or "尚未检测。"
            en = " ".join(check.en for check in shut) or "Not probed."
            raise SandboxUnavailable(
                f"沙箱已关闭，缺少必须的隔离：{zh}", f"The sandbox is shut, isolation is missing: {en}"
            )

    def _check_places(self, spec: JobSpec) -> None:
        """Parsing a sealed output has places of its own: what is frozen cannot keep it from ending the quiet time."""
        jobs = [kept for kept in self.keepers if kept.kind == "job" and kept.sealed_output == spec.sealed_output]
        room = self.settings.max_jobs + (1 if spec.kind == "parse" and spec.shown else 0)
        _check_new(jobs, spec.id, room if spec.sealed_output else room - self.quiet.held_places(spec.id))

    # Quiet times

    def _begin_quiet(self, spec: JobSpec, quiet: Quiet) -> None:
        lacking = self.enforcement.lacking(quiet.level)
        if lacking:
            zh, en = "；".join(check.zh.rstrip("。") for check in lacking), " ".join(check.en for check in lacking)
            raise SandboxUnavailable(
                f"本机不能运行 {quiet.level} 级的密封作业：{zh}。",
                f"Sealed jobs of level {quiet.level} cannot run on this machine: {en}",
            )
        if self.quiet.shuts_out(spec.id, quiet):
            raise LauncherBusy(
                "主机正由另一个密封作业独占。", "The host belongs to another sealed job at the moment; try later."
            )
        there = self.quiet.begin(spec.id, spec.workspace, quiet, now=time.monotonic(), clock=time.time())
        self._freeze()
        if there.counters is None:
            there.counters = scrub.read_counters()

    def _freeze(self) -> None:
        """Freeze what a quiet time concerns, let the rest go on. Done again and again: it also finds what is new."""
        for kept in self.keepers:
            if kept.shown:
                kept.freeze(self.quiet.frozen(kept.workspace))

    def _mind_quiet_times(self) -> None:
        now = time.monotonic()
        for quiet in list(self.quiet.by_job.values()):
            if quiet.forgotten(now):
                _say("forgotten", seconds=round(now - (quiet.ended or now)))
                self._wipe(quiet)
        if self.quiet.over(now) or self.quiet.by_job:
            self._freeze()

    def _wipe(self, quiet: QuietTime) -> None:
        """Start wiping, unless it is going on."""
        if quiet.wiping:
            return
        quiet.wiping = True
        before, step, caches = quiet.counters, self.settings.counter_step, self.settings.wipe_caches

        def wipe() -> int:
            done = before is None or scrub.pad_counters(before, step)
            if caches:
                scrub.drop_caches()
            return 0 if done else 1

        self.keepers.start(Kept(0, "wipe", quiet.job, quiet.workspace, shown=False), wipe, [])

    def _wiped(self, kept: Kept) -> None:
        """Its tick is the next one: from now on nothing of the run can be seen."""
        quiet = self.quiet.by_job[kept.id]
        quiet.wiping = False
        if quiet.running:  # once more, after a crash of the worker
            return
        now = time.monotonic()
        quiet.until = quiet.next_tick(now)
        for connection in quiet.settling:
            reply(connection, {"tick": time.time() + quiet.until - now})
            connection.close()
        quiet.settling.clear()

    # Keepers

    def _reap(self) -> None:
        for kept in self.keepers.reap():
            if kept.kind == "wipe":
                self._wiped(kept)
                continue
            for connection in kept.waiting:
                reply(connection, {"stopped": True})
                connection.close()
            if kept.sealed:
                ended = self.quiet.run_ended(kept.id, time.monotonic())
                if ended.settling:
                    self._wipe(ended)

    def _means(self) -> requests.Means:
        if self.environment is None:
            raise SandboxUnavailable("没有内核环境。", "There is no kernel environment.")
        return requests.Means(self.settings, self.environment, self.trees, self.as_root)

    def _free_uid(self) -> int | None:
        if not self.as_root:
            return None
        first, taken = self.settings.first_job_uid, self.keepers.uids()
        return next(uid for uid in range(first, first + 10_000) if uid not in taken)

    # Places and signals

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

    def _write_enforcement(self) -> None:
        draft = self.settings.enforcement_file.with_suffix(".part")
        draft.write_text(json.dumps(self.enforcement.to_json(), ensure_ascii=False), "utf-8")
        draft.chmod(0o644)
        draft.rename(self.settings.enforcement_file)

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


def _check_new(running: Sequence[Kept], name: str, most: int) -> None:
    if any(kept.id == name for kept in running):  # that of a killed worker ends when its keeper has seen it
        raise LauncherBusy("这个编号正在运行。", "Something with this id is running.")
    if len(running) >= most:
        raise LauncherBusy("沙箱已满，请稍后再试。", "The sandbox is full; try later.")


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
