"""Practice data follow the published fixed tables of their dataset, as long as these may be asked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from opendata.catalog.models import Dataset
from opendata.jobs.models import Job
from opendata.publishing.models import Exposure, Intake
from sandbox.parts import preparing
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.datasets import practice_path
from sandbox.workspaces.models import Workspace
from tests.sandbox.queries.conftest import Tables
from tests.sandbox.queries.cubes import persons_table
from tests.sandbox.sandbox_world import Context, World


@pytest.fixture
def followed(world: World) -> dict[str, Counter]:
    """The practice columns of a workspace over a dataset with a published cube."""
    return columns(world, opened(world))


def test_columns_have_the_published_shares(world: World, followed: dict[str, Counter]) -> None:
    shown = {row[0]: row[1] for row in Tables(world).ask("visits", "kind").rows}
    total = sum(shown.values())
    assert max(abs(followed["kind"][code] / 1000 - count / total) for code, count in shown.items()) < 0.05
    ages = np.array(list(followed["age"].elements()))
    shown = {row[0]: row[1] for row in Tables(world).ask("visits", "age").rows}
    below = shown["0..30"] / sum(shown.values())
    assert abs(float((ages < 30).mean()) - below) < 0.05
    with world.database.session() as session:
        found = session.scalar(select(Exposure.quasi_identifiers).where(Exposure.kind == "practice"))
    assert found == ["age", "kind", "sex"]


def test_another_raw_table_with_the_same_published_figures_changes_no_byte(world: World) -> None:
    workspace = opened(world)
    path = practice_path(world.settings, workspace, "visits")
    first = Path(path).read_bytes()
    with world.database.session() as session:
        identifier = session.scalars(select(Intake.id)).one()
    world.vault.write_table(identifier, persons_table(500, seed=7).to_reader())
    prepare(world, workspace)
    assert Path(path).read_bytes() == first


def test_a_raised_level_ends_it(world: World) -> None:
    workspace = opened(world)
    before = columns(world, workspace)["kind"]
    with world.database.begin() as session:
        session.scalars(select(Dataset)).one().level = "L3"
    prepare(world, workspace)
    assert before["=a"] > 430
    assert columns(world, workspace)["kind"]["=a"] < 400


def opened(world: World, **given: str) -> str:
    """A workspace over a dataset whose fixed tables are published."""
    name = Tables(world).ready("visits", "L1", **given)
    with world.database.begin() as session:
        made = workspaces.apply(
            session, actor=world.actor("researcher"), name="study", title="研究", purpose="研究就诊次数与年龄的关系",
            datasets=[name], term_days=30, **world.signature("researcher"), grades=world.grades,
            calendar=world.calendar,
        )  # fmt: skip
        identifier = made.id
    world.approve(identifier)
    return identifier


def prepare(world: World, workspace: str) -> None:
    with world.database.session() as session:
        assert session.get_one(Workspace, workspace)
        job = session.scalars(select(Job).where(Job.kind == "sandbox.prepare")).first()
        assert job is not None
    preparing.prepare(Context(world, job), {"workspace_id": workspace})


def columns(world: World, workspace: str) -> dict[str, Counter]:
    table = pq.read_table(practice_path(world.settings, workspace, "visits"))
    return {name: Counter(table[name].to_pylist()) for name in table.column_names}
