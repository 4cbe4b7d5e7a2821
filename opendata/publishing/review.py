"""An edition is sent for review, decided and, if need be, taken down.

A review is by a real account that is a reviewer *now*: the bare operating-system user has none and can never review.
"""

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset, Edition, EditionState
from opendata.catalog.texts import text
from opendata.catalog.workdays import WorkCalendar
from opendata.db import utc_now
from opendata.identity import Actor, Role, User
from opendata.jobs import Job, enqueue
from opendata.ledger.events import AuditEvent, EventType
from opendata.ledger.service import append
from opendata.publishing import building, rules
from opendata.publishing.errors import PublicationRefused, PublishingDenied
from opendata.publishing.models import Intake, PolicyVersion
from opendata.publishing.permissions import check_another_person, check_may
from opendata.publishing.states import Act


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


def _record(session: Session, event: EventType, edition: Edition, actor: Actor, now: datetime, **payload: Any) -> None:
    subject = f"edition:{edition.id}"
    append(session, AuditEvent(event, actor.id, subject, now, {"dataset": edition.dataset_id, **payload}))
