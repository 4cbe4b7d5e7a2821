"""Status bits: what met raw data is debited, what never was queued for it is not, whatever became of it."""

from __future__ import annotations

import pytest

from opendata.db import utc_now
from sandbox.airlock import jobs
from sandbox.workspaces import service
from sandbox.workspaces.errors import WorkspaceDenied
from sandbox.workspaces.models import SandboxJob, Workspace
from sandbox.workspaces.states import JOB_TRANSITIONS, JobState
from tests.sandbox.sandbox_world import GOOD, SimulatedLauncher, World, code, make_world

BITS = 3
"""What the world's jobs are charged."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setattr(jobs, "Launcher", SimulatedLauncher)
    with make_world(tmp_path_factory.mktemp("debits") / "home") as made:
        yield made
    patch.undo()


def spent(world: World, workspace: str) -> int:
    with world.database.session() as session:
        return session.get_one(Workspace, workspace).bits_spent


def test_a_dry_run_that_fails_costs_nothing_and_a_sealed_run_costs(world: World):
    workspace = world.workspace("L1", name="costs")
    failed = world.submit(workspace, code({"t.csv": GOOD}, dry_state="failed"))
    unchecked = world.submit(workspace, code({"t.csv": GOOD}, {"t.csv": "sex,n\n女,3\n男,7\n"}))
    assert {world.job(each).state for each in (failed, unchecked)} == {"dry_failed"}
    assert spent(world, workspace) == 0
    assert world.job(world.submit(workspace, code({"t.csv": GOOD}))).state == "finished"
    assert spent(world, workspace) == BITS
    # However it ended: its moment is told all the same.
    assert world.job(world.submit(workspace, code({}, state="killed"))).state == "finished"
    assert spent(world, workspace) == 2 * BITS


def test_jobs_that_end_together_are_all_given_back(world: World):
    """Several of one workspace in one transaction; and the author's own taking back."""
    workspace = world.workspace("L2", name="together")
    waiting = [world.submit(workspace, code({"t.csv": GOOD}, seed=number)) for number in range(3)]
    assert {world.job(each).state for each in waiting} == {"code_review"}
    assert spent(world, workspace) == 3 * BITS
    with world.database.begin() as session:
        service.cancel_job(session, session.get_one(SandboxJob, waiting[0]), actor=world.actor("researcher"))
    assert spent(world, workspace) == 2 * BITS
    with world.database.begin() as session:
        assert service.stop_jobs(session, session.get_one(Workspace, workspace), now=utc_now()) == 2
    assert spent(world, workspace) == 0


@pytest.mark.parametrize("state", sorted(state for state, after in JOB_TRANSITIONS.items() if not after))
def test_every_end_before_the_queue_is_given_back_and_none_after(world: World, state: str):
    workspace = world.workspace("L2", name=f"end-{state.replace('_', '-')}")
    job_id = world.submit(workspace, code({"t.csv": GOOD}))
    [before] = [b for b in JobState if state in JOB_TRANSITIONS[b] and b not in {"submitted", "sealed_queued"}][:1]
    for queued, left in ((None, 0), (utc_now(), BITS)):
        with world.database.begin() as session:
            job, place = session.get_one(SandboxJob, job_id), session.get_one(Workspace, workspace)
            job.state, job.sealed_queued_at, job.bits_charged, place.bits_spent = before, queued, BITS, BITS
            session.flush()
            service.move_job(job, JobState(state))
        assert spent(world, workspace) == left


def test_jobs_that_wait_hold_their_bits_so_that_none_overdraws(world: World):
    workspace = world.workspace("L2", name="waits")
    with world.database.begin() as session:
        place = session.get_one(Workspace, workspace)
        place.bits_spent = place.bits_budget - BITS
    job_id = world.submit(workspace, code({"t.csv": GOOD}))
    with pytest.raises(WorkspaceDenied, match="status bits"):
        world.submit(workspace, code({"t.csv": GOOD}, seed=2))
    with world.database.begin() as session:
        service.cancel_job(session, session.get_one(SandboxJob, job_id), actor=world.actor("researcher"))
    assert world.job(world.submit(workspace, code({"t.csv": GOOD}, seed=3))).state == "code_review"
