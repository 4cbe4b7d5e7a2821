"""The effect grade as a table."""

from __future__ import annotations

import pytest

from masking.errors import InvalidParameter
from masking.measures.effect import SOURCES, THRESHOLDS, acceptable, attacked_risk, effect
from masking.measures.risk import JournalistRisk, Risk
from masking.policy import load

HEAD = "version: 1\ndataset: x\nattributes:\n"
QUASI = "  a: {role: quasi_identifier, technique: keep}\n"
FORMS = {
    "quasi": QUASI,
    "direct in clear": QUASI + "  d: {role: direct_identifier, technique: suppression.mask, keep_first: 1}\n",
    "pseudonym": QUASI + "  d: {role: direct_identifier, technique: pseudonymization.keyed, key: k}\n",
    "dropped": QUASI + "  d: {role: direct_identifier, technique: suppression.drop}\n",
    "text": QUASI + "  t: {role: sensitive, technique: text.redact}\n",
    "places": "  p: {role: insensitive}\n",
    "aggregate": QUASI + "aggregate: {by: [a], measures: {n: {count: '*'}}}\n",
}


@pytest.mark.parametrize(
    ("form", "k", "sharing", "grade"),
    [
        ("direct in clear", 100, "controlled", 1),  # a mask removes nothing
        ("quasi", 4, "controlled", 2),
        ("quasi", 5, "controlled", 3),  # 1/5 is the threshold itself
        ("quasi", 19, "full_public", 2),
        ("quasi", 20, "full_public", 3),
        ("quasi", None, "controlled", 2),  # unknown is not acceptable
        ("quasi", 0, "controlled", 2),
        ("pseudonym", 5, "controlled", 3),
        ("dropped", 5, "controlled", 3),
        ("text", 1000, "controlled", 2),  # free text caps
        ("places", None, "controlled", 4),
        ("aggregate", 1, "controlled", 4),
    ],
)
def test_effect(form, k, sharing, grade):
    assert effect(load(HEAD + FORMS[form]), k, sharing=sharing) == grade


def test_thresholds_are_settings():
    policy = load(HEAD + QUASI)
    assert effect(policy, 9, thresholds={"controlled": 0.1}) == 2
    assert effect(policy, 10, thresholds={"controlled": 0.1}) == 3
    assert effect(policy, 1, is_aggregate=True) == 4
    assert not acceptable(None)


RISK = Risk(0.25, 0.1, 0, 40, 4, 0.5, marketer=0.1)
WITH_POPULATION = Risk(
    0.25, 0.1, 0, 40, 4, 0.5, marketer=0.1, journalist=JournalistRisk(0.04, 0.02, 0, 0.02, "population")
)


@pytest.mark.parametrize(
    ("measured", "attacker", "sharing", "figure", "grade"),
    [
        (RISK, "prosecutor", "controlled", 0.25, 2),
        (RISK, "marketer", "controlled", 0.1, 3),
        (RISK, "marketer", "full_public", 0.1, 2),
        (RISK, "journalist", "controlled", None, 2),  # no population was measured: unknown is not acceptable
        (WITH_POPULATION, "prosecutor", "controlled", 0.25, 2),
        (WITH_POPULATION, "journalist", "full_public", 0.04, 3),
        (WITH_POPULATION, "marketer", "full_public", 0.02, 3),
        (Risk(0, 0, 0, 0, 0, 0), "marketer", "controlled", None, 2),  # nobody in the table
    ],
)
def test_the_attacker_is_a_setting(measured, attacker, sharing, figure, grade):
    assert attacked_risk(measured, attacker) == figure
    assert effect(load(HEAD + QUASI), None, sharing=sharing, attacker=attacker, risk=measured) == grade


def test_settings_are_checked():
    policy = load(HEAD + QUASI)
    for wrong in (0, -1, 1.5, float("nan")):
        with pytest.raises(InvalidParameter, match="threshold"):
            effect(policy, 9, thresholds={"controlled": wrong})
        with pytest.raises(InvalidParameter, match="threshold"):
            acceptable(9, {"controlled": wrong})
    with pytest.raises(InvalidParameter, match="journalist"):
        effect(policy, 9, attacker="journalist")
    assert SOURCES.keys() == THRESHOLDS.keys()


@pytest.mark.parametrize("k", range(1, 400))
def test_one_in_k_is_within_its_own_threshold(k):
    assert acceptable(k, {"controlled": 1 / k})
    assert not acceptable(k, {"controlled": 1 / (k + 1)})
