"""The drill: hand-made editions, positive controls, a slow attacker, every consistent assignment, and laws."""

from __future__ import annotations

import doctest
import importlib
import itertools
import math
from collections import Counter

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import masking
from masking.errors import DataError, InvalidParameter, InvalidValue, UnknownAttribute
from masking.hierarchies import Hierarchy, as_hierarchy
from masking.measures import class_sizes, k_anonymity
from masking.measures.beliefs import beliefs
from masking.measures.binomial import upper_bound
from masking.measures.compatibility import compatibility, read_columns
from masking.measures.linkage import Attacker, linkage_drill

AGES = [["31", "3x"], ["36", "3x"], ["42", "4x"], ["47", "4x"]]
SEXES = [["m"], ["f"]]
HIERARCHIES = {"age": AGES, "sex": SEXES}
RAW = pa.table({"age": ["31", "36", "42", "47"], "sex": ["m", "m", "f", "f"], "ill": ["a", "b", "c", "c"]})
QUASI = ["age", "sex"]
ATTACKS = ["containment", "matching", "algorithm"]


def drill(edition, raw=RAW, attack="containment", **given):
    attacker = Attacker(
        attack=attack, **{k: given.pop(k) for k in ("attributes", "error_rate", "targets", "seed") if k in given}
    )
    return linkage_drill(raw, edition, QUASI, HIERARCHIES, attacker=attacker, **given)


@pytest.mark.parametrize("name", ["linkage", "beliefs", "binomial", "compatibility"])
def test_docstrings(name):
    assert doctest.testmod(importlib.import_module(f"masking.measures.{name}")).failed == 0


def edition(ages, sexes=("m", "m", "f", "f"), ills=("a", "b", "c", "c")):
    return pa.table({"age": list(ages), "sex": list(sexes), "ill": list(ills)})


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_published_as_it_is_is_found(attack):
    found = drill(RAW, attack=attack, sensitive=["ill"])
    assert (found.expected, found.max_probability, found.successes) == (1, 1, 4)
    assert found.upper_95 == 1
    assert found.fewest_candidates == 1
    assert found.inference["ill"].max == found.inference["ill"].mean_true == 1
    assert found.inference["ill"].baseline == 1 / 2


@pytest.mark.parametrize("attack", ATTACKS)
def test_two_classes_of_two(attack):
    found = drill(edition(["3x", "3x", "4x", "4x"]), attack=attack, sensitive=["ill"])
    assert (found.expected, found.max_probability, found.fewest_candidates) == (1 / 2, 1 / 2, 2)
    # The second class is all "c": k-anonymity does not keep that.
    assert found.inference["ill"].max == 1
    assert found.inference["ill"].mean_true == pytest.approx((1 / 2 + 1 / 2 + 1 + 1) / 4)
    assert found.baseline == 1 / 4


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_partly_generalised_edition_is_found_in_part(attack):
    # Positive control: one record kept its value.
    found = drill(edition(["31", "*", "*", "*"], ["m", "*", "*", "*"]), attack=attack)
    # By containment 31 may hide among the suppressed too; who matches finds that only 31 fits the class of 31.
    assert found.max_probability == (1 / 3 if attack == "containment" else 1)
    assert found.expected == pytest.approx((1 / 4 if attack == "containment" else 1) / 4 + 3 / 4 * (1 / 3))
    assert found.successes >= 1, "the most telling class is guessed"


def test_mixed_levels_are_compared_by_what_they_cover():
    # 36 fits "3x" alone; 31 fits "31" and "3x".
    found = drill(edition(["31", "3x", "4x", "4x"]), sensitive=["ill"])
    assert found.expected == pytest.approx((1 / 2 + 1 + 1 / 2 + 1 / 2) / 4)
    assert found.fewest_candidates == 1
    assert found.inference["ill"].mean_true == pytest.approx((1 / 2 + 1 + 1 + 1) / 4)
    assert drill(edition(["31", "3x", "4x", "4x"]), attack="matching").expected == pytest.approx(3 / 4)


def test_matching_goes_on_until_nothing_is_left():
    # "4x" of two holds 42 and 47 alone, since only they fit; then "*" can only be 31 or 36, and so on.
    raw = pa.table({"age": ["31", "36", "42", "47"], "sex": ["m"] * 4})
    made = pa.table({"age": ["3x", "*", "4x", "4x"], "sex": ["m"] * 4})
    assert drill(made, raw).expected == pytest.approx((1 / 2 + 1 / 2 + 1 / 3 + 1 / 3) / 4)
    assert drill(made, raw, "matching").expected == pytest.approx((1 / 2 + 1 / 2 + 1 / 2 + 1 / 2) / 4)


