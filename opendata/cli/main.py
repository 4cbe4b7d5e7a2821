"""Puts the commands together and turns every foreseen error into one sentence.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage. The bare operating-system user may administer (people, service,
ledger); whatever decides about data goes through the portal's API as a person, with that person's token.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from opendata.cli import evidence, health, people, remote, serve
from opendata.cli.output import fail
from opendata.errors import OpenDataError, safe_sentence

app = typer.Typer(
    name="opendata",
    help="公共数据开放与沙箱服务 · Privacy-preserving public data opening and sandbox service",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(serve.up)
app.command("demo")(serve.demo)
app.add_typer(people.users, name="user")
app.add_typer(people.organizations, name="organization")
app.add_typer(remote.datasets, name="dataset")
app.add_typer(remote.editions, name="edition")
app.add_typer(remote.grants, name="grant")
app.add_typer(evidence.ledger, name="ledger")
app.command("verify")(evidence.verify)
app.command("doctor")(health.doctor)


@app.callback()
def _version(
    *, version: Annotated[bool, typer.Option("--version", help="显示版本 · print the version and stop")] = False
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(installed("opendata-sandbox"))
        raise typer.Exit


def main() -> None:
    """Entry point: errors become one sentence on standard error and exit code 1."""
    try:
        app()
    except OpenDataError as error:
        sys.exit(fail(safe_sentence(error)))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
