"""Raw versions of a table as officers bring them in: uploaded, acknowledged, erased; and the confirmed level."""

from datetime import datetime
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from masking.table import file_format
from masking.taxonomy import DataLevel
from opendata.catalog.models import Dataset, Edition
from opendata.catalog.texts import text
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.jobs import Job, enqueue
from opendata.ledger.events import AuditEvent, EventType
from opendata.ledger.service import append
from opendata.publishing import rules
from opendata.publishing.errors import InvalidSubmission, PublicationRefused, WrongState
from opendata.publishing.models import Intake, IntakeState, RiskCurve
from opendata.publishing.permissions import check_is_officer
from opendata.publishing.states import OPEN_WORK

FILENAME_LENGTH: Final = 200


def check_can_upload(actor: Actor, dataset: Dataset, filename: str) -> str:
    """The format of an upload this person may make; asked before a byte is accepted."""
    check_is_officer(actor, dataset.organization_id)
    if not 0 < len(filename) <= FILENAME_LENGTH or "/" in filename or "\\" in filename:
        raise InvalidSubmission(text("文件名无效。", "The file's name is not valid."))
    return file_format(filename)


def create_intake(
    session: Session,
    dataset: Dataset,
    *,
    filename: str,
    nbytes: int,
    actor: Actor,
    intake_id: str,
    now: datetime | None = None,
) -> tuple[Intake, Job]:
    """Record a sealed upload (already in the vault under ``intake_id``) and enqueue its intake job."""
    now = now or utc_now()
    format_ = check_can_upload(actor, dataset, filename)
    intake = Intake(
        id=intake_id,
        dataset_id=dataset.id,
        organization_id=dataset.organization_id,
        filename=filename,
        format=format_,
        bytes=nbytes,
        state=IntakeState.UPLOADED,
        bad_row_count=0,
        created_by=actor.id,
        created_at=now,
    )
    session.add(intake)
    session.flush()
    payload = {"dataset": dataset.id, "bytes": nbytes, "format": format_}
    append(session, AuditEvent(EventType.INTAKE_CREATE, actor.id, f"intake:{intake.id}", now, payload))
    job = enqueue(session, "intake", {"intake_id": intake.id}, actor_id=actor.id)
    intake.job_id = job.id
    return intake, job


def acknowledge_bad_rows(session: Session, intake: Intake, *, actor: Actor, now: datetime | None = None) -> Intake:
    """The officer accepts that the listed rows are not in the table; publication needs this."""
    now = now or utc_now()
    check_is_officer(actor, intake.organization_id)
    if intake.state != IntakeState.READY or not intake.bad_row_count:
        raise WrongState(text("该批次没有待确认的行。", "This intake has no rows to acknowledge."))
    intake.bad_rows_acknowledged_by = actor.id
    payload = {"bad_rows": intake.bad_row_count}
    append(session, AuditEvent("publishing:intake:acknowledge", actor.id, f"intake:{intake.id}", now, payload))
    return intake


def erase_intake(session: Session, intake: Intake, *, actor: Actor, now: datetime | None = None) -> Job:
    """Destroy a raw version: the tombstone is recorded, then a job destroys its data key.

    Refused while an edition that is still being made needs it.
    """
    now = now or utc_now()
    check_is_officer(actor, intake.organization_id)
    if intake.state == IntakeState.ERASED:
        raise WrongState(text("该批次已销毁。", "The intake has been erased already."))
    needed = select(Edition.id).where(Edition.intake_id == intake.id, Edition.state.in_(OPEN_WORK)).limit(1)
    if session.scalar(needed) is not None:
        raise WrongState(text("有正在办理的版本需要该批次。", "An edition in the making still needs this intake."))
    intake.state = IntakeState.ERASED
    session.execute(delete(RiskCurve).where(RiskCurve.intake_id == intake.id))
    append(session, AuditEvent(EventType.INTAKE_ERASE, actor.id, f"intake:{intake.id}", now))
    return enqueue(session, "erase", {"intake_id": intake.id}, actor_id=actor.id)


def latest_intake(session: Session, dataset: Dataset) -> Intake | None:
    """The newest intake."""
    newest = select(Intake).where(Intake.dataset_id == dataset.id).order_by(Intake.created_at.desc(), Intake.id)
    return session.scalar(newest.limit(1))


def intakes_of(session: Session, dataset: Dataset) -> list[Intake]:
    """All intakes of a dataset, newest first (console only)."""
    found = select(Intake).where(Intake.dataset_id == dataset.id).order_by(Intake.created_at.desc(), Intake.id)
    return list(session.scalars(found))


def confirm_level(
    session: Session, dataset: Dataset, *, level: str, reason: str, actor: Actor, now: datetime | None = None
) -> Dataset:
    """The officer confirms the level of the raw table.

    Below the newest intake's proposed level it needs a reason, which the reviewer sees; a level that stands is never
    lowered here (PRIVACY.md 8: that is a decision of two others).
    """
    now = now or utc_now()
    check_is_officer(actor, dataset.organization_id)
    if level not in set(DataLevel):
        raise InvalidSubmission(text("数据级别无效。", "There is no such level."))
    if dataset.level is not None and DataLevel(level) < DataLevel(dataset.level):
        raise PublicationRefused(
            text("已确认的级别只能调高；降级须另行两人决定。", "A confirmed level may only be raised here."),
            clause=text("GB/T 43697-2024 附录 J", "GB/T 43697-2024, annex J"),
        )
    intake = latest_intake(session, dataset)
    proposed = intake.proposed_level if intake is not None else None
    below = proposed is not None and DataLevel(level) < DataLevel(proposed)
    if below:
        rules.check_reason(reason)
    dataset.level = level
    dataset.level_reason, dataset.level_overruled = (reason.strip(), proposed) if below else ("", None)
    dataset.updated_at = now
    payload = {"level": level, "proposed": proposed, "reason": dataset.level_reason}
    append(session, AuditEvent("catalog:dataset:confirm_level", actor.id, f"dataset:{dataset.id}", now, payload))
    return dataset
