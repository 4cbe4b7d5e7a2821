"""Applications, decisions, grants and app keys. Every write leaves its ledger entry in the same transaction.

Free text of an application is private: it is stored for those who decide and never enters the ledger or a public page.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.taxonomy import OpeningClass
from opendata.access import permissions, rules
from opendata.access.errors import AccessDenied, RequestConflict
from opendata.access.models import AccessRequest, AppKey, Grant, GrantBasis, RequestState
from opendata.access.states import TRANSITIONS
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset
from opendata.catalog.service import current_edition
from opendata.catalog.texts import text
from opendata.catalog.visibility import visible
from opendata.catalog.workdays import WorkCalendar
from opendata.db import utc_now
from opendata.identity import Actor, User
from opendata.jobs import enqueue
from opendata.ledger.events import AuditEvent, EventType
from opendata.ledger.service import append

KEY_PREFIX: Final = "odk_"
RECIPIENT_LINE_JOB: Final = "recipient_line"


def request_access(
    session: Session,
    dataset: Dataset,
    *,
    actor: Actor,
    scenario: str,
    purpose: str,
    term_days: int,
    safeguards: str,
    pledge: bool,
    grades: Grades,
    calendar: WorkCalendar,
    now: datetime | None = None,
) -> AccessRequest:
    """Apply for a conditional dataset; due within 1 work day. One open application per person and dataset.

    Raises AccessDenied (there is no conditional edition to apply for), InvalidRequest, RequestConflict.
    """
    now = now or utc_now()
    edition = current_edition(session, dataset)
    door = grades.nearest_door(dataset, edition, actor)
    if not visible(dataset, actor) or edition is None or edition.opening_class != OpeningClass.CONDITIONAL:
        reason = text("该数据集不接受使用申请。", "This dataset takes no applications.")
        raise AccessDenied(reason, clause=door.clause, door=door)
    rules.check_application(
        scenario=scenario, purpose=purpose, term_days=term_days, safeguards=safeguards, pledge=pledge
    )
    if open_request(session, dataset, actor) is not None:
        raise RequestConflict(text("您已有一份在办申请。", "You have an open application already."))
    if living_grant(session, dataset, actor, now=now) is not None:
        raise RequestConflict(text("您已有有效的使用许可。", "You hold a living grant already."))
    request = AccessRequest(
        dataset_id=dataset.id,
        user_id=actor.id,
        organization_id=actor.organization_id,
        scenario=scenario.strip(),
        purpose=purpose.strip(),
        term_days=term_days,
        safeguards=safeguards.strip(),
        pledge=pledge,
        state=RequestState.SUBMITTED,
        created_at=now,
        due_at=calendar.due(now),
    )
    session.add(request)
    session.flush()
    payload = {"dataset": dataset.id, "organization": actor.organization_id, "term_days": term_days}
    append(session, AuditEvent(EventType.REQUEST_SUBMIT, actor.id, f"request:{request.id}", now, payload))
    return request


def withdraw_request(
    session: Session, request: AccessRequest, *, actor: Actor, now: datetime | None = None
) -> AccessRequest:
    """The applicant takes an undecided application back."""
    now = now or utc_now()
    permissions.check_can_take_back(actor, request)
    _move(request, RequestState.WITHDRAWN)
    append(session, AuditEvent(EventType.REQUEST_WITHDRAW, actor.id, f"request:{request.id}", now))
    return request


def decide(
    session: Session,
    request: AccessRequest,
    *,
    actor: Actor,
    approve: bool,
    reason: str,
    now: datetime | None = None,
) -> Grant | None:
    """Approve (returns the grant) or reject (returns None); a rejection needs a reason. Never the applicant.

    When the edition holds keyed pseudonyms, the grant's own edition is built by a job and opens when it is done.
    """
    now = now or utc_now()
    dataset = session.get_one(Dataset, request.dataset_id)
    permissions.check_can_decide(actor, request, dataset)
    if not approve and not reason.strip():
        raise RequestConflict(text("不予批准须说明理由。", "A rejection needs a reason."))
    _move(request, RequestState.APPROVED if approve else RequestState.REJECTED)
    request.decided_by, request.decided_at, request.reason = actor.id, now, reason.strip()
    subject = f"request:{request.id}"
    if not approve:
        append(session, AuditEvent(EventType.REQUEST_REJECT, actor.id, subject, now, {"dataset": dataset.id}))
        return None
    edition = current_edition(session, dataset)
    if edition is None or edition.opening_class != OpeningClass.CONDITIONAL:
        raise RequestConflict(
            text("该数据集已没有可申请的版本。", "The dataset no longer has an edition that can be granted.")
        )
    append(session, AuditEvent(EventType.REQUEST_APPROVE, actor.id, subject, now, {"dataset": dataset.id}))
    return _grant(session, request, dataset, actor=actor, now=now)


def requests_of(session: Session, actor: Actor) -> list[AccessRequest]:
    """The actor's own applications, newest first."""
    mine = select(AccessRequest).where(AccessRequest.user_id == actor.id)
    return list(session.scalars(mine.order_by(AccessRequest.created_at.desc())))


def request_queue(session: Session, actor: Actor) -> list[AccessRequest]:
    """Undecided applications this officer or reviewer may decide, most urgent first."""
    if not actor.roles & permissions.DECIDERS:
        return []
    waiting = (
        select(AccessRequest, Dataset)
        .join(Dataset, Dataset.id == AccessRequest.dataset_id)
        .where(AccessRequest.state == RequestState.SUBMITTED)
        .order_by(AccessRequest.due_at, AccessRequest.created_at)
    )
    return [request for request, dataset in session.execute(waiting) if permissions.can_decide(actor, request, dataset)]


