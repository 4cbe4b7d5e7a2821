"""Who may do what in a workspace. Deciders over plain values; each ``check_*`` raises with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec

from opendata.identity import Actor, Role
from sandbox.workspaces.errors import WorkspaceDenied, WorkspaceError, WorkspaceNotFound

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class WorkspaceFacts:
    """What a decision needs to know of a workspace: its owner, live members, owners of its datasets.

    ``reader_ids``: members who only read. ``pledged_ids``: members who signed the pledge as it stands now.
    """

    owner_id: str
    member_ids: frozenset[str]
    organization_ids: frozenset[str]
    providing_organizations: frozenset[str]
    reader_ids: frozenset[str]
    pledged_ids: frozenset[str]


def permits(check: Callable[P, None]) -> Callable[P, bool]:
    """The boolean twin of a check, for templates: derived, never written again."""

    def permitted(*args: P.args, **kwargs: P.kwargs) -> bool:
        try:
            check(*args, **kwargs)
        except WorkspaceError:
            return False
        return True

    return permitted


def check_can_apply(actor: Actor) -> None:
    """Researchers apply for workspaces."""
    if Role.RESEARCHER not in actor.roles:
        raise WorkspaceDenied("只有研究人员可以申请沙箱 · only researchers may apply for a workspace")


def check_is_member(actor: Actor, facts: WorkspaceFacts) -> None:
    """Only live members learn that the workspace exists; to others it looks absent."""
    if actor.id not in facts.member_ids:
        raise WorkspaceNotFound("没有这个沙箱 · there is no such workspace")


def check_can_see(actor: Actor, facts: WorkspaceFacts) -> None:
    """Members; reviewers and the providers' officers, who decide; security administrators; auditors, who read only."""
    if is_provider(actor, facts) or actor.roles & _SEEING:
        return
    check_is_member(actor, facts)


def check_can_manage_members(actor: Actor, facts: WorkspaceFacts) -> None:
    """The owner adds and removes members."""
    check_is_member(actor, facts)
    if actor.id != facts.owner_id:
        raise WorkspaceDenied("只有负责人可以管理成员 · only the workspace's owner manages its members")


def check_can_read(actor: Actor, facts: WorkspaceFacts) -> None:
    """Every member who signed the pledge reads jobs and released outputs."""
    check_is_member(actor, facts)
    if actor.id not in facts.pledged_ids:
        raise WorkspaceDenied("请先在沙箱页面签署承诺书 · sign the pledge on the workspace's page first")


def check_can_work(actor: Actor, facts: WorkspaceFacts) -> None:
    """A member who is a researcher and signed the pledge opens sessions and submits jobs; a reader does not."""
    check_is_member(actor, facts)
    if Role.RESEARCHER not in actor.roles:
        raise WorkspaceDenied("只有研究人员可以在沙箱中工作 · only researchers work in a workspace")
    if actor.id in facts.reader_ids:
        raise WorkspaceDenied("您在这个沙箱只能查看 · you are a reader of this workspace")
    check_can_read(actor, facts)


def check_can_close(actor: Actor, facts: WorkspaceFacts) -> None:
    """The owner, a reviewer, or an officer of a department that provides data of it."""
    if Role.REVIEWER not in actor.roles and not is_provider(actor, facts):
        check_can_manage_members(actor, facts)


def check_can_suspend(actor: Actor) -> None:
    """Security administrators stop a workspace and let it go on."""
    if Role.SECURITY_ADMIN not in actor.roles:
        raise WorkspaceDenied("只有安全保密管理员可以暂停或恢复沙箱 · only security administrators suspend a workspace")


def is_provider(actor: Actor, facts: WorkspaceFacts) -> bool:
    """Whether this is an officer of a department that provides data of the workspace."""
    return Role.DATA_OFFICER in actor.roles and actor.organization_id in facts.providing_organizations


can_apply = permits(check_can_apply)
can_see = permits(check_can_see)
can_manage_members = permits(check_can_manage_members)
can_read = permits(check_can_read)
can_work = permits(check_can_work)
can_close = permits(check_can_close)
can_suspend = permits(check_can_suspend)

_SEEING = frozenset({Role.REVIEWER, Role.AUDITOR, Role.SECURITY_ADMIN})
