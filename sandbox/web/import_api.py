"""``/api/v1/workspaces/{name}/imports``: bringing own data; ``/api/v1/imports``: answering for it, deciding."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from opendata.catalog import workdays
from opendata.db import Database, new_id, utc_now
from opendata.identity import Actor
from opendata.jobs import FINISHED, Job, JobState, enqueue
from opendata.settings import Settings
from opendata.storage.vault import SealedWriter
from opendata.web import uploads
from opendata.web.deps import CurrentActor, DatabaseDep, SessionDep, SettingsDep, WriteDep
from opendata.web.problems import Problem
from opendata.web.publishing_work import uploads_allowed
from opendata.web.security import Visitor, streams_body
from sandbox.imports import service as imports
from sandbox.imports.limits import default_rules
from sandbox.imports.models import Import
from sandbox.imports.tables import too_large
from sandbox.imports.visibility import import_view, review_view
from sandbox.web.deps import GradesDep, working
from sandbox.web.waiting import Places, until
from sandbox.workspaces.door import check_open
from sandbox.workspaces.errors import SandboxClosed
from sandbox.workspaces.imports import imports_of
from sandbox.workspaces.models import Workspace

router = APIRouter(tags=["imports"])
OPEN_WAIT_S: Final = 40.0
OPENINGS: Final = Places(each=2, most=16)
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9_-]+")


class Declaration(BaseModel):
    """What the import is. The last five only with person keys."""

    purpose: str = Field(max_length=4000)
    level: str = Field(max_length=16)
    person_keys: list[str] = Field(default=[], max_length=200)
    not_keys: dict[str, str] = Field(default={}, max_length=200)
    legal_basis: str = Field(default="", max_length=32)
    legal_note: str = Field(default="", max_length=1000)
    assessment: str = Field(default="", max_length=4000)
    assessed_on: str = Field(default="", max_length=10)
    assessed_by: str = Field(default="", max_length=100)


class Answer(BaseModel):
    """A decision with its reason."""

    approve: bool
    reason: str = Field(max_length=4000)


class Consent(Answer):
    """What a providing department says about the join with one of its datasets."""

    dataset: str = Field(max_length=100)


@router.get("/api/v1/workspaces/{name}/imports")
def list_imports(name: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """The workspace's imports: all versions, newest first, and what stands under ``/data/import`` now."""
    found = working(session, name, actor)
    return {
        "imports": [import_view(session, each, found) for each in imports.imports_in(session, found)],
        "mounted": [{"name": each.name, "id": each.id} for each in imports_of(session, found)],
    }


@router.post("/api/v1/workspaces/{name}/imports", status_code=202)
@streams_body
async def upload(
    request: Request,
    name: str,
    actor: CurrentActor,
    filename: Annotated[str, Query(min_length=1, max_length=200)],
    import_name: Annotated[str, Query(alias="import", max_length=40)] = "",
) -> dict[str, Any]:
    """Bring a file, or a new version of one: the body is the file, sealed to the vault while it arrives."""
    if not uploads_allowed(request):
        raise Problem.csrf()
    import_id = await receive(request, name, actor, import_name or name_of(filename), filename, None)
    return await run_in_threadpool(_shown, request.app.state.database, import_id, actor)


