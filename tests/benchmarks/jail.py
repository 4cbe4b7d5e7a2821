"""Jails: how long one takes to start and end, and what computing inside costs.

Both sides of a line run in turn on this machine. Jails are the launcher's own: all layers are on.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from sandbox.contracts import MIB, Limits
from sandbox.execution import cgroup
from sandbox.execution.child import keep_in_child
from sandbox.execution.jail import VENV, Environment, Jail
from sandbox.execution.order import Order
from sandbox.execution.profiles import load
from sandbox.settings import DEFAULT_KERNEL_ENV
from tests.benchmarks.measured import Measured
from tests.sandbox.execution.conftest import Running, fresh_places
from tests.sandbox.execution.conftest import start as start_launcher
from tests.sandbox.execution.conftest import stop as stop_launcher

STARTS = 21
COMPUTE_RUNS = 5
LIMITS = Limits(memory_bytes=2048 * MIB, cpus=2.0, pids=128, wall_s=300.0)

TRUE_INSTEAD = """
import sys
from sandbox.execution import __main__, requests
requests.module_command = lambda module: ("/bin/true",)
sys.argv[0] = "launcher"
sys.exit(__main__.main())
"""

WORK = """
import json, resource, time
import numpy as np, pandas as pd, polars as pl
rng = np.random.default_rng(1)
begun, used = time.perf_counter(), time.process_time()
matrix = rng.normal(size=(600, 600))
for _ in range(12):
    matrix = np.tanh(matrix @ matrix / 600)
frame = pd.DataFrame({"g": rng.integers(0, 500, 1_500_000), "x": rng.normal(size=1_500_000)})
for _ in range(4):
    frame.groupby("g").x.agg(["mean", "std", "count"])
polars = pl.from_pandas(frame)
for _ in range(6):
    polars.group_by("g").agg(pl.col("x").mean().alias("m"), pl.col("x").quantile(0.9).alias("q")).sort("g")
for number in range(40):
    with open(f"/tmp/{number}", "w") as file:
        file.write("x" * 200_000)
total = sum(len(open(f"/tmp/{number}").read()) for number in range(40))
text = sum(len(str(i)) for i in range(1_500_000))
print(json.dumps([time.perf_counter() - begun, time.process_time() - used]))
"""


def start() -> Iterator[Measured]:
    """A sealed jail as the launcher's caller meets it, from the request to its answer; medians in milliseconds.

    Request, inputs copied in, jail, command, end, result: all of it over the real launcher's socket. Beside it the same
    command alone. The first line asks a launcher in which ``true`` stands in place of our runner, the second one as it is.
    """
    for what, code, alone, target in (
        ("sealed jail: request, start, true, end, answer", TRUE_INSTEAD, ["/bin/true"], "<= 50 ms"),
        ("sealed jail: request to answer, an empty script", "", [DEFAULT_KERNEL_ENV / "bin/python", "-c", ""], ""),
    ):
        with fresh_places() as make:
            running = start_launcher(make(), code=code)
            try:
                ours, bare = in_turn([partial(ask, running), partial(subprocess.run, alone, check=True)], STARTS)
            finally:
                stop_launcher(running)
        yield Measured(what, 1000 * ours, 1000 * bare, "ms", target)


def ask(running: Running) -> None:
    """One job whose script does nothing."""
    assert running.run(b"", limits=LIMITS)[0].state == "ok"


def compute() -> Iterator[Measured]:
    """One program of numpy, pandas, polars, files and plain Python; what it says of its own seconds."""
    run = jailed()
    told: dict[str, list[tuple[float, float]]] = {"inside": [], "outside": []}

    def inside() -> None:
        read, write = os.pipe()
        saved = os.dup(1)
        try:
            os.dup2(write, 1)
            code = run((f"{VENV}/bin/python", "-c", WORK), True)
        finally:
            os.dup2(saved, 1)
            os.close(saved)
            os.close(write)
        with open(read) as said:
            told["inside"].append(tuple(json.loads(said.read())))
        assert code == 0

    def outside() -> None:
        done = subprocess.run(
            [DEFAULT_KERNEL_ENV / "bin/python", "-c", WORK], capture_output=True, text=True, check=True
        )
        told["outside"].append(tuple(json.loads(done.stdout)))

    in_turn([inside, outside], COMPUTE_RUNS)
    for place, what in ((1, "CPU"), (0, "wall")):
        ours, bare = (statistics.median(each[place] for each in told[side]) for side in ("inside", "outside"))
        yield Measured(f"computing in a sealed jail / outside, {what}", ours, bare, "s", "<= 1.03")


def in_turn(works: Sequence[Callable[[], None]], runs: int) -> list[float]:
    """Median wall seconds of each, run in turn, after one round that warms up."""
    times: list[list[float]] = [[] for _ in works]
    for number in range(runs + 1):
        for work, taken in zip(works, times, strict=True):
            begun = time.perf_counter()
            work()
            if number:
                taken.append(time.perf_counter() - begun)
    return [statistics.median(taken) for taken in times]


def jailed() -> Callable[[Sequence[str], bool], int | None]:
    """A function that runs a command in a sealed jail of its own, with its output shown or not; the exit code."""
    environment = Environment.find(DEFAULT_KERNEL_ENV)
    as_root = os.geteuid() == 0
    trees = cgroup.find(Path("/run/sandbox-bench"), as_root=as_root)
    profile = load("sealed")
    numbers = iter(range(1_000_000))

    def run(command: Sequence[str], screen: bool) -> int | None:
        number = next(numbers)
        jail = Jail(profile, LIMITS, tuple(command), binds=environment.binds())
        group = cgroup.Group(trees, f"bench-{os.getpid()}-{number}")
        uid = 450_000 + number % 10_000 if as_root else None
        return keep_in_child(Order(jail, group, uid, LIMITS.wall_s, screen=screen)).exit_code

    return run
