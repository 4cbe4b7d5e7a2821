"""The simplest honest tables, over tables as public bodies publish them: flights of a year, elderly patients.

Deterministic. Flights have few origins, many destinations, and an airport that is an origin of thousands and the
destination of one; patients have their age in tenths. None may raise an alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tests.sandbox.airlock.seeded.good import counts
from tests.sandbox.airlock.seeded.path import Files, csv

ORIGINS = ("EWR", "JFK", "LGA")
CARRIERS = ("UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E")
REGIONS = ("midwest", "northea", "other", "west")
CONSTANTS = frozenset(
    {"night", "morning", "afternoon", "evening", "winter", "rest", "early", "late", "coast", "inland"}
)
LARGE = frozenset(
    {"flights by origin and dest", "flights by dest and month", "flights by origin and carrier and month"}
    | {"groups that practice data lack"}
)
"""Tables of more cells than may leave at levels 3 and 4; flights are open data."""


@dataclass(frozen=True)
class Open:
    """Flights and patients, as a job sees them."""

    flights: pl.DataFrame
    patients: pl.DataFrame

    def items(self) -> dict[str, pl.DataFrame]:
        return {"flights": self.flights, "patients": self.patients}


def make(seed: int, *, flights: int = 60_000, patients: int = 4_400) -> Open:
    """The tables of a seed."""
    rng = np.random.default_rng(seed)
    return Open(_flights(rng, flights), _patients(rng, patients))


def _flights(rng: np.random.Generator, n: int) -> pl.DataFrame:
    places = [f"{a}{b}{c}" for a in "ABCD" for b in "LMNOP" for c in "XYZWV"]
    weights = 1 / (3 + np.arange(len(places)))
    dest = rng.choice(places, n, p=weights / weights.sum()).tolist()
    dest[n // 2] = "LGA"
    distance = {place: int(d) for place, d in zip([*places, "LGA"], rng.integers(90, 4_980, 101), strict=True)}
    delay = np.round(rng.gamma(1.1, 28, n) - 22)
    return pl.DataFrame(
        {
            "month": rng.integers(1, 13, n),
            "hour": rng.integers(5, 24, n),
            "carrier": rng.choice(CARRIERS, n),
            "flight": rng.integers(1, 4_200, n),
            "tail": [f"N{number}" for number in rng.integers(10_000, 13_500, n)],
            "origin": rng.choice(ORIGINS, n),
            "dest": dest,
            "distance": [distance[place] for place in dest],
            "air_time": np.where(rng.random(n) < 0.98, rng.integers(20, 400, n), np.nan),
            "arr_delay": np.where(rng.random(n) < 0.97, delay, np.nan),
        },
        nan_to_null=True,
    )


def _patients(rng: np.random.Generator, n: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "age": rng.integers(66, 100, n) / 10,
            "sex": rng.choice(("male", "female"), n),
            "region": rng.choice(REGIONS, n),
            "black": rng.choice(("yes", "no"), n, p=(0.12, 0.88)),
            "school": rng.integers(0, 19, n),
            "chronic": np.minimum(rng.poisson(1.5, n), 7),
            "visits": rng.negative_binomial(1, 0.15, n),
            "income": np.round(rng.gamma(1.2, 2.1, n), 4),
        }
    )


def _by(name: str, *by: str, least: int = 10, **more: pl.Expr):
    def program(tables: Open) -> Files:
        exprs = [expr.alias(each) for each, expr in more.items()]
        table = counts(tables.items()[name], *exprs, by=by).filter(pl.col("n") >= least)
        return {"result.csv": csv(table)}

    return program


def _none_in_practice(tables: Open) -> Files:
    """Groups so fine that practice data have none of ten."""
    return _by("flights", "dest", "carrier", "hour", mean_delay=pl.col("arr_delay").mean().round(1))(tables)


def _region_of_origin(tables: Open) -> Files:
    """What is said of a label follows from it, in every run."""
    coast = pl.when(pl.col("origin") == "JFK").then(pl.lit("coast")).otherwise(pl.lit("inland")).alias("kind")
    return {"result.csv": csv(counts(tables.flights, by=["origin", "month"]).with_columns(coast))}


def _wide(tables: Open) -> Files:
    long = counts(tables.flights, by=["carrier", "origin"])
    return {"result.csv": csv(long.pivot(on="origin", index="carrier", values="n").select("carrier", *ORIGINS))}


def _late(tables: Open) -> Files:
    late = (pl.col("arr_delay") > 15).sum().alias("n_late")
    table = counts(tables.flights, late, by=["origin", "month"])
    return {"result.csv": csv(table.with_columns((pl.col("n_late") / 5).round().cast(pl.Int64) * 5))}


def _to_tens(tables: Open) -> Files:
    table = counts(tables.flights, by=["carrier"])
    exact = tables.flights.group_by("carrier").agg(pl.len().alias("n")).sort("carrier")
    return {"result.csv": csv(table.with_columns((exact["n"] / 10).round().cast(pl.Int64) * 10))}


def _hidden_means(tables: Open) -> Files:
    """Means of few are not shown: the smaller groups are all empty."""
    table = counts(tables.patients, pl.col("income").mean().round(2).alias("mean_income"), by=["age"])
    return {"result.csv": csv(table.with_columns(pl.when(pl.col("n") > 120).then("mean_income").alias("mean_income")))}


def _planes(tables: Open) -> Files:
    """Different planes, not flights."""
    table = tables.flights.group_by("origin", "carrier").agg(pl.col("tail").n_unique().alias("n"))
    return {
        "result.csv": csv(table.with_columns((pl.col("n") / 5).round().cast(pl.Int64) * 5).sort("origin", "carrier"))
    }


def programs() -> dict:
    """Name and program of each."""
    delay, income = pl.col("arr_delay"), pl.col("income")
    made: dict = {f"flights by {' and '.join(by)}": _by("flights", *by) for by in _flight_groups()} | {
        f"patients by {' and '.join(by)}": _by("patients", *by) for by in _patient_groups()
    }
    return made | {
        "delay by origin and month": _by("flights", "origin", "month", mean_arr_delay=delay.mean().round(1)),
        "delay by destination": _by("flights", "dest", least=30, mean_delay=delay.mean().round(1)),
        "distance a minute": _by("flights", "carrier", speed=pl.col("distance").sum() / pl.col("air_time").sum()),
        "errors of means": _by("flights", "carrier", se_delay=delay.std() / delay.count().sqrt()),
        "share of late flights": _by("flights", "origin", "carrier", share_late=(delay > 15).mean().round(3)),
        "late flights": _late,
        "income by age": _by("patients", "age", mean_income=income.mean().round(2)),
        "visits by sex and region": _by("patients", "sex", "region", mean_visits=pl.col("visits").mean().round(2)),
        "several chronic diseases": _by("patients", "region", share_chronic=(pl.col("chronic") >= 2).mean().round(3)),
        "spread of income": _by("patients", "region", mean_income=income.mean(), sd_income=income.std()),
        "groups that practice data lack": _none_in_practice,
        "a kind that follows from the origin": _region_of_origin,
        "a wide table of origins": _wide,
        "counts to the nearest ten": _to_tens,
        "means of few hidden": _hidden_means,
        "different planes": _planes,
    }


def _flight_groups() -> list[Sequence[str]]:
    return [("origin",), ("dest",), ("carrier",), ("origin", "dest"), ("dest", "month"), ("origin", "carrier", "month")]


def _patient_groups() -> list[Sequence[str]]:
    return [("age",), ("age", "sex"), ("school",), ("sex", "black", "region")]
