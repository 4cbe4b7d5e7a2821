"""Hierarchies written into a policy's text: the same policy, whatever the file holds."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, PolicyError
from masking.policy import load, self_contained

CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=8)
HEAD = "version: 1\ndataset: d\nattributes:\n"
RULE = (
    HEAD
    + "  # 学历 education\n  a: {role: quasi_identifier, technique: TECHNIQUE, file: tree.csv, reason: 保留}  # kept\n"
)


def parameters(text):
    return load(text).attributes["a"].parameters


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["generalization.hierarchy", "generalization.recoding"]),
    st.dictionaries(CELLS, st.lists(CELLS, min_size=1, max_size=3), min_size=1, max_size=4),
)
@example("generalization.hierarchy", {"011": ["yes", "null"], "a: b": ["{x}", '"'], "# c": ["'", "&d"]})
def test_any_hierarchy_reads_back_as_it_was_in_the_file(technique, tree):
    text = RULE.replace("TECHNIQUE", technique)
    written = self_contained(text, {"tree.csv": [[leaf, *up] for leaf, up in tree.items()]}.__getitem__)
    before, after = load(text), load(written)
    assert after.attributes["a"].parameters == {"mapping": tree}
    assert after.attributes["a"].reason == before.attributes["a"].reason
    assert "# 学历 education" in written
    assert "# kept" in written
    assert self_contained(written, None) == written


def test_a_text_that_names_no_file_stays_as_it_is():
    text = HEAD + "  a:   {role: sensitive,   technique: keep}\n"
    assert self_contained(text, None) is text


def test_every_place_that_may_name_a_file():
    text = (
        HEAD
        + """  a: {role: quasi_identifier, technique: keep}
  b:
    role: quasi_identifier
    technique: generalization.hierarchy
    mapping: {x: y}
    when: {column: a, equals: 1}
    otherwise: {technique: generalization.hierarchy, file: one.csv}
  ill: {role: sensitive, technique: keep}
limits: {k_anonymity: 2, t_closeness: {t: 0.3, distance: hierarchical, hierarchies: {ill: two.csv}}}
"""
    )
    table = text.split("limits")[0] + (
        "aggregate: {by: [a, b], measures: {n: {count: '*'}}, protect: {}, dimensions: {b: {hierarchy: three.csv}}}\n"
    )
    asked = []

    def read(name):
        asked.append(name)
        return [["x", name[:3]]]

    policy = load(self_contained(text, read))
    assert policy.attributes["b"].otherwise.parameters == {"mapping": {"x": ["one"]}}
    assert policy.limits.t_closeness.hierarchies == {"ill": {"x": ["two"]}}
    assert load(self_contained(table, read)).aggregate.dimensions == {"b": {"hierarchy": {"x": ["thr"]}}}
    assert asked == ["one.csv", "two.csv", "one.csv", "three.csv"]


def test_a_value_with_two_different_ancestors_is_refused_without_naming_it():
    text = RULE.replace("TECHNIQUE", "generalization.hierarchy")
    assert parameters(self_contained(text, lambda _: [["x", "y"], ["x", "y"]])) == {"mapping": {"x": ["y"]}}
    with pytest.raises(InvalidParameter, match="names a value twice") as refused:
        self_contained(text, lambda _: [["secret", "y"], ["secret", "z"]])
    assert "secret" not in str(refused.value)


def test_a_policy_stays_a_policy():
    text = RULE.replace("TECHNIQUE", "generalization.hierarchy")
    with pytest.raises(PolicyError, match="at most"):
        self_contained(text, lambda _: [[str(n), "x" * 30] for n in range(30_000)])
    with pytest.raises(PolicyError):
        self_contained(text.replace("role", "rule"), lambda _: [["x", "y"]])


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        (f"{HEAD}  a: {{role: quasi_identifier, technique: generalization.hierarchy, file: h.csv}}\n", "a"),
        (
            (
                f"{HEAD}  a: {{role: sensitive, technique: keep}}\n"
                "limits: {t_closeness: {t: 0.5, distance: hierarchical, hierarchies: {a: h.csv}}}\n"
            ),
            "a",
        ),
    ],
)
def test_a_wrong_file_is_told_with_its_attribute(text, attribute):
    def read(name):
        raise InvalidParameter(f"{name} is wrong")

    with pytest.raises(InvalidParameter, match=f"attribute '{attribute}': h.csv is wrong"):
        self_contained(text, read)
