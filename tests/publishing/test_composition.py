"""Two editions together: what each hides, both may show."""

from dataclasses import replace

import polars as pl
import pyarrow as pa
import pytest

from masking.limits import Limits
from masking.policy import load
from opendata.publishing.composition import check, joint, view
from opendata.publishing.errors import PublicationRefused
from opendata.publishing.views import PERSON, SHOWN, View

POLICY = """version: 1
dataset: d
title: {zh: 表, en: table}
unit: person
attributes:
  person: {role: direct_identifier, technique: suppression.drop, reason: 标识}
  age: {role: quasi_identifier, technique: generalization.bands, edges: EDGES, reason: 年龄}
  sex: {role: quasi_identifier, technique: SEX, reason: 性别}
limits: {k_anonymity: K, suppression: 0.9}
"""


def policy(edges, *, k=5, sex="keep"):
    return load(POLICY.replace("EDGES", str(edges)).replace("K,", f"{k},").replace("SEX", sex))


def people(ages, start=0):
    rows = len(ages)
    return pa.table(
        {
            "person": [f"p{start + n}" for n in range(rows)],
            "age": ages,
            "sex": ["f" if n % 2 else "m" for n in range(rows)],
        }
    )


def seen(policy_, table, intake="one"):
    return view(policy_, lambda: table.to_reader(), intake_id=intake)


EVERY_AGE = people([age for age in range(20, 80) for _ in range(4)])


def test_shifted_bands_cut_each_other_into_small_classes():
    one, other = policy([40, 60], sex="suppression.drop"), policy([41, 61], sex="suppression.drop")
    found = joint(seen(other, EVERY_AGE), seen(one, EVERY_AGE))
    assert (found.smallest, found.persons_below) == (4, 8)  # the forty- and the sixty-year-olds
    with pytest.raises(PublicationRefused, match="8 人"):
        check(seen(other, EVERY_AGE), [("earlier-edition", seen(one, EVERY_AGE))])


def test_nested_bands_are_no_danger():
    fine, coarse = policy([30, 40, 50, 60]), policy([40, 60])
    assert joint(seen(coarse, EVERY_AGE), seen(fine, EVERY_AGE)).persons_below == 0
    assert check(seen(coarse, EVERY_AGE), [("e", seen(fine, EVERY_AGE))]) == [{"edition": "e", "k": 5, "smallest": 20}]


def test_the_same_policy_on_the_same_intake_says_nothing_new():
    same = policy([40, 60])
    assert joint(seen(same, EVERY_AGE), seen(same, EVERY_AGE)) is None


def test_suppressed_in_one_and_shown_in_the_other_is_a_class_too():
    table = people([25] * 20 + [75] * 3)  # the three are suppressed under the fine bands only
    found = joint(
        seen(policy([20, 50], k=5, sex="suppression.drop"), people([25] * 20 + [45] * 3)),
        seen(policy([30, 50], k=5, sex="suppression.drop"), people([25] * 20 + [45] * 3)),
    )
    assert (found.smallest, found.persons_below) == (3, 3)
    both = joint(
        seen(policy([20, 50], sex="suppression.drop"), table), seen(policy([30, 50], sex="suppression.drop"), table)
    )
    assert both.persons_below == 0  # hidden in both: nobody is shown


def test_newcomers_alone_in_their_class_are_found():
    old, new = people([25] * 20 + [45] * 20), people([25] * 20 + [45] * 20 + [26])
    same = policy([20, 40], sex="suppression.drop")
    found = joint(seen(same, new, "two"), seen(same, old, "one"))
    assert (found.smallest, found.persons_below) == (1, 1)
    more = people([25] * 20 + [45] * 20 + [26] * 5)
    assert joint(seen(same, more, "two"), seen(same, old, "one")).persons_below == 0


def test_without_a_person_column_only_the_same_generalization_may_follow():
    text = POLICY.replace("unit: person\n", "").replace("EDGES", "[20, 40]").replace("K,", "5,").replace("SEX", "keep")
    other = text.replace("[20, 40]", "[20, 50]")
    old, new = people([25] * 40), people([25] * 41)
    assert joint(seen(load(text), new, "two"), seen(load(text), old, "one")).persons_below == 1
    with pytest.raises(PublicationRefused, match="沿用原策略"):
        joint(seen(load(other), new, "two"), seen(load(text), old, "one"))


def test_aggregates_are_joined_on_what_they_share():
    cells = """aggregate:
  by: [sex]
  measures: {persons: {count: "*"}}
  threshold: 5
"""
    by_sex = load(policy([20, 40]).source_text + cells) if policy([20, 40]).source_text else None
    assert by_sex is not None
    assert joint(seen(by_sex, EVERY_AGE), seen(policy([40, 60]), EVERY_AGE)).persons_below == 0


def test_records_of_one_person_are_joined_record_by_record_within_an_intake():
    ages = [age for age in range(20, 80) for _ in range(4)]
    table = people(ages).set_column(0, "person", pa.array([f"p{n % 60}" for n in range(len(ages))]))
    fine, coarse = policy([30, 40, 50, 60]), policy([40, 60])
    assert joint(seen(coarse, table), seen(fine, table)).persons_below == 0
    shifted = joint(
        seen(policy([41, 61], sex="suppression.drop"), table), seen(policy([40, 60], sex="suppression.drop"), table)
    )
    assert (shifted.smallest, shifted.persons_below) == (4, 8)


def shows(name, values, k=5, intake="one"):
    """A view of one attribute; every record is shown."""
    frame = pl.DataFrame({name: values, PERSON: [f"p{n}" for n in range(len(values))], SHOWN: [True] * len(values)})
    return View(intake, name, (name,), Limits(k_anonymity=k), aggregate=False, linked=True, frame=frame)


@pytest.mark.parametrize("intakes", [("one", "one", "one"), ("one", "two", "three")])
def test_editions_that_agree_in_pairs_may_not_agree_together(intakes):
    eight = [n % 8 for n in range(24)]  # three persons of each kind; two editions leave six alike, three only three
    one, two, new = (
        shows(f"bit{place}", [str(kind >> place & 1) for kind in eight], intake=intake)
        for place, intake in enumerate(intakes)
    )
    assert joint(new, one).persons_below == joint(new, two).persons_below == 0
    assert check(new, [("first", one)]) == [{"edition": "first", "k": 5, "smallest": 6}]
    with pytest.raises(PublicationRefused, match=r"全部已发布版本组合后，有 24 人所在的共同群体不足 5 人（最小 3 人）"):
        check(new, [("first", one), ("second", two)])


def test_joint_classes_are_held_to_the_weaker_diversity():
    ages, ill = ["low"] * 10 + ["middle"] * 10 + ["high"] * 10, ["a", "b"] * 5 + ["a"] * 10 + ["b", "c"] * 5
    diverse = Limits(k_anonymity=5, distinct_l_diversity=2)
    one = replace(shows("age", ["low" if age != "high" else age for age in ages]), limits=diverse)
    other = replace(shows("age", ["high" if age != "low" else age for age in ages]), limits=diverse, policy_digest="b")
    other = replace(other, frame=other.frame.with_columns(pl.Series("ill", ill)), sensitive=("ill",))
    assert joint(other, one).persons_below == 0
    # Both are diverse, but of those in the middle, whom the two cut out together, all are ill in the same way.
    with pytest.raises(PublicationRefused, match="10 人所在的共同群体不满足 distinct_l_diversity"):
        check(other, [("earlier-edition", one)])
    undiverse = replace(one, limits=Limits(k_anonymity=5))
    assert check(other, [("earlier-edition", undiverse)])[0]["smallest"] == 10
