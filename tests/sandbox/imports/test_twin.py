"""The practice twin: persons of the practice data in place of real ones, as many persons as before."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.imports.twin import MATCHED_TENTHS, practice_columns, practice_twin

PERSONS = st.lists(st.integers(0, 40).map(lambda number: f"P{number:03d}"), unique=True, max_size=40)


def column(values: list) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.string() if not values else None)])


@given(own=PERSONS, practice=PERSONS)
def test_nobody_becomes_two_and_two_never_become_one(own: list[str], practice: list[str]) -> None:
    """Also where real keys look like practice keys, as numbers of one pattern do."""
    table = pa.table({"person": pa.array([*own, *own], pa.string()), "row": range(2 * len(own))})
    twin = practice_twin(table, [{"person": column(practice)}])["person"].to_pylist()
    assert twin[: len(own)] == twin[len(own) :]
    assert len(set(twin)) == len(own)
    wanted = sum(place % 10 < MATCHED_TENTHS for place in range(len(own)))
    assert len(set(twin) & set(practice)) >= min(wanted, len(practice))


def test_with_disjoint_keys_eight_of_ten_are_joined() -> None:
    table = pa.table({"person": [f"own-{i}" for i in range(100)]})
    twin = practice_twin(table, [{"person": column([f"practice-{i}" for i in range(1000)])}])["person"].to_pylist()
    assert sum(key.startswith("practice-") for key in twin) == 80


def test_a_join_on_several_keys_finds_what_a_join_on_one_does() -> None:
    """Names are shared by many on both sides, so each key alone would be replaced out of step with the others."""
    born = [dt.date(1950 + i % 40, 1, 1) for i in range(50)]
    own = pa.table(
        {
            "name": [f"张{i % 7}" for i in range(50)],
            "card": [900 + i for i in range(50)],
            "born": born,
            "note": list(range(50)),
        }
    )
    practice = {"name": [f"李{i % 5}" for i in range(200)], "card": list(range(200)), "born": (born * 4)[::-1]}
    columns = {key: column(values) for key, values in practice.items()}
    persons = set(zip(*practice.values(), strict=True))

    def joined(twin: pa.Table) -> int:
        return sum(each in persons for each in zip(*(twin[key].to_pylist() for key in practice), strict=True))

    twin = practice_twin(own, [columns])
    assert joined(twin) == 40
    assert joined(practice_twin(own, [{key: values} for key, values in columns.items()])) < 10  # the control
    assert twin["note"].equals(own["note"])
    assert twin.schema.equals(own.schema)


def test_what_is_null_or_is_written_otherwise_stays() -> None:
    table = pa.table({"card": [1, None, 3], "phone": ["a", "b", None]})
    twin = practice_twin(table, [{"card": column(["x", "y", "z"]), "phone": column(["p", None, "r"])}])
    assert twin["card"].to_pylist() == [1, None, 3]  # the practice data's are no numbers
    assert twin["phone"].to_pylist() == ["p", "b", None]
    assert practice_twin(table, []).equals(table)
    assert practice_twin(table, [{"card": column([])}]).equals(table)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (["CARD"], [{"CARD": "b.card"}]),  # by name, capitals aside
        (["who"], [{"who": "a.id"}]),  # by no name: the first table's person column
        (["card", "name"], [{"card": "b.card", "name": "b.name"}]),  # both of one table, though another has a name too
        (["name"], [{"name": "a.name"}]),
        (["who", "card"], [{"who": "a.id"}, {"card": "b.card"}]),
        (["x", "y", "z"], [{"x": "a.id"}, {"y": "b.card"}]),  # no column stands for two keys
    ],
)
def test_columns_that_stand_for_keys(keys: list[str], found: list[dict[str, str]]) -> None:
    practice = {table: {name: f"{table}.{name}" for name in names} for table, names in TABLES.items()}
    assert practice_columns(keys, practice, {"a": ["id"], "b": ["card"]}) == found  # type: ignore[arg-type]


TABLES = {"a": ["id", "name"], "b": ["card", "name"]}
