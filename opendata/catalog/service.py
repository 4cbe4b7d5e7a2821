"""What can be done with catalogue entries. Visibility is decided before anything else is looked at.

Every write leaves its ledger entry in the same transaction.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.catalog import search as words
from opendata.catalog.errors import DatasetNotFound, InvalidEntry
from opendata.catalog.models import (
    Dataset,
    DatasetState,
    Edition,
    EditionState,
    InformationItem,
    SearchDocument,
    SearchToken,
    Visibility,
)
from opendata.catalog.permissions import check_can_edit, check_is_officer
from opendata.catalog.texts import text
from opendata.catalog.visibility import visible_clause
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.ledger.events import AuditEvent, EventType
from opendata.ledger.service import append

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,98}[a-z0-9])?")
FREQUENCIES: Final = ("continuous", "irregular", "never")
"""Beside these: an ISO 8601 duration of days, weeks, months or years, for example P1Y."""
PERIOD: Final = re.compile(r"P[1-9][0-9]?[DWMY]")
EDITABLE: Final = frozenset(
    {
        "title_zh",
        "title_en",
        "summary_zh",
        "summary_en",
        "level",
        "visibility",
        "negative_list",
        "negative_basis_zh",
        "negative_basis_en",
        "theme",
        "keywords",
        "update_frequency",
        "origin_zh",
        "origin_en",
        "licence",
    }
)
FACETS: Final = ("theme", "organization_id", "opening_class", "level")
PAGE_SIZE: Final = 100


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search: datasets, how many matched in all, and counts by facet value."""

    items: tuple[Dataset, ...]
    total: int
    page: int
    page_size: int
    facets: Mapping[str, Mapping[str, int]]


def create_dataset(
    session: Session,
    *,
    name: str,
    title_zh: str,
    title_en: str,
    actor: Actor,
    summary_zh: str = "",
    summary_en: str = "",
    level: str | None = None,
    visibility: str = "public",
    theme: str = "",
    keywords: Sequence[str] = (),
    update_frequency: str = "irregular",
    origin_zh: str = "",
    origin_en: str = "",
    licence: str = "",
    now: datetime | None = None,
) -> Dataset:
    """Create a draft entry of the actor's own department. Raises CatalogDenied, InvalidEntry."""
    check_is_officer(actor)
    now = now or utc_now()
    if not NAME.fullmatch(name):
        raise InvalidEntry(
            "name",
            text(
                "名称只能用小写字母、数字、-、_，最长 100 个字符。",
                "A name has lower-case letters, digits, - and _ only.",
            ),
        )
    if session.scalar(select(Dataset.id).where(Dataset.name == name)) is not None:
        raise InvalidEntry("name", text("这个名称不可用，请换一个。", "This name cannot be used; choose another."))
    dataset = Dataset(
        name=name,
        organization_id=actor.organization_id,
        state=DatasetState.DRAFT,
        created_by=actor.id,
        created_at=now,
        updated_at=now,
        negative_list=False,
    )
    fields = {
        "title_zh": title_zh,
        "title_en": title_en,
        "summary_zh": summary_zh,
        "summary_en": summary_en,
        "level": level,
        "visibility": visibility,
        "theme": theme,
        "keywords": list(keywords),
        "update_frequency": update_frequency,
        "origin_zh": origin_zh,
        "origin_en": origin_en,
        "licence": licence,
    }
    _assign(dataset, fields)
    session.add(dataset)
    session.flush()
    words.index(session, dataset, [])
    append(
        session,
        AuditEvent(EventType.DATASET_CREATE, actor.id, f"dataset:{dataset.id}", now, {"name": name, "level": level}),
    )
    return dataset


