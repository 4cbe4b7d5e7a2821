"""Promise 4: the product says its limits and never calls a thing more than it is."""

from __future__ import annotations

import pytest

from opendata.cli.client import Refused
from opendata.errors import JobFailed
from tests.chain.steps import build, create_dataset, csv, people, people_policy, publish, save_policy, upload
from tests.conftest import ROOT, Service

pytestmark = pytest.mark.integration


def test_keyed_pseudonym_is_never_called_anonymous(service: Service) -> None:
    name = "keyed"
    edition = publish(service, name, csv(people()), people_policy(name, keyed=True), opening_class="conditional")
    assert edition["legal_status"] == "deidentified"
    page = service.client().request("GET", f"/dataset/{name}").text
    assert "去标识化" in page
    assert "匿名化" not in page.replace("不是匿名化", "")


def test_screen_mask_is_not_a_release_technique(service: Service) -> None:
    """An identity number with its middle hidden is 9 % of guesses from the number: it must not be an edition."""
    name = "screen-mask"
    officer = service.client("officer-social")
    create_dataset(officer, name)
    intake = upload(officer, name, csv(people()))
    policy = people_policy(name, keyed=False).replace(
        "resident_id: {role: direct_identifier, technique: suppression.drop}",
        "resident_id: {role: direct_identifier, technique: suppression.mask, keep_first: 6, keep_last: 4}",
    )
    assert "suppression.mask" in policy
    with pytest.raises((Refused, JobFailed), match="resident_id"):
        build(officer, intake["id"], save_policy(officer, name, policy), "conditional")


def test_no_output_is_released_without_people() -> None:
    """No transition leads to release without votes, whatever the checks say."""
    from sandbox.airlock import states

    released = {str(before) for before, after in states.TRANSITIONS.items() if "released" in map(str, after)}
    assert released <= {"approved", "releasing"}
    approved = {str(before) for before, after in states.TRANSITIONS.items() if "approved" in map(str, after)}
    assert approved <= {"in_review", "third_review", "reviewed"}


def test_limits_page_names_what_is_not_defended() -> None:
    page = (ROOT / "docs" / "limits.md").read_text("utf-8")
    for word in ("kernel", "willing author", "Screens", "Root", "One user for all"):
        assert word in page
