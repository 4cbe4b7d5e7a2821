"""Global recoding against every node counted plainly, against ARX's recorded optima, and under hostile tables."""

import csv
import itertools
import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import Cancelled, InvalidParameter, LimitsNotMet
from masking.hierarchies import Hierarchy, as_hierarchy
from masking.limits import Limits
from masking.recoding import global_recoding, judge, nodes
from masking.recoding.global_recoding import levels_of, search_global
from masking.recoding.items import Items
from masking.recoding.judge import Judge
from masking.recoding.search import Watch, Wishes
from tests.masking.recoding.plain_global import Plain, best

LEAVES = "abcdef"
ILLS = ("cold", "flu", "ulcer")
TREE = Hierarchy.of([["cold", "lung"], ["flu", "lung"], ["ulcer", "stomach"]])


@st.composite
def paths(draw):
    """A hierarchy of 1 to 5 leaves and up to three levels below ``*``, each merging what the one before has."""
    leaves = LEAVES[: draw(st.integers(1, 5))]
    nodes_of = {leaf: [leaf] for leaf in leaves}
    for level in range(draw(st.integers(0, 2))):
        before = sorted({path[-1] for path in nodes_of.values()})
        up = {node: f"{level}{draw(st.integers(0, max(0, len(before) - 2)))}" for node in before}
        nodes_of = {leaf: [*path, up[path[-1]]] for leaf, path in nodes_of.items()}
    return {leaf: (*path, "*") for leaf, path in nodes_of.items()}


@st.composite
def tables(draw):
    """1 to 3 attributes with hierarchies, 1 to 18 rows with a sensitive value at the end."""
    hierarchies = draw(st.lists(paths(), min_size=1, max_size=3))
    row = st.tuples(*(st.sampled_from(sorted(each)) for each in hierarchies), st.sampled_from(ILLS))
    return draw(st.lists(row, min_size=1, max_size=18)), hierarchies


def entropy(values: list[str]) -> float:
    return -sum(count / len(values) * math.log(count / len(values)) for count in Counter(values).values())


def equal(part: list[str], whole: list[str]) -> float:
    mine, all_of_it = Counter(part), Counter(whole)
    return sum(abs(mine[ill] / len(part) - all_of_it[ill] / len(whole)) for ill in ILLS) / 2


def hierarchical(part: list[str], whole: list[str]) -> float:
    """The leaves' distance is 1/2 below one node, 1 across: twice the levels' equal distances, halved."""
    place = {"cold": "lung", "flu": "lung", "ulcer": "stomach"}
    up = sum(
        abs(sum(place[ill] == node for ill in part) / len(part) - sum(place[ill] == node for ill in whole) / len(whole))
        for node in ("lung", "stomach")
    )
    return (equal(part, whole) + up / 2) / 2


def recursive(part: list[str], c: float, least: int) -> bool:
    counts = sorted(Counter(part).values(), reverse=True)
    return counts[0] < c * sum(counts[least - 1 :])


MODELS = {
    "k": ({"k_anonymity": 3}, lambda part, _: len(part) >= 3),
    "risk": ({"max_risk": 0.25}, lambda part, _: len(part) >= 4),
    "distinct": ({"distinct_l_diversity": 2}, lambda part, _: len(set(part)) >= 2),
    "entropy": ({"entropy_l_diversity": 1.8}, lambda part, _: entropy(part) >= math.log(1.8) - 1e-12),
    "recursive": (
        {"k_anonymity": 2, "recursive_cl_diversity": [2, 2]},
        lambda part, _: len(part) >= 2 and recursive(part, 2, 2),
    ),
    "equal": (
        {"k_anonymity": 2, "t_closeness": 0.3},
        lambda part, whole: len(part) >= 2 and equal(part, whole) <= 0.3 + 1e-12,
    ),
    "hierarchical": (
        {"t_closeness": {"t": 0.2, "distance": "hierarchical"}},
        lambda part, whole: hierarchical(part, whole) <= 0.2 + 1e-12,
    ),
}


def at_least_two(part, _):
    return len(part) >= 2


def items_of(rows, hierarchies, sensitive=True) -> Items:
    columns = list(zip(*rows, strict=True)) or [()] * (len(hierarchies) + 1)
    names = [f"a{place}" for place in range(len(hierarchies))]
    table = pa.table(
        {name: pa.array(column, pa.string()) for name, column in zip([*names, "ill"], columns, strict=True)}
    )
    made = {name: Hierarchy.of(list(each.values())) for name, each in zip(names, hierarchies, strict=True)}
    return Items.of(table, made, ["ill"] if sensitive else [], trees={"ill": TREE} if sensitive else None)[0]


