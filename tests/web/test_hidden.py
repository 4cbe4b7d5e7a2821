"""What a visitor may not know of changes no answer (PRIVACY.md 25, 31) and is nobody else's to ask for (23)."""

import re
import uuid

import pytest

from opendata.access.models import AccessRequest
from opendata.catalog.models import Dataset, Edition
from opendata.db import utc_now
from opendata.jobs import enqueue
from opendata.ledger.models import LedgerOpening
from opendata.publishing.models import Intake
from tests.web.conftest import Portal

PUBLIC = [
    "/",
    "/datasets",
    "/datasets?q=数据",
    "/datasets?q=secret",
    "/datasets?level=L3",
    "/dataset/stops",
    "/dataset/secret",
    "/dataset/secret/rows",
    "/about",
    "/metrics",
    "/readyz",
    "/api/v1/datasets",
    "/api/v1/datasets?q=secret",
    "/api/v1/datasets?page_size=1&page=2",
    "/api/v1/datasets/secret",
    "/api/v1/datasets/secret/rows",
    "/api/v1/datasets/secret/receipt",
    "/api/v1/datasets/secret/download.csv",
    "/api/3/action/package_list",
    "/api/3/action/package_search",
    "/api/3/action/package_search?q=secret&rows=1",
    "/api/3/action/package_show?id=secret",
    "/api/3/action/organization_list?all_fields=true",
    "/api/3/action/tag_list",
    "/api/3/action/license_list",
]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """A portal in which nothing else happens."""
    made = Portal(tmp_path_factory.mktemp("quiet") / "home")
    made.dataset("stops", opening="unconditional")
    made.dataset("flights", opening="conditional")
    yield made
    made.database.dispose()


def answers(client):
    found = {}
    for path in PUBLIC:
        answer = client.get(path)
        headers = {name: value for name, value in answer.headers.items() if name not in {"date", "set-cookie"}}
        found[path] = (answer.status_code, answer.content, headers)
    return found


def test_one_more_hidden_dataset_changes_no_byte_of_any_public_answer(quiet):
    client = quiet.client()
    client.get("/sign-in")  # the visitor's cookie, which the forms carry
    before = answers(client)
    hidden = quiet.dataset("secret", opening="unconditional", level="L3", visibility="none", title="数据 secret")
    quiet.dataset("secret-2", opening="conditional", visibility="department", title="数据 secret")
    quiet.dataset("secret-draft", opening=None, title="数据 secret")
    with quiet.database.begin() as session:
        session.get(Dataset, hidden).keywords = ["secret"]
    after = answers(client)
    assert [path for path in PUBLIC if before[path] != after[path]] == []
    unknown = client.get(f"/api/3/action/package_show?id={uuid.uuid4()}")
    assert client.get(f"/api/3/action/package_show?id={hidden}").content == unknown.content


@pytest.fixture(scope="module")
def things(quiet):
    """Ids of one intake, edition, job, application of the transport office's conditional dataset."""
    applicant = quiet.api("applicant")
    body = {
        "scenario": "自由文本 CANARY 一二三",
        "purpose": "延误预测模型",
        "term_days": 30,
        "safeguards": "专用服务器",
        "pledge": True,
    }
    request = applicant.post("/api/v1/datasets/flights/requests", json=body).json()["id"]
    with quiet.database.begin() as session:
        dataset = session.query(Dataset).filter_by(name="flights").one()
        intake = session.query(Intake).filter_by(dataset_id=dataset.id).one()
        edition = session.query(Edition).filter_by(dataset_id=dataset.id).one()
        job = enqueue(session, "intake", {"intake_id": intake.id}, actor_id=quiet.users["officer"])
        return {"intake": intake.id, "edition": edition.id, "job": job.id, "request": request}


TOKEN = re.compile(r'value="[0-9a-f]{64}"')
"""The form token of a page, another one each time."""
ASKED = [
    ("GET", "/api/v1/intakes/{intake}", None),
    ("DELETE", "/api/v1/intakes/{intake}", None),
    ("GET", "/api/v1/intakes/{intake}/proposal", None),
    ("POST", "/api/v1/intakes/{intake}/preview", {"purpose": "看看数据"}),
    ("POST", "/api/v1/intakes/{intake}/acknowledge", None),
    ("GET", "/api/v1/editions/{edition}", None),
    ("POST", "/api/v1/editions/{edition}/withdraw", {"reason": "不该在这里"}),
    ("POST", "/api/v1/editions/{edition}/approve", {"opinion": "同意发布，没有问题。"}),
    ("GET", "/api/v1/jobs/{job}", None),
    ("POST", "/api/v1/jobs/{job}/cancel", None),
    ("GET", "/api/v1/requests/{request}", None),
    ("POST", "/api/v1/requests/{request}/withdraw", None),
    ("GET", "/console/intakes/{intake}", None),
    ("GET", "/console/jobs/{job}", None),
]


@pytest.mark.parametrize("who", ["stranger", "grantee", "researcher", "auditor", "sysadmin"])
def test_somebody_elses_things_answer_like_nothing(quiet, things, who):
    client = quiet.api(who)
    for method, path, body in ASKED:
        known, nothing = path.format(**things), path.format(**dict.fromkeys(things, str(uuid.UUID(int=0))))
        one, other = (client.request(method, each, json=body) for each in (known, nothing))
        assert one.status_code == other.status_code, path
        assert one.status_code in {403, 404}, path
        said = [TOKEN.sub("", answer.text.replace(own, "")) for answer, own in ((one, known), (other, nothing))]
        assert said[0] == said[1], path


def test_free_text_of_an_application_stands_in_no_ledger_entry_and_on_no_public_page(quiet, things):
    with quiet.database.session() as session:
        assert "CANARY" in session.get(AccessRequest, things["request"]).scenario
        assert not any("CANARY" in opening.payload for opening in session.query(LedgerOpening))
    client = quiet.client()
    for path in [*PUBLIC, "/dataset/flights", "/ledger", f"/requests/{things['request']}"]:
        assert "CANARY" not in client.get(path).text


def test_users_words_are_text_on_every_page(quiet):
    hostile = "<img src=x onerror=alert(1)>\"'{{7*7}}"
    office = quiet.api("officer")
    texts = {"zh": hostile, "en": hostile}
    body = {"name": "words", "title": texts, "summary": texts, "origin": texts, "keywords": [hostile], "theme": hostile}
    assert office.post("/api/v1/datasets", json=body | {"licence": hostile}).status_code == 201
    with quiet.database.begin() as session:
        session.query(Dataset).filter_by(name="words").one().updated_at = utc_now()
    pages = ["/console/datasets", "/console/datasets/words", "/console/datasets/words/edit", "/dataset/words"]
    for path in [*pages, "/datasets?q=img", f"/datasets?q={hostile}", "/console/datasets/words/policy"]:
        text = quiet.client("officer").get(path).text
        assert "<img src=x" not in text
        assert "{49}" not in text
