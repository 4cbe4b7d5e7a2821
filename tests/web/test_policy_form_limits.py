"""Every limit and level of a policy can be set in the form; what the form does not know stays; errors stand at fields."""

import re
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from masking.limits import Limits
from masking.policy import check, load
from masking.policy.model import RECODING
from opendata.catalog.models import Dataset
from opendata.identity import Actor, Role
from opendata.publishing import service as publishing
from opendata.web import limit_form, policy_form
from opendata.web.form_fields import WrongForm
from opendata.web.security import CSRF_FIELD
from tests.publishing.chain import survey_policy

RECODED = """version: 1
dataset: survey
attributes:
  person: {role: direct_identifier, technique: suppression.drop, reason: 虚构}
  age: {role: quasi_identifier, technique: generalization.recoding, intervals: [5, 10], origin: 2, lowest: 1}
  sex: {role: quasi_identifier, technique: generalization.recoding}
  home: {role: quasi_identifier, technique: generalization.recoding, mapping: {甲: [东], 乙: [东], 丙: [西]}, weight: 2}
  code: {role: quasi_identifier, technique: generalization.recoding, prefixes: [4, 2], fill: "0"}
  born: {role: quasi_identifier, technique: generalization.recoding, calendar: true, highest: 4}
  score: {role: sensitive, technique: keep}
limits: {k_anonymity: 5, t_closeness: {t: 0.3, distance: hierarchical, hierarchies: {score: scores.csv}}, suppression: 0.0125}
"""


def sent(policy, **changes):
    """What a browser sends for the page as it stands."""
    form = {"record": "、".join(policy.record), "recoding": policy.recoding, **limit_form.fields(policy.limits)}
    for row in policy_form.rows(policy, "zh"):
        form |= {f"role-{row.index}": row.rule.role.value, f"how-{row.index}": row.choice}
        form |= {f"reason-{row.index}": row.rule.reason}
        if row.choice == "current" and row.parameters:
            form[f"parameters-{row.index}"] = row.parameters
        if row.levels:
            shown = {name: getattr(row.levels, name) for name in ("steps", "lowest", "highest", "weight")}
            form |= {f"{name}-{row.index}": text for name, text in shown.items() if text is not None}
    return form | changes


def changed(policy, **changes):
    return load(policy_form.changed(policy, sent(policy, **changes)))


def parameters(policy):
    return {name: (rule.technique, dict(rule.parameters)) for name, rule in policy.attributes.items()}


def test_a_form_that_nobody_changed_says_the_same_policy():
    policy = load(RECODED)
    again = changed(policy)
    assert parameters(again) == parameters(policy)
    assert (again.limits, again.recoding) == (policy.limits, policy.recoding)


