"""What a policy may not do; one row per rule."""

from __future__ import annotations

import pyarrow as pa
import pytest

import masking
from masking.errors import MaskingError, UnkeyedToken, UnknownAttribute, UnsupportedColumn
from masking.policy import ColumnStatistics, check, load

HEAD = "version: 1\ndataset: x\nattributes:\n"
QUASI = "  q: {role: quasi_identifier, technique: keep}\n"
SENSITIVE = "  s: {role: sensitive}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  d: {role: direct_identifier, technique: keep}\n", "does not remove a direct identifier"),
        ("  d: {role: direct_identifier, technique: suppression.mask, keep_first: 3}\n", "a mask is for screens"),
        ("  d: {role: direct_identifier, technique: generalization.bands, width: 5}\n", "quasi_identifier"),
        ("  d: {role: direct_identifier, technique: pseudonymization.keyed}\n", "needs `key"),
        ("  d: {role: direct_identifier, technique: cryptographic.ff1}\n", "needs `key"),
        ("  d: {role: insensitive, technique: pseudonymization.keyed, key: k}\n", "insensitive"),
        ("  q: {role: quasi_identifier, technique: keep, key: k}\n", "no key"),
        ("  q: {role: quasi_identifier, technique: generalization.bands, width: -1}\n", "width"),
        ("  q: {role: quasi_identifier, technique: generalization.bands, base: 5}\n", "base"),
        ("  q: {role: quasi_identifier, technique: generalization.date, to: century}\n", "to"),
        ("  d: {role: direct_identifier, technique: suppression.drop}\n", "drops every attribute"),
        (SENSITIVE + "limits: {k_anonymity: 5}\n", "nothing to count"),
        (QUASI + "limits: {distinct_l_diversity: 3}\n", "nothing to count"),
        (QUASI + "limits: {suppression: 0.1}\n", "suppression needs a limit"),
        (QUASI + "unit: p\n", "unit names 'p'"),
        (QUASI + "aggregate: {by: [z], measures: {n: {count: '*'}}}\n", "'z', which is no attribute"),
        (QUASI + SENSITIVE + "aggregate: {by: [q], measures: {m: {sum: s}}}\n", "needs bounds"),
        (QUASI + SENSITIVE + "aggregate: {by: [q], measures: {q: {count: s}}}\n", "both grouping and measure"),
        (QUASI + SENSITIVE + "aggregate: {by: [q], measures: {m: {sum: s}}, clamp: {s: [5, 5]}}\n", "lower < upper"),
        (
            QUASI + "  d: {role: direct_identifier, technique: suppression.drop}\n"
            "aggregate: {by: [d], measures: {n: {count: '*'}}}\n",
            "cannot group cells",
        ),
        (
            QUASI + "  d: {role: quasi_identifier, technique: pseudonymization.keyed, key: k}\n"
            "aggregate: {by: [d], measures: {n: {count: '*'}}}\n",
            "cannot group cells",
        ),
        (
            QUASI + "  d: {role: direct_identifier, technique: suppression.drop}\n"
            "aggregate: {by: [q], measures: {n: {count: d}}}\n",
            "direct identifier ('d') is not measured",
        ),
    ],
)
def test_refuses(text, words):
    with pytest.raises(MaskingError) as caught:
        check(load(HEAD + text))
    assert words in str(caught.value)


def test_a_sane_policy_passes():
    check(load(HEAD + QUASI + SENSITIVE + "limits: {k_anonymity: 5, distinct_l_diversity: 2, suppression: 0.1}\n"))


def test_table_and_policy_name_the_same_columns():
    policy = load(HEAD + QUASI + SENSITIVE)
    check(policy, pa.schema({"q": pa.int64(), "s": pa.string()}))
    with pytest.raises(UnknownAttribute, match="extra"):
        check(policy, pa.schema({"q": pa.int64(), "s": pa.string(), "extra": pa.string()}))
    with pytest.raises(UnknownAttribute, match="did you mean 'ss'") as caught:
        check(load(HEAD + QUASI + "  sss: {role: sensitive}\n"), pa.schema({"q": pa.int64(), "ss": pa.string()}))
    assert caught.value.line == 5


def test_a_technique_must_fit_the_column():
    policy = load(HEAD + "  q: {role: quasi_identifier, technique: generalization.bands, width: 5}\n")
    with pytest.raises(UnsupportedColumn, match="'q'"):
        check(policy, pa.schema({"q": pa.string()}))


def test_an_unkeyed_token_points_at_its_line():
    with pytest.raises(UnkeyedToken) as caught:
        check(load(HEAD + QUASI + "  d: {role: direct_identifier, technique: pseudonymization.keyed}\n"))
    assert caught.value.line == 5


TOKENS = (
    "pseudonymization.keyed",
    "pseudonymization.resident_id",
    "pseudonymization.mobile",
    "pseudonymization.surrogate, kind: person",
    "pseudonymization.sequence",
    "cryptographic.ff1",
    "cryptographic.aes_siv",
    "text.token",
    "text.surrogate",
)