def test_records_that_left_are_not_found():
    made = edition(["3x", "3x"], ["m", "m"], ["a", "b"])
    for attack in ATTACKS:
        found = drill(made, attack=attack, link=[0, 1], sensitive=["ill"])
        assert found.expected == pytest.approx((1 / 2 + 1 / 2) / 4)
        assert (found.attacked, found.released, found.without_candidate) == (4, 2, 2)
        assert found.inference["ill"].max == 1 / 2
        assert found.inference["ill"].mean_true == pytest.approx((1 / 2 + 1 / 2) / 4)


def test_links():
    raw = RAW.append_column("id", pa.array(["p", "q", "r", "s"]))
    shuffled = edition(["4x", "3x", "4x", "31"], ["f", "m", "f", "m"]).append_column(
        "id", pa.array(["s", "q", "r", "p"])
    )
    by_id = drill(shuffled, raw, link="id")
    assert by_id == drill(shuffled, raw, link=np.array([3, 1, 2, 0]))
    assert by_id.expected == drill(edition(["31", "3x", "4x", "4x"])).expected
    assert drill(shuffled, raw, link=[0, 1, 2, 3]).expected < by_id.expected, "a wrong link finds less"
    double = raw.set_column(3, "id", pa.array(["p", "p", "r", "s"]))
    for link, table in (
        ("id", double),
        ([0, 0, 1, 2], raw),
        ([0, 1, 2, 9], raw),
        ([0, 1, 2], raw),
        ([0.0, 1, 2, 3], raw),
    ):
        with pytest.raises(DataError, match="raw record of its own"):
            drill(shuffled, table, link=link)
    with pytest.raises(DataError, match="not 4 and 2"):
        drill(shuffled.slice(0, 2))
    with pytest.raises(UnknownAttribute, match="idd"):
        drill(shuffled, raw, link="idd")


def test_values_outside_the_hierarchy_are_counted_not_quoted():
    with pytest.raises(InvalidValue, match="'age': 1 value") as refused:
        drill(RAW, RAW.set_column(0, "age", pa.array(["31", "99", "42", "47"])))
    assert "99" not in str(refused.value)
    with pytest.raises(InvalidValue, match=r"2 value.*no level of the hierarchy"):
        drill(edition(["30s", "30s", "4x", "4x"]))


def test_nulls_are_values():
    raw = pa.table({"age": ["31", None, None], "sex": ["m", "m", "m"]})
    found = drill(pa.table({"age": ["3x", None, "*"], "sex": ["m", "m", "m"]}), raw)
    assert found.expected == pytest.approx((1 / 2 + 1 / 2 + 1 / 2) / 3)
    assert drill(pa.table({"age": ["3x", "3x", "*"], "sex": ["m", "m", "m"]}), raw).expected == pytest.approx(
        (1 / 3 + 0 + 1) / 3
    )


def test_without_a_hierarchy_a_value_is_itself_or_suppressed():
    found = linkage_drill(pa.table({"a": [1, 2, None]}), pa.table({"a": ["1", "*", "*"]}), ["a"])
    assert found.expected == pytest.approx((1 / 3 + 1 / 2 + 1 / 2) / 3)
    nothing = pa.table({"a": pa.nulls(2, pa.string())})
    assert linkage_drill(nothing, nothing, ["a"]).expected == 1 / 2


@pytest.mark.parametrize("attack", ATTACKS)
def test_edges(attack):
    empty = RAW.slice(0, 0)
    found = drill(empty, empty, attack, sensitive=["ill"])
    assert (found.attacked, found.expected, found.max_probability, found.upper_95) == (0, 0, 0, 1)
    left = drill(empty, attack=attack, link=[], sensitive=["ill"])
    assert (left.attacked, left.expected, left.without_candidate) == (4, 0, 4)
    one = RAW.slice(0, 1)
    assert drill(one, one, attack).max_probability == 1
    blind = linkage_drill(RAW, RAW, [], attacker=Attacker(attack=attack))
    assert blind.expected == blind.baseline == 1 / 4
    wide = {f"c{number}": ["x"] * 8 for number in range(60)}
    assert (
        linkage_drill(pa.table(wide), pa.table(wide), list(wide), attacker=Attacker(attack=attack)).max_probability
        == 1 / 8
    )


