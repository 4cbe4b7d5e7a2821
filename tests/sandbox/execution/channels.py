"""What a sealed job can tell its author past the airlock: `python -m tests.sandbox.execution.channels [TRIALS]`.

The sender is a real job that was told a bit for every channel; the receivers are what its author may look at: a session
of the same workspace, one of another that is no kin, and a dry run. Guarded (``L3``), it is a sealed job of level 3 and
its ticks are far apart. Two controls show that the receivers can read: ``dry``, the same program in the same jail
without a quiet time, and ``dense``, a sealed job of level 1 whose ticks are so dense that one tells when it ended, and
that the other workspace is not frozen for. A receiver learns a threshold from the first trials and is
counted on the others. `test_channels.py` runs a few trials; the figures of `docs/threat-model.md` are from this program.
As root. Caches are really dropped only from the command line.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import random
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sandbox.contracts import MIB, JobSpec, Limits, Quiet, SessionSpec, Ticks
from sandbox.errors import LauncherBusy
from tests.sandbox.execution.conftest import Running, fresh_places, jails_possible, memory_file, start, stop
from tests.sandbox.execution.test_launcher import session_env, session_socket, tar_names

RECEIVER: Final = Path(__file__).with_name("receiver.py")
SENT: Final = ("pipes", "files", "load", "flock", "record lock", "time", "names", "page cache")
"""Channels; a job is told one bit for each."""
CACHES: Final = ("names", "page cache")
SENDER: Final = """
import fcntl, os, struct, sys, time
bits = {bits!r}
shared = os.open('/usr/bin/env', os.O_RDONLY)
for name, file in {told!r}:
    if bits['names']:
        for number in range(200):
            os.path.lexists(f'/usr/lib/{{name}}-{{number}}')
    if bits['page cache']:
        open(file, 'rb').read()
for _ in range(6000 * bits['pipes']):
    for end in os.pipe():
        os.close(end)
for _ in range(6000 * bits['files']):
    os.close(os.memfd_create(''))
if bits['flock']:
    fcntl.flock(shared, fcntl.LOCK_SH)
if bits['record lock']:
    fcntl.fcntl(shared, fcntl.F_SETLK, struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, 0, 0, 0))
end, children = time.monotonic() + 0.25, []
if bits['load']:
    for _ in range(2 * os.cpu_count()):
        if (pid := os.fork()) == 0:
            held = bytearray(1 << 18)
            while time.monotonic() < end:
                held = bytes(held)
            os._exit(0)
        children.append(pid)
time.sleep(max(0.0, end - time.monotonic()))
for pid in children:
    os.waitpid(pid, 0)
time.sleep({long_s} * bits['time'])
"""
TOO_SLOW_S: Final = 60.0
LOOK: Final = b"import os; open('/out/n.txt', 'w').write(str(os.fstat(os.pipe()[0]).st_ino))"
LAUNCHER: Final = """
import sys
from sandbox.execution import __main__, requests, scrub
receive = ("/opt/venv/bin/python3", "-I", "/run/hub/receiver.py")
plain = requests.module_command
requests.module_command = lambda module: receive if module == "sandbox.inside.server" else plain(module)
if {keep_caches}:
    scrub.drop_caches = lambda: None
