"""The launcher: a small process that builds jails for the hub and the worker, and nothing else.

It takes names, never paths, on two unix sockets, and looks at the caller's uid on each (SO_PEERCRED). It has one
thread; every jail gets a forked keeper that dies with it. It holds no database and no network. Requests and doors are
in `requests` and `wire`, what it refuses in `admission`, its children in `keepers`, quiet times in `standstill`.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sandbox.contracts import Enforcement, JobSpec, SessionSpec
from sandbox.errors import LauncherBusy, LauncherRefused, SandboxUnavailable
from sandbox.execution import cgroup, places, requests, scrub
from sandbox.execution.admission import check_job, check_open, check_session
from sandbox.execution.jail import Environment
from sandbox.execution.keepers import Keepers, Kept, end
from sandbox.execution.probe import Prober
from sandbox.execution.shelf import Shelf
from sandbox.execution.standstill import Standstill
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
        self.still = Standstill(settings, self.keepers, _say)
        self.shelf = Shelf()
        self.selector = selectors.DefaultSelector()
        self.doors = Doors(self.selector, self._act, _say, as_root=as_root)
        self.stopping = False

    def serve(self) -> None:
        """Clean up after a predecessor, probe, then answer until SIGTERM. Ends every jail on the way out.

        Raises:
            SandboxUnavailable: another launcher holds this run directory.
        """
        lock = places.prepare(self.settings, as_root=self.as_root)
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
        places.write_enforcement(self.settings, self.enforcement)
        doors = [
            self.doors.listen(self.settings.launcher_hub_socket, HUB, self.settings.hub_uid),
            self.doors.listen(self.settings.launcher_worker_socket, WORKER, self.settings.worker_uid),
        ]
        _say("ready", open=self.enforcement.open, missing=[check.name for check in self.enforcement.missing])
        try:
            while not self.stopping:
                most = LOOK_WHILE_QUIET_S if self.still.times.by_job else LOOK_S
                for key, _ in self.selector.select(self.still.times.wake_in(time.monotonic(), most)):
                    key.data()
                self.doors.drop_silent_callers()
                self.still.mind()
        finally:
            for kept in self.keepers:
                end(kept)
            deadline = time.monotonic() + PATIENCE_S
            while self.keepers.kept and time.monotonic() < deadline:
                self._reap()
                time.sleep(0.01)
            for door in doors:
                door.close()
            places.remove_sockets(self.settings)
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
            check_open(self.enforcement)
            self._run_job(caller, JobSpec.from_json(request["spec"]), request["inputs"], fds)
        elif operation == "settle" and caller.door == WORKER:
            return self.still.settle(request["job"], caller.connection)
        elif operation == "set_imports" and caller.door == WORKER:
            self.shelf.set(request["workspace"], [tuple(pair) for pair in request["imports"]], fds)
            reply(caller.connection, {"held": len(fds)})
        elif operation == "start_session" and caller.door == HUB:
            check_open(self.enforcement)
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
        if spec.shown and self.still.times.frozen(spec.workspace):
            raise LauncherBusy(
                "密封作业运行期间，结果会被作者看到的作业要等到下一个固定时刻。",
                "While a sealed job runs, jobs whose result its author sees wait for the next fixed moment.",
            )
        check_job(self.keepers, spec, self.still.times, self.settings.max_jobs)
        if spec.quiet is not None:
            self.still.begin(spec, spec.quiet, self.enforcement)
        kept = Kept(0, "job", spec.id, spec.workspace, order.group, uid, spec.shown)
        kept.sealed, kept.sealed_output, kept.clock = spec.quiet is not None, spec.sealed_output, order.clock
        try:
            self.keepers.start(kept, requests.job_run(order), [*fds, caller.connection.fileno()])
        except OSError:
            self.still.times.run_ended(spec.id, time.monotonic())
            raise

    def _start_session(self, caller: Caller, spec: SessionSpec, fds: Sequence[int]) -> None:
        check_session(self.keepers, spec.id, self.settings.max_sessions)
        if self.still.times.frozen(spec.workspace):
            raise LauncherBusy(
                "密封作业正在运行：到下一个固定时刻才能打开会话，与作业何时结束无关。",
                "A sealed job is running: a session can start at the next fixed moment, however soon the job ends.",
            )
        means = self._means()
        imports = self.shelf.wanted(spec.workspace, spec.imports)
        order = requests.session_order(means, spec, fds, imports)
        if any(kept.group is not None and kept.group.name == order.group.name for kept in self.keepers):
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

    # Keepers

    def _reap(self) -> None:
        for kept in self.keepers.reap():
            if kept.kind == "wipe":
                self.still.wiped(kept.id)
                continue
            for connection in kept.waiting:
                reply(connection, {"stopped": True})
                connection.close()
            if kept.sealed:
                self.still.run_ended(kept.id)

    def _means(self) -> requests.Means:
        if self.environment is None:
            raise SandboxUnavailable("没有内核环境。", "There is no kernel environment.")
        return requests.Means(self.settings, self.environment, self.trees, self.as_root)

    def _free_uid(self) -> int | None:
        if not self.as_root:
            return None
        first, taken = self.settings.first_job_uid, self.keepers.uids()
        return next(uid for uid in range(first, first + 10_000) if uid not in taken)

    # Signals

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
