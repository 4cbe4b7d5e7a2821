"""Releasing an approved output: bundle, record, signature; ledger entry before it is visible.

The files of the bundle are written first where nobody is pointed at them; one transaction then appends the ledger
entry, remembers the exposure and makes the output visible. A crash in between leaves an unreachable folder, which
the repeated step replaces.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.db import new_id
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.publishing.models import Exposure
from opendata.settings import Settings
from sandbox.airlock import service
from sandbox.airlock.errors import BundleInvalid
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.models import ReleasedOutput, ReleaseRequest, Vote
from sandbox.airlock.package import Package
from sandbox.airlock.reruns import reproduced_from
from sandbox.airlock.states import RequestState
from sandbox.airlock.typed import canonical_rows, digest
from sandbox.airlock.verify import RECORD, SIGNATURE, signed_bytes
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import SandboxJob, Workspace

DIRECTORY_MODE: Final = 0o2750
FILE_MODE: Final = 0o640


def output_directory(settings: Settings, workspace_id: str, output_id: str) -> Path:
    """Where a released bundle lies; members reach it through the API only."""
    return settings.workspaces_dir / workspace_id / "released" / output_id


def sdc_record(
    *,
    output_id: str,
    request: ReleaseRequest,
    job: SandboxJob,
    datasets: Mapping[str, str],
    limits: AirlockLimits,
    votes: Sequence[Vote],
    files: Sequence[Mapping[str, Any]],
    findings: Sequence[Mapping[str, Any]],
    at: datetime,
    reproduced_from: Mapping[str, Any] | None = None,
) -> bytes:
    """The machine-readable record of the criteria applied (SATRE 3.3.09). No cell, no checker's name or words."""
    record = {
        "version": 1,
        "kind": "sdc-record",
        "output": output_id,
        "request": request.id,
        "workspace": request.workspace_id,
        "released_at": at.isoformat(),
        "level": request.level,
        "code": {"entry": job.entry, "sha256": job.code_digest},
        "environment": {"kernel_lock_sha256": job.kernel_digest},
        "reproduced_from": dict(reproduced_from) if reproduced_from else None,
        "data": [{"dataset": name, "intake": intake} for name, intake in sorted(datasets.items())],
        "rules": {
            "threshold": limits.threshold,
            "rounding": limits.rounding,
            "significant_digits": limits.significant_digits,
            "registered_kinds_only": limits.registered_only,
            "max_cells": limits.max_cells,
        },
        "findings": sorted({str(finding["rule"]) for finding in findings}),
        "votes": [
            {
                "checker": _pseudonym(request.id, vote.checker_id),
                "decision": vote.decision,
                "at": vote.cast_at.isoformat(),
            }
            for vote in votes
        ],
        "files": [dict(file) for file in files],
        "limits_of_this_record": {
            "zh": "自动检查不能阻止蓄意的作者；放行由人决定，风险经陈述、测量和记录。",
            "en": "Automatic checks do not stop a willing author; people decided, with a stated and recorded risk.",
        },
    }
    return json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def sign(record: bytes, key: Ed25519PrivateKey) -> bytes:
    """The detached signature over the record."""
    return key.sign(signed_bytes(record))


def write_bundle(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write all files and make the folder appear complete; an earlier attempt's folder is replaced."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    for made in (directory.parent.parent, directory.parent):
        made.chmod(DIRECTORY_MODE)
    partial = directory.with_name(f".{directory.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    partial.chmod(DIRECTORY_MODE)
    for name, content in files.items():
        with open(partial / name, "xb") as file:
            os.fchmod(file.fileno(), FILE_MODE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    _sync(partial)
    shutil.rmtree(directory, ignore_errors=True)
    partial.replace(directory)
    _sync(directory.parent)


def release(
    session: Session,
    request: ReleaseRequest,
    package: Package,
    *,
    key: Ed25519PrivateKey,
    limits: AirlockLimits,
    settings: Settings,
    now: datetime,
) -> ReleasedOutput:
    """Release what was voted on. Idempotent: a request that is released already gives its output."""
    existing = session.scalar(select(ReleasedOutput).where(ReleasedOutput.request_id == request.id))
    if existing is not None:
        return existing
    if RequestState(request.state) is RequestState.APPROVED:
        service.move(request, RequestState.RELEASING)
    entries = [file.entry() for file in package.files]
    if entries != request.files:
        raise BundleInvalid("待放行内容与表决内容不一致 · what would be released is not what was voted on")
    job = session.get_one(SandboxJob, request.job_id)
    votes = session.scalars(
        select(Vote).where(Vote.kind == "output", Vote.subject_id == request.id).order_by(Vote.cast_at, Vote.id),
    ).all()
    output_id = new_id()
    workspace = session.get_one(Workspace, request.workspace_id)
    record = sdc_record(
        output_id=output_id,
        request=request,
        job=job,
        datasets=job.sealed_intakes or {},
        limits=limits,
        votes=votes,
        files=entries,
        findings=package.findings,
        at=now,
        reproduced_from=reproduced_from(session, job, package.run),
    )
    files = {file.name: file.content for file in package.files} | {RECORD: record, SIGNATURE: sign(record, key)}
    write_bundle(output_directory(settings, workspace.id, output_id), files)
    payload = {"record": digest(record), "files": [entry["sha256"] for entry in entries], "workspace": workspace.id}
    entry = append(session, AuditEvent("airlock:output:release", None, f"release:{request.id}", now, payload))
    service.move(request, RequestState.RELEASED)
    output = ReleasedOutput(
        id=output_id,
        request_id=request.id,
        workspace_id=workspace.id,
        record_digest=digest(record),
        files=[*entries, *({"name": name, "bytes": len(files[name])} for name in (RECORD, SIGNATURE))],
        ledger_index=entry.index,
        released_at=now,
    )
    session.add(output)
    for dataset in workspaces.datasets_of(session, workspace):
        session.add(_exposure(dataset.dataset_id, output_id, package, limits, now))
    session.flush()
    return output


def _exposure(dataset_id: str, output_id: str, package: Package, limits: AirlockLimits, now: datetime) -> Exposure:
    """What later releases and editions of this population must be compared with."""
    columns: dict[str, None] = {}
    rows = 0
    for file in package.tables:
        header, body = canonical_rows(file.content)
        columns |= dict.fromkeys(header)
        rows += len(body)
    return Exposure(
        population=dataset_id,
        kind="release",
        reference=f"{output_id}:{dataset_id[:8]}",
        quasi_identifiers=list(columns),
        k=limits.threshold,
        rows=rows,
        at=now,
    )


def _pseudonym(request_id: str, checker_id: str) -> str:
    """The same checker under another name in every record: blinded towards the author."""
    return hashlib.sha256(f"checker v1\0{request_id}\0{checker_id}".encode()).hexdigest()[:16]


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
