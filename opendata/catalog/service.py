"""What can be done with catalogue entries. Visibility is decided before anything else is looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from opendata.catalog.models import Dataset, InformationItem
from opendata.identity import Actor


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
    raise NotImplementedError


def update_dataset(
    session: Session, dataset: Dataset, *, actor: Actor, now: datetime | None = None, **changes: Any
) -> Dataset:
    """Change fields of an entry. ``level`` may be raised, not lowered, here. Raises CatalogDenied, InvalidEntry."""
    raise NotImplementedError


def list_dataset(session: Session, dataset: Dataset, *, actor: Actor, now: datetime | None = None) -> Dataset:
    """Show a draft entry in the catalogue before any edition exists (for data only a sandbox may open)."""
    raise NotImplementedError


def get(session: Session, name: str, viewer: Actor | None) -> Dataset:
    """The dataset of this name if the viewer may know of it; raises DatasetNotFound otherwise."""
    raise NotImplementedError


def names(session: Session, viewer: Actor | None) -> list[str]:
    """Names of all datasets the viewer may know of, sorted."""
    raise NotImplementedError


def items_of(session: Session, dataset: Dataset) -> list[InformationItem]:
    """Information items in their order."""
    raise NotImplementedError


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
    """
    raise NotImplementedError


def department_datasets(session: Session, actor: Actor) -> list[Dataset]:
    """All entries of the actor's own department, drafts included, for the console."""
    raise NotImplementedError
