"""What is left to a process that becomes bubblewrap, as the kernel tells it; the control is the test's own process."""

from __future__ import annotations

import ctypes
import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.execution import cgroup
from sandbox.execution.rights import Rights

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: uids, control groups")
UID = 391_234
GIVEN = Rights(UID, file_bytes=1 << 20, open_files=99, processes=44)
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def in_fork(before: Callable[[], object]) -> dict[str, str]:
    """``/proc/self/status``, ``cgroup`` and the limits of a forked process in which ``before`` was called."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            before()
            told = dict(
                line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line
            )
            told |= {
                name: str(resource.getrlimit(getattr(resource, name))) for name in dir(resource) if "RLIMIT" in name
            }
            told["cgroup"] = Path("/proc/self/cgroup").read_text()
            os.write(write, json.dumps(told).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read) as file:
        said = file.read()
    os.waitpid(child, 0)
    return json.loads(said)


def hand_rights_on() -> None:
    """As a launcher with a group, whose starter made one of its capabilities survive a change of uid."""
    os.setgroups([4])
    libc, header, sets = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    sets[2] |= 1  # CAP_CHOWN, inheritable
    assert libc.capset(header, sets) == 0
    assert libc.prctl(47, 2, 0, 0, 0) == 0  # PR_CAP_AMBIENT_RAISE


@needs_root
def test_no_right_is_left_and_none_comes_back() -> None:
    told, control = in_fork(lambda: (hand_rights_on(), GIVEN.take())), in_fork(hand_rights_on)
    assert {told[name].strip("0") for name in SETS} == {""}
    assert told["NoNewPrivs"] == "1"
    assert told["Uid"].split() == told["Gid"].split() == [str(UID)] * 4
    assert told["Groups"].split() == []
    assert control["NoNewPrivs"] == "0"
    assert all(control[name].strip("0") for name in SETS)
    assert control["Groups"].split() == ["4"]


def test_limits_are_set_for_good() -> None:
    plain = Rights(None, file_bytes=1 << 20, open_files=99, processes=44)
    told, control = in_fork(plain.take), in_fork(lambda: None)
    wanted = {
        "RLIMIT_FSIZE": 1 << 20,
        "RLIMIT_NOFILE": 99,
        "RLIMIT_MEMLOCK": 65_536,
        "RLIMIT_CORE": 1,
        "RLIMIT_MSGQUEUE": 0,
    }
    for name, most in wanted.items():
        assert told[name] == str((most, most)) != control[name]
    assert told["RLIMIT_NPROC"] == control["RLIMIT_NPROC"]  # other processes of the same user would count too
    assert told["NoNewPrivs"] == "1"


@needs_root
def test_processes_of_a_uid_of_its_own_are_counted() -> None:
    assert in_fork(GIVEN.take)["RLIMIT_NPROC"] == "(44, 44)"


@needs_root
def test_what_the_kernel_refuses_is_an_error() -> None:
    def twice() -> None:
        GIVEN.take()
        with pytest.raises(OSError, match="not permitted"):
            Rights(0, file_bytes=1 << 20, open_files=99, processes=44).take()

    assert in_fork(twice)["Uid"].split() == [str(UID)] * 4


@needs_root
def test_a_process_joins_its_group_in_every_tree() -> None:
    trees = cgroup.find(Path("/joining"))
    if not trees.version:
        pytest.skip("no usable control groups")
    group = cgroup.Group(trees, f"joining-{os.getpid()}")
    group.make()
    try:
        places = [line.split(":", 2) for line in in_fork(group.join)["cgroup"].splitlines()]
        inside = {name for _, names, path in places if path.endswith(f"/{group.name}") for name in names.split(",")}
        assert inside == ({""} if trees.version == 2 else set(trees.parents))
        assert group.name not in Path("/proc/self/cgroup").read_text()
    finally:
        group.remove()
        cgroup.leave(trees)
