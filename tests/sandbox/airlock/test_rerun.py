"""Reruns: the same snapshot, intakes and environment; compared by digest; refused when something is not the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from opendata.publishing.models import Intake
from sandbox.airlock import reruns, sealed
from sandbox.airlock.errors import AirlockConflict
from sandbox.airlock.models import CodeReview, ReleasedOutput
from sandbox.airlock.package import Package, package_name
from sandbox.airlock.release import output_directory
from sandbox.airlock.rules import Decision
from sandbox.airlock.sources import kernel_digest
from sandbox.workspaces.models import SandboxJob, Workspace
from sandbox.workspaces.visibility import Ticks
from tests.sandbox import sandbox_world
from tests.sandbox.airlock.test_chain import accept_code, drawn, request_of, seen, vote
from tests.sandbox.sandbox_world import GOOD, SimulatedLauncher, World, code

TICKS = Ticks(base_s=0.01, wall_s=600.0)


def again(world: World, job_id: str, *, who: str = "researcher", kernel: str | None = None) -> str:
    with world.database.begin() as session:
        first = session.get_one(SandboxJob, job_id)
        workspace = session.get_one(Workspace, first.workspace_id)
        made = reruns.rerun(
            session, workspace, first, actor=world.actor(who), kernel=kernel or kernel_digest(), grades=world.grades,
            calendar=world.calendar, charge_bits=3, ticks=TICKS,
        )  # fmt: skip
        identifier = made.id
    world.work()
    return identifier


def package(world: World, job_id: str) -> Package:
    with world.vault.open_object(package_name(request_of(world, job_id).id)) as stream:
        return Package.from_bytes(stream.read())


def test_rerun_is_identical_needs_no_new_review_and_says_so_in_its_record(world: World):
    workspace = world.workspace("L2")
    first = world.submit(workspace, code({"t.csv": GOOD}))
    accept_code(world, first)
    second = again(world, first)
    job = world.job(second)
    assert (job.state, job.reproduces_id, job.code_digest) == ("finished", first, world.job(first).code_digest)
    assert job.sealed_intakes == world.job(first).sealed_intakes
    with world.database.session() as session:
        assert len(session.scalars(select(CodeReview)).all()) == 1
    found = package(world, second).run["reproduction"]
    assert found == {"of": first, "identical": True, "different": [], "missing": [], "new": []}
    for job_id in (first, second):
        request = request_of(world, job_id)
        vote(world, request.id, drawn(world, request.id)[0], Decision.APPROVE)
    with world.database.session() as session:
        outputs = {each.request_id: each.id for each in session.scalars(select(ReleasedOutput))}
    records = [
        json.loads((output_directory(world.settings, workspace, outputs[request_of(world, j).id]) / "sdc-record.json").read_bytes())
        for j in (first, second)
    ]  # fmt: skip
    assert records[0]["reproduced_from"] is None
    assert records[1]["reproduced_from"] == {
        "job": first,
        "output": outputs[request_of(world, first).id],
        "identical": True,
    }
    assert records[0]["environment"] == records[1]["environment"]


def test_what_differs_is_for_the_checkers_only(world: World, monkeypatch):
    workspace = world.workspace("L1")
    first = world.submit(workspace, code({"t.csv": GOOD}))
    same = again(world, first)
    real, tar = SimulatedLauncher.run_job, sandbox_world._tar

    def otherwise(self: SimulatedLauncher, spec: Any, inputs: Any, output_fd: int, **more: Any) -> Any:
        """A program that draws its numbers anew each time."""
        if spec.kind == "sealed":
            monkeypatch.setattr(sandbox_world, "_tar", lambda _: tar({"t.csv": GOOD.replace("3.0", "2.0")}))
        return real(self, spec, inputs, output_fd, **more)

    monkeypatch.setattr(SimulatedLauncher, "run_job", otherwise)
    other = again(world, first)
    assert package(world, same).run["reproduction"]["identical"]
    assert package(world, other).run["reproduction"]["different"] == ["t.csv"]
    times = [(job_id, world.job(job_id).created_at.isoformat()) for job_id in (same, other)]
    answers = [seen(world, job_id).replace(at, "AT") for job_id, at in times]
    assert answers[0] == answers[1]
    assert first in answers[0]


def test_erased_intake_changed_environment_and_unfinished_jobs_are_refused(world: World):
    workspace = world.workspace("L2")
    job_id = world.submit(workspace, code({"t.csv": GOOD}))
    with pytest.raises(AirlockConflict, match="sealed run has ended"):
        again(world, job_id)
    accept_code(world, job_id)
    with pytest.raises(AirlockConflict, match=r"kernel\.lock was"):
        again(world, job_id, kernel="0" * 64)
    spent = bits(world, workspace)
    with world.database.begin() as session:
        session.scalars(select(Intake)).one().state = "erased"
    with pytest.raises(AirlockConflict, match="study-data"):
        again(world, job_id)
    assert bits(world, workspace) == spent, "nothing is charged for what does not run"


def test_what_changes_while_a_rerun_waits_stops_it(world: World, monkeypatch):
    workspace = world.workspace("L1")
    first = world.submit(workspace, code({"t.csv": GOOD}))
    monkeypatch.setattr(sealed, "kernel_digest", lambda: "1" * 64)
    job_id = again(world, first)
    assert world.job(job_id).state == "cancelled"
    assert world.job(job_id).sealed_started_at is None


def test_a_rerun_runs_on_its_first_intake_and_a_new_job_on_the_newest(world: World):
    workspace = world.workspace("L1")
    first = world.submit(workspace, code({"t.csv": GOOD}))
    newer = newer_intake(world)
    assert world.job(again(world, first)).sealed_intakes == world.job(first).sealed_intakes
    assert set((world.job(world.submit(workspace, code({"t.csv": GOOD}))).sealed_intakes or {}).values()) == {newer}


def test_usage_is_kept_for_checkers_and_never_shown_to_the_author(world: World):
    job_id = world.submit(world.workspace("L1"), code({"t.csv": GOOD}))
    assert set(world.job(job_id).usage or {}) == {"dry", "sealed"}
    assert package(world, job_id).run["usage"]["seconds"] == 1.0
    request = request_of(world, job_id)
    vote(world, request.id, drawn(world, request.id)[0], Decision.APPROVE)
    assert not {"seconds", "usage", "peak_memory", "duration"} & set(json.loads(seen(world, job_id)))
    assert "seconds" not in seen(world, job_id)


def bits(world: World, workspace: str) -> int:
    with world.database.session() as session:
        return session.get_one(Workspace, workspace).bits_spent


def newer_intake(world: World) -> str:
    """A newer version of the raw table, published."""
    from opendata.catalog.models import Dataset, Edition
    from opendata.db import new_id
    from tests.sandbox.sandbox_world import RAW

    identifier = new_id()
    world.vault.write_table(identifier, RAW.to_reader(max_chunksize=1000))
    with world.database.begin() as session:
        old = session.scalars(select(Intake)).one()
        values = {c.key: getattr(old, c.key) for c in Intake.__table__.columns if c.key != "id"}
        session.add(Intake(id=identifier, **values))
        session.flush()
        dataset = session.scalars(select(Dataset)).one()
        session.get_one(Edition, dataset.current_edition_id).intake_id = identifier
    return identifier
