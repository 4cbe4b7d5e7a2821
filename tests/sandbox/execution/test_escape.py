"""Known ways out of a jail, all tried in one run of each profile, with controls that show each attempt can succeed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.contracts import MIB, Limits
from sandbox.execution import cgroup, staging
from sandbox.execution.child import keep_in_child
from sandbox.execution.jail import VENV, Bind, Environment, Jail
from sandbox.execution.order import Order
from sandbox.execution.profiles import load
from sandbox.settings import DEFAULT_KERNEL_ENV

from .conftest import jails_possible, memory_file

pytestmark = [
    pytest.mark.integration,
    pytest.mark.alone,
    pytest.mark.skipif(bool(jails_possible()), reason=jails_possible() or "possible"),
]

BATTERY = Path(__file__).with_name("battery.py")
LIMITS = Limits(memory_bytes=512 * MIB, pids=64, wall_s=150.0, data_bytes=4 * MIB, output_bytes=MIB)
AS_ROOT = os.geteuid() == 0


@dataclass
class Host:
    """Things on the host worth reaching."""

    facts: dict[str, Any]
    folder: Path


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    (folder / "people").mkdir()
    (folder / "people" / "people.parquet").write_bytes(b"data")
    (folder / "gate").mkdir()
    (folder / "gate" / "private").write_bytes(b"canary")
    (folder / "gate" / "private").chmod(0o600)
    secret = folder / "secret.txt"
    secret.write_text("canary")
    secret.chmod(0o644)
    name = f"battery-{os.getpid()}"
    unix_path = f"/tmp/{name}.sock"
    listeners = []
    for family, address in (
        (socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, "\0" + name), (socket.AF_UNIX, unix_path),
    ):  # fmt: skip
        listener = socket.socket(family)
        listener.bind(address)
        listener.listen(16)
        listeners.append(listener)
        threading.Thread(target=greet, args=(listener,), daemon=True).start()
    mem_total = (
        next(line for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line)
        .split(":")[1]
        .replace(" ", "")
        .strip()
    )
    marker = subprocess.Popen(["sleep", "4242"], env={"SECRET": "canary"})
    facts = {
        "tcp_port": listeners[0].getsockname()[1], "abstract": name, "unix_path": unix_path, "secret": str(secret),
        "pid": marker.pid, "marker": "4242", "pids": LIMITS.pids, "memory": LIMITS.memory_bytes, "mem_total": mem_total,
    }  # fmt: skip
    yield Host(facts, folder)
    marker.kill()
    marker.wait()
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    os.unlink(unix_path)


def greet(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.sendall(b"hello")


def attack(host: Host, profile_name: str, without: tuple[str, ...] = (), only: Collection[str] = ()) -> dict[str, str]:
    """Run the battery, or these attempts of it, in one jail; name -> what came of it."""
    facts = host.facts | ({"only": sorted(only)} if only else {})
    profile = load(profile_name)
    trees = cgroup.find(Path("/battery"), as_root=AS_ROOT) if "limits" not in without else cgroup.NOWHERE
    uid = 390_000 if AS_ROOT and "uid" not in without else None
    binds = list(Environment.find(DEFAULT_KERNEL_ENV).binds())
    inputs = [("/job/battery.py", memory_file(BATTERY.read_bytes()))] if profile_name == "sealed" else []
    if profile_name == "sealed":
        inputs.append(("/data/people/people.parquet", memory_file(b"data")))
        script = "/job/battery.py"
    else:
        home = host.folder / ("home" if uid is None else "home.ext4")
        if uid is not None:
            staging.make_image(home, 16 * MIB, 390_000)
        else:
            home.mkdir(exist_ok=True)
        (host.folder / "gate" / "battery.py").write_bytes(BATTERY.read_bytes())
        binds += [
            Bind(host.folder / "people", "/data/people", data=True),
            Bind(home, "/home/jovyan", writable=True),
            Bind(host.folder / "gate", "/run/hub"),
        ]
        script = "/run/hub/battery.py"
    output = os.memfd_create("output")
    command = (
        "/bin/sh", "-c", 'exec "$0" "$1" "$SBX_OUTPUT_FD" "$2"', f"{VENV}/bin/python3", script, json.dumps(facts),
    )  # fmt: skip
    jail = Jail(profile, LIMITS, command, binds=binds, inputs=inputs, unsafe_without=without)
    group = cgroup.Group(trees, f"battery-{profile_name}-{len(without)}-{os.getpid()}")
    try:
        keep_in_child(Order(jail, group, uid, LIMITS.wall_s, output, LIMITS.output_bytes))
        said = os.pread(output, LIMITS.output_bytes, 0)
        return json.loads(said)
    finally:
        cgroup.leave(trees)
        os.close(output)
        for _, fd in inputs:
            os.close(fd)


def outside(host: Host) -> dict[str, str]:
    """The harmless attempts on the bare host, by an ordinary process."""
    output = os.memfd_create("output")
    subprocess.run(
        [sys.executable, BATTERY, str(output), json.dumps(host.facts), "--harmless"], pass_fds=[output], check=True
    )
    said = os.pread(output, MIB, 0)
    os.close(output)
    return json.loads(said)


def opened(results: dict[str, str]) -> set[str]:
    return {name for name, result in results.items() if result == "open"}


@pytest.mark.parametrize("profile", ["sealed", "session"])
def test_no_attempt_gets_out(host: Host, profile: str) -> None:
    results = attack(host, profile)
    print(f"{profile}: {len(results)} attempts, {len(opened(results))} got out")
    assert opened(results) == set()
    assert len(results) >= 200


def test_outside_a_jail_the_harmless_attempts_succeed(host: Host) -> None:
    results = outside(host)
    assert len(results) >= 30
    # High bits and other names are refused by the kernel itself or missing on this host.
    assert set(results) - opened(results) <= {
        "socket_family_with_high_bits", "socket_vsock", "read_root_home", "proc_vmstat", "read_hostname",
        "network_interfaces", "page_cache_by_nowait", "proc_folder_sys_fs", "page_cache_by_mincore",
    }  # fmt: skip


def test_without_seccomp_its_own_attempts_succeed(host: Host) -> None:
    got = opened(attack(host, "sealed", ("seccomp",)))
    assert {
        "socket_netlink", "socket_inet", "socket_inet6", "sysinfo_of_host", "ptrace_child", "process_vm_readv_child",
        "call_add_key", "call_shmget", "call_msgget", "call_modify_ldt", "kcmp",
        "call_personality_no_randomization", "free_blocks_of_host_disk", "free_blocks_by_descriptor",
        "watch_shared_file_by_inotify", "watch_shared_folder_by_dnotify", "lease_on_a_file",
        "number_of_host_processes_by_pidfd", "number_of_host_processes_by_clone", "number_of_host_sockets_by_cookie",
    } <= got  # fmt: skip
    # Other layers still hold what is theirs.
    assert not got & {"tcp_to_host", "read_host_secret", "unshare_user", "write_usr", "fork_bomb", "memory_bomb"}


def test_without_the_network_namespace_the_hosts_abstract_sockets_are_open(host: Host) -> None:
    assert opened(attack(host, "sealed", ("network",))) == {"abstract_socket_of_host", "network_interfaces"}


def test_without_network_namespace_and_seccomp_the_hosts_ports_are_open(host: Host) -> None:
    got = opened(attack(host, "sealed", ("network", "seccomp")))
    assert {"tcp_to_host", "udp_to_host", "abstract_socket_of_host"} <= got


def test_without_the_lock_on_user_namespaces_one_can_be_made(host: Host) -> None:
    with_lock = opened(attack(host, "sealed", ("seccomp",)))
    without = opened(attack(host, "sealed", ("seccomp", "userns_lock")))
    assert {"unshare_user", "clone_new_user"} <= without - with_lock


def test_without_the_mount_view_the_hosts_files_and_counters_are_seen(host: Host) -> None:
    own = {
        "read_var", "read_sys", "read_usr_local", "ticks_of_host_in_stat", "memory_of_host_in_meminfo", "uptime_of_host",
        "load_of_host_in_loadavg", "proc_diskstats", "proc_folder_sys_kernel", "sysctl_fs_file_nr", "sysctl_fs_inode_nr",
    }  # fmt: skip
    others = {"tcp_to_host", "free_blocks_of_host_disk", "unshare_user", "write_usr", "fork_bomb", "call_bpf"}
    assert opened(attack(host, "sealed", ("mount_view",), own | others)) == own


@pytest.mark.skipif(not AS_ROOT, reason="needs root: control groups")
def test_without_limits_the_bombs_go_off(host: Host) -> None:
    own = {"fork_bomb", "thread_bomb", "memory_bomb"}
    others = {"tcp_to_host", "read_shadow", "unshare_user", "write_usr", "call_bpf"}
    assert opened(attack(host, "sealed", ("limits",), own | others)) == own


@pytest.mark.skipif(not AS_ROOT, reason="needs root: uids")
def test_without_a_uid_of_its_own_the_launchers_files_are_open(host: Host) -> None:
    own, others = {"file_of_another_uid"}, {"tcp_to_host", "read_shadow", "unshare_user", "write_usr", "call_bpf"}
    assert opened(attack(host, "session", ("uid",), own | others)) == own
    assert opened(attack(host, "session", (), own)) == set()
