"""Who may learn that a dataset exists. Source: PRIVACY.md 25."""

from sqlalchemy import ColumnElement

from opendata.catalog.models import Dataset
from opendata.identity import Actor


def visible(dataset: Dataset, viewer: Actor | None) -> bool:
    """True when the viewer may know of the dataset."""
    raise NotImplementedError


def visible_clause(viewer: Actor | None) -> ColumnElement[bool]:
    """The same decision as a condition of a query."""
    raise NotImplementedError