def update_dataset(
    session: Session, dataset: Dataset, *, actor: Actor, now: datetime | None = None, **changes: Any
) -> Dataset:
    """Change fields of an entry. ``level`` may be raised, never lowered, here: doors that the new level shuts are shut
    when the transaction commits. Raises CatalogDenied, InvalidEntry.
    """
    check_can_edit(actor, dataset)
    now = now or utc_now()
    unknown = sorted(changes.keys() - EDITABLE)
    if unknown:
        raise InvalidEntry(unknown[0], text(f"没有字段 {unknown[0]}。", f"There is no field {unknown[0]}."))
    raised = _check_level_change(dataset, changes)
    _check_negative_change(dataset, changes)
    _assign(dataset, changes)
    dataset.updated_at = now
    session.flush()
    words.index(session, dataset, items_of(session, dataset))
    kind = EventType.DATASET_RAISE_LEVEL if raised else EventType.DATASET_UPDATE
    payload = {"fields": sorted(changes), "level": dataset.level, "visibility": dataset.visibility}
    append(session, AuditEvent(kind, actor.id, f"dataset:{dataset.id}", now, payload))
    return dataset


def list_dataset(session: Session, dataset: Dataset, *, actor: Actor, now: datetime | None = None) -> Dataset:
    """Show a draft entry in the catalogue before any edition exists (for data only a sandbox may open)."""
    check_can_edit(actor, dataset)
    now = now or utc_now()
    if dataset.level is None:
        raise InvalidEntry("level", text("请先确认数据级别。", "Confirm the level first."))
    dataset.state = DatasetState.PUBLISHED
    dataset.updated_at = now
    append(
        session,
        AuditEvent("catalog:dataset:list", actor.id, f"dataset:{dataset.id}", now, {"visibility": dataset.visibility}),
    )
    return dataset


def get(session: Session, name: str, viewer: Actor | None) -> Dataset:
    """The dataset of this name if the viewer may know of it; raises DatasetNotFound otherwise."""
    dataset = session.scalar(select(Dataset).where(Dataset.name == name, visible_clause(viewer)))
    if dataset is None:
        raise DatasetNotFound
    return dataset


def names(session: Session, viewer: Actor | None) -> list[str]:
    """Names of all datasets the viewer may know of, sorted."""
    return sorted(session.scalars(select(Dataset.name).where(visible_clause(viewer))))


def items_of(session: Session, dataset: Dataset) -> list[InformationItem]:
    """Information items in their order."""
    items = select(InformationItem).where(InformationItem.dataset_id == dataset.id).order_by(InformationItem.position)
    return list(session.scalars(items))


def replace_items(session: Session, dataset: Dataset, items: Iterable[InformationItem], *, audit: AuditEvent) -> None:
    """Put new information items in the place of the old ones; ``audit`` is the act that brings them."""
    for old in items_of(session, dataset):
        session.delete(old)
    session.flush()
    fresh = list(items)
    session.add_all(fresh)
    session.flush()
    words.index(session, dataset, fresh)
    append(session, audit)


def current_edition(session: Session, dataset: Dataset) -> Edition | None:
    """The published edition that doors serve, if there is one."""
    if dataset.current_edition_id is None:
        return None
    edition = session.get(Edition, dataset.current_edition_id)
    return edition if edition is not None and edition.state == EditionState.PUBLISHED else None


def search(
    session: Session,
    query: str,
    viewer: Actor | None,
    *,
    page: int = 1,
    page_size: int = 20,
    filters: Mapping[str, str] | None = None,
) -> Page:
    """Datasets that hold every word of the query, best first. Empty query: all, newest first.

    ``filters``: theme, organization_id, opening_class, level. Facets count the whole result under the same keys.
    A query without a letter, digit or character that can be searched finds nothing.
    """
    page, page_size = max(page, 1), min(max(page_size, 1), PAGE_SIZE)
    found = _matching(session, query, viewer)
    for name, value in (filters or {}).items():
        if name not in FACETS:
            raise InvalidEntry(name, text(f"没有筛选项 {name}。", f"There is no filter {name}."))
        found = [row for row in found if row[name] == value]
    facets = {name: dict(Counter(str(row[name]) for row in found if row[name])) for name in FACETS}
    wanted = [row["id"] for row in found[(page - 1) * page_size : page * page_size]]
    by_id = {dataset.id: dataset for dataset in session.scalars(select(Dataset).where(Dataset.id.in_(wanted)))}
    items = tuple(by_id[each] for each in wanted)
    return Page(items=items, total=len(found), page=page, page_size=page_size, facets=facets)


