"""Steps that give a recipient their own edition: the reviewed table under the recipient's own random key.

One line for each dataset, organisation and purpose: pseudonyms of two firms do not join. Everything but the pseudonyms
repeats the reviewed edition, so no new review is needed; the matrix, the scan and the exposure are not skipped.
Source: PRIVACY.md 10, 13.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.taxonomy import OpeningClass
from opendata.access.models import Grant
from opendata.access.rules import is_living
from opendata.catalog.models import Dataset, Edition, EditionState, RecipientLine
from opendata.catalog.service import current_edition
from opendata.catalog.texts import text
from opendata.db import utc_now
from opendata.jobs.context import JobContext
from opendata.ledger.events import AuditEvent, EventType
from opendata.ledger.service import append
from opendata.publishing import building, releasing
from opendata.publishing.building import Work
from opendata.publishing.errors import PublicationRefused
from opendata.publishing.states import Act, end_of
from opendata.publishing.views import SHOWN

COPIED = (
    "dataset_id",
    "intake_id",
    "policy_version_id",
    "kind",
    "level",
    "opening_class",
    "effect",
    "legal_status",
    "legal_basis",
    "checklist",
    "assessment",
    "submitted_by",
    "submitted_at",
    "reviewed_by",
    "reviewed_at",
    "review_note",
    "opinion",
)


def prepare(context: JobContext, grant_id: str) -> str | None:
    """The id of the edition to build for this grant, or None when there is nothing to build."""
    now = utc_now()
    with context.database.begin() as session:
        grant = session.get_one(Grant, grant_id)
        dataset = session.get_one(Dataset, grant.dataset_id)
        parent = current_edition(session, dataset)
        if not is_living(grant, now) or parent is None or parent.opening_class != OpeningClass.CONDITIONAL:
            return None
        work = building.work_of(session, parent.id)
        if not work.keyed_columns:
            grant.edition_id = parent.id
            return None
        line = _line(session, grant, actor_id=context.actor_id)
        grant.line_id = line.id
        ready = _published(session, parent, line)
        if ready is not None:
            grant.edition_id = ready.id
            return None
        return _edition(session, context, parent, line).id


def compare(context: JobContext, edition_id: str) -> None:
    """Everything but the pseudonyms must be as reviewed."""
    with context.database.session() as session:
        edition = session.get_one(Edition, edition_id)
        parent = session.get_one(Edition, edition.parent_id)
        if (edition.effect, edition.rows) != (parent.effect, parent.rows):
            raise _differs()
        work, reviewed = building.work_of(session, edition.id), building.work_of(session, parent.id)
    names = [*work.policy.recoded, SHOWN]
    if work.policy.recoded:
        one, other = (building.view_of(context, each).frame.select(names) for each in (work, reviewed))
        if not one.equals(other):
            raise _differs()


def switch(context: JobContext, edition_id: str, grant_id: str) -> None:
    """Ledger entry, exposure and the grant's edition: one transaction, or nothing."""
    now = utc_now()
    with context.database.begin() as session:
        work = building.work_of(session, edition_id)
        edition = work.edition
        grant = session.get_one(Grant, grant_id)
        end = end_of(Act.PUBLISH, EditionState(edition.state))
        if end is None:
            return
        if not _wanted(session, work, grant):
            edition.state, edition.error = EditionState.FAILED, "已不需要（no longer needed）"
            return
        edition.state, edition.published_at = end, now
        releasing.record_release(session, work, actor_id=context.actor_id, now=now, grant_id=grant_id)
        for each in session.scalars(select(Grant).where(Grant.line_id == edition.line_id)):
            each.edition_id = edition.id


def _differs() -> PublicationRefused:
    return PublicationRefused(
        text("专属版本与审核过的版本不一致，不得提供。", "The recipient's edition differs from the reviewed one.")
    )


def _wanted(session: Session, work: Work, grant: Grant) -> bool:
    """The parent is still the edition the doors serve, and the grant still lives."""
    current = current_edition(session, work.dataset)
    return current is not None and current.id == work.edition.parent_id and is_living(grant, utc_now())


def _line(session: Session, grant: Grant, *, actor_id: str | None) -> RecipientLine:
    line = session.scalar(
        select(RecipientLine).where(
            RecipientLine.dataset_id == grant.dataset_id,
            RecipientLine.organization_id == grant.organization_id,
            RecipientLine.purpose == grant.purpose,
            RecipientLine.destroyed_at.is_(None),
        )
    )
    if line is not None:
        return line
    now = utc_now()
    line = RecipientLine(
        dataset_id=grant.dataset_id, organization_id=grant.organization_id, purpose=grant.purpose, created_at=now
    )
    session.add(line)
    session.flush()
    payload = {"dataset": grant.dataset_id, "organization": grant.organization_id}
    append(session, AuditEvent(EventType.LINE_CREATE, actor_id, f"line:{line.id}", now, payload))
    return line


def _published(session: Session, parent: Edition, line: RecipientLine) -> Edition | None:
    return session.scalar(
        select(Edition).where(
            Edition.parent_id == parent.id, Edition.line_id == line.id, Edition.state == EditionState.PUBLISHED
        )
    )


def _edition(session: Session, context: JobContext, parent: Edition, line: RecipientLine) -> Edition:
    """The edition of the line that this job makes; a rerun finds the one it made."""
    made = session.scalar(select(Edition).where(Edition.parent_id == parent.id, Edition.job_id == context.job_id))
    if made is not None:
        return made
    edition = Edition(
        **{name: getattr(parent, name) for name in COPIED},
        line_id=line.id,
        parent_id=parent.id,
        state=EditionState.BUILDING,
        job_id=context.job_id,
        created_by=parent.created_by,
        created_at=utc_now(),
    )
    session.add(edition)
    session.flush()
    return edition