def grants_of(session: Session, actor: Actor) -> list[Grant]:
    """The actor's own grants, newest first."""
    return list(session.scalars(select(Grant).where(Grant.user_id == actor.id).order_by(Grant.created_at.desc())))


def department_grants(session: Session, actor: Actor) -> list[Grant]:
    """Grants this officer or reviewer may end, newest first."""
    if not actor.roles & permissions.DECIDERS:
        return []
    found = select(Grant, Dataset).join(Dataset, Dataset.id == Grant.dataset_id).order_by(Grant.created_at.desc())
    return [grant for grant, dataset in session.execute(found) if permissions.can_revoke(actor, grant, dataset)]


def open_request(session: Session, dataset: Dataset, actor: Actor) -> AccessRequest | None:
    """The actor's undecided application for this dataset."""
    return session.scalar(
        select(AccessRequest).where(
            AccessRequest.dataset_id == dataset.id,
            AccessRequest.user_id == actor.id,
            AccessRequest.state == RequestState.SUBMITTED,
        )
    )


def living_grant(session: Session, dataset: Dataset, actor: Actor, *, now: datetime) -> Grant | None:
    """The actor's living grant for this dataset, one that opens its doors."""
    mine = select(Grant).where(Grant.dataset_id == dataset.id, Grant.user_id == actor.id, Grant.revoked_at.is_(None))
    living = (g for g in session.scalars(mine.order_by(Grant.expires_at.desc())) if rules.is_living(g, now))
    return next((g for g in living if rules.opens_doors(g)), None)


def issue_app_key(session: Session, grant: Grant, *, actor: Actor, now: datetime | None = None) -> str:
    """Issue a key; the clear key is returned once and never stored. An earlier key of the grant ends."""
    now = now or utc_now()
    permissions.check_can_use(actor, grant)
    if not rules.is_living(grant, now):
        raise RequestConflict(text("许可已终止或到期。", "The grant has ended or expired."))
    if not rules.opens_doors(grant):
        raise RequestConflict(
            text("集中授权只用于申请数据沙箱。", "A central authorization serves to apply for a workspace only.")
        )
    for earlier in session.scalars(select(AppKey).where(AppKey.grant_id == grant.id, AppKey.revoked_at.is_(None))):
        earlier.revoked_at = now
    clear = KEY_PREFIX + secrets.token_urlsafe(32)
    key = AppKey(id=_hash(clear), grant_id=grant.id, prefix=clear[: len(KEY_PREFIX) + 4], created_at=now)
    session.add(key)
    session.flush()
    append(session, AuditEvent(EventType.APP_KEY_ISSUE, actor.id, f"grant:{grant.id}", now))
    return clear


def app_keys_of(session: Session, grant: Grant) -> list[AppKey]:
    """Keys of a grant, newest first; only prefixes can be shown."""
    return list(session.scalars(select(AppKey).where(AppKey.grant_id == grant.id).order_by(AppKey.created_at.desc())))


def grant_of_key(session: Session, key: str, *, now: datetime) -> Grant | None:
    """The living grant of a living key, or None: unknown, revoked, expired and a closed account look the same."""
    found = session.get(AppKey, _hash(key))
    if found is None or found.revoked_at is not None:
        return None
    grant = session.get_one(Grant, found.grant_id)
    holder = session.get(User, grant.user_id)
    return grant if rules.is_living(grant, now) and holder is not None and holder.active else None


def revoke_grant(session: Session, grant: Grant, *, actor: Actor, reason: str, now: datetime | None = None) -> Grant:
    """End a grant and its keys at once (its holder, or an officer or reviewer of the providing department)."""
    now = now or utc_now()
    dataset = session.get_one(Dataset, grant.dataset_id)
    permissions.check_can_revoke(actor, grant, dataset)
    if grant.revoked_at is not None:
        raise RequestConflict(text("许可已经终止。", "The grant has ended already."))
    grant.revoked_at, grant.revoked_by = now, actor.id
    for key in session.scalars(select(AppKey).where(AppKey.grant_id == grant.id, AppKey.revoked_at.is_(None))):
        key.revoked_at = now
    payload = {"dataset": dataset.id, "by_holder": actor.id == grant.user_id, "reason_given": bool(reason.strip())}
    append(session, AuditEvent(EventType.GRANT_REVOKE, actor.id, f"grant:{grant.id}", now, payload))
    return grant


def _grant(session: Session, request: AccessRequest, dataset: Dataset, *, actor: Actor, now: datetime) -> Grant:
    grant = Grant(
        basis=GrantBasis.APPLICATION,
        request_id=request.id,
        dataset_id=dataset.id,
        user_id=request.user_id,
        organization_id=request.organization_id,
        purpose=request.purpose,
        quota_per_day=rules.QUOTA_PER_DAY,
        starts_at=now,
        expires_at=now + timedelta(days=request.term_days),
        created_at=now,
    )
    session.add(grant)
    session.flush()
    payload = {
        "dataset": dataset.id,
        "organization": request.organization_id,
        "expires_at": grant.expires_at.isoformat(),
    }
    append(session, AuditEvent(EventType.GRANT_CREATE, actor.id, f"grant:{grant.id}", now, payload))
    grant.job_id = enqueue(session, RECIPIENT_LINE_JOB, {"grant_id": grant.id}, actor_id=actor.id).id
    return grant


def _move(request: AccessRequest, to: RequestState) -> None:
    if to not in TRANSITIONS[RequestState(request.state)]:
        raise RequestConflict(text("该申请已办结。", "The application has been decided already."))
    request.state = to


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
