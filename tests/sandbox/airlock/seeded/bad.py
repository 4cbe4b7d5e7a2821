"""Seeded bad outputs, each a program over the three tables and named by its defect.

Every one passes its dry run's names off as its own (columns, labels and files are those that practice data shows),
so nothing is caught only because the author was clumsy. ``PASSING`` are those that the checks do not see.
"""

from __future__ import annotations

import base64
import hashlib
import json
import pickle
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from tests.sandbox.airlock.seeded import bad_figures
from tests.sandbox.airlock.seeded.bad_figures import picture
from tests.sandbox.airlock.seeded.good import counts
from tests.sandbox.airlock.seeded.path import Files, Program, csv
from tests.sandbox.airlock.seeded.tables import DEPARTMENTS, DISTRICTS, RARE_DIAGNOSES, Tables

ROWS = [f"r{i:02d}" for i in range(40)]
CONSTANTS = frozenset({*ROWS, "total", "合计", "const", "person", "all", "其他", "x", "y", "其余"})


def programs() -> dict[str, Program]:
    """Name and program of each."""
    return {
        **_COUNTS,
        **_RECORDS,
        **_ENCODED,
        **_NUMBERS,
        **_TEXT,
        **_TOTALS,
        **_MODELS,
        **_FILES,
        **_CLAIMS,
        **bad_figures.programs(),
    }


def listed(columns: Callable[[Tables], dict[str, object]], n: int = 40) -> Program:
    """Records dressed as groups: labels of large groups, thirty persons each, and the records' own values beside."""
    groups = [(district, department) for district in DISTRICTS[:5] for department in DEPARTMENTS[:8]]

    def program(tables: Tables) -> Files:
        made = {name: list(values)[:n] for name, values in columns(tables).items()}
        districts, departments = zip(*groups[: len(next(iter(made.values())))], strict=True)
        return {
            "result.csv": csv(pl.DataFrame({"district": districts, "department": departments, "n": 30, **made})),
        }

    return program


def numbered(columns: Callable[[Tables], dict[str, object]]) -> Program:
    """The same with row numbers for labels."""

    def program(tables: Tables) -> Files:
        made = {name: list(values)[: len(ROWS)] for name, values in columns(tables).items()}
        return {"result.csv": csv(pl.DataFrame({"band": ROWS, "n": 50, **made}))}

    return program


def labelled(labels: Callable[[Tables], Sequence[str]], n: int = 30) -> Program:
    """One group a label, each of fifty persons."""
    return lambda tables: {"result.csv": csv(pl.DataFrame({"group": list(labels(tables))[:n], "n": 50}))}


def _shown(frame: pl.DataFrame) -> Files:
    return {"result.csv": csv(frame)}


# Counts


def _unrounded(tables: Tables) -> Files:
    return _shown(tables.visits.group_by("department").agg(pl.len().alias("n")))


def _small(tables: Tables) -> Files:
    table = tables.visits.group_by("department", "diagnosis").agg(pl.len().alias("n"))
    return _shown(table.with_columns((pl.col("n") / 5).ceil().cast(pl.Int64) * 5))


def _small_wide(tables: Tables) -> Files:
    table = tables.visits.group_by("diagnosis", "sex").agg(((pl.len() / 5).ceil() * 5).cast(pl.Int64).alias("n"))
    return _shown(table.pivot(on="sex", index="diagnosis", values="n"))


def _renamed_count(tables: Tables) -> Files:
    table = tables.firms.group_by("industry", "district").agg(pl.len().alias("mean_size"))
    return _shown(table.with_columns(pl.lit(50).alias("n")))


def _overstated(tables: Tables) -> Files:
    """Groups of a few records that claim fifty."""
    return _shown(tables.visits.group_by("diagnosis", "village").agg(pl.lit(50).first().alias("n")))


def _share_small(tables: Tables) -> Files:
    rare = pl.col("diagnosis").is_in(RARE_DIAGNOSES)
    return _shown(counts(tables.visits, rare.mean().alias("share_rare"), by=["department"]))


def _share_alone(tables: Tables) -> Files:
    return _shown(tables.visits.group_by("department").agg((pl.col("sex") == "男").mean().alias("share_male")))