def department_datasets(session: Session, actor: Actor) -> list[Dataset]:
    """All entries of the actor's own department that the actor may know of, drafts included for its staff."""
    mine = select(Dataset).where(Dataset.organization_id == actor.organization_id, visible_clause(actor))
    return list(session.scalars(mine.order_by(Dataset.updated_at.desc(), Dataset.name)))


def _matching(session: Session, query: str, viewer: Actor | None) -> list[dict[str, Any]]:
    """Light rows of everything that matches and is visible, in order of rank."""
    parsed = words.parse(query)
    if query.strip() and not parsed.runs:
        return []
    score = select(func.coalesce(func.sum(SearchToken.weight), 0)).where(
        SearchToken.dataset_id == Dataset.id, parsed.weighs()
    )
    columns = select(
        Dataset.id,
        Dataset.name,
        Dataset.theme,
        Dataset.organization_id,
        Dataset.level,
        Dataset.updated_at,
        Edition.opening_class,
        score.scalar_subquery().label("score"),
        SearchDocument.text,
    )
    rows = session.execute(
        columns.outerjoin(
            Edition, (Edition.id == Dataset.current_edition_id) & (Edition.state == EditionState.PUBLISHED)
        )
        .outerjoin(SearchDocument, SearchDocument.dataset_id == Dataset.id)
        .where(visible_clause(viewer), *parsed.conditions())
    )
    found = [dict(row) for row in rows.mappings() if parsed.matches(row["text"] or "")]
    found.sort(key=lambda row: row["name"])
    found.sort(key=lambda row: (row["score"], row["updated_at"]), reverse=True)
    return found


def _assign(dataset: Dataset, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        setattr(dataset, name, value)
    for name in ("title_zh", "title_en"):
        if not str(getattr(dataset, name)).strip():
            raise InvalidEntry(name, text("中英文名称都要填写。", "Both titles are needed."))
    if dataset.visibility not in set(Visibility):
        raise InvalidEntry("visibility", text("可见范围无效。", "There is no such visibility."))
    if dataset.update_frequency not in FREQUENCIES and not PERIOD.fullmatch(dataset.update_frequency):
        raise InvalidEntry("update_frequency", text("更新频率无效。", "There is no such update frequency."))
    if dataset.level is not None and dataset.level not in set(DataLevel):
        raise InvalidEntry("level", text("数据级别无效。", "There is no such level."))
    if not isinstance(dataset.keywords, list) or not all(isinstance(word, str) for word in dataset.keywords):
        raise InvalidEntry("keywords", text("关键词应为文字列表。", "Keywords are a list of words."))


def _check_level_change(dataset: Dataset, changes: Mapping[str, Any]) -> bool:
    """True when the level is raised; lowering needs a decision of two people, which is not this act (PRIVACY.md 8)."""
    if "level" not in changes or dataset.level is None or changes["level"] == dataset.level:
        return False
    if changes["level"] not in set(DataLevel) or DataLevel(changes["level"]) < DataLevel(dataset.level):
        raise InvalidEntry(
            "level",
            text(
                "级别只能调高；降级须另行两人决定。",
                "A level may only be raised; lowering needs a decision of two people.",
            ),
        )
    return True


def _check_negative_change(dataset: Dataset, changes: Mapping[str, Any]) -> None:
    if dataset.negative_list and changes.get("negative_list") is False:
        raise InvalidEntry(
            "negative_list",
            text("移出负面清单须另行两人决定。", "Leaving the negative list needs a decision of two people."),
        )
    if changes.get("negative_list") and not (
        str(changes.get("negative_basis_zh", dataset.negative_basis_zh)).strip()
        and str(changes.get("negative_basis_en", dataset.negative_basis_en)).strip()
    ):
        raise InvalidEntry(
            "negative_basis_zh",
            text("列入负面清单须写明依据（中英文）。", "The negative list needs a basis in both languages."),
        )
