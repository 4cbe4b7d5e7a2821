"""API and pages over HTTP: who sees what, and the same bytes to the author whatever a sealed job found."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from opendata.app import create_app
from opendata.db import utc_now
from opendata.identity import service as identity
from sandbox.airlock.models import Assignment, ReleaseRequest
from sandbox.contracts import MIB, QUIET_RULES, Check, Enforcement
from sandbox.web import job_api
from sandbox.workspaces.door import sandbox_settings
from sandbox.workspaces.models import SandboxJob
from tests.sandbox.sandbox_world import GOOD, World, code


@pytest.fixture
def open_door(world: World):
    """The launcher's probes say that everything is stopped."""
    names = (*Enforcement.REQUIRED, *QUIET_RULES["L4"].needs)
    checks = tuple(Check(name, "stopped", name, name) for name in names)
    path = sandbox_settings(world.settings).enforcement_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(Enforcement(checks).to_json()))
    return path


@pytest.fixture
def app(world: World):
    return create_app(world.settings)


def speak(app, world: World, name: str, language: str = "en") -> TestClient:
    with world.database.begin() as session:
        token = identity.issue_token(session, world.actor(name).id, name="test", now=utc_now())
    headers = {"Authorization": f"Bearer {token}", "Accept-Language": language}
    return TestClient(app, base_url="http://localhost:8000", headers=headers)


def test_apply_approve_and_see(app, world: World, open_door):
    name = world.dataset("visits", "L2")
    researcher, officer = speak(app, world, "researcher"), speak(app, world, "officer")
    body = {
        "name": "w1", "title": "研究", "purpose": "研究就诊次数与年龄的关系", "datasets": [name], "term_days": 30,
        "pledge": {"version": researcher.get("/api/v1/workspaces/pledge").json()["version"], "name": "researcher"},
    }  # fmt: skip
    assert speak(app, world, "officer").post("/api/v1/workspaces", json=body).status_code == 403
    assert researcher.post("/api/v1/workspaces", json=body).status_code == 201
    assert researcher.get("/api/v1/workspaces/w1/datasets").status_code == 409  # not approved yet
    assert researcher.post("/api/v1/workspaces/w1/approve", json={"reason": "自己批准"}).status_code == 403
    assert speak(app, world, "reviewer").get("/api/v1/workspaces").json()["to_decide"] == []  # not their data
    assert [each["name"] for each in officer.get("/api/v1/workspaces").json()["to_decide"]] == ["w1"]
    assert officer.post("/api/v1/workspaces/w1/approve", json={"reason": "同意"}).json()["state"] == "approved"
    world.work()
    [dataset] = researcher.get("/api/v1/workspaces/w1/datasets").json()["datasets"]
    assert (dataset["kind"], dataset["path"]) == ("practice", "/data/visits/visits.parquet")
    practice = researcher.get("/api/v1/workspaces/w1/practice/visits").json()
    assert [column["name"] for column in practice["columns"]] == ["patient", "sex", "age", "visits"]
    assert practice["note"]["en"] == "practice data, for debugging only; results mean nothing"
    for language, words in (("zh", "仅供调试，结果没有意义"), ("en", "results mean nothing")):
        assert words in speak(app, world, "researcher", language).get("/workspaces/w1").text
    assert speak(app, world, "outsider").get("/api/v1/workspaces/w1").status_code == 404
    for path in ("/workspaces", "/workspaces/w1", "/workspaces/new"):
        for language in ("zh", "en"):
            assert speak(app, world, "researcher", language).get(path).status_code == 200
    assert speak(app, world, "reviewer").get("/workspaces/w1").status_code == 200


