"""What a policy does, in words: every technique and parameter, conditions, records, keys, test data, several tables."""

from __future__ import annotations

import re

import pytest

from masking import techniques
from masking.policy import AttributeRule, MaskingPolicy, explain, load, load_set
from masking.policy.explain import explain_limits, explain_set, sentence_of
from masking.policy.words import WORDS, names_of
from masking.taxonomy import Role

LANGUAGES = ("zh", "en")


def chinese(text):
    return re.search("[一-鿿]", text) is not None


@pytest.mark.parametrize("name", techniques.names())
def test_every_parameter_has_words(name):
    assert {parameter.name for parameter in techniques.get(name).parameters()} == names_of(WORDS[name])


def test_no_words_are_left_over():
    assert set(WORDS) == set(techniques.names())


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", techniques.names())
def test_every_technique_has_words(name, lang):
    for example in techniques.get(name).spec:
        rule = AttributeRule(
            "a", Role.QUASI_IDENTIFIER, name, dict(example.parameters), key="k", title={"zh": "甲", "en": "A"}
        )
        (explained,) = explain(MaskingPolicy("x", {"a": rule}), lang)
        assert explained.title == {"zh": "甲", "en": "A"}[lang]
        assert name not in explained.sentence  # words, not the registered name
        assert not re.search("[{}]|None", explained.sentence.replace("{2}", "").replace("{4}", ""))
        if not chinese(str(example.parameters)) and rule.parameters.get("values") is None:
            assert chinese(explained.sentence) is (lang == "zh")


@pytest.mark.parametrize("name", techniques.names())
def test_a_given_parameter_changes_the_words(name):
    """Each example that differs in a parameter reads differently, so nothing that is said is left out."""
    said = {}
    for example in techniques.get(name).spec:
        rule = AttributeRule("a", Role.SENSITIVE, name, dict(example.parameters), key="k")
        said.setdefault(str(example.parameters), {sentence_of(rule, lang) for lang in LANGUAGES})
    every = [sentence for sentences in said.values() for sentence in sentences]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize(
    ("rule", "zh", "en"),
    [
        (
            "technique: pseudonymization.resident_id, keep: [province, gender], key: k",
            "保留省级、性别",
            "province, sex",
        ),
        ("technique: pseudonymization.mobile, key: k", "以 2 开头", "beginning with 2"),
        ("technique: pseudonymization.keyed, algorithm: hmac-sm3, key: k", "算法为 HMAC-SM3", "by HMAC-SM3"),
        ("technique: generalization.age, at: 2025-12-31, width: 5, upper: 90", "90 岁及以上", "from 90 on"),
        (
            "technique: generalization.bands, width: 10, lower: 20, upper: 80",
            "20 以下合并，80 及以上合并",
            "from 80 on",
        ),
        ("technique: randomization.date_shift, per: a, max_days: 30, key: k", "前后 30 天", "at most 30 days"),
        ("technique: cryptographic.ff1, key: k, on_invalid: token, mark: '#'", "换成假名并计数", "becomes a token"),
        ("technique: text.redact, types: [PHONE]", "只查找PHONE", "looked for: PHONE"),
        (
            (
                "technique: generalization.age, at: 2025-12-31, when: {column: a, below: 20111231}, "
                "otherwise: {technique: suppression.local, all: true}"
            ),
            "“甲”低于 20,111,231 的记录",
            "where A is below 20,111,231",
        ),
    ],
)
def test_sentences(rule, zh, en):
    policy = load(
        f"version: 1\ndataset: x\nattributes:\n  a: {{role: quasi_identifier, title: {{zh: 甲, en: A}}, {rule}}}\n"
    )
    assert zh in explain(policy, "zh")[0].sentence
    assert en in explain(policy, "en")[0].sentence


def test_a_condition_says_what_becomes_of_all_records():
    policy = load(
        "version: 1\ndataset: x\nattributes:\n"
        "  age: {role: quasi_identifier, technique: keep, title: {zh: 年龄, en: age}}\n"
        "  w: {role: sensitive, technique: keep, otherwise: {technique: generalization.rounding, base: 5},\n"
        "      when: {any: [{column: age, at_least: 90}, {all: [{column: w, is_null: false}, "
        "{column: w, in: [1, 2]}]}]}}\n"
    )
    assert explain(policy, "zh")[1].sentence == (
        "敏感属性：（“年龄”不低于 90 ）或（（“w”不为空）且（“w”属于 1、2 ））的记录：保持原样；其余记录：取整到 5 的倍数"
    )
    assert explain(policy, "en")[1].sentence == (
        "sensitive attribute: where (age is at least 90) or ((w is not empty) and (w is one of 1, 2)): kept as it is; "
        "elsewhere: rounded to multiples of 5"
    )


def test_everything_about_the_table_in_words():
    policy = load(
        "version: 1\ndataset: x\nunit: q\nrecord: [q, n]\n"
        "key_domains: {k: {datasets: [x], period: 2026-03, joins: [], version: 2}}\n"
        "suppress: [{column: n, at_least: 9}]\nsample: {share: 0.25, key: k}\n"
        "attributes:\n  q: {role: quasi_identifier, technique: keep}\n  s: {role: sensitive}\n"
        "  n: {role: quasi_identifier, technique: pseudonymization.keyed, key: k}\n"
        "limits: {k_anonymity: 5, distinct_l_diversity: 2, suppression: 0.05}\n"
        "aggregate: {by: [q], measures: {n: {count: '*'}, m: {mean: s}}, clamp: {s: [0, 1]}}\n"
    )
    zh, en = (explain_limits(policy, lang) for lang in LANGUAGES)
    assert len(zh) == len(en) == 8
    assert all(chinese(sentence) for sentence in zh)
    assert not any(chinese(sentence) for sentence in en)
    said = " ".join(en)
    for words in ("left out where n is at least 9", "25.0% of the persons", "q, n", "2026-03", "version 2", "only for"):
        assert words in said
    assert "统计维度" in explain(policy)[0].sentence
    assert "汇总" in explain(policy)[1].sentence


def test_test_data_is_said_first_and_loudly():
    policy = load(
        "version: 1\ndataset: x\ntest_data: true\nattributes:\n"
        "  p: {role: direct_identifier, technique: pseudonymization.mobile, key: k, valid_looking: true}\n"
    )
    assert explain_limits(policy, "en")[0].startswith("!! TEST DATA ONLY")
    assert explain_limits(policy, "zh")[0].startswith("！！仅供测试")
    assert "for tests only" in explain(policy, "en")[0].sentence
    assert "只能用于测试" in explain(policy)[0].sentence


def test_several_tables_in_words():
    policies = load_set(
        "version: 1\ndataset: x\ntest_data: true\nkey_domains: {k: {period: 2026-03}}\ntables:\n"
        "  p: {attributes: {id: {role: direct_identifier, technique: pseudonymization.keyed, key: k}}}\n"
        "  v: {attributes: {pid: {role: direct_identifier, technique: pseudonymization.keyed, key: k}}}\n"
        "foreign_keys: [{from: v.pid, to: p.id}]\n"
    )
    zh, en = (explain_set(policies, lang) for lang in LANGUAGES)
    assert len(zh) == len(en) == 5
    assert "'pid' of v and 'id' of p" in en[1]
    assert "who holds several tables can join them" in en[3]
