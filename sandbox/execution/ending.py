"""How a jail ended: from what its keeper saw to the result, or the error when it was never built."""

from __future__ import annotations

import json
from typing import Final

from sandbox.contracts import JobResult
from sandbox.errors import LauncherRefused, SandboxUnavailable
from sandbox.execution.watching import Seen

REFUSED_OUTPUT: Final = 77
"""Exit code by which our own runner inside says: the outputs broke the rules."""


def result(seen: Seen, seconds: float, peak: int, out_of_memory: bool) -> JobResult:
    code = _exit_code(seen.status)
    if seen.stop is not None:
        return JobResult("killed", seen.stop, None, seconds, peak, seen.sent)  # type: ignore[arg-type]
    if code is None and not out_of_memory:
        raise _not_built(seen.stderr)
    if code == 0:
        return JobResult("ok", "exit", 0, seconds, peak, seen.sent)
    if out_of_memory:
        return JobResult("killed", "memory", code, seconds, peak, seen.sent)
    reason = "output" if code == REFUSED_OUTPUT else "exit"
    return JobResult("failed", reason, code, seconds, peak, seen.sent)  # type: ignore[arg-type]


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
    own = [line for line in stderr.decode(errors="replace").splitlines() if line.startswith(("bwrap:", "prlimit:"))]
    words = own[0][:300] if own else "no message"
    return SandboxUnavailable(f"不能建立隔离环境：{words}", f"The jail cannot be built: {words}")