some = st.none()
shares = st.integers(1, 10_000).map(lambda n: n / 10_000)
wanted = st.fixed_dictionaries(
    {
        "k_anonymity": some | st.integers(2, 500),
        "distinct_l_diversity": some | st.integers(2, 20),
        "entropy_l_diversity": some | st.integers(10, 900).map(lambda n: n / 10),
        "recursive_cl_diversity": some | st.tuples(shares.map(lambda n: n * 10), st.integers(2, 9)).map(list),
        "t_closeness": some | st.fixed_dictionaries({"t": shares, "distance": st.sampled_from(["equal", "ordered"])}),
        "max_risk": some | shares,
        "average_risk": some | shares,
        "population_uniqueness": some
        | st.fixed_dictionaries(
            {
                "share": shares,
                "population": st.integers(1, 10**9),
                "estimator": st.sampled_from(["dankar", "pitman", "zayatz", "snb"]),
            }
        ),
        "k_map": some | st.integers(2, 9),
        "delta_presence": some | st.just([0.0, 0.5]),
        "suppression": shares,
    }
)


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(wanted)
def test_any_limits_come_back_from_their_fields(values):
    policy = load(survey_policy())
    limits = Limits.of(values)
    assert changed(replace(policy, limits=limits)).limits == limits


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"max_risk": "5%"}, {"max_risk": 0.05}),
        ({"max_risk": "0.2", "average_risk": "１"}, None),
        ({"recursive_c": "4", "recursive_l": "3"}, {"recursive_cl_diversity": [4.0, 3]}),
        ({"t_closeness": "0.2", "t_distance": "ordered"}, {"t_closeness": {"t": 0.2, "distance": "ordered"}}),
        ({"suppression": "1.25%"}, {"suppression": 0.0125}),
        (
            {"population_share": "1 %", "population_size": "14000000"},
            {"population_uniqueness": {"share": 0.01, "population": 14_000_000, "estimator": "dankar"}},
        ),
    ],
)
def test_limits_as_people_type_them(fields, said):
    policy = load(survey_policy())
    if said is None:
        with pytest.raises(WrongForm):
            changed(policy, **fields)
        return
    assert changed(policy, **fields).limits == Limits.of({"k_anonymity": 5, "suppression": 0.2} | said)


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"k_anonymity": "1"}, "k_anonymity"),
        ({"k_anonymity": "五"}, "k_anonymity"),
        ({"distinct_l_diversity": "2.5"}, "distinct_l_diversity"),
        ({"entropy_l_diversity": "0.5"}, "entropy_l_diversity"),
        ({"recursive_c": "4"}, "recursive_l"),
        ({"recursive_l": "3"}, "recursive_c"),
        ({"t_closeness": "2"}, "t_closeness"),
        ({"t_closeness": "0.2", "t_distance": "hierarchical"}, "t_distance"),
        ({"t_closeness": "0.2", "t_distance": "<b>"}, "t_distance"),
        ({"max_risk": "0"}, "max_risk"),
        ({"max_risk": "nan"}, "max_risk"),
        ({"average_risk": "101%"}, "average_risk"),
        ({"population_share": "0.01"}, "population_size"),
        ({"population_size": "100"}, "population_share"),
        ({"suppression": "120"}, "suppression"),
        ({"recoding": "both"}, "recoding"),
    ],
)
def test_a_wrong_limit_is_said_at_its_field(fields, at):
    with pytest.raises(WrongForm) as caught:
        changed(load(survey_policy()), **fields)
    assert list(caught.value.fields) == [at]
    assert set(caught.value.fields[at]) == {"zh", "en"}


def test_all_wrong_fields_are_said_at_once():
    with pytest.raises(WrongForm) as caught:
        changed(load(RECODED), **{"k_anonymity": "0", "lowest-1": "x", "steps-4": "2, 4"})
    assert set(caught.value.fields) == {"k_anonymity", "lowest-1", "steps-4"}


def test_levels_and_steps_can_be_set():
    policy = load(RECODED)
    again = changed(
        policy,
        **{
            "steps-1": "10，20、40",
            "lowest-1": "",
            "highest-1": "2",
            "weight-1": "0.5",
            "lowest-3": "1",
            "weight-3": "",
        },
    )
    assert again.attributes["age"].parameters == {"intervals": [10, 20, 40], "origin": 2, "highest": 2, "weight": 0.5}
    home = again.attributes["home"].parameters
    assert home == {"mapping": dict(policy.attributes["home"].parameters["mapping"]), "lowest": 1}


def test_a_technique_becomes_generalization_by_levels_and_back():
    policy = load(survey_policy())
    at = list(policy.attributes).index("age")
    for choice, expected in (
        ("recode_intervals", {"intervals": [5, 10, 20]}),
        ("recode_prefixes", {"prefixes": [4, 2]}),
        ("recode_calendar", {"calendar": True}),
        ("recode_flat", {}),
    ):
        made = changed(policy, **{f"how-{at}": choice})
        assert (made.attributes["age"].technique, made.attributes["age"].parameters) == (RECODING, expected)
        assert policy_form.rows(made, "zh")[at].choice == choice
        back = changed(made, **{f"how-{at}": "bands10"})
        assert (back.attributes["age"].technique, back.attributes["age"].parameters) == (
            "generalization.bands",
            {"width": 10},
        )
    other = changed(load(RECODED), **{"how-1": "recode_prefixes"})  # the widths it had mean nothing to prefixes
    assert other.attributes["age"].parameters == {"prefixes": [4, 2], "lowest": 1}


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"steps-1": "10, 15"}, "steps-1"),
        ({"steps-1": "ten"}, "steps-1"),
        ({"steps-4": "2, 4"}, "steps-4"),
        ({"steps-4": "0"}, "steps-4"),
        ({"lowest-1": "9"}, "lowest-1"),
        ({"highest-1": "9"}, "highest-1"),
        ({"lowest-3": "2", "highest-3": "1"}, "lowest-3"),
        ({"weight-1": "0"}, "weight-1"),
        ({"weight-1": "-1"}, "weight-1"),
    ],
)
def test_wrong_levels_are_said_at_their_field(fields, at):
    with pytest.raises(WrongForm) as caught:
        changed(load(RECODED), **fields)
    assert list(caught.value.fields) == [at]


