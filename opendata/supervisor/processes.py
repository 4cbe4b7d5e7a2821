"""One child process: started under its user, watched, restarted with growing pauses, stopped in order."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

LONGEST_PAUSE_S = 30.0
STEADY_S = 5.0  # a child that ran this long starts again without a pause
LOG_BYTES = 4 << 20


@dataclass(slots=True)
class Child:
    """What to run and how it fares. ``user`` None keeps the supervisor's own user."""

    name: str
    argv: Sequence[str]
    user: str | None
    environment: Mapping[str, str]
    log: Path
    enter: Sequence[str] = ()
    restarts: int = 0
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    not_before: float = 0.0
    _failures: int = field(default=0, repr=False)

    def start(self) -> None:
        """Start it with its output appended to its log, and with a signal if the supervisor dies."""
        with open_log(self.log) as log:
            self.process = subprocess.Popen(
                [*self.enter, *self._privileges(), *self.argv],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o007,
            )
        self.started_at = time.monotonic()

    def poll(self) -> int | None:
        """The exit code once it has ended; also plans the next start."""
        if self.process is None:
            return None
        code = self.process.poll()
        if code is None:
            return None
        steady = time.monotonic() - self.started_at >= STEADY_S
        self._failures = 0 if steady else self._failures + 1
        self.not_before = time.monotonic() + min(LONGEST_PAUSE_S, 0.5 * 2 ** min(self._failures, 10) - 0.5)
        self.process = None
        self.restarts += 1
        return code

    def stop(self, deadline_s: float = 10.0) -> None:
        """Ask it to end; take it down with everything it started when the deadline passes."""
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(deadline_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _privileges(self) -> list[str]:
        """Drop to the user; a child never outlives the supervisor unnoticed."""
        command = ["setpriv", "--pdeathsig", "TERM"]
        if self.user is not None:
            account = pwd.getpwnam(self.user)
            command += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]
            command += ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
        return [*command, "--"]


def open_log(path: Path) -> IO[bytes]:
    """Append to a log only its owner reads; what is over the size moves aside once."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600), "ab")
