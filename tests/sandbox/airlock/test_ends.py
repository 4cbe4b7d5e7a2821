"""A job whose durable workflow ended outside its steps comes to an end like every other (`sandbox.airlock.ends`)."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select

from opendata.db import utc_now
from opendata.errors import JobCancelled, JobFailed
from opendata.jobs import Job
from opendata.jobs.context import Resources
from opendata.ledger.models import LedgerEntry
from opendata.parts import resolve
from sandbox.airlock import ends, jobs, release, service
from sandbox.airlock.models import PracticeCheck, ReleasedOutput, ReleaseRequest
from sandbox.airlock.package import Package, package_name
from sandbox.airlock.reasons import both
from sandbox.airlock.rules import Decision
from sandbox.airlock.visibility import author_view
from sandbox.parts import PART
from sandbox.workspaces.models import SandboxJob
from sandbox.workspaces.states import JobState
from sandbox.workspaces.visibility import Ticks
from tests.sandbox.airlock.test_chain import drawn, request_of, vote
from tests.sandbox.sandbox_world import GOOD, Context, SimulatedLauncher, World, code, make_world

TICKS = Ticks(base_s=0.01, wall_s=0.05)
"""Many, so that a job that is some seconds old does not wait as long again."""
_names = (f"left-{number}" for number in count())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with make_world(tmp_path_factory.mktemp("ends") / "home") as world:
        yield world


@pytest.fixture
def world(made, monkeypatch):
    """One home for all tests of this file; each has a workspace of its own."""
    monkeypatch.setattr(jobs, "Launcher", SimulatedLauncher)
    monkeypatch.setattr(jobs, "airlock_ticks", lambda: TICKS)
    return made


@pytest.fixture
def workspace(world):
    return world.workspace("L1", name=next(_names))


class Gone(RuntimeError):
    """The engine's own exception, which no job catches."""


class Breaking(Context):
    """A context whose workflow ends at one step, before it is done (``before``) or after."""

    def __init__(self, world: World, job: Job, at: str, error: BaseException, *, before: bool) -> None:
        super().__init__(world, job)
        self.at, self.error, self.before = at, error, before

    def step(self, name, function, *arguments):
        if name == self.at and self.before:
            raise self.error
        result = super().step(name, function, *arguments)
        if name == self.at:
            raise self.error
        return result


def work(world: World, kind: str = "", at: str = "", error: BaseException | None = None, *, before: bool = True) -> int:
    """Run what is queued as the runner would; a job of ``kind`` ends at that step. Returns how many ended so."""
    broken = 0
    while True:
        with world.database.begin() as session:
            job = session.scalar(select(Job).where(Job.state == "queued").order_by(Job.created_at))
            if job is None:
                return broken
            job.state = "running"
            session.flush()
            session.expunge(job)
        breaks = job.kind == kind and error is not None
        context = Breaking(world, job, at, error, before=before) if breaks and error else Context(world, job)
        state = "done"
        try:
            resolve(PART.jobs[job.kind])(context, dict(job.arguments))
        except JobCancelled:
            state = "cancelled"
        except (JobFailed, Gone):
            state = "failed"
        broken += breaks and state != "done"
        with world.database.begin() as session:
            row = session.get_one(Job, job.id)
            row.state, row.finished_at = state, utc_now()


def submit(world: World, workspace: str, program: bytes, monkeypatch: pytest.MonkeyPatch) -> str:
    """Hand in, and run nothing yet."""
    with monkeypatch.context() as patched:
        patched.setattr(World, "work", lambda _: None)
        return world.submit(workspace, program)


def told(world: World, job_id: str) -> str:
    """Everything the author can read about a job an hour later, its id and moment of submission left out."""
    with world.database.session() as session:
        job = session.get_one(SandboxJob, job_id)
        shown = author_view(job, service.request_of(session, job), now=utc_now() + timedelta(hours=1), ticks=TICKS)
        at = job.created_at.isoformat()
    return json.dumps(shown, ensure_ascii=False).replace(job_id, "ID").replace(at, "AT")


