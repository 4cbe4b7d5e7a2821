"""API v1 of the publishing chain: entries, intakes, policies, editions, jobs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, Field

from masking.taxonomy import OpeningClass
from opendata.catalog import service as catalog
from opendata.errors import NotFoundError
from opendata.identity import Actor
from opendata.jobs import request_cancel
from opendata.publishing import service as publishing
from opendata.publishing.models import PolicyVersion
from opendata.web import policy_form, views
from opendata.web import publishing_work as work
from opendata.web.deps import CurrentActor, SessionDep, SettingsDep, WriteDep
from opendata.web.problems import Problem
from opendata.web.rendering import language
from opendata.web.security import streams_body

router = APIRouter(tags=["publishing"])

MAX_YAML_BYTES = policy_form.MAX_POLICY_BYTES


class Both(BaseModel):
    """A text in Chinese and English."""

    zh: str = Field(default="", max_length=4000)
    en: str = Field(default="", max_length=4000)


class NewDataset(BaseModel):
    """A catalogue entry."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{1,98}$")
    title: Both
    summary: Both = Both()
    origin: Both = Both()
    theme: str = Field(default="", max_length=64)
    keywords: list[str] = Field(default=[], max_length=50)
    licence: str = Field(default="", max_length=500)
    update_frequency: str = Field(default="irregular", max_length=32)
    visibility: Literal["public", "department", "none"] = "public"
    level: str | None = None


class ChangedDataset(BaseModel):
    """Fields to change; absent ones stay."""

    title: Both | None = None
    summary: Both | None = None
    origin: Both | None = None
    theme: str | None = Field(default=None, max_length=64)
    keywords: list[str] | None = Field(default=None, max_length=50)
    licence: str | None = Field(default=None, max_length=500)
    update_frequency: str | None = Field(default=None, max_length=32)
    visibility: Literal["public", "department", "none"] | None = None


class Level(BaseModel):
    """The level of the raw table, and why it may be below the proposed one."""

    level: str
    reason: str = Field(default="", max_length=2000)


class PreviewBody(BaseModel):
    """A policy to try (default: the proposal) and what for."""

    policy: str | None = Field(default=None, max_length=MAX_YAML_BYTES)
    purpose: str = Field(min_length=1, max_length=500)
    reveal: list[str] = Field(default=[], description="columns of direct identifiers to uncover; each is recorded")


class NewEdition(BaseModel):
    """What to build, how it is to be opened, and the checks made."""

    intake: str
    policy_version: str
    opening_class: OpeningClass
    legal_basis: str = Field(default="", max_length=4000)
    checklist: dict[str, Any] = {}
    assessment: dict[str, Any] = {}


class Act(BaseModel):
    """Words that belong to a decision."""

    opinion: str = Field(default="", max_length=4000)
    note: str = Field(default="", max_length=4000)
    reason: str = Field(default="", max_length=4000)


@router.post("/api/v1/datasets", status_code=201)
def create_dataset(body: NewDataset, session: WriteDep, actor: CurrentActor, settings: SettingsDep) -> dict[str, Any]:
    """Create a draft entry of the caller's own department."""
    dataset = catalog.create_dataset(
        session,
        name=body.name,
        title_zh=body.title.zh,
        title_en=body.title.en,
        actor=actor,
        **_columns(body.model_dump(exclude={"name", "title"})),
    )
    return views.dataset_json(session, dataset, settings=settings)


@router.patch("/api/v1/datasets/{name}")
def change_dataset(
    name: str, body: ChangedDataset, session: WriteDep, actor: CurrentActor, settings: SettingsDep
) -> dict[str, Any]:
    """Change fields of an entry."""
    dataset = work.own_dataset(session, name, actor)
    changes = _columns(body.model_dump(exclude_unset=True, exclude_none=True))
    dataset = catalog.update_dataset(session, dataset, actor=actor, **changes)
    return views.dataset_json(session, dataset, settings=settings)


