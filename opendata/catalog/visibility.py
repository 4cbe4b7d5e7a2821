"""Who may learn that a dataset exists.

A published public entry is for everyone. A department's entry is for the people of the providing department. Drafts and
entries of visibility ``none`` are for that department's data officers. Reviewers know of every entry: they decide on
editions of all departments (and see reports, never raw tables). Every public answer is computed from what this clause
lets through, so a hidden entry changes no answer. Source: PRIVACY.md 25.
"""

from sqlalchemy import ColumnElement, and_, false, or_, true

from opendata.catalog.models import Dataset, DatasetState, Visibility
from opendata.identity import Actor, Role


def visible(dataset: Dataset, viewer: Actor | None) -> bool:
    """True when the viewer may know of the dataset."""
    ours = viewer is not None and viewer.organization_id == dataset.organization_id
    if viewer is not None and (Role.REVIEWER in viewer.roles or (ours and Role.DATA_OFFICER in viewer.roles)):
        return True
    if dataset.state != DatasetState.PUBLISHED:
        return False
    return dataset.visibility == Visibility.PUBLIC or (ours and dataset.visibility == Visibility.DEPARTMENT)


def visible_clause(viewer: Actor | None) -> ColumnElement[bool]:
    """The same decision as a condition of a query."""
    published = Dataset.state == DatasetState.PUBLISHED
    public = and_(published, Dataset.visibility == Visibility.PUBLIC)
    if viewer is None:
        return public
    if Role.REVIEWER in viewer.roles:
        return true()
    ours = Dataset.organization_id == viewer.organization_id
    staff = ours if Role.DATA_OFFICER in viewer.roles else false()
    return or_(public, and_(published, ours, Dataset.visibility == Visibility.DEPARTMENT), staff)
