"""Editions that compose: joint classes counted by a plain, slow reading of the same rule."""

from collections import defaultdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import masking
import masking.measures
from masking.errors import InvalidParameter, LimitsNotMet
from masking.hierarchies import Hierarchy, as_hierarchy
from masking.limits import Limits
from masking.measures.joint_classes import joint_classes
from masking.recoding.coarsened import coarsened
from masking.recoding.history import Earlier, history_of, joint_limits
from masking.recoding.items import Items
from masking.recoding.local_paths import losses_of

AGE = [[str(n), f"{n // 2 * 2}-{n // 2 * 2 + 1}", "low" if n < 4 else "high"] for n in range(8)]
CITY = [["a1", "a"], ["a2", "a"], ["b1", "b"], ["b2", "b"]]
TREES = {"age": AGE, "city": CITY}
NAMES = list(TREES)


def table(persons, ages, cities, ill=None):
    columns = {"id": persons, "age": [str(age) for age in ages], "city": cities}
    return pl.DataFrame({**columns, **({"ill": ill} if ill is not None else {})})


def classes_of(edition):
    """{person: the set of their classes}; persons that are not there are absent."""
    found = defaultdict(set)
    for person, *cells in edition.select("id", *NAMES).iter_rows():
        found[person].add(tuple(cells))
    return {person: frozenset(classes) for person, classes in found.items()}


def joint(*editions):
    """The joint classes of all editions: {tuple of classes: persons}, of whom the last edition shows or an earlier did."""
    seen = [classes_of(each) for each in editions]
    found = defaultdict(set)
    for person in set().union(*seen):
        found[tuple(each.get(person) for each in seen)].add(person)
    return found


def crowd(rng, rows, start=0):
    persons = [f"p{start + n}" for n in range(rows)]
    return table(
        persons, rng.integers(0, 8, rows), rng.choice(["a1", "a2", "b1", "b2"], rows), rng.choice(list("xyz"), rows)
    )


# What a person's history is


def test_histories_of_a_hand_made_table():
    first = table(["p1", "p2", "p3"], ["0", "0", "*"], ["a", "a", "*"])
    second = table(["p2", "p3", "p9"], ["0", "1", "1"], ["a", "b", "b"])
    earlier = [Earlier.of_persons(each, NAMES, "id", Limits(k_anonymity=2)) for each in (first, second)]
    found = history_of(pl.Series(["p4", "p1", "p2", "p3", "p2"]), 5, earlier, Limits(k_anonymity=3))
    newcomer, left_later, both, starred, again = found.codes
    assert newcomer == 0
    assert both == again
    assert len({newcomer, left_later, both, starred}) == 4
    assert found.present[both] == 1  # a person of two records is one
    assert found.away.sum() == 1  # p9
    assert found.k == 2


@pytest.mark.parametrize(
    ("new", "earlier", "asked"),
    [
        ({"k_anonymity": 10}, [{"k_anonymity": 5}], {"k_anonymity": 5}),
        ({"k_anonymity": 5}, [{"max_risk": 0.1}], {"k_anonymity": 5}),  # 1/0.1 = 10 persons
        ({"k_anonymity": 5}, [{"distinct_l_diversity": 2}], {"k_anonymity": 5}),  # no size is not a size of 1
        ({"distinct_l_diversity": 3}, [{"distinct_l_diversity": 2}], {"distinct_l_diversity": 2}),
        ({"distinct_l_diversity": 3}, [{}], {}),  # an edition without it shows classes of one value
        ({"recursive_cl_diversity": [2, 3]}, [{"recursive_cl_diversity": [4, 2]}], {"recursive_cl_diversity": [4, 2]}),
        ({"t_closeness": 0.1}, [{"t_closeness": 0.3}], {"t_closeness": {"t": 0.3, "distance": "equal"}}),
        ({"average_risk": 0.1}, [{"average_risk": 0.1}], {}),  # of the table, not of classes
    ],
)
def test_joint_limits_are_the_weakest_of_each(new, earlier, asked):
    assert joint_limits(Limits.of(new), [Limits.of(each) for each in earlier]) == Limits.of(asked)


