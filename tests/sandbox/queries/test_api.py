"""Over HTTP: what is registered, answers as JSON and CSV, from a workspace and its client, and the same refusals."""

from __future__ import annotations

import csv
import io

import pytest
from fastapi.testclient import TestClient

from opendata.access import service as access
from opendata.access.models import Grant
from opendata.app import create_app
from opendata.db import utc_now
from opendata.identity import service as identity
from sandbox.client.workspace import Workspace
from sandbox.queries.answers import _harmless
from tests.sandbox.queries.conftest import Tables
from tests.sandbox.queries.cubes import persons_table
from tests.sandbox.queries.test_service import _workspace, change, grant
from tests.sandbox.sandbox_world import World


def speak(world: World, name: str | None = None, language: str = "en", **headers: str) -> TestClient:
    headers["Accept-Language"] = language
    if name is not None:
        with world.database.begin() as session:
            token = identity.issue_token(session, world.actor(name).id, name="test", now=utc_now())
        headers["Authorization"] = f"Bearer {token}"
    if "app" not in world.users:  # one application a world: making one takes longer than a test
        world.users["app"] = create_app(world.settings)
    return TestClient(world.users["app"], base_url="http://localhost:8000", headers=headers)


def test_from_registration_to_answer(tables: Tables):
    name = tables.dataset("visits", "L1", table=persons_table(3000))
    officer, anyone = speak(tables.world, "officer"), speak(tables.world)
    assert anyone.get(f"/api/v1/datasets/{name}/tables").json()["state"] == "none"
    assert anyone.post(f"/api/v1/datasets/{name}/tables").status_code in (401, 403)
    assert speak(tables.world, "researcher").post(f"/api/v1/datasets/{name}/tables").status_code == 403
    asked = officer.post(f"/api/v1/datasets/{name}/tables")
    assert (asked.status_code, asked.json()["state"]) == (202, "computing")
    assert officer.get(f"/api/v1/datasets/{name}/tables").json()["job_id"] == asked.json()["job_id"]
    assert anyone.get(f"/api/v1/datasets/{name}/tables/query").status_code == 403
    tables.world.work()
    registered = anyone.get(f"/api/v1/datasets/{name}/tables").json()
    assert (registered["state"], registered["may_ask"], registered["most_dimensions"]) == ("published", True, 3)
    assert registered["dimensions"][2]["categories"][0] == {"code": "=a", "title": {"zh": "甲", "en": "one"}}
    answer = anyone.get(
        f"/api/v1/datasets/{name}/tables/query", params={"by": ["sex", "age"], "measures": ["n=count", "c=cost:mean"]}
    )
    assert answer.status_code == 200
    assert answer.json() == anyone.get(
        f"/api/v1/datasets/{name}/tables/query?by=age,sex&measures=n=count,c=cost:mean"
    ).json()  # fmt: skip
    assert officer.post(f"/api/v1/datasets/{name}/tables").status_code == 409


def test_csv_is_harmless_in_a_spreadsheet(standing: Tables):
    assert [_harmless(each) for each in ("=1+1", "+1", "-1", "@x", "\tx", "男")] == [
        "'=1+1", "'+1", "'-1", "'@x", "'\tx", "男",
    ]  # fmt: skip
    client = speak(standing.world, language="zh")
    answer = client.get("/api/v1/datasets/visits/tables/query?by=kind&measures=count&format=csv&bom=true")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0] == ["类别", "人数", "人数误差（±，95%）", "人数可靠程度"]
    assert [row[0] for row in rows[1:]] == ["甲", "乙", "丙"]
    english = speak(standing.world).get("/api/v1/datasets/visits/tables/query?by=kind&format=csv").text
    assert english.splitlines()[0] == 'kind,persons,"persons, error (±, 95 %)","persons, reliability"'


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("by=colour", 422),
        ("by=sex&by=age&by=kind&by=sex", 422),
        ("by=" + ",".join(f"d{place}" for place in range(30)), 422),
        ("measures=x=cost:max", 422),
        ("measures=a=count&measures=a=cost:sum", 422),
        ("measures==cmd|'/c calc'!A1", 422),
        ("by=%00&measures=count", 422),
        ("format=xml", 422),
        ("by=sex%27%3B+DROP+TABLE+fixed_cubes%3B--", 422),
        ("measures=", 422),
    ],
)
def test_bad_questions(standing: Tables, query, status):
    answer = speak(standing.world).get(f"/api/v1/datasets/visits/tables/query?{query}")
    assert answer.status_code == status, answer.text
    assert "DROP" not in answer.text


