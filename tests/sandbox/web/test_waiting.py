"""Requests that wait for the worker: they hold no thread, a person has few places, and a failed job answers at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import anyio.to_thread
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from opendata.db import utc_now
from opendata.jobs import Job
from opendata.web.problems import Problem
from sandbox.airlock.models import PracticeCheck
from sandbox.web import job_api
from sandbox.web.waiting import Places
from tests.sandbox.sandbox_world import World
from tests.sandbox.web.test_api import app, open_door, speak

__all__ = ["app", "open_door"]  # fixtures
CHECK = "/api/v1/workspaces/study/check"
THREADS = 4
PATIENCE_S = 60


def check(client: TestClient):
    return client.post(CHECK, params={"path": "t.csv"}, content=b"sex,n\nx,30\n")


@pytest.fixture
def client(app, world: World, open_door):
    """A researcher whose requests, all together, share one event loop with few threads."""
    world.workspace("L1")
    with speak(app, world, "researcher") as speaking:
        limiter = speaking.portal.call(anyio.to_thread.current_default_thread_limiter)
        before, limiter.total_tokens = limiter.total_tokens, THREADS
        yield speaking
        limiter.total_tokens = before


def test_waiting_checks_hold_no_thread(app, client: TestClient, world: World, monkeypatch):
    """Twice as many wait as there are threads. The control: requests that hold every thread keep a page waiting."""
    monkeypatch.setattr(job_api, "CHECK_WAIT_S", 300.0)
    monkeypatch.setattr(job_api, "CHECKS", Places(each=100, most=100))
    monkeypatch.setattr(job_api, "MOST_UNFINISHED", 100)
    holding, let_go = threading.Semaphore(0), threading.Event()

    def hold() -> None:
        holding.release()
        let_go.wait()

    app.add_api_route("/hold", hold)
    with ThreadPoolExecutor(2 * THREADS + 1) as pool:
        try:
            held = [pool.submit(client.get, "/hold") for _ in range(THREADS)]
            assert all(holding.acquire(timeout=PATIENCE_S) for _ in held)
            page = pool.submit(client.get, "/healthz")
            assert not wait([page], timeout=0.5).done, "every thread is held"
        finally:
            let_go.set()
        assert page.result(PATIENCE_S).status_code == 200

        try:
            checks = [pool.submit(check, client) for _ in range(2 * THREADS)]
            eventually(lambda: len(states(world)) == len(checks))
            assert pool.submit(client.get, "/healthz").result(PATIENCE_S).status_code == 200
            assert not any(each.done() for each in checks), "the page was asked while they waited"
        finally:
            fail_queued(world)
        assert {each.result(PATIENCE_S).status_code for each in checks} == {503}


def test_a_person_has_few_places_and_others_have_theirs(app, client: TestClient, world: World, monkeypatch):
    monkeypatch.setattr(job_api, "CHECK_WAIT_S", 300.0)
    world.join(next(iter(ids(world))), "colleague")
    with ThreadPoolExecutor(6) as pool:
        mine = [pool.submit(check, client) for _ in range(5)]
        other = pool.submit(check, speak(app, world, "colleague"))
        try:
            eventually(lambda: len(states(world)) + sum(each.done() for each in mine) == len(mine) + 1)
        finally:
            fail_queued(world)
        answers = [each.result(PATIENCE_S) for each in mine]
        assert other.result(PATIENCE_S).status_code == 503  # taken
    refused = [each for each in answers if each.status_code == 429]
    assert len(refused) == 2
    assert all(int(each.headers["Retry-After"]) > 0 for each in refused)
    assert "already" in refused[0].json()["detail"]
    client.headers["Accept-Language"] = "mul"
    monkeypatch.setattr(job_api, "CHECK_WAIT_S", 0.2)
    for _ in range(3):  # these wait no more, but stand in the queue
        check(client)
    told = check(client)
    assert told.status_code == 429
    assert "等待" in told.json()["detail"]["zh"]
    assert "waiting" in told.json()["detail"]["en"]


def test_places_are_given_back_and_everybody_together_has_a_number():
    places = Places(each=2, most=3)
    with places.place("a"), places.place("a"), places.place("b"):
        for person in ("a", "b", "c"):
            with pytest.raises(Problem) as refused, places.place(person):
                pass
            assert refused.value.status == 429
    with places.place("c"), places.place("c"):
        pass


def test_a_check_whose_job_failed_answers_at_once(client: TestClient, world: World, monkeypatch):
    monkeypatch.setattr(job_api, "CHECK_WAIT_S", 300.0)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(check, client)
        eventually(lambda: states(world) == ["queued"])
        fail_queued(world)
        answer = asked.result(PATIENCE_S)
    assert answer.status_code == 503
    assert "interrupted" in answer.text
    assert states(world) == ["queued"], "the row of the check says nothing of it"


def states(world: World) -> list[str]:
    """Of the checks that were asked for."""
    with world.database.session() as session:
        return list(session.scalars(select(PracticeCheck.state)))


def fail_queued(world: World) -> None:
    """What a worker leaves when the job's function raises."""
    with world.database.begin() as session:
        for job in session.scalars(select(Job).where(Job.kind == "sandbox.check")):
            job.state, job.finished_at = "failed", utc_now()


def eventually(true: Callable[[], bool]) -> None:
    """Wait until it is, as long as a busy machine may need."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def ids(world: World) -> set[str]:
    from sandbox.workspaces.models import Workspace

    with world.database.session() as session:
        return set(session.scalars(select(Workspace.id)))
