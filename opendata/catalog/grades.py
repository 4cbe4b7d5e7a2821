"""The matrix of grades, read from ``policies/grades.yaml``; no other module repeats it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from masking.taxonomy import DataLevel, Effect, LegalStatus, OpeningClass
from opendata.catalog.models import EditionKind
from opendata.catalog.texts import Text
from opendata.identity import Actor
from opendata.catalog.models import Dataset, Edition


@dataclass(frozen=True, slots=True)
class Decision:
    """May it become this? ``reason`` says why not (or on which row it rests), ``clause`` names the law."""

    allowed: bool
    reason: Text
    clause: Text
    level: DataLevel | None
    """The edition's own level when allowed."""


@dataclass(frozen=True, slots=True)
class SealedJobs:
    """What sealed jobs on raw data of a level need."""

    open: bool
    code_review: str
    """none or first_run."""
    checkers: int
    registered_outputs_only: bool
    clause: Text


@dataclass(frozen=True, slots=True)
class Door:
    """The nearest way to the data for one person."""

    kind: str
    """download, sign_in, apply, wait, grant, sandbox, department, none."""
    text: Text
    clause: Text


@dataclass(frozen=True, slots=True)
class Grades:
    """The validated matrix."""

    @classmethod
    def load(cls, path: Path, tightened_by: Path | None = None) -> Self:
        """Read and validate the matrix; a city's file may tighten it. Raises InvalidGrades."""
        raise NotImplementedError

    def decide(
        self,
        *,
        raw_level: DataLevel,
        kind: EditionKind,
        opening_class: OpeningClass,
        effect: Effect,
        legal_status: LegalStatus,
        legal_basis: str,
        negative_list: bool = False,
    ) -> Decision:
        """May an edition of this raw level be opened in this class?"""
        raise NotImplementedError

    def choices(self, raw_level: DataLevel) -> Sequence[tuple[OpeningClass, EditionKind]]:
        """Classes and kinds an edition of this raw level may ask for, most open first (for forms)."""
        raise NotImplementedError

    def row_text(self, raw_level: DataLevel) -> Text:
        """The row of the matrix in words."""
        raise NotImplementedError

    def clause(self, raw_level: DataLevel) -> Text:
        """The clause behind the row."""
        raise NotImplementedError

    def fixed_tables(self, raw_level: DataLevel) -> bool:
        """May fixed tables be computed?"""
        raise NotImplementedError

    def differential_privacy(self, raw_level: DataLevel) -> bool:
        """May differentially private answers be given?"""
        raise NotImplementedError

    def sealed_jobs(self, raw_level: DataLevel | None, *, negative_list: bool = False) -> SealedJobs:
        """What sealed jobs need; closed when the level is unknown."""
        raise NotImplementedError

    def nearest_door(
        self, dataset: Dataset, edition: Edition | None, actor: Actor | None, *, standing: str = "none"
    ) -> Door:
        """The nearest door. ``standing``: none, pending or granted (what the person has with this dataset)."""
        raise NotImplementedError