def test_hidden_and_absent_answer_alike(tables: Tables):
    tables.ready("visits", table=persons_table(3000))
    change(tables.world, "visits", visibility="none")
    client = speak(tables.world)
    for path in ("tables", "tables/query?by=sex"):
        hidden, absent = (client.get(f"/api/v1/datasets/{name}/{path}") for name in ("visits", "absent-one"))
        assert (hidden.status_code, absent.status_code) == (404, 404)
        assert hidden.text.replace("visits", "*") == absent.text.replace("absent-one", "*")


def test_level_two_needs_a_door_and_says_which(tables: Tables):
    tables.ready("visits", "L2", table=persons_table(3000))
    path = "/api/v1/datasets/visits/tables/query?by=sex"
    nobody, outsider = speak(tables.world).get(path), speak(tables.world, "outsider").get(path)
    assert (nobody.status_code, outsider.status_code) == (401, 403)
    assert outsider.json()["help"]
    assert outsider.json()["clause"]
    held = grant(tables.world, "visits", "outsider")
    answer = speak(tables.world, "outsider").get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-store"
    with tables.world.database.begin() as session:
        key = access.issue_app_key(session, session.get_one(Grant, held), actor=tables.world.actor("outsider"))
    with_key = speak(tables.world, **{"X-App-Key": key}).get(path)
    assert with_key.json() == answer.json()
    assert speak(tables.world, **{"X-App-Key": "odk_wrong"}).get(path).status_code == 401


def test_from_a_workspace_and_its_client(tables: Tables):
    """What `Workspace.query` sends; the sandbox door is closed in this world, and tables answer all the same."""
    tables.ready("visits", "L2", table=persons_table(3000))
    _workspace(tables.world)
    tables.dataset("other", "L1", table=persons_table(3000))
    client = speak(tables.world, "researcher")

    class Gate:
        def post(self, path, question, query=None):
            answer = client.post(path, json=question)
            assert answer.status_code == 200, answer.text
            return answer.json()

    answer = Workspace("study", Gate()).query("visits", by=["sex"], measures={"n": "count", "cost": {"sum": "cost"}})
    assert answer.columns == ("sex", "n", "n_error", "cost", "cost_error")
    assert [row[0] for row in answer.rows] == ["F", "M"]
    assert "噪声" in answer._repr_html_()
    assert Workspace("study", Gate()).query("visits").rows[0][0] > 2000
    path = "/api/v1/workspaces/study/queries"
    assert client.get(f"{path}/visits").json()["may_ask"]
    assert client.get(f"{path}/other").status_code == 404
    absent = client.post(path, json={"dataset": "other"})
    assert (absent.status_code, "visits" in absent.text) == (404, True)
    elsewhere = client.get("/api/v1/workspaces/study/practice/other")
    assert (elsewhere.status_code, "visits" in elsewhere.text) == (404, True)
    one, listed = (client.post(path, json={"dataset": "visits", "by": by}) for by in ("sex", ["sex"]))
    assert (one.status_code, one.json()) == (200, listed.json())
    assert speak(tables.world, "outsider").post(path, json={"dataset": "visits"}).status_code == 404
    assert speak(tables.world).post(path, json={"dataset": "visits"}).status_code in (401, 403)
    assert client.post(path, json={}).status_code == 422
