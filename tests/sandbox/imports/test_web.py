"""Imports over HTTP: sealed uploads, pages in both languages, who is told what."""

from __future__ import annotations

import json
import re

import pytest
from fastapi.testclient import TestClient

from opendata.app import create_app
from opendata.db import utc_now
from opendata.identity import service as identity
from sandbox.contracts import Check, Enforcement
from sandbox.imports.limits import default_rules
from sandbox.web.import_api import name_of
from sandbox.workspaces.door import sandbox_settings
from tests.sandbox.imports.conftest import ASSESSMENT, ImportWorld, file_bytes, people

CONTENT = file_bytes(people(range(2000, 2300)), "t.csv")


@pytest.fixture
def app(world: ImportWorld):
    checks = tuple(Check(name, "stopped", name, name) for name in Enforcement.REQUIRED)
    file = sandbox_settings(world.settings).enforcement_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(Enforcement(checks).to_json()))
    return create_app(world.settings)


def speak(app, world: ImportWorld, name: str, language: str = "en") -> TestClient:
    with world.database.begin() as session:
        token = identity.issue_token(session, world.actor(name).id, name="test", now=utc_now())
    headers = {"Authorization": f"Bearer {token}", "Accept-Language": language}
    return TestClient(app, base_url="http://localhost:8000", headers=headers, follow_redirects=False)


def test_an_import_goes_its_way_over_http(app, world: ImportWorld):
    world.workspace("L1")
    mine, officer, reviewer = (speak(app, world, name) for name in ("researcher", "officer", "reviewer"))
    base = "/api/v1/workspaces/study/imports"
    assert mine.post(base, params={"filename": "a.pkl"}, content=CONTENT).status_code == 422
    assert speak(app, world, "outsider").post(base, params={"filename": "a.csv"}, content=CONTENT).status_code == 404
    made = mine.post(base, params={"filename": "Own Table.csv"}, content=CONTENT).json()
    assert (made["name"], made["state"]) == ("own-table", "uploaded")
    world.work()
    page = mine.get(f"/workspaces/study/imports/{made['id']}")
    assert page.status_code == 200
    assert 'value="patient" checked' in page.text
    body = {"purpose": "与就诊数据按人关联，研究职业", "level": "L3", "person_keys": ["patient"], **ASSESSMENT}
    without = mine.post(f"{base}/{made['id']}/declare", json={**body, "assessment": ""})
    assert without.status_code == 422
    assert "impact assessment" in without.text
    assert mine.post(f"{base}/{made['id']}/declare", json=body).json()["state"] == "in_review"
    assert [each["id"] for each in officer.get("/api/v1/imports").json()["waiting"]] == [made["id"]]
    assert (
        reviewer.post(f"/api/v1/imports/{made['id']}/decide", json={"approve": True, "reason": "同意"}).status_code
        == 409
    )
    consent = {"dataset": "study-data", "approve": True, "reason": "同意关联"}
    assert mine.post(f"/api/v1/imports/{made['id']}/consent", json=consent).status_code == 403
    assert officer.post(f"/api/v1/imports/{made['id']}/consent", json=consent).status_code == 200
    assert (
        reviewer.post(f"/api/v1/imports/{made['id']}/decide", json={"approve": True, "reason": "同意"}).status_code
        == 200
    )
    world.work()
    listed = mine.get(base).json()
    assert listed["mounted"] == [{"name": "own-table", "id": made["id"]}]
    for who, path in (
        ("researcher", "/workspaces/study/imports"),
        ("researcher", f"/workspaces/study/imports/{made['id']}"),
        ("officer", "/imports"),
        ("officer", f"/imports/{made['id']}"),
        ("reviewer", f"/imports/{made['id']}"),
    ):
        for language in ("zh", "en"):
            shown = speak(app, world, who, language).get(path)
            assert shown.status_code == 200, (who, path)
            assert "P02003" not in shown.text
            if language == "en":
                body_text = re.sub(r"<[^>]+>", " ", shown.text.partition("<main")[2].partition("</main")[0])
                assert not re.findall(
                    r"[\u4e00-\u9fff]{4,}",
                    body_text.replace("研究就诊次数与年龄的关系", "")
                    .replace("与就诊数据按人关联，研究职业", "")
                    .replace(ASSESSMENT["assessment"], "")
                    .replace("同意关联", ""),
                ), path
    assert speak(app, world, "outsider").get(f"/api/v1/imports/{made['id']}").status_code == 404
    assert speak(app, world, "outsider").get(f"/imports/{made['id']}").status_code == 404
    assert mine.post(f"/api/v1/imports/{made['id']}/withdraw").json()["state"] == "withdrawn"
    assert mine.get(base).json()["mounted"] == []


def test_uploads_are_bounded_and_leave_nothing_when_refused(app, world: ImportWorld, monkeypatch):
    from dataclasses import replace

    world.workspace("L1")
    mine = speak(app, world, "researcher")
    rules = default_rules()
    small = replace(rules, limits=replace(rules.limits, max_bytes=100))
    monkeypatch.setattr("sandbox.web.import_api.default_rules", lambda: small)
    answer = mine.post("/api/v1/workspaces/study/imports", params={"filename": "a.csv"}, content=CONTENT)
    assert answer.status_code == 422
    assert mine.post("/api/v1/workspaces/study/imports", params={"filename": "a.csv"}, content=b"").status_code == 422
    assert not [path for path in world.settings.incoming_dir.iterdir() if path.is_file()]


def test_a_form_without_its_token_is_refused_and_nothing_is_kept(app, world: ImportWorld):
    world.workspace("L1")
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + CONTENT + b"\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = speak(app, world, "researcher").post("/workspaces/study/imports", content=part, headers=headers)
    assert answer.status_code == 403, answer.text
    assert not [path for path in world.settings.incoming_dir.iterdir() if path.is_file()]


@pytest.mark.parametrize(
    ("filename", "name"),
    [("My Data (2).csv", "my-data-2"), ("职业.csv", "own"), ("a_b-c.parquet", "a_b-c"), ("x" * 60 + ".csv", "x" * 40)],
)
def test_an_import_is_named_by_its_file(filename: str, name: str):
    assert name_of(filename) == name
