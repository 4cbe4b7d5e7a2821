"""Conditions: every comparison on every type; what cannot be compared is refused, never taken for unmet."""

import datetime as dt
import decimal
import time

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, UnsupportedColumn
from masking.techniques.conditions import Condition, condition

NAN = float("nan")
DAY = dt.date(2020, 2, 29)
DAYS = [DAY - dt.timedelta(1), DAY, DAY + dt.timedelta(1), None]
MOMENT = dt.datetime(2020, 2, 29, 0, 0)  # noqa: DTZ001  (a column without a time zone)
UTC = dt.datetime(2020, 2, 28, 16, 0, tzinfo=dt.UTC)  # midnight of that day in Shanghai


def holds(words, column):
    return condition({"column": "a", **words}).holds({"a": column}).tolist()


@pytest.mark.parametrize(
    ("words", "column", "expected"),
    [
        ({"equals": 5}, pa.array([5, 6, None]), [1, 0, 0]),
        ({"equals": 5}, pa.array([5.0, 5.1, NAN]), [1, 0, 0]),
        ({"equals": 5}, pa.array(["5", "05", None]), [1, 0, 0]),  # codes are text
        ({"equals": "5"}, pa.array([5, 6]), [1, 0]),
        ({"equals": 5.5}, pa.array([5, 6]), [0, 0]),
        ({"equals": True}, pa.array([True, False, None]), [1, 0, 0]),
        ({"equals": "2020-02-29"}, pa.array(DAYS), [0, 1, 0, 0]),
        ({"equals": DAY}, pa.array(DAYS), [0, 1, 0, 0]),
        ({"equals": DAY}, pa.array(["2020-02-29", "2020/02/29"]), [1, 0]),
        ({"equals": "湖南省"}, pa.array(["湖南省", "湖南"]), [1, 0]),
        ({"equals": "0.10"}, pa.array([decimal.Decimal("0.10"), None]), [1, 0]),
        ({"in": [1, 2]}, pa.array([1, 3, None]), [1, 0, 0]),
        ({"in": [1, 2]}, pa.array(["1", "3", None]), [1, 0, 0]),
        ({"in": ["1", "2"]}, pa.array([1, 3, None], pa.int8()), [1, 0, 0]),
        ({"in": [DAY]}, pa.array(DAYS), [0, 1, 0, 0]),
        ({"in": ["2020-02-29"]}, pa.array(DAYS), [0, 1, 0, 0]),
        ({"not_in": [1, 2]}, pa.array([1, 3, None]), [0, 1, 0]),  # a null is in no list and outside none
        ({"not_in": ["a"]}, pa.array(["a", "b", None]), [0, 1, 0]),
        ({"at_least": 90}, pa.array([89, 90, 100, None]), [0, 1, 1, 0]),
        ({"at_least": 90}, pa.array([89.9, 90.0, NAN, None]), [0, 1, 0, 0]),
        ({"at_least": 89.5}, pa.array([89, 90]), [0, 1]),
        ({"at_least": 90}, pa.array([decimal.Decimal("89.9"), decimal.Decimal("90.0")]), [0, 1]),
        ({"at_least": "2020-02-29"}, pa.array(DAYS), [0, 1, 1, 0]),
        ({"at_least": DAY}, pa.array(DAYS, pa.date64()), [0, 1, 1, 0]),
        ({"at_least": DAY}, pa.array([MOMENT, MOMENT - dt.timedelta(seconds=1), None]), [1, 0, 0]),
        (
            {"at_least": DAY},  # in the column's own zone
            pa.array([UTC, UTC - dt.timedelta(seconds=1), None], pa.timestamp("us", "Asia/Shanghai")),
            [1, 0, 0],
        ),
        ({"below": 18}, pa.array([17, 18, -5, None]), [1, 0, 1, 0]),
        ({"below": 18}, pa.array([NAN, 17.9]), [0, 1]),
        ({"below": DAY}, pa.array(DAYS), [1, 0, 0, 0]),
        ({"is_null": True}, pa.array(["a", None]), [0, 1]),
        ({"is_null": False}, pa.array(["a", None]), [1, 0]),
        ({"is_null": True}, pa.array([None, None]), [1, 1]),
        ({"is_null": True}, pa.array([NAN]), [0]),
        ({"matches": "43.*"}, pa.array(["4301", "143", None]), [1, 0, 0]),
        ({"matches": "43.*"}, pa.array([4301, 143, None]), [1, 0, 0]),
        ({"matches": "a|b"}, pa.array(["a", "b", "ab", "xa", "bx"]), [1, 1, 0, 0, 0]),  # the whole value, both branches
        ({"matches": "a"}, pa.array(["a", "a\n", "\na", "b\na"]), [1, 0, 0, 0]),
        ({"matches": "(?m)a$"}, pa.array(["a", "a\nb"]), [1, 0]),
        ({"matches": "(?i)A."}, pa.array(["ab", "AB", "A"]), [1, 1, 0]),
        ({"matches": ".{2}"}, pa.array(["湖南", "湖"]), [1, 0]),  # characters, not bytes
        ({"equals": 5}, pa.array([None, None]), [0, 0]),
        ({"not_in": [5]}, pa.array([None, None]), [0, 0]),
        ({"at_least": 5}, pa.array([], pa.int64()), []),
    ],
)
def test_comparisons(words, column, expected):
    assert holds(words, column) == [bool(met) for met in expected]
    if not pa.types.is_null(column.type):
        assert holds(words, column.dictionary_encode()) == [bool(met) for met in expected]
    if pa.types.is_string(column.type):
        assert holds(words, column.cast(pa.large_string())) == [bool(met) for met in expected]


