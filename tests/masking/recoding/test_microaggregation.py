"""Microaggregation as a recoding: hand-made clusters, a slow MDAV, and what holds for any table."""

import datetime as dt
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue, UnknownAttribute, UnsupportedColumn
from masking.measures import k_anonymity
from masking.recoding.microaggregation import microaggregate


def slow_mdav(points: list[list[float]], k: int) -> list[list[int]]:
    """Domingo-Ferrer and Mateo-Sanz 2002, record by record: the groups as lists of places."""

    def distance(one: list[float], other: list[float]) -> float:
        return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))

    def mean(rows: list[int]) -> list[float]:
        return [sum(points[row][place] for row in rows) / len(rows) for place in range(len(points[0]))]

    def around(center: int, rows: list[int]) -> list[int]:
        return sorted(rows, key=lambda row: distance(points[row], points[center]))[:k]

    left, found = list(range(len(points))), []
    while len(left) >= 3 * k:
        middle = mean(left)
        far = max(left, key=lambda row: distance(points[row], middle))
        found.append(around(far, left))
        left = [row for row in left if row not in found[-1]]
        farther = max(left, key=lambda row: distance(points[row], points[far]))
        found.append(around(farther, left))
        left = [row for row in left if row not in found[-1]]
    if len(left) >= 2 * k:
        middle = mean(left)
        found.append(around(max(left, key=lambda row: distance(points[row], middle)), left))
        left = [row for row in left if row not in found[-1]]
    return [*found, left]


def standardised(points: np.ndarray) -> np.ndarray:
    return (points - points.mean(axis=0)) / points.std(axis=0)


def test_clusters_by_hand():
    """Two clusters of three: each becomes its mean; SSE and SST from the definition."""
    table = pa.table(
        {"x": [1.0, 11.0, 2.0, 12.0, 3.0, 13.0], "y": [1.0, 5.0, 1.0, 5.0, 1.0, 5.0], "name": list("abcdef")}
    )
    made = microaggregate(table, ["x", "y"], 3)
    assert made.table["x"].to_pylist() == [2.0, 12.0, 2.0, 12.0, 2.0, 12.0]
    assert made.table["y"].to_pylist() == [1.0, 5.0, 1.0, 5.0, 1.0, 5.0]
    assert made.table["name"].to_pylist() == list("abcdef")
    assert made.gone == 0
    variance = np.var([1, 11, 2, 12, 3, 13])
    assert made.sse == pytest.approx(4 / variance)
    assert made.sst == pytest.approx(12)
    assert made.loss == pytest.approx(4 / variance / 12)


@pytest.mark.parametrize(("count", "k", "columns"), [(17, 2, 2), (40, 3, 2), (61, 5, 3), (120, 4, 4)])
def test_as_slow_mdav(count, k, columns):
    points = np.random.default_rng(count).normal(size=(count, columns))
    names = [f"c{place}" for place in range(columns)]
    made = microaggregate(pa.table(dict(zip(names, points.T, strict=True))), names, k)
    mine = {frozenset(np.flatnonzero(made.group == number).tolist()) for number in np.unique(made.group)}
    slow = slow_mdav(standardised(points).tolist(), k)
    assert mine == {frozenset(rows) for rows in slow}
    released = np.column_stack([made.table[name].to_numpy() for name in names])
    for rows in slow:
        assert released[rows] == pytest.approx(np.tile(points[rows].mean(axis=0), (len(rows), 1)))


def test_pieces_lose_little_more_than_slow_mdav():
    points = np.random.default_rng(5).normal(size=(1_200, 2))
    made = microaggregate(pa.table({"x": points[:, 0], "y": points[:, 1]}), ["x", "y"], 5)
    scaled = standardised(points)
    slow = sum(((scaled[rows] - scaled[rows].mean(axis=0)) ** 2).sum() for rows in slow_mdav(scaled.tolist(), 5))
    assert made.sse <= 1.1 * slow


NUMBER = st.one_of(st.none(), st.integers(-9, 9))


@given(
    rows=st.lists(st.tuples(NUMBER, NUMBER, st.sampled_from("uv")), max_size=30), k=st.integers(2, 5), data=st.data()
)
@settings(max_examples=80, deadline=None)
def test_classes_have_k_whatever_the_order(rows, k, data):
    def table(given_rows):
        columns = list(zip(*given_rows, strict=True)) or [(), (), ()]
        return pa.table(
            {
                "x": pa.array(columns[0], pa.int64()),
                "y": pa.array(columns[1], pa.float64()),
                "z": pa.array(columns[2], pa.string()),
            }
        )

    made = microaggregate(table(rows), ["x", "y"], k)
    cells = list(zip(*(made.table[name].to_pylist() for name in ("x", "y")), strict=True))
    assert made.table.num_rows + made.gone == len(rows)
    assert made.gone < k
    if cells:
        assert k_anonymity(made.table, ["x", "y"]) >= k
        assert min(Counter(made.group.tolist()).values()) >= k
    assert 0 <= made.loss <= 1 + 1e-9
    other = microaggregate(table(data.draw(st.permutations(rows))), ["x", "y"], k)

    def records(given_table):
        return Counter(map(str, given_table.to_pylist()))

    assert records(other.table) == records(made.table)


def test_dates_and_large_whole_numbers_keep_their_kind():
    days = [dt.date(2020, 1, 1), dt.date(2020, 1, 4), dt.date(2021, 1, 1), dt.date(2021, 1, 2)]
    large = [2**60, 2**60 + 2, 2**60 + 200, 2**60 + 202]
    made = microaggregate(pa.table({"day": days, "number": large}), ["day", "number"], 2)
    assert made.table["day"].to_pylist() == [dt.date(2020, 1, 3)] * 2 + [dt.date(2021, 1, 1)] * 2
    assert made.table["number"].to_pylist() == [2**60 + 1] * 2 + [2**60 + 201] * 2


def test_nulls_stay_and_loners_leave():
    """Three records lack y: a group by x. One alone lacks x: it loses y too, and as one of its kind it leaves."""
    table = pa.table({"x": [1, 2, 3, 4, 5, 6, None], "y": [None, None, None, 1, 2, 3, 4]})
    made = microaggregate(table, ["x", "y"], 3)
    assert made.table["x"].to_pylist() == [2, 2, 2, 5, 5, 5]
    assert made.table["y"].to_pylist() == [None, None, None, 2, 2, 2]
    assert made.gone == 1


def test_one_column_all_equal_and_too_few():
    same = microaggregate(pa.table({"x": [7] * 5}), ["x"], 2)
    assert (same.table["x"].to_pylist(), same.loss) == ([7] * 5, 0.0)
    few = microaggregate(pa.table({"x": [1, 2]}), ["x"], 3)
    assert (few.table.num_rows, few.gone) == (0, 2)


@pytest.mark.parametrize(
    ("columns", "k", "error"),
    [
        (["x"], 1, InvalidParameter),  # a group of one is nobody's company
        ([], 3, InvalidParameter),
        (["lost"], 3, UnknownAttribute),
        (["text"], 3, UnsupportedColumn),
        (["wild"], 3, InvalidValue),  # infinity has no mean
    ],
)
def test_what_is_refused(columns, k, error):
    table = pa.table({"x": [1, 2, 3], "text": list("abc"), "wild": [1.0, float("inf"), 2.0]})
    with pytest.raises(error):
        microaggregate(table, columns, k)
