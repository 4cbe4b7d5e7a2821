"""Ages on a fixed day."""

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.techniques import get


def age(at="2025-04-03", **parameters):
    return get("generalization.age").build({"at": at, **parameters}, attribute="born")


@pytest.mark.parametrize(
    ("at", "born", "expected"),
    [
        ("2025-04-03", "1990-04-03", 35),  # the birthday itself
        ("2025-04-03", "1990-04-04", 34),  # the day before it
        ("2025-04-03", "2025-04-03", 0),
        ("2023-02-28", "2000-02-29", 22),  # 29 February: a year is complete on 1 March
        ("2023-03-01", "2000-02-29", 23),
        ("2024-02-29", "2000-02-29", 24),
        ("2025-04-03", "1875-04-03", 150),
    ],
)
def test_completed_years(at, born, expected):
    assert age(at).apply(pa.array([born])).to_pylist() == [expected]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([dt.date(1990, 4, 3), None]),
        pa.array([dt.datetime(1990, 4, 3, 23, 59, tzinfo=dt.UTC), None]),
        pa.array(["1990-04-03", None]),
        pa.array(["1990/4/3", None]),
        pa.array(["1990-04-03T08:00:00Z", None]),
        pa.array(["19900403", None]),
        pa.array([19900403, None]),
        pa.array(["1990-04-03", None]).dictionary_encode(),
    ],
)
def test_every_spelling_of_a_day(column):
    assert age().apply(column).to_pylist() == [35, None]


@pytest.mark.parametrize(
    "value",
    [
        "2025-04-04",
        "1874-04-03",
        "1990-02-30",
        "19901301",
        "1990",
        "",
        "199004",
        "0000-00-00",
        "张三",
        "1990-04-03x",
        5,
        -1,
    ],
)
def test_what_is_no_birth_date(value):
    column = pa.array([value])
    with pytest.raises(InvalidValue) as refused:
        age().apply(column)
    assert (refused.value.count, refused.value.first_rows) == (1, (0,))
    number, count = age(on_invalid="suppress").apply_counted(column)
    assert (number.to_pylist(), count) == ([None], 1)
    band, count = age(on_invalid="suppress", width=10).apply_counted(column)
    assert (band.to_pylist(), count) == (["*"], 1)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [95, 34, 0]),
        ({"upper": 90}, [90, 34, 0]),  # top code
        ({"width": 5}, ["[95,100)", "[30,35)", "[0,5)"]),
        ({"width": 20, "upper": 90}, [">=90", "[20,40)", "[0,20)"]),
    ],
)
def test_bands_and_top_code(parameters, expected):
    column = pa.array(["1930-01-01", "1990-05-01", "2025-01-01"])
    assert age(**parameters).apply(column).to_pylist() == expected


@given(st.lists(st.dates(dt.date(1880, 1, 1), dt.date(2025, 4, 3)), max_size=20), st.integers(1, 50))
@settings(max_examples=50, deadline=None)
def test_ages_are_those_of_the_calendar_and_bands_hold_them(days, width):
    column = pa.array(days, pa.date32())
    ages = age().apply(column).to_pylist()
    at = dt.date(2025, 4, 3)
    assert ages == [at.year - day.year - ((at.month, at.day) < (day.month, day.day)) for day in days]
    for years, band in zip(ages, age(width=width).apply(column).to_pylist(), strict=True):
        low, high = map(int, band[1:-1].split(","))
        assert low <= years < high


@pytest.mark.parametrize(
    "parameters",
    [
        {"at": "today"},  # no clock
        {"at": "2025-02-30"},
        {"at": 2025},
        {"width": 0},
        {"width": 151},
        {"upper": 0},
        {"on_invalid": "keep"},
    ],
)
def test_parameters_outside_their_interval(parameters):
    with pytest.raises(InvalidParameter):
        age(**parameters)


def test_columns_of_another_type_are_refused():
    for column in (pa.array([1990.5]), pa.array([True]), pa.array([b"1990-04-03"]), pa.array([dt.time(1)])):
        with pytest.raises(UnsupportedColumn):
            age().apply(column)
