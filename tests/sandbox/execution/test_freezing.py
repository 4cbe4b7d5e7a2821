"""Who stands still around a sealed job and until when; how its traces are padded. No jail is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.contracts import (
    COUNTER_STEPS,
    QUIET_RULES,
    BadContract,
    Check,
    Enforcement,
    JobSpec,
    Quiet,
    Ticks,
)
from sandbox.execution import scrub, stopping
from sandbox.execution.clock import StoppedClock
from sandbox.execution.freezing import QuietTimes
from sandbox.workspaces import visibility

TICKS = Ticks(base_s=15.0, wall_s=600.0)


def quiet(level: str = "L1", *kin: str, queued_at: float = 1000.0) -> Quiet:
    return Quiet(level, queued_at, TICKS, kin)


def begun(level: str = "L1", *kin: str) -> QuietTimes:
    """Queued at 1000 by the calendar, started 3 seconds later; the launcher's own clock shows 50 then."""
    times = QuietTimes()
    times.begin("j1", "w1", quiet(level, *kin), now=50.0, clock=1003.0)
    return times


@pytest.mark.parametrize(
    ("level", "workspace", "still"),
    [
        ("L1", "w1", True), ("L1", "kin", True), ("L1", "stranger", False),
        ("L2", "w1", True), ("L2", "kin", True), ("L2", "stranger", False),
        ("L3", "w1", True), ("L3", "kin", True), ("L3", "stranger", True),   # the host is its own
        ("L4", "w1", True), ("L4", "kin", True), ("L4", "stranger", True),
    ],
)  # fmt: skip
def test_who_stands_still(level: str, workspace: str, still: bool) -> None:
    assert begun(level, "kin").frozen(workspace) is still


@given(ran=st.floats(0, 900), checked=st.floats(0, 900))
def test_the_end_is_a_tick_counted_from_queueing_whatever_the_run_did(ran: float, checked: float) -> None:
    times = begun()
    times.run_ended("j1", 50 + ran)
    assert times.over(50 + ran) == []  # not when the run ends
    settled = 50 + ran + checked
    there = times.by_job["j1"]
    there.until = there.next_tick(settled)
    elapsed = there.until - 47.0  # queued three seconds before the run
    assert any(abs(elapsed - tick) < 1e-6 for tick in [15 * 2**n for n in range(7)] + [960 + 600 * n for n in range(9)])
    assert elapsed >= 3 + ran + checked - 1e-6
    assert times.over(there.until - 0.01) == []
    assert [each.job for each in times.over(there.until)] == ["j1"]
    assert not times.frozen("w1")


def test_a_job_that_dies_at_once_stands_still_as_long_as_one_of_ten_seconds() -> None:
    ends = set()
    for ran in (0.01, 10.0):
        times = begun()
        times.run_ended("j1", 50 + ran)
        ends.add(times.by_job["j1"].next_tick(50 + ran))
    assert ends == {62.0}


def test_a_run_repeated_after_a_crash_goes_on_with_its_quiet_time() -> None:
    times = begun()
    times.run_ended("j1", 55.0)
    times.by_job["j1"].counters = scrub.Counters(1, 2)
    times.by_job["j1"].until = 62.0
    again = times.begin("j1", "w1", quiet(), now=61.0, clock=1014.0)
    assert (again.zero, again.running, again.until, again.counters) == (47.0, True, None, scrub.Counters(1, 2))
    assert times.over(70.0) == []
    assert times.frozen("w1")


def test_one_that_nobody_settles_is_found_after_a_runs_length() -> None:
    times = begun()
    assert not times.by_job["j1"].forgotten(5000.0)  # still running
    times.run_ended("j1", 100.0)
    assert not times.by_job["j1"].forgotten(699.0)
    assert times.by_job["j1"].forgotten(701.0)


def test_places_stay_taken_until_the_tick_and_a_host_of_ones_own_is_no_others() -> None:
    times = begun()
    assert times.held_places("j2") == 0  # it runs: the running are counted elsewhere
    times.run_ended("j1", 55.0)
    assert (times.held_places("j2"), times.held_places("j1")) == (1, 0)
    assert not times.shuts_out("j2", quiet("L1"))
    assert times.shuts_out("j2", quiet("L3"))
    assert begun("L3").shuts_out("j2", quiet("L1"))
    assert not begun("L3").shuts_out("j1", quiet("L3"))


def test_the_launcher_wakes_at_the_tick() -> None:
    times = begun()
    assert times.wake_in(60.0, 5.0) == 5.0
    times.by_job["j1"].until = 62.0
    assert times.wake_in(60.0, 5.0) == 2.0
    assert times.wake_in(63.0, 5.0) == 0.0


@pytest.mark.parametrize("elapsed", [0.0, 14.99, 15.0, 15.01, 30.0, 959.0, 960.0, 961.0, 1560.0, 1561.0, 9999.0])
def test_pages_and_launcher_have_the_same_ticks(elapsed: float) -> None:
    shown = visibility.Ticks(TICKS.base_s, TICKS.wall_s)
    start = datetime(2026, 3, 2, tzinfo=UTC)
    assert shown.next_at(start, start + timedelta(seconds=elapsed)) == start + timedelta(seconds=TICKS.next(elapsed))
    last = TICKS.last(elapsed)
    at = shown.last_at(start, start + timedelta(seconds=elapsed))
    assert at == (None if last is None else start + timedelta(seconds=last))


