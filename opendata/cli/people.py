"""`opendata user` and `opendata organization`: what the bare operating-system user may administer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from opendata.cli.output import AsJSON, show, show_one
from opendata.errors import NotFoundError
from opendata.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from opendata.identity.models import Organization, User

users = typer.Typer(help="账号 · people", no_args_is_help=True)
organizations = typer.Typer(help="机构 · organizations", no_args_is_help=True)


@contextmanager
def administering() -> Iterator[Session]:
    """One writing transaction on the home's database.

    Raises:
        NotFoundError: the home holds no service yet.
    """
    from opendata.db import Database

    settings = Settings.load()
    if settings.database_url.startswith("sqlite") and not settings.database_file.exists():
        raise NotFoundError(f"{settings.home} 中还没有服务；请先运行 opendata up（no service in this home yet）")
    database = Database(settings)
    try:
        with database.begin() as session:
            yield session
    finally:
        database.dispose()


@organizations.command("add")
def add_organization(
    name: str,
    *,
    kind: Annotated[str, typer.Option(help="government | enterprise | research")],
    english: Annotated[str, typer.Option("--english", help="English name")] = "",
    uscc: Annotated[str | None, typer.Option(help="统一社会信用代码")] = None,
) -> None:
    """登记一个机构 · register an organization."""
    from opendata.identity.service import create_organization

    with administering() as session:
        made = create_organization(session, name_zh=name, name_en=english, kind=kind, uscc=uscc)
        session.flush()
        show_one({"id": made.id, "name": made.name_zh, "kind": made.kind}, as_json=False)


@organizations.command("list")
def list_organizations(*, as_json: AsJSON = False) -> None:
    """列出机构 · list organizations."""
    from sqlalchemy import select

    from opendata.identity.models import Organization

    with administering() as session:
        rows = [
            {"id": each.id, "name": each.name_zh, "english": each.name_en, "kind": each.kind}
            for each in session.scalars(select(Organization).order_by(Organization.name_zh))
        ]
    show(rows, as_json=as_json, empty="还没有机构 · no organizations yet")


@users.command("add")
def add_user(
    username: str,
    *,
    name: Annotated[str, typer.Option(help="姓名 · name shown")],
    organization: Annotated[str, typer.Option(help="机构名称或编号 · organization")],
    role: Annotated[list[str], typer.Option(help="角色，可重复 · role, repeatable")],
) -> None:
    """新建账号；用 `opendata user link` 得到一次性登录链接 · create an account."""
    from opendata.identity.service import create_user

    with administering() as session:
        made = create_user(
            session, username=username, name=name, organization=find_organization(session, organization), roles=role
        )
        session.flush()
        show_one({"id": made.id, "username": made.username, "roles": ", ".join(made.roles)}, as_json=False)


@users.command("list")
def list_users(*, as_json: AsJSON = False) -> None:
    """列出账号 · list accounts."""
    from sqlalchemy import select

    from opendata.identity.models import User

    with administering() as session:
        rows = [
            {"username": each.username, "name": each.name, "roles": ", ".join(each.roles), "active": each.active}
            for each in session.scalars(select(User).order_by(User.username))
        ]
    show(rows, as_json=as_json, empty="还没有账号 · no accounts yet")


@users.command("link")
def link(
    username: str, *, minutes: Annotated[int, typer.Option(min=1, max=1440, help="有效分钟 · valid for")] = 60
) -> None:
    """一次性登录链接 · a one-time sign-in link."""
    from opendata.identity.service import issue_sign_in_link

    with administering() as session:
        secret = issue_sign_in_link(
            session, find_user(session, username), now=datetime.now(UTC), lifetime=timedelta(minutes=minutes)
        )
    typer.echo(sign_in_url(Settings.load(), secret))


@users.command("disable")
def disable(username: str) -> None:
    """停用账号 · close an account; its sessions and tokens end at once."""
    with administering() as session:
        find_user(session, username).active = False


def sign_in_url(settings: Settings, secret: str) -> str:
    """Where a one-time link leads; the secret stands in the fragment-free path and is spent at first use."""
    return f"{settings.public_url}/sign-in/link/{secret}"


def find_user(session: Session, username: str) -> User:
    """The account of that name.

    Raises:
        NotFoundError: there is none.
    """
    from sqlalchemy import select

    from opendata.identity.models import User

    found = session.scalar(select(User).where(User.username == username))
    if found is None:
        raise NotFoundError("没有这个账号；`opendata user list` 列出全部（no such account）")
    return found


def find_organization(session: Session, name: str) -> Organization:
    """The organization of that name or id.

    Raises:
        NotFoundError: there is none.
    """
    from sqlalchemy import or_, select

    from opendata.identity.models import Organization

    found = session.scalar(select(Organization).where(or_(Organization.id == name, Organization.name_zh == name)))
    if found is None:
        raise NotFoundError("没有这个机构；`opendata organization list` 列出全部（no such organization）")
    return found
