"""Reports: the public one tells of the masked table only; both survive JSON; a value is named only where many share it."""

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


def test_the_public_figures_of_each_attribute_come_from_the_masked_table():
    """Every figure that the raw table moves is internal: loss, nulls and distinct values before, distributions."""
    visible = load(POLICY.source_text.replace("unit: id\n", ""))
    first = masking.apply(visible, rows([41] * 10 + [61] * 10)).report
    second = masking.apply(visible, rows([42] + [41] * 9 + [61] * 10)).report
    assert first.public().to_json() == second.public().to_json()
    age, other = first.attributes[1], second.attributes[1]
    assert (age.loss, other.loss) == (0.0, 0.025)  # 10 of 20 persons in a group as wide as 1 of 20 years
    assert age.before != other.before
    assert (age.distinct_before, other.distinct_before) == (2, 3)
    public = first.public().attributes[0]
    assert (public.name, public.loss, public.distinct_before, public.nulls_before) == ("age", None, None, None)
    assert public.before is None
    assert [(cell.label, cell.count) for cell in public.after.cells] == [("[40,60)", 10), (">=60", 10)]


def test_a_masked_table_that_differs_gives_another_public_report():
    """The positive control: the comparison above would see a difference."""
    first = masking.apply(POLICY, rows([41] * 10 + [61] * 10))
    second = masking.apply(POLICY, rows([41] * 15 + [61] * 15))
    assert first.report.public().attributes[0].after != second.report.public().attributes[0].after


def test_persons_behind_a_public_cell_are_counted_in_the_masked_table_only():
    """One raw record given to another person changes no masked value, so it may not change the report."""
    ids = [f"SECRET{i}" for i in range(20)]
    table = rows([41] * 20, ["a"] * 12 + ["b"] * 8, ids)
    moved = rows([41] * 20, ["a"] * 12 + ["b"] * 8, [*ids[:12], *([ids[0]] * 4), *ids[16:]])
    reports = [masking.apply(POLICY, each).report for each in (table, moved)]
    assert reports[0].public().attributes == reports[1].public().attributes
    ill = reports[0].public().attributes[1]
    assert (ill.after, ill.withheld) == (None, "persons")
    age = reports[0].public().attributes[0]  # each of its values has at least k persons: the limit says so
    assert [cell.count for cell in age.after.cells] == [20]
    assert reports[0].attributes[2].after is not None  # the officer sees the masked table anyway


def test_small_cells_are_pooled_and_public_counts_rounded():
    policy = load(POLICY.source_text.replace("unit: id\n", ""))
    report = masking.apply(policy, rows([41] * 40, ["a"] * 21 + ["b"] * 13 + ["RARE"] * 4 + ["SCARCE"] * 2)).report
    ill = report.attributes[2].after
    assert [(cell.label, cell.count) for cell in ill.cells] == [("a", 21), ("b", 13)]
    assert (ill.pooled, ill.least) == (6, 5)
    public = report.public().attributes[1].after
    assert [(cell.label, cell.count) for cell in public.cells] == [("a", 20), ("b", 15)]
    assert (public.pooled, public.rounding) == (5, 5)
    for text in (report.to_json(), report.public().to_json()):
        assert "RARE" not in text
        assert "SCARCE" not in text


def test_a_remainder_that_would_be_told_by_subtraction_takes_a_cell_with_it():
    policy = load(POLICY.source_text.replace("unit: id\n", ""))
    report = masking.apply(policy, rows([41] * 20, ["a"] * 12 + ["b"] * 6 + ["RARE"] * 2)).report
    ill = report.attributes[2].after
    assert [(cell.label, cell.count) for cell in ill.cells] == [("a", 12)]
    assert ill.pooled == 8


def test_no_identifier_no_token_and_no_rare_value_in_either_report():
    policy = load(
        HEAD
        + """attributes:
  id: {role: direct_identifier, technique: pseudonymization.keyed, key: k}
  card: {role: quasi_identifier, technique: pseudonymization.keyed, key: k}
  remark: {role: sensitive, technique: text.redact}
  ill: {role: sensitive}
"""
    )
    table = pa.table(
        {
            "id": ["SECRET"] * 40,
            "card": ["CARD"] * 40,
            "remark": ["REMARK"] * 40,
            "ill": ["a"] * 36 + [f"CANARY{n}" for n in range(4)],
        }
    )
    done = masking.apply(policy, table, {"k": b"k" * 32})
    tokens = set(done.table["id"].to_pylist()) | set(done.table["card"].to_pylist())
    for text in (done.report.to_json(), repr(done.report), done.report.public().to_json(), repr(done.report.public())):
        for word in ("SECRET", "CARD", "REMARK", "CANARY", "kkkk", *tokens):
            assert word not in text
    assert [a.withheld for a in done.report.attributes] == ["identifier", "token", "text", "values"]


