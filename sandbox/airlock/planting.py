"""Planting seeded cases, which are made up, in checkers' queues.

Source: PRIVACY.md 21. A case is planted when a real one comes in, for a checker who was not drawn for that one: it
looks like any arrival, and no request waits for it. Before the vote nobody can tell it from a real one, ledger
included: it is recorded as a draw, its score beside the vote.
"""

from __future__ import annotations

from datetime import datetime
from random import Random, SystemRandom

import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog import workdays
from opendata.catalog.models import Dataset
from opendata.db import new_id
from opendata.identity import Role, User
from opendata.jobs.context import JobContext
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.publishing.models import Exposure
from sandbox.airlock.limits import AirlockLimits, default_limits
from sandbox.airlock.models import Assignment, SeededCase
from sandbox.airlock.package import package_name
from sandbox.airlock.seeding import make_seed, material_of
from sandbox.airlock.sources import direct_of, limits_of, load_grades, sources_of
from sandbox.airlock.states import RequestState
from sandbox.workspaces import lookups
from sandbox.workspaces.datasets import practice_path
from sandbox.workspaces.models import Workspace, WorkspaceDataset


def plant(context: JobContext, request_id: str, *, now: datetime, rng: Random | None = None) -> int:
    """After a request came in: for each of its checkers, sometimes a seeded case for another one. How many."""
    limits, rng = default_limits(), rng or SystemRandom()
    with context.database.session() as session:
        drawn = set(session.scalars(select(Assignment.checker_id).where(Assignment.subject_id == request_id)))
        free = _free(session, drawn, limits)
    planted = 0
    for _ in drawn:
        if free and rng.randrange(limits.seed_one_in) == 0:
            checker = free.pop(rng.randrange(len(free)))
            planted += _plant_one(context, checker, now, rng)
    return planted


def _free(session: Session, drawn: set[str], limits: AirlockLimits) -> list[str]:
    """Checkers who may get one: of a pool that is large enough, not drawn just now, none open already."""
    pool = [user.id for user in session.scalars(select(User).where(User.active)) if Role.OUTPUT_CHECKER in user.roles]
    if len(pool) < limits.seed_pool_minimum:
        return []
    busy = set(session.scalars(select(SeededCase.checker_id).where(SeededCase.hit.is_(None))))
    return sorted(set(pool) - drawn - busy)


def _plant_one(context: JobContext, checker_id: str, now: datetime, rng: Random) -> bool:
    with context.database.session() as session:
        chosen = _any_dataset(session, rng)
        if chosen is None:
            return False
        row, workspace = chosen
        dataset = session.get_one(Dataset, row.dataset_id)
        sources = [source for source in sources_of(session, workspace) if source.dataset_id == row.dataset_id]
        limits = limits_of(context, session, workspace, sources)
        door = lookups.door(dataset, load_grades(context))
        dataset_id, title, level = dataset.id, dataset.title_zh, door.level
        released = select(Exposure.quasi_identifiers).where(
            Exposure.population == dataset_id, Exposure.kind == "release"
        )
        # Beside a real release by the same group, figures of practice data would give themselves away.
        avoided = frozenset(name.casefold() for names in session.scalars(released) for name in names)
    table = pq.read_table(practice_path(context.settings, row.workspace_id, row.name))
    direct = direct_of(sources)
    material = material_of(row.name, table, avoided=direct | avoided, threshold=limits.threshold)
    seed = material and make_seed(material, title=title, good=rng.random() < 0.5, direct=direct, limits=limits, rng=rng)
    if not seed:
        return False
    identifier = new_id()
    context.vault.put_object(package_name(identifier), seed.package.to_stream())
    with context.database.begin() as session:
        payload = {"checker": checker_id}
        append(session, AuditEvent("airlock:checker:draw", None, f"release:{identifier}", now, payload))
        session.add(
            SeededCase(
                id=identifier,
                checker_id=checker_id,
                dataset_id=dataset_id,
                template=seed.template,
                good=seed.good,
                state=RequestState.IN_REVIEW,
                level=level,
                checkers_needed=door.checkers,
                title=seed.title,
                purpose=seed.purpose,
                entry=seed.package.entry,
                created_at=now,
                due_at=workdays.load(context.settings).due(now),
            )
        )
    return True


def _any_dataset(session: Session, rng: Random) -> tuple[WorkspaceDataset, Workspace] | None:
    rows = session.scalars(select(WorkspaceDataset).where(WorkspaceDataset.kind == "practice")).all()
    if not rows:
        return None
    row = rng.choice(list(rows))
    return row, session.get_one(Workspace, row.workspace_id)
