"""Steps that let an approved edition out, and that take one down.

The order is the promise: the key of an unconditional edition is destroyed (recorded first), then the receipt is signed,
then the files are stored under their digest, and only then one transaction records the publication in the ledger,
remembers the exposure and switches the catalogue. Until that commit no door knows the edition.
"""

from datetime import datetime
from typing import Any

import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.taxonomy import LegalStatus, OpeningClass
from opendata.access.models import Grant
from opendata.access.rules import is_living
from opendata.catalog import grades as catalog_grades
from opendata.catalog.models import Dataset, DatasetState, Edition, EditionState, RecipientLine
from opendata.catalog.service import replace_items
from opendata.catalog.texts import text
from opendata.db import utc_now
from opendata.errors import NotFoundError
from opendata.jobs import enqueue
from opendata.jobs.context import JobContext
from opendata.ledger.events import AuditEvent, EventType
from opendata.ledger.service import append
from opendata.publishing import building, files, legal, receipt, rules
from opendata.publishing.building import EDITION_EXPOSURE, Work
from opendata.publishing.errors import PublicationRefused
from opendata.publishing.models import Exposure
from opendata.publishing.profile import items_from_policy
from opendata.publishing.states import Act, end_of


def check(context: JobContext, edition_id: str) -> None:
    """What was reviewed is what is staged, and it still composes with what came out since."""
    with context.database.session() as session:
        work = building.work_of(session, edition_id)
    if work.edition.state == EditionState.PUBLISHED:
        return
    rules.check_acknowledged(work.intake)
    if not context.editions.exists(_digest(work.edition)):
        _check_staged(context, work.edition)
    building.compose(context, edition_id)


def destroy_key(context: JobContext, edition_id: str) -> None:
    """Destroy the pseudonym key of an unconditional edition; the entry comes first."""
    with context.database.begin() as session:
        edition = session.get_one(Edition, edition_id)
        if edition.opening_class != OpeningClass.UNCONDITIONAL or edition.line_id is None:
            return
        line = session.get_one(RecipientLine, edition.line_id)
        if line.destroyed_at is None:
            now = utc_now()
            line.destroyed_at = now
            payload = {"edition": edition_id, "dataset": edition.dataset_id}
            append(session, AuditEvent(EventType.LINE_DESTROY, context.actor_id, f"line:{line.id}", now, payload))
        line_id = line.id
    context.keys.destroy_line_key(line_id)


def sign(context: JobContext, edition_id: str) -> None:
    """Write ``receipt.json`` beside the staged files; the same edition always gets the same receipt."""
    with context.database.session() as session:
        work = building.work_of(session, edition_id)
        status = _final_status(session, context, work)
    if context.editions.exists(_digest(work.edition)):
        return
    signed = receipt.sign(_statement(work, status), context.keys.release_key())
    (context.editions.staged(edition_id) / receipt.NAME).write_bytes(signed)


def store(context: JobContext, edition_id: str) -> None:
    """The staged folder becomes the digest's folder: one rename, and nothing changes any more."""
    with context.database.session() as session:
        digest = _digest(session.get_one(Edition, edition_id))
    context.editions.publish(edition_id, digest)


def switch(context: JobContext, edition_id: str) -> None:
    """Ledger entry, exposure, information items, catalogue and superseding: one transaction, or nothing."""
    now = utc_now()
    with context.database.begin() as session:
        work = building.work_of(session, edition_id)
        edition, dataset = work.edition, work.dataset
        end = end_of(Act.PUBLISH, EditionState(edition.state))
        if end is None:
            return
        _let_out(session, context, work, now)
        edition.state, edition.published_at = end, now
        supersede(session, dataset, edition, actor_id=context.actor_id, now=now)
        dataset.current_edition_id, dataset.state, dataset.updated_at = edition.id, DatasetState.PUBLISHED, now
        schema = pq.read_schema(context.editions.path(_digest(edition), f"{dataset.name}.parquet"))
        items = items_from_policy(dataset, work.policy, schema, work.intake.findings)
        event = AuditEvent(
            "catalog:dataset:switch", context.actor_id, f"dataset:{dataset.id}", now, {"edition": edition.id}
        )
        replace_items(session, dataset, items, audit=event)
        if edition.opening_class == OpeningClass.CONDITIONAL:
            _follow_grants(session, dataset, now)


def record_release(session: Session, work: Work, *, actor_id: str | None, now: datetime, grant_id: str | None) -> None:
    """The ledger entry and the exposure of one edition that comes out."""
    edition = work.edition
    payload: dict[str, Any] = {
        "dataset": edition.dataset_id,
        "digest": edition.digest,
        "table_digest": edition.table_digest,
        "rows": edition.rows,
        "policy": work.policy_version.digest,
        "level": edition.level,
        "opening_class": edition.opening_class,
        "effect": edition.effect,
        "legal_status": edition.legal_status,
        "reviewed_by": edition.reviewed_by,
    }
    if grant_id is not None:
        payload |= {"grant": grant_id, "line": edition.line_id, "parent": edition.parent_id}
    append(session, AuditEvent(EventType.EDITION_PUBLISH, actor_id, f"edition:{edition.id}", now, payload))
    names = work.policy.aggregate.by if work.policy.aggregate is not None else work.policy.quasi_identifiers
    report = edition.internal_report or {}
    session.add(
        Exposure(
            population=edition.dataset_id,
            kind=EDITION_EXPOSURE,
            reference=edition.id,
            line_id=edition.line_id,
            quasi_identifiers=list(names),
            k=report.get("k_after"),
            rows=edition.rows,
            at=now,
        )
    )


