"""Workspaces that count as one: they share a member, past or present, or an organisation.

Source: PRIVACY.md 17. What one of them learns, the others may know. So budgets of the same data are common to them,
and a sealed job of one concerns the sessions of all.
"""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from sandbox.workspaces.models import Membership, Workspace, WorkspaceDataset


def kin(session: Session, workspace: Workspace) -> frozenset[str]:
    """Ids of all workspaces that count as one with this one, itself included: through others too."""
    found = {workspace.id}
    fresh = {workspace.id}
    while fresh:
        fresh = _neighbours(session, fresh) - found
        found |= fresh
    return frozenset(found)


def bits_spent(session: Session, workspace: Workspace) -> int:
    """Status bits spent on any of this workspace's datasets by all workspaces that count as one with it."""
    datasets = select(WorkspaceDataset.dataset_id).where(WorkspaceDataset.workspace_id == workspace.id)
    rows = session.execute(
        select(Workspace.id, Workspace.bits_spent)
        .join(WorkspaceDataset, WorkspaceDataset.workspace_id == Workspace.id)
        .where(WorkspaceDataset.dataset_id.in_(datasets))
    )
    spent: dict[str, int] = {identifier: bits for identifier, bits in rows}  # noqa: C416  one row a dataset
    return sum(spent[each] for each in kin(session, workspace) & spent.keys())


def _neighbours(session: Session, workspaces: set[str]) -> set[str]:
    members = select(Membership.user_id).where(Membership.workspace_id.in_(workspaces))
    employers = select(Membership.organization_id).where(Membership.workspace_id.in_(workspaces))
    owners = select(Workspace.organization_id).where(Workspace.id.in_(workspaces))
    joined = session.scalars(
        select(Membership.workspace_id).where(
            or_(
                Membership.user_id.in_(members),
                Membership.organization_id.in_(employers),
                Membership.organization_id.in_(owners),
            )
        )
    )
    return set(joined)
