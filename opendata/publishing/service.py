"""The publishing chain as officers and reviewers use it; long work is enqueued in the same transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from masking.taxonomy import OpeningClass
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset, Edition
from opendata.identity import Actor
from opendata.jobs import Job
from opendata.publishing.models import Intake, PolicyVersion


def create_intake(
    session: Session,
    dataset: Dataset,
    *,
    filename: str,
    nbytes: int,
    actor: Actor,
    intake_id: str,
    now: datetime | None = None,
) -> tuple[Intake, Job]:
    """Record a sealed upload (already in the vault under ``intake_id``) and enqueue its intake job."""
    raise NotImplementedError


def acknowledge_bad_rows(session: Session, intake: Intake, *, actor: Actor, now: datetime | None = None) -> Intake:
    """The officer accepts that the listed rows are not in the table; publication needs this."""
    raise NotImplementedError


def erase_intake(session: Session, intake: Intake, *, actor: Actor, now: datetime | None = None) -> Job:
    """Destroy a raw version: its data key goes, a tombstone stays."""
    raise NotImplementedError


def save_policy(
    session: Session, dataset: Dataset, *, yaml: str, actor: Actor, now: datetime | None = None
) -> PolicyVersion:
    """Check and save the next version of the masking policy. Raises masking.errors.PolicyError, PublishingDenied."""
    raise NotImplementedError


def latest_policy(session: Session, dataset: Dataset) -> PolicyVersion | None:
    """The newest masking-policy version."""
    raise NotImplementedError


def latest_intake(session: Session, dataset: Dataset) -> Intake | None:
    """The newest intake."""
    raise NotImplementedError


def confirm_level(
    session: Session, dataset: Dataset, *, level: str, reason: str, actor: Actor, now: datetime | None = None
) -> Dataset:
    """The officer confirms the level of the raw table: never below the newest intake's proposed level."""
    raise NotImplementedError


def build_edition(
    session: Session,
    intake: Intake,
    policy_version: PolicyVersion,
    *,
    opening_class: OpeningClass,
    legal_basis: str,
    checklist: Mapping[str, Any],
    assessment: Mapping[str, Any],
    actor: Actor,
    grades: Grades,
    now: datetime | None = None,
) -> tuple[Edition, Job]:
    """Start building an edition. ``checklist``: {item id: {"answer": "yes"|"no", "note": ""}} of checklist.ITEMS."""
    raise NotImplementedError


def submit(session: Session, edition: Edition, *, actor: Actor, now: datetime | None = None) -> Edition:
    """Send a built edition for review; due within 1 work day."""
    raise NotImplementedError


def approve(
    session: Session,
    edition: Edition,
    *,
    actor: Actor,
    opinion: str,
    grades: Grades,
    note: str = "",
    now: datetime | None = None,
) -> Job:
    """Approve with a signed opinion and enqueue the publication. Another person than author, creator, submitter."""
    raise NotImplementedError


def return_(session: Session, edition: Edition, *, actor: Actor, note: str, now: datetime | None = None) -> Edition:
    """Send it back to the officer with a note."""
    raise NotImplementedError


def reject(session: Session, edition: Edition, *, actor: Actor, note: str, now: datetime | None = None) -> Edition:
    """Refuse it for good with a note."""
    raise NotImplementedError


def withdraw(session: Session, edition: Edition, *, actor: Actor, reason: str, now: datetime | None = None) -> Job:
    """Take down (紧急下架): every door is shut when the transaction commits; the job then removes the files."""
    raise NotImplementedError


def review_queue(session: Session, actor: Actor) -> list[Edition]:
    """Editions this reviewer may decide, most urgent first."""
    raise NotImplementedError


def editions_of(session: Session, dataset: Dataset) -> list[Edition]:
    """All editions of a dataset, newest first (console only)."""
    raise NotImplementedError
