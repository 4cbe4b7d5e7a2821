"""Hierarchies for a draft: never finer than what the officer decided, proposed from shape alone, refused by name."""

import pyarrow as pa
import pytest

from masking import techniques
from masking.policy import check, load
from masking.policy.model import RECODING
from opendata.publishing.errors import PublicationRefused
from opendata.publishing.searchable import check_searchable, propose, reads_data, replaced, searchable
from tests.publishing.chain import AGGREGATE, FLIGHTS, survey_policy


def policy_of(rule, *, role="quasi_identifier"):
    return load(f"version: 1\ndataset: d\nattributes:\n  a: {{role: {role}, {rule}}}\n  b: {{role: sensitive}}\n")


@pytest.mark.parametrize(
    ("rule", "values", "parameters", "shown"),
    [
        # What the draft generalizes is where the hierarchy begins.
        (
            "technique: generalization.bands, width: 10, lower: 20, upper: 80",
            [37, 64],
            {"lowest": 1},
            ["30-39", "60-69"],
        ),
        ("technique: generalization.bands, width: 10, lower: 18", [27, 28], {"origin": 18}, ["18-27", "28-37"]),
        ("technique: generalization.rounding, base: 5", [3, 7], {"lowest": 1}, ["0-4", "5-9"]),
        ("technique: generalization.date, to: year", [pa.scalar(18000, pa.date32())], {"lowest": 3}, ["2019"]),
        (
            'technique: generalization.date, to: "year_band:10"',
            [pa.scalar(18000, pa.date32())],
            {"lowest": 4},
            ["2010s"],
        ),
        ("technique: generalization.code_prefix, keep_first: 3", ["J18.901"], {"lowest": 1}, ["J18****"]),
        ("technique: generalization.postcode, digits: 4", ["410082"], {"lowest": 1}, ["4100**"]),
        ("technique: generalization.division, to: city", ["430104"], {"fill": "0", "lowest": 2}, ["430100"]),
        ("technique: generalization.hierarchy, mapping: {x: [y, z]}, level: 2", ["x"], {"lowest": 2}, ["z"]),
    ],
)
def test_a_technique_is_where_the_hierarchy_begins(rule, values, parameters, shown):
    policy = policy_of(rule)
    check_searchable(policy)
    assert reads_data(policy) == ()
    found = propose(policy, {})["a"]
    assert parameters.items() <= found.items()
    column = pa.array([value.as_py() if isinstance(value, pa.Scalar) else value for value in values])
    made = techniques.get(RECODING).check(found, attribute="a")
    hierarchy = made.hierarchy_of(column)
    low, high = made.range_of(hierarchy)
    assert low < high  # the search has something to decide
    assert hierarchy.written(hierarchy.find(column)[0], low).to_pylist() == shown


@pytest.mark.parametrize(
    ("values", "parameters"),
    [
        ([23, 24, 25, 31, 47], {"intervals"}),
        (["430104", "430102", "110101"], {"prefixes"}),
        (["a", "b"], set()),
        ([None, None], set()),
    ],
)
def test_a_kept_attribute_gets_what_its_values_look_like(values, parameters):
    policy = policy_of("technique: keep")
    assert reads_data(policy) == ("a",)
    found = propose(policy, {"a": pa.chunked_array([values])})["a"]
    assert set(found) == parameters
    assert not {str(value) for value in values if value is not None} & set(map(str, found.values()))


@pytest.mark.parametrize(
    ("values", "type_", "parameters"),
    [
        ([430104, 110101, 110102], "REGION", {"prefixes": [4, 2], "fill": "0"}),
        (["430104002", "110101001", "110101002"], "REGION", {"prefixes": [6, 4, 2], "fill": "0"}),
        (["410082", "410083", "100000"], "POSTCODE", {"prefixes": [4, 3, 2]}),
        (["岳麓区", "东城区", "顺义区", "浏阳市"], "REGION", {}),
        ([1, 2, 30], "AGE", {"intervals": [2, 10, 20]}),
    ],
)
def test_codes_are_no_quantities(values, type_, parameters):
    found = propose(policy_of("technique: keep"), {"a": pa.chunked_array([values])}, {"a": type_})["a"]
    assert found == parameters
    if "intervals" in found:
        assert {type(step) for step in found["intervals"]} == {int}


@pytest.mark.parametrize(
    "rule",
    [
        "technique: generalization.address, to: city",
        "technique: generalization.bands, edges: [1, 5, 9]",
        'technique: generalization.date, to: "year_band:5"',
        "technique: generalization.division, to: city, names: true",
        "technique: generalization.hierarchy, mapping: {x: y}, on_missing: suppress",
        "technique: pseudonymization.keyed, key: k",
        "technique: suppression.mask, keep_first: 1",
        "technique: keep, when: {column: b, equals: x}, otherwise: {technique: suppression.drop}",
    ],
)
def test_what_no_hierarchy_stands_for_is_refused_by_its_attribute(rule):
    try:
        policy = policy_of(rule)
    except Exception as error:
        raise AssertionError(rule) from error
    with pytest.raises(PublicationRefused, match="a"):
        check_searchable(policy)


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        (AGGREGATE, "汇总表"),
        (FLIGHTS, "tail"),
        (survey_policy().replace("quasi_identifier", "insensitive"), "准标识符"),
    ],
)
def test_drafts_without_a_curve_say_why(yaml, words):
    with pytest.raises(PublicationRefused) as caught:
        check_searchable(load(yaml))
    assert words in caught.value.reason["zh"]


def test_the_draft_becomes_one_that_a_search_decides_and_nothing_else_changes():
    policy = load(survey_policy())
    made = searchable(policy, propose(policy, {"sex": pa.chunked_array([["男", "女"]])}))
    check(made)
    assert made.recoded == made.quasi_identifiers == ("age", "sex")
    assert replaced(policy) == {"age": "generalization.bands", "sex": "keep"}
    assert (made.limits, made.unit, made.attributes["score"]) == (
        policy.limits,
        policy.unit,
        policy.attributes["score"],
    )
    bare = load(survey_policy().replace("limits: {k_anonymity: 5, suppression: 0.2}\n", ""))
    assert searchable(bare, propose(bare, {"sex": pa.chunked_array([["男", "女"]])})).limits.k == 2
