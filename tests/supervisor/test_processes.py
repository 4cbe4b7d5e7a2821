"""Children run under their user, restart with pauses, and never outlive the supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opendata.supervisor import processes
from opendata.supervisor.processes import Child, open_log

pytestmark = pytest.mark.integration
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user's identity")


def child(tmp_path: Path, *argv: str, user: str | None = None) -> Child:
    return Child(
        name="x", argv=argv, user=user, environment={"PATH": os.environ["PATH"]}, log=tmp_path / "logs" / "x.log"
    )


def wait_for(condition, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@needs_root
def test_child_has_its_users_identity_and_no_capability(tmp_path: Path) -> None:
    one = child(tmp_path, "sh", "-c", "id -u; grep -E 'NoNewPrivs|CapBnd' /proc/self/status", user="nobody")
    one.start()
    assert wait_for(lambda: one.poll() is not None)
    assert (tmp_path / "logs" / "x.log").read_text().split() == [
        "65534",
        "CapBnd:",
        "0000000000000000",
        "NoNewPrivs:",
        "1",
    ]


def test_failing_child_waits_longer_each_time(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(processes, "STEADY_S", 1000.0)  # however long this machine takes to run nothing
    one = child(tmp_path, "sh", "-c", "exit 3")
    pauses = []
    for _ in range(3):
        one.start()
        assert wait_for(lambda: one.poll() == 3)
        pauses.append(one.not_before - time.monotonic())
    assert pauses[0] < pauses[1] < pauses[2] < 31


def test_stop_ends_a_child_that_ignores_the_request(tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    one = child(tmp_path, "sh", "-c", f"trap '' TERM; sleep 600 & touch {deaf}; wait; sleep 600")
    one.start()
    pid = one.process.pid
    assert wait_for(deaf.exists)
    one.stop(deadline_s=0.3)
    assert wait_for(lambda: not any(running(int(each)) for each in members(pid)))


def members(group: int) -> list[str]:
    found = subprocess.run(["pgrep", "-g", str(group)], capture_output=True, text=True, check=False)
    return found.stdout.split()


def test_child_ends_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, time; from opendata.supervisor.processes import Child\n"
        f"c = Child(name='x', argv=['sleep', '600'], user=None, environment={{'PATH': '/usr/bin:/bin'}}, log=pathlib.Path({str(tmp_path / 'l')!r}))\n"
        "c.start(); print(c.process.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert wait_for(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")  # its signal is arranged
        parent.send_signal(signal.SIGKILL)
    assert wait_for(lambda: not running(pid))


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_log_is_not_followed_through_a_link(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("")
    (tmp_path / "link.log").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        open_log(tmp_path / "link.log")
