"""Jobs of a workspace: submitting, cancelling, queueing, and ending those that lost their right to run."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from opendata.catalog.grades import Grades
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.jobs import enqueue, request_cancel
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.workspaces import permissions, rules
from sandbox.workspaces.errors import WorkspaceConflict, WorkspaceNotFound
from sandbox.workspaces.imports import imports_of, scope_ids
from sandbox.workspaces.kin import bits_spent
from sandbox.workspaces.lookups import datasets_of, door_of, facts, jobs_of, scope_digest
from sandbox.workspaces.models import SandboxJob, Workspace
from sandbox.workspaces.quotas import check_jobs, default_quotas
from sandbox.workspaces.standing import check_complete
from sandbox.workspaces.states import JOB_TRANSITIONS, STOPPABLE, JobState, check_transition
from sandbox.workspaces.visibility import DEFAULT_TICKS, IN_SEALED_PHASE, Ticks, sealed_state

DRY_JOB: Final = "sandbox.dry"
SEALED_JOB: Final = "sandbox.sealed"
DAY: Final = timedelta(hours=24)


def submit_job(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    entry: str,
    code: bytes,
    job_id: str,
    grades: Grades,
    charge_bits: int,
    ticks: Ticks = DEFAULT_TICKS,
    now: datetime | None = None,
) -> SandboxJob:
    """Record a submitted notebook or script (sealed already into the vault as upload ``job_id``) and start its dry run.

    ``charge_bits`` is what the moments of its sealed run may tell. It is debited now, so that jobs which wait together
    cannot overdraw the budget, and given back if the job ends before it was queued for raw data (`move_job`).
    """
    now = now or utc_now()
    check_may_submit(session, workspace, actor=actor, entry=entry, code=code, charge_bits=charge_bits, now=now)
    door = door_of(session, workspace, grades)
    running, today = use_of(session, workspace, now=now, ticks=ticks)
    check_jobs(default_quotas().of(door.level), running=running, today=today)
    imports = imports_of(session, workspace)
    digest = hashlib.sha256(code).hexdigest()
    scope = [*(each.dataset_id for each in datasets_of(session, workspace)), *scope_ids(imports)]
    job = SandboxJob(
        id=job_id,
        workspace_id=workspace.id,
        author_id=actor.id,
        entry=entry,
        code_digest=digest,
        scope_digest=scope_digest(workspace.id, digest, scope),
        code_object=f"code-{digest}",
        state=JobState.SUBMITTED,
        level=door.level,
        created_at=now,
        bits_charged=charge_bits,
        imports={each.name: each.id for each in imports},
    )
    workspace.bits_spent = Workspace.bits_spent + charge_bits  # in the database: two may be handed in at once
    session.add(job)
    session.flush()
    job.dry_job_id = enqueue(session, DRY_JOB, {"job_id": job.id}, actor_id=actor.id).id
    payload = {"job": job.id, "code": digest}
    append(session, AuditEvent("sandbox:job:submit", actor.id, f"workspace:{workspace.id}", now, payload))
    return job


def check_may_submit(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    entry: str,
    code: bytes,
    charge_bits: int,
    now: datetime,
) -> None:
    """What can refuse a submission before a byte is stored; the level's quota is asked when it is recorded."""
    permissions.check_can_work(actor, facts(session, workspace))
    rules.check_live(workspace.state, workspace.expires_at, now)
    check_complete(session, workspace)
    rules.check_code(entry, code)
    rules.check_budget(bits_spent(session, workspace), charge_bits, workspace.bits_budget)


def use_of(session: Session, workspace: Workspace, *, now: datetime, ticks: Ticks = DEFAULT_TICKS) -> tuple[int, int]:
    """Jobs that have not ended as far as their author may know, and jobs handed in within 24 hours."""
    jobs = jobs_of(session, workspace)
    running = sum(not _seems_over(job, now=now, ticks=ticks) for job in jobs)
    return running, sum(now - job.created_at < DAY for job in jobs)


def cancel_job(session: Session, job: SandboxJob, *, actor: Actor, now: datetime | None = None) -> SandboxJob:
    """The author stops a job that has not met raw data yet."""
    now = now or utc_now()
    if actor.id != job.author_id:
        raise WorkspaceNotFound("没有这个作业 · there is no such job")
    if JobState(job.state) not in STOPPABLE:
        # One sentence for all of them: which it is, the fixed states say at their ticks.
        raise WorkspaceConflict(
            "这个作业现在不能取消：它已开始密封运行，或已结束 · "
            "this job cannot be cancelled now: it has begun its sealed run, or ended",
        )
    _cancel(session, job)
    append(session, AuditEvent("sandbox:job:cancel", actor.id, f"workspace:{job.workspace_id}", now, {"job": job.id}))
    return job


def stop_jobs(session: Session, workspace: Workspace, *, author_id: str | None = None, now: datetime) -> int:
    """End all jobs of a workspace, or of one author in it, that have not met raw data. Returns how many.

    A dry run that is running ends at its worker's next look; a sealed run goes on, seen by nobody but checkers.
    """
    found = session.scalars(
        select(SandboxJob).where(
            SandboxJob.workspace_id == workspace.id,
            SandboxJob.state.in_([str(state) for state in STOPPABLE]),
            *([] if author_id is None else [SandboxJob.author_id == author_id]),
        ),
    ).all()
    for job in found:
        append(session, AuditEvent("sandbox:job:stop", None, f"workspace:{workspace.id}", now, {"job": job.id}))
        _cancel(session, job)
    return len(found)


def queue_sealed(session: Session, job: SandboxJob, *, now: datetime) -> None:
    """Let a job go to its sealed run. Nobody is named as its starter: its row in the job table is nobody's to read."""
    move_job(job, JobState.SEALED_QUEUED)
    job.sealed_queued_at = now
    job.sealed_job_id = enqueue(session, SEALED_JOB, {"job_id": job.id}, actor_id=None).id
    append(session, AuditEvent("sandbox:job:seal", None, f"workspace:{job.workspace_id}", now, {"job": job.id}))


def move_job(job: SandboxJob, new: JobState) -> None:
    """Change a job's state along `JOB_TRANSITIONS`. One that ends before it was queued for raw data costs nothing.

    The channel is the moments of the sealed run (PRIVACY.md 15): a dry run that failed, was refused by reviewers or
    taken back met practice data only. Once queued, a job shows at its ticks whether it has begun, and stays debited.
    """
    check_transition(JOB_TRANSITIONS, JobState(job.state), new)
    job.state = new
    if not JOB_TRANSITIONS[new] and job.sealed_queued_at is None and job.bits_charged:
        session = object_session(job)
        assert session is not None
        session.get_one(Workspace, job.workspace_id).bits_spent = Workspace.bits_spent - job.bits_charged
        job.bits_charged = 0
        session.flush()  # before the next one of the same workspace


def _cancel(session: Session, job: SandboxJob) -> None:
    move_job(job, JobState.CANCELLED)
    for waiting in (job.dry_job_id, job.sealed_job_id):
        if waiting is not None:
            request_cancel(session, waiting)


def _seems_over(job: SandboxJob, *, now: datetime, ticks: Ticks) -> bool:
    state = JobState(job.state)
    if state not in IN_SEALED_PHASE or job.sealed_queued_at is None:
        return state not in STOPPABLE
    shown = sealed_state(
        queued_at=job.sealed_queued_at,
        started_at=job.sealed_started_at,
        finished_at=job.sealed_finished_at,
        now=now,
        ticks=ticks,
    )
    return shown == "finished"
