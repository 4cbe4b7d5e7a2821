"""What pages and programs are shown of a dataset and its editions.

Of a conditional edition no digest, size, row count or column statistic is told (PRIVACY.md 26): only its level, effect
and the smallest class, which its public report states.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.taxonomy import OpeningClass
from opendata.catalog import service as catalog
from opendata.catalog.models import Dataset, Edition, EditionState, InformationItem
from opendata.identity import Organization
from opendata.ledger.events import EventType
from opendata.ledger.models import LedgerEntry, LedgerOpening
from opendata.settings import Settings

SHOWN_STATES = (EditionState.PUBLISHED, EditionState.SUPERSEDED, EditionState.WITHDRAWN, EditionState.DESTROYED)


def history(session: Session, dataset: Dataset) -> list[Edition]:
    """Published, superseded, withdrawn and destroyed editions, newest first; recipients' own ones stay private."""
    query = (
        select(Edition)
        .where(Edition.dataset_id == dataset.id, Edition.parent_id.is_(None), Edition.state.in_(SHOWN_STATES))
        .where(Edition.published_at.is_not(None))
        .order_by(Edition.published_at.desc())
    )
    return list(session.scalars(query))


def is_unconditional(edition: Edition) -> bool:
    """Whether anyone may take the edition."""
    return edition.opening_class == OpeningClass.UNCONDITIONAL


def organizations(session: Session, datasets: list[Dataset]) -> dict[str, Organization]:
    """The publishers of these datasets by id."""
    ids = {dataset.organization_id for dataset in datasets}
    query = select(Organization).where(Organization.id.in_(ids))
    return {organization.id: organization for organization in session.scalars(query)}


def publication_entry(session: Session, edition: Edition) -> int | None:
    """The index of the ledger entry that recorded the edition before it was published."""
    query = (
        select(LedgerEntry.index)
        .join(LedgerOpening, LedgerOpening.index == LedgerEntry.index)
        .where(LedgerEntry.type == EventType.EDITION_PUBLISH.value, LedgerOpening.subject == f"edition:{edition.id}")
        .order_by(LedgerEntry.index.desc())
        .limit(1)
    )
    return session.scalar(query)


def item_json(item: InformationItem) -> dict[str, Any]:
    """One information item (信息项)."""
    return {
        "name": item.name,
        "title": {"zh": item.title_zh, "en": item.title_en},
        "type": item.data_type,
        "role": item.role,
        "level": item.level,
        "invented": item.invented,
    }


def edition_json(edition: Edition) -> dict[str, Any]:
    """What everybody may know of a published edition."""
    report = edition.public_report or {}
    body: dict[str, Any] = {
        "id": edition.id,
        "state": edition.state,
        "kind": edition.kind,
        "level": edition.level,
        "opening_class": edition.opening_class,
        "effect": edition.effect,
        "legal_status": edition.legal_status,
        "k": report.get("k"),
        "published_at": edition.published_at,
    }
    if edition.state in {EditionState.WITHDRAWN, EditionState.DESTROYED}:
        body |= {"withdrawn_at": edition.withdrawn_at, "withdraw_reason": edition.withdraw_reason}
    if is_unconditional(edition):
        body |= {
            "rows": edition.rows,
            "digest": edition.digest,
            "table_digest": edition.table_digest,
            "files": edition.files if edition.state == EditionState.PUBLISHED else [],
            "report": report,
        }
    return body


def dataset_json(
    session: Session,
    dataset: Dataset,
    *,
    settings: Settings,
    organization: Organization | None = None,
    items: bool = True,
) -> dict[str, Any]:
    """A catalogue entry for programs."""
    publisher = organization or session.get(Organization, dataset.organization_id)
    edition = catalog.current_edition(session, dataset)
    body: dict[str, Any] = {
        "id": dataset.id,
        "name": dataset.name,
        "title": {"zh": dataset.title_zh, "en": dataset.title_en},
        "summary": {"zh": dataset.summary_zh, "en": dataset.summary_en},
        "publisher": None if publisher is None else {"id": publisher.id, "name": organization_text(publisher)},
        "level": dataset.level,
        "state": dataset.state,
        "theme": dataset.theme,
        "keywords": dataset.keywords,
        "update_frequency": dataset.update_frequency,
        "origin": {"zh": dataset.origin_zh, "en": dataset.origin_en},
        "licence": dataset.licence,
        "updated_at": dataset.updated_at,
        "landing_page": f"{settings.public_url}/dataset/{dataset.name}",
        "edition": None if edition is None else edition_json(edition),
    }
    if items:
        body["items"] = [item_json(item) for item in catalog.items_of(session, dataset)]
    return body


def organization_text(organization: Organization) -> dict[str, str]:
    """The organisation's name in both languages."""
    return {"zh": organization.name_zh, "en": organization.name_en or organization.name_zh}


def item_titles(session: Session, dataset: Dataset) -> dict[str, dict[str, Any]]:
    """What stands above each column of a table: its title with the unit, and whether it is invented test data."""
    return {
        item.name: {"zh": item.title_zh, "en": item.title_en, "invented": item.invented}
        for item in catalog.items_of(session, dataset)
    }
