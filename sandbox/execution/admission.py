"""What the launcher takes on: nothing while isolation is missing, no level that needs more, no more than fits.

Deciders: they look at values and raise.
"""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.contracts import Enforcement, JobSpec
from sandbox.errors import LauncherBusy, SandboxUnavailable
from sandbox.execution.freezing import QuietTimes
from sandbox.execution.keepers import Kept


def check_open(enforcement: Enforcement) -> None:
    """Raises ``SandboxUnavailable`` while anything required is missing; it is named."""
    if not enforcement.open:
        names = {check.name: check for check in enforcement.checks}
        shut = [names[name] for name in Enforcement.REQUIRED if name in names and not names[name].stopped]
        zh = "；".join(check.zh for check in shut) or "尚未检测。"
        en = " ".join(check.en for check in shut) or "Not probed."
        raise SandboxUnavailable(
            f"沙箱已关闭，缺少必须的隔离：{zh}", f"The sandbox is shut, isolation is missing: {en}"
        )


def check_level(enforcement: Enforcement, level: str) -> None:
    """Raises ``SandboxUnavailable`` if sealed jobs of that level need what this machine lacks."""
    lacking = enforcement.lacking(level)
    if lacking:
        zh, en = "；".join(check.zh.rstrip("。") for check in lacking), " ".join(check.en for check in lacking)
        raise SandboxUnavailable(
            f"本机不能运行 {level} 级的密封作业：{zh}。",
            f"Sealed jobs of level {level} cannot run on this machine: {en}",
        )


def check_session(running: Iterable[Kept], session: str, most: int) -> None:
    """Raises ``LauncherBusy`` if there is no place for one more session."""
    _check_new([kept for kept in running if kept.kind == "session"], session, most)


def check_job(running: Iterable[Kept], spec: JobSpec, quiet: QuietTimes, most: int) -> None:
    """Raises ``LauncherBusy`` if there is no place for one more job.

    Parsing a sealed output has places of its own: what is frozen cannot keep it from ending the quiet time.
    """
    jobs = [kept for kept in running if kept.kind == "job" and kept.sealed_output == spec.sealed_output]
    room = most + (1 if spec.kind == "parse" and spec.shown else 0)
    _check_new(jobs, spec.id, room if spec.sealed_output else room - quiet.held_places(spec.id))


def _check_new(running: list[Kept], name: str, most: int) -> None:
    if any(kept.id == name for kept in running):  # that of a killed worker ends when its keeper has seen it
        raise LauncherBusy("这个编号正在运行。", "Something with this id is running.")
    if len(running) >= most:
        raise LauncherBusy("沙箱已满，请稍后再试。", "The sandbox is full; try later.")
