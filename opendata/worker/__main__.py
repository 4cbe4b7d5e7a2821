"""``python -m opendata.worker --home HOME``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from opendata.errors import OpenDataError
from opendata.logs import configure
from opendata.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 stopped, 1 refused, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m opendata.worker", description="后台进程 / the worker")
    parser.add_argument("--home", help="数据目录 / the service's home (OPENDATA_HOME)")
    options = parser.parse_args(arguments)
    configure("worker")
    try:
        from opendata.worker.process import run

        run(Settings.load(options.home))
    except OpenDataError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
