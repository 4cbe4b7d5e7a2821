"""A page in Chinese says what is wrong with a policy in Chinese; a page in English in English."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from masking.messages import catalogue

WRONG = {
    "technique": (
        "version: 1\ndataset: t.wrong\nattributes:\n  age: {role: quasi_identifier, technique: generalization.roundd}\n",
        "没有名为",
        "there is no technique",
    ),
    "word": (
        "version: 1\ndataset: t.wrong\nattributes:\n  age: {role: insensitive}\nlimit: {k_anonymity: 5}\n",
        "没有条目",
        "has no entry",
    ),
    "rule": (
        "version: 1\ndataset: t.wrong\nattributes:\n  phone: {role: direct_identifier, technique: suppression.mask}\n",
        "不能消除直接标识符",
        "does not remove a direct identifier",
    ),
}


@pytest.fixture(scope="module")
def officer(portal) -> TestClient:
    portal.dataset("t-wrong", opening=None)
    return portal.client("officer")


def saved(officer: TestClient, lang: str, **values: str) -> str:
    """The page that refuses to save this policy."""
    answer = officer.post(
        "/console/datasets/t-wrong/policy",
        data={"csrf_token": officer.csrf, **values},
        headers={"Accept-Language": lang},
    )
    assert answer.status_code == 422
    return answer.text


@pytest.mark.parametrize("case", WRONG)
def test_policy_page_says_errors_in_its_language(officer, case):
    yaml, chinese, english = WRONG[case]
    for lang, said, unsaid in (("zh", chinese, english), ("en", english, chinese)):
        page = saved(officer, lang, yaml=yaml, action="save-yaml")
        summary = re.search(r'class="govuk-error-summary".*?</ul>', page, re.DOTALL)[0]
        assert said in summary
        assert unsaid not in summary


def test_what_the_form_refuses_is_said_in_the_language_of_the_page(officer):
    wrong = {
        "basis": "version: 1\ndataset: t.wrong\nattributes:\n  age: {role: insensitive}\n",
        "action": "save-form",
        "k_anonymity": "many",
    }
    assert "每组人数 k：应为 2 至 1,000,000 的整数" in saved(officer, "zh", **wrong)
    assert "Persons in a class, k: Enter a whole number from 2 to 1,000,000" in saved(officer, "en", **wrong)


def test_chinese_page_holds_no_english_of_the_library(officer):
    pieces = {piece for english in catalogue() for piece in english.split("{}") if len(piece.split()) > 3}
    assert len(pieces) > 100
    for yaml, _, _ in WRONG.values():
        page = saved(officer, "zh", yaml=yaml, action="save-yaml")
        assert not [piece for piece in pieces if piece in page]