def sweep(world: World) -> None:
    ends.sweep(Resources(world.settings, world.database, world.vault, world.keys, world.editions))


def entries(world: World) -> list[str]:
    with world.database.session() as session:
        return list(session.scalars(select(LedgerEntry.type).order_by(LedgerEntry.index)))


WAYS = [
    ("sealed run", JobCancelled(), True),  # somebody cancelled the durable job
    ("sealed run", Gone(), False),  # the engine gave up between two steps
    ("check", JobCancelled(), True),
    ("check", Gone(), False),
    ("tick", JobFailed("x"), True),  # no step after the checks may fail
    ("tick", Gone(), False),
    ("review", JobFailed("x"), True),
]


@pytest.mark.parametrize(("at", "error", "before"), WAYS)
def test_a_sealed_run_left_behind_comes_to_its_checkers(world: World, workspace, monkeypatch, at, error, before):
    normal = submit(world, workspace, code({}, state="killed"), monkeypatch)
    first = len(entries(world))
    work(world)
    usual = entries(world)[first:]
    left = submit(world, workspace, code({"t.csv": GOOD}), monkeypatch)
    first = len(entries(world))
    assert work(world, "sandbox.sealed", at, error, before=before) == 1
    work(world)
    assert world.job(left).state == JobState.SEALED_RUNNING  # the control: nobody comes by, nothing happens
    assert request_of(world, left).state in {"submitted", "checking"}
    ran: list[str] = []
    settled: list[str] = []
    monkeypatch.setattr(SimulatedLauncher, "settle", lambda _, name: settled.append(name))
    inner = SimulatedLauncher.run_job
    monkeypatch.setattr(
        SimulatedLauncher, "run_job", lambda self, spec, *a, **k: ran.append(spec.kind) or inner(self, spec, *a, **k)
    )
    before_end = entries(world)
    sweep(world)
    assert entries(world) == before_end  # the ledger grows at a tick only
    work(world)
    assert ran == []  # nothing is run again
    request, job = request_of(world, left), world.job(left)
    checked = at in {"tick", "review"} or (at, before) == ("check", False)
    assert (job.state, request.state) == (JobState.FINISHED, "in_review" if checked else "blocked")
    with world.vault.open_object(package_name(request.id)) as stream:
        package = Package.from_bytes(stream.read())
    assert [file.name for file in package.files] == (["t.csv"] if checked else [])
    assert len(entries(world)[first:]) == len(usual)
    assert told(world, left) == told(world, normal)
    assert json.loads(told(world, left))["state"] == "finished"
    assert job.sealed_finished_at is not None
    after = (job.sealed_finished_at - job.sealed_queued_at).total_seconds()
    assert TICKS.next(after - 1e-6) == pytest.approx(after), "at a tick, and no other moment"
    assert settled == [f"{left}-sealed"], "its sessions may go on"
    sweep(world)  # and no second time
    assert work(world) == 0
    assert request_of(world, left).state == request.state


def test_an_end_that_fails_is_tried_again_after_a_pause(world: World, workspace, monkeypatch):
    job_id = submit(world, workspace, code({"t.csv": GOOD}), monkeypatch)
    work(world, "sandbox.sealed", "check", Gone())
    sweep(world)
    assert work(world, "sandbox.sealed_end", "review", Gone()) == 1
    sweep(world)
    work(world)
    assert world.job(job_id).state == JobState.SEALED_RUNNING  # too early
    with world.database.begin() as session:
        row = session.get_one(Job, session.get_one(SandboxJob, job_id).sealed_job_id)
        assert row.kind == ends.END_JOB
        row.finished_at -= timedelta(minutes=2)
    sweep(world)
    work(world)
    assert world.job(job_id).state == JobState.FINISHED