def test_what_the_policy_check_refuses_is_said_at_the_field():
    mixed = policy_form.changed(load(survey_policy()), sent(load(survey_policy()), **{"how-2": "recode_intervals"}))
    for yaml, at in (
        (mixed, "how-3"),  # sex is still kept as it is
        (survey_policy().replace("role: sensitive", "role: insensitive").replace("K,", ""), "distinct_l_diversity"),
        (survey_policy().replace("suppression: 0.2", "t_closeness: {t: 0.2, distance: ordered}"), "t_distance"),
    ):
        wrong = (
            yaml.replace("limits: {", "limits: {distinct_l_diversity: 3, ") if at == "distinct_l_diversity" else yaml
        )
        with pytest.raises(Exception) as caught:
            check(load(wrong))
        assert policy_form.field_of(caught.value, wrong) == at


@pytest.fixture
def drafted(portal):
    """A dataset with a draft policy, and the officer's browser."""
    name = "drafted"
    with portal.database.session() as session:
        there = session.query(Dataset).filter_by(name=name).one_or_none()
    if there is None:
        portal.dataset(name, opening=None)
    with portal.database.begin() as session:
        dataset = session.query(Dataset).filter_by(name=name).one()
        actor = Actor(
            id=portal.users["officer"],
            username="officer",
            name="officer",
            organization_id=dataset.organization_id,
            organization_name="",
            roles=frozenset({Role.DATA_OFFICER}),
        )
        publishing.save_policy(session, dataset, yaml=survey_policy(), actor=actor)
    client = portal.client("officer")

    def post(language="zh", **fields):
        policy = load(survey_policy())
        form = sent(policy, **fields) | {"basis": survey_policy(), "yaml": survey_policy()}
        form = {"action": "save-form", CSRF_FIELD: client.csrf} | form
        return client.post(f"/console/datasets/{name}/policy", data=form, headers={"Accept-Language": language})

    return post


@pytest.mark.parametrize(
    ("language", "words"), [("zh", "应为大于 0 且不大于 1 的数"), ("en", "Enter a number above 0")]
)
def test_the_page_says_the_error_beside_the_field_and_keeps_what_was_typed(drafted, language, words):
    answer = drafted(language, max_risk="<b>7", k_anonymity="7")
    assert answer.status_code == 422
    assert '<a href="#max_risk">' in answer.text
    field = re.search(r'<p id="max_risk-error".*?</p>', answer.text, re.DOTALL)
    assert field
    assert words in field[0]
    assert 'aria-describedby="max_risk-error"' in answer.text
    assert re.search(r'id="k_anonymity"[^>]*value="7"', answer.text)
    assert 'value="&lt;b&gt;7"' in answer.text
    assert "<b>7" not in answer.text
    assert re.search(r"<details[^>]* open>", answer.text)


def test_the_page_saves_limits_and_says_so(drafted):
    answer = drafted(max_risk="5%", recoding="global")
    assert answer.status_code == 200
    assert "max_risk: 0.05" in answer.text
    assert "recoding: global" in answer.text


def test_a_choice_that_the_check_refuses_is_said_at_its_list(drafted):
    answer = drafted(**{"how-2": "recode_intervals"})
    assert answer.status_code == 422
    assert 'aria-describedby="how-3-error"' in answer.text
