"""What a benchmark says, and how it is taken."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / ".venv-peers" / "bin" / "python"
RUNS = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """Ours beside the peer. ``ratio`` is ours / peer; ``target`` is what is aimed at, with its comparison."""

    what: str
    ours: float
    peer: float
    unit: str
    target: str = ""

    @property
    def ratio(self) -> float:
        """Ours / peer."""
        return self.ours / self.peer

    def line(self) -> str:
        """One row of the table."""
        ours, peer = (f"{number:,.0f}" if number >= 100 else f"{number:.3g}" for number in (self.ours, self.peer))
        ours, peer = f"{ours} {self.unit}", f"{peer} {self.unit}"
        return f"{self.what:<58} {ours:>16} {peer:>16} {self.ratio:>8.3g}x {self.target:>9}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "ratio": self.ratio}


def rate(work: Callable[[], object], items: int, runs: int = RUNS) -> float:
    """Items a CPU second of this process, median of the runs after one that warms up."""
    work()
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return items / statistics.median(times)


def peer_rate(program: str, items: int) -> float:
    """The same for a program that runs in the peers' environment and prints its CPU seconds as JSON."""
    done = subprocess.run([str(PEERS), "-c", program], capture_output=True, text=True, check=True)
    return items / statistics.median(json.loads(done.stdout.splitlines()[-1]))
