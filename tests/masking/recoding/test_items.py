"""Items: each different combination once, the same for any order of records and for any cut of a stream."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import DataError, InvalidParameter, UnknownAttribute
from masking.hierarchies import Hierarchy, flat
from masking.recoding.coder import ItemCoder
from masking.recoding.items import Items, grouped

LETTERS = Hierarchy.of([["a", "v"], ["b", "c"], ["c", "c"], ["e", "v"]])
DIGITS = Hierarchy.of([["1"], ["2"], ["3"]])
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "e", None]), st.sampled_from(["1", "2", "3"]), st.sampled_from([7, 8, None])
    ),
    max_size=30,
)


def table_of(rows: list[tuple[object, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [[], [], []]
    kinds = (pa.string(), pa.string(), pa.int64())
    return pa.table({name: pa.array(column, kind) for name, column, kind in zip("xys", columns, kinds, strict=True)})


def described(items: Items) -> dict[tuple[object, ...], int]:
    """Combinations in clear, with their counts."""
    columns = [
        [hierarchy.leaves[code] for code in codes]
        for hierarchy, codes in zip(items.hierarchies, items.leaves, strict=True)
    ]
    columns += [
        [each.values[code].as_py() if code < len(each.values) else None for code in each.codes.tolist()]
        for each in items.sensitive
    ]
    return dict(zip(zip(*columns, strict=True), items.weights.tolist(), strict=True))


@given(ROWS)
def test_items_are_the_different_combinations_with_their_counts(rows: list[tuple[object, ...]]) -> None:
    items, of_record = Items.of(table_of(rows), {"x": LETTERS, "y": DIGITS}, ["s"])
    assert described(items) == dict(Counter(rows))
    assert len(of_record) == len(rows)
    assert np.bincount(of_record, minlength=len(items)).tolist() == items.weights.tolist()
    again, _ = Items.of(table_of(rows[::-1]), {"x": LETTERS, "y": DIGITS}, ["s"])
    assert [codes.tolist() for codes in items.leaves] == [codes.tolist() for codes in again.leaves]


@given(ROWS, st.integers(1, 7), st.booleans())
@settings(deadline=None)
def test_a_stream_gives_the_same_items(rows: list[tuple[object, ...]], size: int, by_person: bool) -> None:
    table = table_of(rows).append_column("u", pa.array([f"p{at % 4}" if at % 5 else None for at in range(len(rows))]))
    unit = "u" if by_person else None
    whole, _ = Items.of(table, {"x": LETTERS, "y": DIGITS}, ["s"], unit=unit)
    coder = ItemCoder(["x", "y"], ["s"], unit=by_person)
    for batch in table.to_batches(max_chunksize=size):
        coder.add({name: batch.column(name) for name in "xys"}, batch.column("u") if by_person else None)
    made = coder.items({"x": lambda _: LETTERS, "y": lambda _: DIGITS})
    assert described(made) == described(whole)
    if by_person and rows:
        assert made.pairs is not None
        assert whole.pairs is not None
        assert np.bincount(made.pairs[0]).tolist() == np.bincount(whole.pairs[0]).tolist()


def test_wrong_columns_and_values_are_named_by_place_only() -> None:
    with pytest.raises(UnknownAttribute, match="nope"):
        Items.of(table_of([("a", "1", 7)]), {"nope": LETTERS})
    with pytest.raises(
        DataError, match=r"attribute 'x': the hierarchy does not name the values of 2 records"
    ) as caught:
        Items.of(table_of([("a", "1", 7), ("secret", "1", 7), ("secret", "2", 7)]), {"x": LETTERS})
    assert "secret" not in str(caught.value)
    assert "first record 2" in str(caught.value)


def test_a_population_adds_items_of_weight_nought() -> None:
    items, _ = Items.of(table_of([("a", "1", 7), ("b", "1", 7), ("a", "1", 8)]), {"x": LETTERS, "y": DIGITS})
    everyone = table_of([("a", "1", 7)] * 3 + [("c", "3", 7)] + [("b", "1", 7)])
    both, places = items.with_population(everyone)
    assert both.weights.tolist() == [2, 1, 0]
    assert both.population is not None
    assert both.population.tolist() == [3, 1, 1]
    assert places.tolist() == [0, 1]
    with pytest.raises(InvalidParameter):
        Items.of(table_of([("a", "1", 7)]), {"x": LETTERS}, ["s"])[0].with_population(everyone)


@given(st.lists(st.lists(st.integers(0, 5), min_size=8, max_size=8), min_size=1, max_size=4))
def test_groups_are_those_of_tuples(columns: list[list[int]]) -> None:
    ids, first = grouped([np.array(column) for column in columns], [6] * len(columns), 8)
    rows = list(zip(*columns, strict=True))
    assert [rows[at] for at in first] == sorted(set(rows))
    assert [sorted(set(rows)).index(row) for row in rows] == ids.tolist()


def test_more_combinations_than_numbers_are_still_told_apart() -> None:
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, 1 << 20, 50) for _ in range(9)]
    columns = [np.concatenate([column, column]) for column in columns]
    ids, first = grouped(columns, [1 << 20] * 9, 100)
    assert len(first) == 50
    assert (ids[:50] == ids[50:]).all()


def test_an_attribute_of_a_million_values() -> None:
    column = pa.array([str(number) for number in range(1_000_000)])
    items, of_record = Items.of(pa.table({"x": column}), {"x": flat(column)})
    assert len(items) == 1_000_000
    assert len(of_record) == 1_000_000
