"""t-closeness: examples of the paper, an earth mover that moves mass step by step, pycanon's numbers, laws."""

from __future__ import annotations

import doctest
import json
import subprocess

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue
from masking.measures import closeness, k_anonymity, l_diversity, t_closeness
from masking.measures.likeness import alpha, beta_likeness, delta_disclosure
from tests.benchmarks.measured import PEERS
from tests.masking.measures import slow_models

TREE = [["a", "x", "*"], ["b", "x", "*"], ["c", "y", "*"], ["d", "y", "*"]]


def test_docstrings():
    assert doctest.testmod(closeness).failed == 0


def test_salaries_of_the_paper():
    """Li et al. 2007, table 3 and section 4: {3k,4k,5k} is at 0.375, {6k,8k,11k} at 0.167 of {3k … 11k}."""
    salaries = [3, 4, 5, 6, 8, 11, 7, 9, 10]
    table = pa.table({"q": [1, 1, 1, 2, 2, 2, 3, 3, 3], "salary": salaries})
    first = pa.concat_tables([table.slice(0, 3), table.slice(3).set_column(0, "q", pa.array([2] * 6))])
    assert t_closeness(first, ["q"], "salary", "ordered") == pytest.approx(0.375)
    second = pa.concat_tables([table.slice(3, 3), pa.concat_tables([table.slice(0, 3), table.slice(6)])])
    second = second.set_column(0, "q", pa.array([2] * 3 + [1] * 6))
    # The other class of six is nearer, so the greatest distance is that of the three.
    assert t_closeness(second, ["q"], "salary", "ordered") == pytest.approx(1 / 6)


def test_diseases_of_the_paper():
    """Li et al. 2007, 4.3: two diseases of one family are at 1/3 in a tree of height 3, of two halves at 1."""
    tree = {
        "ulcer": ["stomach", "digestive"],
        "gastritis": ["stomach", "digestive"],
        "colitis": ["colon", "digestive"],
        "flu": ["lung", "respiratory"],
    }
    assert t_closeness(table_of([["ulcer"], ["gastritis"]]), ["q"], "s", "hierarchical", tree) == pytest.approx(1 / 6)
    assert t_closeness(table_of([["ulcer"], ["colitis"]]), ["q"], "s", "hierarchical", tree) == pytest.approx(1 / 3)
    assert t_closeness(table_of([["ulcer"], ["flu"]]), ["q"], "s", "hierarchical", tree) == pytest.approx(1 / 2)


def table_of(classes):
    flat = [(number, value) for number, values in enumerate(classes) for value in values]
    return pa.table({"q": pa.array([q for q, _ in flat], pa.int64()), "s": pa.array([s for _, s in flat], pa.string())})


@pytest.mark.parametrize(
    ("values", "given", "expected"),
    [
        (["10", "9", "2"], {}, 0.5),  # text that reads as numbers is in the order of numbers: 2, 9, 10
        (["low", "high", "middle"], {"order": ["low", "middle", "high"]}, 0.5),
        (["low", "high", "middle"], {"hierarchy": [["low"], ["middle"], ["high"]]}, 0.5),
        ([1, None, 2], {}, 0.5),  # null comes last
        ([2.5, 1.5, 1.5], {}, 2 / 3),
        ([True, False, False], {}, 2 / 3),
        ([pd.Timestamp("2020-01-02"), pd.Timestamp("2020-01-03"), pd.Timestamp("2020-01-01")], {}, 0.5),
    ],
)
def test_orders(values, given, expected):
    table = pa.table({"q": [1, 2, 3], "s": values})
    assert t_closeness(table, ["q"], "s", "ordered", **given) == pytest.approx(expected)


def test_what_is_asked_wrongly_is_refused():
    table = table_of([["a", "b"], ["c"]])
    for asked in (
        {"distance": "cosine"},
        {"distance": "ordered"},
        {"distance": "hierarchical"},
        {"sensitive": []},
        {"sensitive": ["s", "q"], "distance": "hierarchical", "hierarchy": TREE},
    ):
        with pytest.raises(InvalidParameter):
            t_closeness(table, ["q"], **{"sensitive": "s", **asked})
    with pytest.raises(InvalidParameter, match="numbers"):
        t_closeness(pa.table({"q": [1], "s": pa.array([{"a": 1}])}), ["q"], "s", "ordered")
    for asked in ({"distance": "ordered", "order": ["a", "b"]}, {"distance": "hierarchical", "hierarchy": TREE[:2]}):
        with pytest.raises(InvalidValue, match=r"1 value\(s\)") as refused:
            t_closeness(table, ["q"], "s", **asked)
        assert "'c'" not in str(refused.value)


