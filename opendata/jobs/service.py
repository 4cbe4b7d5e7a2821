"""Enqueue, read and cancel jobs, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from opendata.jobs.models import Job


def enqueue(session: Session, kind: str, arguments: Mapping[str, Any], *, actor_id: str | None) -> Job:
    """Add a job to the outbox; the worker sees it once the transaction commits. Arguments are JSON references."""
    raise NotImplementedError


def request_cancel(session: Session, job_id: str) -> Job:
    """A queued job is cancelled at once; a running one stops at its next check. A finished one stays as it is."""
    raise NotImplementedError