def test_an_attacker_of_few_attributes():
    made = edition(["31", "3x", "4x", "4x"])
    found = drill(made, attributes=1)
    assert found.choices == 2
    assert found.attributes == ("age",)
    assert found.expected == drill(made).expected
    assert found.mean_expected == pytest.approx((found.expected + 1 / 2) / 2)
    assert drill(made, attributes=2).expected == drill(made).mean_expected


def test_an_attacker_who_errs_finds_less():
    people = 400
    draws = np.random.default_rng(7)
    raw = pa.table({"a": draws.integers(0, 30, people).astype(str), "b": draws.integers(0, 30, people).astype(str)})
    found = [linkage_drill(raw, raw, ["a", "b"], attacker=Attacker(error_rate=rate)) for rate in (0, 0.2, 0.8)]
    assert found[0].expected > found[1].expected > found[2].expected
    assert found[1].without_candidate > 0
    order = draws.permutation(people)
    mixed = linkage_drill(raw.take(order), raw.take(order), ["a", "b"], attacker=Attacker(error_rate=0.2))
    assert mixed == found[1]


def test_targets_are_drawn():
    draws = np.random.default_rng(7)
    raw = pa.table({"a": draws.integers(0, 30, 500).astype(str)})
    for attack in ATTACKS:
        few = linkage_drill(raw, raw, ["a"], attacker=Attacker(attack=attack, targets=100))
        every = linkage_drill(raw, raw, ["a"], attacker=Attacker(attack=attack))
        assert few.attacked == 100
        assert few.expected == pytest.approx(every.expected, abs=0.02)
        assert few.upper_95 > few.success_rate


@pytest.mark.parametrize(
    ("settings_of", "says"),
    [
        ({"attack": "guess"}, "attack must be"),
        ({"error_rate": 1}, "error_rate"),
        ({"targets": 0}, "targets"),
        ({"attributes": 0}, "attributes must be from 1 to 2"),
        ({"attributes": 3}, "attributes must be from 1 to 2"),
        ({"attack": "matching", "error_rate": 0.1}, "matching needs the whole table"),
        ({"attack": "algorithm", "attributes": 1}, "algorithm needs the whole table"),
    ],
)
def test_wrong_settings(settings_of, says):
    with pytest.raises(InvalidParameter, match=says):
        drill(RAW, **settings_of)


def test_tables_in_pieces_and_as_categories():
    pieces = pa.concat_tables([RAW.slice(0, 1), RAW.slice(1)])
    made = edition(["3x", "3x", "4x", "4x"])
    categories = made.set_column(0, "age", made["age"].dictionary_encode())
    found = drill(categories, pieces.append_column("id", pa.chunked_array([["1"], ["2", "3", "4"]])), sensitive=["ill"])
    assert found == drill(made, sensitive=["ill"])
    ids = [table.append_column("id", pa.chunked_array([["1"], ["2", "3", "4"]])) for table in (made, pieces)]
    assert drill(*ids, link="id").expected == found.expected
    assert found.to_dict()["inference"]["ill"]["max"] == 1


def test_too_many_choices(monkeypatch):
    wide = {f"c{number}": ["x"] for number in range(60)}
    with pytest.raises(InvalidParameter, match="34220 choices of attributes are more than 1000"):
        linkage_drill(pa.table(wide), pa.table(wide), list(wide), attacker=Attacker(attributes=3))
    monkeypatch.setattr("masking.measures.compatibility.MAX_PAIRS", 15)
    with pytest.raises(InvalidParameter, match="4 combinations and 4 classes"):
        drill(RAW)


@pytest.mark.parametrize(
    ("successes", "trials", "bound"),
    [
        (0, 10, 1 - 0.05 ** (1 / 10)),  # no success: the closed form
        (9, 10, 0.95 ** (1 / 10)),
        (10, 10, 1),
        (0, 0, 1),
    ],
)
def test_upper_bound(successes, trials, bound):
    assert upper_bound(successes, trials) == pytest.approx(bound, abs=1e-9)


@pytest.mark.parametrize(("successes", "trials"), [(3, 50), (0, 3), (41, 60), (700, 1000)])
def test_upper_bound_is_where_so_few_have_one_chance_in_twenty(successes, trials):
    rate = upper_bound(successes, trials)
    few = sum(math.comb(trials, n) * rate**n * (1 - rate) ** (trials - n) for n in range(successes + 1))
    assert few == pytest.approx(0.05, rel=1e-9)


# -- a slow attacker ---------------------------------------------------------------------------------------------------

