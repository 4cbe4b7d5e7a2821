"""The launcher as its callers see it: real jails, real limits, real kill -9."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.contracts import MIB, PARSE_LIMITS, JobSpec, Limits, ParsedOutput, SessionSpec
from sandbox.errors import LauncherRefused, SandboxUnavailable
from sandbox.execution import cgroup
from sandbox.execution.child import keep_in_child
from sandbox.execution.jail import Environment, Jail
from sandbox.execution.order import Order
from sandbox.execution.profiles import load
from sandbox.execution.trial import run_command
from sandbox.settings import DEFAULT_KERNEL_ENV, SandboxSettings

from .conftest import Running, jails_possible, memory_file, quiet_now, start, stop

pytestmark = [
    pytest.mark.integration,
    pytest.mark.alone,
    pytest.mark.skipif(bool(jails_possible()), reason=jails_possible() or "possible"),
]
AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="needs root: uids, control groups")
CANARY = b"CANARY-7c1f-person"
PATIENCE_S = 90.0


def tar_names(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def notebook(*sources: str) -> bytes:
    cells = [
        {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None, "id": f"c{n}"}
        for n, source in enumerate(sources)
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE_S) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_the_door_is_open_here_and_says_what_is_enforced(launcher: Running) -> None:
    enforcement = launcher.worker.probe()
    assert enforcement.open
    assert {check.name for check in enforcement.checks} > set(enforcement.REQUIRED)
    assert json.loads(launcher.settings.enforcement_file.read_text())["open"] is True
    if AS_ROOT:
        assert {check.name for check in enforcement.missing} == {"scrub"}  # switched off for the tests


def test_notebook_reads_data_and_leaves_a_table(launcher: Running) -> None:
    code = notebook(
        "data = open('/data/people/people.parquet', 'rb').read()\nprint(len(data))",
        "open('/out/count.csv', 'w').write('n\\n%d\\n' % len(data))",
        "!curl https://example.com",
    )
    result, content = launcher.run(code, entry="analysis.ipynb", data=b"0123456789")
    assert (result.state, result.reason, result.exit_code) == ("ok", "exit", 0)
    names = tar_names(content)
    assert names["out/count.csv"] == b"n\n10\n"
    executed = json.loads(names["executed.ipynb"])
    shown = json.dumps(executed["cells"][2]["outputs"], ensure_ascii=False)
    assert "沙箱没有网络" in shown
    assert "network guard" in shown


def test_failed_code_is_a_result(launcher: Running) -> None:
    result, content = launcher.run(notebook("1/0"), entry="analysis.ipynb")
    assert (result.state, result.reason) == ("failed", "exit")
    assert "ZeroDivisionError" in tar_names(content)["executed.ipynb"].decode()
    assert launcher.run(b"raise SystemExit(3)")[0].state == "failed"


def test_wall_limit_kills(launcher: Running) -> None:
    result, content = launcher.run(b"while True: pass", limits=Limits(wall_s=1.5))
    assert (result.state, result.reason, content) == ("killed", "timeout", b"")


@needs_root
def test_memory_limit_kills(launcher: Running) -> None:
    code = b"held = [bytearray(b'x') * (1 << 24) for _ in range(100)]"
    result, _ = launcher.run(code, limits=Limits(memory_bytes=256 * MIB, wall_s=60))
    assert (result.state, result.reason) == ("killed", "memory")
    assert result.peak_memory is not None
    assert result.peak_memory < 400 * MIB


def test_endless_printing_meets_the_clock_and_not_the_memory(launcher: Running) -> None:
    result, _ = launcher.run(
        notebook("while True: print('x' * 1000)"), entry="a.ipynb", limits=Limits(wall_s=8, memory_bytes=512 * MIB)
    )
    assert (result.state, result.reason) == ("killed", "timeout")


def test_endless_output_is_stopped() -> None:
    """Whoever got hold of the pipe writes past the limit: the jail is killed, the rest never arrives."""
    limits = Limits(wall_s=PATIENCE_S, output_bytes=MIB)
    command = ("/bin/bash", "-c", 'cat /dev/zero >&"$SBX_OUTPUT_FD"')
    jail = Jail(load("sealed"), limits, command, binds=Environment.find(DEFAULT_KERNEL_ENV).binds())
    group = cgroup.Group(cgroup.find(Path("/endless"), as_root=AS_ROOT), f"endless-{os.getpid()}")
    output = os.memfd_create("output")
    result = keep_in_child(Order(jail, group, 391_000 if AS_ROOT else None, PATIENCE_S, output, limits.output_bytes))
    assert (result.state, result.reason) == ("killed", "output")
    assert os.fstat(output).st_size <= MIB
    os.close(output)


def test_reader_that_stops_reading_holds_nothing_up_but_its_own_job() -> None:
    limits = Limits(wall_s=2, output_bytes=MIB)
    command = ("/bin/bash", "-c", 'cat /dev/zero >&"$SBX_OUTPUT_FD"')
    jail = Jail(load("sealed"), limits, command, binds=Environment.find(DEFAULT_KERNEL_ENV).binds())
    group = cgroup.Group(cgroup.find(Path("/endless"), as_root=AS_ROOT), f"stuck-{os.getpid()}")
    read, write = os.pipe()
    result = keep_in_child(Order(jail, group, 391_000 if AS_ROOT else None, 2, write, limits.output_bytes))
    assert (result.state, result.reason) == ("killed", "timeout")
    os.close(read)
    os.close(write)


@needs_root
def test_code_in_the_jail_cannot_open_the_runners_pipe(launcher: Running) -> None:
    code = b"""
