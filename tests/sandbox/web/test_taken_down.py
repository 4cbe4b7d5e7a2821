"""An edition is taken down, its raw table erased, its level raised: what sessions hold, what pages and the API say.

The edition is withdrawn by the act of publishing itself; the round of the worker is the real one. That a real session
ends is shown in `tests.sandbox.hub.test_life`.
"""

from __future__ import annotations

from datetime import timedelta

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from opendata.catalog.models import Dataset, Edition
from opendata.db import utc_now
from opendata.jobs import Job
from opendata.jobs.context import Resources
from opendata.ledger.models import LedgerEntry
from opendata.publishing import service as publishing
from opendata.publishing.models import Intake
from sandbox.airlock.models import PracticeCheck
from sandbox.hub.options import HubOptions
from sandbox.workspaces import keeping
from sandbox.workspaces.datasets import practice_path
from sandbox.workspaces.models import SandboxJob, Workspace, WorkspaceDataset
from tests.sandbox.sandbox_world import GOOD, RAW, World, code
from tests.sandbox.web.test_api import app, open_door, speak

__all__ = ["app", "open_door"]  # fixtures
NAME = "study-data"
URL = "/api/v1/workspaces/study"


@pytest.fixture
def client(app, world: World, open_door) -> TestClient:
    """A member of a workspace whose sessions hold a published edition."""
    world.workspace("L1")
    publish(world)
    tick(world)
    return speak(app, world, "researcher")


def publish(world: World) -> str:
    """The dataset's next edition: unconditional, with the raw table's own schema, as publishing leaves it."""
    with world.database.begin() as session:
        dataset = session.scalars(select(Dataset)).one()
        first = session.scalars(select(Edition).order_by(Edition.created_at)).first()
        now = utc_now()
        session.query(Edition).filter(Edition.state == "published").update({"state": "superseded"})
        made = Edition(
            dataset_id=dataset.id, intake_id=first.intake_id, policy_version_id=first.policy_version_id,
            kind="microdata", state="published", opening_class="unconditional", effect=4, legal_status="anonymized",
            legal_basis="anonymized", created_by=first.created_by, created_at=now, published_at=now,
            files=[{"name": "t.parquet", "format": "parquet"}],
        )  # fmt: skip
        session.add(made)
        session.flush()
        made.digest = (made.id.replace("-", "") * 2)[:64]
        dataset.current_edition_id = made.id
        identifier, digest = made.id, made.digest
    pq.write_table(RAW, world.editions.stage(identifier) / "t.parquet")
    world.editions.publish(identifier, digest)
    return identifier


def withdraw(world: World) -> None:
    """As the department's officer does it; the job that removes the public files is another's."""
    with world.database.begin() as session:
        edition = session.scalars(select(Edition).where(Edition.state == "published")).one()
        job = publishing.withdraw(session, edition, actor=world.actor("officer"), reason="发现错误，紧急下架")
        job.state = "done"


def tick(world: World) -> None:
    """A round of the worker, and what it asked for."""
    keeping.sweep(Resources(world.settings, world.database, world.vault, world.keys, world.editions))
    world.work()


def shown(client: TestClient) -> dict:
    [dataset] = client.get(f"{URL}/datasets").json()["datasets"]
    return dataset


def held(client: TestClient) -> list[str]:
    return client.get(f"{URL}/datasets").json()["held"]


def submit(client: TestClient):
    return client.post(f"{URL}/jobs", params={"filename": "x.py"}, content=code({"t.csv": GOOD}))


def path(world: World):
    with world.database.session() as session:
        return practice_path(world.settings, session.scalars(select(Workspace.id)).one(), NAME)


def removals(world: World) -> int:
    with world.database.session() as session:
        return len(list(session.scalars(select(LedgerEntry).where(LedgerEntry.type == keeping.REMOVE))))


def test_an_edition_stands_in_sessions_and_jobs_run(client: TestClient, world: World):
    """The control of everything below: before anything is taken down all of it is there."""
    dataset = shown(client)
    assert (dataset["kind"], dataset["rows"], dataset["lack"]) == ("edition", RAW.num_rows, None)
    assert held(client) == [dataset["edition"]]
    assert pq.read_table(path(world)).equals(RAW)
    assert submit(client).status_code == 202
    world.work()
    with world.database.session() as session:
        assert session.scalars(select(SandboxJob)).one().state != "dry_failed"
    tick(world)
    assert removals(world) == 0
    assert path(world).exists()


def test_a_withdrawn_edition_is_held_by_no_session_from_that_moment(client: TestClient, world: World):
    """What the hub is told, what the author is told; nothing is charged and nothing waits."""
    withdraw(world)
    dataset = shown(client)
    assert (dataset["kind"], dataset["edition"], dataset["prepared_at"]) == (None, None, None)
    assert dataset["lack"] == "withdrawn"
    assert held(client) == []
    for answer in (
        submit(client),
        client.post(f"{URL}/check", params={"path": "t.csv"}, content=b"sex,n\nx,30\n"),
    ):
        assert answer.status_code == 409
        assert NAME in answer.text
        assert "taken down" in answer.text
    with world.database.session() as session:
        assert session.scalars(select(Workspace.bits_spent)).one() == 0
        assert list(session.scalars(select(SandboxJob))) == []
        assert list(session.scalars(select(PracticeCheck))) == []


