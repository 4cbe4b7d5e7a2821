"""Who works in a workspace: members and readers come and go, and each signs the pledge before first entry."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog.grades import Grades
from opendata.db import utc_now
from opendata.identity import Actor, Role, User
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.workspaces import permissions, rules
from sandbox.workspaces.errors import WorkspaceDenied, WorkspaceInvalid, WorkspaceNotFound
from sandbox.workspaces.lookups import check_authorized, door_of, facts, memberships_of, sources
from sandbox.workspaces.models import Membership, Workspace
from sandbox.workspaces.pledge import check_signature, current_pledge
from sandbox.workspaces.quotas import check_members, default_quotas
from sandbox.workspaces.states import MemberRole
from sandbox.workspaces.submissions import stop_jobs


def add_member(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    username: str,
    role: str = MemberRole.MEMBER,
    grades: Grades | None = None,
    now: datetime | None = None,
) -> Membership:
    """The owner adds a researcher as member or reader. A checker of outputs can never be a member's colleague."""
    now = now or utc_now()
    permissions.check_can_manage_members(actor, facts(session, workspace))
    rules.check_live(workspace.state, workspace.expires_at, now)
    wanted = _role(role)
    user = session.scalar(select(User).where(User.username == username, User.active))
    if user is None or Role.RESEARCHER not in user.roles:
        raise WorkspaceInvalid("没有这位研究人员 · there is no such researcher")
    if grades is not None:
        quota = default_quotas().of(door_of(session, workspace, grades).level)
        check_members(quota, len(memberships_of(session, workspace)))
    check_authorized(session, user.organization_id, sources(session, workspace))
    member = session.scalar(
        select(Membership).where(Membership.workspace_id == workspace.id, Membership.user_id == user.id),
    )
    if member is None:
        member = membership(workspace, user.id, user.organization_id, actor.id, now)
        session.add(member)
    elif member.removed_at is None:
        raise WorkspaceInvalid("已经是成员 · already a member")
    member.removed_at, member.added_by, member.added_at, member.role = None, actor.id, now, wanted
    # Somebody who comes back reads and signs again.
    member.pledge_version = member.pledge_digest = member.pledged_at = None
    session.flush()
    payload = {"member": user.id, "role": str(wanted)}
    append(session, AuditEvent("sandbox:member:add", actor.id, f"workspace:{workspace.id}", now, payload))
    return member


def remove_member(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    username: str,
    now: datetime | None = None,
) -> None:
    """The owner removes a member, whose rights and jobs end at once; the owner cannot be removed."""
    now = now or utc_now()
    permissions.check_can_manage_members(actor, facts(session, workspace))
    member = _member(session, workspace, username)
    if member.user_id == workspace.owner_id:
        raise WorkspaceDenied("负责人不能被移除 · the owner cannot be removed")
    member.removed_at = now
    payload = {"member": member.user_id}
    append(session, AuditEvent("sandbox:member:remove", actor.id, f"workspace:{workspace.id}", now, payload))
    stop_jobs(session, workspace, author_id=member.user_id, now=now)


def change_role(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    username: str,
    role: str,
    now: datetime | None = None,
) -> Membership:
    """The owner makes a member a reader or a reader a member; a new reader's jobs end at once."""
    now = now or utc_now()
    permissions.check_can_manage_members(actor, facts(session, workspace))
    rules.check_live(workspace.state, workspace.expires_at, now)
    wanted, member = _role(role), _member(session, workspace, username)
    if member.user_id == workspace.owner_id:
        raise WorkspaceDenied("负责人的角色不能改变 · the owner's role does not change")
    member.role = wanted
    payload = {"member": member.user_id, "role": str(wanted)}
    append(session, AuditEvent("sandbox:member:change_role", actor.id, f"workspace:{workspace.id}", now, payload))
    if wanted is MemberRole.READER:
        stop_jobs(session, workspace, author_id=member.user_id, now=now)
    return member


def sign_pledge(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    version: int,
    name: str,
    now: datetime | None = None,
) -> Membership:
    """A member signs the pledge as it stands, with their own name; the ledger keeps the text's digest."""
    now = now or utc_now()
    permissions.check_is_member(actor, facts(session, workspace))
    pledge = current_pledge()
    check_signature(pledge, version=version, name=name, own_name=actor.name)
    member = session.scalars(
        select(Membership).where(Membership.workspace_id == workspace.id, Membership.user_id == actor.id),
    ).one()
    if member.pledge_digest == pledge.digest:
        return member
    payload = {"pledge": pledge.digest, "version": pledge.version}
    append(session, AuditEvent("sandbox:pledge:sign", actor.id, f"workspace:{workspace.id}", now, payload))
    member.pledge_version, member.pledge_digest, member.pledged_at = pledge.version, pledge.digest, now
    return member


def membership(workspace: Workspace, user_id: str, organization_id: str, by: str, now: datetime) -> Membership:
    """A new membership, not yet in the session."""
    return Membership(
        workspace_id=workspace.id,
        user_id=user_id,
        organization_id=organization_id,
        added_by=by,
        added_at=now,
        role=MemberRole.OWNER if user_id == workspace.owner_id else MemberRole.MEMBER,
    )


def _member(session: Session, workspace: Workspace, username: str) -> Membership:
    member = session.scalar(
        select(Membership)
        .join(User, User.id == Membership.user_id)
        .where(Membership.workspace_id == workspace.id, User.username == username, Membership.removed_at.is_(None)),
    )
    if member is None:
        raise WorkspaceNotFound("没有这位成员 · there is no such member")
    return member


def _role(role: str) -> MemberRole:
    if role not in {MemberRole.MEMBER, MemberRole.READER}:
        raise WorkspaceInvalid("角色须为成员或读者 · a role is member or reader")
    return MemberRole(role)
