"""The raw match beside a plain count in Python, and small tables worked out by hand."""

from __future__ import annotations

import io
import random
from collections import defaultdict
from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa
import pytest

from sandbox.airlock.checks.groups import Query, count_groups, fewer_than, stated_beyond
from sandbox.airlock.checks.raw import RawTable, match_raw
from sandbox.airlock.checks.spelling import Places, spelled
from sandbox.airlock.checks.totals import check_nested_counts, check_totals
from sandbox.airlock.limits import default_limits
from sandbox.airlock.typed import TypedTable, typed_tables
from sandbox.inside.parse import parse
from sandbox.workspaces.runs import pack_single

LIMITS = default_limits()


def typed(content: str, *, attributes: tuple[str, ...] = ()) -> TypedTable:
    return typed_tables(parse(io.BytesIO(pack_single("t.csv", content.encode()))), attributes=attributes, shape=None)[0]


def reader(frame: pl.DataFrame):
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())

    class Open:
        def __enter__(self):
            return table.to_reader(max_chunksize=7)

        def __exit__(self, *_):
            return None

    return Open


@pytest.mark.parametrize("seed", range(8))
def test_groups_equal_a_plain_count(seed: int):
    """Counts, sums and largest records of groups over three columns of different types, nulls and strangers included."""
    rng = random.Random(seed)
    rows = [
        (
            rng.choice(["a", "b", "c", None]),
            rng.choice([1, 2, 3, None]),
            rng.choice([date(2025, 1, 1), date(2025, 1, 2), None]),
            rng.choice([0.5, 2.0, 7.25, -3.0]),
        )
        for _ in range(60)
    ]
    frame = pl.DataFrame(rows, schema=["x", "y", "z", "m"], orient="row")
    asked = [(x, y, z) for x in ("a", "b", "q") for y in (1, 2, 9) for z in (date(2025, 1, 1), date(2025, 1, 2))]
    lines = [f"{x},{y},{z},50,1.5" for x, y, z in asked] + ["合计,1,2025-01-01,50,1.5"]
    table = typed("\n".join(["x,y,z,n,mean_m", *lines, ""]), attributes=("x", "y", "z", "m"))
    [found] = count_groups(reader(frame), [Query(table, {0: "x", 1: "y", 2: "z"}, "groups", sums=True)])
    count, total, largest = defaultdict(int), defaultdict(float), defaultdict(float)
    for x, y, z, m in rows:
        count[x, y, z] += 1
        total[x, y, z] += abs(m)
        largest[x, y, z] = max(largest[x, y, z], abs(m))
    expected = [count[key] for key in asked] + [0]
    assert found.of_rows.tolist() == expected
    assert fewer_than([found], 3) == sum(0 < c < 3 for c in expected)
    assert stated_beyond([found], 5) == sum(c > 0 for c in expected)
    share = sum(count[key] > 0 and largest[key] > 0.5 * total[key] for key in asked)
    assert dict(found.dominated(0.5)) == ({"mean_m": share} if share else {})


@pytest.mark.parametrize(
    ("values", "type_", "cell"),
    [
        ([1, None, 2], pa.int32(), 2),
        ([1.0, None, 2.0], pa.float64(), 2),  # a whole float and an integer are the same number
        ([1.5, None, 2.25], pa.float32(), 2.25),
        (["1", None, "2"], pa.string(), "2"),
        ([False, None, True], pa.bool_(), True),
        ([date(2025, 1, 1), None, date(2025, 1, 2)], pa.date32(), "2025-01-02"),
        (
            [datetime(2025, 1, 1, 8, tzinfo=UTC), None, datetime(2025, 1, 2, 9, tzinfo=UTC)],
            pa.timestamp("us", "UTC"),
            "2025-01-02",
        ),
        (["a", None, "b"], pa.dictionary(pa.int8(), pa.string()), "b"),
    ],
)
def test_places_compare_across_types(values, type_, cell):
    keys = ["nothing", spelled(cell)]
    assert Places(keys, type_).of(pa.array(values, type_)).tolist() == [-1, -1, 1]


def test_a_group_large_in_one_table_is_not_small_in_another():
    """Two raw tables have districts; the output counts the larger one's."""
    big = pl.DataFrame({"district": ["东", "西"] * 40, "cost": [1.5] * 80})
    small = pl.DataFrame({"district": ["东", "西"] * 2, "staff": [1] * 4})
    raws = [RawTable("big", reader(big)), RawTable("small", reader(small))]
    honest, false = typed("district,n\n东,40\n西,40\n"), typed("district,n\n东,40\n西,45\n")
    assert not match_raw([honest], raws, LIMITS).findings
    assert [f.rule for f in match_raw([false], raws, LIMITS).findings] == ["overstated_count"]


