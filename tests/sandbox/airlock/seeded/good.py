"""Sixty outputs as careful researchers write them, over the three tables. None may raise an alarm."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import polars as pl

from tests.sandbox.airlock.seeded.path import Files, Program, csv
from tests.sandbox.airlock.seeded.tables import Tables

CONSTANTS = frozenset(
    {"00-17", "18-39", "40-59", "60-79", "80+", "total", "合计", "上半年", "下半年", "const", "age", "sex=男", "days"}
    | {"short", "medium", "long", "小型", "中型", "大型", "0-59月", "60-179月", "180月以上", "1985-1999", "2000-2024"}
)


def programs() -> dict[str, Program]:
    """Name and program of each."""
    made: dict[str, Program] = {}
    dims = ("sex", "district", "department", "age_band", "half", "stay")
    for one in dims:
        made[f"visits by {one}"] = _grouped("visits", (one,), "cost", "csv")
    for pair in list(combinations(dims, 2))[:12]:
        made[f"visits by {' and '.join(pair)}"] = _grouped("visits", pair, "days", "csv")
    made["visits by three"] = _grouped("visits", ("sex", "age_band", "half"), "cost", "csv")
    made["visits by diagnosis"] = _grouped("visits", ("diagnosis",), "cost", "csv")
    made["visits by diagnosis and sex"] = _grouped("visits", ("diagnosis", "sex"), "days", "parquet")
    for one in ("sex", "district", "insurance", "length", "birth_year"):
        made[f"insured by {one}"] = _grouped("social", (one,), "pension", "csv")
    for pair in (("sex", "district"), ("district", "insurance"), ("sex", "insurance"), ("length", "sex")):
        made[f"insured by {' and '.join(pair)}"] = _grouped("social", pair, "wage_base", "json")
    for one in ("industry", "district", "size", "era"):
        made[f"firms by {one}"] = _grouped("firms", (one,), "employees", "tsv")
    for pair in (("industry", "size"), ("district", "size"), ("industry", "era"), ("size", "era")):
        made[f"firms by {' and '.join(pair)}"] = _counted("firms", pair)
    made |= {
        "cross table": _cross,
        "cross table with totals": _cross_totals,
        "shares by department": _shares,
        "sums by district": _sums,
        "standard deviations": _deviations,
        "monthly series": _monthly,
        "yearly founding": _founded,
        "model of cost": _model("visits", "cost"),
        "model of pension": _model("social", "pension"),
        "model as text of numbers": _model("visits", "days"),
        "total below": _total,
        "a protected block of gaps": _block,
        "hidden pairs": _hidden_pairs,
        "log cost": _logs,
        "two tables": _two_tables,
        "histogram of cost": _histogram("visits", "cost", 500, 20),
        "histogram of wages": _histogram("social", "wage_base", 1000, 30),
        "histogram of pensions": _histogram("social", "pension", 200, 30),
        "rate of long stays": _rate,
        "density of firms": _density,
        "correlations": _correlations,
        "age pyramid": _pyramid,
        "men only": _filtered,
        "rounded to three digits": _rounded,
        "several measures": _several,
        "two counts": _two_counts,
        "winter": _winter,
        "one quarter of visits": _recent,
        "the larger groups": _larger,
        "a bar for each department": _drawn(("department",), kind="bar", x="department", y="n", title="各科室人数"),
        "a line over months": _drawn(("period",), kind="line", x="period", y="mean_cost"),
        "bars by sex": _drawn(("department", "sex"), kind="grouped_bar", x="department", y="mean_cost", series="sex"),
        "a heat map": _drawn(("district", "age_band"), kind="heat_map", x="district", y="n", series="age_band"),
        "a series by year": _years,
    }
    return made


def prepared(tables: Tables) -> dict[str, pl.DataFrame]:
    """Derived groups, as researchers make them."""
    age = 2025 - pl.col("birth_date").dt.year()
    return {
        "visits": tables.visits.with_columns(
            _cut(age, (18, 40, 60, 80), ("00-17", "18-39", "40-59", "60-79", "80+")).alias("age_band"),
            pl.when(pl.col("admitted").dt.month() <= 6)
            .then(pl.lit("上半年"))
            .otherwise(pl.lit("下半年"))
            .alias("half"),
            _cut(pl.col("days"), (4, 15), ("short", "medium", "long")).alias("stay"),
        ),
        "social": tables.social.with_columns(
            _cut(pl.col("months"), (60, 180), ("0-59月", "60-179月", "180月以上")).alias("length")
        ),
        "firms": tables.firms.with_columns(
            _cut(pl.col("employees"), (5, 50), ("小型", "中型", "大型")).alias("size"),
            _cut(pl.col("founded"), (2000,), ("1985-1999", "2000-2024")).alias("era"),
        ),
    }


def counts(frame: pl.DataFrame, *more: pl.Expr, by: Sequence[str]) -> pl.DataFrame:
    """Groups of at least ten, counts rounded to five."""
    return (
        frame.group_by(by)
        .agg(pl.len().alias("n"), *more)
        .filter(pl.col("n") >= 10)
        .with_columns(((pl.col("n") / 5).round() * 5).cast(pl.Int64))
        .sort(by)
    )


def _cut(expr: pl.Expr, edges: Sequence[int], labels: Sequence[str]) -> pl.Expr:
    chosen = pl.lit(labels[0])
    for edge, label in zip(edges, labels[1:], strict=True):
        chosen = pl.when(expr >= edge).then(pl.lit(label)).otherwise(chosen)
    return chosen


def _grouped(name: str, by: Sequence[str], measure: str, form: str) -> Program:
    def program(tables: Tables) -> Files:
        table = counts(prepared(tables)[name], pl.col(measure).mean().alias(f"mean_{measure}"), by=by)
        return {f"result.{form}": _written(table, form)}

    return program


def _counted(name: str, by: Sequence[str]) -> Program:
    return lambda tables: {"counts.csv": csv(counts(prepared(tables)[name], by=by))}


def _written(table: pl.DataFrame, form: str) -> bytes:
    if form == "parquet":
        sink = io.BytesIO()
        table.write_parquet(sink)
        return sink.getvalue()
    if form == "json":
        return table.write_json().encode()
    return table.write_csv(separator="\t" if form == "tsv" else ",").encode()


def _wide(tables: Tables) -> pl.DataFrame:
    long = counts(prepared(tables)["visits"], by=("department", "sex"))
    return long.pivot(on="sex", index="department", values="n").sort("department").select("department", "女", "男")


def _cross(tables: Tables) -> Files:
    return {"cross.csv": csv(_wide(tables))}


def _cross_totals(tables: Tables) -> Files:
    wide = _wide(tables).with_columns((pl.col("女") + pl.col("男")).alias("total"))
    bottom = wide.select(pl.lit("合计").alias("department"), pl.col("女", "男", "total").sum())
    return {"cross.csv": csv(pl.concat([wide, bottom]))}


def _shares(tables: Tables) -> Files:
    long = pl.col("days") >= 4
    return {"shares.csv": csv(counts(tables.visits, long.mean().round(3).alias("share_long"), by=["department"]))}


def _sums(tables: Tables) -> Files:
    return {"sums.csv": csv(counts(tables.visits, pl.col("cost").sum().alias("sum_cost"), by=["district"]))}


def _deviations(tables: Tables) -> Files:
    more = [pl.col("cost").mean().alias("mean_cost"), pl.col("cost").std().alias("std_cost")]
    return {"spread.csv": csv(counts(tables.visits, *more, by=["department"]))}


def _monthly(tables: Tables) -> Files:
    frame = tables.visits.with_columns(pl.col("admitted").dt.strftime("%Y-%m").alias("period"))
    return {"months.csv": csv(counts(frame, pl.col("cost").mean().alias("mean_cost"), by=["period"]))}


def _founded(tables: Tables) -> Files:
    return {"founded.csv": csv(counts(tables.firms, by=["founded"]))}


def _model(name: str, target: str) -> Program:
    def program(tables: Tables) -> Files:
        frame = prepared(tables)[name]
        born = frame["birth_date"].dt.year() if name == "visits" else frame["birth_year"]
        x = np.column_stack([np.ones(frame.height), 2025 - born.to_numpy(), (frame["sex"] == "男").to_numpy()])
        y = frame[target].to_numpy().astype(float)
        coefficients, residual, *_ = np.linalg.lstsq(x, y, rcond=None)
        variance = float(residual[0]) / (len(y) - 3)
        errors = np.sqrt(variance * np.diag(np.linalg.inv(x.T @ x)))
        summary = pl.DataFrame({"term": ["const", "age", "sex=男"], "estimate": coefficients, "std_error": errors})
        return {"model.csv": csv(summary.with_columns(pl.lit(round(len(y) / 5) * 5).alias("n")))}

    return program


def _total(tables: Tables) -> Files:
    parts = counts(tables.firms, by=["district"])
    total = parts.select(pl.lit("合计").alias("district"), pl.col("n").sum())
    return {"districts.csv": csv(pl.concat([parts, total]))}


def _block(tables: Tables) -> Files:
    """Two rows and two columns of gaps, each large: no total gives one away."""
    parts = counts(tables.visits, by=["department", "sex"])
    sums = [
        parts.group_by(kept).agg(pl.lit("合计").alias(other), pl.col("n").sum()).select("department", "sex", "n")
        for kept, other in (("department", "sex"), ("sex", "department"))
    ]
    gap = pl.col("department").is_in(["内科", "外科"])
    return {"block.csv": csv(pl.concat([parts.with_columns(pl.when(~gap).then("n").alias("n")), *sums]))}


def _hidden_pairs(tables: Tables) -> Files:
    # Two groups are left out of every line, so that no total gives one away.
    parts = counts(tables.visits, by=["department", "sex"]).filter(pl.col("n") >= 60)
    return {"pairs.csv": csv(parts)}


def _logs(tables: Tables) -> Files:
    return {"logs.csv": csv(counts(tables.visits, pl.col("cost").log().mean().alias("mean_log_cost"), by=["district"]))}


def _two_tables(tables: Tables) -> Files:
    return {
        "by_sex.csv": csv(counts(tables.social, by=["sex"])),
        "by_kind.csv": csv(counts(tables.social, pl.col("pension").mean().alias("mean_pension"), by=["insurance"])),
    }


def _histogram(name: str, measure: str, width: int, bins: int) -> Program:
    def program(tables: Tables) -> Files:
        frame = tables.items()[name].with_columns(
            (pl.col(measure) / width).floor().clip(0, bins - 1).cast(pl.Int64).alias("bin")
        )
        table = counts(frame, by=["bin"])
        low = table["bin"] * width
        return {"histogram.csv": csv(table.select((low.cast(pl.Utf8) + "+").alias("from"), "n"))}

    return program


def _rate(tables: Tables) -> Files:
    table = counts(prepared(tables)["visits"], (pl.col("days") > 6).mean().alias("rate_long"), by=["district"])
    return {"rates.csv": csv(table.with_columns(pl.col("rate_long").round(2)))}


def _density(tables: Tables) -> Files:
    more = [pl.col("employees").sum().alias("sum_employees"), pl.col("founded").mean().alias("mean_founded")]
    return {"density.csv": csv(counts(tables.firms, *more, by=["district"]))}


def _correlations(tables: Tables) -> Files:
    more = [pl.corr("cost", "days").round(3).alias("index_cost_days"), pl.col("days").var().alias("var_days")]
    return {"correlations.csv": csv(counts(tables.visits, *more, by=["department"]))}


def _pyramid(tables: Tables) -> Files:
    frame = tables.social.with_columns(((pl.col("birth_year") // 5) * 5).cast(pl.Utf8).alias("born_from"))
    return {"pyramid.csv": csv(counts(frame, by=["born_from", "sex"]))}


def _filtered(tables: Tables) -> Files:
    men = prepared(tables)["visits"].filter(pl.col("sex") == "男")
    return {"men.csv": csv(counts(men, pl.col("cost").mean().alias("mean_cost"), by=["district", "age_band"]))}


def _rounded(tables: Tables) -> Files:
    table = counts(tables.visits, pl.col("cost").mean().alias("mean_cost"), by=["district", "department"])
    return {"rounded.csv": csv(table.with_columns(pl.col("mean_cost").round_sig_figs(3)))}


def _several(tables: Tables) -> Files:
    measures = [pl.col(name).mean().round(2).alias(f"mean_{name}") for name in ("pension", "wage_base", "months")]
    return {"several.csv": csv(counts(tables.social, *measures, by=["district", "sex"]))}


def _two_counts(tables: Tables) -> Files:
    long = (pl.col("days") >= 4).sum().alias("n_long")
    table = counts(tables.visits, long, by=["district"])
    return {"two.csv": csv(table.with_columns(((pl.col("n_long") / 5).round() * 5).cast(pl.Int64)))}


def _recent(tables: Tables) -> Files:
    """A quarter of the records: counts are smaller than the groups are, and follow them."""
    some = tables.visits.filter(pl.col("admitted").dt.month() <= 3)
    return {"recent.csv": csv(counts(some, pl.col("cost").mean().alias("mean_cost"), by=["district", "department"]))}


def _larger(tables: Tables) -> Files:
    """Only groups that are large enough for a mean to say something."""
    table = counts(tables.visits, pl.col("cost").mean().alias("mean_cost"), by=["district", "department"])
    return {"larger.csv": csv(table.filter(pl.col("n") >= 100))}


def _drawn(by: Sequence[str], **words: str) -> Program:
    """A table with a figure."""

    def program(tables: Tables) -> Files:
        frame = prepared(tables)["visits"].with_columns(pl.col("admitted").dt.strftime("%Y-%m").alias("period"))
        table = counts(frame, pl.col("cost").mean().alias("mean_cost"), by=by)
        figure = json.dumps({"table": "result.csv", **words}, ensure_ascii=False).encode()
        return {"result.csv": csv(table), "result.figure.json": figure}

    return program


def _years(tables: Tables) -> Files:
    frame = tables.firms.with_columns(pl.col("founded").alias("year"))
    figure = json.dumps({"table": "years.csv", "kind": "line", "x": "year", "y": "n"}).encode()
    return {"years.csv": csv(counts(frame, by=["year"])), "years.figure.json": figure}


def _winter(tables: Tables) -> Files:
    cold = tables.visits.filter(pl.col("admitted").dt.month().is_in([1, 2, 12]))
    return {"winter.csv": csv(counts(cold, pl.col("days").mean().alias("mean_days"), by=["department", "sex"]))}
