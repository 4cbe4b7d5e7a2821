"""Who may change the catalogue: a data officer, and only of the own department."""

from opendata.catalog.errors import CatalogDenied
from opendata.catalog.models import Dataset
from opendata.catalog.texts import text
from opendata.identity import Actor, Role


def check_is_officer(actor: Actor) -> None:
    """Raise CatalogDenied unless the actor is a data officer."""
    if Role.DATA_OFFICER not in actor.roles:
        raise CatalogDenied(text("只有数据专员可以编目。", "Only data officers may edit the catalogue."))


def check_can_edit(actor: Actor, dataset: Dataset) -> None:
    """Raise CatalogDenied unless the actor is a data officer of the department that provides the dataset."""
    check_is_officer(actor)
    if actor.organization_id != dataset.organization_id:
        raise CatalogDenied(
            text("只能编辑本部门的数据集。", "Only the providing department's officers may edit this dataset.")
        )
