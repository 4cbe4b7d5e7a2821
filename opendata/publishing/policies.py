"""Masking policies of the service: read from text and never from a path, saved as the next version, never edited.

A chain of steps asks for the same saved policy again and again, and a saved text never changes, so each text is read
once. What is returned is shared: a policy is a value that nobody changes.
"""

import functools
import hashlib
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from masking.policy import MaskingPolicy, check, load
from opendata.catalog.models import Dataset
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.ledger.events import AuditEvent, EventType
from opendata.ledger.service import append
from opendata.publishing import hierarchies, hierarchy_files
from opendata.publishing.models import PolicyVersion
from opendata.publishing.permissions import check_is_officer


@functools.lru_cache(maxsize=16)  # a text may hold 1 MiB of hierarchies
def parse_policy(yaml: str) -> MaskingPolicy:
    """A policy from YAML text. Raises masking.errors.PolicyError."""
    return load(yaml if "\n" in yaml else yaml + "\n")


def save_policy(
    session: Session,
    dataset: Dataset,
    *,
    yaml: str,
    actor: Actor,
    files: Path | None = None,
    now: datetime | None = None,
) -> PolicyVersion:
    """Check and save the next version of the masking policy. Hierarchies that it names as files, the dataset's own or
    those in the folder ``files``, are written into it, and the version notes their digests.

    Raises masking.errors.PolicyError, InvalidSubmission, PublishingDenied.
    """
    now = now or utc_now()
    check_is_officer(actor, dataset.organization_id)
    sources = hierarchy_files.Sources(files, hierarchies.contents_of(session, dataset, yaml))
    yaml = hierarchy_files.written_out(yaml, sources)
    policy = parse_policy(yaml)
    check(policy)
    newest = session.scalar(select(func.max(PolicyVersion.number)).where(PolicyVersion.dataset_id == dataset.id))
    version = PolicyVersion(
        dataset_id=dataset.id,
        number=(newest or 0) + 1,
        yaml=yaml,
        digest=hashlib.sha256(yaml.encode()).hexdigest(),
        author_id=actor.id,
        created_at=now,
        hierarchies=hierarchies.pins(session, dataset, policy, sources.found),
    )
    session.add(version)
    session.flush()
    pinned = sorted({each["sha256"] for each in version.hierarchies or ()})
    payload = {"dataset": dataset.id, "number": version.number, "digest": version.digest, "hierarchies": pinned}
    append(session, AuditEvent(EventType.POLICY_SAVE, actor.id, f"policy:{version.id}", now, payload))
    return version


def latest_policy(session: Session, dataset: Dataset) -> PolicyVersion | None:
    """The newest masking-policy version."""
    newest = select(PolicyVersion).where(PolicyVersion.dataset_id == dataset.id).order_by(PolicyVersion.number.desc())
    return session.scalar(newest.limit(1))