@pytest.mark.parametrize(
    ("words", "column"),
    [
        ({"at_least": 90}, pa.array(["100", "89"])),  # as text "100" would be below 90, and the record would stay
        ({"below": "90"}, pa.array(["100", "89"])),
        ({"at_least": DAY}, pa.array(["2020/03/01"])),
        ({"at_least": 0}, pa.array([True])),
        ({"equals": "Canary"}, pa.array([5])),
        ({"equals": "Canary"}, pa.array([DAY])),
        ({"equals": "2020/02/29"}, pa.array([DAY])),
        ({"equals": True}, pa.array([1])),
        ({"equals": True}, pa.array(["true"])),
        ({"equals": 1}, pa.array([True])),
        ({"equals": 1.0}, pa.array(["1"])),
        ({"equals": 300}, pa.array([5], pa.int8())),
        ({"equals": 2**70}, pa.array([5])),
        ({"in": ["Canary"]}, pa.array([5])),
        ({"in": [1.5]}, pa.array([1])),
        ({"in": [True]}, pa.array([1])),
        ({"matches": "a"}, pa.array([b"a"])),
        ({"equals": "a"}, pa.array([["a"]])),
        ({"in": ["a"]}, pa.array([{"a": 1}])),
    ],
)
def test_what_cannot_be_compared_is_refused(words, column):
    with pytest.raises(UnsupportedColumn, match="'a'") as refused:
        holds(words, column)
    assert "Canary" not in str(refused.value)
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    "words",
    [
        "age",
        {},
        {"column": "a"},
        {"column": "", "equals": 1},
        {"column": 5, "equals": 1},
        {"equals": 1},
        {"column": "a", "equals": 1, "below": 2},
        {"column": "a", "above": 1},
        {"column": "a", "equals": None},
        {"column": "a", "equals": [1]},
        {"column": "a", "equals": {}},
        {"column": "a", "equals": NAN},
        {"column": "a", "below": float("inf")},
        {"column": "a", "below": True},
        {"column": "a", "in": 1},
        {"column": "a", "in": []},
        {"column": "a", "in": "abc"},
        {"column": "a", "in": [None]},
        {"column": "a", "in": [[1]]},
        {"column": "a", "in": [1, "a"]},
        {"column": "a", "in": [2**70]},
        {"column": "a", "is_null": 1},
        {"column": "a", "matches": 5},
        {"column": "a", "matches": "("},
        {"column": "a", "matches": "a)|(?:b"},  # must not close the group around it: then only part has to match
        {"column": "a", "matches": "\\Qa"},
        {"column": "a", "matches": "(?=a)"},  # RE2 looks at nothing twice
        {"column": "a", "matches": "(a)\\1"},
        {"column": "a", "matches": "((a{1000}){1000}){1000}"},
        {"all": []},
        {"any": {"column": "a", "equals": 1}},
        {"all": [{"column": "a", "equals": 1}], "column": "a"},
        {"all": [{"column": "a"}]},
    ],
)
def test_what_is_no_condition(words):
    with pytest.raises(InvalidParameter):
        condition(words)


def test_a_hostile_pattern_costs_linear_time():
    start = time.process_time()
    assert holds({"matches": "(a*)*b"}, pa.array(["a" * 100_000])) == [False]
    assert time.process_time() - start < 20


def test_joined():
    context = {"age": pa.array([95, 95, 20, None]), "area": pa.array(["N", "S", "N", "N"])}
    old, north = {"column": "age", "at_least": 90}, {"column": "area", "equals": "N"}
    assert condition({"all": [old, north]}).holds(context).tolist() == [True, False, False, False]
    assert condition({"any": [old, north]}).holds(context).tolist() == [True, True, True, True]
    both = condition({"any": [old, {"all": [north, {"column": "age", "is_null": True}]}]})
    assert both.holds(context).tolist() == [True, True, False, True]
    assert both.columns == ("age", "area")


LEAVES = st.one_of(
    st.fixed_dictionaries({"column": st.sampled_from("ab"), "in": st.lists(st.integers(0, 9), min_size=1)}),
    st.fixed_dictionaries({"column": st.sampled_from("ab"), "at_least": st.integers(0, 9)}),
    st.fixed_dictionaries({"column": st.sampled_from("ab"), "is_null": st.booleans()}),
)
WORDS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(
        lambda parts: st.sampled_from([{"all": parts}, {"any": parts}])
    ),
    max_leaves=6,
)


def plain(words, row):
    if "all" in words:
        return all(plain(part, row) for part in words["all"])
    if "any" in words:
        return any(plain(part, row) for part in words["any"])
    value = row["ab".index(words["column"])]
    if "is_null" in words:
        return (value is None) == words["is_null"]
    if value is None:
        return False
    return value in words["in"] if "in" in words else value >= words["at_least"]


@given(WORDS, st.lists(st.tuples(*[st.none() | st.integers(0, 9)] * 2), max_size=12))
@settings(max_examples=200, deadline=None)
def test_record_by_record_and_back_to_words(words, rows):
    made = condition(words)
    context = {name: pa.array([row[place] for row in rows], pa.int64()) for place, name in enumerate("ab")}
    assert made.holds(context).tolist() == [plain(words, row) for row in rows]
    assert condition(made.to_words()) == made
    assert isinstance(made, Condition)
