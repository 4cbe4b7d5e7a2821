"""`opendata dataset|edition|grant`: acts of a person, through the portal's API, with that person's token."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from opendata.cli.client import Client
from opendata.cli.output import AsJSON, show, show_one
from opendata.errors import AuthenticationError
from opendata.settings import Settings

datasets = typer.Typer(help="数据集 · datasets", no_args_is_help=True)
editions = typer.Typer(help="发布版本 · editions", no_args_is_help=True)
grants = typer.Typer(help="使用许可 · grants", no_args_is_help=True)

As = Annotated[str | None, typer.Option("--as", help="以此账号行事（需要令牌文件）· act for this account")]
TokenFile = Annotated[Path | None, typer.Option(help="含该账号令牌的文件，- 为标准输入 · file with the token")]


def client(user: str | None, token_file: Path | None) -> Client:
    """A client for the person, or an anonymous one.

    Raises:
        AuthenticationError: a person is named without a token, or the token is another person's.
    """
    url = Settings.load().public_url
    if user is None:
        return Client(url)
    if token_file is None:
        raise AuthenticationError("--as 需要 --token-file：系统账号只能管理服务，不能代替他人申请、复核或批准")
    token = (sys.stdin.read() if str(token_file) == "-" else token_file.read_text(encoding="utf-8")).strip()
    speaking = Client(url, token)
    if speaking.get("/api/v1/me")["username"] != user:
        raise AuthenticationError("令牌属于另一个账号（the token is another account's）")
    return speaking


@datasets.command("list")
def list_datasets(
    query: Annotated[str, typer.Argument()] = "",
    *,
    as_json: AsJSON = False,
    as_: As = None,
    token_file: TokenFile = None,
) -> None:
    """检索数据集 · search datasets."""
    found = client(as_, token_file).get("/api/v1/datasets", q=query)["datasets"]
    rows = (
        found
        if as_json
        else [{key: each.get(key) for key in ("name", "title", "level", "opening_class", "state")} for each in found]
    )
    show(rows, as_json=as_json, empty="没有找到数据集 · no datasets found")


@datasets.command("show")
def show_dataset(name: str, *, as_json: AsJSON = False, as_: As = None, token_file: TokenFile = None) -> None:
    """一个数据集 · one dataset."""
    show_one(client(as_, token_file).get(f"/api/v1/datasets/{name}"), as_json=as_json)


@datasets.command("upload")
def upload(name: str, file: Path, *, as_: As = None, token_file: TokenFile = None) -> None:
    """接入一份原始表并等待画像 · bring a raw table in and wait for its profile."""
    speaking = client(as_, token_file)
    started = speaking.upload(f"/api/v1/datasets/{name}/intakes", file, filename=file.name)
    speaking.wait_job(started["job"], watch=progress_line)
    show_one(speaking.get(f"/api/v1/intakes/{started['intake']}"), as_json=True)


@datasets.command("hierarchies")
def list_hierarchies(name: str, *, as_json: AsJSON = False, as_: As = None, token_file: TokenFile = None) -> None:
    """策略可用的层级文件 · hierarchy files that the masking policy may name."""
    found = client(as_, token_file).get(f"/api/v1/datasets/{name}/hierarchies")["hierarchies"]
    show(found, as_json=as_json, empty="没有层级文件 · no hierarchy files")


@datasets.command("add-hierarchy")
def add_hierarchy(name: str, file: Path, *, as_: As = None, token_file: TokenFile = None) -> None:
    """上传一个层级文件 · bring a hierarchy file in: CSV, the value first, coarsest level last, no header."""
    path = f"/api/v1/datasets/{name}/hierarchies/{quote(file.name, safe='')}"
    show_one(client(as_, token_file).put(path, content=file.read_bytes()), as_json=True)


@datasets.command("remove-hierarchy")
def remove_hierarchy(name: str, file: str, *, as_: As = None, token_file: TokenFile = None) -> None:
    """移除一个层级文件 · erase a hierarchy file; saved policies keep its rows."""
    client(as_, token_file).request("DELETE", f"/api/v1/datasets/{name}/hierarchies/{quote(file, safe='')}")


@editions.command("show")
def show_edition(edition: str, *, as_json: AsJSON = False, as_: As = None, token_file: TokenFile = None) -> None:
    """一个发布版本 · one edition."""
    show_one(client(as_, token_file).get(f"/api/v1/editions/{edition}"), as_json=as_json)


@editions.command("submit")
def submit(edition: str, *, as_: As = None, token_file: TokenFile = None) -> None:
    """送审 · send for review."""
    client(as_, token_file).post(f"/api/v1/editions/{edition}/submit")


@editions.command("withdraw")
def withdraw(
    edition: str, *, reason: Annotated[str, typer.Option()], as_: As = None, token_file: TokenFile = None
) -> None:
    """紧急下架 · close every door of an edition."""
    client(as_, token_file).post(f"/api/v1/editions/{edition}/withdraw", json={"reason": reason})


@grants.command("list")
def list_grants(*, as_json: AsJSON = False, as_: As = None, token_file: TokenFile = None) -> None:
    """我的许可 · my grants."""
    show(client(as_, token_file).get("/api/v1/grants")["grants"], as_json=as_json, empty="没有许可 · no grants")


@grants.command("revoke")
def revoke(
    grant: str, *, reason: Annotated[str, typer.Option()] = "", as_: As = None, token_file: TokenFile = None
) -> None:
    """撤销许可 · revoke a grant; its doors close at once."""
    client(as_, token_file).post(f"/api/v1/grants/{grant}/revoke", json={"reason": reason})


def progress_line(job: Any) -> None:
    """One overwritten line of progress on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{job.get('step') or '…'} {100 * float(job.get('progress') or 0):3.0f} %  ", end="", file=sys.stderr)
