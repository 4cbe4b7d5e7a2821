"""Date shift: one shift a person, exact intervals, and the risk that the docs state."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.techniques.randomization.date_shift import shifts
from tests.masking.techniques.randomized import build, chi_square, ids, run

DAY = dt.date(2020, 2, 29)
ZONE = dt.timezone(dt.timedelta(hours=8))


def shift(column, person, max_days=30, **given):
    return run("date_shift", column, {"person": person}, max_days=max_days, per="person", **given)


def days(masked, column):
    return [None if a is None else (a - b).days for a, b in zip(masked.to_pylist(), column.to_pylist(), strict=True)]


@pytest.mark.parametrize("most", [1, 2, 30, 365])
def test_uniform_without_0(most):
    drawn = shifts(bytes(16), ids(100_000), most)
    wanted = np.array([day for day in range(-most, most + 1) if day])
    found, counts = np.unique(drawn, return_counts=True)
    assert (found == wanted).all()
    assert abs(chi_square(counts, [100_000 / len(wanted)] * len(wanted))) < 4


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1))), max_size=20),
    st.integers(1, 1000),
)
@settings(max_examples=100, deadline=None)
def test_intervals_of_a_person_are_kept(rows, most):
    person, column = pa.array([p for p, _ in rows], pa.string()), pa.array([d for _, d in rows], pa.date32())
    moved = dict(zip([p for p, _ in rows], days(shift(column, person, most), column), strict=True))
    assert days(shift(column, person, most), column) == [moved[p] for p, _ in rows]
    assert all(0 < abs(day) <= most for day in moved.values())


def test_all_dates_of_a_person_move_together_across_attributes_tables_and_types():
    person = pa.array(["a", "b"])
    dates = pa.array([DAY, DAY])
    one = days(shift(dates, person, attribute="admitted"), dates)
    other = pa.array(["2020-03-05", "2020/3/05"])
    two = shift(other, pa.array(["b", "a"]), attribute="discharged").to_pylist()
    assert [dt.date.fromisoformat(day) - dt.date(2020, 3, 5) for day in two] == [dt.timedelta(d) for d in one[::-1]]
    assert days(shift(dates, person, key="other"), dates) != one


def test_one_known_date_reveals_all_of_a_person():
    """The residual risk that the docs state: this attack works, and it works for that person only."""
    rng = np.random.default_rng(3)
    person = pa.array(np.repeat(np.arange(500), 4))
    true = pa.array(rng.integers(10_000, 18_000, 2000).astype(np.int32)).cast(pa.date32())
    published = shift(true, person, 365)
    learned = days(published, true)[0]  # the attacker knows one true date of person 0
    undone = [(day - dt.timedelta(learned)) == real for day, real in zip(published.to_pylist(), true.to_pylist())]  # noqa: B905
    assert all(undone[:4])
    assert sum(undone[4:]) < 0.02 * 1996


@pytest.mark.parametrize(
    "kind",
    [
        pa.date32(),
        pa.date64(),
        pa.timestamp("s"),
        pa.timestamp("ms"),
        pa.timestamp("us"),
        pa.timestamp("ns"),
        pa.timestamp("us", "Asia/Shanghai"),
    ],
)
def test_types_keep_their_time_of_day(kind):
    moment = dt.datetime(1969, 7, 20, 20, 17, 40, tzinfo=ZONE if getattr(kind, "tz", None) else None)
    column = pa.array([DAY if pa.types.is_date(kind) else moment, None]).cast(kind)
    masked = shift(column, pa.array(["a", None]))
    assert masked.type == kind
    assert masked[1].as_py() is None
    expected = days(shift(pa.array([DAY]), pa.array(["a"])), pa.array([DAY]))[0]
    assert masked[0].as_py() - column[0].as_py() == dt.timedelta(expected)


def test_a_date_without_a_person_is_refused():
    with pytest.raises(InvalidValue) as refused:
        shift(pa.array([DAY, None, DAY]), pa.array(["a", None, None]))
    assert (refused.value.count, refused.value.first_rows) == (1, (2,))


@pytest.mark.parametrize("text", ["2021-02-29", "20200101", "yesterday", ""])
def test_text_that_is_no_date_is_refused(text):
    with pytest.raises(InvalidValue) as refused:
        shift(pa.array(["2020-01-01", None, text]), pa.array(["a", "a", "a"]))
    assert refused.value.first_rows == (2,)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([dt.date.min, dt.date.max]),
        pa.array(["0001-01-01", "9999-12-31"]),
        pa.array([dt.date.min, dt.date.max]).cast(pa.timestamp("us")),
        pa.array([-(2**63) + 1, 2**63 - 1]).cast(pa.timestamp("ns")),
        pa.array([-(2**63) + 1, 2**63 - 1]).cast(pa.timestamp("s")),
        pa.array([-(2**31), 2**31 - 1], pa.int32()).cast(pa.date32()),
    ],
)
def test_dates_that_would_leave_their_type_are_refused(column):
    """Whichever way the person moves, one of the two ends is past the end."""
    with pytest.raises(InvalidValue, match="moved out"):
        shift(column, pa.array(["a", "a"]))


def test_early_years_keep_four_digits():
    (day,) = shift(pa.array(["0099-07-01"]), pa.array(["a"])).to_pylist()
    assert len(day) == 10
    assert day.startswith("0099-")


@pytest.mark.parametrize("most", [0, -1, 36_526, 1.5, "30"])
def test_parameters(most):
    with pytest.raises(InvalidParameter):
        build("date_shift", max_days=most, per="person")


def test_other_columns_are_refused_and_the_person_is_read():
    made = build("date_shift", max_days=30, per="person")
    assert made.context() == ("person",)
    for kind in (pa.int64(), pa.time64("us"), pa.binary()):
        with pytest.raises(UnsupportedColumn):
            made.output_type(kind)


def test_the_docs_state_the_risk():
    assert "one true date" in " ".join(type(build("date_shift", max_days=30, per="person")).__doc__.split())