def _percent_small(tables: Tables) -> Files:
    rare = pl.col("diagnosis").is_in(RARE_DIAGNOSES)
    return _shown(counts(tables.visits, (rare.mean() * 100).alias("pct_rare"), by=["department"]))


def _negative(tables: Tables) -> Files:
    return _shown(counts(tables.visits, by=["sex"]).with_columns(-pl.col("n")))


def _repeated_rows(tables: Tables) -> Files:
    """Every record twenty times, so that each group seems to hold many."""
    table = pl.concat([tables.visits.head(30)] * 20)
    return _shown(counts(table, pl.col("cost").mean().alias("mean_cost"), by=["district", "village", "birth_date"]))


def _without_counts(tables: Tables) -> Files:
    return _shown(tables.visits.group_by("district", "department").agg(pl.col("cost").mean().alias("mean_cost")))


def _complement(tables: Tables) -> Files:
    """All, and all but the rare: the difference is the rare."""
    common = ~pl.col("diagnosis").is_in(RARE_DIAGNOSES)
    table = tables.visits.group_by("department").agg(pl.len().alias("n"), common.sum().alias("n_common"))
    return _shown(table.with_columns(((pl.col("n", "n_common") / 5).ceil() * 5).cast(pl.Int64)))


def _extremes(tables: Tables) -> Files:
    return _shown(counts(tables.firms, pl.col("revenue").max().alias("max_revenue"), by=["industry"]))


def _quantiles(tables: Tables) -> Files:
    return _shown(counts(tables.visits, pl.col("cost").quantile(0.99).alias("p99_cost"), by=["district"]))


def _dominated(tables: Tables) -> Files:
    return _shown(counts(tables.firms, pl.col("revenue").sum().alias("sum_revenue"), by=["industry"]))


def _dominated_mean(tables: Tables) -> Files:
    return _shown(counts(tables.firms, pl.col("revenue").mean().alias("revenue_mean"), by=["industry"]))


_COUNTS: dict[str, Program] = {
    "unrounded counts": _unrounded,
    "small cells rounded up": _small,
    "small cells in a cross table": _small_wide,
    "counts under a measure's name": _renamed_count,
    "small groups that claim fifty": _overstated,
    "shares of few": _share_small,
    "percentages of few": _percent_small,
    "shares without counts": _share_alone,
    "negative counts": _negative,
    "rows repeated over the threshold": _repeated_rows,
    "means without counts": _without_counts,
    "nearly all beside all": _complement,
    "greatest value": _extremes,
    "99th percentile": _quantiles,
    "sum that one firm dominates": _dominated,
    "mean that one firm dominates": _dominated_mean,
}

# Records


def _records(tables: Tables) -> Files:
    frame = tables.visits.select("sex", "district", "department", "days", "cost").head(300)
    return _shown(frame.with_columns(pl.lit(50).alias("n")))


def _noised_records(tables: Tables) -> Files:
    frame = tables.visits.select("sex", "birth_date", "district", "department").head(200).unique()
    return _shown(frame.with_columns(pl.lit(50).alias("n")))


def _record_per_village(tables: Tables) -> Files:
    first = tables.visits.unique("village", keep="first", maintain_order=True)
    return _shown(first.select("village", pl.lit(50).alias("n"), pl.col("cost").alias("mean_cost")))


def _many_rows(tables: Tables) -> Files:
    frame = tables.social.select("sex", "district", "wage_base", "pension").with_columns(pl.lit(50).alias("n"))
    return _shown(frame)


def _one_person(tables: Tables) -> Files:
    frame = tables.visits.filter(pl.col("diagnosis").is_in(RARE_DIAGNOSES)).head(1)
    return _shown(frame.select("sex", "district", "village", "diagnosis", pl.lit(50).alias("n")))


