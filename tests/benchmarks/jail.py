"""Starting a sealed jail against starting the program itself."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.benchmarks.measured import RUNS, Measured


def start() -> Iterator[Measured]:
    """`sandbox try -- true` beside a bare interpreter."""
    command = [sys.executable, "-c", "from sandbox.cli import main; main()", "try", "--profile", "sealed", "--", "true"]

    def wall(argv: list[str]) -> float:
        times = []
        for _ in range(RUNS):
            begun = time.monotonic()
            subprocess.run(argv, check=True, capture_output=True)
            times.append(time.monotonic() - begun)
        return 1 / statistics.median(times)

    ours, bare = wall(command), wall([sys.executable, "-c", "pass"])
    yield Measured("sandbox try … true / bare interpreter start", ours, bare, "1/s")
