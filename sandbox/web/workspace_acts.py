"""The acts of a workspace's page: one name, one call of the service each. The form's fields come as text."""

from __future__ import annotations

import re
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
from sandbox.workspaces.errors import FormInvalid, WorkspaceError, WorkspaceInvalid
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
_WHOLE: Final = re.compile(r"-?[0-9]{1,6}")


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
    workspaces.suspend(session, found, actor=actor, reason=form.get("suspend_reason", ""))


def _lift(session: Session, found: Workspace, actor: Actor, _form: Form, _shop: Shop) -> None:
    workspaces.lift(session, found, actor=actor)


def _extend(session: Session, found: Workspace, actor: Actor, form: Form, shop: Shop) -> None:
    workspaces.ask_extension(
        session,
        found,
        actor=actor,
        days=whole(form.get("days", "")),
        reason=form.get("extension_reason", ""),
        calendar=workdays.load(shop.settings),
    )


def _withdraw_extension(session: Session, found: Workspace, actor: Actor, _form: Form, _shop: Shop) -> None:
    workspaces.withdraw_extension(session, found, actor=actor)


def _pledge(session: Session, found: Workspace, actor: Actor, form: Form, _shop: Shop) -> None:
    version, name = whole(form.get("pledge_version", "")) or 0, form.get("pledge_name", "")
    workspaces.sign_pledge(session, found, actor=actor, version=version, name=name)


def _add(session: Session, found: Workspace, actor: Actor, form: Form, shop: Shop) -> None:
    username, role = form.get("username", "").strip()[:64], form.get("role", "member")
    workspaces.add_member(session, found, actor=actor, username=username, role=role, grades=shop.grades)


def _remove(session: Session, found: Workspace, actor: Actor, form: Form, _shop: Shop) -> None:
    workspaces.remove_member(session, found, actor=actor, username=form.get("username", "")[:64])


def _role(session: Session, found: Workspace, actor: Actor, form: Form, _shop: Shop) -> None:
    username, role = form.get("username", "")[:64], form.get("role", "")
    workspaces.change_role(session, found, actor=actor, username=username, role=role)


def whole(text: str) -> int | None:
    """A whole number of at most six digits as somebody typed it; None for anything else."""
    return int(text) if _WHOLE.fullmatch(text := text.strip()) else None


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

#: Which field of the page an act's refusal points to, and which one a fault of its form.
FIELDS: Final[Mapping[str, str]] = {
    "decide": "reason",
    "suspend": "suspend_reason",
    "extend": "days",
    "extend.reason": "extension_reason",
    "pledge": "pledge_name",
    "members": "username",
}

#: What the page says when an act that changes little on it was done.
DONE: Final[Mapping[str, str]] = {
    "members": "已添加成员。对方第一次进入前须签署承诺书。",
    "remove-member": "已移除成员：接口、页面和下载随即失效，会话在一分钟内结束，等待中的作业已终止。",
    "change-role": "角色已改变。",
    "decide": "您的决定已记录。",
    "pledge": "承诺书已签署。",
    "extend": "延期申请已提交，由同样的部门重新决定。",
    "withdraw-extension": "延期申请已撤回。",
    "suspend": "沙箱已暂停。",
    "lift": "沙箱已恢复。",
}


def faults_of(act: str, error: WorkspaceError) -> dict[str, dict[str, str]]:
    """What an act was refused for, by the field of the page it concerns; both languages."""
    if not isinstance(error, FormInvalid):
        return {FIELDS.get(act, "main-content"): error.reason}
    return {
        FIELDS.get(f"{act}.{field}", field): WorkspaceInvalid(fault).reason for field, fault in error.faults.items()
    }
