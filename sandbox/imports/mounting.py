"""From approved to mounted: compared with earlier versions, counted against the raw tables, put where runs find it.

The order is fixed. The comparison may refuse, and rests on the researcher's own data alone. The counts against raw
data are made and sealed away whatever they are: nothing about mounting depends on them (PRIVACY.md 14, 25). Mounting
shows nothing of a population, so it leaves no Exposure; what is released of a join does, with the import's variables.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel, Role
from opendata.catalog import grades
from opendata.db import utc_now
from opendata.errors import NotFoundError
from opendata.jobs.context import JobContext
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.imports import door, lookups, rules, steps
from sandbox.imports.groups import difference, fingerprints
from sandbox.imports.limits import default_rules
from sandbox.imports.matching import count_matches
from sandbox.imports.models import Import
from sandbox.imports.states import ImportState
from sandbox.imports.targets import Target, targets_of
from sandbox.workspaces import rules as workspace_rules
from sandbox.workspaces.errors import WorkspaceError
from sandbox.workspaces.imports import JoinCounts, counts_object
from sandbox.workspaces.kin import kin
from sandbox.workspaces.models import Workspace, WorkspaceImport
from sandbox.workspaces.runs import parquet_bytes

FINGERPRINT_KEY: Final = "import-fingerprints"
"""Of the key that only the worker holds; fingerprints of every version are made with it."""


def compare(context: JobContext, import_id: str) -> str:
    """Empty when the version may stand beside all earlier ones; else why it may not. Keeps its fingerprints.

    Compared is with every version with person keys that was ever mounted in a workspace that shares a member or an
    organisation with this one (PRIVACY.md 17: they count as one), whatever its name.
    """
    limits = default_rules().limits
    with context.database.session() as session:
        found = session.get_one(Import, import_id)
        if ImportState(found.state) is not ImportState.APPROVED or not found.person_keys:
            return ""
        keys = list(found.person_keys)
        earlier = [
            (each.id, each.name, each.number)
            for each in _imports_of_kin(session, found)
            if each.id != import_id and each.person_keys and each.mounted_at is not None
        ]
    with context.vault.read_table(import_id) as reader:
        new = fingerprints(reader.read_all(), keys, context.keys.object_key(FINGERPRINT_KEY))
    for other, name, number in earlier:
        try:
            with context.vault.open_object(fingerprints_object(other)) as stream:
                old = pq.read_table(io.BytesIO(stream.read()))
        except NotFoundError:
            continue
        if difference(new, old, limits).singles_out(limits.threshold):
            return (
                f"与 {name} 第 {number} 版只相差不到 {limits.threshold} 人：先后两次关联会把他们区分出来，不能使用 · "
                f"it differs from version {number} of {name} in fewer than {limits.threshold} persons: two joins would "
                "single them out"
            )
    context.vault.put_object(fingerprints_object(import_id), io.BytesIO(parquet_bytes(new)))
    return ""


def refuse(context: JobContext, import_id: str, sentence: str) -> None:
    """The comparison refused it."""
    now = utc_now()
    with context.database.begin() as session:
        found = session.get_one(Import, import_id)
        if ImportState(found.state) is not ImportState.APPROVED:
            return
        found.error, found.ended_at = sentence, now
        steps.move(found, ImportState.REFUSED)
        of = {"workspace": found.workspace_id}
        append(session, AuditEvent("sandbox:import:refuse", None, f"import:{import_id}", now, of))


def count(context: JobContext, import_id: str) -> None:
    """Count the import's persons in each raw table of the workspace as it is now, and seal the counts away."""
    with context.database.session() as session:
        found = session.get_one(Import, import_id)
        if ImportState(found.state) is not ImportState.APPROVED:
            return
        name, keys = found.name, list(found.person_keys or [])
        targets = targets_of(session, found.workspace_id)
    for target in targets:
        counts(context, import_id, name, keys, target)