import os
parent, met, got, given = os.getppid(), 0, 0, os.readlink('/proc/self/fd/2')  # a dry run is given a pipe for its errors
for name in os.listdir(f'/proc/{parent}/fd'):
    if 'pipe' in (held := os.readlink(f'/proc/{parent}/fd/{name}')) and held != given:
        met += 1
        try:
            os.open(f'/proc/{parent}/fd/{name}', os.O_WRONLY)
            got += 1
        except PermissionError:
            pass
open('/out/a.txt', 'w').write(f'{met} {got}')
"""
    assert tar_names(launcher.run(code)[1])["out/a.txt"] == b"1 0"


@pytest.mark.parametrize(
    ("code", "refusals"),
    [
        (b"import os; os.symlink('/etc/passwd', '/out/a.csv')", {"link": 1}),
        (b"import os; open('/out/.h','w'); os.mkfifo('/out/p.csv')", {"odd-name": 1, "not-a-file": 1}),
        (b"import os; open('/out/a.csv','w').write('a'); os.link('/out/a.csv','/out/b.csv')", {"hard-link": 2}),
        (b"import os; os.mkdir('/out/d'); open('/out/d/x.csv','w')", {"folder": 1}),
        (b"import socket; socket.socket(socket.AF_UNIX).bind('/out/s.csv')", {"unreadable": 1}),
        (b"import os; os.chmod('/out', 0o700); open('/out/a\\nb.csv','w')", {"odd-name": 1}),
    ],
)
def test_odd_things_in_out_are_left_behind(launcher: Running, code: bytes, refusals: dict[str, int]) -> None:
    result, content = launcher.run(code)
    assert result.state == "ok"
    names = tar_names(content)
    assert set(names) == {"refused.json"}
    assert {entry["code"]: entry["count"] for entry in json.loads(names["refused.json"])} == refusals


@pytest.mark.parametrize(
    "code",
    [
        b"open('/out/huge.csv','wb').write(b'x' * (3 << 20))",
        b"import os\nfor n in range(100_000): os.close(os.open(f'/out/{n}.csv', os.O_CREAT | os.O_WRONLY))",
        b"for n in range(21): open(f'/out/{n}.csv','w').write('a')",
        b"f = open('/out/sparse.csv','wb'); f.truncate(1 << 28)",
    ],
)
def test_too_much_output_is_not_taken_at_all(launcher: Running, code: bytes) -> None:
    result, content = launcher.run(code, limits=Limits(wall_s=60, output_bytes=2 * MIB))
    assert result.state == "failed"
    assert not any(name.startswith("out/") for name in tar_names(content))


def test_background_process_cannot_change_outputs_after_the_run(launcher: Running) -> None:
    code = b"""
