"""The effect grade as a table."""

from __future__ import annotations

import pytest

from masking.measures.effect import acceptable, effect
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
