"""The form and the YAML say the same policy; every choice of the form is a rule that the policy check knows."""

import pytest

from masking import techniques
from masking.policy import load
from opendata.web import policy_choices, policy_form
from tests.publishing.chain import survey_policy


def form_of(policy, lang="zh", **changes):
    """What a browser sends for the page as it stands."""
    form = {"record": "、".join(policy.record), "suppression": f"{policy.limits.suppression * 100:g}"}
    for name in ("k_anonymity", "distinct_l_diversity"):
        form[name] = str(getattr(policy.limits, name) or "")
    for row in policy_form.rows(policy, lang):
        form |= {f"role-{row.index}": row.rule.role.value, f"how-{row.index}": row.choice}
        form |= {f"reason-{row.index}": row.rule.reason, f"parameters-{row.index}": row.parameters}
        if row.rule.key:
            form[f"key-{row.index}"] = row.rule.key
        if row.rule.invented:
            form[f"invented-{row.index}"] = "yes"
    return form | changes


def test_a_form_that_nobody_changed_says_the_same_policy():
    policy = load(survey_policy(technique="pseudonymization.keyed", key="line"))
    again = load(policy_form.changed(policy, form_of(policy)))
    assert again.attributes.keys() == policy.attributes.keys()
    for name, rule in policy.attributes.items():
        other = again.attributes[name]
        assert (rule.role, rule.technique, dict(rule.parameters), rule.key) == (
            other.role,
            other.technique,
            dict(other.parameters),
            other.key,
        )
    assert again.limits == policy.limits


@pytest.mark.parametrize("choice", policy_choices.CHOICES, ids=lambda choice: choice.id)
def test_every_choice_is_a_rule_that_can_be_run(choice):
    cls = techniques.get(choice.technique)
    assert choice.keyed == cls.needs_key
    cls.check(choice.parameters, attribute="a", key="k" if choice.keyed else None, record=("id",))
    assert choice.title["zh"]
    assert choice.title["en"]


def test_what_is_invented_and_what_tells_records_apart_can_be_set_in_the_form():
    policy = load(survey_policy())
    yaml = policy_form.changed(policy, form_of(policy, **{"invented-0": "yes", "record": "person， age"}))
    again = load(yaml)
    assert again.attributes["person"].invented
    assert not again.attributes["age"].invented
    assert again.record == ("person", "age")
