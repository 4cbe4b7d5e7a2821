"""The acts of a workspace's page: one name, one call of the service each. The form's fields come as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, get_args

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from opendata.catalog import workdays
from opendata.catalog.grades import Grades
from opendata.identity import Actor
from opendata.settings import Settings
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.errors import WorkspaceInvalid
from sandbox.workspaces.models import Workspace

MOST: Final = 4000
Act = Literal[
    "decide",
    "withdraw",
    "close",
    "suspend",
    "lift",
    "extend",
    "withdraw-extension",
    "pledge",
    "members",
    "remove-member",
    "change-role",
]
Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Shop:
    """What some acts need besides the workspace."""

    settings: Settings
    grades: Grades


async def get_form(request: Request) -> dict[str, str]:
    """Text fields of the form, each at most 4000 characters."""
    given = await request.form()
    return {name: value[:MOST] for name, value in given.items() if isinstance(value, str)}


FormDep = Annotated[dict[str, str], Depends(get_form)]
Call = Callable[[Session, Workspace, Actor, Form, Shop], Any]


def _decide(session: Session, found: Workspace, actor: Actor, form: Form, shop: Shop) -> None:
    approve = {"approve": True, "reject": False}.get(form.get("decision", ""))
    if approve is None:
        raise WorkspaceInvalid("请选择同意或不同意 · choose to agree or to refuse")
    workspaces.decide(session, found, actor=actor, approve=approve, reason=form.get("reason", ""), grades=shop.grades)


def _withdraw(session: Session, found: Workspace, actor: Actor, _form: Form, _shop: Shop) -> None:
    workspaces.withdraw(session, found, actor=actor)


def _close(session: Session, found: Workspace, actor: Actor, _form: Form, _shop: Shop) -> None:
    workspaces.close(session, found, actor=actor)


def _suspend(session: Session, found: Workspace, actor: Actor, form: Form, _shop: Shop) -> None:
    workspaces.suspend(session, found, actor=actor, reason=form.get("reason", ""))


def _lift(session: Session, found: Workspace, actor: Actor, _form: Form, _shop: Shop) -> None:
    workspaces.lift(session, found, actor=actor)


def _extend(session: Session, found: Workspace, actor: Actor, form: Form, shop: Shop) -> None:
    workspaces.ask_extension(
        session,
        found,
        actor=actor,
        days=_number(form, "days"),
        reason=form.get("reason", ""),
        calendar=workdays.load(shop.settings),
    )


def _withdraw_extension(session: Session, found: Workspace, actor: Actor, _form: Form, _shop: Shop) -> None:
    workspaces.withdraw_extension(session, found, actor=actor)


def _pledge(session: Session, found: Workspace, actor: Actor, form: Form, _shop: Shop) -> None:
    workspaces.sign_pledge(
        session, found, actor=actor, version=_number(form, "pledge_version"), name=form.get("pledge_name", "")
    )


def _add(session: Session, found: Workspace, actor: Actor, form: Form, shop: Shop) -> None:
    username, role = form.get("username", "").strip()[:64], form.get("role", "member")
    workspaces.add_member(session, found, actor=actor, username=username, role=role, grades=shop.grades)


def _remove(session: Session, found: Workspace, actor: Actor, form: Form, _shop: Shop) -> None:
    workspaces.remove_member(session, found, actor=actor, username=form.get("username", "")[:64])


def _role(session: Session, found: Workspace, actor: Actor, form: Form, _shop: Shop) -> None:
    username, role = form.get("username", "")[:64], form.get("role", "")
    workspaces.change_role(session, found, actor=actor, username=username, role=role)


def _number(form: Form, name: str) -> int:
    text = form.get(name, "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise WorkspaceInvalid("请填写数字 · a number is needed")
    return int(text)


ACTS: Final[Mapping[Act, Call]] = {
    "decide": _decide,
    "withdraw": _withdraw,
    "close": _close,
    "suspend": _suspend,
    "lift": _lift,
    "extend": _extend,
    "withdraw-extension": _withdraw_extension,
    "pledge": _pledge,
    "members": _add,
    "remove-member": _remove,
    "change-role": _role,
}
assert set(ACTS) == set(get_args(Act))

#: Which field of the page an act's refusal points to.
FIELDS: Final[Mapping[Act, str]] = {
    "decide": "reason",
    "suspend": "suspend-reason",
    "extend": "days",
    "pledge": "pledge_name",
    "members": "username",
}