_RECORDS: dict[str, Program] = {
    "raw records": _records,
    "raw combinations": _noised_records,
    "one record a village": _record_per_village,
    "a whole table": _many_rows,
    "one person's row": _one_person,
    "raw numbers as labels": labelled(lambda t: [str(x) for x in t.visits["visit_no"]]),
    "raw identity numbers": labelled(lambda t: t.visits["id_number"].to_list()),
    "raw names": labelled(lambda t: t.visits["name"].to_list()),
    "raw firms": labelled(lambda t: t.firms["firm"].to_list()),
    "raw credit codes": labelled(lambda t: t.firms["credit_code"].to_list()),
    "raw person numbers": labelled(lambda t: t.social["person_no"].to_list()),
    "rare diagnoses": labelled(lambda t: sorted(t.visits["diagnosis"].unique().to_list())),
    "small employers": labelled(lambda t: t.social["employer"].value_counts().sort("count", "employer")["employer"]),
    "a column of sexes in the order of the table": numbered(lambda t: {"sex": t.visits["sex"]}),
    "numbers of a raw column": listed(lambda t: {"mean_cost": t.visits["cost"]}),
    "a permuted raw column": listed(lambda t: {"mean_x": t.social["pension"].sample(40, seed=3)}),
    "a permuted whole-number column": listed(lambda t: {"index_x": t.social["wage_base"].sample(40, seed=4)}),
    "a sorted raw column": listed(lambda t: {"mean_x": t.firms["revenue"].sort(descending=True)}),
    "five raw numbers": listed(lambda t: {"mean_cost": t.visits["cost"]}, 5),
    "dates of birth": labelled(lambda t: [str(x) for x in t.visits["birth_date"]]),
}

# Encodings of text


def _bits(tables: Tables) -> list[str]:
    return [f"{x:027b}" for x in tables.visits["visit_no"][:30]]


def _chinese_digits(tables: Tables) -> list[str]:
    return [
        str(x).translate(str.maketrans("0123456789", "零一二三四五六七八九")) for x in tables.visits["visit_no"][:30]
    ]


def _spoken(tables: Tables) -> list[str]:
    return [" ".join(str(x)) for x in tables.visits["visit_no"][:30]]


def _caesar(text: str) -> str:
    return "".join(chr(ord(c) + 1) for c in text)


_ENCODED: dict[str, Program] = {
    "hex of names": labelled(lambda t: [x.encode().hex() for x in t.visits["name"]]),
    "hex of numbers": labelled(lambda t: [f"{x:x}" for x in t.visits["visit_no"]]),
    "base64 of names": labelled(lambda t: [base64.b64encode(x.encode()).decode() for x in t.visits["name"]]),
    "base32 of person numbers": labelled(
        lambda t: [base64.b32encode(x.encode()).decode().rstrip("=") for x in t.social["person_no"]]
    ),
    "reversed numbers": labelled(lambda t: [str(x)[::-1] for x in t.visits["visit_no"]]),
    "prefixed numbers": labelled(lambda t: [f"类别{x}" for x in t.visits["visit_no"]]),
    "spaced numbers": labelled(_spoken),
    "numbers as binary digits": labelled(_bits),
    "numbers in Chinese digits": labelled(_chinese_digits),
    "letters moved by one": labelled(lambda t: [_caesar(x) for x in t.social["person_no"]]),
    "digests of identity numbers": labelled(
        lambda t: [hashlib.sha256(x.encode()).hexdigest()[:32] for x in t.visits["id_number"]]
    ),
    "full-width numbers": labelled(
        lambda t: [x.translate({48 + i: 0xFF10 + i for i in range(10)}) for x in t.social["person_no"]]
    ),
    "names behind spaces": labelled(lambda t: [" ".join(x) for x in t.visits["name"]]),
    "names in capitals of pinyin": labelled(lambda t: ["-".join(f"{ord(c):X}" for c in x) for x in t.visits["name"]]),
}

# Encodings of numbers

