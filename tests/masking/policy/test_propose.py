"""Proposals: always pass the check, never keep an identifier; words for every technique."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.detection import ColumnFinding, detect_columns
from masking.detection.headers import WORDS
from masking.detection.invented import resident_ids
from masking.policy import check, dump, load, propose
from masking.policy.propose import statistics_of
from masking.taxonomy import DataLevel, Role

KINDS = [(w.type, w.role, w.level) for w in WORDS] + [
    ("NUMBER", Role.QUASI_IDENTIFIER, DataLevel.L2),
    ("CATEGORY", Role.QUASI_IDENTIFIER, DataLevel.L2),
    ("MIXED", Role.DIRECT_IDENTIFIER, DataLevel.L3),
    ("FREE_TEXT", Role.DIRECT_IDENTIFIER, DataLevel.L4),
    ("REGION", Role.INSENSITIVE, DataLevel.L1),
    ("USCC", Role.QUASI_IDENTIFIER, DataLevel.L2),
]


@st.composite
def finding_lists(draw):
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=8))
    return [
        ColumnFinding(
            f"c{i}",
            type_,
            role,
            level,
            100,
            100,
            {"zh": "理由", "en": "why"},
            "clause",
            draw(st.integers(0, 50_000)),
            draw(st.floats(0, 1)),
        )
        for i, (type_, role, level) in enumerate(kinds)
    ]


@settings(deadline=None)
@given(finding_lists())
def test_a_proposal_passes_its_own_check_or_has_nothing_to_keep(findings):
    policy = propose(findings, dataset="x")
    assert set(policy.attributes) == {f.column for f in findings}
    for finding in findings:
        rule = policy.attributes[finding.column]
        assert rule.role is finding.role
        if finding.role is Role.DIRECT_IDENTIFIER:
            assert rule.dropped or rule.pseudonym
    assert not policy.bare_identifiers
    if not policy.kept:
        return
    if policy.level >= DataLevel.L4:
        assert policy.is_aggregate
    if policy.is_aggregate and not policy.aggregate.by:
        return
    check(policy, statistics=statistics_of(findings))
    again = load(dump(policy))
    assert again.aggregate == policy.aggregate


def test_levels_lead_to_kinds_of_editions():
    ids = resident_ids([1950] * 60, [True] * 60, seed=2)
    base = {"resident_id": ids, "age": list(range(20, 80)), "sex": ["m", "f"] * 30}
    l3 = propose(detect_columns(pa.table(base)), dataset="a")
    assert (l3.level, l3.is_aggregate, l3.limits.k_anonymity, l3.unit) == (DataLevel.L3, False, 5, "resident_id")
    assert l3.attributes["age"].technique == "generalization.bands"
    assert l3.attributes["resident_id"].dropped  # 60 distinct values: a token could be guessed
    l4 = propose(detect_columns(pa.table({**base, "diagnosis": ["x", "y"] * 30})), dataset="a")
    assert (l4.level, l4.is_aggregate) == (DataLevel.L4, True)
    assert "sex" in l4.aggregate.by
    check(l4)


def test_a_large_even_identifier_becomes_a_keyed_token():
    finding = ColumnFinding(
        "id", "ID_CARD", Role.DIRECT_IDENTIFIER, DataLevel.L3, 20_000, 20_000, {"zh": "", "en": ""}, "", 20_000, 0.00005
    )
    rule = propose([finding], dataset="health").attributes["id"]
    assert (rule.technique, rule.key) == ("pseudonymization.keyed", "health-1")
    several = replace(finding, checked=40_000, distinct=20_000)  # records of a person would join (PRIVACY 12)
    assert propose([several], dataset="health").attributes["id"].dropped
