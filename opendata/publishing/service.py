"""The publishing chain as officers and reviewers use it.

Every act checks the person, then the state, then the content; long work is enqueued in the same transaction, and every
act leaves its ledger entry there too. A review is by a real account that is a reviewer *now*: the bare operating-system
user has none and can never review.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from masking.policy import MaskingPolicy, check
from masking.table import file_format
from masking.taxonomy import DataLevel, OpeningClass
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset, Edition, EditionKind, EditionState, RecipientLine
from opendata.catalog.texts import text
from opendata.catalog.workdays import WorkCalendar
from opendata.db import utc_now
from opendata.identity import Actor, Role, User
from opendata.jobs import Job, enqueue
from opendata.ledger.events import AuditEvent, EventType
from opendata.ledger.service import append
from opendata.publishing import building, hierarchies, hierarchy_files, rules
from opendata.publishing.errors import InvalidSubmission, PublicationRefused, PublishingDenied, WrongState
from opendata.publishing.models import Intake, IntakeState, PolicyVersion, RiskCurve
from opendata.publishing.permissions import check_another_person, check_is_officer, check_may
from opendata.publishing.policies import parse_policy
from opendata.publishing.profile import schema_of, stored_statistics
from opendata.publishing.states import OPEN_WORK, Act

FILENAME_LENGTH = 200


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


def save_policy(
    session: Session,
    dataset: Dataset,
    *,
    yaml: str,
    actor: Actor,
    files: Path | None = None,
    now: datetime | None = None,
) -> PolicyVersion:
    """Check and save the next version of the masking policy. Hierarchies that it names as files, the dataset's own or
    those in the folder ``files``, are written into it, and the version notes their digests.

    Raises masking.errors.PolicyError, InvalidSubmission, PublishingDenied.
    """
    now = now or utc_now()
    check_is_officer(actor, dataset.organization_id)
    sources = hierarchy_files.Sources(files, hierarchies.contents_of(session, dataset, yaml))
    yaml = hierarchy_files.written_out(yaml, sources)
    policy = parse_policy(yaml)
    check(policy)
    newest = session.scalar(select(func.max(PolicyVersion.number)).where(PolicyVersion.dataset_id == dataset.id))
    version = PolicyVersion(
        dataset_id=dataset.id,
        number=(newest or 0) + 1,
        yaml=yaml,
        digest=hashlib.sha256(yaml.encode()).hexdigest(),
        author_id=actor.id,
        created_at=now,
        hierarchies=hierarchies.pins(session, dataset, policy, sources.found),
    )
    session.add(version)
    session.flush()
    pinned = sorted({each["sha256"] for each in version.hierarchies or ()})
    payload = {"dataset": dataset.id, "number": version.number, "digest": version.digest, "hierarchies": pinned}
    append(session, AuditEvent(EventType.POLICY_SAVE, actor.id, f"policy:{version.id}", now, payload))
    return version


def latest_policy(session: Session, dataset: Dataset) -> PolicyVersion | None:
    """The newest masking-policy version."""
    newest = select(PolicyVersion).where(PolicyVersion.dataset_id == dataset.id).order_by(PolicyVersion.number.desc())
    return session.scalar(newest.limit(1))


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


def build_edition(
    session: Session,
    intake: Intake,
    policy_version: PolicyVersion,
    *,
    opening_class: OpeningClass | str,
    legal_basis: str,
    checklist: Mapping[str, Any],
    assessment: Mapping[str, Any],
    actor: Actor,
    grades: Grades,
    now: datetime | None = None,
) -> tuple[Edition, Job]:
    """Start building an edition. ``checklist``: {item id: {"answer": "yes"|"no", "note": ""}} of checklist.ITEMS.

    Refused before a row is read: an attribute the policy does not name, a class the level does not allow, an answer
    that stops publication.
    """
    now = now or utc_now()
    dataset = session.get_one(Dataset, intake.dataset_id)
    check_is_officer(actor, dataset.organization_id)
    rules.check_can_build(dataset, intake, policy_version)
    policy = parse_policy(policy_version.yaml)
    check(policy, schema_of(intake.schema), stored_statistics(intake.profile))
    rules.check_for_publication(policy)
    rules.check_roles_explained(intake.findings, policy)
    _settle_level(session, dataset, intake, policy, actor=actor, now=now)
    opening = _opening_class(opening_class)
    kind = EditionKind.AGGREGATE if policy.is_aggregate else EditionKind.MICRODATA
    _check_may_open(grades, dataset, kind, opening, legal_basis)
    rules.check_checklist(checklist)
    rules.check_assessment(assessment, about_persons=policy.about_persons)
    edition = Edition(
        dataset_id=dataset.id,
        intake_id=intake.id,
        policy_version_id=policy_version.id,
        line_id=_new_line(session, dataset, policy, actor, now),
        kind=kind,
        state=EditionState.BUILDING,
        opening_class=opening,
        legal_basis=legal_basis.strip(),
        files=[],
        checklist=dict(checklist),
        assessment=dict(assessment),
        created_by=actor.id,
        created_at=now,
    )
    session.add(edition)
    session.flush()
    payload = {"dataset": dataset.id, "intake": intake.id, "policy": policy_version.digest, "opening_class": opening}
    append(session, AuditEvent(EventType.EDITION_BUILD, actor.id, f"edition:{edition.id}", now, payload))
    job = enqueue(session, "build", {"edition_id": edition.id}, actor_id=actor.id)
    edition.job_id = job.id
    return edition, job


def submit(
    session: Session, edition: Edition, *, actor: Actor, calendar: WorkCalendar, now: datetime | None = None
) -> Edition:
    """Send a built edition for review; due within 1 work day."""
    now = now or utc_now()
    check_may(actor, Act.SUBMIT, session.get_one(Dataset, edition.dataset_id))
    edition.state = rules.check_state(edition, Act.SUBMIT)
    edition.submitted_by, edition.submitted_at, edition.due_at = actor.id, now, calendar.due(now)
    _record(session, EventType.EDITION_SUBMIT, edition, actor, now)
    return edition


def approve(
    session: Session,
    edition: Edition,
    *,
    actor: Actor,
    opinion: str,
    grades: Grades,
    note: str = "",
    now: datetime | None = None,
) -> Job:
    """Approve with a signed opinion and enqueue the publication. Another person than author, creator, submitter."""
    now = now or utc_now()
    _check_can_review(session, edition, actor, Act.APPROVE)
    end = rules.check_state(edition, Act.APPROVE)
    rules.check_opinion(opinion)
    edition.opinion, edition.review_note = opinion.strip(), note.strip()
    _check_would_be_allowed(session, edition, grades)
    edition.state, edition.reviewed_by, edition.reviewed_at = end, actor.id, now
    digest = hashlib.sha256(edition.opinion.encode()).hexdigest()
    _record(session, EventType.EDITION_APPROVE, edition, actor, now, opinion=digest, digest=edition.digest)
    job = enqueue(session, "publish", {"edition_id": edition.id}, actor_id=actor.id)
    edition.job_id = job.id
    return job


def return_(session: Session, edition: Edition, *, actor: Actor, note: str, now: datetime | None = None) -> Edition:
    """Send it back to the officer with a note."""
    return _decided_against(
        session, edition, actor=actor, note=note, act=Act.RETURN, event=EventType.EDITION_RETURN, now=now
    )


def reject(session: Session, edition: Edition, *, actor: Actor, note: str, now: datetime | None = None) -> Edition:
    """Refuse it for good with a note."""
    return _decided_against(
        session, edition, actor=actor, note=note, act=Act.REJECT, event=EventType.EDITION_REJECT, now=now
    )


def withdraw(session: Session, edition: Edition, *, actor: Actor, reason: str, now: datetime | None = None) -> Job:
    """Take down (紧急下架): every door is shut when the transaction commits; the job then removes the files.

    Recipients' editions made from this one go with it. Digest and reason stay.
    """
    now = now or utc_now()
    dataset = session.get_one(Dataset, edition.dataset_id)
    check_may(actor, Act.WITHDRAW, dataset)
    rules.check_reason(reason)
    end = rules.check_state(edition, Act.WITHDRAW)
    made_from = session.scalars(
        select(Edition).where(
            Edition.parent_id == edition.id, Edition.state.in_((EditionState.PUBLISHED, EditionState.SUPERSEDED))
        )
    )
    for each in [edition, *made_from]:
        each.state, each.withdrawn_at, each.withdraw_reason = end, now, reason.strip()
        _record(session, EventType.EDITION_WITHDRAW, each, actor, now, digest=each.digest)
    if dataset.current_edition_id == edition.id:
        dataset.current_edition_id, dataset.updated_at = None, now
    return enqueue(session, "withdraw", {"edition_id": edition.id}, actor_id=actor.id)


def review_queue(session: Session, actor: Actor) -> list[Edition]:
    """Editions this reviewer may decide, most urgent first."""
    waiting = select(Edition).where(Edition.state == EditionState.IN_REVIEW).order_by(Edition.due_at, Edition.id)
    return [edition for edition in session.scalars(waiting) if can_review(session, edition, actor)]


def can_review(session: Session, edition: Edition, actor: Actor) -> bool:
    """Whether this person may decide on this edition, for queues and templates."""
    try:
        _check_can_review(session, edition, actor, Act.APPROVE)
    except PublishingDenied:
        return False
    return True


def editions_of(session: Session, dataset: Dataset) -> list[Edition]:
    """All editions of a dataset, newest first (console only)."""
    found = select(Edition).where(Edition.dataset_id == dataset.id).order_by(Edition.created_at.desc(), Edition.id)
    return list(session.scalars(found))


def _check_can_review(session: Session, edition: Edition, actor: Actor, act: Act) -> None:
    user = session.get(User, actor.id)
    if user is None or not user.active or Role.REVIEWER not in user.roles:
        raise PublishingDenied(
            text(
                "审核须由具有审核员角色的真实账号进行。",
                "A review needs a real account that holds the reviewer's role.",
            )
        )
    check_may(actor, act, session.get_one(Dataset, edition.dataset_id))
    check_another_person(actor, edition, _authors(session, edition))


def _authors(session: Session, edition: Edition) -> set[str]:
    """Whose work the edition is: who wrote this policy text, also if somebody saved it again, or brought the table."""
    version = session.get_one(PolicyVersion, edition.policy_version_id)
    same_text = select(PolicyVersion.author_id).where(
        PolicyVersion.dataset_id == edition.dataset_id, PolicyVersion.digest == version.digest
    )
    intake = session.get_one(Intake, edition.intake_id)
    return {*session.scalars(same_text), intake.created_by, *filter(None, [intake.bad_rows_acknowledged_by])}


def _check_would_be_allowed(session: Session, edition: Edition, grades: Grades) -> None:
    work = building.work_of(session, edition.id)
    rules.check_acknowledged(work.intake)
    report = building.report_of(edition)
    facts = building.facts_of(work, report, opinion=edition.opinion, key_destroyed=building.will_destroy_key(edition))
    decision = building.decide(grades, work, facts)
    if not decision.allowed:
        raise PublicationRefused(decision.reason, clause=decision.clause)


def _decided_against(
    session: Session, edition: Edition, *, actor: Actor, note: str, act: Act, event: EventType, now: datetime | None
) -> Edition:
    now = now or utc_now()
    _check_can_review(session, edition, actor, act)
    end = rules.check_state(edition, act)
    rules.check_reason(note)
    edition.state, edition.reviewed_by, edition.reviewed_at = end, actor.id, now
    edition.review_note = note.strip()
    _record(session, event, edition, actor, now)
    return edition


def _settle_level(
    session: Session, dataset: Dataset, intake: Intake, policy: MaskingPolicy, *, actor: Actor, now: datetime
) -> None:
    """Write the level into the catalogue if it is not there yet, or if the policy declares a higher one."""
    declared = policy.level
    unexplained = [
        finding["column"]
        for finding in intake.findings
        if declared is not None
        and DataLevel(finding["level"]) > declared
        and not (finding["column"] in policy.attributes and policy.attributes[finding["column"]].reason.strip())
    ]
    level = rules.settle_level(
        confirmed=DataLevel(dataset.level) if dataset.level else None,
        overruled=DataLevel(dataset.level_overruled) if dataset.level_overruled else None,
        proposed=DataLevel(intake.proposed_level) if intake.proposed_level else None,
        declared=declared,
        unexplained=unexplained,
    )
    if dataset.level == str(level):
        return
    dataset.level, dataset.updated_at = str(level), now
    if intake.proposed_level and DataLevel(intake.proposed_level) > level:
        dataset.level_reason = "脱敏策略逐项说明了理由（the masking policy gives a reason for each attribute）"
        dataset.level_overruled = intake.proposed_level
    payload = {"level": dataset.level, "proposed": intake.proposed_level, "by": "policy"}
    append(session, AuditEvent("catalog:dataset:confirm_level", actor.id, f"dataset:{dataset.id}", now, payload))


def _opening_class(value: OpeningClass | str) -> OpeningClass:
    if value not in set(OpeningClass):
        raise InvalidSubmission(text("开放属性无效。", "There is no such opening class."))
    return OpeningClass(value)


def _check_may_open(
    grades: Grades, dataset: Dataset, kind: EditionKind, opening: OpeningClass, legal_basis: str
) -> None:
    """Refuse early what no effect and no opinion could make allowed."""
    level = DataLevel(str(dataset.level))
    reachable = grades.reachable(level, kind, opening, legal_basis=legal_basis, negative_list=dataset.negative_list)
    if not reachable.allowed:
        raise PublicationRefused(reachable.reason, clause=reachable.clause)


def _new_line(session: Session, dataset: Dataset, policy: MaskingPolicy, actor: Actor, now: datetime) -> str | None:
    """A fresh line, and so a fresh random key, for the edition itself; none when nothing is keyed."""
    if not policy.key_names:
        return None
    line = RecipientLine(dataset_id=dataset.id, organization_id=None, purpose="", created_at=now)
    session.add(line)
    session.flush()
    payload = {"dataset": dataset.id, "organization": None}
    append(session, AuditEvent(EventType.LINE_CREATE, actor.id, f"line:{line.id}", now, payload))
    return line.id


def _record(session: Session, event: EventType, edition: Edition, actor: Actor, now: datetime, **payload: Any) -> None:
    subject = f"edition:{edition.id}"
    append(session, AuditEvent(event, actor.id, subject, now, {"dataset": edition.dataset_id, **payload}))
