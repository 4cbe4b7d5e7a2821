"""What a policy may not do; one row per rule."""

from __future__ import annotations

import pyarrow as pa
import pytest

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


@pytest.mark.parametrize(
    ("role", "distinct", "top", "refused"),
    [
        ("direct_identifier", 9_999, 0.001, True),  # small
        ("direct_identifier", 10_000, 0.001, False),
        ("direct_identifier", 50_000, 0.011, True),  # skewed
        ("direct_identifier", 50_000, 0.01, False),
        ("quasi_identifier", 3, 0.9, False),  # counted, so allowed
    ],
)
def test_tokens_of_small_or_skewed_columns(role, distinct, top, refused):
    policy = load(HEAD + SENSITIVE + f"  t: {{role: {role}, technique: pseudonymization.keyed, key: k}}\n")
    statistics = {"t": ColumnStatistics(distinct, top), "s": ColumnStatistics(1, 1.0)}
    if not refused:
        check(policy, statistics=statistics)
        return
    with pytest.raises(MaskingError, match="guessed by frequency"):
        check(policy, statistics=statistics)


def test_a_counted_token_is_a_derived_quasi_identifier():
    policy = load(HEAD + "  t: {role: quasi_identifier, technique: pseudonymization.keyed, key: k}\n")
    assert policy.derived_quasi_identifiers == ("t",)
    assert policy.quasi_identifiers == ("t",)