def test_what_the_policy_says_is_listed():
    policy = load(
        HEAD
        + """title: {zh: 表, en: Table}
level: L4
test_data: true
record: [id]
key_domains:
  k: {datasets: [x, y], version: 3, joins: [id]}
suppress:
  - {column: age, at_least: 90}
sample: {share: 0.9, key: s}
attributes:
  id: {role: direct_identifier, technique: pseudonymization.keyed, key: k, level: L4, title: {zh: 号码, en: number}}
  age: {role: quasi_identifier, technique: generalization.bands, edges: [40, 60]}
  area:
    role: quasi_identifier
    technique: generalization.hierarchy
    mapping: {SECRETa: A, SECRETb: A}
  pay: {role: sensitive, technique: generalization.rounding, base: 10, when: {column: age, below: 80}, otherwise: {technique: generalization.rounding, base: 100}}
""".replace("level: L4, title", "data_level: L4, title")
    )
    table = pa.table(
        {"id": [f"{i}" for i in range(60)], "age": [*range(40, 100)], "area": ["SECRETa"] * 60, "pay": [15] * 60}
    )
    report = masking.apply(policy, table, {"k": b"k" * 32, "s": b"s" * 32}).report
    for each in (report, report.public()):
        assert (each.title["en"], each.level, each.test_data) == ("Table", "L4", True)
        assert [(key.name, key.version, key.datasets, key.joins) for key in each.keys] == [
            ("k", 3, ("x", "y"), ("id",)),
            ("s", 1, (), None),
        ]
        assert [record["technique"] for record in each.records] == ["suppression.record", "sampling.simple"]
        assert each.records[0]["condition"] == {"column": "age", "at_least": 90}
        number, age, area, pay = each.attributes
        assert (number.key, number.level, number.title["zh"]) == ("k", "L4", "号码")
        assert age.parameters == {"edges": [40, 60]}
        assert area.parameters == {"mapping": {"entries": 2}}
        assert pay.condition == {"column": "age", "below": 80}
        assert pay.otherwise == {"technique": "generalization.rounding", "parameters": {"base": 100}, "key": None}
        assert age.sentence["en"]
    assert "SECRET" not in report.public().to_json()
    assert report.left_out > 10
    assert report.rows_in - report.left_out == report.rows_out
    assert "left_out" not in report.public().to_dict()


def test_a_limit_tells_the_size_of_its_hierarchies_and_not_their_values():
    policy = load(
        f"{HEAD}attributes:\n  q: {{role: quasi_identifier, technique: generalization.recoding}}\n"
        "  s: {role: sensitive, technique: keep}\n"
        "limits: {k_anonymity: 2, t_closeness: {t: 1, distance: hierarchical, hierarchies: {s: {SECRETa: A, SECRETb: A}}}}\n"
    )
    report = masking.apply(policy, pa.table({"q": [1, 2] * 10, "s": ["SECRETa"] * 20})).report
    for each in (report, report.public()):
        assert each.claims[1].asked == {"t": 1.0, "distance": "hierarchical", "hierarchies": {"s": {"entries": 2}}}
        assert "SECRETb" not in json.dumps(each.to_dict()), "a value that no released record has"


def test_parts_kept_inside_pseudonyms_are_derived_quasi_identifiers():
    figures = risk_figures(pa.table({"q": [1] * 20}), ["q"])
    policy = load(HEAD + QUASI)
    report = build_report(policy, rows_in=20, rows_out=20, before=figures, after=figures, derived=("id.province",))
    assert report.derived_quasi_identifiers == ("id.province",)
    assert report.public().derived_quasi_identifiers == ("id.province",)


@pytest.mark.parametrize(
    ("rule", "loss", "kind"),
    [
        ("technique: keep", 0.0, "kept"),
        ("technique: suppression.drop", 1.0, "dropped"),
        ("technique: pseudonymization.keyed, key: k", 1.0, "token"),
        ("technique: generalization.rounding, base: 1", 0.0, "distance"),
        ("technique: generalization.bands, edges: [0, 5]", 4 / 9, "extent"),
        (
            "technique: keep, when: {column: a, below: 5}, otherwise: {technique: pseudonymization.keyed, key: k}",
            None,
            "",
        ),
    ],
)
def test_loss_by_technique(rule, loss, kind):
    policy = load(HEAD + f"attributes:\n  a: {{role: quasi_identifier, {rule}}}\n  b: {{role: insensitive}}\n")
    given = list(range(10)) if "otherwise" not in rule else [str(n) for n in range(10)]
    if "otherwise" in rule:
        policy = load(policy.source_text.replace("below: 5", "in: ['1', '2']"))
    report = masking.apply(policy, pa.table({"a": given, "b": [1] * 10}), {"k": b"k" * 32}).report
    found = report.attributes[0]
    assert (found.loss, found.loss_kind) == (loss if loss is None else pytest.approx(loss, abs=1e-4), kind)
    fixed = kind in ("kept", "token")
    if kind != "dropped":
        assert report.public().attributes[0].loss == (loss if fixed else None)


def test_json_round_trip_and_versions():
    report = masking.apply(POLICY, rows([41] * 20)).report
    assert MaskingReport.from_dict(json.loads(report.to_json())) == report
    assert public_from_dict(json.loads(report.public().to_json())) == report.public()
    plain = report.to_dict()
    assert plain["k_after"] == 20
    assert plain["effect"] == 3
    assert plain["legal_status"] == "deidentified"
    with pytest.raises(ValueError, match="version"):
        MaskingReport.from_dict({**plain, "version": 4})
    with pytest.raises(ValueError, match="version"):
        public_from_dict({**report.public().to_dict(), "version": None})


def test_a_report_of_version_1_is_still_read():
    """What version 1 wrote: no figures of attributes beyond nulls and rejects."""
    report = masking.apply(POLICY, rows([41] * 20)).report
    old = ("name", "technique", "role", "nulls", "rejects", "dropped", "invented")
    new = {"title", "level", "keys", "records", "test_data"}

    def version_1(plain):
        kept = {name: value for name, value in plain.items() if name not in new}
        attributes = [{name: each[name] for name in old} for each in plain["attributes"]]
        return {**kept, "attributes": attributes, "version": 1}

    plain = version_1(report.to_dict())
    plain["released"] = version_1(plain["released"])
    read = MaskingReport.from_dict(plain)
    assert (read.version, read.k_after, read.attributes[1].after) == (1, 20, None)
    assert read.public().version == 1


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