import os, time
open('/out/a.txt', 'w').write('first')
if os.fork() == 0:
    os.setsid()
    time.sleep(0.5)
    open('/out/a.txt', 'w').write('later')
    time.sleep(600)
"""
    result, content = launcher.run(code)
    assert result.state == "ok", "it was not waited for: that would have been the limit's end"
    assert tar_names(content)["out/a.txt"] in (b"first", b"later")


def test_outputs_become_typed_tables_in_the_parsers_jail(launcher: Running) -> None:
    _, content = launcher.run(
        b"open('/out/t.csv','w').write('g,n\\na,12\\nb,\\n'); open('/out/p.pkl','wb').write(b'x')"
    )
    output = os.memfd_create("parsed")
    spec = JobSpec("p1", "w1", "parse", "outputs.tar", PARSE_LIMITS)
    fd = memory_file(content)
    result = launcher.worker.run_job(spec, [("/job/outputs.tar", fd)], output)
    parsed = ParsedOutput.from_json(os.pread(output, 1 << 24, 0))
    os.close(output)
    os.close(fd)
    assert result.state == "ok"
    table, pickle = sorted(parsed.files, key=lambda file: file.kind, reverse=True)
    assert [(column.name, column.type) for column in table.columns] == [("g", "string"), ("n", "integer")]
    assert table.rows == (("a", 12), ("b", None))
    assert (pickle.kind, pickle.findings[0].code) == ("rejected", "pickle")


def test_data_comes_through_a_pipe_and_is_read_only(launcher: Running) -> None:
    read, write = os.pipe()

    def feed() -> None:
        with open(write, "wb") as sink:
            sink.writelines([b"x" * 65536] * 64)

    code = b"""
import os
size = os.path.getsize('/data/people/people.parquet')
try:
    open('/data/people/people.parquet', 'ab'); writable = True
except OSError:
    writable = False
