"""Which cells are primary: figures worked out by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from masking.disclosure.contributions import contributions
from masking.disclosure.sensitivity import Sensitivity, need, primary

LOOSE = {"threshold": 2, "dominance": None}


def cell(values, **rules):
    """A table of one cell and its total: whether it is primary, and its protection level upwards."""
    found = contributions(
        pl.DataFrame({"d": ["a"] * len(values), "v": values}),
        dimensions={"d": None},
        measures={"s": {"sum": "v"}},
        decimals=0,
        top=(rules.get("dominance") or (1, 1))[0],
    )
    asked = Sensitivity(**{**LOOSE, **rules})
    hidden = primary(found, asked)
    return bool(hidden[0]), float(need(found.figures[0], found, hidden, asked).up[0])


@pytest.mark.parametrize(
    ("values", "rules", "expected"),
    [
        ([60, 25, 10, 5], {"dominance": (1, 0.6)}, (False, 0)),  # exactly the share is not over it
        ([61, 24, 10, 5], {"dominance": (1, 0.6)}, (True, 2)),  # 61 / 0.6 - 100 = 1.67
        ([50, 40, 5, 5], {"dominance": (2, 0.8)}, (True, 13)),  # 90 / 0.8 - 100 = 12.5
        ([50, 30, 10, 10], {"dominance": (2, 0.8)}, (False, 0)),
        ([100, 50, 9], {"p_percent": 10}, (True, 1)),  # the rest of 9 is less than 10 % of 100
        ([100, 50, 10], {"p_percent": 10}, (False, 0)),
        ([100, 50, 20], {"prior_posterior": (20, 50)}, (True, 20)),  # 20 / 50 of 100 is more than 20
        ([100, 50, 41], {"prior_posterior": (20, 50)}, (False, 0)),
        ([-100, 50, 9], {"p_percent": 10}, (True, 1)),  # signs do not matter
        ([-60, 61], {"dominance": (1, 0.75)}, (False, 0)),  # a total of 1 that nobody dominates
        ([100], {"threshold": 2}, (True, 20)),  # one person: a fifth of the size
        ([100, 100, 100], {"threshold": 3}, (False, 0)),
        ([100, 100], {"threshold": 3}, (True, 40)),
        ([0, 0], {"threshold": 3}, (True, 0)),
    ],
)
def test_rules(values, rules, expected):
    assert cell(values, **rules) == expected


def test_a_small_count_must_be_able_to_reach_the_threshold():
    rows = pl.DataFrame({"d": ["a"] * 3 + ["b"] * 12})
    found = contributions(rows, dimensions={"d": None}, measures={"n": {"count": "*"}})
    hidden = primary(found, Sensitivity(threshold=10))
    levels = need(found.figures[0], found, hidden, Sensitivity(threshold=10))
    assert hidden.tolist() == [True, False, False]
    assert levels.up.tolist() == [7, 0, 0]
    assert not levels.down.any()
    assert levels.floor.tolist() == [1, 1, 1]  # empty cells are shown, so what is hidden is not empty


def test_the_cell_of_a_figure_that_few_have():
    rows = pl.DataFrame({"d": ["a"] * 20, "v": [1.0] * 3 + [None] * 17})
    found = contributions(rows, dimensions={"d": None}, measures={"s": {"sum": "v"}})
    assert primary(found, Sensitivity(threshold=4)).tolist() == [True, True]
    assert primary(found, Sensitivity(threshold=3, dominance=None)).tolist() == [False, False]
    assert np.isneginf(
        need(
            contributions(
                rows.with_columns(v=-pl.col("v")), dimensions={"d": None}, measures={"s": {"sum": "v"}}
            ).figures[0],
            found,
            np.ones(2, bool),
            Sensitivity(),
        ).floor
    ).all()
