"""Hierarchy files over both ways in: who may bring, read and remove them, what is said of a wrong one, what a policy is
made of once it names one."""

import dataclasses

import pytest

from masking.policy import load
from opendata.web import policy_form

NAME = "t-hierarchies"
GOOD = "会计;财务;*\n出纳;财务;*\n教师;教育;*\n".encode()
POLICY = f"""version: 1
dataset: {NAME}
level: L2
attributes:
  job: {{role: quasi_identifier, technique: TECHNIQUE, reason: 职业}}
  pay: {{role: sensitive, technique: keep, reason: 收入}}
limits: {{k_anonymity: 5}}
"""


@pytest.fixture(scope="module")
def officer(portal):
    portal.dataset(NAME, opening=None)
    client = portal.client("officer")
    saved = client.post(
        f"/console/datasets/{NAME}/policy",
        data={
            "csrf_token": client.csrf,
            "action": "save-yaml",
            "yaml": POLICY.replace("TECHNIQUE", "generalization.recoding"),
        },
    )
    assert saved.status_code == 200, saved.text
    return client


@pytest.fixture
def send(portal, officer):
    def ask(content, filename="jobs.csv", language="zh", token=None):
        return officer.post(
            f"/console/datasets/{NAME}/hierarchies",
            data={"csrf_token": officer.csrf if token is None else token},
            files={"hierarchy": (filename, content)},
            headers={"Accept-Language": language},
        )

    yield ask
    for each in listed(portal):
        officer.post(f"/console/datasets/{NAME}/hierarchies/{each['name']}/remove", data={"csrf_token": officer.csrf})


def listed(portal):
    return portal.api("officer").get(f"/api/v1/datasets/{NAME}/hierarchies").json()["hierarchies"]


def test_an_uploaded_file_is_listed_and_can_be_read_again(portal, officer, send):
    assert send(GOOD).status_code == 303
    (file,) = listed(portal)
    assert (file["name"], file["entries"], file["levels"]) == ("jobs.csv", 3, 3)
    page = officer.get(f"/console/datasets/{NAME}/policy").text
    assert file["sha256"][:12] in page
    assert "recode_file:jobs.csv" in page
    for client, door in ((officer, "/console"), (portal.api("officer"), "/api/v1")):
        answer = client.get(f"{door}/datasets/{NAME}/hierarchies/jobs.csv")
        assert answer.content == GOOD
        assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize(("language", "words"), [("zh", "第 2 行：第 1 层有空缺"), ("en", "line 2: a hole at level 1")])
def test_a_wrong_file_is_told_beside_its_field_and_by_its_line(portal, send, language, words):
    answer = send("会计;财务\n机密职业;\n".encode(), language=language)
    assert answer.status_code == 422
    assert answer.text.count(words) == 2, "in the summary and at the field"
    assert 'href="#hierarchy"' in answer.text
    assert "机密职业" not in answer.text
    assert listed(portal) == []


@pytest.mark.parametrize(
    ("content", "filename"), [(GOOD, "jobs.xlsx"), (b"a;b\n" * 300_000, "jobs.csv")], ids=["kind", "size"]
)
def test_another_kind_of_file_and_a_large_one_are_refused(portal, send, content, filename):
    assert send(content, filename).status_code == 422
    assert listed(portal) == []


def test_a_form_without_its_token_leaves_nothing(portal, send):
    assert send(GOOD, token="x" * 32).status_code == 403
    assert listed(portal) == []


@pytest.mark.parametrize("who", ["stranger", "reviewer", "applicant", "auditor", None])
def test_nobody_else_reads_brings_or_removes(portal, officer, send, who):
    send(GOOD)
    path = f"/api/v1/datasets/{NAME}/hierarchies"
    other = portal.api(who) if who else portal.client()
    answers = [
        other.get(path),
        other.get(f"{path}/jobs.csv"),
        other.put(f"{path}/more.csv", content=GOOD),
        other.delete(f"{path}/jobs.csv"),
        other.get(f"/console/datasets/{NAME}/hierarchies/jobs.csv"),
    ]
    assert {answer.status_code for answer in answers} <= {303, 401, 403, 404}
    assert not any("会计" in answer.text for answer in answers)
    assert [each["name"] for each in listed(portal)] == ["jobs.csv"]


