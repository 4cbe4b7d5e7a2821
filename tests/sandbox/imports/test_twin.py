"""The practice twin: persons of the practice data in place of real ones, as many persons as before."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from sandbox.imports.twin import MATCHED_TENTHS, practice_twin

PERSONS = st.lists(st.integers(0, 40).map(lambda number: f"P{number:03d}"), unique=True, max_size=40)


@given(own=PERSONS, practice=PERSONS)
def test_nobody_becomes_two_and_two_never_become_one(own: list[str], practice: list[str]) -> None:
    """Also where real keys look like practice keys, as numbers of one pattern do."""
    table = pa.table({"person": pa.array([*own, *own], pa.string()), "row": range(2 * len(own))})
    twin = practice_twin(table, ["person"], {"person": practice})["person"].to_pylist()
    assert twin[: len(own)] == twin[len(own) :]
    assert len(set(twin)) == len(own)
    wanted = sum(place % 10 < MATCHED_TENTHS for place in range(len(own)))
    assert len(set(twin) & set(practice)) >= min(wanted, len(practice))


def test_with_disjoint_keys_eight_of_ten_are_joined() -> None:
    table = pa.table({"person": [f"own-{i}" for i in range(100)]})
    twin = practice_twin(table, ["person"], {"person": [f"practice-{i}" for i in range(1000)]})["person"].to_pylist()
    assert sum(key.startswith("practice-") for key in twin) == 80
