"""Requests that wait for the worker: they hold no thread, a person has few places, and a failed job answers at once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

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


def test_waiting_checks_hold_no_thread(app, client: TestClient, monkeypatch):
    """Twice as many wait as there are threads. The control: as many requests that hold theirs keep a page waiting."""
    monkeypatch.setattr(job_api, "CHECK_WAIT_S", 2.5)
    monkeypatch.setattr(job_api, "CHECKS", Places(each=100, most=100))
    monkeypatch.setattr(job_api, "MOST_UNFINISHED", 100)
    app.add_api_route("/hold", lambda: time.sleep(1.5))

    def asked_meanwhile(send) -> float:
        with ThreadPoolExecutor(2 * THREADS) as pool:
            waiting = [pool.submit(send) for _ in range(2 * THREADS)]
            time.sleep(1.0)  # all have been sent
            began = time.monotonic()
            assert client.get("/healthz").status_code == 200
            took = time.monotonic() - began
            assert not waiting[-1].done(), "it was asked while they waited"
            assert {each.result().status_code for each in waiting} <= {200, 503}
        return took

    held = asked_meanwhile(lambda: client.get("/hold"))
    waited = asked_meanwhile(lambda: check(client))
    assert held > 0.4
    assert waited < held / 2


def test_a_person_has_few_places_and_others_have_theirs(app, client: TestClient, world: World, monkeypatch):
    monkeypatch.setattr(job_api, "CHECK_WAIT_S", 2.0)
    world.join(next(iter(ids(world))), "colleague")
    with ThreadPoolExecutor(6) as pool:
        mine = [pool.submit(check, client) for _ in range(5)]
        other = pool.submit(check, speak(app, world, "colleague"))
        answers = [each.result() for each in mine]
        assert other.result().status_code == 503  # taken; nobody works here
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


def test_a_check_whose_job_failed_answers_at_once(client: TestClient, world: World):
    def fail() -> None:
        """What a worker leaves when the job's function raises: the row of the check says nothing."""
        for _ in range(100):
            with world.database.begin() as session:
                for job in session.scalars(select(Job).where(Job.kind == "sandbox.check")):
                    job.state, job.finished_at = "failed", utc_now()
                    return
            time.sleep(0.05)

    thread = threading.Thread(target=fail)
    thread.start()
    began = time.monotonic()
    answer = check(client)
    thread.join()
    assert answer.status_code == 503
    assert time.monotonic() - began < 8 < job_api.CHECK_WAIT_S
    assert "interrupted" in answer.text
    with world.database.session() as session:
        assert session.scalars(select(PracticeCheck.state)).one() == "queued"


def ids(world: World) -> set[str]:
    from sandbox.workspaces.models import Workspace

    with world.database.session() as session:
        return set(session.scalars(select(Workspace.id)))
