"""Applications, level gate, members, practice data."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from masking.policy.load import load
from opendata.db import utc_now
from opendata.publishing.models import Exposure
from sandbox.workspaces import service
from sandbox.workspaces.datasets import practice_path
from sandbox.workspaces.errors import WorkspaceDenied, WorkspaceInvalid, WorkspaceNotFound
from sandbox.workspaces.models import Workspace
from sandbox.workspaces.practice import make_practice
from tests.sandbox.sandbox_world import POLICY, RAW, World, code

SCHEMA = [(field.name, str(field.type)) for field in RAW.schema]


def test_practice_data_has_the_raw_schema_and_no_raw_value(world: World):
    workspace = world.workspace("L4")
    table = pq.read_table(practice_path(world.settings, workspace, "study-data"))
    assert [(f.name, f.type) for f in table.schema] == [(f.name, f.type) for f in RAW.schema]
    assert table.num_rows == 1000
    assert set(table["sex"].to_pylist()) <= {"男", "女"}
    assert not set(table["patient"].to_pylist()) & set(RAW["patient"].to_pylist())
    with world.database.session() as session:
        from sqlalchemy import select

        assert session.scalar(select(Exposure.kind)) == "practice"


def test_practice_data_follows_from_policy_and_schema_alone():
    policy = load(POLICY.format(name="d"))
    one, two = make_practice(policy, SCHEMA, seed="s"), make_practice(policy, SCHEMA, seed="s")
    assert one.equals(two)
    assert not one.equals(make_practice(policy, SCHEMA, seed="t"))


@pytest.mark.parametrize("type_", ["int64", "int32", "double", "string", "bool", "date32[day]", "timestamp[us]"])
def test_practice_data_fills_every_type(type_):
    policy = load(POLICY.format(name="d"))
    table = make_practice(policy, [*SCHEMA, ("extra", type_)], seed="s")
    assert table["extra"].null_count == 0
    assert table.num_rows == 1000


def test_practice_identifiers_are_not_valid_ones():
    from masking.detection import Detector

    text = POLICY.format(name="d").replace(
        "  sex:", "  id_card: {role: direct_identifier, technique: suppression.drop}\n  sex:"
    )
    table = make_practice(load(text), [("id_card", "string")], seed="s")
    assert isinstance(table["id_card"], pa.ChunkedArray)
    assert not any(Detector().find_many(table["id_card"].to_pylist()))


@pytest.mark.parametrize("level", ["important", "core"])
def test_closed_levels_admit_no_workspace(world: World, level: str):
    with pytest.raises(WorkspaceDenied):
        world.workspace(level)


def test_application_errors(world: World):
    name = world.dataset("d1", "L1")
    common = {
        "title": "研究",
        "purpose": "研究就诊次数与年龄的关系",
        "term_days": 30,
        **world.signature("researcher"),
        "grades": world.grades,
        "calendar": world.calendar,
    }
    with world.database.begin() as session:
        with pytest.raises(WorkspaceDenied):
            service.apply(session, actor=world.actor("officer"), name="w1", datasets=[name], **common)
        with pytest.raises(WorkspaceInvalid):
            service.apply(session, actor=world.actor("researcher"), name="w1", datasets=["none"], **common)
        service.apply(session, actor=world.actor("researcher"), name="w1", datasets=[name], **common)
        with pytest.raises(WorkspaceInvalid):
            service.apply(session, actor=world.actor("outsider"), name="w1", datasets=[name], **common)


def test_strangers_see_no_workspace_and_removed_members_lose_it(world: World):
    identifier = world.workspace()
    with world.database.begin() as session:
        workspace = session.get_one(Workspace, identifier)
        with pytest.raises(WorkspaceNotFound):
            service.get_workspace(session, identifier, actor=world.actor("outsider"))
        service.add_member(session, workspace, actor=world.actor("researcher"), username="colleague")
        assert service.get_workspace(session, "study", actor=world.actor("colleague")).id == identifier
        service.remove_member(session, workspace, actor=world.actor("researcher"), username="colleague")
        with pytest.raises(WorkspaceNotFound):
            service.get_workspace(session, identifier, actor=world.actor("colleague"))
        with pytest.raises(WorkspaceDenied):
            service.remove_member(session, workspace, actor=world.actor("researcher"), username="researcher")


def test_queued_job_of_an_expired_workspace_never_meets_raw_data(world: World):
    identifier = world.workspace("L2")
    job_id = world.submit(identifier, code({}))
    assert world.job(job_id).state == "code_review"
    with world.database.begin() as session:
        job = session.merge(world.job(job_id))
        service.queue_sealed(session, job, now=utc_now())
        session.get_one(Workspace, identifier).expires_at = utc_now() - timedelta(seconds=1)
    world.work()
    job = world.job(job_id)
    assert (job.state, job.sealed_started_at) == ("cancelled", None)


def test_author_may_cancel_before_raw_data_only(world: World):
    from sandbox.workspaces.errors import WorkspaceConflict

    identifier = world.workspace("L2")
    waiting = world.submit(identifier, code({}))
    with world.database.begin() as session:
        service.cancel_job(session, session.merge(world.job(waiting)), actor=world.actor("researcher"))
    assert world.job(waiting).state == "cancelled"
    finished = world.submit(world.workspace("L1", name="other"), code({}))
    with world.database.begin() as session, pytest.raises(WorkspaceConflict):
        service.cancel_job(session, session.merge(world.job(finished)), actor=world.actor("researcher"))


def test_metadata_equals_migrations(tmp_path):
    from opendata.db.migrate import branches, differences, upgrade
    from sandbox.parts import PART

    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    of = branches([PART])
    upgrade(url, of)
    assert differences(url, of) == []