@pytest.mark.parametrize("technique", TOKENS)
@pytest.mark.parametrize(
    ("role", "distinct", "top", "refused"),
    [
        ("direct_identifier", 9_999, 0.0001, True),  # small
        ("direct_identifier", 10_000, 0.0001, False),
        ("direct_identifier", 50_000, 0.011, True),  # skewed
        ("direct_identifier", 50_000, 0.00002, False),
        ("sensitive", 40, 0.3, True),
        ("quasi_identifier", 3, 0.9, False),  # counted, so allowed
    ],
)
def test_tokens_of_small_or_skewed_columns(technique, role, distinct, top, refused):
    policy = load(HEAD + SENSITIVE + f"  t: {{role: {role}, technique: {technique}, key: k}}\n")
    statistics = {"t": ColumnStatistics(distinct, top), "s": ColumnStatistics(1, 1.0)}
    if not refused:
        check(policy, statistics=statistics)
        return
    with pytest.raises(MaskingError, match="guessed by frequency") as caught:
        check(policy, statistics=statistics)
    assert caught.value.line == 5
    assert ("text.redact" in str(caught.value)) is technique.startswith("text.")


@pytest.mark.parametrize("technique", ["cryptographic.aes_gcm", "synthetic.faker, kind: person"])
def test_what_is_drawn_for_each_record_is_no_token(technique):
    policy = load("record: [t]\n" + HEAD + f"  t: {{role: direct_identifier, technique: {technique}, key: k}}\n")
    check(policy, statistics={"t": ColumnStatistics(3, 1 / 3)})


PERSON = "  p: {role: direct_identifier, technique: pseudonymization.keyed, key: k}\n"
SEVERAL = {"p": ColumnStatistics(20_000, 0.0005, 60_000)}  # 30 records of one person
ONE = {"p": ColumnStatistics(20_000, 1 / 20_000, 20_000)}


def test_a_pseudonym_of_several_records_holds_for_a_period():
    check(load("unit: p\n" + HEAD + PERSON), statistics=ONE)
    with pytest.raises(MaskingError, match=r"period: 2026-03") as caught:
        check(load("unit: p\n" + HEAD + PERSON), statistics=SEVERAL)
    assert caught.value.line == 5
    with pytest.raises(MaskingError, match="sequence of records"):  # a version says nothing of the table's period
        check(load("unit: p\nkey_domains: {k: {version: 2}}\n" + HEAD + PERSON), statistics=SEVERAL)
    check(load("unit: p\nkey_domains: {k: {period: 2026-03}}\n" + HEAD + PERSON), statistics=SEVERAL)
    dropped = "  p: {role: direct_identifier, technique: suppression.drop}\n"
    check(load("unit: p\n" + HEAD + SENSITIVE + dropped), statistics=SEVERAL)


def test_several_records_need_a_person():
    with pytest.raises(MaskingError, match="`unit:`"):
        check(load(HEAD + PERSON), statistics=SEVERAL)


def test_a_period_changes_every_pseudonym():
    text = "key_domains: {k: {period: PERIOD}}\n" + HEAD + PERSON
    table = pa.table({"p": ["a", "b"]})
    march, april, again = (
        masking.apply(text.replace("PERIOD", period), table, {"k": b"k" * 32}).table["p"].to_pylist()
        for period in ("2026-03", "2026-04", "2026-03")
    )
    assert march == again
    assert not set(march) & set(april)


def test_records_that_share_a_draw_are_refused():
    text = "record: [r]\n" + HEAD + "  r: {role: quasi_identifier, technique: keep}\n"
    noise = "  n: {role: sensitive, technique: randomization.noise, distribution: normal, scale: 5, key: k}\n"
    check(load(text + noise), statistics={"r": ColumnStatistics(100, 0.01, 100)})
    with pytest.raises(MaskingError, match="share one draw"):
        check(load(text + noise), statistics={"r": ColumnStatistics(100, 0.02, 100)})
    check(load(text + SENSITIVE), statistics={"r": ColumnStatistics(100, 0.02, 100)})  # nothing is drawn
    with pytest.raises(MaskingError, match="`record: \\[column\\]`"):
        check(load(HEAD + noise))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("pseudonymization.resident_id, keep: [county, birth_date]", "1,000,000"),
        ("pseudonymization.resident_id, keep: [county, birth_year, gender]", "1,000,000"),
        ("pseudonymization.plate, keep: [provinze]", "did you mean 'province'"),
        ("cryptographic.ff1, radix: 99", "radix"),
    ],
)
def test_a_small_stratum_is_refused_before_a_record_is_read(rule, words):
    with pytest.raises(MaskingError, match=words) as caught:
        check(load(HEAD + QUASI + f"  d: {{role: direct_identifier, technique: {rule}, key: k}}\n"))
    assert caught.value.line == 5


VALID = "  d: {role: direct_identifier, technique: pseudonymization.mobile, valid_looking: true, key: k}\n"


def test_valid_looking_pseudonyms_are_for_test_data():
    with pytest.raises(MaskingError, match="test_data: true") as caught:
        check(load(HEAD + VALID))
    assert caught.value.line == 4
    check(load("test_data: true\n" + HEAD + VALID))


@pytest.mark.parametrize(
    "claim",
    [
        "limits: {k_anonymity: 5}\n",
        "aggregate: {by: [q], measures: {n: {count: '*'}}}\n",
    ],
)
def test_test_data_claims_nothing(claim):
    check(load(HEAD + QUASI + VALID.replace("valid_looking: true, ", "") + claim))
    with pytest.raises(MaskingError, match="never published"):
        check(load("test_data: true\n" + HEAD + QUASI + VALID + claim))


def test_a_counted_token_is_a_derived_quasi_identifier():
    policy = load(HEAD + "  t: {role: quasi_identifier, technique: pseudonymization.keyed, key: k}\n")
    assert policy.derived_quasi_identifiers == ("t",)
    assert policy.quasi_identifiers == ("t",)
