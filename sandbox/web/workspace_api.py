"""``/api/v1/workspaces``: applying, and working in one: data, jobs, checks, released outputs."""

from __future__ import annotations

import mimetypes
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from opendata.catalog import workdays
from opendata.db import utc_now
from opendata.web.deps import CurrentActor, DatabaseDep, SessionDep, SettingsDep, WriteDep
from sandbox.airlock import service as airlock
from sandbox.airlock.models import ReleasedOutput
from sandbox.airlock.release import output_directory
from sandbox.web import views
from sandbox.web.deps import GradesDep, member, not_held, working
from sandbox.web.released_files import ReleasedFile
from sandbox.workspaces import permissions, standing
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.door import check_open, door_state
from sandbox.workspaces.errors import WorkspaceNotFound
from sandbox.workspaces.models import Workspace, WorkspaceDataset
from sandbox.workspaces.pledge import current_pledge

router = APIRouter(prefix="/api/v1/workspaces", tags=["workspaces"])


class Signature(BaseModel):
    """A signature under the pledge: its version as it was read, and the signer's own name."""

    version: int
    name: str = Field(max_length=100)


class Application(BaseModel):
    """An application for a workspace; what its texts may be is said by `sandbox.workspaces.rules`."""

    name: str
    title: str
    purpose: str
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
def list_datasets(name: str, session: SessionDep, actor: CurrentActor, grades: GradesDep) -> dict[str, Any]:
    """The workspace's datasets and what stands under ``/data``; ``held``: editions that sessions may hold now."""
    found = working(session, name, actor)
    return {
        "datasets": [views.dataset(session, each) for each in workspaces.datasets_of(session, found)],
        "held": standing.held(session, found, grades),
    }


@router.get("/{name}/practice/{dataset}")
def get_practice(name: str, dataset: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """The table to develop on: path, columns, and what it is."""
    found = working(session, name, actor)
    return views.practice(session, _dataset(session, found, dataset))


@router.get("/{name}/budget")
def get_budget(name: str, session: SessionDep, actor: CurrentActor, grades: GradesDep) -> dict[str, Any]:
    """What the workspace has used of its quotas, and what one more sealed run costs in status bits."""
    found = working(session, name, actor)
    return views.quota(session, found, grades, now=utc_now())


@router.get("/{name}/outputs")
def list_outputs(name: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """Released outputs, and those taken back with the reason."""
    found = member(session, name, actor)
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
    found = member(session, name, actor)
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


def _dataset(session: Session, workspace: Workspace, name: str) -> WorkspaceDataset:
    held = {each.name: each for each in workspaces.datasets_of(session, workspace)}
    if name not in held:
        raise not_held(held)
    return held[name]


def _file_of(output: ReleasedOutput, name: str) -> str:
    """The name as the output lists it; nothing else is ever made into a path."""
    for entry in output.files:
        if entry["name"] == name:
            return str(entry["name"])
    raise WorkspaceNotFound("没有这个文件 · there is no such file")
