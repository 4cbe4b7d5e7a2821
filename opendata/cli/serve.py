"""`opendata up` and `opendata demo`: start everything on this machine, and run the demonstration beside it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from opendata.settings import Settings
from opendata.supervisor.main import Supervisor, environment

CHECKOUT = Path(__file__).resolve().parent.parent.parent
DEMO_HOME = CHECKOUT / "var" / "demo"


def up(
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="先用真实数据跑一遍链路 · run the chain on real tables first")
    ] = False,
    lang: Annotated[str, typer.Option(help="zh | en")] = "zh",
) -> None:
    """启动门户与沙箱 · serve portal and sandbox until Ctrl+C."""
    settings = load_settings(demo=demo)
    raise typer.Exit(serve(settings, ["--lang", lang] if demo else None, once=False))


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="跑完就结束 · end after the chain")] = False,
    lang: Annotated[str, typer.Option(help="zh | en")] = "zh",
) -> None:
    """用真实数据演示整条链路 · the whole chain on real tables, then the cheats that are refused."""
    raise typer.Exit(serve(load_settings(demo=True), ["--lang", lang, *(["--once"] if once else [])], once=once))


def load_settings(*, demo: bool) -> Settings:
    """Settings of the home; the demonstration has its own home unless one is named."""
    settings = Settings.load(demo=demo or None)
    return Settings.load(DEMO_HOME, demo=True) if demo and settings.home == DEMO_HOME.parent else settings


def serve(settings: Settings, demo_arguments: list[str] | None, *, once: bool) -> int:
    """Run the supervisor; with ``demo_arguments`` run the demonstration beside it. Returns the exit code."""
    started = time.monotonic()
    supervisor = Supervisor(settings, announce=say)
    say(f"数据目录 home {settings.home}")
    supervisor.prepare()
    chain: subprocess.Popen[bytes] | None = None
    try:
        if not supervisor.wait_ready(["web", "worker"]):
            say(f"服务没有起来；请看日志 the service did not start; see {settings.logs_dir}")
            return 1
        say(f"门户 portal {settings.public_url} ({time.monotonic() - started:.1f} s)")
        if demo_arguments is None:
            supervisor.run()
            return 0
        chain = subprocess.Popen(
            [sys.executable, "-m", "opendata.cli.demo", *demo_arguments],
            env=environment(settings, "demo"),
        )
        supervisor.run(until=lambda: once and chain is not None and chain.poll() is not None)
        return chain.poll() or 0 if once else 0
    finally:
        if chain is not None and chain.poll() is None:
            chain.terminate()
        supervisor.stop()


def say(line: str) -> None:
    """Status lines go to standard error, so that results stay clean on standard output."""
    print(line, file=sys.stderr, flush=True)
