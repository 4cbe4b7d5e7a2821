"""Special uniques: the literature's idea by hand, brute force over all sets, and hostile tables."""

from __future__ import annotations

import doctest
import importlib
import itertools
import math
from collections import defaultdict

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, UnknownAttribute

module = importlib.import_module("masking.measures.suda")
special_uniques = module.special_uniques


def test_docstrings():
    assert doctest.testmod(module).failed == 0


def test_by_hand():
    # The only widow of 17: neither age nor status alone is rare.
    table = pl.DataFrame(
        {
            "age": [17, 17, 70, 70, 70],
            "status": ["widow", "single", "widow", "widow", "single"],
            "sex": ["f", "f", "f", "f", "f"],
        }
    )
    found = special_uniques(table, ["age", "status", "sex"], size=2)
    assert found.counts.tolist() == [[0] * 5, [1, 1, 0, 0, 1]]
    assert found.by_size == {1: 0, 2: 3}
    assert found.special == 3
    assert found.scores.tolist() == [1, 1, 0, 0, 1]  # sets of two of three attributes, at most two: 3 - 2
    assert found.attributes == {"age": 1.0, "status": 1.0, "sex": 0.0}
    assert found.contributions["age"].tolist() == [1, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("attributes", "size", "alone_on", "score"),
    [
        (4, 3, 1, 3 * 2 * 1),
        (4, 3, 2, 2 * 1),
        (4, 3, 3, 1),
        (4, 2, 1, 3 * 2),
        (4, 4, 4, 1),  # an MSU of all attributes grows into nothing else
        (4, 9, 1, 3 * 2 * 1),
        (1, 1, 1, 1),
    ],
)
def test_scores(attributes, size, alone_on, score):
    # The first record differs from each other one in one attribute of the first few only.
    names = [f"c{number}" for number in range(attributes)]
    rows = [[0] * attributes]
    rows += [[int(place == number) for place in range(attributes)] for number in range(alone_on)]
    table = pl.DataFrame(rows, schema=names, orient="row")
    found = special_uniques(table, names, size)
    assert found.scores[0] == score
    assert found.counts[:, 0].tolist() == [int(number + 1 == alone_on) for number in range(size)]


def test_persons():
    table = pl.DataFrame({"a": [1, 1, 2, 2], "p": ["x", "x", "y", "z"]})
    assert special_uniques(table, ["a"], 1, unit="p").counts.tolist() == [[1, 1, 0, 0]]
    assert special_uniques(table, ["a"], 1).special == 0


def test_hostile_tables():
    names = [f"c{number}" for number in range(60)]
    distinct = pl.DataFrame({name: range(30) for name in names})
    assert special_uniques(distinct, names, 2).by_size == {1: 60 * 30, 2: 0}
    equal = pl.DataFrame({name: [None] * 30 for name in names})
    assert special_uniques(equal, names, 2).special == 0
    assert special_uniques(equal.head(1), names, 2).by_size == {1: 60, 2: 0}
    assert special_uniques(equal.head(0), names, 2).by_size == {1: 0, 2: 0}
    assert special_uniques(equal, [], 2).by_size == {1: 0, 2: 0}
    assert special_uniques(equal.head(1), [], 2).special == 0


def test_classes_are_told_apart_in_wide_columns():
    rows = 700
    table = pl.DataFrame(
        {"a": [n // 2 for n in range(rows)], "b": [(n + 1) // 2 for n in range(rows)], "c": [0] * rows}
    )
    found = special_uniques(table, ["a", "b", "c"], 2)
    # Pairs share "a" or "b", never both; the first is alone on "b" already, and the last too.
    assert found.by_size == {1: 2, 2: rows - 2}


def test_types_of_columns():
    table = pa.table(
        {
            "a": [True, True, False],
            "b": [b"x", None, None],
            "c": [1.5, float("nan"), float("nan")],
            "d": [[1], [1], [2]],
        }
    )
    assert special_uniques(table, ["a", "b", "c", "d"], 1).counts.tolist() == [[2, 0, 2]]


def test_parameters():
    table = pl.DataFrame({"a": [1]})
    with pytest.raises(InvalidParameter, match="at least 1"):
        special_uniques(table, ["a"], 0)
    with pytest.raises(UnknownAttribute):
        special_uniques(table, ["b"])
    wide = pl.DataFrame({f"c{number}": [1] for number in range(60)})
    with pytest.raises(InvalidParameter, match="523685, more than 200000"):
        special_uniques(wide, wide.columns, 4)


def brute_force(rows, size):
    """Every set of attributes, every record, straight from the definition."""
    width = len(rows[0])
    alone = {}
    for subset in itertools.chain.from_iterable(itertools.combinations(range(width), n) for n in range(1, size + 1)):
        groups = defaultdict(list)
        for number, row in enumerate(rows):
            groups[tuple(row[place] for place in subset)].append(number)
        alone[subset] = {members[0] for members in groups.values() if len(members) == 1}
    counts, scores = [[0] * len(rows) for _ in range(size)], [0.0] * len(rows)
    for subset, members in alone.items():
        for number in members:
            parts = itertools.chain.from_iterable(itertools.combinations(subset, n) for n in range(1, len(subset)))
            if not any(number in alone[part] for part in parts):
                counts[len(subset) - 1][number] += 1
                scores[number] += math.prod(width - i for i in range(len(subset), min(size, width - 1) + 1))
    return counts, scores


ROWS = st.integers(1, 5).flatmap(
    lambda width: st.lists(st.tuples(*[st.sampled_from([None, 0, 1, 2, 3])] * width), min_size=1, max_size=20)
)


@settings(deadline=None, max_examples=60)
@given(ROWS, st.integers(1, 5), st.randoms(use_true_random=False))
def test_equals_brute_force(rows, size, random):
    names = [f"c{number}" for number in range(len(rows[0]))]
    size = min(size, len(names))
    table = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Int64), orient="row")
    found = special_uniques(table, names, size)
    counts, scores = brute_force(rows, size)
    assert found.counts.tolist() == counts
    assert found.scores.tolist() == scores
    # Neither the order of records nor that of attributes matters.
    order = list(range(len(rows)))
    random.shuffle(order)
    again = special_uniques(table[order], names[::-1], size)
    assert again.scores.tolist() == [scores[number] for number in order]
    assert again.attributes == pytest.approx(found.attributes)


def test_adult(shared):
    adult = pl.read_csv(shared / "data/arx/adult/adult.csv", separator=";")
    found = special_uniques(adult, adult.columns, 2)
    assert found.by_size[1] == sum(
        adult[name].value_counts().filter(pl.col("count") == 1).height for name in adult.columns
    )
    pairs = 0
    for first, second in itertools.combinations(adult.columns, 2):
        lonely = adult.filter(pl.len().over(first, second) == 1)
        single = [
            pl.col(name).is_in(adult[name].value_counts().filter(pl.col("count") > 1)[name].implode())
            for name in (first, second)
        ]
        pairs += lonely.filter(pl.all_horizontal(single)).height
    assert found.by_size[2] == pairs