def test_its_file_goes_with_the_next_round_and_the_ledger_has_it_once(client: TestClient, world: World):
    withdraw(world)
    tick(world)
    assert not path(world).exists()
    assert removals(world) == 1
    tick(world)
    assert removals(world) == 1
    with world.database.session() as session:
        row = session.scalars(select(WorkspaceDataset)).one()
        assert (row.kind, row.digest, row.edition_id, row.prepared_at) == (None, None, None, None)


def test_all_is_over_within_a_minute(tmp_path):
    """A session ends at the next look but one of the hub, a file goes with the next round of the worker."""
    from opendata.worker.rounds import EVERY_S
    from sandbox.settings import SandboxSettings

    options = HubOptions(SandboxSettings(tmp_path, tmp_path), tmp_path)
    assert options.recheck_s + options.poll_s + 10 <= 60
    assert EVERY_S + options.recheck_s < 60


def test_pages_say_so_in_both_languages(app, client: TestClient, world: World):
    words = {
        "en": ("Its edition was taken down", "Sessions show the published edition"),
        "zh": ("版本已下架", "会话中是已发布的版本"),
    }
    pages = {language: speak(app, world, "researcher", language) for language in words}
    for language, (after, before) in words.items():
        page = pages[language].get("/workspaces/study").text
        assert (after in page, before in page) == (False, True)
    withdraw(world)
    for language, (after, before) in words.items():
        page = pages[language].get("/workspaces/study").text
        assert (after in page, before in page) == (True, False)


def test_a_new_edition_comes_back_by_itself(client: TestClient, world: World):
    old = shown(client)["edition"]
    withdraw(world)
    tick(world)
    new = publish(world)
    tick(world)
    assert shown(client)["edition"] == new
    assert held(client) == [new]
    assert old != new
    assert pq.read_table(path(world)).num_rows == RAW.num_rows
    assert submit(client).status_code == 202


def test_a_superseded_edition_may_be_held_until_it_is_destroyed(client: TestClient, world: World):
    old = shown(client)["edition"]
    new = publish(world)
    tick(world)
    assert shown(client)["edition"] == new
    assert set(held(client)) == {old, new}
    with world.database.begin() as session:
        session.get_one(Edition, old).state = "destroyed"
    assert held(client) == [new]
    assert path(world).exists()


def test_a_file_made_from_a_destroyed_edition_meets_nobody(client: TestClient, world: World):
    """The round that would have made the new one has not been by."""
    old = shown(client)["edition"]
    publish(world)
    with world.database.begin() as session:
        session.get_one(Edition, old).state = "destroyed"
    assert shown(client)["kind"] is None
    assert submit(client).status_code == 409
    tick(world)
    tick(world)
    assert shown(client)["kind"] == "edition"


def test_a_raised_level_takes_the_edition_and_leaves_practice_data(client: TestClient, world: World):
    with world.database.begin() as session:
        session.scalars(select(Dataset)).one().level = "L4"
    assert held(client) == []
    tick(world)
    assert (shown(client)["kind"], shown(client)["edition"]) == ("practice", None)
    assert not pq.read_table(path(world)).equals(RAW)
    assert removals(world) == 1


def test_an_erased_raw_table_is_named_before_anything_is_charged(client: TestClient, world: World):
    """The edition is of nobody's raw rows and stays; code finds no table to run on."""
    with world.database.begin() as session:
        publishing.erase_intake(
            session, session.scalars(select(Intake)).one(), actor=world.actor("officer")
        ).state = "done"
    answer = submit(client)
    assert (answer.status_code, "erased" in answer.text) == (409, True)
    assert shown(client)["kind"] == "edition"


def test_a_queued_sealed_run_of_a_withdrawn_edition_is_cancelled(client: TestClient, world: World):
    """Its control is every job of other tests that runs: here the edition goes while the job waits."""
    job = submit(client).json()["id"]
    with world.database.begin() as session:
        waiting = session.scalars(select(Job).where(Job.state == "queued")).one()
        waiting.state = "done"
        session.get_one(SandboxJob, job).state = "sealed_queued"
        session.get_one(SandboxJob, job).sealed_queued_at = utc_now()
        session.add(Job(kind="sandbox.sealed", arguments={"job_id": job}, created_at=utc_now()))
    withdraw(world)
    world.work()
    with world.database.session() as session:
        assert session.get_one(SandboxJob, job).state == "cancelled"


def test_after_a_failed_preparation_there_is_a_pause(client: TestClient, world: World):
    """No job a round for ever; once the pause is over it is tried again."""
    publish(world)
    with world.database.begin() as session:
        session.add(
            Job(
                kind="sandbox.prepare", state="failed", created_at=utc_now(),
                arguments={"workspace_id": session.scalars(select(Workspace.id)).one()},
            )
        )  # fmt: skip

    def jobs() -> int:
        with world.database.session() as session:
            return len(list(session.scalars(select(Job).where(Job.kind == "sandbox.prepare"))))

    before = jobs()
    tick(world)
    assert jobs() == before
    with world.database.begin() as session:
        for each in session.scalars(select(Job)):
            each.created_at -= keeping.PAUSE_AFTER_FAILURE + timedelta(minutes=1)
    tick(world)
    assert jobs() == before + 1
