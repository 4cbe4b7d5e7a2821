"""What runs and checks need to know of a workspace: its datasets, their policies, limits and raw tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.policy.load import load
from masking.policy.model import MaskingPolicy
from masking.taxonomy import Role as AttributeRole
from opendata.catalog import grades
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset, Edition
from opendata.jobs.context import JobContext
from opendata.publishing.models import Intake, PolicyVersion
from sandbox.airlock.checks.raw import RawTable
from sandbox.airlock.limits import AirlockLimits, default_limits
from sandbox.airlock.rawdoor import code_text
from sandbox.airlock.registered import registered_of
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.environment import lock_digest
from sandbox.workspaces.errors import WorkspaceError
from sandbox.workspaces.models import Workspace

_STRINGS: Final = re.compile(r"""(['"])((?:(?!\1)[^\\\n]){1,80})\1""")


@dataclass(frozen=True, slots=True)
class Source:
    """One dataset of a workspace as a run needs it."""

    name: str
    dataset_id: str
    intake_id: str | None
    policy: MaskingPolicy
    columns: tuple[str, ...]
    distinct: dict[str, int]


def sources_of(session: Session, workspace: Workspace, *, intakes: dict[str, str] | None = None) -> list[Source]:
    """The workspace's datasets with the intake and masking policy of their current editions.

    ``intakes`` fixes the intakes of an earlier moment: what a job ran on is what its output is compared with.
    """
    sources = []
    for each in workspaces.datasets_of(session, workspace):
        edition = session.scalar(
            select(Edition)
            .join(Dataset, Dataset.current_edition_id == Edition.id)
            .where(Dataset.id == each.dataset_id),
        )
        if edition is None:
            raise WorkspaceError(f"数据集 {each.name} 已没有发布版本 · {each.name} has no published edition any more")
        intake_id = (intakes or {}).get(each.name) or edition.intake_id
        intake = session.get_one(Intake, intake_id)
        version = session.get_one(PolicyVersion, edition.policy_version_id)
        sources.append(
            Source(
                name=each.name,
                dataset_id=each.dataset_id,
                intake_id=intake.id,
                policy=load(version.yaml),
                columns=tuple(column["name"] for column in intake.schema),
                distinct={c["name"]: int(c["distinct"]) for c in intake.profile if c.get("distinct") is not None},
            ),
        )
    return sources


def limits_of(
    context: JobContext,
    session: Session,
    workspace: Workspace,
    sources: Iterable[Source],
) -> AirlockLimits:
    """The limits of a workspace: defaults under its datasets' own rules and its level."""
    door = workspaces.door_of(session, workspace, load_grades(context))
    rules_ = [source.policy.sandbox for source in sources]
    return default_limits().tightened(rules_, registered_only=door.registered_kinds_only)


def load_grades(context: JobContext) -> Grades:
    """The matrix of this installation."""
    return grades.load(context.settings)


def attributes_of(sources: Iterable[Source]) -> frozenset[str]:
    """Names of the raw tables' columns."""
    return frozenset(name for source in sources for name in source.columns)


def direct_of(sources: Iterable[Source]) -> frozenset[str]:
    """Names of direct identifiers, lower case."""
    return frozenset(
        name.casefold()
        for source in sources
        for name, rule in source.policy.attributes.items()
        if rule.role is AttributeRole.DIRECT_IDENTIFIER
    )


def known_of(sources: Iterable[Source], entry: str, code: bytes) -> frozenset[str]:
    """Labels that cannot come from raw data: code lists of the policies and string constants of the code."""
    codes = {
        str(code)
        for source in sources
        for rule in source.policy.attributes.values()
        for code in (*(rule.codes or ()), *((rule.practice or {}).get("values") or ()))
    }
    return frozenset(codes | {match.group(2) for match in _STRINGS.finditer(code_text(entry, code))})


def raw_table(context: JobContext, source: Source) -> RawTable:
    """The raw table of a source as the checks stream it."""
    intake_id = source.intake_id or ""
    registered = registered_of(source.policy)
    return RawTable(source.name, lambda: context.vault.read_table(intake_id), source.distinct, registered=registered)


def kernel_digest() -> str | None:
    """SHA-256 of the lock that the notebooks' environment was made of."""
    return lock_digest()


def read_object(context: JobContext, name: str) -> bytes:
    """A quarantined object, whole."""
    with context.vault.open_object(name) as stream:
        return stream.read()