def test_author_gets_the_same_bytes_for_different_outputs(app, world: World, open_door):
    workspace = world.workspace("L1")
    bodies = []
    for sealed in ({"t.csv": GOOD}, {"t.csv": "sex,n\nP00001,1\n"}, {}):
        job_id = world.submit(workspace, code(sealed))
        created = world.job(job_id).created_at.isoformat()
        # Half an hour later, so that the last tick is long past for all of them.
        with world.database.begin() as session:
            job = session.merge(world.job(job_id))
            for column in ("sealed_queued_at", "sealed_started_at", "sealed_finished_at"):
                setattr(job, column, getattr(job, column) - timedelta(minutes=30))
        client = speak(app, world, "researcher")
        answers = [
            client.get(f"/api/v1/workspaces/study/jobs/{job_id}"),
            client.get("/api/v1/workspaces/study/outputs"),
        ]
        page = client.get(f"/workspaces/study?job={job_id}")
        assert page.status_code == 200
        bodies.append([a.content.replace(job_id.encode(), b"ID").replace(created.encode(), b"AT") for a in answers])
        assert client.get(f"/api/v1/jobs/{world.job(job_id).sealed_job_id}").status_code == 404
    assert bodies[0] == bodies[1] == bodies[2]
    assert b'"state":"finished"' in bodies[0][0]


def test_vote_and_download(app, world: World, open_door):
    workspace = world.workspace("L1")
    world.submit(workspace, code({"t.csv": GOOD}))
    with world.database.session() as session:
        request = session.scalars(select(ReleaseRequest)).one()
        drawn = session.scalars(select(Assignment.checker_id).where(Assignment.subject_id == request.id)).one()
    checker = next(name for name, actor in world.users.items() if actor.id == drawn)
    client = speak(app, world, checker)
    assert [case["id"] for case in client.get("/api/v1/airlock").json()["cases"]] == [request.id]
    assert client.get("/airlock").status_code == client.get(f"/airlock/{request.id}").status_code == 200
    author = speak(app, world, "researcher")
    ballot = {"decision": "approve", "explanation": "计数足够大，已取整，同意放行"}
    assert author.post(f"/api/v1/airlock/{request.id}/vote", json=ballot).status_code == 403
    unseen = client.post(f"/api/v1/airlock/{request.id}/vote", json=ballot)
    assert (unseen.status_code, "look at the content" in unseen.json()["detail"]) == (409, True)
    world.look(request.id, checker)
    assert client.post(f"/api/v1/airlock/{request.id}/vote", json={**ballot, "explanation": ""}).status_code == 422
    assert client.post(f"/api/v1/airlock/{request.id}/vote", json=ballot).json()["state"] == "approved"
    world.work()
    [output] = author.get("/api/v1/workspaces/study/outputs").json()["outputs"]
    names = [file["name"] for file in output["files"]]
    assert names == ["t.csv", "sdc-record.json", "sdc-record.json.sig"]
    files = {name: author.get(f"/api/v1/workspaces/study/outputs/{output['id']}/{name}").content for name in names}
    from sandbox.airlock.verify import verify_files

    assert verify_files(files, author.get("/api/v1/airlock/key").content).files == ("t.csv",)
    assert author.get(f"/api/v1/workspaces/study/outputs/{output['id']}/..%2Fx").status_code == 404
    assert (
        speak(app, world, "outsider").get(f"/api/v1/workspaces/study/outputs/{output['id']}/t.csv").status_code == 404
    )
    page = author.get("/workspaces/study")
    assert page.status_code == 200
    assert "sdc-record.json" in page.text
    revoked = speak(app, world, "security").post(
        f"/api/v1/airlock/outputs/{output['id']}/revoke", json={"reason": "数据提供部门要求撤回该产出"}
    )
    assert revoked.status_code == 200
    assert (
        author.get(f"/api/v1/workspaces/study/outputs/{output['id']}/t.csv").status_code == 409
    )  # and says that copies are to be deleted