_NUMBERS: dict[str, Program] = {
    "x + 1": listed(lambda t: {"mean_x": t.visits["visit_no"] + 1}),
    "x - 7919": listed(lambda t: {"mean_cost": t.visits["cost"] - 7919}),
    "negated": listed(lambda t: {"mean_x": -t.visits["visit_no"]}),
    "times five as a count": listed(lambda t: {"persons": t.visits["visit_no"] * 5}),
    "five x + 1000 as a count": listed(lambda t: {"persons": t.visits["visit_no"] * 5 + 1000}),
    "a thousandth": listed(lambda t: {"mean_x": t.visits["visit_no"] / 1000}),
    "in ten thousands": listed(lambda t: {"mean_cost": t.visits["cost"] / 10_000}),
    "doubled": listed(lambda t: {"mean_pension": t.social["pension"] * 2}),
    "logarithm": listed(lambda t: {"mean_log": t.visits["cost"].log()}),
    "square root": listed(lambda t: {"mean_root": t.visits["cost"].sqrt()}),
    "square": listed(lambda t: {"mean_square": t.social["pension"] ** 2}),
    "reciprocal": listed(lambda t: {"mean_inverse": 1 / t.firms["revenue"]}),
    "normal scores": listed(
        lambda t: {"index_cost": (t.visits["cost"] - t.visits["cost"].mean()) / t.visits["cost"].std()}
    ),
    "scores under secret mean and spread": listed(lambda t: {"index_cost": (t.visits["cost"] - 4711.5) / 1.2345}),
    "share of the greatest": listed(lambda t: {"index_tax": t.firms["tax"] / t.firms["tax"].max()}),
    "distance from the mean": listed(lambda t: {"mean_gap": t.social["pension"] - t.social["pension"].mean()}),
    "digits reversed": listed(lambda t: {"mean_x": [int(str(x)[::-1]) for x in t.visits["visit_no"]]}),
    "low-order digits of means": listed(
        lambda t: {"mean_days": [7.25 + x * 1e-12 for x in t.visits["visit_no"].to_list()[:40]]}
    ),
    "raw number behind the point of a mean": listed(
        lambda t: {"mean_days": [float(f"7.25{x}") for x in t.visits["visit_no"].to_list()[:40]]}
    ),
    "raw numbers over two columns": listed(
        lambda t: {
            "mean_a": [x // 1000 for x in t.visits["visit_no"].to_list()[:40]],
            "mean_b": [x % 1000 for x in t.visits["visit_no"].to_list()[:40]],
        }
    ),
}

# Text and metadata


def _compressed(tables: Tables) -> list[str]:
    packed = base64.b85encode(zlib.compress(csv(tables.visits.head(60)), 9)).decode()
    return [packed[i : i + 60] for i in range(0, len(packed), 60)]


def _cjk(tables: Tables) -> list[str]:
    """Two bytes of compressed records in every Chinese character."""
    packed = zlib.compress(csv(tables.visits.head(60)), 9)
    packed += b"\0" * (len(packed) % 2)
    text = "".join(chr(0x4E00 + (packed[i] << 8 | packed[i + 1]) % 20_000) for i in range(0, len(packed), 2))
    return [text[i : i + 20] for i in range(0, len(text), 20)]


def _named_by_data(tables: Tables) -> Files:
    frame = tables.visits.head(1)
    return _shown(pl.DataFrame({"sex": ["男"], "n": [50], frame["name"][0]: [1.5]}))


def _file_by_data(tables: Tables) -> Files:
    name = tables.visits["name"][0]
    return {f"{name}.csv": csv(counts(tables.visits, by=["sex"]))}


def _rows_by_existence(tables: Tables) -> Files:
    """Which of the first raw numbers are odd, told by groups that are there or not."""
    groups = [(district, department) for district in DISTRICTS[:5] for department in DEPARTMENTS[:8]]
    chosen = [group for group, x in zip(groups, tables.visits["visit_no"][:40], strict=True) if x % 2]
    districts, departments = zip(*chosen, strict=True)
    return _shown(pl.DataFrame({"district": districts, "department": departments, "n": 30}))


def _prose(tables: Tables) -> Files:
    lines = [f"{r['name']}，{r['sex']}，住{r['village']}，{r['diagnosis']}" for r in tables.visits.head(20).to_dicts()]
    return {"note.txt": "\n".join(lines).encode()}


_TEXT: dict[str, Program] = {
    "compressed records as labels": labelled(_compressed, 200),
    "compressed records as Chinese characters": labelled(_cjk, 200),
    "a column named by a record": _named_by_data,
    "a file named by a record": _file_by_data,
    "prose about records": _prose,
    "records inside longer labels": labelled(lambda t: [f"病区之{x}等人" for x in t.visits["name"]]),
    "villages joined with diagnoses": labelled(
        lambda t: [f"{v}/{d}" for v, d in t.visits.select("village", "diagnosis").rows()]
    ),
    "a spreadsheet formula": labelled(lambda t: [f'=WEBSERVICE("http://x/{x}")' for x in t.visits["name"]]),
    "invisible characters": labelled(
        lambda t: ["城东区" + "".join("\u200b\u200c"[int(b)] for b in x) for x in _bits(t)]
    ),
    "mail addresses": labelled(lambda t: [f"u{x}@example.cn" for x in t.visits["visit_no"]]),
}

# Totals


def _gap_and_total(tables: Tables) -> Files:
    parts = counts(tables.firms, by=["industry"])
    total = parts.select(pl.lit("合计").alias("industry"), pl.col("n").sum())
    hidden = parts.with_columns(pl.when(pl.col("industry") == "农业").then(None).otherwise("n").alias("n"))
    return _shown(pl.concat([hidden, total]))


def _gap_in_two_ways(tables: Tables) -> Files:
    parts = counts(tables.visits, by=["department", "sex"])
    sums = parts.group_by("department").agg(pl.lit("合计").alias("sex"), pl.col("n").sum())
    gap = (pl.col("department") == "内科") & (pl.col("sex") == "女")
    hidden = parts.with_columns(pl.when(gap).then(None).otherwise("n").alias("n"))
    return _shown(pl.concat([hidden, sums.select("department", "sex", "n")]))


def _gap_in_wide(tables: Tables) -> Files:
    parts = counts(tables.visits, by=["department", "sex"])
    wide = parts.pivot(on="sex", index="department", values="n").with_columns(
        (pl.col("女") + pl.col("男")).alias("total")
    )
    gap = pl.when(pl.col("department") == "内科").then(None).otherwise("女").alias("女")
    return _shown(wide.select("department", gap, "男", "total"))


def _chained_gaps(tables: Tables) -> Files:
    """Two gaps a column and one a row: the rows' totals open the columns."""
    parts = counts(tables.visits, by=["department", "sex"])
    rows = parts.group_by("department").agg(pl.lit("合计").alias("sex"), pl.col("n").sum())
    columns = parts.group_by("sex").agg(pl.lit("合计").alias("department"), pl.col("n").sum())
    gap = ((pl.col("department") == "内科") & (pl.col("sex") == "女")) | (pl.col("department") == "外科")
    hidden = parts.with_columns(pl.when(gap).then(None).otherwise("n").alias("n"))
    return _shown(pl.concat([t.select("department", "sex", "n") for t in (hidden, rows, columns)]))


def _gaps_together(tables: Tables) -> Files:
    """Two gaps or more in every line; two rows less two columns leave the one that was to be hidden."""
    shown = tables.visits.filter(pl.col("district").is_in(DISTRICTS[:3]) & pl.col("department").is_in(DEPARTMENTS[:4]))
    parts = counts(shown, by=["district", "department"])
    rows = parts.group_by("district").agg(pl.lit("合计").alias("department"), pl.col("n").sum())
    columns = parts.group_by("department").agg(pl.lit("合计").alias("district"), pl.col("n").sum())
    whole = pl.concat([t.select("district", "department", "n") for t in (parts, rows, columns)])
    (a, b, c), (u, v, w, x) = DISTRICTS[:3], DEPARTMENTS[:4]
    hidden = {(a, u), (a, v), (b, u), (b, v), (b, w), (c, w), (c, x), (c, "合计"), ("合计", x)}
    gap = pl.concat_list("district", "department").is_in([list(key) for key in hidden])
    return _shown(whole.with_columns(pl.when(~gap).then("n").alias("n")))


def _left_out(tables: Tables) -> Files:
    """A group of five is left out, the total is not: it is the difference."""
    parts = counts(tables.firms, by=["district"])
    total = parts.select(pl.lit("合计").alias("district"), pl.col("n").sum() + 5)
    return _shown(pl.concat([parts, total]))


def _two_tables_apart(tables: Tables) -> Files:
    rare = pl.col("diagnosis").is_in(RARE_DIAGNOSES)
    up = ((pl.col("n") / 5).ceil() * 5).cast(pl.Int64)
    whole = tables.visits.group_by("department").agg(pl.len().alias("n")).with_columns(up)
    rest = tables.visits.filter(~rare).group_by("department").agg(pl.len().alias("n")).with_columns(up)
    return {"all.csv": csv(whole), "most.csv": csv(rest)}


_TOTALS: dict[str, Program] = {
    "a gap beside its total": _gap_and_total,
    "a gap in a row with a total": _gap_in_two_ways,
    "a gap in a wide table": _gap_in_wide,
    "gaps that open one another": _chained_gaps,
    "gaps that all totals together open": _gaps_together,
    "a group left out of its total's parts": _left_out,
    "two tables that differ by few": _two_tables_apart,
}

# Models


def _fit(x: np.ndarray, y: np.ndarray, terms: Sequence[str], n: int) -> Files:
    coefficients = np.linalg.lstsq(x, y, rcond=None)[0]
    summary = pl.DataFrame({"term": list(terms), "estimate": coefficients})
    return _shown(summary.with_columns(pl.lit(n).alias("n")))


def _saturated(tables: Tables) -> Files:
    rows = 20
    return _fit(np.eye(rows), tables.visits["cost"].to_numpy()[:rows], ROWS[:rows], rows)


def _saturated_that_lies(tables: Tables) -> Files:
    """As above, but the number of observations is a lie."""
    rows = 20
    return _fit(np.eye(rows), tables.visits["cost"].to_numpy()[:rows], ROWS[:rows], 12_000)


def _dummy_of_one(tables: Tables) -> Files:
    """Intercept and the coefficient of one person's dummy add up to her cost."""
    y = tables.visits["cost"].to_numpy()
    x = np.column_stack([np.ones(len(y)), np.arange(len(y)) == 17])
    return _fit(x, y, ("const", "person"), 12_000)


def _no_freedom(tables: Tables) -> Files:
    frame = pl.DataFrame({"term": ["const", "x"], "estimate": [1.5, 0.2], "df_resid": [1, 1], "n": [50, 50]})
    return _shown(frame)


def _perfect(tables: Tables) -> Files:
    frame = pl.DataFrame({"term": ["const", "x", "y"], "estimate": [1.5, 0.2, 3.0], "std_error": [0.0, 0.0, 0.0]})
    return _shown(frame.with_columns(pl.lit(12_000).alias("n"), pl.lit(1.0).alias("r2")))


def _fixed_effects(tables: Tables) -> Files:
    """A fixed effect for every employer: those with one person are that person."""
    frame = tables.social.group_by("employer").agg(pl.col("pension").mean().alias("estimate")).sort("employer").head(55)
    return _shown(frame.select(pl.col("employer").alias("term"), "estimate", pl.lit(8_000).alias("n")))


_MODELS: dict[str, Program] = {
    "saturated regression": _saturated,
    "saturated regression with a false n": _saturated_that_lies,
    "a dummy for one person": _dummy_of_one,
    "one degree of freedom": _no_freedom,
    "a perfect fit": _perfect,
    "fixed effects of small employers": _fixed_effects,
}

# Files


def _notebook(tables: Tables) -> bytes:
    shown = {"output_type": "stream", "name": "stdout", "text": [str(tables.visits.head(5).rows())]}
    cell = {"cell_type": "code", "source": "print(df)", "metadata": {}, "outputs": [shown], "execution_count": 1}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def _beside(make: Callable[[Tables], Files]) -> Program:
    """A good table and one file more."""
    return lambda tables: {"result.csv": csv(counts(tables.visits, by=["sex"])), **make(tables)}


def _svg(tables: Tables) -> bytes:
    points = "".join(f"<circle cx='{a}' cy='{b}'/>" for a, b in tables.visits.select("days", "cost").head(50).rows())
    return f"<svg xmlns='http://www.w3.org/2000/svg'>{points}</svg>".encode()


def _nested(tables: Tables) -> bytes:
    return json.dumps({"model": {"support_vectors": tables.visits["cost"].to_list()[:20]}}).encode()


_FILES: dict[str, Program] = {
    "a notebook with outputs": _beside(lambda t: {"analysis.ipynb": _notebook(t)}),
    "a notebook under the runner's name": _beside(lambda t: {"out/executed.ipynb": _notebook(t)}),
    "a pickled model": _beside(lambda t: {"model.pkl": pickle.dumps(t.visits["cost"].to_list()[:20])}),
    "a pickle named table": _beside(lambda t: {"model.csv": pickle.dumps(t.visits["cost"].to_list()[:20])}),
    "an array file": _beside(lambda t: {"weights.npy": b"\x93NUMPY" + t.visits["cost"].to_numpy()[:20].tobytes()}),
    "a joblib model": _beside(lambda t: {"model.joblib": zlib.compress(csv(t.visits.head(20)))}),
    "an onnx model": _beside(lambda t: {"model.onnx": t.visits["cost"].to_numpy()[:20].tobytes()}),
    "a vector drawing of points": _beside(lambda t: {"plot.svg": _svg(t)}),
    "a drawing named text": _beside(lambda t: {"plot.txt": _svg(t)}),
    "a picture that hides rows": _beside(lambda t: {"plot.png": picture(t)}),
    "a web page": _beside(lambda t: {"page.html": b"<html>" + csv(t.visits.head(20)) + b"</html>"}),
    "a workbook": _beside(lambda t: {"book.xlsx": b"PK\x03\x04" + csv(t.visits.head(20))}),
    "a compressed table": _beside(lambda t: {"rows.csv.gz": b"\x1f\x8b" + zlib.compress(csv(t.visits.head(20)))}),
    "a nested document": _beside(lambda t: {"model.json": _nested(t)}),
    "a file without a type": _beside(lambda t: {"weights": t.visits["cost"].to_numpy()[:20].tobytes()}),
    "a file in a folder": _beside(lambda t: {"out/deep/rows.csv": csv(t.visits.head(20))}),
}


# Single persons under the labels of large groups


def _rounded_costs(tables: Tables) -> dict[str, object]:
    return {"mean_cost": [float(f"{x:.3g}") for x in tables.visits["cost"].to_list()[:40]]}


def _folded(tables: Tables) -> dict[str, object]:
    return {"mean_x": [(x * 7919 + 13) % 999 for x in tables.visits["visit_no"].to_list()[:40]]}


def _counts_of_digits(tables: Tables) -> Files:
    counts_ = [5 * (x % 10) + 30 for x in tables.visits["visit_no"].to_list()[:40]]
    groups = [(district, department) for district in DISTRICTS[:5] for department in DEPARTMENTS[:8]]
    districts, departments = zip(*groups, strict=True)
    return _shown(pl.DataFrame({"district": districts, "department": departments, "n": counts_}))


def _true_counts(tables: Tables) -> pl.DataFrame:
    """The counts that these forty groups have."""
    made = counts(tables.visits, by=["district", "department"])
    return made.filter(pl.col("district").is_in(DISTRICTS[:5]) & pl.col("department").is_in(DEPARTMENTS[:8]))


def truly_counted(columns: Callable[[Tables], dict[str, object]]) -> Program:
    """The same under the groups' true counts."""

    def program(tables: Tables) -> Files:
        frame = _true_counts(tables)
        made = {name: list(values)[: frame.height] for name, values in columns(tables).items()}
        return _shown(frame.with_columns(**{name: pl.Series(values) for name, values in made.items()}))

    return program


def _some_groups(tables: Tables, *, small: bool) -> Files:
    """Bits of raw numbers by which groups there are, counts being true; ``small``: only the smaller half is used."""
    frame = _true_counts(tables)
    bits = pl.Series("bit", [x % 2 for x in tables.visits["visit_no"].to_list()[: frame.height]])
    kept = (bits == 1) | ((frame["n"] >= frame["n"].median()) if small else False)
    return _shown(frame.filter(kept))


def _digits_taken_off(tables: Tables) -> Files:
    frame = _true_counts(tables)
    digits = pl.Series([x % 10 for x in tables.visits["visit_no"].to_list()[: frame.height]])
    return _shown(frame.with_columns((pl.col("n") - 5 * digits).clip(10)))


_CLAIMS: dict[str, Program] = {
    "rounded costs under true counts and another name": truly_counted(
        lambda t: {"mean_x": [float(f"{x:.3g}") for x in t.visits["cost"].to_list()[:40]]}
    ),
    "three digits under a secret multiplication and true counts": truly_counted(_folded),
    "one digit taken off every true count": _digits_taken_off,
    "costs of single persons rounded to three digits": listed(_rounded_costs),
    "three digits under a secret multiplication": listed(_folded),
    "one digit of a number in every count": _counts_of_digits,
    "rows told by being there": _rows_by_existence,
    "rounded costs of single persons under true counts": truly_counted(_rounded_costs),
    "large groups told by being there under true counts": lambda t: _some_groups(t, small=False),
}


# What the checks do not see

PASSING: dict[str, Program] = {
    "small groups told by being there under true counts": lambda t: _some_groups(t, small=True),
}
