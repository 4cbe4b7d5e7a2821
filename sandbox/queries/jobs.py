"""The durable job that computes and publishes a cube. Each step may run again after a crash and makes the same cube.

The true figures exist in the worker's memory only, while it counts; what is stored is noisy and has its hidden figures
left out already. The ledger entry, the exposure and the state that opens the door are one transaction, the entry first.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.catalog import grades as catalog_grades
from opendata.catalog.models import Dataset, Edition, EditionState
from opendata.db import utc_now
from opendata.errors import JobCancelled, JobFailed, safe_sentence
from opendata.jobs.context import JobContext
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.publishing.models import Exposure, Intake
from sandbox.queries import rules, tables
from sandbox.queries.counting import count
from sandbox.queries.design import Design, shown_error, sparse, to_drop
from sandbox.queries.errors import TablesConflict, TablesTooSparse
from sandbox.queries.models import FixedCube, FixedTable
from sandbox.queries.noise import secret_for
from sandbox.queries.registration import Registration
from sandbox.queries.rules import Earlier
from sandbox.queries.states import CubeState, can_become

EXPOSURE: Final = "query"
CANCELLED: Final = "任务已取消 · the job was cancelled"


def compute(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.tables``: count, add noise, hide, publish; or say why there is no cube."""
    cube_id = arguments["cube_id"]
    try:
        context.step("count", lambda each: _count(context, each), cube_id)
        context.step("publish", lambda each: _publish(context, each), cube_id)
    except JobCancelled:
        _end(context, cube_id, CubeState.CANCELLED, CANCELLED)
        raise
    except Exception as error:
        sentence = str(error) if isinstance(error, JobFailed) else safe_sentence(error)
        context.step("fail", lambda each: _end(context, each, CubeState.FAILED, sentence), cube_id)
        raise


def too_sparse(registration: Registration, design: Design, persons: float) -> TablesTooSparse:
    """The refusal of a design whose error is larger than its figures: what to drop."""
    found = sparse(registration, design, persons)
    assert found is not None
    figure, error = (f"{shown_error(each):g}" for each in found)
    drop = to_drop(registration, design, persons)
    zh = f"去掉维度 {drop}，或减少类别" if drop else "去掉一个以上的维度，或合并类别"
    en = f"drop the dimension {drop}, or have fewer categories" if drop else "drop more than one dimension, or merge"
    return TablesTooSparse(
        f"口径过细：最大的表平均每格约 {figure}，预期误差为 ±{error}；请{zh} · "
        f"too sparse: the largest table would show about {figure} a cell with an error of ±{error}; {en}"
    )


def _count(context: JobContext, cube_id: str) -> None:
    with context.database.session() as session:
        cube = session.get_one(FixedCube, cube_id)
        intake = session.get_one(Intake, cube.intake_id)
        if cube.state != CubeState.COMPUTING:
            return
        registration = Registration.from_json(cube.registration)
        dataset_id, intake_id, number, records = cube.dataset_id, intake.id, cube.number, int(intake.rows or 0)
    key = context.keys.intake_key(intake_id, create=False)
    counted = count(
        registration,
        lambda: context.vault.read_table(intake_id),
        secret=secret_for(key, dataset=dataset_id, use="contribution"),
        records=records,
        progress=lambda share: context.progress("count", 0.8 * share),
    )
    design = Design.of(registration, number)
    noisy = tables.with_noise(counted, registration, design, key, dataset_id)
    if sparse(registration, design, noisy.total) is not None:
        raise too_sparse(registration, design, noisy.total)
    context.progress("hide", 0.85)
    shown = tables.published(noisy, registration, design)
    with context.database.begin() as session:
        session.execute(delete(FixedTable).where(FixedTable.cube_id == cube_id))
        for table, content in shown.items():
            names = json.dumps([registration.names[place] for place in table], ensure_ascii=False)
            session.add(FixedTable(cube_id=cube_id, dimensions=names, content=tables.packed(content)))
        session.get_one(FixedCube, cube_id).design = design.to_json(registration)


def _publish(context: JobContext, cube_id: str) -> None:
    now = utc_now()
    with context.database.begin() as session:
        cube = session.get_one(FixedCube, cube_id)
        if cube.state != CubeState.COMPUTING:
            return
        payload = {
            "cube": cube.id,
            "intake": cube.intake_id,
            "registration": Registration.from_json(cube.registration).digest,
            "dimensions": [each["name"] for each in cube.registration["dimensions"]],
            "number": cube.number,
        }
        event = AuditEvent("sandbox:tables:publish", context.actor_id, f"dataset:{cube.dataset_id}", now, payload)
        cube.ledger_index = append(session, event).index  # also locks the ledger: the checks below see all others
        _check_still_allowed(session, context, cube, now)
        session.add(
            Exposure(
                population=cube.dataset_id,
                kind=EXPOSURE,
                reference=cube.id,
                quasi_identifiers=_variables(cube),
                at=now,
            )
        )
        cube.state, cube.published_at, cube.error = CubeState.PUBLISHED, now, ""


def _variables(cube: FixedCube) -> list[str]:
    """By what it counts: its dimensions, and the raw columns they are made of, after which an output may be grouped."""
    dimensions = cube.registration["dimensions"]
    return list(dict.fromkeys([*(each["name"] for each in dimensions), *(each["column"] for each in dimensions)]))


def _check_still_allowed(session: Session, context: JobContext, cube: FixedCube, now: datetime) -> None:
    """What was true when it was asked for: the level opens the door, the edition is out, there is no other set."""
    dataset, edition = session.get_one(Dataset, cube.dataset_id), session.get_one(Edition, cube.edition_id)
    level = DataLevel(dataset.level) if dataset.level else None
    allowed = catalog_grades.load(context.settings).fixed_tables(level, negative_list=dataset.negative_list)
    if not allowed or edition.state not in (EditionState.PUBLISHED, EditionState.SUPERSEDED):
        raise TablesConflict("级别已改变或版本已下架 · the level has changed, or the edition was taken down")
    others = session.scalars(
        select(FixedCube).where(
            FixedCube.dataset_id == cube.dataset_id, FixedCube.id != cube.id, FixedCube.state == CubeState.PUBLISHED
        )
    )
    known = [
        Earlier(each.intake_id, each.state, each.published_at, int(each.registration["renew_days"])) for each in others
    ]
    rules.check_can_compute(cube.intake_id, int(cube.registration["renew_days"]), known, now=now)


def _end(context: JobContext, cube_id: str, state: CubeState, sentence: str) -> None:
    """Nothing of it was shown, and nothing stays of it."""
    with context.database.begin() as session:
        cube = session.get_one(FixedCube, cube_id)
        if can_become(cube.state, state):
            session.execute(delete(FixedTable).where(FixedTable.cube_id == cube_id))
            cube.state, cube.error = state, sentence
