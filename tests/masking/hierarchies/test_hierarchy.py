"""Hierarchies: what is read is what stands there, levels nest, and every wrong one is one clear error."""

import datetime as dt
import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.errors import InvalidParameter, UnsupportedColumn
from masking.hierarchies import TOP, Hierarchy, as_hierarchy, by_date, by_interval, by_prefix, flat, propose

CITIES = [["长沙", "湖南"], ["武汉", "湖北"], ["株洲", "湖南"]]


def test_a_missing_top_is_added_and_nodes_count_their_leaves() -> None:
    made = Hierarchy.of(CITIES)
    assert made.labels == (("长沙", "武汉", "株洲"), ("湖南", "湖北"), (TOP,))
    assert [sizes.tolist() for sizes in made.sizes] == [[1, 1, 1], [2, 1], [3]]
    assert made.shares.tolist() == [[1 / 3] * 3, [2 / 3, 1 / 3, 2 / 3], [1.0] * 3]
    assert made.parents(0).tolist() == [0, 1, 0]
    assert Hierarchy.of([["a", "*"], ["b", "*"]]).levels == 2


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_files_frames_mappings_and_rows_say_the_same(tmp_path: Path, ending: str) -> None:
    text = "长沙;湖南\n武汉;湖北\n株洲;湖南\n".encode()
    path = tmp_path / f"h.{ending}"
    path.write_bytes(gzip.compress(text) if ending.endswith("gz") else text)
    frame = pl.DataFrame(CITIES, schema=["a", "b"], orient="row")
    mapping = dict(CITIES)
    for given_ in (path, str(path), frame, frame.to_arrow(), frame.to_pandas(), mapping, CITIES):
        assert as_hierarchy(given_).rows() == Hierarchy.of(CITIES).rows()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "empty"),
        ([["甲", "组"], ["乙"]], "row 2 of the hierarchy has 1 levels, the first has 2"),
        ([["甲", "组"], ["乙", ""]], "row 2 of the hierarchy has a hole at level 1"),
        ([["甲", "组"], ["甲", "别"]], "a value has two nodes at level 1"),
        ([["甲", "组", "x"], ["乙", "组", "y"]], "level 2 of the hierarchy divides what level 1 merges"),
        ([["甲", "乙", "x"], ["乙", "甲", "x"], ["丙", "乙", "y"]], "divides what level 1 merges"),
    ],
)
def test_a_wrong_hierarchy_is_one_error_without_a_value(rows: list[list[str]], says: str) -> None:
    with pytest.raises(InvalidParameter, match=says) as caught:
        Hierarchy.of(rows)
    assert not {"甲", "乙", "丙", "组"} & set(str(caught.value))


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidParameter, match="cannot be read"):
        as_hierarchy(tmp_path / "none.csv")
    (tmp_path / "broken.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidParameter, match="not a UTF-8 CSV"):
        as_hierarchy(tmp_path / "broken.csv")
    (tmp_path / "torn.csv.gz").write_bytes(gzip.compress(b"a;b\n" * 100)[:-9])
    with pytest.raises(InvalidParameter, match="cannot be read"):
        as_hierarchy(tmp_path / "torn.csv.gz")
    monkeypatch.setattr("masking.hierarchies.read.MAX_BYTES", 1000)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"a;b\n" * 10_000))
    with pytest.raises(InvalidParameter, match="larger than 64 MiB"):
        as_hierarchy(tmp_path / "bomb.csv.gz")


def test_null_is_a_leaf_that_stays_null_below_the_top() -> None:
    made = Hierarchy.of(CITIES).with_null()
    leaves, missing = made.find(pa.array(["武汉", None, "上海"]))
    assert (leaves.tolist(), missing) == ([1, 3, -1], 1)
    assert made.written(leaves[:2], 1).to_pylist() == ["湖北", None]
    assert made.written(leaves[:2], np.array([1, 2])).to_pylist() == ["湖北", "*"]
    assert Hierarchy.of(CITIES).find(pa.array([None, "武汉"], pa.string()))[0].tolist() == [-1, 1]


def test_built_ones_have_round_bounds() -> None:
    ages = by_interval(pa.array([23, 0, 89, 24, None]), (5, 10, 50))
    assert ages.rows()[1] == ("23", "20-24", "20-29", "0-49", "*")
    assert by_interval(pa.array([2.5, 7.25]), (2.5,)).rows()[1] == ("7.25", "[5, 7.5)", "*")
    assert by_prefix(pa.array(["430102"]), (4, 2), fill="0").rows()[0] == ("430102", "430100", "430000", "*")
    assert by_date(pa.array([dt.date(2024, 5, 6)])).rows()[0] == (
        "2024-05-06", "2024-05", "2024-Q2", "2024", "2020s", "*",
    )  # fmt: skip
    assert flat(pa.array(["b", "a", "a"])).rows() == [("a", "*"), ("b", "*")]
    for wrong in ((), (0,), (5, 7), (10, 5)):
        with pytest.raises(InvalidParameter):
            by_interval(pa.array([1]), wrong)
    for lengths in ((), (2, 4), (2, 0)):
        with pytest.raises(InvalidParameter):
            by_prefix(pa.array(["a"]), lengths)
    with pytest.raises(UnsupportedColumn):
        by_interval(pa.array([float("nan")]), (5,))
    with pytest.raises(UnsupportedColumn):
        by_interval(pa.array(["1"]), (5,))
    with pytest.raises(UnsupportedColumn):
        by_date(pa.array(["2024"]))


@given(
    st.one_of(
        st.lists(st.integers(-10_000, 10_000), min_size=1),
        st.lists(st.floats(-1e6, 1e6), min_size=1),
        st.lists(st.dates(), min_size=1),
        st.lists(st.text(min_size=1), min_size=1),
        st.lists(st.text("0123456789", min_size=6, max_size=6), min_size=1),
    )
)
def test_a_proposal_holds_every_value_and_does_not_depend_on_their_order(values: list[object]) -> None:
    made = propose(pa.array(values))
    assert made.labels[-1] == (TOP,)
    assert made.find(pa.array(values))[1] == 0
    assert made.rows() == propose(pa.array(values[::-1])).rows()
    assert (np.diff(made.shares, axis=0) >= 0).all()
