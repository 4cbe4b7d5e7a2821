"""The commands that make, rotate and destroy keys. They print names, never a key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from masking.cli import show

app = typer.Typer(
    help="密钥文件：新建、轮换、销毁。Keys files: create, rotate, destroy.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(help="密钥文件 keys file {version: 1, keys: {name: base64}}", metavar="FILE")]
Names = Annotated[list[str], typer.Argument(help="策略中的密钥名 names of keys as policies say them", metavar="NAME")]


@app.command()
def create(file: File, names: Names) -> None:
    """新建随机密钥（256 位），文件只有本人可读 Make random keys in a file that only its owner reads."""
    from masking.keys import create_keys

    create_keys(file, names)
    _say("新建 created", names)


@app.command()
def rotate(file: File, names: Names) -> None:
    """换成新密钥，旧密钥改名为 NAME@1、NAME@2 Give a name a fresh key; the old one is NAME@1, NAME@2 …"""
    from masking.keys import rotate_keys

    for name, old in rotate_keys(file, names).items():
        show.line(f"轮换 rotated: {show.printable(name)}；旧密钥 the old key: {show.printable(old)}")


@app.command()
def destroy(
    file: File,
    names: Names,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 do not ask")] = False,
) -> None:
    """销毁密钥（连同其旧密钥）：假名从此无法重算或还原 Destroy keys for good, old ones included."""
    from masking.keys import destroy_keys

    if not yes:
        asked = "、".join(map(show.printable, names))
        typer.confirm(f"销毁后无法恢复 this cannot be undone: {asked}?", abort=True)
    _say("已销毁 destroyed", list(destroy_keys(file, names)))
    show.line("备份和副本中的密钥须另行销毁 copies and backups of the file must be destroyed too")


def _say(done: str, names: list[str]) -> None:
    show.line(f"{done}: {', '.join(map(show.printable, names))}")
