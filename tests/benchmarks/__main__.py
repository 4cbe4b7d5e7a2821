"""`./run bench [NAME…]`: each of ours beside its named peer, in one run on this machine.

Rates are medians of three runs of CPU time; the ratio is what counts. A peer that needs its own environment runs there as
a separate process. Nothing here is a test: a slow machine cannot fail it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / ".venv-peers" / "bin" / "python"
RUNS = 3


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    chosen = {name: run for name, run in BENCHMARKS.items() if not names or name in names}
    if not chosen:
        print(f"unknown; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    print(f"{'what':<44} {'ours':>16} {'peer':>16} {'ratio':>8}")
    for run in chosen.values():
        what, ours, peer, unit = run()
        print(f"{what:<44} {ours:>12,.0f} {unit} {peer:>12,.0f} {unit} {ours / peer:>7.1f}x", flush=True)
    return 0


def rate(work: Callable[[], object], items: int) -> float:
    """Items a CPU second, median of the runs."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return items / statistics.median(times)


def peer_rate(program: str, items: int) -> float:
    """The same for a program that runs in the peers' environment and prints its CPU seconds as JSON."""
    done = subprocess.run([str(PEERS), "-c", program], capture_output=True, text=True, check=True)
    return items / statistics.median(json.loads(done.stdout))


def numbers(count: int, digits: int) -> pa.Array:
    """Distinct strings of digits."""
    start = 10 ** (digits - 1)
    return pa.array(np.arange(start, start + count).astype(str))


def keyed_token() -> tuple[str, float, float, str]:
    """pseudonymization.keyed against an hmac loop."""
    import hmac

    from masking.keys import as_keys
    from masking.techniques.base import get

    values = numbers(1_000_000, 18)
    technique = get("pseudonymization.keyed").build({}, attribute="id", key="k", keys=as_keys({"k": b"k" * 32}))
    few = values.slice(0, 100_000).to_pylist()
    loop = rate(lambda: [hmac.new(b"k" * 32, value.encode(), "sha256").hexdigest()[:16] for value in few], len(few))
    return "keyed token, 1 M x 18 digits / hmac loop", rate(lambda: technique.apply(values), len(values)), loop, "v/s"


def ff1() -> tuple[str, float, float, str]:
    """FF1 on a column against ff3, one value at a time."""
    from masking.techniques.cryptographic import FF1

    values = numbers(1_000_000, 18)
    cipher = FF1(b"k" * 16, 10)
    program = (
        "import json, time\nfrom ff3 import FF3Cipher\n"
        "cipher = FF3Cipher('6b' * 16, '00' * 7)\nvalues = [str(10**17 + i) for i in range(20000)]\ntimes = []\n"
        f"for _ in range({RUNS}):\n    start = time.process_time()\n    [cipher.encrypt(v) for v in values]\n"
        "    times.append(time.process_time() - start)\nprint(json.dumps(times))"
    )
    return (
        "FF1, 1 M x 18 digits / ff3",
        rate(lambda: cipher.encrypt(values), len(values)),
        peer_rate(program, 20_000),
        "v/s",
    )


def mask() -> tuple[str, float, float, str]:
    """suppression.mask against the bare polars expression."""
    import polars as pl

    from masking.techniques.base import get

    values = numbers(1_000_000, 11)
    technique = get("suppression.mask").build({"keep_first": 3, "keep_last": 4}, attribute="phone", keys=None)
    series = pl.from_arrow(values)
    bare = pl.DataFrame({"x": series})
    expression = pl.concat_str(pl.col("x").str.head(3), pl.lit("****"), pl.col("x").str.tail(4))
    peer = rate(lambda: bare.select(expression).to_arrow(), len(values))
    return "mask, 1 M x 11 digits / polars expression", rate(lambda: technique.apply(values), len(values)), peer, "v/s"


def jail() -> tuple[str, float, float, str]:
    """Starting a sealed jail against starting the program itself."""
    command = [sys.executable, "-c", "from sandbox.cli import main; main()", "try", "--profile", "sealed", "--", "true"]

    def wall(argv: list[str]) -> float:
        times = []
        for _ in range(RUNS):
            start = time.monotonic()
            subprocess.run(argv, check=True, capture_output=True)
            times.append(time.monotonic() - start)
        return 1 / statistics.median(times)

    return "sandbox try … true / bare interpreter start", wall(command), wall([sys.executable, "-c", "pass"]), "1/s"


BENCHMARKS: dict[str, Callable[[], tuple[str, float, float, str]]] = {
    "keyed-token": keyed_token,
    "ff1": ff1,
    "mask": mask,
    "jail": jail,
}

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
