"""The one decider of every door: HTML preview, rows, download, CKAN, sandbox ``/data``.

Authorisation comes before anything else: no size, digest, count or error of a conditional edition is looked at for
somebody who may not take it. The matrix is asked again at every passage, so that a raised level shuts the door when its
transaction commits, as do withdrawal, revocation and expiry. Source: PRIVACY.md 7, 8, 26.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel, Effect, LegalStatus, OpeningClass
from opendata.access.errors import AccessDenied, Code
from opendata.access.models import AccessLog, Grant
from opendata.access.rules import is_living
from opendata.access.service import grant_of_key, living_grant, open_request
from opendata.catalog.errors import DatasetNotFound
from opendata.catalog.grades import Door, Grades
from opendata.catalog.models import Dataset, DatasetState, Edition, EditionKind, EditionState
from opendata.catalog.service import current_edition
from opendata.catalog.texts import Text, text
from opendata.catalog.visibility import visible
from opendata.db import utc_now
from opendata.identity import Actor

CLAUSE = text(
    "《个人信息保护法》第二十三条；公共数据有条件开放规定",
    "Personal Information Protection Law, Art. 23; rules on conditional opening",
)


@dataclass(frozen=True, slots=True)
class OpenEdition:
    """A door that is open: this edition, for this grant (None: anyone)."""

    edition: Edition
    files: tuple[Mapping[str, Any], ...]
    grant: Grant | None

    @property
    def conditional(self) -> bool:
        """True when answers must be private and not stored."""
        return self.edition.opening_class != OpeningClass.UNCONDITIONAL


def open_edition(
    session: Session,
    dataset: Dataset,
    *,
    actor: Actor | None,
    app_key: str | None,
    grades: Grades,
    now: datetime,
) -> OpenEdition:
    """The edition this person or key may take now. Writes nothing.

    Raises DatasetNotFound when the viewer may not know of the dataset, AccessDenied when the door is shut.
    """
    grant = _grant(session, dataset, actor, app_key, now)
    if grant is None and not visible(dataset, actor):
        raise DatasetNotFound
    public = current_edition(session, dataset)
    if public is None or dataset.state != DatasetState.PUBLISHED or not permitted(dataset, public, grades):
        raise _denied(
            grades.nearest_door(dataset, None, actor),
            text("目前没有开放的版本。", "There is no open edition now."),
            "not_open",
        )
    if public.opening_class == OpeningClass.UNCONDITIONAL:
        return _open(public, None)
    if grant is None:
        if actor is None:
            reason = text("有条件开放：须登录并获得使用许可。", "Conditional: sign in and obtain a grant.")
            raise _denied(grades.nearest_door(dataset, public, actor), reason, "sign_in")
        door = next_step(session, dataset, actor=actor, grades=grades, now=now)
        reason = text("有条件开放：您没有有效的使用许可。", "Conditional: you hold no living grant.")
        raise AccessDenied(reason, clause=CLAUSE, door=door)
    _check_quota(session, grant, now)
    return _open(_edition_of(session, dataset, grant, public, grades), grant)


def record_access(
    session: Session,
    opened: OpenEdition,
    *,
    door: str,
    actor: Actor | None,
    rows: int | None = None,
    nbytes: int | None = None,
    now: datetime | None = None,
) -> None:
    """Write the access-log line of one passage (needs a writing session). Anonymous passages name nobody."""
    user_id = opened.grant.user_id if opened.grant is not None else (actor.id if actor is not None else None)
    session.add(
        AccessLog(
            at=now or utc_now(),
            user_id=user_id,
            grant_id=opened.grant.id if opened.grant is not None else None,
            dataset_id=opened.edition.dataset_id,
            edition_id=opened.edition.id,
            door=door,
            rows=rows,
            bytes=nbytes,
        )
    )


def still_open(session: Session, opened: OpenEdition, *, now: datetime) -> bool:
    """Whether a running download may go on: asked every few seconds with a fresh session (PRIVACY.md 26)."""
    state = session.scalar(select(Edition.state).where(Edition.id == opened.edition.id))
    if state != EditionState.PUBLISHED:
        return False
    if opened.grant is None:
        return True
    grant = session.scalar(select(Grant).where(Grant.id == opened.grant.id).execution_options(populate_existing=True))
    return grant is not None and is_living(grant, now)


def next_step(session: Session, dataset: Dataset, *, actor: Actor | None, grades: Grades, now: datetime) -> Door:
    """What this viewer can do next with this dataset."""
    edition = current_edition(session, dataset)
    if edition is not None and not permitted(dataset, edition, grades):
        edition = None
    return grades.nearest_door(dataset, edition, actor, standing=_standing(session, dataset, actor, now))


def permitted(dataset: Dataset, edition: Edition, grades: Grades) -> bool:
    """Does the matrix, as it is now, still allow this edition?"""
    if edition.effect is None or edition.legal_status is None or dataset.level is None:
        return False
    return grades.decide(
        raw_level=DataLevel(dataset.level),
        kind=EditionKind(edition.kind),
        opening_class=OpeningClass(edition.opening_class),
        effect=Effect(edition.effect),
        legal_status=LegalStatus(edition.legal_status),
        legal_basis=edition.legal_basis,
        negative_list=dataset.negative_list,
    ).allowed


def _standing(session: Session, dataset: Dataset, actor: Actor | None, now: datetime) -> str:
    if actor is None:
        return "none"
    grant = living_grant(session, dataset, actor, now=now)
    if grant is not None:
        return "granted" if grant.edition_id is not None else "preparing"
    return "pending" if open_request(session, dataset, actor) is not None else "none"


def _grant(session: Session, dataset: Dataset, actor: Actor | None, app_key: str | None, now: datetime) -> Grant | None:
    """The living grant of the key, else of the person; a key of another dataset opens nothing."""
    if app_key is not None:
        grant = grant_of_key(session, app_key, now=now)
        return grant if grant is not None and grant.dataset_id == dataset.id else None
    return living_grant(session, dataset, actor, now=now) if actor is not None else None


def _edition_of(session: Session, dataset: Dataset, grant: Grant, public: Edition, grades: Grades) -> Edition:
    """The grant's own edition: published, and made from the edition that is current, or that one itself."""
    own = session.get(Edition, grant.edition_id) if grant.edition_id is not None else None
    if own is not None and own.state == EditionState.PUBLISHED and public.id in (own.id, own.parent_id):
        return own
    door = grades.nearest_door(dataset, public, None, standing="preparing")
    reason = text("您的专属版本正在生成，请稍后再试。", "Your own edition is being built; try again soon.")
    raise AccessDenied(reason, clause=CLAUSE, door=Door("preparing", reason, door.clause), code="preparing")


def _check_quota(session: Session, grant: Grant, now: datetime) -> None:
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    used = session.scalar(
        select(func.count()).select_from(AccessLog).where(AccessLog.grant_id == grant.id, AccessLog.at >= day)
    )
    if (used or 0) >= grant.quota_per_day:
        raise AccessDenied(
            text(
                f"今日调用已达许可限额 {grant.quota_per_day} 次，明日（UTC）恢复。",
                f"Today's quota of {grant.quota_per_day} calls is used up; it starts again tomorrow (UTC).",
            ),
            clause=CLAUSE,
            door=None,
            code="quota",
        )


def _open(edition: Edition, grant: Grant | None) -> OpenEdition:
    return OpenEdition(edition=edition, files=tuple(edition.files), grant=grant)


def _denied(door: Door, reason: Text, code: Code) -> AccessDenied:
    return AccessDenied(reason, clause=door.clause, door=door, code=code)
