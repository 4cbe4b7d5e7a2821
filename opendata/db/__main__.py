"""``python -m opendata.db revision --part core -m MESSAGE``: write the next migration of a part."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from opendata.db.migrate import migrate, revise
from opendata.errors import OpenDataError
from opendata.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 done, 1 refused, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m opendata.db", description="数据库迁移 / database migrations")
    commands = parser.add_subparsers(dest="command", required=True)
    revision = commands.add_parser("revision", help="由模型生成下一个迁移版本 / write the next version from the models")
    revision.add_argument("--part", default="core")
    revision.add_argument("-m", "--message", required=True)
    upgrade = commands.add_parser("upgrade", help="升级数据库 / upgrade a home's database")
    upgrade.add_argument("--home")
    options = parser.parse_args(arguments)
    try:
        if options.command == "revision":
            parts = () if options.part == "core" else None
            sys.stdout.write(f"{revise(options.part, options.message, parts)}\n")
        else:
            migrate(Settings.load(options.home))
    except OpenDataError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