def loss_of(recoding, weights=None) -> float:
    """The geometric loss from the shares that the recoding itself reports."""
    least = np.array([1 / len(hierarchy.leaves) for hierarchy in recoding.items.hierarchies])
    losses = np.where(least < 1, (recoding.shares() - least) / np.where(least < 1, 1 - least, 1), 0)
    weights = np.ones(len(least)) if weights is None else np.array(weights) / max(weights)
    return float(np.prod(1 + weights * losses) ** (1 / len(least)) - 1)


def found(rows, hierarchies, limits, **given_wishes):
    kind = {name: given_wishes.pop(name) for name in ("hold_suppressed", "accept") if name in given_wishes}
    items = items_of(rows, hierarchies)
    try:
        return search_global(items, Limits.of(limits), Wishes(**given_wishes), Watch(), **kind)
    except LimitsNotMet:
        return None


def same(recoding, plain: Plain | None, weights=None) -> None:
    assert (recoding is None) == (plain is None)
    if recoding is not None:
        assert recoding.optimal
        assert loss_of(recoding, weights) == pytest.approx(plain.loss, abs=1e-10)
        assert recoding.suppressed_records == plain.suppressed


@pytest.mark.parametrize("hold", [True, False], ids=["held", "as in ARX"])
@pytest.mark.parametrize("model", MODELS)
@given(table=tables(), suppression=st.sampled_from([0.0, 0.2, 1.0]))
@settings(max_examples=15, deadline=None)
def test_optimum_is_that_of_all_nodes(model, hold, table, suppression):
    rows, hierarchies = table
    limits, meets = MODELS[model]
    recoding = found(rows, hierarchies, limits, suppression=suppression, hold_suppressed=hold)
    same(recoding, best(rows, hierarchies, meets, suppression=suppression, hold=hold))


@given(table=tables(), data=st.data())
@settings(max_examples=40, deadline=None)
def test_weights_and_levels_are_honoured(table, data):
    rows, hierarchies = table
    heights = [len(next(iter(each.values()))) - 1 for each in hierarchies]
    ranges = [tuple(sorted(data.draw(st.tuples(st.integers(0, each), st.integers(0, each))))) for each in heights]
    weights = data.draw(st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=len(heights), max_size=len(heights)))
    names = [f"a{place}" for place in range(len(heights))]
    recoding = found(
        rows,
        hierarchies,
        {"k_anonymity": 2},
        suppression=0.5,
        weights=dict(zip(names, weights, strict=True)),
        levels=dict(zip(names, ranges, strict=True)),
    )
    same(recoding, best(rows, hierarchies, at_least_two, suppression=0.5, weights=weights, ranges=ranges), weights)
    if recoding is not None:
        kept = recoding.levels[~recoding.suppressed]
        assert all(((low <= each) & (each <= high)).all() for (low, high), each in zip(ranges, kept.T, strict=True))


@given(table=tables())
@settings(max_examples=25, deadline=None)
def test_a_table_that_is_not_accepted_is_no_result(table):
    rows, hierarchies = table

    def accept(persons) -> bool:
        return len(persons) <= 0.25 * sum(persons)

    recoding = found(rows, hierarchies, {"k_anonymity": 2}, accept=accept)
    same(recoding, best(rows, hierarchies, at_least_two, accept=accept))


@given(table=tables(), model=st.sampled_from(sorted(MODELS)))
@settings(max_examples=40, deadline=None)
def test_every_released_class_meets_the_limits(table, model):
    rows, hierarchies = table
    limits = Limits.of(MODELS[model][0])
    recoding = search_global(items_of(rows, hierarchies), limits, Wishes(), Watch())
    ids, count = recoding.classes()
    items = recoding.items
    released = np.where(recoding.gone > 0, 0, items.weights)
    assert Judge(items, limits, released=released).meets(ids, count, recoding.item).all()
    assert len(np.unique(recoding.levels[~recoding.suppressed], axis=0)) <= 1, "one level for each attribute"


