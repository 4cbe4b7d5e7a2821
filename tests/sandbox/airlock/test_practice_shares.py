"""The published shares that practice data follow, less an output: the aggregates behind practice data are exposures.

A practice column hints at shares that were published exactly (an edition of groups) or with noise (fixed tables).
Whoever takes a true count from them learns the persons in between, or the noise. So an output is compared with both,
and practice data follow nothing that no output would be compared with.
"""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import delete, select

from opendata.catalog.models import Dataset, Edition
from opendata.jobs import enqueue
from opendata.publishing.models import Exposure, PolicyVersion
from sandbox.queries import models
from sandbox.workspaces.datasets import practice_path
from sandbox.workspaces.models import Workspace
from tests.sandbox.airlock.test_differencing import counts, expose, findings
from tests.sandbox.queries.conftest import Tables
from tests.sandbox.queries.cubes import POLICY as CUBE_POLICY
from tests.sandbox.queries.cubes import ROWS, persons_table
from tests.sandbox.sandbox_world import World, code
from tests.sandbox.workspaces.test_practice_cube import opened

assert models  # its tables are made with the world's
AGGREGATE = "aggregate: {by: [sex], measures: {n: {count: '*'}}, threshold: 10, rounding: 5}\n"


def prepare(world: World, workspace: str) -> dict[str, Counter]:
    """The practice columns, made anew."""
    with world.database.begin() as session:
        enqueue(session, "sandbox.prepare", {"workspace_id": workspace}, actor_id=None)
    world.work()
    with world.database.session() as session:
        found = session.get_one(Workspace, workspace)
        name = session.scalars(select(Dataset.name)).one()
        table = pq.read_table(practice_path(world.settings, found.id, name))
    return {column: Counter(table[column].to_pylist()) for column in table.column_names}


def followed(world: World) -> list[str]:
    """The columns that practice data are remembered to follow."""
    with world.database.session() as session:
        return list(session.scalars(select(Exposure.quasi_identifiers).where(Exposure.kind == "practice")).one())


def forget(world: World, kind: str) -> None:
    with world.database.begin() as session:
        session.execute(delete(Exposure).where(Exposure.kind == kind))


@pytest.fixture
def over_an_edition(world: World) -> str:
    """A workspace whose practice data follow a published edition: 2,700 women, 300 men."""
    workspace = world.workspace("L1")
    cells = pa.table({"sex": ["女", "男"], "n": [2700, 300]})
    edition = expose(world, "aggregate", cells, "sex,n\n女,2700\n男,300\n")
    with world.database.begin() as session:
        found = session.get_one(Edition, edition)
        found.opening_class = "unconditional"
        version = session.get_one(PolicyVersion, found.policy_version_id)
        version.yaml = version.yaml.replace("limits:", AGGREGATE + "limits:")
    return workspace


def test_published_share_less_an_output_is_found(world: World, over_an_edition):
    """The share says 300 of 3,000; an output of 295 men gives a few away."""
    shown = prepare(world, over_an_edition)["sex"]
    assert shown["女"] / shown.total() > 0.75, "the column hints at the share, the edition states it"
    assert followed(world) == ["sex"]
    assert findings(world, world.submit(over_an_edition, counts(2700, 300))) == []
    attack = world.submit(over_an_edition, counts(2700, 295))
    told = {finding["other"].split()[0] for finding in findings(world, attack) if finding["rule"] == "differencing"}
    assert "edition" in told


def test_without_an_exposure_the_attack_is_not_seen_and_practice_data_do_not_help(world: World, over_an_edition):
    """The control: nothing compares with figures that are not remembered, so practice data must not follow them."""
    forget(world, "edition")
    assert findings(world, world.submit(over_an_edition, counts(2700, 295))) == []
    forget(world, "practice")
    shown = prepare(world, over_an_edition)["sex"]
    assert shown["女"] / shown.total() < 0.65
    assert followed(world) == []


YAML = CUBE_POLICY.replace("      kind: {codes", "      branch: {from: kind, codes")


@pytest.fixture
def over_a_cube(world: World) -> str:
    """A workspace over fixed tables whose dimension ``branch`` counts the raw column ``kind``."""
    return opened(world, yaml=YAML)


def _counted(by: str) -> bytes:
    """True counts of a raw column, as an output: rounded to five."""
    true = Counter(persons_table()["kind"].to_pylist())
    rows = "".join(f"{label},{round(n / 5) * 5}\n" for label, n in sorted(true.items()) if label != "=a")
    return code({"t.csv": f"{by},n\n{rows}"}, {"t.csv": f"{by},n\nb,300\nc,200\n"})


@pytest.mark.parametrize("by", ["branch", "kind"])
def test_true_counts_beside_a_noisy_share_are_told_under_either_name(world: World, over_a_cube, by):
    shown = {row[0]: row[1] for row in Tables(world).ask("visits", "branch").rows}
    assert "kind" in followed(world)
    true = Counter(persons_table()["kind"].to_pylist())
    assert sum(true.values()) == ROWS
    assert any(shown[label] != true[label] for label in shown), "the attack: the difference is the noise"
    told = findings(world, world.submit(over_a_cube, _counted(by)))
    assert [(finding["rule"], finding["other"].split()[0]) for finding in told] == [("beside_noise", "query")]
    forget(world, "query")
    assert findings(world, world.submit(over_a_cube, _counted(by))) == []
    forget(world, "practice")
    prepare(world, over_a_cube)
    assert followed(world) == []
