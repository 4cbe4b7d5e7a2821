"""``/api/v1/workspaces``: applying, and working in one: data, jobs, checks, released outputs."""

from __future__ import annotations

import mimetypes
import time
from pathlib import PurePosixPath
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from opendata.catalog import workdays
from opendata.catalog.grades import Grades
from opendata.db import new_id, utc_now
from opendata.identity import Actor
from opendata.jobs import enqueue
from opendata.storage.vault import SealedWriter
from opendata.web.deps import CurrentActor, DatabaseDep, SessionDep, SettingsDep, WriteDep
from sandbox.airlock import reruns
from sandbox.airlock import service as airlock
from sandbox.airlock.limits import airlock_ticks
from sandbox.airlock.models import PracticeCheck, ReleasedOutput
from sandbox.airlock.release import output_directory
from sandbox.airlock.sources import kernel_digest
from sandbox.airlock.typed import digest
from sandbox.web import views
from sandbox.web.released_files import ReleasedFile
from sandbox.workspaces import permissions, rules
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.door import check_level_open, check_open, door_state
from sandbox.workspaces.errors import SandboxClosed, WorkspaceInvalid, WorkspaceNotFound
from sandbox.workspaces.models import Workspace, WorkspaceDataset
from sandbox.workspaces.pledge import current_pledge
from sandbox.workspaces.visibility import bits_of

router = APIRouter(prefix="/api/v1/workspaces", tags=["workspaces"])
CHECK_JOB: Final = "sandbox.check"
CHECK_WAIT_S: Final = 50.0
MAX_CHECK_BYTES: Final = 4 * 1024 * 1024


def get_grades(request: Request) -> Grades:
    """The matrix of grades."""
    grades: Grades = request.app.state.grades
    return grades


async def get_body(request: Request) -> bytes:
    """The raw body; its size is bounded by the application."""
    return await request.body()


GradesDep = Annotated[Grades, Depends(get_grades)]
BodyDep = Annotated[bytes, Depends(get_body)]


class Signature(BaseModel):
    """A signature under the pledge: its version as it was read, and the signer's own name."""

    version: int
    name: str = Field(max_length=100)


class Application(BaseModel):
    """An application for a workspace."""

    name: str = Field(max_length=40)
    title: str = Field(max_length=200)
    purpose: str = Field(max_length=4000)
    datasets: list[str] = Field(max_length=20)
    term_days: int
    pledge: Signature


@router.get("")
def list_workspaces(session: SessionDep, actor: CurrentActor, grades: GradesDep) -> dict[str, Any]:
    """The person's own workspaces; for those who decide also what waits for them."""
    now = utc_now()
    return {
        "workspaces": [
            views.workspace(session, each, now=now)
            | {"may_work": permissions.can_work(actor, workspaces.facts(session, each))}
            for each in workspaces.workspaces_of(session, actor)
        ],
        "to_decide": [
            views.workspace(session, each.workspace, now=now) | {"decision": views.decision(session, each, now=now)}
            for each in workspaces.decision_queue(session, actor, grades)
        ],
    }


@router.get("/pledge")
def get_pledge() -> dict[str, Any]:
    """The pledge that applicants and members sign, with its version and digest."""
    return current_pledge().to_json()


@router.post("", status_code=201)
def apply(
    body: Application, session: WriteDep, actor: CurrentActor, settings: SettingsDep, grades: GradesDep
) -> dict[str, Any]:
    """Apply for a workspace; while the sandbox is closed on this machine nobody is made to wait for one."""
    check_open(settings)
    made = workspaces.apply(
        session,
        actor=actor,
        name=body.name,
        title=body.title,
        purpose=body.purpose,
        datasets=body.datasets,
        term_days=body.term_days,
        pledge_version=body.pledge.version,
        pledge_name=body.pledge.name,
        grades=grades,
        calendar=workdays.load(settings),
    )
    return views.workspace(session, made, now=utc_now())


@router.get("/{name}")
def get_workspace(
    name: str, session: SessionDep, actor: CurrentActor, settings: SettingsDep, grades: GradesDep
) -> dict[str, Any]:
    """One workspace, how far its decision is, and whether the sandbox door is open on this machine."""
    found = workspaces.get_workspace(session, name, actor=actor)
    now = utc_now()
    waiting = workspaces.waiting_decision(session, found, grades)
    decision = views.decision(session, waiting, now=now) if waiting else None
    return views.workspace(session, found, now=now) | {"decision": decision, "door": door_state(settings).to_json()}


