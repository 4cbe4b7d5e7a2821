"""The quiet time around a sealed job with real jails: who stands still until which tick, and what a kill -9 leaves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.contracts import PARSE_LIMITS, JobResult, JobSpec, Limits, Quiet, SessionSpec
from sandbox.errors import LauncherBusy, SandboxUnavailable
from sandbox.execution import cgroup, stopping
from sandbox.settings import SandboxSettings

from .conftest import ROOT, Running, fresh_places, jails_possible, memory_file, quiet_now, start, stop
from .test_launcher import CANARY, PATIENCE_S, jail_processes, session_env, session_socket, wait_for

AS_ROOT = os.geteuid() == 0
pytestmark = [
    pytest.mark.integration,
    pytest.mark.alone,
    pytest.mark.skipif(bool(jails_possible()), reason=jails_possible() or "possible"),
    pytest.mark.skipif(not AS_ROOT, reason="needs root: control groups"),
]
PLAIN = "import os, sys\nfrom sandbox.execution import __main__, cgroup, scrub\n"
LAUNCHER_IS_FASTER = """
launcher, thaw = os.getpid(), cgroup.freeze_folder
def lost(folder, version, frozen):
    if os.getpid() == launcher or frozen:
        thaw(folder, version, frozen)
    else:
        cgroup.freeze_folder = thaw
cgroup.freeze_folder = lost
"""
"""The first thaw of every keeper does nothing, as if the launcher's next look had frozen the jail before it woke."""
SHORT = 1.0
"""Seconds to the first tick: longer than a short job takes."""
CLOCKS_S = 0.2
"""By which a tick may be told wrongly: two clocks are read one after the other, on a machine that does other things."""


def launcher_code() -> str:
    """A launcher that says its caches can be dropped, as level 3 needs, and does not drop them."""
    return PLAIN + LAUNCHER_IS_FASTER + "scrub.drop_caches = lambda: None\nsys.argv[0] = 'x'\nsys.exit(__main__.main())"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with fresh_places() as make:
        found = start(make(wipe_caches=True, max_jobs=4), code=launcher_code())
        found.settings.workspaces_dir.mkdir(exist_ok=True)
        yield found
        stop(found)


@contextlib.contextmanager
def session(running: Running, workspace: str, user: int = 7, patience_s: float = 120.0) -> Iterator[str]:
    """A session; waits while an earlier test's quiet time is on."""
    name = f"{workspace}-{user}-{time.monotonic_ns()}"
    end = time.monotonic() + patience_s
    with session_socket(running, name) as listener:
        while True:
            try:
                running.hub.start_session(SessionSpec(name, user, workspace, (), env=session_env()), listener.fileno())
                break
            except LauncherBusy:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        try:
            yield name
        finally:
            with contextlib.suppress(SandboxUnavailable):
                running.hub.stop_session(name)


class Sealed:
    """A sealed run in a thread; ``settle`` waits for its end as the worker does."""

    def __init__(self, running: Running, code: str, workspace: str, quiet: Quiet, **more: object) -> None:
        self.running, self.name, self.quiet = running, f"s{time.monotonic_ns()}", quiet
        self.result: JobResult | None = None
        self.ended = 0.0
        self.thread = threading.Thread(target=self._run, args=(code, workspace, more))
        self.thread.start()

    def _run(self, code: str, workspace: str, more: dict[str, object]) -> None:
        given, output = memory_file(code.encode()), os.memfd_create("o")
        spec = JobSpec(self.name, workspace, "sealed", "x.py", Limits(wall_s=60.0), self.quiet)
        with contextlib.suppress(SandboxUnavailable):
            self.result = self.running.worker.run_job(spec, [("/job/x.py", given)], output)
        self.ended = time.time()
        os.close(given)
        os.close(output)

    def settle(self) -> float:
        self.thread.join()
        tick = self.running.worker.settle(self.name)
        assert tick is not None
        return tick


def still(running: Running, name: str) -> bool:
    return running.hub.stands_still(name)


@pytest.mark.parametrize(
    "code", ["raise SystemExit(1)", "import time; time.sleep(0.3)", "import os; os.kill(os.getpid(), 9)"]
)
def test_a_session_goes_on_at_the_tick_and_not_when_the_job_ends(running: Running, code: str) -> None:
    with session(running, "w1") as own, session(running, "stranger") as other:
        job = Sealed(running, code, "w1", quiet_now(base_s=2 * SHORT))
        assert wait_for(lambda: still(running, own))
        assert not still(running, other)
        tick = job.settle()
        # The job is over and its traces are wiped: not the moment yet.
        assert still(running, own) or time.time() > tick - CLOCKS_S
        # A tick of this job: base * 2**n after it was queued.
        assert min(abs(tick - job.quiet.queued_at - 2 * SHORT * 2**n) for n in range(9)) < CLOCKS_S
        assert wait_for(lambda: not still(running, own))
        assert time.time() > tick - CLOCKS_S


