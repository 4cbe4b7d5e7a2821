"""Profiles of columns: figures of the whole whatever the batches, bounded memory, cells of enough persons."""

from __future__ import annotations

import datetime as dt
import doctest
import math
import pickle
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.measures import profile
from masking.measures.profile import ColumnProfiles, Distinct, Watched, distribution, loss_of

WATCHED = (
    Watched("age", before=True, after=True),
    Watched("ill", before=True, after=True),
    Watched("id", loss="token"),
)


def table(rows, seed=1):
    r = np.random.default_rng(seed)
    age = r.integers(0, 100, rows)
    return pa.record_batch(
        {
            "age": age,
            "ill": np.array(["a", "b", "c", "d"])[r.integers(0, 4, rows)],
            "id": [f"p{n}" for n in r.integers(0, max(rows // 3, 1), rows)],
        }
    )


def masked_of(raw):
    bands = pa.array([f"[{a // 10 * 10},{a // 10 * 10 + 10})" for a in raw.column("age").to_pylist()], pa.string())
    return pa.record_batch({"age": bands, "ill": raw.column("ill"), "id": raw.column("id")})


def answers(profiles):
    names = [each for each in profiles.watched if each in profiles.masked]
    return [(profiles.before(name), profiles.after(name), profiles.loss(name)) for name in names]


def profiled(raw, masked, cuts, unit="id", released=None):
    made = ColumnProfiles(WATCHED, masked.schema.names, least=5, unit=unit)
    edges = [0, *cuts, raw.num_rows]
    for start, end in pairwise(edges):
        rows = None if released is None else np.flatnonzero(released[start:end])
        made.add(raw.slice(start, end - start), masked.slice(start, end - start), rows)
    return made


def test_docstrings():
    assert doctest.testmod(profile).failed == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 400), st.lists(st.integers(0, 400), max_size=5), st.booleans())
def test_batches_do_not_matter(rows, cuts, partly):
    raw = table(rows)
    masked = masked_of(raw)
    released = np.arange(rows) % 7 > 0 if partly else None
    whole = profiled(raw, masked, [], released=released)
    cut = profiled(raw, masked, sorted(min(c, rows) for c in cuts), released=released)
    assert answers(whole) == answers(cut)


def test_batches_do_not_matter_where_a_sample_is_held(monkeypatch):
    monkeypatch.setattr(profile, "SAMPLE", 256)
    raw = table(5000)
    masked = masked_of(raw)
    whole = profiled(raw, masked, [])
    cut = profiled(raw, masked, [1, 17, 900, 901, 3333])
    assert answers(whole) == answers(cut)
    shown = whole.after("ill").distribution
    assert shown.sampled
    assert 128 <= sum(cell.count for cell in shown.cells) <= 256
    shares = [cell.count / 200 for cell in shown.cells]
    assert all(0.15 < share < 0.4 for share in shares)


def test_workers_are_merged(monkeypatch):
    monkeypatch.setattr(profile, "SAMPLE", 512)
    raw = table(4000)
    masked = masked_of(raw)
    whole = profiled(raw, masked, [])
    parts = []
    for start in range(0, 4000, 1000):
        part = ColumnProfiles(WATCHED, masked.schema.names, least=5, unit="id")
        part.see(raw.slice(start, 1000), masked.slice(start, 1000), start=start)
        part.write(masked.slice(start, 1000), start=start)
        parts.append(pickle.loads(pickle.dumps(part)))
    first, *others = parts[2], parts[0], parts[3], parts[1]
    for other in others:
        first.merge(other)
    assert answers(first) == answers(whole)


def test_what_is_held_is_bounded():
    made = ColumnProfiles([Watched("v", before=True, after=True), Watched("t", after=True)], ["v", "t"], least=5)
    r = np.random.default_rng(3)
    for _ in range(40):
        batch = pa.record_batch({"v": r.normal(size=1 << 15), "t": np.char.mod("%d", r.integers(0, 10**9, 1 << 15))})
        made.add(batch, batch)
    held = made._pairs.frame().height, made._after.frame().height, made._pairs._rows
    assert all(profile.SAMPLE / 2 < rows <= 2 * profile.SAMPLE for rows in held)
    assert all(len(each._held) <= 1 << 14 for each in made._raw.values.values())
    assert made.after("t").distribution is None  # no value is shared by enough records
    assert len(made.after("v").distribution.cells) < 60


def test_the_masked_half_sees_no_raw_value():
    """Whatever the raw table is, the figures of the masked one are the same: also its sample."""
    masked = masked_of(table(300))
    for unit in (None, "id"):
        made = []
        for raw in (table(300), table(300, seed=9)):
            one = ColumnProfiles(WATCHED, ["age", "ill"], least=5, unit=unit)
            one.see(raw, masked)
            one.write(masked)
            made.append([one.after("age"), one.after("ill")])
        assert made[0] == made[1]


def test_the_numbering_of_the_masked_half_is_its_own(monkeypatch):
    """A record that does not leave moves no other record in or out of the sample of those that do."""
    monkeypatch.setattr(profile, "SAMPLE", 64)
    raw = table(1000)
    masked = masked_of(raw)
    without = profiled(raw.slice(1), masked.slice(1), [])
    suppressed = profiled(raw, masked, [], released=np.arange(1000) > 0)
    assert without.after("age") == suppressed.after("age")
    assert without.before("age") != suppressed.before("age")


# Loss.


@pytest.mark.parametrize(
    ("raw", "masked", "loss", "kind"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0, "distance"),
        ([0, 10], [5, 5], 5 / (math.sqrt(2) * 5), "distance"),
        ([0, 10], [100, -90], 1.0, "distance"),  # never above 1
        ([7, 7], [7, 7], 0.0, "distance"),
        ([7, 7], [8, 8], 1.0, "distance"),  # moved where nothing differs
        ([0, 10, None], [0, None, None], 0.5, "distance"),  # a value that became null is lost; null stays null
        ([0, 1, 10], ["x", "x", "y"], 2 / 3 * 1 / 10, "extent"),
        ([5, 5], ["x", "x"], 0.0, "extent"),
        (["a", "b"], ["*", "*"], 1.0, "entropy"),
        (["a", "b", "a", "b"], ["b", "a", "b", "a"], 0.0, "entropy"),  # renamed: everything can be told
        (["a", "a", "b", "b"], ["a", "b", "a", "b"], 1.0, "entropy"),  # independent: nothing can
        (["a", "a"], ["a", "a"], 0.0, "entropy"),
        (["a", "b"], [None, None], 1.0, "entropy"),
        ([dt.date(2020, 1, 1), dt.date(2020, 1, 3)], [dt.date(2020, 1, 2), dt.date(2020, 1, 2)], 0.7071, "distance"),
        ([dt.date(2020, 1, 1), dt.date(2020, 1, 3)], ["2020", "2020"], 1.0, "extent"),
        ([float("nan"), 1.0, 2.0], [0.0, 1.0, 2.0], 0.0, "distance"),
    ],
)
def test_loss(raw, masked, loss, kind):
    found = loss_of(pl.Series(raw, strict=False), pl.Series(masked, strict=False))
    assert found == (pytest.approx(loss, abs=1e-4), kind)