sys.argv[0] = "sandbox.execution"
sys.exit(__main__.main())
"""


@dataclass
class Channel:
    """Bits sent and what a receiver saw, trial by trial."""

    sent: list[bool] = field(default_factory=list)
    seen: list[float] = field(default_factory=list)

    def judged(self, learn: int) -> tuple[int, int]:
        """How many of how many bits are read right, with the threshold that fits the first ``learn`` trials best."""
        threshold, high = learned(self.sent[:learn], self.seen[:learn])
        rest = list(zip(self.sent[learn:], self.seen[learn:], strict=True))
        return sum((value > threshold) == (bit == high) for bit, value in rest), len(rest)


def learned(sent: Sequence[bool], seen: Sequence[float]) -> tuple[float, bool]:
    """The threshold, and whether a one lies above it, that read the most of these right; between them, widest apart."""
    cuts = sorted(set(seen))
    options = [((low + high) / 2, high - low) for low, high in itertools.pairwise(cuts)] or [(cuts[0], 0.0)]
    right = {
        (cut, up): (sum((value > cut) == (bit == up) for bit, value in zip(sent, seen, strict=True)), room)
        for cut, room in options
        for up in (True, False)
    }
    return max(right, key=lambda key: right[key])


def by_chance(right: int, n: int) -> float:
    """Probability of at least that many right by guessing."""
    return sum(math.comb(n, k) for k in range(right, n + 1)) / 2**n


def capacity(right: int, n: int) -> tuple[float, float]:
    """Bits a trial that a symmetric channel with this many right carries, and its upper 95 % bound (Wilson)."""
    share, z = right / n, 1.645
    middle, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    upper = (middle + spread) / (1 + z * z / n)
    return _bits(max(share, 0.5)), _bits(max(upper, 0.5))


def _bits(share: float) -> float:
    return 1.0 if share >= 1 else 1 + share * math.log2(share) + (1 - share) * math.log2(1 - share)


class Receiver:
    """A session that measures, and what it printed."""

    def __init__(self, launcher: Running, workspace: str) -> None:
        self.launcher, self.session = launcher, f"r-{workspace}"
        self.listener = session_socket(launcher, self.session)
        self.gate = launcher.settings.gate_dir(self.session)
        (self.gate / "receiver.py").write_bytes(RECEIVER.read_bytes())
        launcher.settings.workspaces_dir.mkdir(exist_ok=True)
        spec = SessionSpec(self.session, 7, workspace, (), env=session_env())
        launcher.hub.start_session(spec, self.listener.fileno())
        self.log = launcher.settings.run_dir / "logs" / f"{self.session}.log"
        self.number = -1

    def said(self, key: str, number: int, seconds: float = 120) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in self.log.read_text().splitlines():
                if line.startswith("{") and (found := json.loads(line)).get(key) == number:
                    return found
            time.sleep(0.005)
        raise AssertionError(self.log.read_text()[-2000:])

    def begin(self) -> int:
        """Start measuring; returns the number of a pipe."""
        self.number += 1
        (self.gate / f"go-{self.number}").touch()
        return int(self.said("ready", self.number)["pipes"])

    def end(self, name: str, file: str) -> dict[str, float]:
        draft = self.gate / "draft"
        draft.write_text(json.dumps({"name": name, "file": file}))
        draft.rename(self.gate / f"stop-{self.number}")
        return self.said("found", self.number)["values"]

    def close(self) -> None:
        self.launcher.hub.stop_session(self.session)
        self.listener.close()


@contextmanager
def listening(*, wipe: bool) -> Iterator[tuple[Running, dict[str, Receiver]]]:
    """A launcher whose sessions are receivers: one in the job's workspace, one in another."""
    with fresh_places() as make:
        code = LAUNCHER.format(keep_caches=not wipe)
        launcher = start(make(counter_step=1 << 15, wipe_caches=True), code=code)
        receivers = {}
        try:
            for workspace in ("own", "other"):
                receivers[workspace] = Receiver(launcher, workspace)
            yield launcher, receivers
        finally:
            for receiver in receivers.values():
                receiver.close()
            stop(launcher)


def trials(
    launcher: Running, receivers: Mapping[str, Receiver], n: int, mode: str, tick_s: float = 1.5, long_s: float = 1.0
) -> dict[str, Channel]:
    """Run ``n`` trials; what each receiver saw on each channel, by ``receiver: channel``.

    By ``long_s`` seconds a job lasts longer that sends a one by its time (a third of that where ticks hide it).
    """
    sent, files = {channel: balanced(n) for channel in SENT}, cold_files()
    found: dict[str, Channel] = {}
    done, names = 0, itertools.count()
    while done < n:
        bits = {channel: sent[channel][done] for channel in SENT}
        told = {who: (f"no-{time.monotonic_ns()}-{who}", files[next(names) % len(files)]) for who in receivers}
        before = [receiver.begin() for receiver in receivers.values()]
        looked = Look(launcher, before[0]) if mode == "L3" else None
        started = time.time()
        code = SENDER.format(
            bits={channel: int(bit) for channel, bit in bits.items()},
            told=list(told.values()),
            long_s=0.3 * long_s if mode == "L3" else long_s,
        )
        late = send(launcher, code, mode, tick_s, looked)
        seen = {
            f"{who}: {channel}": value
            for who, receiver in receivers.items()
            for channel, value in receiver.end(*told[who]).items()
        }
        if looked is not None:
            seen |= looked.values(started)
        if late:  # another tick says so itself, and is paid for; what is asked here is what else can be seen
            tick_s *= 1.5
            if tick_s > TOO_SLOW_S:
                raise AssertionError("the machine is too slow")
            continue
        done += 1
        for name, value in seen.items():
            channel = found.setdefault(name, Channel())
            channel.sent.append(bits["time" if name == "dry run: moment" else name.split(": ")[1]])
            channel.seen.append(value)
    return found