TREE = [["a", "ab", "abc"], ["b", "ab", "abc"], ["c", "c", "abc"], ["d", "de", "de"], ["e", "de", "de"]]
TREES = {"x": TREE, "y": [["0"], ["1"]]}
LEVELS = {"x": 4, "y": 2}
PERSON = st.tuples(
    st.sampled_from("abcde"), st.sampled_from("01"), st.integers(0, 3), st.integers(0, 1), st.sampled_from("st")
)


def node(tree, leaf, level):
    row = next([*row, "*"] for row in tree if row[0] == leaf)
    return row[level]


def covered(tree, text):
    return {row[0] for row in tree for label in [*row, "*"] if label == text}


def tables(people):
    raw = pl.DataFrame({"x": [p[0] for p in people], "y": [p[1] for p in people]})
    cells = [(node(TREE, p[0], p[2]), node(TREES["y"], p[1], p[3])) for p in people]
    made = pl.DataFrame({"x": [c[0] for c in cells], "y": [c[1] for c in cells], "s": [p[4] for p in people]})
    return raw, made, cells


def slow(people, cells):
    """For each person the edition records that cover it, one by one."""
    fits = [
        [number for number, (x, y) in enumerate(cells) if p[0] in covered(TREE, x) and p[1] in covered(TREES["y"], y)]
        for p in people
    ]
    expected = sum(1 / len(each) for each in fits) / len(people)
    posterior = [Counter(people[number][4] for number in each) for each in fits]
    greatest = max(max(counts.values()) / len(each) for counts, each in zip(posterior, fits, strict=True))
    true = sum(counts[p[4]] / len(each) for counts, each, p in zip(posterior, fits, people, strict=True)) / len(people)
    return expected, max(1 / len(each) for each in fits), min(map(len, fits)), greatest, true


@settings(deadline=None, max_examples=30)
@given(st.lists(PERSON, min_size=1, max_size=14), st.randoms(use_true_random=False))
def test_containment_equals_a_slow_attacker(people, random):
    raw, made, cells = tables(people)
    found = linkage_drill(raw, made, ["x", "y"], TREES, sensitive=["s"])
    expected, most, fewest, greatest, true = slow(people, cells)
    assert found.expected == pytest.approx(expected, abs=1e-9)
    assert (found.max_probability, found.fewest_candidates) == (pytest.approx(most), fewest)
    assert found.inference["s"].max == pytest.approx(greatest, abs=1e-9)
    assert found.inference["s"].mean_true == pytest.approx(true, abs=1e-9)
    assert found.without_candidate == 0
    order = list(range(len(people)))
    random.shuffle(order)
    again = linkage_drill(raw[order], made[order], ["x", "y"], TREES, sensitive=["s"])
    assert again.successes == found.successes
    assert again.expected == pytest.approx(found.expected, abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.lists(PERSON, min_size=1, max_size=6))
def test_matching_strikes_out_only_what_no_assignment_has(people):
    raw, made, _ = tables(people)
    columns = read_columns(raw, made, ["x", "y"], TREES)
    fits = compatibility(columns, ["x", "y"], len(people), len(people))
    belief = beliefs(fits, fits.group, "matching", everyone=True)
    left = np.unpackbits(belief.fits.bits, axis=1, count=len(fits.sizes)).astype(bool)
    before = np.unpackbits(fits.bits, axis=1, count=len(fits.sizes)).astype(bool)
    assert not (left & ~before).any()
    possible = np.zeros_like(left)
    for places in itertools.permutations(range(len(people))):
        if all(before[fits.combination[person], fits.group[place]] for person, place in enumerate(places)):
            possible[fits.combination, fits.group[list(places)]] = True
    assert not (possible & ~left).any()


@settings(deadline=None, max_examples=20)
@given(st.lists(PERSON, min_size=1, max_size=14))
def test_no_attack_beats_the_smallest_class(people):
    raw, made, _ = tables(people)
    k = k_anonymity(made, ["x", "y"])
    sizes = class_sizes(made, ["x", "y"]).to_numpy()
    found = {
        attack: linkage_drill(raw, made, ["x", "y"], TREES, sensitive=["s"], attacker=Attacker(attack=attack))
        for attack in ATTACKS
    }
    for each in found.values():
        assert each.max_probability <= 1 / k + 1e-12
        assert each.expected <= (1 / sizes).mean() + 1e-12
    assert found["algorithm"].expected == pytest.approx((1 / sizes).mean())
    assert found["containment"].expected <= found["algorithm"].expected + 1e-12