def test_loss_of_free_text_and_of_nothing():
    assert loss_of(pl.Series(["a", "b"]), pl.Series(["a", "<X>"]), free_text=True) == (0.5, "changed")
    assert loss_of(pl.Series([], dtype=pl.String), pl.Series([], dtype=pl.String)) == (None, "")


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=60))
def test_entropy_equals_a_slow_count(pairs):
    def bits(values):
        return -sum(n / len(pairs) * math.log2(n / len(pairs)) for n in (values.count(v) for v in set(values)))

    raw, masked = [a for a, _ in pairs], [b for _, b in pairs]
    told = bits(raw)
    slow = (bits(pairs) - bits(masked)) / told if told else 0.0
    assert loss_of(pl.Series(raw), pl.Series(masked))[0] == pytest.approx(min(1, max(0, slow)), abs=1e-4)


# Distinct values.


@pytest.mark.parametrize("number", [0, 1, 5000, 1 << 14, 200_000])
def test_distinct(number):
    counted = Distinct()
    values = pl.Series(range(number), dtype=pl.Int64)
    for _ in range(2):
        for start in range(0, number, 30_000):
            counted.add(values[start : start + 30_000].hash(1, 2, 3, 4))
    assert counted.number == pytest.approx(number, rel=0 if number <= 1 << 14 else 0.03)