@router.get("/api/v1/workspaces/{name}/imports/{import_id}")
def get_import(name: str, import_id: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """One version: state, findings, what is still needed."""
    found = working(session, name, actor)
    return import_view(session, imports.get_import(session, import_id, actor=actor, workspace=found), found)


@router.post("/api/v1/workspaces/{name}/imports/open", include_in_schema=False)
async def open_imports(name: str, database: DatabaseDep, actor: CurrentActor, settings: SettingsDep) -> dict[str, Any]:
    """For the hub: have the mounted imports put into the launcher's memory, and wait until they are."""
    with OPENINGS.place(actor.id):
        mounted, job_id = await run_in_threadpool(_begin_opening, database, settings, actor, name)
        if job_id is None:
            return {"mounted": []}
        state = await until(database, lambda session: _ended(session, job_id), seconds=OPEN_WAIT_S)
    if state != JobState.DONE:
        raise SandboxClosed("导入尚未就绪，请稍后再试 · the imports are not ready; try again in a moment")
    return {"mounted": mounted}


@router.post("/api/v1/workspaces/{name}/imports/{import_id}/declare")
def declare(
    name: str,
    import_id: str,
    body: Declaration,
    session: WriteDep,
    actor: CurrentActor,
    settings: SettingsDep,
    grades: GradesDep,
) -> dict[str, Any]:
    """Say what the import is and send it for review."""
    place = working(session, name, actor)
    found = imports.get_import(session, import_id, actor=actor, workspace=place)
    imports.declare(session, found, actor=actor, **body.model_dump(), calendar=workdays.load(settings), grades=grades)
    return import_view(session, found, place)


@router.post("/api/v1/imports/{import_id}/withdraw")
def withdraw(import_id: str, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """Take an import back: its uploader, the workspace's owner or a reviewer, at any time."""
    found = imports.get_import(session, import_id, actor=actor)
    imports.withdraw(session, found, actor=actor)
    return import_view(session, found, session.get_one(Workspace, found.workspace_id))


@router.get("/api/v1/imports")
def queue(session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """Imports that wait for this person's answer or decision, most urgent first, and those answered."""
    return {
        "waiting": [review_view(session, each) for each in imports.queue(session, actor)],
        "decided": [review_view(session, each) for each in imports.decided(session, actor)],
    }


@router.get("/api/v1/imports/{import_id}")
def evidence(import_id: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """All evidence about one import."""
    return review_view(session, imports.get_import(session, import_id, actor=actor))


@router.post("/api/v1/imports/{import_id}/consent")
def consent(import_id: str, body: Consent, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """A providing department consents to the join with its dataset, or refuses."""
    found = imports.get_import(session, import_id, actor=actor)
    imports.consent(session, found, actor=actor, dataset=body.dataset, approve=body.approve, reason=body.reason)
    return review_view(session, found)


@router.post("/api/v1/imports/{import_id}/decide")
def decide(import_id: str, body: Answer, session: WriteDep, actor: CurrentActor, grades: GradesDep) -> dict[str, Any]:
    """A reviewer approves or refuses."""
    found = imports.get_import(session, import_id, actor=actor)
    imports.decide(session, found, actor=actor, approve=body.approve, reason=body.reason, grades=grades)
    return review_view(session, found)


async def receive(
    request: Request, name: str, actor: Actor, import_name: str | None, filename: str, visitor: Visitor | None
) -> str:
    """Seal an upload on the fly and record it; returns the import's id.

    ``visitor`` given: the body is a form with its CSRF token and one file. ``import_name`` None: named by the file.
    """
    database: Database = request.app.state.database
    settings = request.app.state.settings
    await run_in_threadpool(check_open, settings)
    await run_in_threadpool(_check, database, name, actor, import_name or name_of(filename), filename)
    import_id = new_id()
    upload = uploads.SealedUpload(SealedWriter(settings, import_id), _check_size)
    filename = await uploads.receive_sealed(
        request,
        visitor,
        upload,
        filename,
        lambda chosen: _check(database, name, actor, import_name or name_of(chosen), chosen),
    )
    chosen = import_name or name_of(filename)
    return await run_in_threadpool(_record, database, name, actor, import_id, chosen, filename, upload.bytes_written)


def name_of(filename: str) -> str:
    """The name an import gets from its file's name."""
    stem = uploads.clean_filename(filename).rpartition(".")[0] or filename
    return _NOT_IN_NAMES.sub("-", stem.lower()).strip("-_")[:40] or "own"


def _begin_opening(
    database: Database, settings: Settings, actor: Actor, name: str
) -> tuple[list[dict[str, str]], str | None]:
    """What is mounted, and the job that hands it to the launcher; no job when there is nothing."""
    check_open(settings)
    with database.begin() as session:
        found = working(session, name, actor)
        mounted = [{"name": each.name, "id": each.id} for each in imports_of(session, found)]
        if not mounted:
            return [], None
        return mounted, enqueue(session, imports.OPEN_JOB, {"workspace_id": found.id}, actor_id=actor.id).id


def _ended(session: Session, job_id: str) -> str | None:
    state = session.get_one(Job, job_id).state
    return state if state in FINISHED else None


def _check(database: Database, name: str, actor: Actor, import_name: str, filename: str) -> None:
    with database.session() as session:
        found = working(session, name, actor)
        imports.check_may_upload(session, found, actor=actor, name=import_name, filename=filename, now=utc_now())


def _record(
    database: Database, name: str, actor: Actor, import_id: str, import_name: str, filename: str, nbytes: int
) -> str:
    with database.begin() as session:
        found = working(session, name, actor)
        imports.record_upload(
            session,
            found,
            actor=actor,
            import_id=import_id,
            name=import_name,
            filename=filename,
            nbytes=nbytes,
        )
    return import_id


def _shown(database: Database, import_id: str, actor: Actor) -> dict[str, Any]:
    with database.session() as session:
        found: Import = imports.get_import(session, import_id, actor=actor)
        return import_view(session, found, session.get_one(Workspace, found.workspace_id))


def _check_size(nbytes: int) -> None:
    most = default_rules().limits.max_bytes
    if nbytes > most:
        raise too_large(most)