def test_nodes_as_leaves_keep_their_losses():
    items, _ = Items.of(table(["p"] * 4, [0, 1, 2, 5], ["a1"] * 4).to_arrow(), {"age": as_hierarchy(AGE)})
    small, of_item = coarsened(items, np.array([0, 0, 1, 2]), 3, np.array([[1], [0], [2]], dtype=np.uint8))
    (plain,), (made,) = items.hierarchies, small.hierarchies
    assert made.height == plain.height
    for item, own, leaf in ((0, 1, 0), (2, 0, 2), (3, 2, 5)):
        for level in range(plain.levels):
            expected = losses_of(plain.shares)[max(own, level), leaf]
            assert losses_of(made.shares)[level, small.leaves[0][of_item[item]]] == pytest.approx(expected, abs=1e-12)
    assert small.weights.tolist() == [2, 1, 1]


# What comes out


@st.composite
def editions(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(20, 120))
    everyone = crowd(rng, rows)
    left, new = draw(st.integers(0, rows // 3)), draw(st.integers(0, rows // 3))
    ks = [draw(st.integers(2, 6)) for _ in range(2)]
    return rng, everyone[: rows - new], everyone[left:], ks


@settings(max_examples=15, deadline=None)
@given(case=editions(), diverse=st.booleans())
def test_joint_classes_meet_the_smallest_k_or_it_refuses(case, diverse):
    rng, old, new, (k, k_new) = case
    more = {"distinct_l_diversity": 2} if diverse else {}
    limits, limits_new = {"k_anonymity": k, **more}, {"k_anonymity": k_new, **more}
    first = masking.anonymize(old, TREES, limits, "ill", unit="id").table
    earlier = [{"table": first, "limits": limits}]
    second = masking.anonymize(new, TREES, limits_new, "ill", unit="id", earlier=earlier).table
    shown = classes_of(second)
    for (before, now), persons in joint(first, second).items():
        assert len(persons) >= min(k, k_new), (before, now)
        if diverse and now is not None:
            values = set(second.filter(pl.col("id").is_in(list(persons)))["ill"])
            assert len(values) >= 2
    sizes = defaultdict(set)
    for person, classes in shown.items():
        sizes[classes].add(person)
    assert all(len(persons) >= k_new for persons in sizes.values())
    shuffled = new[rng.permutation(new.height)]
    again = masking.anonymize(shuffled, TREES, limits_new, "ill", unit="id", earlier=earlier).table
    assert again.sort("id").equals(second.sort("id"))


def test_three_editions_hold_together():
    rng = np.random.default_rng(3)
    everyone = crowd(rng, 400)
    held = []
    for rows, k in ((300, 5), (350, 12), (400, 7)):
        limits = {"k_anonymity": k}
        made = masking.anonymize(everyone[:rows], TREES, limits, unit="id", earlier=list(held))
        held.append({"table": made.table, "limits": limits})
    assert min(len(persons) for persons in joint(*(each["table"] for each in held)).values()) >= 5


def test_a_coarser_edition_may_be_refined_within_its_classes():
    everyone = crowd(np.random.default_rng(4), 600)
    coarse = masking.anonymize(everyone, TREES, {"k_anonymity": 40}, unit="id")
    fine = masking.anonymize(everyone, TREES, {"k_anonymity": 4}, unit="id", earlier=[coarse])
    assert fine.report.recoding.granularity > coarse.report.recoding.granularity + 0.1
    assert min(len(persons) for persons in joint(coarse.table, fine.table).values()) >= 4


def test_who_was_shown_is_generalized_no_finer_than_before():
    everyone = crowd(np.random.default_rng(5), 300)
    first = masking.anonymize(everyone[:280], TREES, {"k_anonymity": 5}, unit="id").table
    second = masking.anonymize(everyone, TREES, {"k_anonymity": 5}, unit="id", earlier=[first]).table
    alone = {persons for (before, _), persons in ((k, frozenset(v)) for k, v in joint(first, second).items()) if before}
    # Classes below 2 k cannot be divided: their cells are the same nodes, or nodes above them.
    above = {name: as_hierarchy(rows).rows() for name, rows in TREES.items()}
    both = first.join(second, on="id", suffix="_new")
    for name in NAMES:
        pairs = both.select(name, f"{name}_new", "id").iter_rows()
        small = {person for persons in alone if len(persons) < 10 for person in persons}
        assert all(
            any(old in row and new in row and row.index(new) >= row.index(old) for row in above[name])
            for old, new, person in pairs
            if person in small
        )


def test_a_history_of_whom_too_few_left_leaves_as_a_whole():
    stay = [[f"p{n}", 0, "a1"] for n in range(6)] + [[f"q{n}", 7, "b1"] for n in range(12)]
    old = table(*zip(*stay, strict=True))
    first = masking.anonymize(old, TREES, {"k_anonymity": 5}, unit="id").table
    gone = old.filter(pl.col("id") != "p0")  # five of six are still there: one alone would stand out as absent
    second = masking.anonymize(gone, TREES, {"k_anonymity": 5}, unit="id", earlier=[first])
    assert set(second.table["id"]) == {f"q{n}" for n in range(12)}
    with pytest.raises(LimitsNotMet, match="5 persons would stand out beside 1 earlier") as refused:
        masking.anonymize(gone, TREES, {"k_anonymity": 5}, unit="id", earlier=[first], suppression=0.1)
    assert refused.value.measured["persons"] == 5


def test_who_left_a_large_history_takes_only_k_less_one_along():
    old = table([f"p{n}" for n in range(15)], [0] * 15, ["a1"] * 15)
    first = masking.anonymize(old, TREES, {"k_anonymity": 5}, unit="id").table
    for left, shown in ((1, 10), (3, 10), (5, 10), (6, 9), (10, 5), (11, 0)):
        new = old[left:]
        second = masking.anonymize(new, TREES, {"k_anonymity": 5}, unit="id", earlier=[first]).table
        assert second.height == shown
        again = masking.anonymize(new[::-1], TREES, {"k_anonymity": 5}, unit="id", earlier=[first]).table
        assert set(again["id"]) == set(second["id"])


def test_newcomers_wait_until_they_fill_a_class():
    old = table([f"p{n}" for n in range(20)], [0] * 20, ["a1"] * 20)
    first = masking.anonymize(old, TREES, {"k_anonymity": 5}, unit="id").table
    for newcomers, shown in ((4, 20), (5, 25)):
        new = pl.concat([old, table([f"n{n}" for n in range(newcomers)], [0] * newcomers, ["a1"] * newcomers)])
        second = masking.anonymize(new, TREES, {"k_anonymity": 5}, unit="id", earlier=[first])
        assert second.table.height == shown


def test_editions_that_do_not_compose_themselves_are_past_help():
    old = table([f"p{n}" for n in range(12)], [0] * 12, ["a1"] * 12)
    first = old.with_columns(pl.Series("age", ["0-1"] * 6 + ["low"] * 6))
    second = old.with_columns(pl.Series("age", ["0-1"] * 8 + ["low"] * 4))
    earlier = [{"table": each, "limits": {"k_anonymity": 4}} for each in (first, second)]
    with pytest.raises(LimitsNotMet, match="2 persons stand out by the 2 earlier editions alone") as refused:
        masking.anonymize(old, TREES, {"k_anonymity": 4}, unit="id", earlier=earlier)
    assert refused.value.measured == {"persons": 2}


def test_a_diverse_history_stays_and_another_leaves():
    ids = [f"p{n}" for n in range(20)]
    old = table(ids, [0] * 10 + [7] * 10, ["a1"] * 20, ["x", "y"] * 5 + ["x"] * 10)
    first = old.with_columns(pl.Series("age", ["0"] * 10 + ["7"] * 10))
    limits = {"k_anonymity": 5, "distinct_l_diversity": 2}
    earlier = [{"table": first, "limits": limits}]  # it says so, and is not: its second class holds one value
    second = masking.anonymize(old, TREES, limits, "ill", unit="id", earlier=earlier).table
    assert set(second["id"]) == set(ids[:10])


@pytest.mark.parametrize(
    "limits", [{"t_closeness": 0.4}, {"entropy_l_diversity": 1.8}, {"recursive_cl_diversity": [3, 2]}], ids=str
)
def test_joint_classes_meet_limits_on_sensitive_values(limits):
    everyone = crowd(np.random.default_rng(8), 500)
    asked = {"k_anonymity": 6, **limits}
    first = masking.anonymize(everyone[:480], TREES, {"k_anonymity": 4, **limits}, "ill", unit="id").table
    earlier = [{"table": first, "limits": {"k_anonymity": 4, **limits}}]
    second = masking.anonymize(everyone, TREES, asked, "ill", unit="id", earlier=earlier).table
    assert second.height >= 400
    history = pl.DataFrame(
        {"id": list(classes_of(first)), "before": [str(each) for each in classes_of(first).values()]}
    )
    both = second.join(history, on="id", how="left")
    proof = masking.measures.examine(both, [*NAMES, "before"], {"k_anonymity": 4, **limits}, sensitive="ill")
    assert proof.holds, proof.broken


# How editions are given


def test_aligned_editions_need_no_person_column():
    everyone = crowd(np.random.default_rng(6), 200).drop("id")
    first = masking.anonymize(everyone, TREES, {"k_anonymity": 5}).table
    shown = np.arange(200) >= 10
    marked = first.with_columns(
        pl.when(pl.Series(shown)).then(pl.col(name)).otherwise(None).alias(name) for name in NAMES
    )
    by_mark = masking.anonymize(everyone, TREES, {"k_anonymity": 8}, earlier=[{"table": first, "shown": shown}])
    by_null = masking.anonymize(everyone, TREES, {"k_anonymity": 8}, earlier=[marked])
    assert by_mark.table.equals(by_null.table)
    before, now = first.select(NAMES).rows(), by_mark.table.rows()
    assert len(now) == 200
    sizes = defaultdict(int)
    for row, (old, new) in enumerate(zip(before, [each[:2] for each in now], strict=True)):
        sizes[(old if shown[row] else None), new] += 1
    assert min(sizes.values()) >= 4  # the k that the first edition is measured to have among those shown


@pytest.mark.parametrize(
    ("earlier", "options", "sentence"),
    [
        ([table(["p"], [0], ["a1"])], {}, "has 1 records, the table 3"),
        ([table(["p"], [0], ["elsewhere"])], {"unit": "id"}, "shows 1 values that are no node"),
        ([{"limits": {}}], {}, "a table, or a mapping of"),
        ([pl.DataFrame({"id": ["p"]})], {"unit": "id"}, "no quasi-identifier"),
        ([{"table": table(["p"] * 3, [0] * 3, ["a1"] * 3), "shown": [1, 2, 3]}], {}, "true or false for each"),
        ([table(["p"] * 3, [0] * 3, ["a1"] * 3)], {"recoding": "global"}, "locally only"),
    ],
)
def test_what_cannot_be_composed_says_why(earlier, options, sentence):
    with pytest.raises(InvalidParameter, match=sentence) as refused:
        masking.anonymize(
            table(list("xyz"), [0] * 3, ["a1"] * 3), TREES, {"k_anonymity": 2}, earlier=earlier, **options
        )
    assert "elsewhere" not in str(refused.value)


def test_persons_of_several_records_are_one():
    rng = np.random.default_rng(7)
    ids = [f"p{n // 2}" for n in range(240)]
    everyone = table(ids, np.repeat(rng.integers(0, 8, 120), 2), np.repeat(rng.choice(["a1", "b1"], 120), 2))
    first = masking.anonymize(everyone[:200], TREES, {"k_anonymity": 5}, unit="id").table
    second = masking.anonymize(everyone, TREES, {"k_anonymity": 5}, unit="id", earlier=[first]).table
    assert min(len(persons) for persons in joint(first, second).values()) >= 5


# The target


def test_two_editions_of_adult_and_new_records(shared):
    folder = shared / "data" / "arx" / "adult"
    adult = pl.read_csv(folder / "adult.csv", separator=";", infer_schema=False)
    names = adult.columns
    trees: dict[str, Hierarchy] = {name: as_hierarchy(folder / f"adult_hierarchy_{name}.csv") for name in names}
    adult = adult.with_columns(pl.int_range(pl.len()).cast(pl.String).alias("id"))
    later = np.random.default_rng(0).permutation(adult.height)[: adult.height // 100]
    first = masking.anonymize(adult.filter(~pl.int_range(pl.len()).is_in(later)), trees, {"k_anonymity": 5}, unit="id")
    free = masking.anonymize(adult, trees, {"k_anonymity": 10}, unit="id")
    composed = masking.anonymize(adult, trees, {"k_anonymity": 10}, unit="id", earlier=[first])
    history = history_of(
        adult["id"], adult.height, [Earlier.of_persons(first.table, names, "id", Limits(k_anonymity=5))], Limits()
    )
    code = dict(zip(adult["id"], history.codes, strict=True))

    def measured(edition):
        return joint_classes(
            edition, names, [code[person] for person in edition["id"]], k=5, totals=history.present + history.away
        )

    naive, held = measured(free.table), measured(composed.table)
    assert naive.below > 0.1 * naive.persons  # the control: the same check sees what a free edition tells
    assert held.below == 0
    assert held.smallest >= 5
    assert composed.table.height == adult.height
    assert free.report.recoding.granularity - composed.report.recoding.granularity <= 0.02
