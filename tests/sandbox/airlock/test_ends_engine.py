"""The ways in which the real engine ends a sealed job's workflow outside its steps, in one worker's life and death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from opendata.jobs import Job, request_cancel
from sandbox.airlock import service
from sandbox.workspaces.models import SandboxJob
from sandbox.workspaces.states import JobState
from tests.sandbox.airlock.test_chain import request_of
from tests.sandbox.airlock.test_ends import submit, told
from tests.sandbox.sandbox_world import GOOD, ROOT, World, code

pytestmark = pytest.mark.integration
PROGRAM = "tests.sandbox.airlock.engine_program"


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.03)


class Engine:
    """Starts and kills workers on one home."""

    def __init__(self, world: World) -> None:
        self.world, self.marks = world, world.settings.home / "marks"
        self.marks.mkdir()

    @contextmanager
    def worker(self, *words: str) -> Iterator[None]:
        """A worker, killed at the end."""
        (self.marks / "ready").unlink(missing_ok=True)
        with (self.marks / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", PROGRAM, str(self.world.settings.home), *words], cwd=ROOT, stdout=log, stderr=log
            )
        try:
            until((self.marks / "ready").exists, "a worker")
            yield
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

    def hold(self) -> None:
        (self.marks / "hold").touch()

    def release(self) -> None:
        (self.marks / "hold").unlink()

    @property
    def started(self) -> list[str]:
        """The sealed runs that began, as often as they did."""
        path = self.marks / "started"
        return path.read_text().splitlines() if path.exists() else []

    def durable(self, job_id: str) -> Job:
        with self.world.database.session() as session:
            return session.get_one(Job, session.get_one(SandboxJob, job_id).sealed_job_id)

    def dry(self, job_id: str) -> Job:
        with self.world.database.session() as session:
            return session.get_one(Job, session.get_one(SandboxJob, job_id).dry_job_id)

    def state(self, job_id: str) -> str:
        return self.durable(job_id).state


def test_whatever_way_the_engine_ends_a_sealed_run_it_comes_to_its_checkers(world: World, monkeypatch):
    engine, workspace = Engine(world), world.workspace("L1")

    def run() -> str:
        begun = len(engine.started)
        engine.hold()
        job_id = submit(world, workspace, code({"t.csv": GOOD}), monkeypatch)
        until(lambda: len(engine.started) > begun, "a sealed run")
        return job_id

    with engine.worker():
        by_engine = run()
        (engine.marks / "cancel").write_text(engine.durable(by_engine).id)
        until(lambda: not (engine.marks / "cancel").exists(), "the cancelling")
        engine.release()
        until(lambda: engine.state(by_engine) == "failed", "the end of what the engine cancelled")
        by_row = run()
        with world.database.begin() as session:
            request_cancel(session, engine.durable(by_row).id)
        engine.release()
        until(lambda: engine.state(by_row) == "cancelled", "the end of a cancelled row")
        # One that was queued, but could not be claimed: it would stay queued and keep a place of the worker for ever.
        (engine.marks / "unclaimable").touch()
        dry = submit(world, workspace, code({"t.csv": GOOD}), monkeypatch)
        until(lambda: engine.dry(dry).state == "failed", "the end of what could not be claimed")
        (engine.marks / "unclaimable").unlink()
        by_deaths = run()
    began = len(engine.started)
    with engine.worker():  # the one recovery that this engine allows
        until(lambda: len(engine.started) > began, "a recovered run")
    with engine.worker():
        until(lambda: engine.state(by_deaths) == "failed", "the end of a run recovered too often")
        engine.release()
        left = (by_engine, by_row, by_deaths)
        time.sleep(1)  # the control: nobody comes by
        assert {world.job(each).state for each in left} == {JobState.SEALED_RUNNING}
        assert world.job(dry).state == JobState.SUBMITTED
    runs = engine.started
    with engine.worker("rounds"):
        until(lambda: {world.job(each).state for each in left} == {JobState.FINISHED}, "the ends")
        until(lambda: world.job(dry).state == JobState.DRY_FAILED, "the end of a dry run")
    assert engine.started == runs  # nothing was run again
    assert runs.count(f"{by_deaths}-sealed") == 2
    assert {request_of(world, each).state for each in left} == {"blocked"}
    assert [json.loads(each)["state"] for each in {told(world, each) for each in left}] == ["finished"]
    with world.database.session() as session:
        requests = [service.request_of(session, session.get_one(SandboxJob, each)) for each in left]
        assert all(request is not None and request.due_at is not None for request in requests)
