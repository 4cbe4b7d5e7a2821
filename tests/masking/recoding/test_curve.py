"""The risk–utility curve: what its points say is true of the tables they give, and none beats another."""

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import Cancelled, InvalidParameter
from masking.hierarchies import Hierarchy, as_hierarchy
from masking.limits import Limits
from masking.recoding.curve import Point, risk_utility_curve
from masking.recoding.find import find
from masking.recoding.items import Items
from masking.recoding.search import Watch, Wishes

HOME = Hierarchy.of([[leaf, "x" if leaf < "c" else "y"] for leaf in "abcde"])


def items_of(table: pa.Table) -> tuple[Items, np.ndarray]:
    return Items.of(table, {"a": HOME, "b": HOME})


@pytest.fixture
def table() -> pa.Table:
    random = np.random.default_rng(3)
    shares = [0.4, 0.25, 0.2, 0.1, 0.05]
    return pa.table({"a": random.choice(list("abcde"), 90, p=shares), "b": random.choice(list("abcde"), 90, p=shares)})


def classes(table: pa.Table) -> Counter:
    return Counter(zip(table["a"].to_pylist(), table["b"].to_pylist(), strict=True))


def again(items: Items, point: Point):
    return find(items, point.limits, Wishes(suppression=point.limits.suppression), Watch(), kind=point.recoding)


def test_points_say_what_their_tables_are(table):
    items, of_record = items_of(table)
    points = risk_utility_curve(items, Wishes(), Watch(), ks=(2, 5, 10), suppression=(0.05, 1.0))
    assert len(points) > 2
    assert {point.recoding for point in points} == {"local", "global"}
    for point in points:
        released = again(items, point).table(table, of_record)
        found = classes(released)
        starred = found.get(("*", "*"), 0) + table.num_rows - released.num_rows
        assert point.classes == len(found)
        assert point.max_risk == pytest.approx(1 / min(found.values()))
        assert point.average_risk == pytest.approx(len(found) / released.num_rows)
        assert point.suppressed == pytest.approx(starred / table.num_rows)
        assert min(found.values()) >= point.k
        assert starred <= point.limits.suppression * table.num_rows


def test_levels_of_a_global_point_give_the_same_table(table):
    items, of_record = items_of(table)
    for point in risk_utility_curve(items, Wishes(), Watch(), recoding="global"):
        fixed = {name: (level, level) for name, level in point.levels.items()}
        wishes = Wishes(suppression=point.limits.suppression, levels=fixed)
        one, two = again(items, point), find(items, point.limits, wishes, Watch(), kind="global")
        assert one.table(table, of_record).equals(two.table(table, of_record))


@given(
    rows=st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), min_size=1, max_size=30),
    suppression=st.sampled_from([(0.0,), (0.2, 1.0)]),
)
@settings(max_examples=20, deadline=None)
def test_no_point_beats_another_and_none_is_missing(rows, suppression):
    columns = list(zip(*rows, strict=True))
    items, _ = items_of(pa.table({"a": columns[0], "b": columns[1]}))
    every = [
        each
        for kind in ("local", "global")
        for k in (1, 2, 4)
        for share in suppression
        for each in risk_utility_curve(items, Wishes(), Watch(), ks=(k,), recoding=kind, suppression=(share,))
    ]
    points = risk_utility_curve(items, Wishes(), Watch(), ks=(4, 2, 1), suppression=suppression)
    measures = [(point.max_risk, point.average_risk, point.loss) for point in points]
    assert not any(one.beats(other) for one in points for other in points)
    for each in every:
        mine = (each.max_risk, each.average_risk, each.loss)
        assert any(all(a <= b + 1e-9 for a, b in zip(point, mine, strict=True)) for point in measures)
    assert measures == sorted(measures, key=lambda each: (-each[0], each[2]))


def test_limits_that_every_plan_must_meet(table):
    items, _ = items_of(table)
    points = risk_utility_curve(items, Wishes(), Watch(), ks=(2, 3, 20), limits=Limits(max_risk=0.1))
    assert {point.k for point in points} <= {10, 20}
    assert all(point.max_risk <= 0.1 for point in points)


def test_plans_that_cannot_be_met_are_left_out(table):
    items, _ = items_of(table)
    assert risk_utility_curve(items, Wishes(suppression=0.0), Watch(), ks=(91,)) == ()
    points = risk_utility_curve(items, Wishes(suppression=0.0), Watch(), ks=(2, 91))
    assert {point.k for point in points} == {2}


def test_points_are_plain_values(table):
    items, _ = items_of(table)
    (point,) = risk_utility_curve(items, Wishes(), Watch(), ks=(5,), recoding="global")
    said = json.loads(json.dumps(point.to_dict()))
    assert said["policy"] == {"limits": {"k_anonymity": 5, "suppression": 1.0}, "recoding": "global"}
    assert set(said["levels"]) == {"a", "b"}
    assert said["optimal"] is True


def test_progress_stop_and_cancel(table):
    items, _ = items_of(table)
    shares = []
    risk_utility_curve(items, Wishes(), Watch(progress=lambda _, share: shares.append(share)), recoding="global")
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(risk_utility_curve(items, Wishes(), Watch(stop=lambda: True), recoding="global")) == 1
    with pytest.raises(Cancelled):
        risk_utility_curve(items, Wishes(), Watch(cancelled=lambda: True))


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"ks": ()}, "class sizes of a curve"),
        ({"ks": (0,)}, "class sizes of a curve"),
        ({"recoding": "regional"}, "recoding is one of"),
        ({"recoding": ()}, "recoding is one of"),
        ({"suppression": (2.0,)}, "share in"),
        ({"suppression": ()}, "share in"),
    ],
)
def test_wrong_questions_are_refused(table, given, what):
    with pytest.raises(InvalidParameter, match=what):
        risk_utility_curve(items_of(table)[0], Wishes(), Watch(), **given)


def test_curve_of_adult(shared):
    folder = shared / "data" / "arx" / "adult"
    if not folder.is_dir():
        pytest.skip("no data/arx in the outside data: no curve of Adult")
    table = pc.read_csv(folder / "adult.csv", parse_options=pc.ParseOptions(delimiter=";"))
    hierarchies = {name: as_hierarchy(folder / f"adult_hierarchy_{name}.csv") for name in table.column_names}
    items, _ = Items.of(table, hierarchies)
    points = risk_utility_curve(items, Wishes(), Watch(), ks=(5,))
    assert [(point.k, point.recoding) for point in points] == [(5, "local"), (5, "global")]
    assert min(point.loss for point in points) < 0.06