open('/out/a.txt', 'w').write(f'{size} {writable}')
"""
    thread = threading.Thread(target=feed)
    thread.start()
    output = os.memfd_create("output")
    fd = memory_file(code)
    inputs = [("/job/x.py", fd), ("/data/people/people.parquet", read)]
    result = launcher.worker.run_job(JobSpec("pipe", "w1", "sealed", "x.py", quiet=quiet_now()), inputs, output)
    time.sleep(max(0.0, launcher.worker.settle("pipe") - time.time()))
    thread.join()
    assert result.state == "ok"
    assert tar_names(os.pread(output, MIB, 0))["out/a.txt"] == b"4194304 False"
    for each in (read, output, fd):
        os.close(each)


def test_data_larger_than_its_limit_is_refused_before_anything_runs(launcher: Running) -> None:
    with pytest.raises(LauncherRefused, match="larger"):
        launcher.run(b"pass", data=b"x" * (3 * MIB), limits=Limits(data_bytes=MIB))


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/etc/passwd", "x.py"), ("/data/../etc/x", "x.py"), ("/data/a/b/c/d", "x.py"), ("/job/../x.py", "x.py"),
        ("/data", "x.py"), ("/opt/venv/x", "x.py"), ("/data//x", "x.py"),
    ],
)  # fmt: skip
def test_inputs_may_lie_below_job_and_data_only(launcher: Running, path: str, entry: str) -> None:
    fd = memory_file(b"x")
    with pytest.raises(LauncherRefused):
        launcher.worker.run_job(JobSpec("x", "w", "dry", entry), [(f"/job/{entry}", fd), (path, fd)], fd)
    os.close(fd)


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"[]", b'{"op": "exec"}', b'{"op": "run_job", "spec": {}, "inputs": []}', b'{"op": 1}', b"\xff\xfe",
        b'{"op": "stop_session", "id": "../x"}', b'{"op": "start_session", "spec": {"id": "/etc"}}', b"[" * 50_000,
    ],
)  # fmt: skip
def test_nonsense_is_answered_and_the_launcher_lives(launcher: Running, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(str(launcher.settings.launcher_worker_socket))
        connection.send(line)
        answered = connection.recv(MIB)
    assert not answered or json.loads(answered)["error"] == "refused"
    assert launcher.worker.probe().open


def test_sessions_are_for_the_hub_and_jobs_for_the_worker(launcher: Running) -> None:
    fd = memory_file(b"x")
    with pytest.raises(LauncherRefused):
        launcher.hub.run_job(JobSpec("x", "w", "dry", "x.py"), [("/job/x.py", fd)], fd)
    with pytest.raises(LauncherRefused):
        launcher.worker.start_session(SessionSpec("s", 1, "w"), fd)
    os.close(fd)


@needs_root
def test_another_uid_is_turned_away(places: Callable[..., SandboxSettings]) -> None:
    running = start(places(hub_uid=61_001, worker_uid=61_002))
    try:
        for path in (running.settings.run_dir.parent, running.settings.run_dir):
            path.chmod(0o755)
        assert os.stat(running.settings.launcher_worker_socket).st_uid == 61_002
        for path, uid, expected in (
            (running.settings.launcher_worker_socket, 61_002, "enforcement"),
            (running.settings.launcher_worker_socket, 61_001, "error"),
            (running.settings.launcher_hub_socket, 61_001, "enforcement"),
            (running.settings.launcher_hub_socket, 65_534, "error"),
        ):
            path.chmod(0o666)  # so that only the look at the caller's uid is left
            code = (
                "import socket,sys; c=socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); c.connect(sys.argv[1])\n"
                'try: c.send(b\'{"op": "probe"}\')\nexcept OSError: pass\nprint(c.recv(99999).decode())'
            )
            said = subprocess.run(
                ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "/usr/bin/python3", "-c", code, str(path)],
                capture_output=True, check=True,
            ).stdout  # fmt: skip
            assert expected in json.loads(said)
    finally:
        stop(running)


def test_door_stays_shut_without_a_kernel_environment(places: Callable[..., SandboxSettings], tmp_path: Path) -> None:
    running = start(places(kernel_env=tmp_path / "nothing"))
    try:
        assert not running.worker.probe().open
        with pytest.raises(SandboxUnavailable, match="run setup"):
            running.run(b"pass")
    finally:
        stop(running)


def test_door_stays_shut_when_a_bomb_is_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox.execution import probe
    from sandbox.execution.jail import Environment

    def survives(self: probe.Prober, code: str, *arguments: str) -> tuple[object, str]:
        said = {probe.KERNEL_ENV: "ok", probe.MEMORY_BOMB: "survived", probe.FORK_BOMB: "400", probe.NETWORK: "open"}
        return probe.JobResult("ok", "exit", 0, 0.1, 1), said.get(code, "open")

    monkeypatch.setattr(probe.Prober, "_jail", survives)
    enforcement = probe.Prober(Environment.find(DEFAULT_KERNEL_ENV), cgroup.NOWHERE, None, []).run()
    assert not enforcement.open
    assert {"memory_bomb", "fork_bomb", "network", "host_files"} <= {check.name for check in enforcement.missing}


def test_door_stays_shut_without_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox.execution import probe, starting
    from sandbox.execution.jail import Environment

    monkeypatch.setattr(starting, "BUBBLEWRAP", "/nowhere/bwrap")
    enforcement = probe.Prober(Environment.find(DEFAULT_KERNEL_ENV), cgroup.NOWHERE, None, []).run()
    assert not enforcement.open
    assert not enforcement["bubblewrap"].stopped


def test_second_launcher_on_the_same_directory_refuses(launcher: Running) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "sandbox.execution", "--home", launcher.settings.home, "--run", launcher.settings.run_dir],
        capture_output=True, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert "另一个启动器" in second.stderr.decode()
    assert launcher.worker.probe().open


def jail_processes(marker: str) -> set[int]:
    """Processes of the host whose command line holds the marker, ours not counted."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                if marker.encode() in Path(f"/proc/{name}/cmdline").read_bytes():
                    found.add(int(name))
    return found


