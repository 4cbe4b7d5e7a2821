"""The members' own imports of a workspace as runs, checks and sessions meet them: what is mounted, and where.

An import stands at the same path in sessions, dry runs and sealed jobs. `sandbox.imports` decides what is mounted;
everything here only reads it. Source: PRIVACY.md 22.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from sqlalchemy import select
from sqlalchemy.orm import Session

from sandbox.workspaces.models import Workspace, WorkspaceImport

FOLDER: Final = "import"
"""Below ``/data``; no dataset of a workspace with imports may have this name."""
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class JoinCounts:
    """How many persons of an import occur in one raw table. For checkers' findings only, never for an author.

    ``matched`` occur in both, ``import_only`` and ``dataset_only`` in one. ``groups``: for each column of the import
    with few values, label → (matched, import only).
    """

    name: str
    dataset: str
    matched: int
    import_only: int
    dataset_only: int
    groups: Mapping[str, Mapping[str, tuple[int, int]]] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """For the vault's quarantine."""
        groups = {column: {label: list(pair) for label, pair in of.items()} for column, of in self.groups.items()}
        return {
            "version": VERSION,
            "name": self.name,
            "dataset": self.dataset,
            "matched": self.matched,
            "import_only": self.import_only,
            "dataset_only": self.dataset_only,
            "groups": groups,
        }

    @classmethod
    def from_json(cls, given: bytes) -> Self:
        """Read what ``to_json`` wrote."""
        document = json.loads(given)
        groups = {
            column: {label: (int(pair[0]), int(pair[1])) for label, pair in of.items()}
            for column, of in document["groups"].items()
        }
        return cls(
            name=document["name"],
            dataset=document["dataset"],
            matched=int(document["matched"]),
            import_only=int(document["import_only"]),
            dataset_only=int(document["dataset_only"]),
            groups=groups,
        )


def imports_of(session: Session, workspace: Workspace) -> list[WorkspaceImport]:
    """What is mounted now, by name."""
    return list(
        session.scalars(
            select(WorkspaceImport)
            .where(WorkspaceImport.workspace_id == workspace.id, WorkspaceImport.removed_at.is_(None))
            .order_by(WorkspaceImport.name),
        ),
    )


def imports_of_run(session: Session, workspace: Workspace, wanted: Mapping[str, str] | None) -> list[WorkspaceImport]:
    """The imports a job was submitted with, also those withdrawn since: what a check needs to know of a run."""
    ids = set((wanted or {}).values())
    if not ids:
        return []
    found = session.scalars(
        select(WorkspaceImport)
        .where(WorkspaceImport.workspace_id == workspace.id, WorkspaceImport.id.in_(ids))
        .order_by(WorkspaceImport.name),
    )
    return list(found)


def still_mounted(session: Session, workspace: Workspace, wanted: Mapping[str, str] | None) -> bool:
    """Whether everything a job was submitted with still stands where it stood."""
    mounted = {each.name: each.id for each in imports_of(session, workspace)}
    return all(mounted.get(name) == id_ for name, id_ in (wanted or {}).items())


def import_path(name: str) -> str:
    """Where the table stands in every jail."""
    return f"/data/{FOLDER}/{name}/{name}.parquet"


def counts_object(import_id: str, intake_id: str) -> str:
    """The quarantined object with the counts of one import against one raw table."""
    return f"joined-{import_id}-{intake_id}"


def scope_ids(imports: Sequence[WorkspaceImport]) -> list[str]:
    """What the members' own imports add to the scope of a code review: another version is another scope."""
    return [f"import:{each.id}" for each in imports]
