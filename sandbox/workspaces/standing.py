"""Whether a workspace still has what it was approved for: editions are taken down, raw versions are destroyed.

Rule: a withdrawal closes every door within 60 s, and so does a raised level (PRIVACY.md 7, 8). Doors ask here at every
passage; `keeping` removes the files by the clock, and the hub ends sessions that hold an edition not named by `held`.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.taxonomy import OpeningClass
from opendata.access.door import permitted
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset, DatasetState, Edition, EditionKind, EditionState
from opendata.publishing.models import Intake, IntakeState
from sandbox.workspaces.errors import WorkspaceConflict
from sandbox.workspaces.lookups import datasets_of
from sandbox.workspaces.models import Workspace, WorkspaceDataset

EDITION: Final = "edition"
STANDING: Final = (EditionState.PUBLISHED, EditionState.SUPERSEDED)
"""States in which a session that holds an edition may go on holding it."""


class Lack(StrEnum):
    """Why a dataset of a workspace cannot be worked with now."""

    WITHDRAWN = "withdrawn"
    ERASED = "erased"
    UNPREPARED = "unprepared"

    @property
    def text(self) -> dict[str, str]:
        """For people."""
        return _WORDS[self]


_WORDS: Final = {
    Lack.WITHDRAWN: {
        "zh": "版本已下架，会话中不再提供，也不能提交作业；发布新版本后自动恢复",
        "en": "its edition was taken down: it is in no session and no job runs; it comes back with a new edition",
    },
    Lack.ERASED: {
        "zh": "原始数据批次已销毁，不能再在其上运行作业",
        "en": "its raw table was erased, so no job runs on it any more",
    },
    Lack.UNPREPARED: {"zh": "会话中的数据尚未准备好", "en": "its data for sessions is not prepared yet"},
}


def lack_of(session: Session, row: WorkspaceDataset) -> Lack | None:
    """What the dataset lacks now, the gravest first; None when all is there."""
    dataset = session.get_one(Dataset, row.dataset_id)
    edition = session.get(Edition, dataset.current_edition_id) if dataset.current_edition_id else None
    if edition is None or edition.state != EditionState.PUBLISHED or dataset.state != DatasetState.PUBLISHED:
        return Lack.WITHDRAWN
    if session.get_one(Intake, edition.intake_id).state == IntakeState.ERASED:
        return Lack.ERASED
    return None if row.kind is not None and not gone(session, row) else Lack.UNPREPARED


def gone(session: Session, row: WorkspaceDataset) -> bool:
    """Whether the edition from which the prepared file was made was taken down."""
    if row.edition_id is None:
        return row.kind == EDITION  # nobody knows which one it is
    made_from = session.get(Edition, row.edition_id)
    return made_from is None or made_from.state not in STANDING


def check_complete(session: Session, workspace: Workspace, *, needed: Collection[Lack] = frozenset(Lack)) -> None:
    """Raise WorkspaceConflict, naming each dataset and what it lacks, unless nothing of ``needed`` is lacking."""
    found = [(each.name, lack_of(session, each)) for each in datasets_of(session, workspace)]
    lacking = [(name, lack.text) for name, lack in found if lack in needed and lack]
    if lacking:
        zh = "；".join(f"{name}：{words['zh']}" for name, words in lacking)
        en = "; ".join(f"{name}: {words['en']}" for name, words in lacking)
        raise WorkspaceConflict(f"现在不能运行：{zh} · nothing can run now: {en}")


def held(session: Session, workspace: Workspace, grades: Grades) -> list[str]:
    """Ids of the editions that a session of the workspace may hold now, in no order that means anything."""
    found = session.execute(
        select(Dataset, Edition)
        .join(WorkspaceDataset, WorkspaceDataset.dataset_id == Dataset.id)
        .join(Edition, Edition.dataset_id == Dataset.id)
        .where(
            WorkspaceDataset.workspace_id == workspace.id,
            Edition.kind == EditionKind.MICRODATA,
            Edition.parent_id.is_(None),
            Edition.state.in_(STANDING),
        )
    )
    return sorted(edition.id for dataset, edition in found if may_hold(dataset, edition, grades))


def may_hold(dataset: Dataset, edition: Edition, grades: Grades) -> bool:
    """Whether everybody might download this edition, or might before the next one came: the matrix is asked anew."""
    return (
        edition.opening_class == OpeningClass.UNCONDITIONAL
        and edition.state in STANDING
        and dataset.state == DatasetState.PUBLISHED
        and permitted(dataset, edition, grades)
    )