def test_what_its_author_sees_waits_for_the_tick(running: Running) -> None:
    with session(running, "w1"):
        job = Sealed(running, "pass", "w1", quiet_now(base_s=SHORT, kin=("kin",)))
        job.thread.join()
        practice = running.run(b"open('/out/a.csv','w').write('a\\n1\\n')", workspace="w2")[1]
        for workspace in ("w1", "kin"):
            with pytest.raises(LauncherBusy, match="fixed moment"):
                running.run(b"pass", workspace=workspace)
            with pytest.raises(LauncherBusy, match="fixed moment"), session(running, workspace, user=8, patience_s=0):
                pass
            with pytest.raises(LauncherBusy, match="fixed moment"):
                parse(running, workspace, practice, sealed=False)
        assert parse(running, "w1", practice, sealed=True) == "ok"  # the job's own output
        tick = job.settle()
        while True:
            try:
                result = running.run(b"pass", workspace="w1")[0]
                break
            except LauncherBusy:
                assert time.time() < tick + PATIENCE_S
                time.sleep(0.02)
        assert result.state == "ok"
        assert time.time() > tick - CLOCKS_S


def parse(running: Running, workspace: str, content: bytes, *, sealed: bool) -> str:
    given, output = memory_file(content), os.memfd_create("o")
    name = f"p{time.monotonic_ns()}"
    spec = JobSpec(name, workspace, "parse", "outputs.tar", PARSE_LIMITS, sealed_output=sealed)
    try:
        return running.worker.run_job(spec, [("/job/outputs.tar", given)], output).state
    finally:
        os.close(given)
        os.close(output)


def test_at_level_three_the_host_is_the_jobs_own(running: Running) -> None:
    with session(running, "stranger") as other:
        job = Sealed(running, "import time; time.sleep(0.5)", "w1", quiet_now("L3", base_s=2 * SHORT))
        assert wait_for(lambda: still(running, other))
        with pytest.raises(LauncherBusy):
            running.run(b"pass", workspace="stranger")
        with pytest.raises(LauncherBusy, match="belongs to another"):
            running.run(b"pass", kind="sealed", workspace="stranger")
        job.settle()
        assert wait_for(lambda: not still(running, other))


def test_a_dry_run_caught_by_a_quiet_time_loses_none_of_its_own(running: Running) -> None:
    """It stands still too, and its clock with it: a limit that passes meanwhile would tell how long that was."""
    result: list[JobResult] = []
    limit_s = 12.0
    code = b"""import time
open('/tmp/on', 'w').close()
before = time.monotonic()
while (now := time.monotonic()) < before + 3:  # until it has stood still: else its limit ends it
    before = now
    time.sleep(0.01)
"""
    dry = threading.Thread(
        target=lambda: result.append(running.run(code, workspace="w1", limits=Limits(wall_s=limit_s))[0])
    )
    dry.start()
    assert wait_for(lambda: any(Path(f"/proc/{pid}/root/tmp/on").exists() for pid in jail_processes("/job/x.py")))
    job = Sealed(running, "pass", "w1", quiet_now(base_s=limit_s + 0.5))
    job.settle()
    dry.join()
    assert result[0].state == "ok", result
    assert result[0].seconds > limit_s


def test_a_frozen_session_can_be_stopped_and_its_keeper_killed(running: Running) -> None:
    trees = cgroup.find(running.settings.run_dir)
    with session(running, "w1") as stopped, session(running, "w1", user=8) as killed:
        job = Sealed(running, "import time; time.sleep(1)", "w1", quiet_now(base_s=2 * SHORT))
        assert wait_for(lambda: still(running, stopped) and still(running, killed))
        running.hub.stop_session(stopped)
        assert still(running, killed), "it was stopped in the quiet time"
        assert not (trees.parents["freezer"] / "session-w1-7").exists()
        group = trees.parents["freezer"] / "session-w1-8"
        inside = {int(pid) for pid in (group / "cgroup.procs").read_text().split()}
        for keeper in (pid for pid in jail_processes("sandbox.execution") | jail_processes("__main__")):
            if inside & set(stopping.below(keeper)) and keeper != running.process.pid:
                os.kill(keeper, signal.SIGKILL)
        assert wait_for(lambda: running.hub.poll_session(killed) is not None)
        assert wait_for(lambda: not group.exists())
        job.settle()


