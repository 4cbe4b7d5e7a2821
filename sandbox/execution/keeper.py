"""The keeper of one jail: starts it, watches it, kills it, says how it ended.

One process a jail, forked by the launcher's only thread (``--die-with-parent`` follows the thread that forked). It
dies with the launcher and the jail dies with it. The steps are in `staging`, `starting`, `watching` and `ending`.
"""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sandbox.contracts import JobResult
from sandbox.errors import SandboxUnavailable
from sandbox.execution import staging
from sandbox.execution.cgroup import Group
from sandbox.execution.ending import result
from sandbox.execution.order import Order
from sandbox.execution.starting import start
from sandbox.execution.watching import watch

KILL_AGAIN_S: Final = 0.02


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
    try:
        order.group.create(jail.limits, extra_memory=order.extra_memory)
    except OSError as error:
        order.group.remove()
        raise SandboxUnavailable("不能设置资源上限。", "The limits of the control group cannot be set.") from error
    try:
        running = start(order, jail)
        on_start()
        try:
            seen = watch(order, running, started)
        finally:
            _end(order.group, running.process)
            running.close()
        peak = order.group.peak_memory() or resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        out_of_memory = order.group.out_of_memory()
    finally:
        order.group.remove()
    return result(seen, time.monotonic() - started, peak, out_of_memory)


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
