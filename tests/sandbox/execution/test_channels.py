"""Covert channels between a sealed job and what its author may look at: nothing above chance, and what shows they work.

The figures of the threat model are from `channels`, with more trials and with the caches really dropped.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from ctypes import CDLL, c_size_t, c_ubyte, c_void_p

import pytest

from sandbox.settings import SandboxSettings

from .channels import Channel, Receiver, by_chance, capacity, cold_files, learned, listening, trials
from .conftest import Running, jails_possible, start, stop

pytestmark = [
    pytest.mark.integration,
    pytest.mark.alone,
    pytest.mark.skipif(bool(jails_possible()), reason=jails_possible() or "possible"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: control groups"),
]
LEARN, COUNTED = 4, 8
Pair = tuple[Running, Mapping[str, Receiver]]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with listening(wipe=False) as found:
        yield found


def right(found: Mapping[str, Channel], name: str, learn: int) -> float:
    return by_chance(*found[name].judged(learn))


def test_nothing_above_chance_past_a_guarded_job(pair: Pair) -> None:
    """A channel that seems to carry something has to do so twice."""
    found = trials(*pair, LEARN + COUNTED, "L3")
    stored = {name for name in found if "names" in name or "page cache" in name}  # caches are not dropped here
    assert {"own: pipes", "other: time", "dry run: moment", "dry run: pipes"} <= set(found)
    again: dict[str, Channel] = {}
    for name, channel in found.items():
        seems = name not in stored and by_chance(*channel.judged(LEARN)) < 0.005
        if seems:
            again = again or trials(*pair, LEARN + COUNTED, "L3")
            assert right(again, name, LEARN) > 0.005, (name, channel)


def read_in(pair: Pair, mode: str, names: tuple[str, ...]) -> None:
    """Each of these carries its bits, at least five of six, in one of three tries: the machine has other things to do.

    Ticks lie apart by a factor of 2, so the busier it is the longer a job has to last to end at another one.
    """
    missed = set(names)
    for long_s in (1.0, 3.0, 9.0):
        found = trials(*pair, LEARN + 6, mode, long_s=long_s)
        missed -= {name for name in names if found[name].judged(LEARN)[0] >= 5}
        if not missed:
            return
    raise AssertionError({name: found[name] for name in missed})


def test_the_same_program_without_a_quiet_time_is_read(pair: Pair) -> None:
    read_in(pair, "dry", ("own: pipes", "own: files", "own: flock", "own: record lock", "other: files", "other: flock"))


def test_dense_ticks_tell_when_a_job_ended_and_a_stranger_sees_level_one(pair: Pair) -> None:
    read_in(pair, "dense", ("own: time", "other: flock", "other: record lock"))


def resident(path: str) -> bool:
    """Whether the first page of a file lies in memory: what the host's own root can ask and a jail cannot."""
    libc = CDLL(None, use_errno=True)
    libc.mmap.restype = c_void_p
    fd = os.open(path, os.O_RDONLY)
    address = libc.mmap(None, c_size_t(mmap.PAGESIZE), 1, 1, fd, 0)
    seen = (c_ubyte * 1)()
    libc.mincore(c_void_p(address), c_size_t(mmap.PAGESIZE), seen)
    libc.munmap(c_void_p(address), c_size_t(mmap.PAGESIZE))
    os.close(fd)
    return bool(seen[0] & 1)


@pytest.mark.parametrize("wipe", [True, False])
def test_what_a_sealed_job_read_is_in_no_cache_afterwards(places: Callable[..., SandboxSettings], wipe: bool) -> None:
    running = start(places(wipe_caches=wipe))
    path = cold_files()[-1]
    try:
        running.run(f"open({path!r}, 'rb').read()".encode(), kind="sealed")
        assert resident(path) is not wipe
    finally:
        stop(running)


def test_judges_know_chance_from_a_channel() -> None:
    assert by_chance(12, 12) == 2**-12
    assert by_chance(0, 5) == 1
    assert learned([True, False, True, False], [5.0, 1.0, 6.0, 2.0]) == (3.5, True)
    assert learned([True, False], [1.0, 9.0]) == (5.0, False)
    assert Channel([True, False] * 8, [float(k % 2) for k in range(16)]).judged(4) == (12, 12)
    assert Channel([True, False] * 8, [1.0] * 16).judged(4)[0] == 6
    assert capacity(50, 100)[0] == 0
    assert capacity(100, 100)[0] == 1
