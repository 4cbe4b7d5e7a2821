"""What stands under ``/data/<name>`` of a workspace: an edition everybody may download, otherwise practice data.

Source: PRIVACY.md 19. Only an unconditional edition with the raw table's own column names and types is used: a
conditional one could be revoked for one member while it lies in all members' sessions, and code must see the same
schema as in a sealed run. Everything else is practice data. What was taken down meanwhile is removed by `keeping`.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.policy.load import load
from opendata.catalog import grades
from opendata.catalog.models import Dataset, Edition, EditionKind, EditionState, InformationItem
from opendata.db import utc_now
from opendata.jobs.context import JobContext
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.publishing.models import Exposure, Intake, PolicyVersion
from opendata.settings import Settings
from sandbox.workspaces import service
from sandbox.workspaces.ends import homes_of
from sandbox.workspaces.models import Workspace, WorkspaceDataset
from sandbox.workspaces.practice import Marginals, arrow_type, make_practice
from sandbox.workspaces.published import CubeCounts, is_exposed, no_cube, published_marginals
from sandbox.workspaces.runs import parquet_bytes
from sandbox.workspaces.standing import may_hold

DIRECTORY_MODE: Final = 0o2750
FILE_MODE: Final = 0o640


def practice_path(settings: Settings, workspace_id: str, name: str) -> Path:
    """The file a session and a dry run see as ``/data/<name>/<name>.parquet``."""
    return settings.workspaces_dir / workspace_id / "data" / name / f"{name}.parquet"


def prepare(context: JobContext, arguments: dict[str, Any], *, cube: CubeCounts = no_cube) -> None:
    """Job ``sandbox.prepare``: write the data of a workspace's sessions and dry runs.

    ``cube`` tells the published counts of fixed tables, which practice data follow. The argument ``only``, if given,
    names the workspace's datasets whose file is made anew.
    """
    workspace_id, only = arguments["workspace_id"], arguments.get("only")
    context.step("homes", lambda: _make_homes(context.settings, workspace_id))
    for dataset_id in context.step("list", lambda: _ids(context, workspace_id, only)):
        context.step(f"prepare {dataset_id}", partial(_prepare_one, context, cube), dataset_id)


def _make_homes(settings: Settings, workspace_id: str) -> None:
    """The folder of the homes belongs to the worker, who clears it when the workspace has ended (`ends.clear`)."""
    folder = homes_of(settings, workspace_id)
    folder.mkdir(parents=True, exist_ok=True)
    for each in (folder.parent, folder):
        each.chmod(DIRECTORY_MODE)


def _ids(context: JobContext, workspace_id: str, only: list[str] | None) -> list[str]:
    with context.database.session() as session:
        workspace = session.get_one(Workspace, workspace_id)
        every = [dataset.id for dataset in service.datasets_of(session, workspace)]
    return [each for each in every if only is None or each in only]


def _prepare_one(context: JobContext, cube: CubeCounts, workspace_dataset_id: str) -> None:
    with context.database.session() as session:
        row = session.get_one(WorkspaceDataset, workspace_dataset_id)
        dataset = session.get_one(Dataset, row.dataset_id)
        edition = session.get(Edition, dataset.current_edition_id) if dataset.current_edition_id else None
        if edition is None or edition.state != EditionState.PUBLISHED:
            return  # taken down since; `keeping` sees to what stands there, and asks again when there is a new one
        open_to_all = may_hold(dataset, edition, grades.load(context.settings))
        intake = session.get_one(Intake, edition.intake_id)
        version = session.get_one(PolicyVersion, edition.policy_version_id)
        titles = _titles(session, dataset.id)
        schema = [(str(column["name"]), str(column["type"])) for column in intake.schema]
        policy_yaml, counts = version.yaml, cube(context, session, edition)
        exposed = is_exposed(session, "edition", edition.id)
        workspace_id, name = row.workspace_id, row.name
    content = _edition_bytes(context, edition, schema) if open_to_all else None
    kind = "edition" if content is not None else "practice"
    followed: Marginals = {}
    if content is None:
        policy = load(policy_yaml)
        followed = published_marginals(edition, policy, context.editions, exposed=exposed, cube=counts)
        table = make_practice(policy, schema, seed=workspace_id, marginals=followed)
        content = parquet_bytes(table)
    target = practice_path(context.settings, workspace_id, name)
    _write(target, content, below=context.settings.workspaces_dir)
    digest = hashlib.sha256(content).hexdigest()
    now = utc_now()
    with context.database.begin() as session:
        row = session.get_one(WorkspaceDataset, workspace_dataset_id)
        row.kind, row.digest, row.prepared_at, row.error = kind, digest, now, None
        row.edition_id = edition.id
        row.rows = pq.read_metadata(target).num_rows
        row.columns = service.columns_json(schema, titles)
        subject = f"workspace:{workspace_id}"
        payload = {"dataset": dataset.id, "edition": edition.id, "kind": kind, "digest": digest}
        append(session, AuditEvent("sandbox:data:prepare", None, subject, now, payload))
        if kind == "practice":
            _remember(session, dataset.id, workspace_dataset_id, row.rows, sorted(followed))


def _edition_bytes(context: JobContext, edition: Edition, schema: Sequence[tuple[str, str]]) -> bytes | None:
    """The Parquet file of an edition that anybody may download, if it has the raw table's schema."""
    if edition.kind != EditionKind.MICRODATA or not edition.digest:
        return None
    name = next((str(file["name"]) for file in edition.files if file["format"] == "parquet"), None)
    if name is None:
        return None
    with context.editions.open(edition.digest, name) as stream:
        content = stream.read()
    found = pq.read_schema(io.BytesIO(content))
    wanted = [(column, arrow_type(type_)) for column, type_ in schema]
    same = [(field.name, field.type) for field in found] == wanted
    return content if same else None


def _titles(session: Session, dataset_id: str) -> dict[str, dict[str, str]]:
    items = session.scalars(select(InformationItem).where(InformationItem.dataset_id == dataset_id))
    return {item.name: {"zh": item.title_zh, "en": item.title_en} for item in items}


def _remember(session: Session, population: str, reference: str, rows: int | None, followed: list[str]) -> None:
    """Practice tables are part of what was shown (PRIVACY.md 4): which attributes follow published shares.

    Made anew, the record names the attributes of all of them.
    """
    known = session.scalar(select(Exposure).where(Exposure.kind == "practice", Exposure.reference == reference))
    if known is None:
        known = Exposure(population=population, kind="practice", reference=reference, rows=rows, at=utc_now())
        session.add(known)
    known.quasi_identifiers = sorted({*(known.quasi_identifiers or ()), *followed})


def _write(target: Path, content: bytes, *, below: Path) -> None:
    """Replace the file in one step, readable by web and launcher; folders below the workspaces' one are made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.parent
    while folder != below:
        folder.chmod(DIRECTORY_MODE)
        folder = folder.parent
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
    try:
        with open(unfinished, "xb") as file:
            os.fchmod(file.fileno(), FILE_MODE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
