"""Practice data tell nothing about who is in the raw table: attacks, controls, and byte-identical tables.

PRIVACY.md 19 and 30: never from raw rows, never by rejecting rows equal to raw; canaries are found nowhere.
"""

from __future__ import annotations

import functools
import io
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from masking.policy.load import load
from opendata.catalog.models import Dataset
from opendata.jobs.models import Job
from opendata.publishing.models import Exposure, Intake
from sandbox.workspaces import datasets
from sandbox.workspaces.datasets import practice_path
from sandbox.workspaces.models import Workspace
from sandbox.workspaces.practice import Marginal, make_practice
from sandbox.workspaces.runs import feed_parquet, parquet_bytes
from tests.promises.canaries import found_in
from tests.sandbox.sandbox_world import POLICY, RAW, Context, World
from tests.sandbox.workspaces.practice_attacks import (
    ATTACKS,
    CODES,
    Outcome,
    attacked,
    following,
    product,
    rejecting,
    resampling,
    resampling_rows,
)

TRIALS, CONTROL_TRIALS = 2000, 160
MARGIN = 0.05
MAKERS = {each.__name__: each for each in (resampling, resampling_rows, rejecting, following)}


@functools.cache
def outcomes(maker: str) -> dict[str, Outcome]:
    trials = 2 * CONTROL_TRIALS if maker == "following" else CONTROL_TRIALS
    return {each.attack: each for each in attacked(MAKERS[maker], trials)}


def test_no_attack_beats_the_base_rate_by_five_points(record_property: pytest.RecordProperty) -> None:
    found = attacked(product, TRIALS)
    print(*found, sep="\n")
    for each in found:
        record_property(each.attack, str(each))
        assert each.trials == TRIALS // 2
        assert each.rate <= 0.5 + MARGIN, str(each)
    assert len(found) == len(ATTACKS)


@pytest.mark.parametrize(
    ("maker", "attack"),
    [
        ("resampling", "exact values"),
        ("resampling_rows", "exact rows"),
        ("resampling_rows", "nearest neighbour"),
        ("rejecting", "hole"),
        ("rejecting", "nearest neighbour"),
        ("following", "marginal likelihood"),
    ],
)
def test_bad_makers_are_caught_by_the_same_attacks(maker: str, attack: str) -> None:
    """Positive controls: without them the test above could not fail."""
    found = outcomes(maker)[attack]
    print(found)
    assert found.rate > 0.5 + MARGIN, str(found)


@pytest.mark.parametrize(("maker", "least"), [("resampling", 0.95), ("resampling_rows", 0.65), ("rejecting", 0.65)])
def test_the_best_attack_on_a_bad_maker_is_nearly_always_right(maker: str, least: float) -> None:
    assert max(each.rate for each in outcomes(maker).values()) >= least


def test_expected_rows_equal_to_raw_ones_are_there() -> None:
    """No holes: of all combinations of attributes, those that the raw table has are as frequent as the others."""
    raw = pl.DataFrame({name: [codes[0]] * 40 for name, codes in CODES.items()}).with_columns(id=pl.lit("x"), cost=1.5)
    made = pl.concat([product(raw.select("id", *CODES, "cost"), str(seed)) for seed in range(20)])
    equal = made.filter(pl.all_horizontal(pl.col(name).eq(codes[0]) for name, codes in CODES.items())).height
    expected = made.height / 40
    assert abs(equal - expected) < 5 * expected**0.5


ROWS = st.lists(
    st.tuples(
        st.text(max_size=20),
        st.none() | st.sampled_from(["男", "女", "未知"]),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.integers(-(2**63), 2**63 - 1),
    ),
    max_size=20,
)


@given(one=ROWS, two=ROWS)
@settings(max_examples=12, deadline=None)
def test_tables_that_differ_in_anything_give_the_same_bytes(one: list[tuple], two: list[tuple]) -> None:
    """All that the maker gets of a raw table is what its intake keeps of the columns: names and types."""
    policy = load(POLICY.format(name="d"))
    made = []
    for rows in (one, two):
        raw = pa.table(
            [pa.array([row[i] for row in rows], field.type) for i, field in enumerate(RAW.schema)], RAW.schema
        )
        schema = [(field.name, str(field.type)) for field in raw.schema]
        made.append(parquet_bytes(make_practice(policy, schema, seed="w")))
    assert made[0] == made[1]


