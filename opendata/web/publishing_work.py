"""What console pages and the publishing API share: finding things an officer or reviewer may see, uploads, previews."""

from __future__ import annotations

import hmac
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.orm import Session

from masking.errors import MaskingError
from masking.report import MaskingReport
from opendata.catalog import service as catalog
from opendata.catalog.models import Dataset, Edition
from opendata.db import Database, new_id
from opendata.errors import NotFoundError
from opendata.identity import Actor, Role
from opendata.jobs import FINISHED, Job
from opendata.publishing import hierarchies, hierarchy_files
from opendata.publishing import service as publishing
from opendata.publishing.models import HierarchyFile, Intake, PolicyVersion
from opendata.publishing.permissions import check_is_officer
from opendata.storage import rawdoor
from opendata.storage.vault import SealedWriter
from opendata.web import policy_form, uploads, views, words
from opendata.web.deps import get_visitor
from opendata.web.problems import Problem
from opendata.web.security import CSRF_HEADER, SESSION_COOKIE, Visitor

PREVIEW_ROWS = 5


def own_dataset(session: Session, name: str, actor: Actor) -> Dataset:
    """The dataset, if the actor is an officer of its department. Hidden from everybody else."""
    dataset = catalog.get(session, name, actor)
    check_is_officer(actor, dataset.organization_id)
    return dataset


def own_intake(session: Session, intake_id: str, actor: Actor) -> tuple[Intake, Dataset]:
    """The intake, if the actor is an officer of the department that brought it."""
    intake = session.get(Intake, intake_id)
    dataset = session.get(Dataset, intake.dataset_id) if intake is not None else None
    if intake is None or dataset is None or intake.organization_id != actor.organization_id:
        raise NotFoundError("没有这个接入批次（no such intake）")
    check_is_officer(actor, intake.organization_id)
    return intake, dataset


def known_edition(session: Session, edition_id: str, actor: Actor) -> tuple[Edition, Dataset]:
    """The edition, for officers of its department and for reviewers who may decide or have decided it."""
    edition = session.get(Edition, edition_id)
    dataset = session.get(Dataset, edition.dataset_id) if edition is not None else None
    if edition is None or dataset is None:
        raise NotFoundError("没有这个发布版本（no such edition）")
    officer = Role.DATA_OFFICER in actor.roles and actor.organization_id == dataset.organization_id
    if not officer and not _reviews(session, edition, actor):
        raise NotFoundError("没有这个发布版本（no such edition）")
    return edition, dataset


def own_job(session: Session, job_id: str, actor: Actor) -> Job:
    """The job, for the person who started it."""
    job = session.get(Job, job_id)
    if job is None or job.created_by != actor.id:
        raise NotFoundError("没有这个任务（no such job）")
    return job


async def receive_intake(
    request: Request, name: str, actor: Actor, filename: str, visitor: Visitor | None
) -> tuple[str, str]:
    """Seal an upload on the fly and record the intake; returns intake and job ids.

    ``visitor`` given: the body is a multipart form with its CSRF token; else it is the file itself. The bytes are
    sealed to the vault's public key block by block and never lie on a disk in clear.
    """
    database: Database = request.app.state.database
    await run_in_threadpool(_check_upload, database, name, actor, filename)
    intake_id = new_id()
    upload = uploads.SealedUpload(SealedWriter(request.app.state.settings, intake_id))
    chosen = await uploads.receive_sealed(
        request, visitor, upload, filename, lambda chosen: _check_upload(database, name, actor, chosen)
    )
    return await run_in_threadpool(_record_intake, database, name, actor, intake_id, chosen, upload.bytes_written)


def preview(
    request: Request, intake: Intake, policy_yaml: str | None, purpose: str, reveal: list[str]
) -> dict[str, Any]:
    """Five rows before and after masking, through the raw door: logged there, held here only to render them."""
    settings = request.app.state.settings
    if policy_yaml is not None:
        with request.app.state.database.session() as session:
            own = hierarchies.contents_of(session, session.get_one(Dataset, intake.dataset_id), policy_yaml)
        policy_yaml = hierarchy_files.written_out(policy_yaml, hierarchy_files.Sources(settings.policies_dir, own))
    question = {
        "intake_id": intake.id,
        "policy_yaml": policy_yaml,
        "purpose": purpose,
        "rows": PREVIEW_ROWS,
        "reveal": reveal,
    }
    return rawdoor.ask(settings, "preview", question, token=own_secret(request))


def keep_hierarchy(request: Request, name: str, actor: Actor, filename: str, content: bytes) -> dict[str, Any]:
    """Check and keep a hierarchy file of a dataset; what programs are told of it."""
    with request.app.state.database.begin() as session:
        dataset = own_dataset(session, name, actor)
        file = hierarchies.upload(session, dataset, name=filename, content=content, actor=actor)
        return hierarchy_json(file)


def hierarchy_json(file: HierarchyFile) -> dict[str, Any]:
    """A hierarchy file for its officers: digest and counts."""
    return {
        "name": file.name,
        "number": file.number,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "entries": file.entries,
        "levels": file.levels,
        "created_at": file.created_at,
    }


def own_secret(request: Request) -> str:
    """The secret that proves this person to the worker: their session cookie, or their bearer token."""
    visitor = get_visitor(request)
    if visitor.via == "session":
        return request.cookies[SESSION_COOKIE]
    return request.headers["authorization"].partition(" ")[2].strip()