def balanced(n: int) -> list[bool]:
    """Bits in an order that nobody knows, as many ones as zeros, among the first four too."""
    bits = []
    for size in (4, n - 4):
        some = [bool(k % 2) for k in range(size)]
        random.SystemRandom().shuffle(some)
        bits += some
    return bits[:n]


class Look:
    """A dry run that its author asks for again and again from the job's start on, and what it says."""

    def __init__(self, launcher: Running, before: int) -> None:
        self.launcher, self.done, self.before = launcher, threading.Event(), before
        self.number = self.moment = 0.0
        self.thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self.done.is_set():
            try:
                self.moment = time.time()
                self.number = int(tar_names(self.launcher.run(LOOK, workspace="own")[1])["out/n.txt"])
            except LauncherBusy:
                time.sleep(0.01)
            else:
                return

    def values(self, started: float) -> dict[str, float]:
        self.thread.join(120)
        return {"dry run: pipes": self.number - self.before, "dry run: moment": self.moment - started}


def send(launcher: Running, code: str, mode: str, tick_s: float, looked: Look | None) -> bool:
    """Run the sender and wait until its quiet time is over; true if that was at a later tick than the first."""
    limits = Limits(memory_bytes=256 * MIB, cpus=float(os.cpu_count() or 1), wall_s=60.0)
    if mode == "dry":
        launcher.run(code.encode(), limits=limits, workspace="own")
        return False
    queued = time.time()
    quiet = Quiet("L3", queued, Ticks(tick_s, 60.0)) if mode == "L3" else Quiet("L1", queued, Ticks(0.05, 0.05))
    spec = JobSpec(f"s{time.monotonic_ns()}", "own", "sealed", "x.py", limits, quiet)
    given, output = memory_file(code.encode()), os.memfd_create("output")
    if looked is not None:
        threading.Timer(0.15, looked.thread.start).start()
    launcher.worker.run_job(spec, [("/job/x.py", given)], output)
    os.close(given)
    os.close(output)
    tick = launcher.worker.settle(spec.id)
    assert tick is not None
    time.sleep(max(0.0, tick - time.time()) + 0.02)
    return mode == "L3" and tick - queued > tick_s + 0.5


def cold_files() -> list[str]:
    """Files that every jail shows and nothing else reads."""
    found = [path for path in Path("/usr/share").rglob("*.gz") if path.is_file() and 4096 < path.stat().st_size < MIB]
    return sorted(map(str, found))[:400] or ["/usr/bin/env"]


def lines(found: Mapping[str, Channel], learn: int) -> Iterator[str]:
    """One line a receiver and channel."""
    for name, channel in sorted(found.items()):
        right, n = channel.judged(learn)
        bits, upper = capacity(right, n)
        yield f"{name}: {right} of {n}, p = {by_chance(right, n):.2g}, {bits:.2f} bits a job (95 % below {upper:.2f})"


def main() -> int:
    """Measure, guarded and not."""
    parser = argparse.ArgumentParser(prog="tests.sandbox.execution.channels", description=__doc__)
    parser.add_argument("trials", type=int, nargs="?", default=120)
    n = parser.parse_args().trials
    if reason := jails_possible() or ("" if os.geteuid() == 0 else "not root"):
        print(f"not measured: {reason}")
        return 1
    for title, count in (("dry", max(16, n // 4)), ("dense", max(16, n // 4)), ("L3", n)):
        with listening(wipe=title == "L3") as (launcher, receivers):
            found = trials(launcher, receivers, count, title, tick_s=4.0)
            for line in lines(found, max(4, count // 5)):
                print(f"{title}: {line}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
