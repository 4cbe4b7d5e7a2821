"""``sandbox try``: run a command in exactly the jail that sessions, sealed jobs or the output parser get."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sandbox.errors import SandboxError
from sandbox.settings import DEFAULT_KERNEL_ENV

CONTEXT = {"allow_interspersed_args": False}
"""Everything after the first word of the command belongs to it; register the command with these settings."""


def try_(
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND", help="要在隔离环境里运行的命令 / the command to run")
    ],
    profile: Annotated[str, typer.Option(help="隔离配置 / the jail: session, sealed or check")] = "session",
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR", help="以 /data/<名称> 只读出现的目录 / shown read-only as /data/<name>; repeatable"
        ),
    ] = None,
    kernel_env: Annotated[Path, typer.Option(help="内核环境 / the kernels' environment")] = DEFAULT_KERNEL_ENV,
) -> None:
    """在沙箱的隔离环境里运行一条命令，退出码即命令的退出码。

    Run a command in the sandbox's jail; the exit code is the command's (124: out of time, 137: out of memory,
    127: no such command).
    Only directories you can read can be shown inside. `python3` is the notebooks' own.
    """
    from sandbox.execution.trial import run_command

    try:
        code = run_command(profile, data or [], command, kernel_env)
    except SandboxError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    raise typer.Exit(code)
