"""Jobs whose durable workflow ended before they did: each comes to a defined end.

A workflow can end outside its steps: cancelled, recovered too often, failed in the step that waits for the tick or
starts the review, not to be started at all. Its row in the job table then says so, and the sandbox's own row would say
for ever that the job is running. The worker calls `sweep` when it starts and every few seconds. What was not finished
is never run again. A job that met raw data goes to its checkers at a tick, like every other, by a durable job of its
own (`sandbox.airlock.jobs.end_sealed`): the author sees what every author sees, and the ledger grows by the same two
entries at a tick (PRIVACY.md 14, 15). What was approved is released after all. The others met no raw data; they end at
once, with a ledger entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from opendata.db import utc_now
from opendata.jobs import FINISHED, Job, enqueue
from opendata.jobs.context import JobContext, Resources
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.logs import get_logger
from sandbox.airlock import dry
from sandbox.airlock.models import PracticeCheck, ReleasedOutput, ReleaseRequest
from sandbox.airlock.states import RequestState
from sandbox.airlock.voting import RELEASE_JOB
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import SandboxJob
from sandbox.workspaces.states import JobState

END_JOB: Final = "sandbox.sealed_end"
LEAST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)
UNFINISHED: Final = (
    "后台任务中断，试运行没有完成，请重新提交；没有接触原始数据 · "
    "the dry run was interrupted: submit it again; no raw data was touched"
)
_log = get_logger("sandbox.airlock.ends")


def sweep(resources: Resources) -> None:
    """One round over everything that was left behind."""
    now = utc_now()
    for job_id in _left(resources, SandboxJob, SandboxJob.dry_job_id, {JobState.SUBMITTED, JobState.DRY_RUNNING}):
        _end_dry(resources, job_id, now)
    for job_id in _left(resources, SandboxJob, SandboxJob.sealed_job_id, {JobState.SEALED_QUEUED}):
        _end_queued(resources, job_id, now)
    for job_id in _left(resources, SandboxJob, SandboxJob.sealed_job_id, {JobState.SEALED_RUNNING}):
        _have_ended(resources, job_id, now)
    waiting = {RequestState.APPROVED, RequestState.RELEASING}
    for request_id in _left(resources, ReleaseRequest, ReleaseRequest.release_job_id, waiting):
        _have_released(resources, request_id, now)
    for check_id in _left(resources, PracticeCheck, PracticeCheck.job_id, {"queued"}):
        _end_check(resources, check_id, now)


def still_running(context: JobContext, job_id: str) -> bool:
    """Whether a job that met raw data has not ended yet."""
    with context.database.session() as session:
        return JobState(session.get_one(SandboxJob, job_id).state) is JobState.SEALED_RUNNING


def due_again(ended: datetime, since: datetime, now: datetime) -> bool:
    """Whether what failed at ``ended``, tried since ``since``, is tried again: pauses double up to the longest."""
    return now - ended >= min(max(ended - since, LEAST_PAUSE), LONGEST_PAUSE)


def _left(
    resources: Resources,
    model: type[SandboxJob | ReleaseRequest | PracticeCheck],
    durable: InstrumentedAttribute[str | None],
    states: Iterable[str],
) -> list[str]:
    """Ids of rows in these states whose durable job has ended, or is not there."""
    ended = or_(Job.id.is_(None), Job.state.in_([str(state) for state in FINISHED]))
    with resources.database.session() as session:
        return list(
            session.scalars(
                select(model.id)
                .outerjoin(Job, Job.id == durable)
                .where(model.state.in_([str(state) for state in states]), ended)
                .order_by(model.created_at, model.id)
            )
        )


def _end_dry(resources: Resources, job_id: str, now: datetime) -> None:
    """It met practice data only, and says that it was interrupted."""
    with resources.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        if JobState(job.state) not in {JobState.SUBMITTED, JobState.DRY_RUNNING}:
            return
        _record(session, job, now)
        dry.stop(job, UNFINISHED)
    resources.vault.destroy(job_id)
    _log.warning("dry run left behind", job=job_id)


def _end_queued(resources: Resources, job_id: str, now: datetime) -> None:
    """It met nothing: without its first step no sealed run begins."""
    with resources.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        if JobState(job.state) is not JobState.SEALED_QUEUED:
            return
        _record(session, job, now)
        workspaces.move_job(job, JobState.CANCELLED)
    _log.warning("queued run left behind", job=job_id)


def _have_ended(resources: Resources, job_id: str, now: datetime) -> None:
    """Let a durable job end it: nothing is recorded before the tick, and nothing is run again."""
    with resources.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        last = session.get(Job, job.sealed_job_id) if job.sealed_job_id else None
        if JobState(job.state) is not JobState.SEALED_RUNNING or not _free(last, END_JOB, job.sealed_queued_at, now):
            return
        job.sealed_job_id = enqueue(session, END_JOB, {"job_id": job_id}, actor_id=None).id
    _log.warning("sealed run left behind", job=job_id)


def _have_released(resources: Resources, request_id: str, now: datetime) -> None:
    """People decided; a release that failed is tried again."""
    with resources.database.begin() as session:
        request = session.get_one(ReleaseRequest, request_id)
        last = session.get(Job, request.release_job_id) if request.release_job_id else None
        done = session.scalar(select(ReleasedOutput.id).where(ReleasedOutput.request_id == request_id))
        if done is not None or not _free(last, RELEASE_JOB, request.decided_at, now):
            return
        request.release_job_id = enqueue(session, RELEASE_JOB, {"request_id": request_id}, actor_id=None).id
    _log.warning("release left behind", request=request_id)


def _end_check(resources: Resources, check_id: str, now: datetime) -> None:
    with resources.database.begin() as session:
        check = session.get_one(PracticeCheck, check_id)
        if check.state != "queued":
            return
        check.state, check.finished_at = "failed", now
    resources.vault.destroy(check_id)


def _free(last: Job | None, kind: str, since: datetime | None, now: datetime) -> bool:
    """Whether the last durable job has ended and, if it was of ``kind`` itself, its pause is over."""
    if last is None:
        return True
    if last.state not in FINISHED:
        return False
    ended = last.finished_at or now
    return last.kind != kind or due_again(ended, since or ended, now)


def _record(session: Session, job: SandboxJob, now: datetime) -> None:
    payload: Mapping[str, Any] = {"job": job.id, "left_behind": True}
    append(session, AuditEvent("sandbox:job:stop", None, f"workspace:{job.workspace_id}", now, payload))
