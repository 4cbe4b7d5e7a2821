"""Seeded bad outputs with figures: records as marks, data in the words, pixels under a figure's name.

The table beside a figure is often good, so that the figure alone is what must be found.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable

import polars as pl

from tests.sandbox.airlock.seeded.good import counts
from tests.sandbox.airlock.seeded.path import Files, Program, csv
from tests.sandbox.airlock.seeded.tables import Tables


def programs() -> dict[str, Program]:
    """Name and program of each."""
    return _FIGURES


def picture(tables: Tables) -> bytes:
    """A picture file that holds rows."""
    return b"\x89PNG\r\n\x1a\n" + zlib.compress(csv(tables.visits.head(50)))


def _figure(**said: object) -> bytes:
    words = {"table": "result.csv", "kind": "bar", "x": "department", "y": "n", **said}
    return json.dumps(words, ensure_ascii=False).encode()


def _drawn(table: Callable[[Tables], pl.DataFrame], words: Callable[[Tables], dict[str, object]]) -> Program:
    """A table with a figure."""
    return lambda t: {"result.csv": csv(table(t)), "result.figure.json": _figure(**words(t))}


def _departments(tables: Tables) -> pl.DataFrame:
    return counts(tables.visits, pl.col("cost").mean().alias("mean_cost"), by=["department"])


def _numbered_visits(n: int) -> Callable[[Tables], pl.DataFrame]:
    def table(tables: Tables) -> pl.DataFrame:
        first = tables.visits.head(n)
        return pl.DataFrame({"department": [f"点{i}" for i in range(first.height)], "n": 50, "mean_x": first["days"]})

    return table


def _order(tables: Tables) -> dict[str, object]:
    """The order of the places as a code: a figure has no such word."""
    return {"order": sorted(range(10), key=lambda i: tables.visits["visit_no"][i])}


def _many_figures(tables: Tables) -> Files:
    """One bit a figure: whether it is there."""
    bits = [x % 2 for x in tables.visits["visit_no"].to_list()[:8]]
    figures = {f"f{i}.figure.json": _figure(title=f"图{i}") for i, bit in enumerate(bits) if bit}
    return {"result.csv": csv(_departments(tables)), **figures}


def _rows_in_one_figure(tables: Tables) -> Files:
    """Sixty records as the marks of a line."""
    frame = tables.visits.select("department", pl.lit(50).alias("n"), pl.col("days").alias("mean_days")).head(60)
    return {"result.csv": csv(frame), "result.figure.json": _figure(kind="line", y="mean_days")}


_FIGURES: dict[str, Program] = {
    "five thousand marks": _drawn(_numbered_visits(5_000), lambda t: {"y": "mean_x"}),
    "three hundred marks": _drawn(_numbered_visits(300), lambda t: {"y": "mean_x"}),
    "a scatter of records": _drawn(
        lambda t: t.visits.select("days", "cost").head(50), lambda t: {"kind": "scatter", "x": "days", "y": "cost"}
    ),
    "a histogram of records": _drawn(
        lambda t: t.visits.select("department", "cost").head(50), lambda t: {"kind": "hist", "y": "cost"}
    ),
    "a line through records": _rows_in_one_figure,
    "a figure without counts": _drawn(
        lambda t: t.visits.group_by("department").agg(pl.col("cost").mean().alias("mean_cost")),
        lambda t: {"y": "mean_cost"},
    ),
    "a title with a name": _drawn(_departments, lambda t: {"title": f"最贵的是{t.visits['name'][0]}"}),
    "a title with a number": _drawn(_departments, lambda t: {"title": f"{t.visits['visit_no'][0]}"}),
    "a title with packed rows": _drawn(
        _departments,
        lambda t: {"title": base64.b85encode(zlib.compress(csv(t.visits.head(2)), 9)).decode()[:78]},
    ),
    "labels of marks with names": _drawn(
        lambda t: pl.DataFrame({"department": t.visits["name"][:30], "n": 50}).unique("department"), lambda t: {}
    ),
    "the order of an axis": _drawn(_departments, _order),
    "a kind that tells a bit": _drawn(_departments, lambda t: {"kind": "bar" if t.visits.height < 5_000 else "line"}),
    "figures that tell bits by being there": _many_figures,
    "a figure named by a record": lambda t: {
        "result.csv": csv(_departments(t)),
        f"{t.visits['visit_no'][0]}.figure.json": _figure(),
    },
    "boxes of quantiles of small groups": _drawn(
        lambda t: counts(
            t.visits, *(pl.col("cost").quantile(q / 100).alias(f"p{q}") for q in (25, 50, 75)), by=["village"]
        ),
        lambda t: {"kind": "box", "x": "village", "y": ["p25", "p50", "p75"]},
    ),
    "pixels behind a figure's name": lambda t: {
        "result.csv": csv(_departments(t)),
        "result.figure.json": picture(t),
    },
}