def uploads_allowed(request: Request) -> bool:
    """Whether a raw upload proves where it comes from: a bearer token, or the session's CSRF token in a header."""
    visitor = get_visitor(request)
    return visitor.via == "token" or hmac.compare_digest(
        visitor.csrf.encode(), request.headers.get(CSRF_HEADER, "").encode()
    )


def decide(
    request: Request,
    session: Session,
    edition: Edition,
    actor: Actor,
    act: str,
    *,
    opinion: str,
    note: str,
    reason: str,
) -> Job | None:
    """One act of officer or reviewer on an edition; the job that follows, if one does."""
    if act == "submit":
        publishing.submit(session, edition, actor=actor, calendar=request.app.state.calendar)
    elif act == "approve":
        grades = request.app.state.grades
        return publishing.approve(
            session, edition, actor=actor, opinion=opinion.strip(), note=note.strip(), grades=grades
        )
    elif act == "return":
        publishing.return_(session, edition, actor=actor, note=note.strip())
    elif act == "reject":
        publishing.reject(session, edition, actor=actor, note=note.strip())
    elif act == "withdraw":
        return publishing.withdraw(session, edition, actor=actor, reason=reason.strip())
    else:
        raise Problem.not_found()
    return None


def job_json(job: Job) -> dict[str, Any]:
    """A job for the person who started it."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "step": job.step,
        "progress": job.progress,
        "message": job.message,
        "error": job.error,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "finished": job.state in FINISHED,
    }


def intake_json(intake: Intake, lang: str) -> dict[str, Any]:
    """An intake for its officers: counts and findings, never values."""
    return {
        "id": intake.id,
        "filename": intake.filename,
        "format": intake.format,
        "bytes": intake.bytes,
        "state": intake.state,
        "rows": intake.rows,
        "encoding": intake.encoding,
        "delimiter": intake.delimiter,
        "schema": intake.schema,
        "profile": intake.profile,
        "findings": intake.findings,
        "bad_row_count": intake.bad_row_count,
        "bad_rows": intake.bad_rows,
        "bad_rows_acknowledged": intake.bad_rows_acknowledged_by is not None,
        "proposed_level": intake.proposed_level,
        "proposed_level_title": words.level_title(intake.proposed_level, lang),
        "error": intake.error,
        "job": intake.job_id,
        "created_at": intake.created_at,
    }


def report_of(edition: Edition) -> MaskingReport:
    """The report of the run, as far as the edition keeps it."""
    return MaskingReport.from_dict({**(edition.internal_report or {}), "released": edition.public_report})


def edition_json(edition: Edition, dataset: Dataset, lang: str) -> dict[str, Any]:
    """An edition for its officers and reviewers: everything but values."""
    return views.edition_json(edition) | {
        "dataset": dataset.name,
        "intake": edition.intake_id,
        "policy_version": edition.policy_version_id,
        "rows": edition.rows,
        "digest": edition.digest,
        "table_digest": edition.table_digest,
        "files": edition.files,
        "report": edition.public_report,
        "internal_report": edition.internal_report or {},
        "legal_basis": edition.legal_basis,
        "checklist": edition.checklist,
        "assessment": edition.assessment,
        "level_title": words.level_title(edition.level, lang),
        "opening_class_title": words.class_title(edition.opening_class, lang),
        "effect_title": words.effect_title(edition.effect, lang),
        "legal_status_title": words.status_title(edition.legal_status, lang),
        "submitted_at": edition.submitted_at,
        "due_at": edition.due_at,
        "reviewed_at": edition.reviewed_at,
        "review_note": edition.review_note,
        "opinion": edition.opinion,
        "error": edition.error,
        "job": edition.job_id,
    }


def policy_of(session: Session, edition: Edition) -> PolicyVersion | None:
    """The masking-policy version an edition was built with."""
    return session.get(PolicyVersion, edition.policy_version_id)


def invented_columns(version: PolicyVersion | None) -> frozenset[str]:
    """The columns a masking policy marks as invented test data; none where there is no readable policy."""
    if version is None:
        return frozenset()
    try:
        policy = policy_form.read(version.yaml)
    except MaskingError:
        return frozenset()
    return frozenset(name for name, rule in policy.attributes.items() if rule.invented)


def _reviews(session: Session, edition: Edition, actor: Actor) -> bool:
    if Role.REVIEWER not in actor.roles:
        return False
    return edition.reviewed_by == actor.id or any(
        item.id == edition.id for item in publishing.review_queue(session, actor)
    )


def _check_upload(database: Database, name: str, actor: Actor, filename: str) -> None:
    """Before a byte is taken: may this person bring this kind of file in? The form tells the name later."""
    with database.session() as session:
        dataset = own_dataset(session, name, actor)
        if filename:
            publishing.check_can_upload(actor, dataset, filename)


def _record_intake(
    database: Database, name: str, actor: Actor, intake_id: str, filename: str, nbytes: int
) -> tuple[str, str]:
    with database.begin() as session:
        dataset = own_dataset(session, name, actor)
        intake, job = publishing.create_intake(
            session, dataset, filename=filename, nbytes=nbytes, actor=actor, intake_id=intake_id
        )
        return intake.id, job.id