CLASSES = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=6), min_size=1, max_size=4)


@settings(deadline=None, max_examples=40)
@given(CLASSES)
def test_equals_mass_moved_step_by_step(classes):
    table = table_of(classes)
    rows = table.to_pylist()
    equal = slow_models.distances(rows, ["q"], "s", lambda a, b: float(a != b))
    assert t_closeness(table, ["q"], "s") == pytest.approx(max(equal), abs=1e-9)
    tree = slow_models.distances(rows, ["q"], "s", slow_models.lowest_common(TREE))
    assert t_closeness(table, ["q"], "s", "hierarchical", TREE) == pytest.approx(max(tree), abs=1e-9)
    occurring = sorted({value for each in classes for value in each})
    span = max(len(occurring) - 1, 1)
    ordered = slow_models.distances(rows, ["q"], "s", lambda a, b: abs(occurring.index(a) - occurring.index(b)) / span)
    assert t_closeness(table, ["q"], "s", "ordered", order="abcd") == pytest.approx(max(ordered), abs=1e-9)


PERSONS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abcd"), st.integers(0, 5)), min_size=1, max_size=20)


@settings(deadline=None, max_examples=30)
@given(PERSONS)
def test_persons_equal_mass_moved_step_by_step(records):
    """A person with several records counts once for each of their values, in their class and in the whole table."""
    rows = [{"q": q, "s": s, "p": p} for q, s, p in records]
    table = pa.Table.from_pylist(rows)
    for asked, ground in (({}, lambda a, b: float(a != b)), ({"hierarchy": TREE}, slow_models.lowest_common(TREE))):
        distance = "hierarchical" if asked else "equal"
        expected = max(slow_models.distances(rows, ["q"], "s", ground, "p"))
        assert t_closeness(table, ["q"], "s", distance, unit="p", **asked) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(CLASSES, st.randoms())