@router.get("/{name}/datasets")
def list_datasets(name: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """The workspace's datasets and what stands under ``/data``."""
    found = _working(session, name, actor)
    return {"datasets": [views.dataset(session, each) for each in workspaces.datasets_of(session, found)]}


@router.get("/{name}/practice/{dataset}")
def get_practice(name: str, dataset: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """The table to develop on: path, columns, and what it is."""
    found = _working(session, name, actor)
    return views.practice(session, _dataset(session, found, dataset))


@router.get("/{name}/budget")
def get_budget(name: str, session: SessionDep, actor: CurrentActor, grades: GradesDep) -> dict[str, Any]:
    """What the workspace has used of its quotas, and what one more sealed run costs in status bits."""
    found = _working(session, name, actor)
    return views.quota(session, found, grades, now=utc_now())


@router.get("/{name}/jobs")
def list_jobs(name: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """The workspace's jobs, newest first."""
    found = _working(session, name, actor)
    now = utc_now()
    return {"jobs": [views.job(session, each, now=now) for each in workspaces.jobs_of(session, found)]}


@router.post("/{name}/jobs", status_code=202)
def submit_job(
    *,
    name: str,
    filename: Annotated[str, Query(max_length=128)],
    code: BodyDep,
    database: DatabaseDep,
    actor: CurrentActor,
    settings: SettingsDep,
    grades: GradesDep,
) -> dict[str, Any]:
    """Submit a notebook or script: dry run, code review where asked for, sealed run, airlock."""
    check_open(settings)
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
    found = _working(session, name, actor)
    return views.job(session, workspaces.get_job(session, found, job_id), now=utc_now())


@router.post("/{name}/jobs/{job_id}/cancel")
def cancel_job(name: str, job_id: str, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """The author stops a job that has not met raw data yet."""
    found = _working(session, name, actor)
    job = workspaces.cancel_job(session, workspaces.get_job(session, found, job_id), actor=actor)
    return views.job(session, job, now=utc_now())


@router.post("/{name}/jobs/{job_id}/rerun", status_code=202)
def rerun_job(
    *, name: str, job_id: str, session: WriteDep, actor: CurrentActor, settings: SettingsDep, grades: GradesDep
) -> dict[str, Any]:
    """Run a finished job again: same code, same intakes, same environment; or say what is no longer the same."""
    check_open(settings)
    found = _working(session, name, actor)
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
def check_file(
    *,
    name: str,
    path: Annotated[str, Query(max_length=128)],
    content: BodyDep,
    database: DatabaseDep,
    actor: CurrentActor,
    settings: SettingsDep,
) -> dict[str, Any]:
    """What the automatic checks say about a file made from practice data, every finding explained."""
    check_open(settings)
    filename = PurePosixPath(path).name
    if not filename or len(content) > MAX_CHECK_BYTES or not content:
        raise WorkspaceInvalid("文件为空、过大或没有名称 · the file is empty, too large or has no name")
    check_id = new_id()
    with database.session() as session:
        _working(session, name, actor)
    with SealedWriter(settings, check_id) as sealed:
        sealed.write(content)
    with database.begin() as session:
        found = _working(session, name, actor)
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
    return _wait_for_check(database, check_id)


@router.get("/{name}/outputs")
def list_outputs(name: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """Released outputs, and those taken back with the reason."""
    found = _member(session, name, actor)
    return {
        "outputs": [views.output(each) for each in airlock.outputs_of(session, found)],
        "revoked": [views.revoked(each) for each in airlock.revoked_of(session, found)],
    }


@router.get("/{name}/outputs/{output_id}/{file}")
def download_output(
    *,
    name: str,
    output_id: str,
    file: str,
    session: SessionDep,
    database: DatabaseDep,
    actor: CurrentActor,
    settings: SettingsDep,
) -> ReleasedFile:
    """One file of a released output: canonical CSV, ``sdc-record.json`` or its signature."""
    found = _member(session, name, actor)
    output = airlock.get_output(session, found, output_id)
    known = _file_of(output, file)
    return ReleasedFile(
        output_directory(settings, found.id, output.id) / known,
        database=database,
        actor=actor,
        workspace=found.id,
        output=output.id,
        media_type=mimetypes.guess_type(known)[0] or "application/octet-stream",
        name=known,
    )


def _working(session: Session, name: str, actor: Actor) -> Workspace:
    """The workspace, for a member at work in a live one."""
    found = workspaces.get_workspace(session, name, actor=actor)
    permissions.check_can_work(actor, workspaces.facts(session, found))
    rules.check_live(found.state, found.expires_at, utc_now())
    return found


def _member(session: Session, name: str, actor: Actor) -> Workspace:
    """The workspace, for a member who signed the pledge; released outputs outlive its term."""
    found = workspaces.get_workspace(session, name, actor=actor)
    permissions.check_can_read(actor, workspaces.facts(session, found))
    return found


def _dataset(session: Session, workspace: Workspace, name: str) -> WorkspaceDataset:
    for each in workspaces.datasets_of(session, workspace):
        if each.name == name:
            return each
    raise WorkspaceNotFound("没有这个数据集 · there is no such dataset")


def _file_of(output: ReleasedOutput, name: str) -> str:
    """The name as the output lists it; nothing else is ever made into a path."""
    for entry in output.files:
        if entry["name"] == name:
            return str(entry["name"])
    raise WorkspaceNotFound("没有这个文件 · there is no such file")


def _wait_for_check(database: DatabaseDep, check_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + CHECK_WAIT_S
    while time.monotonic() < deadline:
        with database.session() as session:
            check = session.get_one(PracticeCheck, check_id)
            if check.state == "done":
                return {"id": check.id, "state": "done", "findings": check.findings or [], "files": check.files or []}
            if check.state == "unavailable":
                raise SandboxClosed("沙箱未开放，没有检查文件 · the sandbox is closed; the file was not checked")
        time.sleep(0.2)
    raise SandboxClosed("检查仍在排队，请稍后再试 · the check is still waiting; try again in a moment")
