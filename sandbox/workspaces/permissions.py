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
    """What a decision needs to know of a workspace: its owner, live members, owners of its datasets."""

    owner_id: str
    member_ids: frozenset[str]
    organization_ids: frozenset[str]
    providing_organizations: frozenset[str]


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


def check_can_decide(actor: Actor, facts: WorkspaceFacts) -> None:
    """A reviewer who is neither the applicant nor a member decides."""
    if Role.REVIEWER not in actor.roles:
        raise WorkspaceDenied("只有审核人员可以审批沙箱 · only reviewers may decide on a workspace")
    if actor.id == facts.owner_id or actor.id in facts.member_ids:
        raise WorkspaceDenied("申请人不能审批自己的沙箱 · an applicant may not decide on their own workspace")


def check_is_member(actor: Actor, facts: WorkspaceFacts) -> None:
    """Only live members learn that the workspace exists; to others it looks absent."""
    if actor.id not in facts.member_ids:
        raise WorkspaceNotFound("没有这个沙箱 · there is no such workspace")


def check_can_see(actor: Actor, facts: WorkspaceFacts) -> None:
    """Members, reviewers (who decide) and auditors (who read only) see the application itself."""
    if Role.REVIEWER not in actor.roles and Role.AUDITOR not in actor.roles:
        check_is_member(actor, facts)


def check_can_manage_members(actor: Actor, facts: WorkspaceFacts) -> None:
    """The owner adds and removes members."""
    check_is_member(actor, facts)
    if actor.id != facts.owner_id:
        raise WorkspaceDenied("只有负责人可以管理成员 · only the workspace's owner manages its members")


def check_can_work(actor: Actor, facts: WorkspaceFacts) -> None:
    """A member who is a researcher opens sessions, submits jobs and reads released outputs."""
    check_is_member(actor, facts)
    if Role.RESEARCHER not in actor.roles:
        raise WorkspaceDenied("只有研究人员可以在沙箱中工作 · only researchers work in a workspace")


can_apply = permits(check_can_apply)
can_decide = permits(check_can_decide)
can_see = permits(check_can_see)
can_manage_members = permits(check_can_manage_members)
can_work = permits(check_can_work)
