"""Groups that code makes of raw columns: read from labels or registrations, and looked at in the raw table."""

from __future__ import annotations

import io
import math
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.policy.load import load
from sandbox.airlock.checks.derived import Band, Bands, Categories, bands_of, groupings, variants
from sandbox.airlock.checks.raw import RawTable, Registered, match_raw
from sandbox.airlock.limits import default_limits
from sandbox.airlock.registered import registered_of
from sandbox.airlock.typed import typed_tables
from sandbox.inside.parse import parse
from sandbox.workspaces.runs import pack_single
from tests.sandbox.airlock.seeded.test_raw_groups import reader

LIMITS = default_limits()
ROWS = 600


def firms() -> pl.DataFrame:
    """Firms of three sizes and two branches; one large firm has nearly all turnover of its group."""
    rng = np.random.default_rng(5)
    staff = np.repeat([3, 20, 120], ROWS // 3)
    turnover = np.round(rng.uniform(90, 110, ROWS), 2)
    turnover[-1] = 900_000.0
    return pl.DataFrame(
        {
            "firm": [f"F{number:04d}" for number in range(ROWS)],
            "staff": staff + rng.integers(0, 2, ROWS),
            "opened": [date(2019 + number % 3, 1 + number % 12, 5) for number in range(ROWS)],
            "branch": [("C13", "C14", "D44")[number % 3] for number in range(ROWS)],
            "turnover": turnover,
        }
    )


def output(frame: pl.DataFrame, by: str, label: pl.Expr, *, measure: str = "turnover") -> str:
    table = frame.group_by(label.alias(by)).agg(pl.len().alias("n"), pl.col(measure).mean().alias(f"mean_{measure}"))
    rounded = ((pl.col("n") / 5).round() * 5).cast(pl.Int64)
    return table.with_columns(rounded, pl.col(f"mean_{measure}").round_sig_figs(3)).sort(by).write_csv()


def rules(content: str, frame: pl.DataFrame, *, registered: tuple[Registered, ...] = ()) -> set[str]:
    parsed = parse(io.BytesIO(pack_single("t.csv", content.encode())))
    tables = typed_tables(parsed, attributes=frame.columns, shape=None)
    distinct = {name: frame[name].n_unique() for name in frame.columns}
    raw = RawTable("firms", reader(frame), distinct, registered=registered)
    found = {finding.rule for finding in match_raw(tables, [raw], LIMITS).findings}
    return found & {"dominance", "dominance_unchecked"}


def cut(labels: tuple[str, str, str]) -> pl.Expr:
    staff = pl.col("staff")
    low, middle, high = (pl.lit(label) for label in labels)
    return pl.when(staff < 10).then(low).when(staff < 50).then(middle).otherwise(high)


BANDS = [
    ("0-9", "10-49", "50+"),
    ("10人以下", "10人至49人", "50人及以上"),
    ("[0, 10)", "[10, 50)", "[50, 1000)"),
    ("(0, 9]", "(9, 49]", "(49, 1000]"),
    ("0-10", "10-50", "50-1000"),  # what ends where the next begins
    ("<10", "10..50", ">=50"),  # as fixed tables spell them
]


@pytest.mark.parametrize("labels", BANDS)
def test_a_firm_that_holds_the_sum_of_its_band_is_found(labels):
    frame = firms()
    assert rules(output(frame, "size", cut(labels)), frame) == {"dominance"}
    even = frame.with_columns(pl.col("turnover").clip(0, 200))  # the control: nobody holds anything
    assert rules(output(even, "size", cut(labels)), even) == set()


def test_groups_that_tell_nothing_of_themselves_are_said_to_be_unchecked():
    frame = firms().with_columns(pl.col("turnover").clip(0, 200))
    words = ("small", "medium", "large")
    assert rules(output(frame, "size", cut(words)), frame) == {"dominance_unchecked"}
    # Bands of a part of the records have other counts than the raw table: nothing is claimed of them.
    some = frame.filter(pl.col("branch") != "D44")
    assert rules(output(some, "size", cut(BANDS[0])), frame) == {"dominance_unchecked"}
    # A table of counts has nothing to hold.
    assert rules(output(frame, "size", cut(words)).replace("mean_turnover", "share"), frame) == set()
    # Groups that a raw column holds are looked at as ever.
    assert rules(output(frame, "branch", pl.col("branch")), frame) == set()


@pytest.mark.parametrize(
    "label", [pl.col("opened").dt.strftime("%Y-%m"), pl.col("opened").dt.year().cast(pl.String) + "年"]
)
def test_years_and_months_of_a_day_are_looked_at(label):
    frame = firms()
    assert rules(output(frame, "when", label), frame) == {"dominance"}
    even = frame.with_columns(pl.col("turnover").clip(0, 200))
    assert rules(output(even, "when", label), even) == set()


POLICY = """\
version: 1
dataset: firms
title: {zh: 企业, en: firms}
unit: firm
attributes:
  firm: {role: direct_identifier, technique: suppression.drop}
  staff: {role: quasi_identifier, technique: generalization.bands, width: 10}
  opened: {role: quasi_identifier, technique: generalization.date, to: year}
  branch: {role: quasi_identifier, technique: keep, codes: [C13, C14, D44]}
  turnover: {role: sensitive, technique: suppression.drop}
limits: {k_anonymity: 5}
sandbox:
  tables:
    dimensions:
      staff: {edges: [null, 10, 50, null]}
      section: {from: branch, characters: [1, 1], codes: {C: {zh: 制造业, en: manufacturing}, D: {zh: 电力, en: power}}}
"""


@pytest.mark.parametrize("names", [("C", "D"), ("制造业", "电力"), ("manufacturing", "power")])
def test_registered_categories_are_known_by_code_and_title(names):
    frame, registered = firms(), registered_of(load(POLICY))
    assert len(registered) == 2
    label = pl.when(pl.col("branch").str.starts_with("C")).then(pl.lit(names[0])).otherwise(pl.lit(names[1]))
    content = output(frame, "section", label)
    assert rules(content, frame) == {"dominance_unchecked"}  # the control: without the registration nobody knows
    assert rules(content, frame, registered=registered) == {"dominance"}


@given(
    edges=st.lists(st.integers(-50, 200), min_size=2, max_size=8, unique=True).map(sorted),
    values=st.lists(st.floats(-100, 300, allow_nan=False) | st.none(), max_size=40),
)
def test_each_value_is_in_the_band_that_says_so(edges, values):
    labels = [f"[{low}, {high})" for low, high in pairwise(edges)]
    bands = bands_of(labels)
    assert set(bands) == set(labels)
    [meant] = variants(bands)
    found = Bands("x", meant).places(pa.array(values, pa.float64()), labels).tolist()
    expected = [
        -1 if value is None else next((at for at, label in enumerate(labels) if _inside(value, label)), -1)
        for value in values
    ]
    assert found == expected


def _inside(value: float, label: str) -> bool:
    low, high = label[1:-1].split(", ")
    return float(low) <= value < float(high)


@pytest.mark.parametrize(
    ("label", "band"),
    [
        ("60-69岁", Band(60, 69, high_in=True)),
        ("60岁～69岁", Band(60, 69, high_in=True)),
        ("(60, 70]", Band(60, 70, low_in=False, high_in=True)),
        ("80+", Band(80, math.inf)),
        ("80岁及以上", Band(80, math.inf)),
        (">=50", Band(50, math.inf)),
        (">50", Band(50, math.inf, low_in=False)),
        ("<18", Band(-math.inf, 18)),
        ("18岁以下", Band(-math.inf, 18)),
        ("18及以下", Band(-math.inf, 18, high_in=True)),
        ("10..20", Band(10, 20)),
        ("10 to below 20", Band(10, 20)),
        ("-5 to 5", Band(-5, 5, high_in=True)),
        ("0.5-1.5", Band(0.5, 1.5, high_in=True)),
    ],
)
def test_labels_are_read_as_they_are_written(label, band):
    assert bands_of([label]) == {label: band}


@pytest.mark.parametrize(
    "labels",
    [
        ["内科", "外科"],  # words
        ["10-20", "other"],  # a word among bands
        ["<40", "<60"],  # bands that overlap
        ["20-10"],  # the wrong way round
        [],
    ],
)
def test_what_spells_no_bands_is_none(labels):
    assert bands_of(labels) == {}


def test_columns_the_label_is_called_after_come_first():
    types = {"age": pa.int64(), "visits": pa.int64(), "day": pa.date32(), "name": pa.string()}
    found = groupings(["1-5", "6-9"], types, (), name="visits_band")
    assert [each.column for each in found] == ["visits", "age"]
    assert groupings(["a"], types, (Categories("name", {"a": "a", "b": "b"}),), name="k")[0].column == "name"
    assert groupings(["c"], types, (Categories("name", {"a": "a"}),), name="k") == []