def supersede(session: Session, dataset: Dataset, edition: Edition, *, actor_id: str | None, now: datetime) -> None:
    """The earlier published editions of the public line, and recipients' editions made from them, are superseded."""
    earlier = session.scalars(
        select(Edition).where(
            Edition.dataset_id == dataset.id, Edition.state == EditionState.PUBLISHED, Edition.id != edition.id
        )
    )
    for each in earlier:
        each.state = end_of(Act.SUPERSEDE, EditionState(each.state)) or each.state
        payload = {"by": edition.id}
        append(session, AuditEvent("publishing:edition:supersede", actor_id, f"edition:{each.id}", now, payload))


def remove(context: JobContext, edition_id: str) -> None:
    """Remove the files of a withdrawn edition and of the recipients' editions made from it. Idempotent."""
    with context.database.session() as session:
        taken_down = session.scalars(
            select(Edition).where(
                (Edition.id == edition_id) | (Edition.parent_id == edition_id),
                Edition.state == EditionState.WITHDRAWN,
            )
        ).all()
    for each in taken_down:
        context.editions.discard(each.id)
        if each.digest is not None:
            context.editions.remove(each.digest)


def _let_out(session: Session, context: JobContext, work: Work, now: datetime) -> None:
    """The last decision, with the opinion signed and the key gone; then the entry and the exposure."""
    edition = work.edition
    grades = catalog_grades.load(context.settings)
    status = _final_status(session, context, work)
    decision = building.decide(grades, work, _final_facts(session, work))
    if not decision.allowed:
        raise PublicationRefused(decision.reason, clause=decision.clause)
    edition.legal_status, edition.level = str(status), str(decision.level)
    edition.public_report = {**(edition.public_report or {}), "legal_status": str(status)}
    held = legal.conditions(_final_facts(session, work), largest_risk=grades.full_public)
    edition.internal_report = {**(edition.internal_report or {}), "legal": [each.to_dict() for each in held]}
    record_release(session, work, actor_id=context.actor_id, now=now, grant_id=None)


def _final_status(session: Session, context: JobContext, work: Work) -> LegalStatus:
    if work.edition.parent_id is not None:
        return LegalStatus(str(work.edition.legal_status))
    grades = catalog_grades.load(context.settings)
    return legal.status(_final_facts(session, work), largest_risk=grades.full_public)


def _final_facts(session: Session, work: Work) -> legal.Facts:
    line = session.get(RecipientLine, work.edition.line_id) if work.edition.line_id is not None else None
    report = building.report_of(work.edition)
    destroyed = line is not None and line.destroyed_at is not None
    return building.facts_of(work, report, opinion=work.edition.opinion, key_destroyed=destroyed)


def _statement(work: Work, status: LegalStatus) -> receipt.Statement:
    edition = work.edition
    assert edition.reviewed_at is not None
    return receipt.Statement(
        dataset=work.dataset.name,
        edition=edition.id,
        digest=_digest(edition),
        table_digest=str(edition.table_digest),
        rows=int(edition.rows or 0),
        files=tuple(edition.files),
        policy_digest=work.policy_version.digest,
        level=str(edition.level),
        opening_class=edition.opening_class,
        effect=int(edition.effect or 0),
        legal_status=str(status),
        approved_at=edition.reviewed_at,
    )


def _check_staged(context: JobContext, edition: Edition) -> None:
    """Every staged file is byte for byte the one that was reviewed."""
    folder = context.editions.staged(edition.id)
    for each in edition.files:
        path = folder / each["name"]
        if not path.is_file() or files.describe(path, each["format"]).to_dict() != each:
            raise PublicationRefused(
                text(
                    "待发布文件与审核时不一致，不得发布；请重新生成。",
                    "The staged files are not what was reviewed; build again.",
                )
            )


def _follow_grants(session: Session, dataset: Dataset, now: datetime) -> None:
    """Living grants get their own edition of the new one."""
    for grant in session.scalars(select(Grant).where(Grant.dataset_id == dataset.id, Grant.revoked_at.is_(None))):
        if is_living(grant, now):
            grant.job_id = enqueue(session, "recipient_line", {"grant_id": grant.id}, actor_id=None).id


def _digest(edition: Edition) -> str:
    if edition.digest is None:
        raise NotFoundError("此版本还没有文件；请重新生成（the edition has no files yet）")
    return edition.digest
