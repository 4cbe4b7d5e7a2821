"""Local suppression: cells that stand out become null, all others stay."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, UnsupportedColumn
from masking.techniques import get


def local(**parameters):
    return get("suppression.local").build(parameters, attribute="value")


@pytest.mark.parametrize(
    ("parameters", "given_", "expected"),
    [
        ({"values": ["B", "其他"]}, ["A", "B", "其他", None], ["A", None, None, None]),
        ({"values": [5]}, [5, 6, None], [None, 6, None]),
        ({"values": [5]}, ["5", "05"], [None, "05"]),  # one value, whatever type holds it
        ({"values": ["5"]}, [5.0, 5.5], [None, 5.5]),
        ({"values": ["2020-01-31"]}, [dt.date(2020, 1, 31), dt.date(2020, 2, 1)], [None, dt.date(2020, 2, 1)]),
        ({"values": [1.5]}, [1.5, 2.0], [None, 2.0]),
        ({"values": ["true"]}, [True, False], [None, False]),
        ({"pattern": "C[0-9].*"}, ["C34", "XC34", "J18"], [None, "XC34", "J18"]),  # the whole value
        ({"pattern": "a|b"}, ["a", "b", "ab"], [None, None, "ab"]),
        ({"pattern": "C.*"}, ["C34\nJ18"], [None]),  # a dot is any character
        ({"pattern": "4403.*"}, [440301, 430104], [None, 430104]),
        ({"lower": 0}, [-1, 0, 1], [None, 0, 1]),
        ({"upper": 0}, [-1, 0, 1], [-1, 0, None]),
        ({"lower": 0, "upper": 0}, [-1, 0, 1], [None, 0, None]),
        ({"upper": 10}, [float("nan"), float("inf"), 1.0], [None, None, 1.0]),
        ({"upper": 1.5}, [Decimal("1.50"), Decimal("1.51")], [Decimal("1.50"), None]),
        ({"values": [0], "upper": 9}, [0, 5, 10], [None, 5, None]),  # any of them
        ({"all": True}, ["a", None], [None, None]),
        ({"all": True}, [[1], [2]], [None, None]),  # of any type
    ],
)
def test_cells(parameters, given_, expected):
    column = pa.array(given_)
    masked = local(**parameters).apply(column)
    assert masked.to_pylist() == expected
    assert masked.type == column.type


@pytest.mark.parametrize(
    "parameters",
    [
        {},  # nothing is named
        {"values": []},
        {"all": False},
        {"all": True, "values": [1]},
        {"all": True, "lower": 1},
        {"lower": 2, "upper": 1},
        {"pattern": "("},
        {"values": [[1]]},
        {"values": "a"},
        {"lower": "1"},
        {"all": "yes"},
    ],
)
def test_parameters_outside_their_interval(parameters):
    with pytest.raises(InvalidParameter):
        local(**parameters)


@pytest.mark.parametrize(
    ("parameters", "column"),
    [
        ({"lower": 1}, pa.array(["1"])),
        ({"upper": 1}, pa.array([dt.date(2020, 1, 1)])),
        ({"values": ["a"]}, pa.array([["a"]])),
        ({"pattern": "a"}, pa.array([b"a"])),
    ],
)
def test_columns_of_another_type_are_refused(parameters, column):
    with pytest.raises(UnsupportedColumn):
        local(**parameters).apply(column)


@given(st.lists(st.one_of(st.none(), st.integers(-20, 20)), max_size=20), st.integers(-20, 20), st.integers(0, 20))
@settings(max_examples=50, deadline=None)
def test_what_stays_is_unchanged_and_inside(values, low, width):
    masked = local(lower=low, upper=low + width).apply(pa.array(values, pa.int64())).to_pylist()
    assert masked == [value if value is not None and low <= value <= low + width else None for value in values]
