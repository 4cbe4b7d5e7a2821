"""Conditions, samples and key domains in the policy form: never lost by saving it, and changed where it shows them."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.policy import KeyDomain, Sample, load
from opendata.web import policy_form, records_form
from opendata.web.form_fields import WrongForm
from tests.web.test_policy_form import form_of

POLICY = """version: 1
dataset: survey
level: L3
unit: person
record: [score, person]
suppress:
  - {column: age, at_least: 90}
  - {any: [{column: sex, equals: "其他"}, {column: born, below: 1930-01-01}, {column: sex, is_null: true}]}
sample: {share: 0.123456789012, key: draws}
key_domains:
  people: {datasets: [survey, visits], version: 3, joins: [person], period: 2026-03}
  alone: {datasets: [], version: 1, joins: []}
attributes:
  person: {role: direct_identifier, technique: pseudonymization.keyed, key: people, reason: 虚构}
  age: {role: quasi_identifier, technique: generalization.bands, width: 20, reason: 年龄}
  sex: {role: quasi_identifier, technique: keep, codes: [男, 女], reason: 性别}
  born: {role: quasi_identifier, technique: generalization.date, to: year, reason: 出生}
  score:
    role: sensitive
    technique: generalization.rounding
    base: 10
    when: {column: age, below: 80}
    otherwise: {technique: generalization.rounding, base: 100}
    data_level: L2
    reason: 结果
  job:
    role: sensitive
    technique: keep
    when: {all: [{column: age, at_least: 20}, {column: sex, in: [男, 女]}]}
    otherwise: {technique: generalization.hierarchy, level: 1, mapping: {会计: [财务], 教师: [教育]}}
    reason: 职业
"""


def sent(policy, **changes):
    """What a browser sends for the page as it stands, these fields included."""
    form = form_of(policy) | records_form.fields(policy)
    for row in policy_form.rows(policy, "zh"):
        form |= {f"when-{row.index}": row.when, f"otherwise-{row.index}": row.otherwise}
    for each in records_form.domains(policy):
        place = f"domain-{each.index}"
        form |= {f"{place}-version": each.version, f"{place}-period": each.period}
        form |= {f"{place}-joins": each.joins, f"{place}-datasets": each.datasets}
    return form | changes


def saved(policy, **changes):
    return load(policy_form.changed(policy, sent(policy, **changes)))


def plain(policy):
    """The policy without what a text has and a policy does not: line numbers."""

    def rule(given):
        other = rule(given.otherwise) if given.otherwise else None
        return dataclasses.replace(given, line=0, otherwise=other)

    attributes = {name: rule(each) for name, each in policy.attributes.items()}
    return dataclasses.replace(policy, attributes=attributes, source_text="")


def test_a_form_that_nobody_changed_says_the_same_policy():
    policy = load(POLICY)
    assert plain(saved(policy)) == plain(policy)
    # Also one that does not show these fields, as programs send it.
    assert plain(load(policy_form.changed(policy, form_of(policy) | {"record": "person、score"}))) == plain(policy)


@settings(max_examples=25, deadline=None)
@given(
    share=st.floats(0.0001, 1),
    version=st.integers(1, 10**6),
    joins=st.sampled_from([None, (), ("person",), ("person", "age")]),
    words=st.sampled_from(
        [
            "column: age, at_least: 90.5",
            'column: sex, matches: "[男女], {x}"',
            'column: sex, in: ["a, b", "c: d", "yes", "007"]',
            "column: born, below: 2000-01-01",
            """all: [{column: age, below: 3}, {any: [{column: sex, not_in: ["'", '"', "", " "]}]}]""",
        ]
    ),
)
def test_any_of_them_come_back_from_their_fields(share, version, joins, words):
    policy = dataclasses.replace(
        load(POLICY.replace("column: age, at_least: 90", words).replace("column: age, below: 80", words)),
        sample=Sample(share, "draws"),
        key_domains={"people": KeyDomain(version=version, joins=joins)},
    )
    assert plain(saved(policy)) == plain(policy)


def test_conditions_can_be_written_and_taken_away():
    policy = load(POLICY)
    made = saved(
        policy, suppress="column: age, below: 3\n\n{column: sex, equals: 男}", **{"when-4": "", "otherwise-4": ""}
    )
    assert [each.to_words() for each in made.suppress] == [
        {"column": "age", "below": 3},
        {"column": "sex", "equals": "男"},
    ]
    assert (made.attributes["score"].when, made.attributes["score"].otherwise) == (None, None)
    assert made.attributes["job"] == load(policy_form.changed(policy, sent(policy))).attributes["job"]
    assert saved(policy, suppress="").suppress == ()
    back = saved(made, **{"when-4": "column: age, below: 80", "otherwise-4": "technique: keep"})
    assert back.attributes["score"].when.to_words() == {"column": "age", "below": 80}
    assert back.attributes["score"].otherwise.technique == "keep"


def test_the_other_branch_keeps_its_hierarchy_and_its_key():
    policy = load(POLICY)
    row = policy_form.rows(policy, "zh")[5]
    assert "mapping" not in row.otherwise
    made = saved(policy, **{"otherwise-5": row.otherwise + ", on_missing: suppress"}).attributes["job"].otherwise
    assert made.parameters == {"mapping": {"会计": ["财务"], "教师": ["教育"]}, "level": 1, "on_missing": "suppress"}
    keyed = saved(policy, **{"otherwise-5": "technique: pseudonymization.keyed, key: people"})
    assert keyed.attributes["job"].otherwise.key == "people"


def test_sample_and_domains_can_be_changed():
    policy = load(POLICY)
    made = saved(policy, sample_share="25")
    assert (made.sample.share, made.sample.key) == (0.25, "draws")
    assert saved(policy, sample_share="", sample_key="").sample is None
    domain = saved(policy, **{"domain-0-version": "4", "domain-0-joins": "person，age", "domain-0-period": ""})
    people = domain.key_domains["people"]
    assert (people.version, people.joins, people.period) == (4, ("person", "age"), "")
    assert people.datasets == ("survey", "visits")
    assert domain.key_domains["alone"].joins == (), "what the form cannot show stays"
    assert "draws" not in domain.key_domains, "a key that nothing is said of stays so"


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"suppress": "age >= 90"}, "suppress"),
        ({"suppress": "column: age, more_than: 90"}, "suppress"),
        ({"suppress": "column: age, at_least: [" + "9, " * 5000 + "9]"}, "suppress"),
        ({"when-4": "column: age"}, "when-4"),
        ({"otherwise-4": "base: 10"}, "otherwise-4"),
        ({"otherwise-4": "!!python/object:os.system {}"}, "otherwise-4"),
        ({"sample_share": "0"}, "sample_share"),
        ({"sample_share": "120"}, "sample_share"),
        ({"sample_key": ""}, "sample_key"),
        ({"domain-0-version": "0"}, "domain-0-version"),
    ],
)
def test_what_cannot_be_read_is_said_at_its_field(changes, at):
    policy = load(POLICY)
    with pytest.raises(WrongForm) as refused:
        saved(policy, **changes)
    assert list(refused.value.fields) == [at]
    assert all(refused.value.fields[at].values())
