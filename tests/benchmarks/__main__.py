"""`./run bench [NAME…]`: each of ours beside its named peer, in one run on this machine.

Rates are medians of at least three runs; the ratio is what counts. A peer that needs its own environment runs there as
a separate process. Nothing here is a test: a slow machine cannot fail it. ``--json`` prints one object a line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

from tests.benchmarks import (
    composition,
    files,
    fixed_tables,
    global_recoding,
    jail,
    kernels,
    memory,
    models,
    notebooks,
    output_check,
    policy,
    recoding,
)
from tests.benchmarks.measured import Measured

BENCHMARKS: dict[str, Callable[[], Iterator[Measured]]] = {
    "keyed-token": kernels.keyed_token,
    "ff1": kernels.ff1,
    "ff1-compiled": kernels.ff1_compiled,
    "resident-id": kernels.resident_id,
    "mask": kernels.mask,
    "policy": policy.seven_columns,
    "files": files.file_to_file,
    "memory": memory.growth,
    "composition": composition.two_editions,
    "recoding-global": global_recoding.optimum,
    "recoding-curve": global_recoding.curve,
    "recoding-local": recoding.local,
    "recoding-growth": recoding.growth,
    "jail": jail.start,
    "jail-compute": jail.compute,
    "lab-start": notebooks.lab_start,
    "sealed-job": notebooks.sealed_job,
    "sessions": notebooks.sessions,
    "models": models.checks,
    "fixed-tables": fixed_tables.cube,
    "fixed-tables-memory": fixed_tables.memory,
    "fixed-tables-answers": fixed_tables.answers,
    "output-check": output_check.check,
}


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, or all."""
    as_json = "--json" in arguments
    names = [name for name in arguments if not name.startswith("--")]
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    if not as_json:
        print(f"{'what':<58} {'ours':>16} {'peer':>16} {'ratio':>9} {'target':>9}")
    for name in names or BENCHMARKS:
        for measured in BENCHMARKS[name]():
            print(json.dumps(measured.to_dict(), ensure_ascii=False) if as_json else measured.line(), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