def test_the_prepared_file_is_the_same_whatever_is_in_the_vault(world: World) -> None:
    """The whole way, with the vault, the intake's profile and rows: other persons, other numbers, planted canaries."""
    workspace = world.workspace("L4")
    first = prepared(world, workspace)
    canaries = ["金丝雀甲乙丙", "canary-7f3a9c", "P99999"]
    other = RAW.slice(0, 17).set_column(0, "patient", pa.array([f"{canaries[i % 3]}-{i}" for i in range(17)]))
    other = other.set_column(3, "visits", pa.array([77_123_456] * 17))
    with world.database.begin() as session:
        intake = session.scalars(select(Intake)).one()
        intake.rows, intake.profile = 17, [{"name": name, "distinct": 1} for name in other.schema.names]
        world.vault.write_table(intake.id, other.to_reader())
    again(world, workspace)
    assert prepared(world, workspace) == first
    table = pq.read_table(io.BytesIO(first))
    assert 77_123_456 not in table["visits"].to_pylist()
    assert found_in([world.settings.workspaces_dir], canaries) == []
    (world.settings.workspaces_dir / "leak").write_text(canaries[0])
    assert found_in([world.settings.workspaces_dir], canaries), "positive control"


def test_the_prepared_file_has_the_schema_of_the_sealed_stream(world: World) -> None:
    """Names, types and nullability after Parquet, for types that only files of that kind hold."""
    odd = pa.table(
        {
            "patient": pa.array(["a", None], pa.large_string()),
            "sex": pa.array(["男", "女"]).dictionary_encode(),
            "age": pa.array([1, 2], pa.int8()),
            "visits": pa.array([1, 2], pa.decimal128(9, 2)),
            "at": pa.array([0, 1], pa.timestamp("ms", tz="Asia/Shanghai")),
            "born": pa.array([date(1950, 1, 1), None], pa.date32()),
            "tags": pa.array([["x"], []], pa.list_(pa.string())),
        }
    )
    workspace = world.workspace("L4")
    with world.database.begin() as session:
        intake = session.scalars(select(Intake)).one()
        intake.schema = [{"name": field.name, "type": str(field.type)} for field in odd.schema]
        world.vault.write_table(intake.id, odd.to_reader())
        identifier = intake.id
    again(world, workspace)
    sealed = io.BytesIO()
    feed_parquet(lambda: world.vault.read_table(identifier))(sealed)
    raw = pq.read_schema(io.BytesIO(sealed.getvalue()))
    assert pq.read_schema(io.BytesIO(prepared(world, workspace))).equals(raw, check_metadata=False)
    assert raw.field("sex").type == odd.schema.field("sex").type


def test_a_practice_table_is_an_exposure_with_what_it_follows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = world.workspace("L4")

    def remembered() -> list[tuple[str, list[str], int | None]]:
        with world.database.session() as session:
            population = session.scalars(select(Dataset.id)).one()
            rows = session.scalars(select(Exposure).where(Exposure.population == population))
            return [(row.kind, row.quasi_identifiers, row.rows) for row in rows]

    assert remembered() == [("practice", [], 1000)]
    shares = {"sex": Marginal({"男": 0.9, "女": 0.1})}
    monkeypatch.setattr(datasets, "published_marginals", lambda *_, **__: shares)
    again(world, workspace)
    assert remembered() == [("practice", ["sex"], 1000)]
    table = pq.read_table(io.BytesIO(prepared(world, workspace)))
    assert 0.8 < table["sex"].to_pylist().count("男") / 1000 < 0.98  # of some hundred persons
    monkeypatch.undo()
    again(world, workspace)
    assert remembered() == [("practice", ["sex"], 1000)], "what was shown once stays shown"


def test_tables_of_one_workspace_share_a_population(world: World) -> None:
    workspace = world.workspace("L1")
    with world.database.session() as session:
        assert session.get_one(Workspace, workspace).name == "study"
    policy = load(POLICY.format(name="study-data"))
    schema = [(field.name, str(field.type)) for field in RAW.schema]
    assert prepared(world, workspace) == parquet_bytes(make_practice(policy, schema, seed=workspace))


def prepared(world: World, workspace: str) -> bytes:
    return Path(practice_path(world.settings, workspace, "study-data")).read_bytes()


def again(world: World, workspace: str) -> None:
    """Prepare the workspace's data once more."""
    with world.database.session() as session:
        job = session.scalars(select(Job).where(Job.kind == "sandbox.prepare")).first()
        assert job is not None
    datasets.prepare(Context(world, job), {"workspace_id": workspace})