def test_the_form_names_a_file_and_the_saved_policy_holds_its_rows(portal, officer, send):
    send(GOOD)
    form = {"csrf_token": officer.csrf, "action": "save-form", "how-0": "recode_file:jobs.csv", "how-1": "keep"}
    page = officer.post(f"/console/datasets/{NAME}/policy", data=form).text
    assert "已保存为第" in page
    assert 'value="recode_file:jobs.csv" selected' in page, "the form knows the rows again"
    sha256 = listed(portal)[0]["sha256"]
    assert f'title="{sha256}"' in page.partition("所用")[2].partition("</ul>")[0]
    rule = load(portal.api("officer").get(f"/api/v1/datasets/{NAME}/policy").text).attributes["job"]
    assert rule.parameters == {"mapping": {"会计": ["财务", "*"], "出纳": ["财务", "*"], "教师": ["教育", "*"]}}
    # Levels are changed beside it, and the rows stay.
    changed = {**form, "how-0": "recode_file:jobs.csv", "lowest-0": "1", "highest-0": "", "weight-0": ""}
    officer.post(f"/console/datasets/{NAME}/policy", data=changed)
    again = load(portal.api("officer").get(f"/api/v1/datasets/{NAME}/policy").text).attributes["job"]
    assert again.parameters == {**rule.parameters, "lowest": 1}


@pytest.mark.parametrize(("language", "words"), [("zh", "第 3 行"), ("en", "line 3")])
def test_a_wrong_file_of_the_service_is_told_with_attribute_and_line(portal, officer, tmp_path, language, words):
    (tmp_path / "wrong.csv").write_text("a;x\nb;x\n机密;x;y\n")
    yaml = POLICY.replace("TECHNIQUE", "generalization.recoding, file: wrong.csv")
    form = {"csrf_token": officer.csrf, "action": "save-yaml", "yaml": yaml}
    portal.app.state.settings = dataclasses.replace(portal.settings, policies_dir=tmp_path)
    try:
        answer = officer.post(f"/console/datasets/{NAME}/policy", data=form, headers={"Accept-Language": language})
    finally:
        portal.app.state.settings = portal.settings
    assert answer.status_code == 422
    assert words in answer.text
    assert "job" in answer.text.partition(words)[0].rpartition("<a")[2]
    assert "机密" not in answer.text


def test_large_hierarchies_survive_the_form():
    values = ", ".join(f'"值{n}": ["组{n % 20}"]' for n in range(2000))
    policy = load(POLICY.replace("TECHNIQUE", f"generalization.hierarchy, level: 1, mapping: {{{values}}}"))
    (job, _) = policy_form.rows(policy, "zh")
    assert job.parameters == "level: 1"
    form = {"how-0": "current", "parameters-0": "level: 1, on_missing: suppress"}
    again = load(policy_form.changed(policy, form)).attributes["job"].parameters
    assert again == {**policy.attributes["job"].parameters, "on_missing": "suppress"}
    replaced = load(policy_form.changed(policy, {"how-0": "current", "parameters-0": "mapping: {a: b}"}))
    assert replaced.attributes["job"].parameters == {"mapping": {"a": "b"}}


def test_who_judges_an_edition_sees_which_files_its_policy_was_made_with(portal):
    from sqlalchemy import select

    from opendata.catalog.models import Dataset, Edition
    from opendata.publishing.models import PolicyVersion

    pin = {"attribute": "district", "name": "districts.csv", "sha256": "ab" * 32, "entries": 2, "levels": 3}
    with portal.database.begin() as session:
        flights = session.scalar(select(Dataset).where(Dataset.name == "flights"))
        edition = session.get_one(Edition, flights.current_edition_id)
        version = session.get_one(PolicyVersion, edition.policy_version_id)
        version.yaml = POLICY.replace("TECHNIQUE", "keep")
        version.hierarchies = [{**pin, "rows_digest": "cd" * 32}]
        path = f"/console/editions/{edition.id}"
    page = portal.client("officer").get(path)
    assert page.status_code == 200
    assert "districts.csv" in page.text
    assert f'title="{"ab" * 32}"' in page.text
    assert "districts.csv" not in portal.client().get("/dataset/flights").text


def test_a_policy_is_tried_with_the_file_that_it_names(portal, officer, send, monkeypatch):
    from sqlalchemy import select

    from opendata.catalog.models import Dataset
    from opendata.db import new_id, utc_now
    from opendata.publishing.models import Intake
    from opendata.storage import rawdoor

    send(GOOD)
    asked = []
    monkeypatch.setattr(rawdoor, "ask", lambda _settings, _what, question, **_: asked.append(question) or {})
    with portal.database.begin() as session:
        dataset = session.scalar(select(Dataset).where(Dataset.name == NAME))
        intake = new_id()
        about = {"dataset_id": dataset.id, "organization_id": dataset.organization_id, "created_at": utc_now()}
        session.add(
            Intake(
                id=intake, filename="t.csv", format="csv", created_by=portal.users["officer"], bad_row_count=0, **about
            )
        )
    body = {"policy": POLICY.replace("TECHNIQUE", "generalization.recoding, file: jobs.csv"), "purpose": "核对"}
    assert portal.api("officer").post(f"/api/v1/intakes/{intake}/preview", json=body).status_code == 200
    tried = load(asked[0]["policy_yaml"]).attributes["job"].parameters
    assert tried == {"mapping": {"会计": ["财务", "*"], "出纳": ["财务", "*"], "教师": ["教育", "*"]}}
