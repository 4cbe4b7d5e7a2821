"""An edition is begun: what is refused before a row is read, the level that it settles, and the line of its keys."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.policy import MaskingPolicy, check
from masking.taxonomy import DataLevel, OpeningClass
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset, Edition, EditionKind, EditionState, RecipientLine
from opendata.catalog.texts import text
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.jobs import Job, enqueue
from opendata.ledger.events import AuditEvent, EventType
from opendata.ledger.service import append
from opendata.publishing import rules
from opendata.publishing.errors import InvalidSubmission, PublicationRefused
from opendata.publishing.models import Intake, PolicyVersion
from opendata.publishing.permissions import check_is_officer
from opendata.publishing.policies import parse_policy
from opendata.publishing.profile import schema_of, stored_statistics


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


def editions_of(session: Session, dataset: Dataset) -> list[Edition]:
    """All editions of a dataset, newest first (console only)."""
    found = select(Edition).where(Edition.dataset_id == dataset.id).order_by(Edition.created_at.desc(), Edition.id)
    return list(session.scalars(found))


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