@router.put("/api/v1/datasets/{name}/level")
def confirm_level(name: str, body: Level, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """Confirm the level of the raw table; below the proposed one only with a reason."""
    dataset = work.own_dataset(session, name, actor)
    dataset = publishing.confirm_level(session, dataset, level=body.level, reason=body.reason, actor=actor)
    return {"dataset": dataset.name, "level": dataset.level}


@router.post("/api/v1/datasets/{name}/intakes", status_code=202)
@streams_body
async def upload_intake(
    request: Request, name: str, actor: CurrentActor, filename: Annotated[str, Query(min_length=1, max_length=200)]
) -> dict[str, Any]:
    """Bring a raw table in: the body is the file, sealed while it arrives."""
    if not work.uploads_allowed(request):
        raise Problem.csrf()
    intake, job = await work.receive_intake(request, name, actor, filename, None)
    return {"intake": intake, "job": job}


@router.get("/api/v1/intakes/{intake_id}")
def show_intake(request: Request, intake_id: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """Profile, findings, proposed level, rows that could not be read."""
    intake, dataset = work.own_intake(session, intake_id, actor)
    return work.intake_json(intake, language(request)) | {"dataset": dataset.name}


@router.post("/api/v1/intakes/{intake_id}/acknowledge")
def acknowledge(request: Request, intake_id: str, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """Accept that the listed rows are not in the table."""
    intake, _ = work.own_intake(session, intake_id, actor)
    return work.intake_json(publishing.acknowledge_bad_rows(session, intake, actor=actor), language(request))


@router.delete("/api/v1/intakes/{intake_id}", status_code=202)
def erase(intake_id: str, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """Erase a raw version: its key is destroyed."""
    intake, _ = work.own_intake(session, intake_id, actor)
    return {"job": publishing.erase_intake(session, intake, actor=actor).id}


@router.get("/api/v1/intakes/{intake_id}/proposal", response_class=PlainTextResponse)
def proposal(intake_id: str, session: SessionDep, actor: CurrentActor) -> Response:
    """The proposed masking policy as YAML."""
    intake, _ = work.own_intake(session, intake_id, actor)
    return PlainTextResponse(intake.proposal_yaml, media_type="application/yaml")


@router.post("/api/v1/intakes/{intake_id}/preview")
def preview(
    request: Request, response: Response, intake_id: str, body: PreviewBody, session: SessionDep, actor: CurrentActor
) -> dict[str, Any]:
    """Five rows before and after masking, direct identifiers covered; a logged view by the raw door."""
    intake, _ = work.own_intake(session, intake_id, actor)
    response.headers["Cache-Control"] = "no-store"
    yaml = policy_form.as_text(body.policy) if body.policy else None
    return work.preview(request, intake, yaml, body.purpose, body.reveal)


@router.get("/api/v1/datasets/{name}/policy", response_class=PlainTextResponse)
def show_policy(name: str, session: SessionDep, actor: CurrentActor) -> Response:
    """The newest masking policy as YAML."""
    version = publishing.latest_policy(session, work.own_dataset(session, name, actor))
    if version is None:
        raise NotFoundError("还没有脱敏策略（no masking policy yet）")
    headers = {"ETag": f'"{version.digest}"', "X-Policy-Version": version.id}
    return PlainTextResponse(version.yaml, media_type="application/yaml", headers=headers)


@router.put("/api/v1/datasets/{name}/policy")
async def put_policy(request: Request, name: str, actor: CurrentActor) -> dict[str, Any]:
    """Save the next version of the masking policy; the body is YAML."""
    body = await request.body()
    if len(body) > MAX_YAML_BYTES:
        raise Problem.invalid({"zh": "策略超过 1 MiB。", "en": "The policy is longer than 1 MiB."})
    try:
        yaml = policy_form.as_text(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise Problem.invalid({"zh": "策略不是 UTF-8 文本。", "en": "The policy is not UTF-8 text."}) from None
    version = await run_in_threadpool(_save_policy, request, name, actor, yaml)
    return {"version": version.id, "number": version.number, "digest": version.digest}


@router.post("/api/v1/editions", status_code=202)
def build_edition(request: Request, body: NewEdition, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """Mask, measure, check composition: a job; the result is a draft edition with its reports."""
    intake, dataset = work.own_intake(session, body.intake, actor)
    version = session.get(PolicyVersion, body.policy_version)
    if version is None or version.dataset_id != dataset.id:
        raise NotFoundError("没有这个策略版本（no such policy version）")
    edition, job = publishing.build_edition(
        session,
        intake,
        version,
        opening_class=body.opening_class,
        legal_basis=body.legal_basis,
        checklist=body.checklist,
        assessment=body.assessment,
        actor=actor,
        grades=request.app.state.grades,
    )
    return {"edition": edition.id, "job": job.id}


@router.get("/api/v1/editions/{edition_id}")
def show_edition(request: Request, edition_id: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """One edition with its reports and decisions."""
    edition, dataset = work.known_edition(session, edition_id, actor)
    return work.edition_json(edition, dataset, language(request))


@router.post("/api/v1/editions/{edition_id}/{act}")
def decide_edition(
    request: Request,
    edition_id: str,
    act: Literal["submit", "approve", "return", "reject", "withdraw"],
    session: WriteDep,
    actor: CurrentActor,
    body: Act | None = None,
) -> dict[str, Any]:
    """Submit (officer); approve, return, reject (another person); withdraw."""
    edition, dataset = work.known_edition(session, edition_id, actor)
    job = work.decide(request, session, edition, actor, act, **(body or Act()).model_dump())
    return work.edition_json(edition, dataset, language(request)) | ({"job": job.id} if job is not None else {})


@router.get("/api/v1/jobs/{job_id}")
def show_job(job_id: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """How far a job is."""
    return work.job_json(work.own_job(session, job_id, actor))


@router.post("/api/v1/jobs/{job_id}/cancel")
def cancel_job(job_id: str, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """Ask a job to stop at its next check."""
    work.own_job(session, job_id, actor)
    return work.job_json(request_cancel(session, job_id))


def _columns(given: dict[str, Any]) -> dict[str, Any]:
    """``title: {zh, en}`` as the two columns of the table."""
    columns: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, dict):
            columns |= {f"{name}_zh": value["zh"], f"{name}_en": value["en"]}
        else:
            columns[name] = value
    return columns


def _save_policy(request: Request, name: str, actor: Actor, yaml: str) -> PolicyVersion:
    with request.app.state.database.begin() as session:
        dataset = work.own_dataset(session, name, actor)
        return publishing.save_policy(
            session, dataset, yaml=yaml, actor=actor, files=request.app.state.settings.policies_dir
        )