# Distributions.


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-1e9, 1e9) | st.floats() | st.integers(-50, 50).map(float) | st.none(), max_size=300),
    st.integers(1, 12),
    st.integers(1, 8),
)
def test_no_bin_holds_fewer_persons(values, least, people):
    persons = pl.Series([n % people for n in range(len(values))], dtype=pl.UInt64)
    column = pl.Series(values, dtype=pl.Float64)
    for told in (None, persons):
        shown = distribution(column, told, least=least)
        if shown is None:
            continue
        known = column.filter(column.is_finite())
        assert sum(cell.count for cell in shown.cells) + shown.pooled == len(known)
        for cell in shown.cells:
            if shown.kind == "categories":
                inside = pl.Series(
                    [f"{v:.12g}" == cell.label or v == float(cell.label) for v in column.fill_null(math.nan)]
                )
            else:
                low, high = cell.lower, cell.upper
                inside = (column >= (low if low is not None else -math.inf)) & (
                    column < (high if high is not None else math.inf)
                )
            if told is not None:
                assert persons.filter(inside.fill_null(False)).n_unique() >= least
            assert cell.count >= least
        if shown.kind == "histogram":
            assert (shown.cells[0].lower, shown.cells[-1].upper) == (None, None)  # no extreme is told
            assert [c.upper for c in shown.cells[:-1]] == [c.lower for c in shown.cells[1:]]


def test_an_outlier_neither_shows_nor_flattens_the_plot():
    values = pl.Series([*np.random.default_rng(1).normal(100, 15, 5000), 9e8])
    shown = distribution(values, None, least=10)
    assert shown.step == 5
    assert shown.cells[-1].lower < 170
    assert len(shown.cells) > 10


@pytest.mark.parametrize(
    ("start", "days", "step"),
    [
        (dt.date(2020, 1, 1), 300, 1),
        (dt.date(2019, 1, 1), 1200, 3),
        (dt.date(2005, 1, 1), 6000, 12),
        (dt.date(1800, 1, 1), 73000, 120),
    ],
)
def test_dates_fall_into_calendar_bins(start, days, step):
    shown = distribution(pl.Series([start + dt.timedelta(d) for d in range(days)]), None, least=5)
    assert (shown.scale, shown.step) == ("month", step)
    assert all(cell.upper % step == 0 for cell in shown.cells[:-1])


def test_bands_stand_in_their_order_and_codes_as_numbers():
    shown = distribution(pl.Series(["[20,30)"] * 9 + ["<20"] * 5 + [">=30"] * 6), None, least=5)
    assert [cell.label for cell in shown.cells] == ["<20", "[20,30)", ">=30"]
    shown = distribution(pl.Series([1, 0, 1, 0, 1, 2, 2]), None, least=2)
    assert [(cell.label, cell.count) for cell in shown.cells] == [("0", 2), ("1", 3), ("2", 2)]


def test_many_values_show_the_most_frequent():
    values = [f"v{n}" for n in range(60) for _ in range(n)]
    shown = distribution(pl.Series(values), None, least=5)
    assert len(shown.cells) == profile.SHOWN
    assert shown.pooled == len(values) - sum(range(40, 60))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([True, False, None] * 9),
        pa.array([[1], [2], None] * 9),
        pa.array([b"a", b"b", None] * 9),
        pa.array(["a", "b", None] * 9).dictionary_encode(),
        pa.array([1, 2, None] * 9, pa.decimal128(9, 2)),
        pa.array([2**64 - 1, 1, None] * 9, pa.uint64()),
        pa.array([dt.time(1), dt.time(2), None] * 9),
        pa.array([dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2021, 1, 2, tzinfo=dt.UTC), None] * 9),
        pa.array([None] * 27),
        pa.array([math.inf, -math.inf, math.nan] * 9),
    ],
)
def test_every_type_of_column(column):
    batch = pa.record_batch({"v": column})
    made = ColumnProfiles([Watched("v", before=True, after=True)], ["v"], least=3, unit="v")
    made.add(batch, batch)
    made.add(batch.slice(0, 0), batch.slice(0, 0))
    assert made.before("v").nulls == column.null_count
    assert made.before("v").distinct == len(set(map(str, column.drop_null().to_pylist())))
    assert made.loss("v")[0] in (0.0, None)
