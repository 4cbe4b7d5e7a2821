"""The policies of the repository: each loads, checks, says all in two languages and holds no key."""

from __future__ import annotations

from pathlib import Path

import pytest

from masking.policy import check, explain, load
from masking.taxonomy import DataLevel, Role

POLICIES = Path(__file__).resolve().parents[3] / "policies"
LEVELS = {"villages": DataLevel.L1, "flights": DataLevel.L2, "social-insure": DataLevel.L3, "patients": DataLevel.L4}


@pytest.mark.parametrize("name", LEVELS)
def test_policy(name):
    policy = load(POLICIES / f"{name}.yaml")
    check(policy, files=POLICIES)
    assert policy.dataset == name
    assert policy.level is LEVELS[name]
    assert policy.origin["licence"]
    assert not policy.bare_identifiers
    assert policy.is_aggregate is (policy.level >= DataLevel.L4)
    for rule in policy.attributes.values():
        assert set(rule.title) == {"zh", "en"}
        if rule.role is Role.DIRECT_IDENTIFIER:
            assert rule.invented
            assert "invented" in rule.title["en"]
            assert "虚构" in rule.title["zh"]
        if rule.role is Role.INSENSITIVE:
            assert rule.reason  # an exception from "everything is a quasi-identifier" says why
    assert len(explain(policy)) == len(explain(policy, "en")) == len(policy.attributes)