def test_pauses_double_up_to_an_hour():
    start = utc_now()

    def waits(tried: timedelta) -> timedelta:
        ended = start + tried
        seconds = range(0, 7200, 30)
        return next(timedelta(seconds=s) for s in seconds if ends.due_again(ended, start, ended + timedelta(seconds=s)))

    assert [waits(timedelta(minutes=m)).total_seconds() / 60 for m in (0, 1, 10, 59, 600)] == [1, 1, 10, 59, 60]


@pytest.mark.parametrize("error", [JobCancelled(), JobFailed("x"), Gone()])
def test_a_queued_run_that_cannot_begin_is_cancelled(world: World, workspace, monkeypatch, error):
    job_id = submit(world, workspace, code({"t.csv": GOOD}), monkeypatch)
    assert work(world, "sandbox.sealed", "begin", error) == 1
    assert world.job(job_id).state == JobState.SEALED_QUEUED
    sweep(world)
    assert world.job(job_id).state == JobState.CANCELLED
    assert entries(world)[-1] == "sandbox:job:stop"
    with world.database.session() as session:
        assert session.scalar(select(ReleaseRequest).where(ReleaseRequest.job_id == job_id)) is None


@pytest.mark.parametrize(("at", "error"), [("begin", JobCancelled()), ("dry run", Gone()), ("next", JobCancelled())])
def test_a_dry_run_left_behind_says_so(world: World, workspace, monkeypatch, at, error):
    job_id = submit(world, workspace, code({"t.csv": GOOD}), monkeypatch)
    assert work(world, "sandbox.dry", at, error) == 1
    assert world.job(job_id).state in {JobState.SUBMITTED, JobState.DRY_RUNNING}
    sweep(world)
    job = world.job(job_id)
    assert (job.state, job.dry_result["message"]) == (JobState.DRY_FAILED, both(ends.UNFINISHED))
    assert entries(world)[-1] == "sandbox:job:stop"


def test_what_is_still_running_is_left_alone(world: World, workspace, monkeypatch):
    """The control of all of these: a durable job that has not ended is nobody's to end."""
    job_id = submit(world, workspace, code({"t.csv": GOOD}), monkeypatch)
    work(world, "sandbox.sealed", "check", Gone())
    with world.database.begin() as session:
        session.get_one(Job, session.get_one(SandboxJob, job_id).sealed_job_id).state = "running"
    sweep(world)
    work(world)
    assert world.job(job_id).state == JobState.SEALED_RUNNING


def test_an_approved_output_is_released_after_all(world: World, workspace, monkeypatch):
    job_id = world.submit(workspace, code({"t.csv": GOOD}))
    request = request_of(world, job_id)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(release, "write_bundle", full)
        vote(world, request.id, drawn(world, request.id)[0], Decision.APPROVE)
    assert request_of(world, job_id).state == "approved"
    with world.database.begin() as session:
        session.get_one(Job, request_of(world, job_id).release_job_id).finished_at = utc_now()
    sweep(world)
    work(world)
    assert request_of(world, job_id).state == "approved"  # not at once again
    with world.database.begin() as session:
        ago = utc_now() - timedelta(hours=2)
        session.get_one(Job, request_of(world, job_id).release_job_id).finished_at = ago
    sweep(world)
    work(world)
    assert request_of(world, job_id).state == "released"
    with world.database.session() as session:
        mine = ReleasedOutput.request_id == request.id
        assert len(session.scalars(select(ReleasedOutput).where(mine)).all()) == 1


def test_a_check_of_a_file_left_behind_ends(world: World, workspace):
    with world.database.begin() as session:
        session.add(
            PracticeCheck(id="c1", workspace_id=workspace, author_id=world.actor("researcher").id, filename="t.csv",
                          digest="0" * 64, created_at=utc_now())
        )  # fmt: skip
    sweep(world)
    with world.database.session() as session:
        assert session.get_one(PracticeCheck, "c1").state == "failed"


def test_the_worker_comes_by():
    assert PART.rounds["sandbox.airlock_ends"] == "sandbox.airlock.ends:sweep"
    assert resolve(PART.jobs[ends.END_JOB]) is jobs.end_sealed
