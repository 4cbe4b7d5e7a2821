"""The report of an edition as a page: who may see which half, and what the page may load."""

import json

import pytest

from masking import apply
from masking.policy import load
from opendata.catalog.models import Dataset, Edition
from opendata.publishing.building import _without_raw_values
from tests.publishing.chain import survey_policy
from tests.publishing.test_composition import people

POLICY = survey_policy().replace("survey", "stops")
CANARY = 4711.25


@pytest.fixture
def reported(portal):
    """Both datasets' editions with the report of a real run."""
    table = people([20 + n % 60 for n in range(400)]).append_column("phone", [["x"] * 400])
    table = table.append_column("score", [[CANARY] * 400])
    report = apply(load(POLICY), table).report
    with portal.database.begin() as session:
        for dataset in session.query(Dataset).filter(Dataset.name.in_(["stops", "flights"])):
            edition = session.get(Edition, dataset.current_edition_id)
            kept = _without_raw_values(report).to_dict()
            edition.internal_report = {name: value for name, value in kept.items() if name != "released"}
            edition.public_report = report.public().to_dict()
    return portal


def edition_of(portal, name):
    with portal.database.session() as session:
        return session.query(Dataset).filter(Dataset.name == name).one().current_edition_id


@pytest.mark.parametrize(("language", "word"), [("zh", "脱敏"), ("en", "report")])
def test_everybody_reads_the_public_half_of_an_open_edition(reported, language, word):
    answer = reported.client().get("/dataset/stops/report", headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert word in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "<script" not in answer.text
    assert "<svg" in answer.text


@pytest.mark.parametrize("who", [None, "applicant", "stranger"])
def test_the_report_of_a_conditional_edition_needs_what_its_rows_need(reported, who):
    assert reported.client(who).get("/dataset/flights/report").status_code in {303, 401, 403}


def test_officers_of_the_department_and_reviewers_see_all_of_it_others_nothing(reported):
    path = f"/console/editions/{edition_of(reported, 'flights')}/report"
    officer = reported.client("officer").get(path)
    assert officer.status_code == 200
    assert officer.headers["cache-control"] == "private, no-store"
    for who in (None, "applicant", "stranger", "sysadmin"):
        assert reported.client(who).get(path).status_code in {303, 401, 403, 404}


def test_an_edition_without_a_report_says_so(portal):
    made = edition_of(portal, "flights")
    with portal.database.begin() as session:
        session.get(Edition, made).internal_report = None
    assert portal.client("officer").get(f"/console/editions/{made}/report").status_code == 404


def test_no_value_of_the_raw_table_is_stored_with_the_report():
    table = people([20 + n % 60 for n in range(400)]).append_column("phone", [["x"] * 400])
    report = apply(load(POLICY), table.append_column("score", [[CANARY] * 400])).report
    stored = {name: value for name, value in _without_raw_values(report).to_dict().items() if name != "released"}
    assert not any(each["before"] for each in stored["attributes"])
    # Positive control: the report of the run itself has them.
    assert any(each["before"] for each in report.to_dict()["attributes"])
    assert json.dumps(stored)
