"""Memory and cost of one run from 1 to 40 million records, file to file with the seven-column policy.

Memory is the proportional set size (PSS) of the whole process tree, sampled from /proc while it runs; the peak counts.
Files for 40 million records need about 6 GB in the folder for temporary files.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.files import OURS, make
from tests.benchmarks.measured import ROOT, RUNS, Measured

SIZES = (1_000_000, 4_000_000, 40_000_000)
_PERIOD_S = 0.05
_NEEDED_BYTES = 12 << 30


def growth() -> Iterator[Measured]:
    """Peak memory at 40 M records and its growth from 4 M; CPU a record from 1 M to 40 M."""
    smallest, middle, largest = SIZES
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        if shutil.disk_usage(name).free < _NEEDED_BYTES:
            raise OSError(f"{name} has less than {_NEEDED_BYTES >> 30} GiB free")
        sources = {rows: Path(name, f"{rows}.parquet") for rows in SIZES}
        for rows, source in sources.items():
            make(source, rows)
        # In turn, so that a busy minute of the machine falls on all sizes.
        runs = [{rows: peak_and_cpu(source, Path(name, "out.parquet")) for rows, source in sources.items()}
                for _ in range(RUNS)]  # fmt: skip
    peak = {rows: statistics.median(run[rows][0] for run in runs) for rows in SIZES}
    cpu = {rows: statistics.median(run[rows][1] for run in runs) / rows for rows in SIZES}
    yield Measured("memory (PSS), 40 M records / 1 GB", peak[largest] / 1e6, 1000, "MB", "<= 1")
    yield Measured("memory (PSS), 40 M records / 4 M", peak[largest] / 1e6, peak[middle] / 1e6, "MB", "<= 1.1")
    yield Measured("CPU a record, 40 M records / 1 M", cpu[largest] * 1e6, cpu[smallest] * 1e6, "us", "<= 1.1")


def peak_and_cpu(source: Path, target: Path) -> tuple[float, float]:
    """Highest summed PSS in bytes and CPU seconds of a masking run and all its processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen([sys.executable, "-c", OURS, str(source), str(target)], cwd=ROOT)
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(pss(pid) for pid in tree(process.pid)))
        time.sleep(_PERIOD_S)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "mask")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    target.unlink()
    return peak, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def tree(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                yield from tree(int(child))


def pss(pid: int) -> int:
    """Proportional set size in bytes; 0 of a process that has ended."""
    try:
        return (
            int(re.findall(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)[0]) << 10
        )
    except (OSError, IndexError):
        return 0