def run_in_thread(running: Running, code: bytes, **more: object) -> threading.Thread:
    def run() -> None:
        with contextlib.suppress(SandboxUnavailable):
            running.run(code, **more)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_killed_launcher_leaves_no_jail_and_no_raw_data(places: Callable[..., SandboxSettings]) -> None:
    running = start(places())
    entry = f"sleeper-{time.monotonic_ns()}.py"
    copy = b"import shutil,time; shutil.copy('/data/people/people.parquet', '/job-work/copy'); time.sleep(300)"
    thread = run_in_thread(running, copy, entry=entry, kind="sealed", data=CANARY * 1000, limits=Limits(wall_s=250))
    assert wait_for(lambda: len(jail_processes(entry)) >= 2)
    assert wait_for(lambda: any(holds_a_copy(pid) for pid in jail_processes(entry)))
    running.process.send_signal(signal.SIGKILL)
    running.process.wait()
    thread.join(PATIENCE_S)
    assert wait_for(lambda: not jail_processes(entry))
    grep = subprocess.run(
        ["grep", "-rlaF", CANARY.decode(), running.settings.home.parent, "/dev/shm", "/mnt", "/run"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert grep.stdout == b""
    assert not any("stage " in line for line in Path("/proc/self/mountinfo").read_text().splitlines())
    # The janitor of the next start removes the groups.
    again = start(running.settings)
    trees = cgroup.find(running.settings.run_dir, as_root=AS_ROOT)
    assert not [path for parent in set(trees.parents.values()) for path in parent.iterdir() if path.is_dir()]
    assert again.run(b"pass")[0].state == "ok"
    stop(again)
    assert not any(parent.exists() for parent in set(trees.parents.values()))


def holds_a_copy(pid: int) -> bool:
    """Whether the jail of a process shows what its job copied."""
    with contextlib.suppress(OSError):
        return len(Path(f"/proc/{pid}/root/job-work/copy").read_bytes()) == len(CANARY) * 1000
    return False


def test_caller_that_goes_away_takes_its_jail_along(launcher: Running) -> None:
    entry = f"gone-{time.monotonic_ns()}.py"
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from sandbox.execution.client import Launcher
from sandbox.contracts import JobSpec
fd = os.memfd_create('x'); os.write(fd, b'import time; time.sleep(300)'); os.lseek(fd, 0, 0)
Launcher({str(launcher.settings.launcher_worker_socket)!r}).run_job(
    JobSpec('gone', 'w', 'dry', {entry!r}), [('/job/' + {entry!r}, fd)], os.memfd_create('o'))
"""
    caller = subprocess.Popen([sys.executable, "-c", code])
    assert wait_for(lambda: len(jail_processes("/job/" + entry) - {caller.pid}) >= 2)
    caller.kill()
    caller.wait()
    assert wait_for(lambda: not jail_processes("/job/" + entry))


def test_job_that_is_given_up_takes_its_jail_along(launcher: Running) -> None:
    """A member who was removed, a workspace that was suspended: the dry run in its jail ends within seconds."""
    entry = f"given-up-{time.monotonic_ns()}.py"

    def waiting() -> None:
        assert wait_for(lambda: len(jail_processes("/job/" + entry)) >= 2)  # it did run
        raise LookupError("given up")

    inputs = [("/job/" + entry, memory_file(b"import time; time.sleep(300)"))]
    with pytest.raises(LookupError, match="given up"):
        launcher.worker.run_job(JobSpec("up", "w", "dry", entry), inputs, os.memfd_create("o"), waiting=waiting)
    assert wait_for(lambda: not jail_processes("/job/" + entry))


def session_socket(running: Running, session: str) -> socket.socket:
    gate = running.settings.gate_dir(session)
    gate.mkdir(parents=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(gate.parent / f"{session}.srv"))
    listener.listen(8)
    return listener


def session_env() -> dict[str, str]:
    return {
        "JUPYTERHUB_API_TOKEN": "nothing", "JUPYTERHUB_API_URL": "http+unix://%2Frun%2Fhub%2Fhub.sock/hub/api",
        "JUPYTERHUB_SERVICE_URL": "http+unix://%2Frun%2Fsrv.sock/user/a/", "JUPYTERHUB_USER": "a",
        "JUPYTERHUB_SERVICE_PREFIX": "/user/a/", "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-a", "JUPYTERHUB_BASE_URL": "/",
    }  # fmt: skip


def test_session_lives_until_stopped_and_sees_its_own_data(launcher: Running) -> None:
    settings = launcher.settings
    data = settings.session_data("w1", "people")
    data.mkdir(parents=True)
    (data / "people.parquet").write_bytes(b"practice")
    with session_socket(launcher, "s1") as listener:
        launcher.hub.start_session(SessionSpec("s1", 7, "w1", ("people",), session_env()), listener.fileno())
        assert launcher.hub.poll_session("s1") is None
        assert wait_for(lambda: jail_processes("sandbox.inside.server"))
        with pytest.raises(LauncherRefused, match="already has a session"):
            launcher.hub.start_session(SessionSpec("s2", 7, "w1", (), session_env()), listener.fileno())
        launcher.hub.stop_session("s1")
        assert launcher.hub.poll_session("s1") is not None
        launcher.hub.stop_session("unknown")
    home = settings.session_home("w1", 7)
    assert (home.with_name("u7.ext4") if AS_ROOT else home).exists()


def test_session_without_its_data_or_through_a_link_is_refused(launcher: Running) -> None:
    settings = launcher.settings
    with session_socket(launcher, "s3") as listener:
        spec = SessionSpec("s3", 7, "w3", ("nothing",), session_env())
        if AS_ROOT:
            with pytest.raises(LauncherRefused):
                launcher.hub.start_session(spec, listener.fileno())
        else:  # bubblewrap itself finds out, just after it was started
            launcher.hub.start_session(spec, listener.fileno())
        assert wait_for(lambda: launcher.hub.poll_session("s3") is not None)
        if AS_ROOT:
            settings.session_data("w3", "people").parent.mkdir(parents=True, exist_ok=True)
            settings.session_data("w3", "people").symlink_to("/etc")
            with pytest.raises(LauncherRefused):
                launcher.hub.start_session(SessionSpec("s3", 7, "w3", ("people",), session_env()), listener.fileno())


@needs_root
def test_sessions_of_a_workspace_are_frozen_while_its_sealed_job_runs(launcher: Running) -> None:
    trees = cgroup.find(launcher.settings.run_dir)

    def state(workspace: str) -> str:
        folder = trees.parents["freezer"] / f"session-{workspace}-7"
        name = "cgroup.freeze" if trees.version == 2 else "freezer.state"
        return (folder / name).read_text().strip()

    launcher.settings.workspaces_dir.mkdir(exist_ok=True)
    listeners = []
    for workspace in ("w4", "w5"):
        listeners.append(session_socket(launcher, f"s-{workspace}"))
        launcher.hub.start_session(
            SessionSpec(f"s-{workspace}", 7, workspace, (), session_env()), listeners[-1].fileno()
        )
    fd, output = memory_file(b"pass"), os.memfd_create("o")
    spec = JobSpec("freezes", "w4", "sealed", "x.py", quiet=quiet_now())
    launcher.worker.run_job(spec, [("/job/x.py", fd)], output)
    os.close(fd)
    os.close(output)
    assert wait_for(lambda: state("w4") in ("FROZEN", "1"))  # until it is settled
    assert state("w5") in ("THAWED", "0")
    launcher.worker.settle("freezes")
    assert wait_for(lambda: state("w4") in ("THAWED", "0"))
    for workspace, listener in zip(("w4", "w5"), listeners, strict=True):
        launcher.hub.stop_session(f"s-{workspace}")
        listener.close()


@needs_root
def test_everything_may_lie_below_closed_directories(places: Callable[..., SandboxSettings], tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "env").symlink_to(DEFAULT_KERNEL_ENV)
    running = start(places(kernel_env=closed / "env"))
    try:
        assert running.run(b"import polars")[0].state == "ok"
    finally:
        stop(running)


@needs_root
def test_as_an_ordinary_user_the_jail_holds_and_says_what_is_weaker(places: Callable[..., SandboxSettings]) -> None:
    settings = places()
    for path in (settings.home.parent, settings.home):
        os.chown(path, 65_534, 65_534)
    running = start(settings, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    running.settings = replace(settings)
    try:
        enforcement = running.worker.probe()
        assert enforcement.open
        assert {check.name for check in enforcement.missing} == {"uid_per_session", "cgroup", "scrub"}
        assert "separation not enforced" in enforcement["uid_per_session"].en.lower()
        result, content = running.run(b"open('/out/a.txt','w').write('hi')", data=b"x")
        assert result.state == "ok"
        assert tar_names(content)["out/a.txt"] == b"hi"
    finally:
        stop(running)


def test_what_the_kernels_use_works_without_the_refused_calls(launcher: Running) -> None:
    """statfs, inotify and pidfds are answered as by a kernel that does not know them; libraries fall back."""
    code = b"""
import asyncio, multiprocessing, os, subprocess, sys, tempfile
import duckdb, numpy, pandas, polars, pyarrow as pa, pyarrow.parquet as pq

def square(x):
    return x * x

async def child():
    process = await asyncio.create_subprocess_exec(sys.executable, '-c', 'print(6)', stdout=asyncio.subprocess.PIPE)
    return (await process.communicate())[0].strip()

assert asyncio.run(child()) == b'6'
with multiprocessing.get_context('fork').Pool(2) as pool:
    assert pool.map(square, [1, 2, 3]) == [1, 4, 9]
table = pa.table({'k': list(range(1000)), 'v': [x % 7 for x in range(1000)]})
pq.write_table(table, '/tmp/t.parquet')
assert pq.read_table('/tmp/t.parquet', memory_map=True).num_rows == 1000
base = duckdb.connect('/tmp/d.duckdb')
base.execute("set memory_limit='64MB'; create table t as select * from '/tmp/t.parquet'")
assert base.execute('select count(*) from (select * from t a, t b order by a.v, b.k)').fetchone() == (1000000,)
assert polars.scan_parquet('/tmp/t.parquet').group_by('v').len().collect().height == 7
assert pandas.read_parquet('/tmp/t.parquet').v.sum() == numpy.array(table['v']).sum()
open('/out/done.txt', 'w').write('done')
"""
    result, content = launcher.run(code, limits=Limits(wall_s=120, cpus=2.0))
    assert result.state == "ok", result
    assert tar_names(content)["out/done.txt"] == b"done"


def test_a_command_that_is_not_there_is_said_to_be_missing(capfd) -> None:
    """``sandbox try``: looked up inside, where the name means what would run."""
    assert run_command("session", [], ["nosuchcommand"], DEFAULT_KERNEL_ENV) == 127
    assert "there is no command nosuchcommand" in capfd.readouterr().err
    assert (
        run_command("session", [], ["python3", "-c", "import sys; sys.exit(int(sys.argv[1]))", "7"], DEFAULT_KERNEL_ENV)
        == 7
    )
    assert capfd.readouterr().err == ""


def test_plots_have_chinese_text(capfd) -> None:
    """Every glyph is there, without a word in the notebook. The control: with matplotlib's own settings it is missed."""
    if not any(Path("/usr/share/fonts").rglob("NotoSansCJK*")):
        pytest.skip("no Chinese font on this machine: apt-get install fonts-noto-cjk")
    code = """
import os, sys, warnings
if sys.argv[1] == 'plain':
    del os.environ['MATPLOTLIBRC']
import matplotlib
matplotlib.use('agg')
import matplotlib.pyplot as plt
warnings.simplefilter('error')
plt.title('各区就诊人数')
plt.savefig('/tmp/a.png')
"""
    assert run_command("sealed", [], ["python3", "-c", code, "ours"], DEFAULT_KERNEL_ENV) == 0, capfd.readouterr().err
    assert run_command("sealed", [], ["python3", "-c", code, "plain"], DEFAULT_KERNEL_ENV) == 1
    assert "missing from font" in capfd.readouterr().err
