"""The officer's preview: few rows, covered, with a purpose, recorded."""

import pytest

from opendata.publishing.errors import InvalidSubmission, PublishingDenied
from opendata.publishing.rawdoor import COVER, preview
from opendata.storage.rawdoor import RawDoorContext
from tests.publishing.chain import AGGREGATE, id_number, survey_csv, survey_policy


@pytest.fixture
def asked(chain):
    dataset = chain.dataset("survey")
    intake = chain.upload(dataset, "survey.csv", survey_csv())
    resources = chain.resources
    door = RawDoorContext(resources.settings, resources.database, resources.vault, resources.keys)

    def ask(who="officer", **request):
        return preview(door, chain.people[who], {"intake_id": intake, "purpose": "核对脱敏效果", **request})

    return ask


def test_at_most_twenty_rows_with_identifiers_covered(asked):
    body = asked(policy_yaml=survey_policy(), rows=500).body
    assert len(body["before"]) == len(body["after"]) == 20
    assert {row[0] for row in body["before"]} == {row[1] for row in body["before"]} == {COVER}
    assert body["covered"] == ["person", "phone"]
    assert body["after_columns"] == ["age", "sex", "score"]
    assert body["risk"]["persons"] == 400
    assert body["risk"]["unique_before"] > body["risk"]["unique_after"] == 0


def test_a_policy_cannot_uncover_what_detection_found(asked):
    yaml = survey_policy().replace("phone: {role: direct_identifier", "phone: {role: insensitive")
    assert "phone" in asked(policy_yaml=yaml).body["covered"]


def kept(name):
    """The survey's policy with a direct identifier kept under another role."""
    dropped = f"{name}: {{role: direct_identifier, technique: suppression.drop"
    return survey_policy().replace(dropped, f"{name}: {{role: insensitive, technique: keep")


@pytest.mark.parametrize("name", ["person", "phone"])
def test_a_policy_that_keeps_an_identifier_shows_it_covered_until_it_is_revealed(asked, name):
    body = asked(policy_yaml=kept(name)).body
    place = body["after_columns"].index(name)
    assert {row[place] for row in body["after"]} == {COVER}
    answer = asked(policy_yaml=kept(name), reveal=[name])
    assert COVER not in {row[place] for row in answer.body["after"]}
    assert answer.audit.payload["reveal"] == [name]


def test_cells_of_an_identifier_stay_covered(asked):
    grouped = AGGREGATE.replace(
        "person: {role: direct_identifier, technique: suppression.drop", "person: {role: insensitive, technique: keep"
    )
    grouped = grouped.replace("by: [age, sex]", "by: [person]").replace("threshold: 10", "threshold: 2")
    shown = asked(policy_yaml=grouped.replace("unit: person\n", "")).body
    cells = [] if shown["table"] is None else [row[0] for row in shown["table"]["rows"]]
    assert set(cells) <= {COVER}


def test_a_reveal_is_named_in_the_entry_with_its_purpose(asked):
    answer = asked(reveal=["person"])
    assert answer.body["before"][0][0] == id_number(0)
    assert answer.audit.type == "rawdoor:view:reveal"
    assert answer.audit.payload == {
        "dataset": answer.audit.payload["dataset"],
        "rows": 20,
        "reveal": ["person"],
        "purpose": "核对脱敏效果",
    }
    assert id_number(0) not in repr(answer)
    assert asked().audit.type == "rawdoor:view:show"


def test_an_aggregate_shows_its_cells(asked):
    body = asked(policy_yaml=AGGREGATE).body
    assert body["table"]["columns"] == ["age", "sex", "persons", "mean_score"]


def test_limits_that_are_not_met_are_said_in_figures(asked):
    body = asked(policy_yaml=survey_policy(k=150, width=5)).body
    assert body["risk"] is None
    assert body["limits"]["limits"]["k_anonymity"] == 150


@pytest.mark.parametrize("who", ["other_officer", "reviewer", "firm", "auditor"])
def test_nobody_else_looks(asked, who):
    with pytest.raises(PublishingDenied):
        asked(who)


@pytest.mark.parametrize("request_", [{"purpose": " "}, {"rows": -1}, {"rows": "all"}, {"reveal": "person"}])
def test_malformed_requests_are_refused(asked, request_):
    with pytest.raises(InvalidSubmission):
        asked(**request_)