@given(table=tables(), data=st.data())
@settings(max_examples=15, deadline=None)
def test_the_order_of_records_changes_nothing(table, data):
    rows, hierarchies = table
    one = found(rows, hierarchies, {"k_anonymity": 2, "t_closeness": 0.4})
    two = found(data.draw(st.permutations(rows)), hierarchies, {"k_anonymity": 2, "t_closeness": 0.4})
    assert np.array_equal(one.levels, two.levels)
    assert np.array_equal(one.gone, two.gone)


@given(table=tables(), model=st.sampled_from(sorted(MODELS)), suppression=st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=40, deadline=None)
def test_bounds_only_spare_work(table, model, suppression):
    """Counting every node of the same lattice, with nothing pruned, gives the same."""
    rows, hierarchies = table
    limits = MODELS[model][0]
    quick = found(rows, hierarchies, limits, suppression=suppression)
    items = items_of(rows, hierarchies)
    ladders = global_recoding.Ladders.of(items, Wishes().ranges(items))
    loss = global_recoding.Loss(ladders.items, np.ones(len(items.names)))
    allowed = math.floor(suppression * items.records + 1e-9)
    counter = global_recoding.Counter(
        ladders.items, Limits.of(limits), loss, allowed, ladders.top(items), hold=True, accept=None
    )
    for node in itertools.product(*(range(height + 1) for height in ladders.items.heights)):
        counter.count(node)
    assert (quick is None) == (counter.best is None)
    if quick is not None:
        assert loss_of(quick) == pytest.approx(loss.total(counter.best.total), abs=1e-10)
        assert quick.suppressed_records == counter.best.suppressed


@given(table=tables(), floor=st.lists(st.integers(0, 3), min_size=3, max_size=3), model=st.sampled_from(sorted(MODELS)))
@settings(max_examples=40, deadline=None)
def test_rolled_up_items_are_counted_the_same(table, floor, model):
    rows, hierarchies = table
    items, limits = items_of(rows, hierarchies), Limits.of(MODELS[model][0])
    floor = tuple(min(each, height) for each, height in zip(floor, items.heights, strict=False))
    rolled = nodes.Classes(nodes.rolled_up(items, floor), limits)
    for node in itertools.product(*(range(low, high + 1) for low, high in zip(floor, items.heights, strict=True))):
        one, other = nodes.Classes(items, limits).counted(node), rolled.counted(node)
        assert one.classes == other.classes
        for flags, rolled_flags in ((one.kept, other.kept), (one.lasting, other.lasting)):
            assert items.weights[flags].sum() == rolled.items.weights[rolled_flags].sum()


@given(table=tables(), model=st.sampled_from(sorted(MODELS)))
@settings(max_examples=12, deadline=None)
def test_what_a_node_surely_suppresses_every_finer_one_does(table, model):
    rows, hierarchies = table
    items = items_of(rows, hierarchies)
    classes = nodes.Classes(items, Limits.of(MODELS[model][0]))
    every = list(itertools.product(*(range(height + 1) for height in items.heights)))
    for node in every:
        here = classes.counted(node)
        lost = 0 if here.lost is None else int(here.lost.sum())
        for finer in every:
            if all(a <= b for a, b in zip(finer, node, strict=True)):
                kept = classes.counted(finer).kept
                assert not (kept & ~here.lasting).any()
                assert items.weights[~kept & here.lasting].sum() >= lost


def test_persons_are_counted_not_records():
    """Four records of two persons are a class of two; with k = 3 they are suppressed, and leave."""
    table = pa.table({"a": ["x"] * 4 + ["y"] * 3, "who": ["p", "p", "q", "q", "r", "s", "t"]})
    items, _ = Items.of(table, {"a": Hierarchy.of([["x"], ["y"]])}, unit="who")
    recoding = search_global(items, Limits(k_anonymity=3), Wishes(), Watch())
    assert levels_of(recoding) == (0,)
    assert recoding.gone.tolist() == [4, 0]
    together = search_global(items, Limits(k_anonymity=3), Wishes(suppression=1), Watch(), hold_suppressed=False)
    assert (together.suppressed_records, int(together.gone.sum())) == (4, 0)


