"""Who may do what in the airlock. Deciders over plain values; each ``check_*`` raises with the reason."""

from __future__ import annotations

from dataclasses import dataclass

from opendata.identity import Actor, Role
from sandbox.airlock.errors import AirlockDenied
from sandbox.workspaces.errors import WorkspaceNotFound
from sandbox.workspaces.permissions import permits


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What a decision needs to know of a release request or code review."""

    author_id: str
    member_ids: frozenset[str]
    excluded_organizations: frozenset[str]
    assigned_ids: frozenset[str]


def check_can_check(actor: Actor, facts: RequestFacts) -> None:
    """A drawn output checker of another organisation, never the author or a member.

    The author is told so plainly; everyone else who was not drawn learns only that nothing is there.
    """
    if actor.id == facts.author_id:
        raise AirlockDenied("作者不能审查自己的产出 · an author may not check their own output")
    if actor.id in facts.member_ids:
        raise AirlockDenied("成员不能审查本沙箱的产出 · a member may not check the workspace's output")
    if Role.OUTPUT_CHECKER not in actor.roles:
        raise AirlockDenied("只有出域审查员可以审查 · only output checkers may check")
    if actor.id not in facts.assigned_ids:
        raise WorkspaceNotFound("没有分配给您的这项审查 · no such check is assigned to you")
    if actor.organization_id in facts.excluded_organizations:
        raise AirlockDenied(
            "同一机构的审查员不能审查 · a checker of the workspace's own organisation may not check",
        )


def check_can_list(actor: Actor) -> None:
    """Output checkers have a queue; auditors read decided requests."""
    if Role.OUTPUT_CHECKER not in actor.roles and Role.AUDITOR not in actor.roles:
        raise AirlockDenied("只有出域审查员可以查看审查队列 · only output checkers have a queue")


def check_can_revoke(actor: Actor) -> None:
    """A security administrator or a reviewer revokes a released output."""
    if not actor.roles & {Role.REVIEWER, Role.SECURITY_ADMIN}:
        raise AirlockDenied("只有审核人员或安全管理员可以撤回 · only a reviewer or security administrator may revoke")


def check_can_see_scores(actor: Actor) -> None:
    """How checkers fare with seeded cases is for the security administrator and auditors."""
    if not actor.roles & {Role.SECURITY_ADMIN, Role.AUDITOR}:
        raise AirlockDenied(
            "只有安全管理员和审计人员可以查看 · only the security administrator and auditors may see this",
        )


def check_can_see_usage(actor: Actor) -> None:
    """What runs used is for administrators and auditors; a duration is never an author's to read."""
    if not actor.roles & {Role.SECURITY_ADMIN, Role.SYSTEM_ADMIN, Role.AUDITOR}:
        raise AirlockDenied("只有管理员和审计人员可以查看 · only administrators and auditors may see this")


can_check = permits(check_can_check)
can_list = permits(check_can_list)
can_revoke = permits(check_can_revoke)
can_see_scores = permits(check_can_see_scores)
can_see_usage = permits(check_can_see_usage)