def counts(context: JobContext, import_id: str, name: str, keys: Sequence[str], target: Target) -> JoinCounts:
    """The sealed counts of one import against one raw table, made when they are not there yet."""
    stored = counts_object(import_id, target.intake_id)
    try:
        with context.vault.open_object(stored) as stream:
            return JoinCounts.from_json(stream.read())
    except NotFoundError:
        pass
    with context.vault.read_table(import_id) as reader:
        table = reader.read_all()
    with context.vault.read_table(target.intake_id) as raw:
        made = count_matches(
            name=name,
            table=table,
            keys=keys,
            dataset=target.name,
            raw=raw,
            identifiers=[each for each in target.identifiers if each in raw.schema.names],
            limits=default_rules().limits,
        )
    context.vault.put_object(stored, io.BytesIO(json.dumps(made.to_json()).encode()))
    return made


def mount(context: JobContext, import_id: str) -> str:
    """Put it where runs and sessions find it, in place of an earlier version; else why it cannot stand there.

    The joined level is derived once more, and the owners' consents are looked at again: the workspace may have changed
    since the decision.
    """
    now = utc_now()
    matrix = grades.load(context.settings)
    with context.database.begin() as session:
        found = session.get_one(Import, import_id)
        if ImportState(found.state) is not ImportState.APPROVED:
            return ""
        workspace = session.get_one(Workspace, found.workspace_id)
        level, personal = DataLevel(str(found.level)), bool(found.person_keys)
        joined = door.derive_level(session, workspace, level=level, person_keys=personal, without=found.name)
        try:
            workspace_rules.check_live(workspace.state, workspace.expires_at, now)
            door.check_door(workspace, found.name, joined.level, matrix)
            _check_consents(session, found, workspace)
        except WorkspaceError as error:
            return str(error)
        of = {"workspace": workspace.id, "joined_level": joined.level.value, "digest": found.digest}
        append(session, AuditEvent("sandbox:import:mount", None, f"import:{import_id}", now, of))
        _replace(session, found, workspace, now)
        found.joined_level, found.joined_reasons = joined.level.value, joined.to_json()
        found.mounted_at = now
        steps.move(found, ImportState.MOUNTED)
        session.add(_mounted(found, joined.level, now))
    return ""


def fingerprints_object(import_id: str) -> str:
    """Where a version's fingerprints are kept."""
    return f"persons-{import_id}"


def _check_consents(session: Session, found: Import, workspace: Workspace) -> None:
    """A dataset that was added since the decision has an owner who was not asked."""
    if found.person_keys:
        given = {dataset: each.approve for dataset, each in lookups.consents_of(session, found).items()}
        rules.check_consents(lookups.joined_datasets(session, workspace), given)


def _mounted(found: Import, joined: DataLevel, now: datetime) -> WorkspaceImport:
    direct = [each["column"] for each in found.findings if each["role"] == Role.DIRECT_IDENTIFIER]
    return WorkspaceImport(
        id=found.id,
        workspace_id=found.workspace_id,
        name=found.name,
        level=str(found.level),
        joined_level=joined.value,
        person_keys=list(found.person_keys or []),
        direct=sorted({*direct, *(found.person_keys or [])}),
        schema=list(found.schema),
        distinct={each["name"]: int(each["distinct"]) for each in found.profile},
        rows=int(found.rows or 0),
        mounted_at=now,
    )


def _replace(session: Session, found: Import, workspace: Workspace, now: datetime) -> None:
    for other in lookups.versions_of(session, workspace, found.name):
        if other.id != found.id and ImportState(other.state) is ImportState.MOUNTED:
            reason = f"已由第 {found.number} 版替换 · replaced by version {found.number}"
            steps.end(session, other, actor_id=None, now=now, reason=reason)


def _imports_of_kin(session: Session, found: Import) -> list[Import]:
    """All versions in workspaces that count as one with this one."""
    workspace = session.get_one(Workspace, found.workspace_id)
    return list(
        session.scalars(
            select(Import).where(Import.workspace_id.in_(kin(session, workspace))).order_by(Import.created_at)
        )
    )
