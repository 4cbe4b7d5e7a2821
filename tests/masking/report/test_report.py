"""Reports: the public one tells of the masked table only; both survive JSON; neither holds a value."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

import masking
from masking.measures import risk_figures
from masking.policy import build_report, load
from masking.report import MaskingReport, public_from_dict, two_digits
from masking.taxonomy import Effect, LegalStatus

HEAD = "version: 1\ndataset: x\n"
POLICY = load(
    HEAD
    + """unit: id
attributes:
  id: {role: direct_identifier, technique: suppression.drop}
  age: {role: quasi_identifier, technique: generalization.bands, edges: [40, 60]}
  ill: {role: sensitive}
limits: {k_anonymity: 5, suppression: 0.2}
"""
)


def rows(ages, ills=None, ids=None):
    count = len(ages)
    return pa.table(
        {"id": ids or [f"SECRET{i}" for i in range(count)], "age": ages, "ill": ills or ["a", "b"] * (count // 2)}
    )


def test_two_raw_tables_that_mask_alike_have_one_public_report():
    first = masking.apply(POLICY, rows([41] * 10 + [61] * 10))
    second = masking.apply(POLICY, rows([42] + [41] * 9 + [61] * 10))  # one record differs inside its band
    assert first.table.equals(second.table)
    assert first.report.public() == second.report.public()
    assert first.report.public().to_json() == second.report.public().to_json()
    assert first.report != second.report  # the internal one knows


def test_the_number_of_suppressed_records_is_internal():
    report = masking.apply(POLICY, rows([41] * 10 + [61] * 10 + [30, 31])).report
    assert (report.rows_in, report.rows_out, report.suppressed) == (22, 20, 2)
    assert "suppressed" not in report.public().to_dict()
    assert "before" not in report.public().to_dict()
    assert [a.name for a in report.public().attributes] == ["age", "ill"]


def test_persons_that_the_masked_table_cannot_show_make_k_a_limit():
    public = masking.apply(POLICY, rows([41] * 10 + [61] * 10)).report.public()
    assert (public.k, public.k_is_limit, public.risk_max) == (5, True, 0.2)
    visible = load(POLICY.source_text.replace("unit: id\n", ""))
    public = masking.apply(visible, rows([41] * 10 + [61] * 10)).report.public()
    assert (public.k, public.k_is_limit, public.risk_max) == (10, False, 0.1)


def test_no_value_in_either_report():
    report = masking.apply(POLICY, rows([41] * 20, ["CANARY"] * 20)).report
    for text in (report.to_json(), repr(report), report.public().to_json()):
        assert "SECRET" not in text
        assert "CANARY" not in text


def test_json_round_trip_and_versions():
    report = masking.apply(POLICY, rows([41] * 20)).report
    assert MaskingReport.from_dict(json.loads(report.to_json())) == report
    assert public_from_dict(json.loads(report.public().to_json())) == report.public()
    plain = report.to_dict()
    assert plain["k_after"] == 20
    assert plain["effect"] == 3
    assert plain["legal_status"] == "deidentified"
    with pytest.raises(ValueError, match="version"):
        MaskingReport.from_dict({**plain, "version": 2})
    with pytest.raises(ValueError, match="version"):
        public_from_dict({**report.public().to_dict(), "version": None})


QUASI = "attributes:\n  q: {role: quasi_identifier, technique: keep}\n"


@pytest.mark.parametrize(
    ("text", "k", "status", "anonymizable"),
    [
        (QUASI, 20, LegalStatus.DEIDENTIFIED, True),  # may be signed, is not yet
        (QUASI, 19, LegalStatus.DEIDENTIFIED, False),
        (
            QUASI + "  t: {role: quasi_identifier, technique: pseudonymization.keyed, key: k}\n",
            99,
            LegalStatus.DEIDENTIFIED,
            False,
        ),
        (QUASI + "  t: {role: sensitive, technique: text.redact}\n", 99, LegalStatus.DEIDENTIFIED, False),
        (QUASI + "  d: {role: direct_identifier, technique: suppression.mask}\n", 99, LegalStatus.PERSONAL, False),
        ("attributes:\n  p: {role: insensitive}\n", 1, LegalStatus.ANONYMIZED, True),  # about nobody
        (QUASI + "aggregate: {by: [q], measures: {n: {count: '*'}}}\n", 10, LegalStatus.DEIDENTIFIED, True),
    ],
)
def test_legal_status(text, k, status, anonymizable):
    figures = risk_figures(pa.table({"q": [1] * k}), ["q"])
    report = build_report(load(HEAD + text), rows_in=k, rows_out=k, before=figures, after=figures)
    assert (report.legal_status, report.anonymizable) == (status, anonymizable)


def test_an_aggregate_publishes_its_threshold_not_its_smallest_cell():
    figures = risk_figures(pa.table({"q": [1] * 23}), ["q"])
    policy = load(HEAD + QUASI + "aggregate: {by: [q], measures: {n: {count: '*'}}, threshold: 11}\n")
    report = build_report(policy, rows_in=23, rows_out=1, before=figures, after=figures)
    assert report.effect is Effect.AGGREGATE
    assert (report.k_after, report.public().k, report.public().k_is_limit) == (23, 11, True)


def test_two_digits():
    assert [two_digits(x) for x in (0, 0.0123, 0.126, 1.0, 0.0999)] == [0, 0.012, 0.13, 1.0, 0.1]
