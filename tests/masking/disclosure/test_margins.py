"""Trees of categories, and the sums that tie cells together."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from masking.disclosure.contributions import contributions
from masking.disclosure.margins import dimension
from masking.errors import DataError, InvalidParameter, UnknownAttribute, UnsupportedColumn
from tests.masking.disclosure.plain_tables import cells as plain_cells

TREE = [
    ["Futian", "Shenzhen", "Guangdong"],
    ["Nanshan", "Shenzhen", "Guangdong"],
    ["Tianhe", "Guangzhou", "Guangdong"],
    ["Xicheng", "Beijing", "Beijing"],
]


def made(values, spec=None, total="Total"):
    return dimension("d", pl.Series("d", values), spec, total=total)


def test_categories_found_are_in_their_own_order_and_null_is_one():
    tree, leaves = made([10, 9, None, 10])
    assert tree.labels == ("9", "10", None, "Total")
    assert tree.parents == (3, 3, 3, -1)
    assert leaves.tolist() == [1, 0, 2, 1]


def test_a_hierarchy_of_unequal_depth():
    rows = [*TREE[:3], ["Xicheng", "Beijing", "*"]]
    tree, leaves = made(["Futian", "Xicheng", None], {"hierarchy": rows})
    assert tree.labels == (
        "Futian",
        "Nanshan",
        "Tianhe",
        "Xicheng",
        None,
        "Shenzhen",
        "Guangdong",
        "Guangzhou",
        "Beijing",
        "Total",
    )
    assert [tree.labels[node] for node in tree.path(0)] == ["Futian", "Shenzhen", "Guangdong", "Total"]
    assert [tree.labels[node] for node in tree.path(3)] == ["Xicheng", "Beijing", "Total"]
    assert leaves.tolist() == [0, 3, 4]
    chains = {
        "Futian": "Shenzhen",
        "Nanshan": "Shenzhen",
        "Tianhe": "Guangzhou",
        "Xicheng": "Beijing",
        "Shenzhen": "Guangdong",
        "Guangzhou": "Guangdong",
    }
    assert made(["Futian"], {"hierarchy": chains})[0].path(0) == made(
        ["Futian"], {"hierarchy": pl.DataFrame(rows, orient="row")}
    )[0].path(0)


@pytest.mark.parametrize(
    "spec",
    [
        {"categories": []},
        {"categories": ["a", "a"]},
        {"categories": "ab"},
        {"categories": ["a"], "hierarchy": [["a"]]},
        {"levels": 2},
        {"hierarchy": []},
        {"hierarchy": [["a", "x"], ["a", "y"]]},  # a leaf twice
        {"hierarchy": [["a", "x", "p"], ["b", "x", "q"]]},  # a group below two
        {"hierarchy": [["a", "b"], ["b", "c"]]},  # a leaf that is a group
        {"hierarchy": [["a", "x", "a"]]},
        {"hierarchy": {"a": "b", "b": "a"}},
        {"hierarchy": {"a": "b", "x": "y", "y": "x"}},
        {"hierarchy": [["a", "Total"]]},
    ],
)
def test_no_tree(spec):
    with pytest.raises(InvalidParameter, match="dimension 'd'"):
        made(["a"], spec)


def test_a_category_that_is_not_listed_is_counted_and_never_shown():
    with pytest.raises(DataError, match=r"attribute 'd': 2 value\(s\)") as refused:
        made(["a", "secret", "secret"], {"categories": ["a"]})
    assert "secret" not in str(refused.value)
    with pytest.raises(InvalidParameter, match="another `total`"):
        made(["Total"])
    assert made(["Total"], total="All")[0].labels == ("Total", "All")


def test_every_equation_holds_for_true_sums():
    rows = pl.DataFrame({"place": ["Futian", "Nanshan", "Xicheng", None] * 5, "sex": ["f", "m"] * 10, "v": range(20)})
    found = contributions(rows, dimensions={"place": {"hierarchy": TREE}, "sex": None}, measures={"s": {"sum": "v"}})
    equations = found.margins.equations
    sums = np.add.reduceat(equations.signs * found.figures[0].value[equations.cells], equations.starts[:-1])
    assert not sums.any()
    assert len(sums) == 5 * 3 + 10  # four groups of one dimension and its total, then the total of the other
    value = {
        label: found.figures[0].value[found.margins.cell({"place": label})] for label in ("Guangdong", "Beijing", None)
    }
    assert value == {"Guangdong": 100 * (10 * 8 + 5), "Beijing": 100 * 50, None: 100 * 55}
    assert found.figures[0].value[found.margins.cell({})] == 19_000


def test_persons_are_counted_at_every_level_as_by_hand():
    rng = np.random.default_rng(5)
    rows = [{"a": "xyz"[rng.integers(3)], "b": "uv"[rng.integers(2)], "p": int(rng.integers(12))} for _ in range(60)]
    found = contributions(
        pl.DataFrame(rows), dimensions={"a": None, "b": None}, measures={"r": {"records": "*"}}, unit="p"
    )
    expected = plain_cells(rows, ["a", "b"], unit="p")
    for (a, b), persons in expected.items():
        labels = {name: label for name, label in (("a", a), ("b", b)) if label != "Total"}
        assert found.persons[found.margins.cell(labels)] == len(persons)


def test_holdings_of_one_person_are_summed_first_and_sizes_are_absolute():
    rows = pl.DataFrame({"d": ["a"] * 5, "p": [1, 1, 2, 3, 4], "v": [60.0, 40.0, -90.0, None, float("nan")]})
    figure = contributions(
        rows, dimensions={"d": None}, measures={"s": {"sum": "v"}}, unit="p", decimals=0, top=2
    ).figures[0]
    last = {
        name: int(getattr(figure, name)[-1])
        for name in ("value", "contributors", "magnitude", "largest", "second", "top", "sole")
    }
    assert last == {
        "value": 10,
        "contributors": 2,
        "magnitude": 190,
        "largest": 100,
        "second": 90,
        "top": 190,
        "sole": -1,
    }
    assert not figure.nonnegative


def test_refuses():
    rows = pl.DataFrame({"d": ["a", "b"], "p": [1, 1], "v": [1e300, 1.0], "t": ["x", "y"]})
    with pytest.raises(InvalidParameter, match="count records instead"):
        contributions(rows, dimensions={"d": None}, measures={"n": {"count": "*"}}, unit="p")
    with pytest.raises(UnsupportedColumn, match="too large"):
        contributions(rows, dimensions={"d": None}, measures={"n": {"sum": "v"}})
    with pytest.raises(UnsupportedColumn, match="cannot be summed"):
        contributions(rows, dimensions={"d": None}, measures={"n": {"sum": "t"}})
    with pytest.raises(UnknownAttribute):
        contributions(rows, dimensions={"z": None}, measures={"n": {"count": "*"}})
    wide = pl.DataFrame({name: range(200) for name in "abc"})
    with pytest.raises(InvalidParameter, match="8120601 cells"):
        contributions(wide, dimensions=dict.fromkeys("abc"), measures={"n": {"count": "*"}})