def test_laws(classes, random):
    table = table_of(classes)
    merged = table.set_column(0, "q", pa.array([q // 2 for q in table["q"].to_pylist()], pa.int64()))
    rows = table.to_pylist()
    random.shuffle(rows)
    shuffled = pa.Table.from_pylist(rows, table.schema)
    equal = t_closeness(table, ["q"], "s")
    for asked in ({}, {"distance": "ordered", "order": "abcd"}, {"distance": "hierarchical", "hierarchy": TREE}):
        t = t_closeness(table, ["q"], "s", **asked)
        assert 0 <= t <= 1
        assert t_closeness(shuffled, ["q"], "s", **asked) == pytest.approx(t, abs=1e-15)
        assert t_closeness(merged, ["q"], "s", **asked) <= t + 1e-12  # the distance is convex
        assert t_closeness(table, [], "s", **asked) == pytest.approx(0, abs=1e-12)
        assert t <= equal + 1e-12  # no two values are farther apart than 1


def test_hostile_tables():
    for table, t, in_order in (
        (table_of([]), 0, 0),
        (table_of([["a"]]), 0, 0),
        (table_of([[None] * 3, [None]]), 0, 0),
        (table_of([["a"], ["b"], ["c"]]), 2 / 3, 1 / 2),
    ):
        assert t_closeness(table, ["q"], "s") == pytest.approx(t)
        assert t_closeness(table, ["q"], "s", "ordered", order="abc") == pytest.approx(in_order)
        assert t_closeness(table, ["q"], "s", "hierarchical", TREE) == pytest.approx(t)
    many = pa.table({"q": np.arange(300_000) // 2, "s": np.arange(300_000)})
    assert t_closeness(many, ["q"], "s") == pytest.approx(1 - 2 / 300_000)
    assert t_closeness(many, ["q"], "s", "ordered") == pytest.approx(0.5, abs=1e-4)


def test_persons_and_several_attributes():
    table = pa.table({"q": [1, 1, 1, 2, 2], "s": list("aaaab"), "u": list("xxyxy"), "p": [1, 1, 2, 3, 4]})
    # A person counts once for a value in a class: class 1 is a, a; class 2 is a, b; together 3 a and 1 b.
    assert t_closeness(table, ["q"], "s", unit="p") == pytest.approx(0.25)
    rows = table.to_pylist()
    known = [
        max(slow_models.distances(rows, ["q", other], own, lambda a, b: float(a != b)))
        for own, other in (("s", "u"), ("u", "s"))
    ]
    assert t_closeness(table, ["q"], ["s", "u"]) == pytest.approx(max(known))
    by_name = t_closeness(table, ["q"], ["s", "u"], "ordered", order={"s": "ab", "u": "xy"})
    assert by_name == pytest.approx(max(known))  # two values: all distances are the same


PYCANON = {
    # pycanon 1.3.6 on Adult, gen=False, age as whole numbers: k, alpha, l, entropy l, beta, enhanced beta, delta, t
    ("sex|race", "occupation"): (
        87, 0.2789115646258503, 10, 7, 17.722532588454378, 8.11711355558441, 3.132721992807618, 0.3249624441807344,
    ),
    ("sex|race|marital-status", "occupation"): (
        1, 1.0, 1, 1, 36.23703703703704, 8.11711355558441, 3.9912776564959493, 0.8766328492805519,
    ),
    ("sex|salary-class", "age"): (
        1112, 0.046762589928057555, 53, 39, 2.478892733564014, 2.478892733564014, 4.880421022966694, 0.08352798156959085,
    ),
    ("sex|salary-class", "occupation|workclass"): (
        1112, 1.0, 1, 1, 81.74897119341564, 8.11711355558441, 4.415811581471917, 0.9687354949937007,
    ),
}  # fmt: skip


def agree(table, quasi, sensitive, expected):
    k, share, l, entropy, basic, enhanced, delta, t = expected
    distance = "ordered" if sensitive == ["age"] else "equal"
    assert k_anonymity(table, quasi) == k
    assert alpha(table, quasi, sensitive) == pytest.approx(share, abs=1e-9)
    assert l_diversity(table, quasi, sensitive) == l
    assert int(l_diversity(table, quasi, sensitive, "entropy") + 1e-9) == entropy
    assert beta_likeness(table, quasi, sensitive) == pytest.approx(basic, abs=1e-9)
    assert beta_likeness(table, quasi, sensitive, "enhanced") == pytest.approx(enhanced, abs=1e-9)
    assert delta_disclosure(table, quasi, sensitive) == pytest.approx(delta, abs=1e-9)
    assert t_closeness(table, quasi, sensitive, distance) == pytest.approx(t, abs=1e-9)


@pytest.mark.parametrize(("names", "expected"), PYCANON.items())
def test_recorded_numbers_of_pycanon(shared, names, expected):
    table = pl.read_csv(shared / "data/arx/adult/adult.csv", separator=";")
    agree(table, names[0].split("|"), names[1].split("|"), expected)


INSTALLED = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pycanon') is None)"
ASKED = """
import json, sys
import pandas as pd
from pycanon import anonymity as an
frame = pd.DataFrame(json.loads(sys.stdin.read()))
found = []
for quasi, sensitive in ((["a"], ["s"]), (["a", "b"], ["n"]), (["a"], ["s", "u"])):
    alpha, k = an.alpha_k_anonymity(frame, quasi, sensitive, gen=False)
    found.append([int(k), float(alpha)] + [float(model(frame, quasi, sensitive, gen=False)) for model in (
        an.l_diversity, an.entropy_l_diversity, an.basic_beta_likeness, an.enhanced_beta_likeness,
        an.delta_disclosure, an.t_closeness)])
print(json.dumps(found))
"""


def test_pycanon_beside_us():
    random = np.random.default_rng(11)
    table = pd.DataFrame(
        {
            "a": random.integers(0, 6, 400).astype(str),
            "b": random.integers(0, 3, 400).astype(str),
            "s": random.choice(list("uvwxyz"), 400, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.05]),
            "u": random.choice(list("pq"), 400),
            "n": random.integers(0, 9, 400),
        }
    )
    given = json.dumps(table.to_dict("list"))
    if not PEERS.exists() or subprocess.run([PEERS, "-c", INSTALLED], check=False).returncode:
        pytest.skip("pycanon is not in .venv-peers: run ./run bench once")
    done = subprocess.run([PEERS, "-c", ASKED], input=given, capture_output=True, text=True, check=True)
    for (quasi, sensitive), expected in zip(
        ((["a"], ["s"]), (["a", "b"], ["n"]), (["a"], ["s", "u"])), json.loads(done.stdout), strict=True
    ):
        k, share, l, entropy, *rest = expected
        distance = "ordered" if sensitive == ["n"] else "equal"
        assert (k_anonymity(table, quasi), l_diversity(table, quasi, sensitive)) == (k, l)
        assert int(l_diversity(table, quasi, sensitive, "entropy") + 1e-9) == entropy
        ours = [
            alpha(table, quasi, sensitive),
            beta_likeness(table, quasi, sensitive),
            beta_likeness(table, quasi, sensitive, "enhanced"),
            delta_disclosure(table, quasi, sensitive),
            t_closeness(table, quasi, sensitive, distance),
        ]
        assert ours == pytest.approx([share, *rest], abs=1e-9)
