"""Enqueue, read and cancel jobs, inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from opendata.db.base import utc_now
from opendata.errors import InvalidInputError, NotFoundError
from opendata.jobs.models import FINISHED, Job, JobState

#: Arguments are references; whatever is larger is content and belongs into the vault.
ARGUMENT_BYTES = 4096


def enqueue(session: Session, kind: str, arguments: Mapping[str, Any], *, actor_id: str | None) -> Job:
    """Add a job to the outbox; the worker sees it once the transaction commits. Arguments are JSON references."""
    try:
        size = len(json.dumps(dict(arguments), allow_nan=False).encode())
    except (TypeError, ValueError):
        raise InvalidInputError(f"任务 {kind} 的参数不是 JSON（job arguments are not JSON）") from None
    if size > ARGUMENT_BYTES:
        raise InvalidInputError(f"任务 {kind} 的参数超过 {ARGUMENT_BYTES} 字节，只应传引用（pass references）")
    job = Job(kind=kind, arguments=dict(arguments), created_by=actor_id)
    session.add(job)
    session.flush()
    return job


def get_job(session: Session, job_id: str) -> Job:
    """The job. Raises NotFoundError."""
    job = session.get(Job, job_id, populate_existing=True)
    if job is None:
        raise NotFoundError("没有这个任务（no such job）")
    return job


def request_cancel(session: Session, job_id: str) -> Job:
    """A queued job is cancelled at once; a running one stops at its next check. A finished one stays as it is."""
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.QUEUED)
        .values(state=JobState.CANCELLED, cancel_requested=True, finished_at=utc_now())
    )
    session.execute(update(Job).where(Job.id == job_id, Job.state.not_in(FINISHED)).values(cancel_requested=True))
    return get_job(session, job_id)
