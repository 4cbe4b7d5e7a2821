"""The scan of an upload in the worker: what it is, whether it can be read, what is personal in it.

Nothing is executed and nothing of a cell is kept or said: the result is numbers about columns, or one sentence that
names a column or a line.
"""

from __future__ import annotations

import hashlib
from typing import Any

from masking.detection import ColumnFinding, detect_columns, propose_level
from opendata.db import utc_now
from opendata.jobs.context import JobContext
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.publishing import profile as profiling
from sandbox.imports import sniffing, steps
from sandbox.imports.errors import ImportInvalid
from sandbox.imports.groups import near_groups
from sandbox.imports.keys import key_candidates
from sandbox.imports.limits import default_rules
from sandbox.imports.models import Import
from sandbox.imports.states import ImportState
from sandbox.imports.tables import open_import
from sandbox.imports.targets import targets_of


def begin(context: JobContext, import_id: str) -> bool:
    """Whether the scan is still wanted; its state says so from here on."""
    with context.database.begin() as session:
        found = session.get_one(Import, import_id)
        if ImportState(found.state) is ImportState.UPLOADED:
            steps.move(found, ImportState.SCANNING)
        return ImportState(found.state) is ImportState.SCANNING


def read(context: JobContext, import_id: str) -> str:
    """Type the upload into the vault under the import's own key; empty when it could be read, else why not."""
    limits = default_rules().limits
    with context.database.session() as session:
        filename = session.get_one(Import, import_id).filename
    digest = hashlib.sha256()
    with context.vault.open(import_id) as upload:
        while chunk := upload.read(1 << 20):
            digest.update(chunk)
    try:
        with open_import(filename, lambda: context.vault.open(import_id), limits) as reader:
            schema = profiling.stored_schema(reader.schema)
            rows = context.vault.write_table(import_id, reader)
    except ImportInvalid as error:
        return str(error)
    with context.database.begin() as session:
        row = session.get_one(Import, import_id)
        row.rows, row.schema, row.digest = rows, schema, digest.hexdigest()
        row.format = sniffing.format_of(filename)
    return ""


def describe(context: JobContext, import_id: str) -> None:
    """Profile, findings, proposed level, candidates for person keys, groups that differ in few."""
    limits = default_rules().limits
    with context.database.session() as session:
        row = session.get_one(Import, import_id)
        types, rows = {column["name"]: column["type"] for column in row.schema}, int(row.rows or 0)
        named = {name for target in targets_of(session, row.workspace_id) for name in target.identifiers}
    with context.vault.read_table(import_id) as reader:
        found = detect_columns(reader)
    with context.vault.read_table(import_id) as reader:
        near = near_groups(reader.read_all(), limits)
    profile = [_column(each, types[each.column], rows) for each in found]
    findings = [_finding(each) for each in found]
    level, _, _ = propose_level(found)
    candidates = key_candidates(profile, findings, identifiers=named, limits=limits)
    with context.database.begin() as session:
        row = session.get_one(Import, import_id)
        row.profile, row.findings, row.proposed_level = profile, findings, str(level)
        row.key_candidates, row.near_groups = [each.to_json() for each in candidates], near


def accept(context: JobContext, import_id: str) -> None:
    """The scan passed: the uploader is asked what the import is; the upload it came from is no longer needed."""
    now = utc_now()
    with context.database.begin() as session:
        row = session.get_one(Import, import_id)
        if ImportState(row.state) is ImportState.SCANNING:
            payload = {
                "workspace": row.workspace_id,
                "rows": row.rows,
                "columns": len(row.schema),
                "level": row.proposed_level,
                "candidates": len(row.key_candidates),
                "digest": row.digest,
            }
            append(session, AuditEvent("sandbox:import:scan", None, f"import:{import_id}", now, payload))
            steps.move(row, ImportState.DECLARING)
    context.vault.discard_upload(import_id)


def reject(context: JobContext, import_id: str, sentence: str) -> None:
    """The scan refused it: the reason is kept, everything else is destroyed."""
    now = utc_now()
    with context.database.begin() as session:
        row = session.get_one(Import, import_id)
        if ImportState(row.state) is ImportState.UPLOADED:
            steps.move(row, ImportState.SCANNING)
        if ImportState(row.state) is not ImportState.SCANNING:
            return
        row.error, row.ended_at = sentence, now
        steps.move(row, ImportState.REJECTED)
        of = {"workspace": row.workspace_id}
        append(session, AuditEvent("sandbox:import:reject", None, f"import:{import_id}", now, of))


def _column(found: ColumnFinding, type_: str, rows: int) -> dict[str, Any]:
    return {
        "name": found.column,
        "type": type_,
        "count": rows,
        "nulls": rows - found.checked,
        "distinct": found.distinct,
    }


def _finding(found: ColumnFinding) -> dict[str, Any]:
    return {
        "column": found.column,
        "type": found.type,
        "role": str(found.role),
        "level": str(found.level),
        "reason": dict(found.reason),
        "clause": found.clause,
    }