def test_a_killed_worker_leaves_nothing_frozen_for_ever(running: Running) -> None:
    """Its job dies with it; nobody settles it, so the launcher does when another whole run would have passed."""
    quiet = Quiet("L1", time.time(), quiet_now(base_s=0.5, wall_s=5.0).ticks)
    name, entry = f"s{time.monotonic_ns()}", f"orphan{time.monotonic_ns()}.py"
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from sandbox.execution.client import Launcher
from sandbox.contracts import JobSpec, Quiet, Ticks
def given(content):
    fd = os.memfd_create('x'); os.write(fd, content); os.lseek(fd, 0, 0)
    return fd
copy = b"import shutil, time; shutil.copy('/data/a/a.parquet', '/job-work/copy'); time.sleep(300)"
Launcher({str(running.settings.launcher_worker_socket)!r}).run_job(
    JobSpec({name!r}, 'w1', 'sealed', {entry!r}, quiet=Quiet('L1', {quiet.queued_at}, Ticks(0.5, 5.0))),
    [('/job/' + {entry!r}, given(copy)), ('/data/a/a.parquet', given({CANARY!r} * 1000))], os.memfd_create('o'))
"""
    with session(running, "w1") as own:
        worker = subprocess.Popen([sys.executable, "-c", code])
        assert wait_for(lambda: len(jail_processes("/job/" + entry) - {worker.pid}) >= 2)
        assert still(running, own)
        worker.kill()
        worker.wait()
        assert wait_for(lambda: not jail_processes("/job/" + entry))
        assert still(running, own)
        assert wait_for(lambda: not still(running, own))
        assert no_canary(running)
        assert running.worker.settle(name) is None  # a worker that comes back later is told that it is over


def no_canary(running: Running) -> bool:
    places = [running.settings.home.parent, "/dev/shm", "/mnt", "/run", "/var/tmp"]
    return not subprocess.run(["grep", "-rlaF", CANARY.decode(), *places], capture_output=True, check=False).stdout


def test_a_killed_launcher_leaves_no_frozen_process_after_the_next_start(
    places: Callable[..., SandboxSettings],
) -> None:
    running = start(places())
    running.settings.workspaces_dir.mkdir(exist_ok=True)
    with session(running, "w1") as own:
        code = "import time; time.sleep(600)"
        job = Sealed(running, code, "w1", quiet_now(base_s=30.0))
        assert wait_for(lambda: still(running, own))
        tree = cgroup.find(running.settings.run_dir)
        inside = [int(p) for p in (tree.parents["freezer"] / "session-w1-7" / "cgroup.procs").read_text().split()]
        assert inside
        running.process.kill()
        running.process.wait()
        job.thread.join(PATIENCE_S)
        again = start(running.settings)
        assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in inside))
        assert not [path for parent in set(tree.parents.values()) for path in parent.iterdir() if path.is_dir()]
        stop(again)


def test_as_an_ordinary_user_sessions_are_stopped_by_signals_and_level_three_is_shut(
    places: Callable[..., SandboxSettings],
) -> None:
    settings = places()
    for path in (settings.home.parent, settings.home):
        os.chown(path, 65_534, 65_534)
    found = start(settings, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    try:
        with pytest.raises(SandboxUnavailable, match="level L3 cannot run"):
            found.run(b"pass", kind="sealed", quiet=quiet_now("L3"))
        subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "mkdir", found.settings.workspaces_dir],
            check=True,
        )
        spec = SessionSpec("s1", 7, "w1", (), env=session_env())
        found.settings.hub_run_dir.chmod(0o755)
        with session_socket(found, "s1") as listener:
            subprocess.run(["chown", "-R", "65534:65534", found.settings.hub_run_dir], check=True)
            found.hub.start_session(spec, listener.fileno())
            assert wait_for(lambda: jail_processes("sandbox.inside.server"))
            job = Sealed(found, "import time; time.sleep(0.5)", "w1", quiet_now(base_s=2 * SHORT))
            assert wait_for(lambda: found.hub.stands_still("s1"))
            servers = jail_processes("sandbox.inside.server") & set(stopping.below(found.process.pid))
            assert servers
            assert wait_for(lambda: {state(pid) for pid in servers} <= {"T", ""})
            job.settle()
            assert wait_for(lambda: "T" not in {state(pid) for pid in servers})
            found.hub.stop_session("s1")
    finally:
        stop(found)


def state(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""
