"""The raw tables an import is joined with, and the columns by which each of them knows persons."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from masking.policy.load import load
from masking.taxonomy import Role
from opendata.catalog.models import Dataset, Edition
from opendata.publishing.models import PolicyVersion
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import Workspace


@dataclass(frozen=True, slots=True)
class Target:
    """One dataset of a workspace. ``identifiers``: its person column first, then its other direct identifiers."""

    name: str
    intake_id: str
    identifiers: tuple[str, ...]


def targets_of(session: Session, workspace_id: str) -> list[Target]:
    """The datasets of a workspace that have a published edition, by name."""
    workspace = session.get_one(Workspace, workspace_id)
    targets = []
    for each in workspaces.datasets_of(session, workspace):
        dataset = session.get_one(Dataset, each.dataset_id)
        edition = session.get(Edition, dataset.current_edition_id) if dataset.current_edition_id else None
        if edition is not None:
            policy = load(session.get_one(PolicyVersion, edition.policy_version_id).yaml)
            direct = [name for name, rule in policy.attributes.items() if rule.role is Role.DIRECT_IDENTIFIER]
            unit = [policy.unit] if policy.unit and policy.unit not in direct else []
            ordered = sorted([*unit, *direct], key=lambda name: name != policy.unit)
            targets.append(Target(each.name, edition.intake_id, tuple(ordered)))
    return targets
