"""``python -m sandbox.execution --home H --run R``: the launcher in the foreground."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.execution.daemon import run
from sandbox.settings import COUNTER_STEP, DEFAULT_KERNEL_ENV, SandboxSettings


def main() -> int:
    """Read the arguments and serve. Exit code 1 if another launcher is there, 0 after SIGTERM."""
    parser = argparse.ArgumentParser(prog="sandbox.execution", description="The launcher of jails.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--kernel-env", type=Path, default=DEFAULT_KERNEL_ENV)
    parser.add_argument("--hub-uid", type=int, default=None)
    parser.add_argument("--worker-uid", type=int, default=None)
    parser.add_argument("--counter-step", type=int, default=COUNTER_STEP, help="see execution/scrub.py")
    parser.add_argument("--unsafe-keep-caches", action="store_true", help="do not drop caches after a sealed job")
    given = parser.parse_args()
    settings = SandboxSettings(
        home=given.home,
        run_dir=given.run,
        kernel_env=given.kernel_env,
        hub_uid=given.hub_uid,
        worker_uid=given.worker_uid,
        counter_step=given.counter_step,
        wipe_caches=not given.unsafe_keep_caches,
    )
    try:
        run(settings)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
