"""For whom a command acts: a person's token from a file (or ``-`` for standard input), never from the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from opendata.cli.client import Client
from opendata.errors import AuthenticationError
from opendata.settings import Settings

As = Annotated[str | None, typer.Option("--as", help="以此账号行事 · act for this account")]
TokenFile = Annotated[
    Path | None, typer.Option(help="含该账号令牌的文件，- 为标准输入 · file with the token, - for stdin")
]
Url = Annotated[str | None, typer.Option(help="门户地址，默认取自设置 · the portal's address")]


def client(user: str | None, token_file: Path | None, url: str | None) -> Client:
    """A client for the person.

    Raises:
        AuthenticationError: there is no token, or it is another person's.
    """
    if token_file is None:
        raise AuthenticationError("需要 --token-file：本命令以个人身份行事（a token file is needed）")
    token = (sys.stdin.read() if str(token_file) == "-" else token_file.read_text(encoding="utf-8")).strip()
    speaking = Client(url or Settings.load().public_url, token)
    if user is not None and speaking.get("/api/v1/me")["username"] != user:
        raise AuthenticationError("令牌属于另一个账号（the token is another account's）")
    return speaking