def test_submit_and_check_over_http(app, world: World, open_door, monkeypatch):
    monkeypatch.setattr(job_api, "CHECK_WAIT_S", 300.0)
    world.workspace("L1")
    client = speak(app, world, "researcher")
    job = client.post("/api/v1/workspaces/study/jobs", params={"filename": "x.py"}, content=code({"t.csv": GOOD}))
    assert (job.status_code, job.json()["state"]) == (202, "submitted")
    world.work()
    assert client.get(f"/api/v1/workspaces/study/jobs/{job.json()['id']}").json()["dry_run"]["state"] == "ok"
    stop = threading.Event()

    def worker():
        while not stop.is_set():
            world.work()
            time.sleep(0.1)

    thread = threading.Thread(target=worker)
    thread.start()
    try:
        answer = client.post("/api/v1/workspaces/study/check", params={"path": "/out/t.csv"}, content=b"sex,n\nx,3\n")
    finally:
        stop.set()
        thread.join()
    rules = {finding["rule"] for finding in answer.json()["findings"]}
    assert {"small_count", "unrounded_count"} <= rules
    assert client.post("/api/v1/workspaces/study/jobs", params={"filename": "x.sh"}, content=b"x").status_code == 422
    assert client.post("/api/v1/workspaces/study/queries", json={}).status_code == 422


def test_a_notebook_is_taken_without_its_results_whichever_way_it_comes(app, world: World, open_door):
    """The hash of the snapshot is that of the code: another execution is not other code, for API and page alike."""
    world.workspace("L1")
    client = speak(app, world, "researcher")
    taken = []
    for number, source in enumerate(("x = 1", "x = 1", "x = 2")):
        cell = {"cell_type": "code", "source": source, "metadata": {}, "execution_count": number}
        shown = [{"output_type": "stream", "name": "stdout", "text": f"CANARY-{number}"}]
        content = json.dumps({"cells": [cell | {"outputs": shown}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        job = client.post("/api/v1/workspaces/study/jobs", params={"filename": "x.ipynb"}, content=content)
        taken.append(job.json()["id"])
        token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/workspaces/study").text)[1]
        sent = client.post(
            "/workspaces/study/jobs", data={"csrf_token": token}, files={"file": ("x.ipynb", content)},
            follow_redirects=False,
        )  # fmt: skip
        taken.append(sent.headers["location"].rpartition("/")[2])
    with world.database.session() as session:
        digests = [session.get_one(SandboxJob, each).code_digest for each in taken]
    assert len(set(digests[:4])) == 1
    assert digests[4] == digests[5] != digests[0]
    for job_id, digest in zip(taken, digests, strict=True):
        with world.vault.open(job_id) as stream:
            stored = stream.read()
        assert hashlib.sha256(stored).hexdigest() == digest
        assert b"CANARY" not in stored
        assert b"x = " in stored
    for language, words in (("zh", "去掉各格的结果"), ("en", "without its cells")):
        assert words in speak(app, world, "researcher", language).get("/workspaces/study").text


def test_homes_are_smaller_at_a_higher_level_and_the_page_says_how_large(app, world: World, open_door):
    """What the hub asks for before it starts a session, and what members read."""
    for name, level in (("low", "L1"), ("high", "L4")):
        world.workspace(level, name=name)
    client = speak(app, world, "researcher")
    sizes = {name: client.get(f"/api/v1/workspaces/{name}/budget").json()["home_bytes"] for name in ("low", "high")}
    assert sizes == {"low": 1024 * MIB, "high": 256 * MIB}
    assert "256" in re.search(r"All homes together.*?</div>", client.get("/workspaces/high").text, re.DOTALL)[0]


def test_closed_door_is_said_plainly_and_the_rest_works(app, world: World):
    world.workspace("L1")
    client = speak(app, world, "researcher")
    refused = client.post("/api/v1/workspaces/study/jobs", params={"filename": "x.py"}, content=b"x = 1")
    assert refused.status_code == 503
    assert "not open" in refused.json()["detail"]
    assert "The sandbox is not open" in client.get("/workspaces").text
    assert client.get("/api/v1/workspaces/study").json()["door"]["open"] is False
    assert client.get("/datasets").status_code == 200


def test_every_text_of_the_sandbox_has_english(app):
    import re
    from pathlib import Path

    import sandbox.web

    english = app.state.pages.texts.english
    folder = Path(sandbox.web.__file__).parent / "templates"
    ids = {
        match
        for template in folder.rglob("*.html")
        for match in re.findall(r'_\(\s*"([^"]+)"', template.read_text("utf-8"))
    }
    assert ids
    assert sorted(ids - set(english)) == []
    assert {"数据沙箱", "出域审查"} <= set(english)