def test_an_import_of_things_may_be_grouped_by_and_hides_nothing():
    """Towns have a kind; the raw table has towns. Few towns of a kind are no few persons; few persons are."""
    towns = pl.DataFrame({"town": [f"镇{i:03d}" for i in range(60)], "kind": ["山区", "平原", "沿海"] * 20})
    few = pl.DataFrame({"town": ["镇001"] * 4, "kind": ["海岛"] * 4})
    raw = pl.DataFrame({"town": [f"镇{i % 60:03d}" for i in range(3000)], "cost": [1.5] * 3000})
    joined = typed("kind,n\n山区,1000\n平原,1000\n沿海,1000\n海岛,1000\n")
    things, persons = (
        [RawTable("raw", reader(raw)), RawTable("import/own", reader(pl.concat([towns, few])), {"kind": 4}, kind)]
        for kind in ("things", "persons")
    )
    matched = match_raw([joined], things, LIMITS)
    assert [(f.rule, f.blocking) for f in matched.findings] == [("import_records", False)]
    assert "海岛" in matched.frequent
    assert [f.rule for f in match_raw([joined], persons, LIMITS).findings] == ["small_group_in_raw"]


def test_a_large_group_of_an_import_is_not_large_in_the_raw_table():
    raw = pl.DataFrame({"district": ["东"] * 40 + ["西"] * 3, "cost": [1.5] * 43})
    own = pl.DataFrame({"district": ["东", "西"] * 500, "note": [1] * 1000})
    for kind in ("things", "persons"):
        raws = [RawTable("raw", reader(raw)), RawTable("import/own", reader(own), {}, kind)]
        found = match_raw([typed("district,n\n东,40\n西,30\n")], raws, LIMITS).findings
        assert {f.rule for f in found} >= {"small_group_in_raw", "overstated_count"}


def test_one_strange_row_does_not_hide_the_others():
    raw = pl.DataFrame({"village": [f"村{i // 3:03d}" for i in range(300)], "cost": [float(i) for i in range(300)]})
    lines = [f"村{i:03d},50" for i in range(20)]
    table = typed("\n".join(["village,n", *lines, "合计,1000", "别处,50", ""]))
    rules = {f.rule: f.count for f in match_raw([table], [RawTable("raw", reader(raw))], LIMITS).findings}
    assert rules["small_group_in_raw"] == 20


TOTALS = [
    # One gap in one line.
    ("k,n\na,50\nb,\n合计,100\n", {"suppressed_by_total": 1}),
    # Two gaps leave 60 between them: open.
    ("k,n\na,\nb,\nc,40\n合计,100\n", {}),
    # Two gaps leave 5 between them: both are small.
    ("k,n\na,\nb,\nc,95\n合计,100\n", {"suppressed_by_total": 2}),
    # A hidden group is the difference.
    ("k,n\na,50\nb,45\n合计,100\n", {"small_remainder": 1}),
    # Two by two with all margins: one gap is opened by its row; four gaps stay.
    ("x,y,n\na,u,\na,v,50\nb,u,50\nb,v,50\na,合计,100\n", {"suppressed_by_total": 1}),
    ("x,y,n\na,u,\na,v,\nb,u,\nb,v,\na,合计,100\nb,合计,100\n合计,u,100\n合计,v,100\n", {}),
    # The row with one gap opens it, and then its column has only one gap left.
    ("x,y,n\na,u,\na,v,50\nb,u,\nb,v,\na,合计,100\n合计,u,90\n合计,v,90\n", {"suppressed_by_total": 3}),
    # A group without a row is a gap too; its total tells that it was not empty.
    ("x,y,n\na,u,50\na,v,50\nb,u,50\na,合计,100\nb,合计,95\n", {"suppressed_by_total": 1}),
    # Without totals nothing can be computed.
    ("k,n\na,\nb,50\n", {}),
]


@pytest.mark.parametrize(("content", "expected"), TOTALS)
def test_totals(content: str, expected: dict[str, int]):
    assert {f.rule: f.count for f in check_totals(typed(content), LIMITS)} == expected


@pytest.mark.parametrize(
    ("content", "few"),
    [
        ("k,n,n_ill\na,100,95\nb,200,100\nc,300,300\n", 1),  # five are well in a
        ("k,n,n_ill\na,100,95\nb,100,105\nc,300,300\n", 0),  # not a part of the other
        ("k,n,n_ill\na,100,50\nb,200,100\nc,300,100\n", 0),  # differences are large
        ("k,n,n_ill\na,100,95\nb,200,195\n", 0),  # two groups prove no nesting
    ],
)
def test_nested_counts(content: str, few: int):
    assert sum(f.count for f in check_nested_counts([typed(content)], LIMITS)) == few
