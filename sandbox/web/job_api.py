"""``/api/v1/workspaces/{name}/…``: jobs, from submission to their end, and checks of practice output."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from opendata.catalog import workdays
from opendata.db import Database, new_id, utc_now
from opendata.identity import Actor
from opendata.jobs import FINISHED, Job, enqueue
from opendata.settings import Settings
from opendata.storage.vault import SealedWriter
from opendata.web.deps import CurrentActor, DatabaseDep, SessionDep, SettingsDep, WriteDep
from sandbox.airlock import reruns
from sandbox.airlock.limits import airlock_ticks
from sandbox.airlock.models import PracticeCheck
from sandbox.airlock.sources import kernel_digest
from sandbox.airlock.typed import digest
from sandbox.client.code import code_only
from sandbox.web import views
from sandbox.web.deps import BodyDep, GradesDep, working
from sandbox.web.waiting import Places, too_many, until
from sandbox.workspaces import rules
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.door import check_level_open, check_open
from sandbox.workspaces.errors import SandboxClosed
from sandbox.workspaces.standing import Lack, check_complete
from sandbox.workspaces.visibility import bits_of

router = APIRouter(prefix="/api/v1/workspaces", tags=["workspaces"])

CHECK_JOB: Final = "sandbox.check"

CHECK_WAIT_S: Final = 50.0

CHECKS: Final = Places(each=3, most=24)
"""Fewer in all than the hub's connections to this process (64), so that checks never take all of them."""

MOST_UNFINISHED: Final = 6

LONGEST_NAME: Final = 1000
"""Of a query parameter; what a file may be called is said by `sandbox.workspaces.rules`."""


@router.get("/{name}/jobs")
def list_jobs(name: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """The workspace's jobs, newest first."""
    found = working(session, name, actor)
    now = utc_now()
    return {"jobs": [views.job(session, each, now=now) for each in workspaces.jobs_of(session, found)]}


@router.post("/{name}/jobs", status_code=202)
def submit_job(
    *,
    name: str,
    filename: Annotated[str, Query(max_length=LONGEST_NAME)],
    code: BodyDep,
    database: DatabaseDep,
    actor: CurrentActor,
    settings: SettingsDep,
    grades: GradesDep,
) -> dict[str, Any]:
    """Submit a notebook or script: dry run, code review where asked for, sealed run, airlock.

    A notebook is taken without its results; its hash, by which reviewers know it again, is that of what is left.
    """
    check_open(settings)
    filename = unicodedata.normalize("NFC", filename)  # as some systems spell names of files, letters fall apart
    code = code_only(filename, code)
    job_id, charge, now = new_id(), bits_of(airlock_ticks()), utc_now()
    with database.session() as session:
        found = workspaces.get_workspace(session, name, actor=actor)
        workspaces.check_may_submit(session, found, actor=actor, entry=filename, code=code, charge_bits=charge, now=now)
        check_level_open(settings, workspaces.door_of(session, found, grades).level)
    with SealedWriter(settings, job_id) as sealed:
        sealed.write(code)
    with database.begin() as session:
        found = workspaces.get_workspace(session, name, actor=actor)
        job = workspaces.submit_job(
            session,
            found,
            actor=actor,
            entry=filename,
            code=code,
            job_id=job_id,
            grades=grades,
            charge_bits=charge,
            ticks=airlock_ticks(),
            now=now,
        )
        return views.job(session, job, now=now)


@router.get("/{name}/jobs/{job_id}")
def get_job(name: str, job_id: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """One job: its id and state; everything about its dry run."""
    found = working(session, name, actor)
    return views.job(session, workspaces.get_job(session, found, job_id), now=utc_now())


@router.post("/{name}/jobs/{job_id}/cancel")
def cancel_job(name: str, job_id: str, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """The author stops a job that has not met raw data yet."""
    found = working(session, name, actor)
    job = workspaces.cancel_job(session, workspaces.get_job(session, found, job_id), actor=actor)
    return views.job(session, job, now=utc_now())


@router.post("/{name}/jobs/{job_id}/rerun", status_code=202)
def rerun_job(
    *, name: str, job_id: str, session: WriteDep, actor: CurrentActor, settings: SettingsDep, grades: GradesDep
) -> dict[str, Any]:
    """Run a finished job again: same code, same intakes, same environment; or say what is no longer the same."""
    check_open(settings)
    found = working(session, name, actor)
    ticks = airlock_ticks()
    job = reruns.rerun(
        session,
        found,
        workspaces.get_job(session, found, job_id),
        actor=actor,
        kernel=kernel_digest(),
        grades=grades,
        calendar=workdays.load(settings),
        charge_bits=bits_of(ticks),
        ticks=ticks,
    )
    return views.job(session, job, now=utc_now())


@router.post("/{name}/check")
async def check_file(
    *,
    name: str,
    path: Annotated[str, Query(max_length=LONGEST_NAME)],
    content: BodyDep,
    database: DatabaseDep,
    actor: CurrentActor,
    settings: SettingsDep,
) -> dict[str, Any]:
    """What the automatic checks say about a file made from practice data, every finding explained."""
    filename = PurePosixPath(path).name
    rules.check_sent(filename, len(content))
    with CHECKS.place(actor.id):
        check_id = await run_in_threadpool(_begin_check, database, settings, actor, name, filename, content)
        found = await until(database, lambda session: _outcome(session, check_id), seconds=CHECK_WAIT_S)
    if found is None:
        raise SandboxClosed("检查仍在排队，请稍后再试 · the check is still waiting; try again in a moment")
    return found


def _begin_check(database: Database, settings: Settings, actor: Actor, name: str, filename: str, content: bytes) -> str:
    check_open(settings)
    check_id = new_id()
    with database.session() as session:
        check_complete(session, working(session, name, actor), needed={Lack.WITHDRAWN})
        _check_unfinished(session, actor)
    with SealedWriter(settings, check_id) as sealed:
        sealed.write(content)
    with database.begin() as session:
        found = working(session, name, actor)
        check = PracticeCheck(
            id=check_id,
            workspace_id=found.id,
            author_id=actor.id,
            filename=filename,
            digest=digest(content),
            created_at=utc_now(),
        )
        session.add(check)
        session.flush()
        check.job_id = enqueue(session, CHECK_JOB, {"check_id": check_id}, actor_id=actor.id).id
    return check_id


def _check_unfinished(session: Session, actor: Actor) -> None:
    """Whoever no longer waits for a check still has it in the queue."""
    queued = select(func.count()).where(PracticeCheck.author_id == actor.id, PracticeCheck.state == "queued")
    if (session.scalar(queued) or 0) >= MOST_UNFINISHED:
        raise too_many(MOST_UNFINISHED)


def _outcome(session: Session, check_id: str) -> dict[str, Any] | None:
    """The findings, or nothing yet. Raises SandboxClosed when there will be none."""
    check = session.get_one(PracticeCheck, check_id)
    if check.state == "done":
        return {"id": check.id, "state": "done", "findings": check.findings or [], "files": check.files or []}
    if check.state == "unavailable":
        raise SandboxClosed("沙箱未开放，没有检查文件 · the sandbox is closed; the file was not checked")
    job = session.get(Job, check.job_id) if check.job_id else None
    if check.state == "failed" or job is None or job.state in FINISHED:
        raise SandboxClosed("检查中断，请重新提交 · the check was interrupted; send the file again")
    return None