def test_adult(shared):
    folder = shared / "data/arx/adult"
    adult = pl.read_csv(folder / "adult.csv", separator=";").head(6000)
    quasi = [name for name in adult.columns if name not in {"occupation", "salary-class"}]
    trees: dict[str, Hierarchy] = {name: as_hierarchy(folder / f"adult_hierarchy_{name}.csv") for name in quasi}
    leaves = {name: tree.find(adult[name].to_arrow())[0] for name, tree in trees.items()}
    levels = {"sex": 0, "age": 2, "race": 1, "marital-status": 1, "education": 2, "native-country": 1, "workclass": 1}
    coarse = pa.table(
        {name: trees[name].written(leaves[name], levels[name]) for name in quasi}
        | {"occupation": adult["occupation"].to_arrow()}
    )
    sizes = class_sizes(coarse, quasi).to_numpy()
    kept = np.flatnonzero(sizes >= 5)
    made = coarse.take(kept)
    for attack in ATTACKS:
        attacker = Attacker(attack=attack)
        found = linkage_drill(adult, made, quasi, trees, link=kept, sensitive=["occupation"], attacker=attacker)
        assert found.max_probability <= 1 / 5
        assert found.expected == pytest.approx((1 / sizes[kept]).sum() / len(adult))
        assert found.success_rate <= found.upper_95
        assert found.upper_95 < 0.2
    # One record in ten slips through unmasked: it is found, and the drill says so.
    slip = np.arange(0, len(kept), 10)
    columns = {}
    for name in quasi:
        texts = np.array(made[name].to_pylist(), dtype=object)
        texts[slip] = np.array(adult[name].cast(pl.String).to_list(), dtype=object)[kept[slip]]
        columns[name] = texts.tolist()
    leaky = pa.table(columns)
    for attack in ("matching", "algorithm"):
        found = linkage_drill(adult, leaky, quasi, trees, link=kept, attacker=Attacker(attack=attack))
        assert found.max_probability == 1
    assert linkage_drill(adult, leaky, quasi, trees, link=kept).successes > 100


def test_persons_of_several_records():
    # Five records of one person hide nobody; of five persons they do.
    raw = pa.table({"age": ["31", "36", "31", "36", "42"], "sex": ["m"] * 5, "id": ["p"] * 4 + ["q"]})
    made = pa.table({"age": ["3x"] * 4 + ["42"], "sex": ["m"] * 5})
    for attack in ATTACKS:
        by_record = linkage_drill(raw, made, QUASI, HIERARCHIES, attacker=Attacker(attack=attack))
        by_person = linkage_drill(raw, made, QUASI, HIERARCHIES, attacker=Attacker(attack=attack), unit="id")
        assert by_record.expected == pytest.approx((4 / 4 + 1) / 5)
        assert (by_person.expected, by_person.successes, by_person.max_probability) == (1, 5, 1)
        assert (by_record.fewest_candidates, by_person.fewest_candidates) == (1, 1)
    two = raw.set_column(2, "id", pa.array(["p", "q", "p", "q", "q"]))
    found = linkage_drill(two, made, QUASI, HIERARCHIES, attacker=Attacker(attack="algorithm"), unit="id")
    assert found.expected == pytest.approx((4 / 2 + 1) / 5)
    order = [3, 1, 4, 0, 2]
    again = linkage_drill(
        two.take(order), made.take(order), QUASI, HIERARCHIES, attacker=Attacker(attack="algorithm"), unit="id"
    )
    assert again == found


def test_a_local_recoding_stands_the_drill(shared):
    folder = shared / "data/arx/adult"
    adult = pl.read_csv(folder / "adult.csv", separator=";").head(5000).with_row_index("id")
    quasi = ["sex", "age", "race", "marital-status", "education"]
    trees = {name: folder / f"adult_hierarchy_{name}.csv" for name in quasi}
    made = masking.anonymize(adult.select(["id", *quasi]), hierarchies=trees, limits={"k_anonymity": 5}).table
    sizes = class_sizes(made, quasi).to_numpy()
    found = {}
    for attack in ATTACKS:
        found[attack] = linkage_drill(adult, made, quasi, trees, link="id", attacker=Attacker(attack=attack))
        assert found[attack].max_probability <= 1 / 5
        assert found[attack].upper_95 < 1 / 5
    assert found["algorithm"].expected == pytest.approx((1 / sizes).sum() / len(adult))
    assert found["containment"].expected < found["matching"].expected <= found["algorithm"].expected + 1e-12
