"""The one decider of every door: HTML preview, rows, download, CKAN, sandbox ``/data``."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from opendata.access.models import Grant
from opendata.catalog.grades import Door, Grades
from opendata.catalog.models import Dataset, Edition
from opendata.identity import Actor


@dataclass(frozen=True, slots=True)
class OpenEdition:
    """A door that is open: this edition, for this grant (None: anyone)."""

    edition: Edition
    files: tuple[dict[str, object], ...]
    grant: Grant | None

    @property
    def conditional(self) -> bool:
        """True when answers must be private and not stored."""
        return self.grant is not None


def open_edition(
    session: Session,
    dataset: Dataset,
    *,
    actor: Actor | None,
    app_key: str | None,
    grades: Grades,
    now: datetime,
) -> OpenEdition:
    """The edition this person or key may take now; raises AccessDenied. Writes nothing."""
    raise NotImplementedError


def record_access(
    session: Session,
    opened: OpenEdition,
    *,
    door: str,
    actor: Actor | None,
    rows: int | None,
    nbytes: int | None,
    now: datetime | None = None,
) -> None:
    """Write the access-log line of one passage (needs a writing session)."""
    raise NotImplementedError


def next_step(session: Session, dataset: Dataset, *, actor: Actor | None, grades: Grades, now: datetime) -> Door:
    """What this viewer can do next with this dataset."""
    raise NotImplementedError