def test_sealed_jobs_and_they_alone_say_their_quiet_time() -> None:
    good = {"id": "j", "workspace": "w", "entry": "x.py"}
    assert not JobSpec(kind="sealed", quiet=quiet(), **good).shown
    assert JobSpec(kind="dry", **good).shown
    assert JobSpec(kind="parse", **good | {"entry": "o.tar"}).shown  # of practice output: its author sees it
    assert not JobSpec(kind="parse", sealed_output=True, **good | {"entry": "o.tar"}).shown
    for wrong in (
        {"kind": "sealed"}, {"kind": "dry", "quiet": quiet()}, {"kind": "dry", "sealed_output": True},
        {"kind": "sealed", "quiet": quiet(), "sealed_output": True},
    ):  # fmt: skip
        with pytest.raises(BadContract):
            JobSpec(**good | wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"level": "L5"}, {"level": "core"}, {"queued_at": float("nan")}, {"queued_at": True}, {"kin": ("../x",)}],
)
def test_quiet_times_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(BadContract):
        Quiet(**{"level": "L1", "queued_at": 1.0} | wrong)


def test_each_level_has_what_it_needs_or_is_shut() -> None:
    everything = tuple(Check(name, "stopped", name, name) for name in (*Enforcement.REQUIRED, *QUIET_RULES["L4"].needs))
    assert [Enforcement(everything).lacking(level) for level in QUIET_RULES] == [(), (), (), ()]
    for number, check in enumerate(everything):
        worse = Enforcement((*everything[:number], replace(check, state="missing"), *everything[number + 1 :]))
        for level, rule in QUIET_RULES.items():
            needed = check.name in (*Enforcement.REQUIRED, *rule.needs)
            assert bool(worse.lacking(level)) is needed, (level, check.name)
            assert bool(Enforcement((*everything[:number], *everything[number + 1 :])).lacking(level)) is needed
    assert all("freeze" in rule.needs for rule in QUIET_RULES.values())
    with pytest.raises(BadContract):
        Enforcement(everything).lacking("core")


@given(used=st.integers(0, 10**9), step=st.integers(1 << 10, 1 << 20))
def test_padding_hides_all_but_a_few_totals(used: int, step: int) -> None:
    padded = scrub.total(used, step)
    assert padded >= max(used, step)
    assert padded == step or scrub.total(padded - 1, step) == padded
    if used <= step * scrub.FACTOR ** (COUNTER_STEPS - 1):
        assert padded in {step * scrub.FACTOR**n for n in range(COUNTER_STEPS)}


def test_two_uses_of_the_hosts_numbers_look_alike_after_padding() -> None:
    def grown(pipes: int) -> int:
        before = scrub.read_counters()
        for _ in range(pipes):
            os.close(os.memfd_create(""))
        assert scrub.pad_counters(before, 1 << 15)
        return scrub.read_counters().files - before.files

    # Others on this machine use numbers too, so it may take a second look; without padding the two lie 9,000 apart.
    assert any(abs(grown(0) - grown(9000)) < 4 * scrub.BATCH for _ in range(3))


def test_padding_ends_soon_when_the_numbering_was_begun_anew() -> None:
    now = scrub.read_counters()
    ahead = scrub.Counters(now.pipes + (1 << 20), now.files + (1 << 20))
    assert scrub.pad_counters(ahead, 1 << 12, longest_s=20)
    assert scrub.read_counters().files - now.files < 1 << 18


def test_padding_gives_up_in_time() -> None:
    assert not scrub.pad_counters(scrub.read_counters(), 1 << 28, longest_s=0.05)


def test_a_clock_that_stood_still() -> None:
    clock = StoppedClock()
    assert clock.seconds() == 0
    clock.stop()
    time.sleep(0.05)
    standing = clock.seconds()
    clock.go_on()
    after = clock.seconds()
    time.sleep(0.02)
    assert 0.05 <= standing <= after == clock.seconds()


def test_signals_stop_a_whole_tree_and_let_it_go_on() -> None:
    code = "import os, time\nif os.fork() == 0: os.fork()\nwhile True: time.sleep(0.01)"
    parent = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])", code]
    )
    try:
        end = time.monotonic() + 20
        while len(stopping.below(parent.pid)) < 3 and time.monotonic() < end:
            time.sleep(0.02)
        assert stopping.stop_below(parent.pid)
        assert set(stopping.below(parent.pid).values()) == {"T"}
        stopping.go_on_below(parent.pid)
        time.sleep(0.05)
        assert "T" not in stopping.below(parent.pid).values()
    finally:
        for pid in stopping.below(parent.pid):
            os.kill(pid, signal.SIGKILL)
        parent.kill()
        parent.wait()
