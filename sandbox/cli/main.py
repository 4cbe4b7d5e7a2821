"""Puts the commands together and turns every foreseen error into one sentence.

Whatever decides about data goes through the portal's API as a person, with that person's token from a file; the bare
operating-system user never votes. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
"""

from __future__ import annotations

import sys

import typer

from opendata.cli.output import fail
from opendata.errors import OpenDataError, safe_sentence
from sandbox.cli.airlock import airlock
from sandbox.cli.run import run
from sandbox.cli.try_ import CONTEXT, try_
from sandbox.errors import SandboxError

app = typer.Typer(
    name="sandbox",
    help="数据沙箱：试运行、密封作业、出域审查 · The sandbox: jails, sealed jobs, airlock",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("try", context_settings=CONTEXT)(try_)
app.command("run")(run)
app.add_typer(airlock, name="airlock")


@app.callback()
def _callback() -> None:
    """Commands stand below."""


def main() -> None:
    """Entry point: errors become one sentence on standard error and exit code 1."""
    try:
        app()
    except SandboxError as error:
        sys.exit(fail(str(error)))
    except OpenDataError as error:
        sys.exit(fail(safe_sentence(error)))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