@given(table=tables(), suppression=st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=25, deadline=None)
def test_optimum_where_persons_have_several_records(table, suppression):
    """The last column says whose record it is; a class needs three persons."""
    rows, hierarchies = table
    columns = list(zip(*rows, strict=True))
    names = [f"a{place}" for place in range(len(hierarchies))]
    made = {name: Hierarchy.of(list(each.values())) for name, each in zip(names, hierarchies, strict=True)}
    data = pa.table({name: pa.array(column) for name, column in zip([*names, "who"], columns, strict=True)})
    items, _ = Items.of(data, made, unit="who")
    try:
        recoding = search_global(items, Limits(k_anonymity=3), Wishes(suppression=suppression), Watch())
    except LimitsNotMet:
        recoding = None
    same(recoding, best(rows, hierarchies, lambda part, _: len(set(part)) >= 3, suppression=suppression))


@given(table=tables(), more=tables())
@settings(max_examples=25, deadline=None)
def test_every_class_has_k_persons_of_the_population(table, more):
    rows, hierarchies = table
    names = [f"a{place}" for place in range(len(hierarchies))]
    known = [sorted(each) for each in hierarchies]
    others = [
        tuple(known[place][len(cell) % len(known[place])] for place, cell in enumerate(row[: len(known)]))
        for row in more[0]
    ]
    everyone = [row[:-1] for row in rows] + [row for row in others if len(row) == len(names)]
    made = {name: Hierarchy.of(list(each.values())) for name, each in zip(names, hierarchies, strict=True)}

    def table_of(records):
        return pa.table(
            {name: pa.array(column) for name, column in zip(names, zip(*records, strict=True), strict=True)}
        )

    items, _ = Items.of(table_of([row[:-1] for row in rows]), made)
    items, _ = items.with_population(table_of(everyone))
    recoding = search_global(items, Limits(k_map=3), Wishes(), Watch())
    levels = levels_of(recoding)
    sizes = Counter(
        tuple(path[cell][level] for path, cell, level in zip(hierarchies, row, levels, strict=True)) for row in everyone
    )
    for number in np.flatnonzero(~recoding.suppressed & (recoding.count > 0)):
        row = [
            items.hierarchies[place].leaves[items.leaves[place][recoding.item[number]]] for place in range(len(names))
        ]
        assert sizes[tuple(path[cell][level] for path, cell, level in zip(hierarchies, row, levels, strict=True))] >= 3


def test_suppressed_records_that_break_a_limit_leave():
    """Two lone records make a group of two: below k = 3 they leave; a third would let them stay as ``*``."""
    hierarchy = {leaf: (leaf, "*") for leaf in LEAVES}
    rows = [("a", "flu")] * 5 + [("b", "flu"), ("c", "flu")]
    recoding = found(rows, [hierarchy], {"k_anonymity": 3})
    assert recoding.gone.tolist() == [0, 1, 1]
    recoding = found([*rows, ("d", "flu")], [hierarchy], {"k_anonymity": 3})
    assert not recoding.gone.any()
    assert recoding.suppressed_records == 3


def test_equal_losses_take_the_fewer_classes():
    """Two attributes of two leaves each lose all by one step; which one, is decided by what it leaves."""
    pair = {"a": ("a", "*"), "b": ("b", "*")}
    rows = [("a", "a", "flu"), ("a", "b", "flu"), ("a", "b", "flu"), ("a", "b", "flu"), ("b", "a", "flu")]
    recoding = found([*rows, ("b", "b", "flu")], [pair, pair], {"k_anonymity": 2}, suppression=0)
    assert levels_of(recoding) == (0, 1)


ADULT = [
    ("k=5 sup=0 ", {}, 0.0),
    ("k=5 sup=0.02 ", {}, 0.02),
    ("k=5 sup=1.0 ", {}, 1.0),
    ("k=10 sup=0 ", {}, 0.0),
    ("k=10 sup=0.02 ", {}, 0.02),
    ("k=10 sup=1.0 ", {}, 1.0),
    *[
        (f"k=5 + {name} sup={suppression}", limit, float(suppression))
        for suppression in ("1.0", "0")
        for name, limit in (
            ("distinct 3-diversity", {"distinct_l_diversity": 3}),
            ("entropy 3-diversity", {"entropy_l_diversity": 3}),
            ("recursive (4,3)-diversity", {"recursive_cl_diversity": [4, 3]}),
            ("0.2-closeness hierarchical", {"t_closeness": {"t": 0.2, "distance": "hierarchical"}}),
            ("0.2-closeness equal distance", {"t_closeness": 0.2}),
        )
    ],
]


