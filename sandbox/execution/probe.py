"""What this machine enforces, tried out: a memory bomb, a fork bomb, a network and a look around, in a real jail.

Run once when the launcher starts. What is not stopped keeps the door shut (``Enforcement.open``).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sandbox.contracts import MIB, Check, Enforcement, JobResult, Limits
from sandbox.errors import SandboxError
from sandbox.execution.cgroup import Group, Trees
from sandbox.execution.child import keep_in_child
from sandbox.execution.jail import VENV, Environment, Jail
from sandbox.execution.order import Order
from sandbox.execution.profiles import load
from sandbox.execution.scrub import caches_can_be_dropped

LIMITS: Final = Limits(memory_bytes=192 * MIB, pids=40, wall_s=20.0, data_bytes=MIB, output_bytes=MIB)
SAY: Final = "import os, sys\ndef say(text): os.write(int(os.environ['SBX_OUTPUT_FD']), text.encode())\n"

KERNEL_ENV: Final = """
import importlib.util as u
say('ok' if all(u.find_spec(n) for n in ('nbclient', 'ipykernel', 'pyarrow', 'sandbox.inside.job')) else 'incomplete')
"""
MEMORY_BOMB: Final = """
held = []
try:
    for _ in range(64):
        held.append(bytearray(b'x') * (16 << 20))
    say('survived')
except MemoryError:
    say('refused')
"""
FORK_BOMB: Final = """
import time
count = 0
try:
    for _ in range(400):
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        count += 1
except OSError:
    pass
say(str(count))
os._exit(0)
"""
NETWORK: Final = """
import socket
open_doors = []
for family in range(1, 46):
    if family == socket.AF_UNIX:
        continue
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(family, kind).close()
            open_doors.append(str(family))
        except OSError:
            pass
interfaces = {line.split(':')[0].strip() for line in open('/proc/net/dev') if ':' in line} - {'lo'}
say('closed' if not open_doors and not interfaces else 'open')
"""
HOST_FILES: Final = """
seen = [path for path in sys.argv[1:] if os.path.exists(path)]
say('closed' if not seen else 'open')
"""


@dataclass(frozen=True, slots=True)
class Prober:
    """Runs the probes with the means the launcher has."""

    environment: Environment | None
    trees: Trees
    uid: int | None
    hidden: Sequence[str]
    """Places of this installation that no jail may see."""
    wipes: bool = True
    """Whether the settings have the host's caches dropped after a sealed job."""

    def run(self) -> Enforcement:
        """All checks; never raises for what is missing."""
        if self.environment is None:
            return Enforcement((_no_kernel_env(), *self._weaker()))
        try:
            result, said = self._jail(KERNEL_ENV)
        except SandboxError as error:
            return Enforcement((Check("bubblewrap", "missing", error.zh, error.en), *self._weaker()))
        bubblewrap = Check("bubblewrap", "stopped", "隔离环境可以建立。", "Jails can be built.")
        kernel = (
            Check("kernel_env", "stopped", "内核环境可用。", "The kernels' environment works.")
            if result.state == "ok" and said == "ok"
            else _no_kernel_env()
        )
        return Enforcement((bubblewrap, kernel, *self._required(), *self._weaker()))

    def _required(self) -> list[Check]:
        memory = self._try(MEMORY_BOMB)
        forks = self._try(FORK_BOMB)
        network = self._try(NETWORK)
        files = self._try(HOST_FILES, *self.hidden)
        counted = "memory" in self.trees.controllers
        return [
            Check(
                "memory_bomb",
                "stopped"
                if memory is not None and (memory[0].reason == "memory" or memory[1] == "refused")
                else "missing",
                "内存炸弹被拦住" + ("。" if counted else "（只按单个进程限制）。"),
                "A memory bomb is stopped" + ("." if counted else " (each process only)."),
            ),
            Check(
                "fork_bomb",
                "stopped" if forks is not None and forks[1].isdigit() and int(forks[1]) <= LIMITS.pids else "missing",
                "进程炸弹被拦住。",
                "A fork bomb is stopped.",
            ),
            Check(
                "network",
                "stopped" if network is not None and network[1] == "closed" else "missing",
                "没有网络：只有本机 unix 套接字。",
                "No network: unix sockets only.",
            ),
            Check(
                "host_files",
                "stopped" if files is not None and files[1] == "closed" else "missing",
                "看不到主机文件。",
                "Files of the host are out of sight.",
            ),
        ]

    def _weaker(self) -> list[Check]:
        def check(name: str, there: bool, zh: tuple[str, str], en: tuple[str, str]) -> Check:
            return Check(name, "stopped", zh[0], en[0]) if there else Check(name, "missing", zh[1], en[1])

        frozen = "freezer" in self.trees.controllers

        return [
            check(
                "uid_per_session",
                self.uid is not None,
                (
                    "每个会话和作业各用一个系统用户。",
                    "没有用户隔离：所有会话与作业同属一个系统用户（未以 root 启动）。",
                ),
                (
                    "Every session and job has its own uid.",
                    "Separation not enforced: all sessions and jobs run under one uid (not started as root).",
                ),
            ),
            check(
                "cgroup",
                {"memory", "pids"} <= self.trees.controllers,
                (
                    f"资源由控制组 v{self.trees.version} 限制。",
                    "没有可用的控制组：内存只按单个进程限制，处理器不限。",
                ),
                (
                    f"Resources are limited by control groups v{self.trees.version}.",
                    "No usable control groups: memory is limited for each process only, cores are not.",
                ),
            ),
            Check(
                "freeze",
                "stopped",
                "密封作业运行时同一沙箱的会话被" + ("冻结。" if frozen else "信号停住（没有控制组）。"),
                "While a sealed job runs the sessions of its workspace are "
                + ("frozen." if frozen else "stopped by signals (no control groups)."),
            ),
            check(
                "scrub",
                self.wipes and caches_can_be_dropped(),
                (
                    "密封作业之后清除主机的缓存，补齐编号。",
                    "不能清除主机的缓存：密封作业读过哪些系统文件，之后可由快慢看出；级别 3–4 的密封作业关闭。",
                ),
                (
                    "After a sealed job the host's caches are dropped and its counters padded.",
                    "The host's caches cannot be dropped: what a sealed job read loads faster; levels 3-4 are shut.",
                ),
            ),
        ]

    def _try(self, code: str, *arguments: str) -> tuple[JobResult, str] | None:
        try:
            return self._jail(code, *arguments)
        except SandboxError:
            return None

    def _jail(self, code: str, *arguments: str) -> tuple[JobResult, str]:
        assert self.environment is not None
        profile = load("sealed")
        command = (f"{VENV}/bin/python3", "-c", SAY + code, *arguments)
        jail = Jail(replace(profile, limits=LIMITS), LIMITS, command, binds=self.environment.binds())
        output = os.memfd_create("probe")
        try:
            order = Order(
                jail, Group(self.trees, f"probe-{os.getpid()}"), self.uid, LIMITS.wall_s, output, LIMITS.output_bytes
            )
            result = keep_in_child(order)
            said = os.pread(output, 1000, 0).decode(errors="replace")
        finally:
            os.close(output)
        return result, said


def _no_kernel_env() -> Check:
    return Check(
        "kernel_env",
        "missing",
        "没有可用的内核环境，或隔离环境内读不到它；请运行 ./run setup。",
        "There is no kernel environment that works inside a jail; run ./run setup.",
    )