@pytest.fixture(scope="module")
def adult(shared):
    folder = shared / "data" / "arx"
    if not folder.is_dir():
        pytest.skip("no data/arx in the outside data: ARX's results cannot be compared")
    table = pc.read_csv(folder / "adult" / "adult.csv", parse_options=pc.ParseOptions(delimiter=";"))
    hierarchies = {name: as_hierarchy(folder / "adult" / f"adult_hierarchy_{name}.csv") for name in table.column_names}
    tree = {"occupation": hierarchies["occupation"]}
    without = {name: each for name, each in hierarchies.items() if name != "occupation"}
    with (folder / "reference.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["dataset"].startswith("adult 30162")]
    return (
        {row["config"]: row for row in rows if "global" in row["config"]},
        Items.of(table, hierarchies)[0],
        Items.of(table, without, ["occupation"], trees=tree)[0],
    )


@pytest.mark.parametrize(("config", "limit", "suppression"), ADULT, ids=[each[0] for each in ADULT])
def test_adult_has_the_optimum_of_arx(adult, monkeypatch, config, limit, suppression):
    rows, nine, eight = adult
    (row,) = [row for name, row in rows.items() if name.startswith(config)]
    if config.startswith("k=5 + entropy 3-diversity sup=1"):
        # One class holds three values twice each: its entropy is exactly log 3. ARX's sums of rounded logarithms put
        # it below and suppress 6 records more than the limit asks for; so does this.
        monkeypatch.setattr(judge, "_NEAR", -1e-12)
    k = 10 if config.startswith("k=10") else 5
    items = eight if limit else nine
    recoding = search_global(
        items, Limits.of({"k_anonymity": k, **limit}), Wishes(suppression=suppression), Watch(), hold_suppressed=False
    )
    _, classes = recoding.classes()
    assert recoding.optimal
    assert loss_of(recoding) == pytest.approx(float(row["loss_geomean"]), abs=1e-9)
    assert recoding.granularity() == pytest.approx(float(row["granularity"]), abs=5.1e-5)
    assert recoding.suppressed_records == int(row["suppressed_rows"])
    assert classes - bool(recoding.suppressed.any()) == int(row["classes"])


def test_every_global_row_of_adult_is_compared(adult):
    assert len(adult[0]) == len(ADULT)


def test_stop_gives_the_best_so_far():
    rows = [(a, b, c, "flu") for a, b, c in itertools.product("abcde", repeat=3)]
    hierarchy = {leaf: (leaf, "x" if leaf < "c" else "y", "*") for leaf in "abcde"}
    asked = iter(range(1000))
    stopped = search_global(
        items_of(rows, [hierarchy] * 3), Limits(k_anonymity=4), Wishes(), Watch(stop=lambda: next(asked) > 1)
    )
    whole = found(rows, [hierarchy] * 3, {"k_anonymity": 4})
    assert not stopped.optimal
    assert whole.optimal
    assert "stopped early" in stopped.note
    assert loss_of(stopped) >= loss_of(whole) - 1e-12


def test_cancel_ends_with_nothing():
    with pytest.raises(Cancelled):
        search_global(
            items_of([("a", "flu"), ("b", "flu")], [{"a": ("a", "*"), "b": ("b", "*")}]),
            Limits(k_anonymity=2),
            Wishes(),
            Watch(cancelled=lambda: True),
        )


def test_progress_never_falls():
    shares = []
    rows = [(a, b, "flu") for a, b in itertools.product("abcde", repeat=2)]
    hierarchy = {leaf: (leaf, "x" if leaf < "c" else "y", "*") for leaf in "abcde"}
    watch = Watch(progress=lambda _, share: shares.append(share))
    search_global(items_of(rows, [hierarchy] * 2), Limits(k_anonymity=3), Wishes(), watch)
    assert shares == sorted(shares)
    assert len(shares) > 2


@pytest.mark.parametrize(
    ("rows", "suppressed", "gone"),
    [
        ([], 0, 0),  # an empty table stays empty
        ([("a", "flu")], 1, 1),  # one row cannot be two
        ([("a", "flu")] * 9, 0, 0),  # all equal: kept as they are
        ([(leaf, "flu") for leaf in "abcd"], 4, 0),  # all distinct: `*`, which is cheaper for none of them
    ],
)
def test_small_tables(rows, suppressed, gone):
    flat = {leaf: (leaf, "*") for leaf in "abcd"}
    recoding = search_global(items_of(rows, [flat]), Limits(k_anonymity=2), Wishes(), Watch())
    assert (recoding.suppressed_records, int(recoding.gone.sum())) == (suppressed, gone)
    assert recoding.optimal


def test_a_star_in_every_attribute_is_suppressed_whatever_levels_are_equal():
    """The middle level repeats the leaves, so the top is the second of two that differ."""
    hierarchy = {leaf: (leaf, f"{leaf}'", "*") for leaf in "ab"}
    rows = [("a", "flu"), ("b", "flu")]
    assert found(rows, [hierarchy], {"k_anonymity": 2}, suppression=0.5) is None
    assert found(rows, [hierarchy], {"k_anonymity": 2}).suppressed_records == 2


def test_one_node_with_a_name_is_not_suppressed():
    hierarchy = {leaf: (leaf, "anywhere", "*") for leaf in "ab"}
    recoding = found([("a", "flu"), ("b", "flu")], [hierarchy], {"k_anonymity": 2}, suppression=0)
    assert levels_of(recoding) == (1,)


def test_too_little_suppression_is_refused_with_figures():
    with pytest.raises(LimitsNotMet, match="as few records suppressed") as caught:
        search_global(
            items_of([("a", "flu"), ("b", "flu")], [{"a": ("a", "*"), "b": ("b", "*")}]),
            Limits(k_anonymity=3),
            Wishes(suppression=0.5),
            Watch(),
        )
    assert caught.value.measured == {"suppressed_records": 2.0, "records": 2.0}


def test_an_unknown_loss_is_refused():
    items = items_of([("a", "flu")], [{"a": ("a", "*")}])
    with pytest.raises(InvalidParameter, match="loss is one of"):
        search_global(items, Limits(k_anonymity=1), Wishes(), Watch(), loss="harmonic")


def test_nulls_are_a_value_of_their_own():
    table = pa.table({"a": pa.array(["x", "x", None, None, "y"])})
    items, _ = Items.of(table, {"a": Hierarchy.of([["x", "z"], ["y", "z"]])})
    recoding = search_global(items, Limits(k_anonymity=2), Wishes(suppression=0), Watch())
    assert levels_of(recoding) == (1,)
    assert not recoding.suppressed.any()


def test_sixty_attributes_end_without_a_proof(monkeypatch):
    monkeypatch.setattr(global_recoding, "_PATIENCE", 4)
    random = np.random.default_rng(0)
    table = pa.table({f"a{place}": random.choice(list("abcd"), 60) for place in range(60)})
    hierarchy = Hierarchy.of([["a", "x"], ["b", "x"], ["c", "y"], ["d", "y"]])
    items, _ = Items.of(table, dict.fromkeys(table.column_names, hierarchy))
    recoding = search_global(items, Limits(k_anonymity=3), Wishes(), Watch())
    assert not recoding.optimal
    assert "too many to prove" in recoding.note
    assert 0 < loss_of(recoding) < 1
    ids, count = recoding.classes()
    assert np.bincount(ids, weights=recoding.count, minlength=count).min() >= 3


@pytest.mark.parametrize("bound", ["MOST_NODES", "MOST_WORK"])
def test_downhill_walk_is_near_the_optimum(monkeypatch, bound):
    random = np.random.default_rng(1)
    rows = [(*row, "flu") for row in random.choice(list("abcde"), (120, 4), p=[0.5, 0.2, 0.15, 0.1, 0.05]).tolist()]
    hierarchy = {leaf: (leaf, "x" if leaf < "c" else "y", "*") for leaf in "abcde"}
    proven = found(rows, [hierarchy] * 4, {"k_anonymity": 3})
    monkeypatch.setattr(global_recoding, bound, 1)
    walked = found(rows, [hierarchy] * 4, {"k_anonymity": 3})
    assert not walked.optimal
    assert loss_of(proven) - 1e-12 <= loss_of(walked) <= loss_of(proven) + 0.02


def test_an_attribute_of_many_values_is_found_hopeless_quickly():
    many = 100_000
    values = [f"{number:06d}" for number in range(many)]
    hierarchy = Hierarchy.of([[value, value[:2], value[:1]] for value in values])
    table = pa.table({"id": values, "b": ["x", "y"] * (many // 2)})
    items, _ = Items.of(table, {"id": hierarchy, "b": Hierarchy.of([["x"], ["y"]])})
    recoding = search_global(items, Limits(k_anonymity=10), Wishes(suppression=0.0), Watch())
    assert levels_of(recoding) == (1, 0)
    assert recoding.optimal
