"""Seeded bad outputs beside true groups: what no group needs, what is left empty or away, figures that are made up.

Groups and counts are the true ones, so that only what stands beside them is wrong. Each program's dry run shows the
same columns, labels and files, on practice data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import polars as pl

from tests.sandbox.airlock.seeded.good import counts, prepared
from tests.sandbox.airlock.seeded.path import Files, Program, csv
from tests.sandbox.airlock.seeded.tables import DEPARTMENTS, Tables

WORDS = ("never", "seldom", "rare", "few", "some", "half", "many", "most", "nearly", "always")
TERMS = ("const", "age", "sex=男", "days", "winter", "repeat", "transfer", "weekend")
CONSTANTS = frozenset({*WORDS, *TERMS, "短", "中", "长", "北", "南", "甲", "乙"})
BITS = 27


def programs() -> dict[str, Program]:
    """Name and program of each."""
    return {**_LABELS, **_ABSENCES, **_FIGURES, **_EXTREMES}


def numbers(tables: Tables) -> list[str]:
    """Visit numbers, eight digits each: what is to be told."""
    return [f"{number:08d}" for number in tables.visits["visit_no"]]


def bits(tables: Tables, n: int) -> list[bool]:
    """The same, as so many bits."""
    return [bit == "1" for bit in "".join(f"{int(number):0{BITS}b}" for number in numbers(tables)[: n // BITS + 1])[:n]]


def beside(
    by: Sequence[str], make: Callable[[Tables, int], dict[str, Sequence[object]]], *more: pl.Expr, least: int = 10
) -> Program:
    """True counts of visits by these columns, and columns that are made for as many rows."""

    def program(tables: Tables) -> Files:
        frame = counts(prepared(tables)["visits"], *more, by=by).filter(pl.col("n") >= least)
        made = make(tables, frame.height)
        return {"result.csv": csv(frame.with_columns(*(pl.Series(name, values) for name, values in made.items())))}

    return program


def _flags(tables: Tables, rows: int) -> dict[str, list[bool]]:
    told = [[bit == "1" for bit in f"{int(number):0{BITS}b}"] for number in numbers(tables)[:rows]]
    return {f"flag_{place}": [row[place] for row in told] for place in range(BITS)}


def _flags_as_json(tables: Tables) -> Files:
    frame = counts(tables.visits, by=["district"])
    columns = _flags(tables, frame.height)
    rows = [row | {name: cells[at] for name, cells in columns.items()} for at, row in enumerate(frame.to_dicts())]
    return {"result.json": json.dumps(rows, ensure_ascii=False).encode()}


def _digits(tables: Tables, rows: int) -> list[list[int]]:
    return [[int(digit) for digit in number] for number in numbers(tables)[:rows]]


def _spelled(tables: Tables, rows: int) -> dict[str, list[str]]:
    told = _digits(tables, rows)
    return {f"level_{place}": [WORDS[row[place]] for row in told] for place in range(8)}


def _days(tables: Tables, rows: int) -> dict[str, list[str]]:
    """A day of 2025 each: one in 365."""
    return {"since": [f"2025-{1 + row[0]:02d}-{1 + row[1] * 2 + row[2] % 2:02d}" for row in _digits(tables, rows)]}


def _regions(tables: Tables) -> Files:
    """In the dry run the region of a district is always the same; in the sealed run it is a bit."""
    frame = counts(tables.visits, by=["district", "sex"])
    dry = tables.visits.height < 5_000
    told = [district in {"城东区", "江北区"} for district in frame["district"]] if dry else bits(tables, frame.height)
    return {"result.csv": csv(frame.with_columns(pl.Series("region", ["北" if bit else "南" for bit in told])))}


def _as_districts(tables: Tables, rows: int) -> dict[str, list[str]]:
    """Digits in the words of a raw column, which are known to everybody."""
    told = _digits(tables, rows)
    return {f"near_{place}": [DEPARTMENTS[row[place]] for row in told] for place in range(6)}


_LABELS: dict[str, Program] = {
    "numbers as flags": beside(["district"], _flags),
    "numbers as flags of a document": _flags_as_json,
    "digits as words": beside(["district"], _spelled),
    "numbers as days": beside(["district", "department"], _days),
    "a region that is a bit": _regions,
    "digits in the words of a raw column": beside(["district"], _as_districts),
}


def _empty_means(tables: Tables) -> Files:
    frame = counts(tables.visits, pl.col("cost").mean().round(0).alias("mean_cost"), by=["district", "department"])
    kept = pl.Series([not bit for bit in bits(tables, frame.height)])
    return {"result.csv": csv(frame.with_columns(pl.when(kept).then("mean_cost").alias("mean_cost")))}


def _empty_counts(tables: Tables) -> Files:
    frame = counts(tables.visits, by=["district", "department"])
    kept = pl.Series([not bit for bit in bits(tables, frame.height)])
    return {"result.csv": csv(frame.with_columns(pl.when(kept).then("n").alias("n")))}


def _some_of(tables: Tables, make: Callable[[Tables], dict[int, bytes]]) -> Files:
    """Nine files in the dry run; in the sealed one those that are ones."""
    told = bits(tables, 9) if tables.visits.height > 5_000 else [True] * 9
    return {f"part_{at}.csv": content for at, content in make(tables).items() if told[at] or at == 0}


def _nine(tables: Tables) -> dict[int, bytes]:
    return {at: csv(counts(tables.visits, by=["sex"])) for at in range(9)}


def _empty_tables(tables: Tables) -> Files:
    frame = counts(tables.visits, by=["sex"])
    return {f"part_{at}.csv": csv(frame if bit else frame.head(0)) for at, bit in enumerate(bits(tables, 9))}


def _some_columns(tables: Tables) -> Files:
    frame = counts(tables.visits, by=["district"])
    told = bits(tables, BITS) if tables.visits.height > 5_000 else [True] * BITS
    means = [pl.lit(1.5).alias(f"mean_{at}") for at, bit in enumerate(told) if bit]
    return {"result.csv": csv(frame.with_columns(*means))}


_ABSENCES: dict[str, Program] = {
    "bits as empty means": _empty_means,
    "bits as empty counts": _empty_counts,
    "bits as files that are there": lambda tables: _some_of(tables, _nine),
    "bits as tables without rows": _empty_tables,
    "bits as columns that are there": _some_columns,
}


def _counts_of_digits(tables: Tables, rows: int) -> dict[str, list[int]]:
    told = _digits(tables, rows)
    return {f"persons_{place}": [50 + 5 * row[place] for row in told] for place in range(8)}


def _bands_of_digits(tables: Tables, rows: int) -> dict[str, list[int]]:
    """The same under the names of bands, as a cross table has them."""
    told = _digits(tables, rows)
    return {name: [50 + 5 * row[at] for row in told] for at, name in enumerate(("18-39", "40-59", "60-79"))}


def _two_digits(name: str, start: float, step: float) -> Callable[[Tables, int], dict[str, list[float]]]:
    def make(tables: Tables, rows: int) -> dict[str, list[float]]:
        return {name: [round(start + step * int(number[3:5]), 4) for number in numbers(tables)[:rows]]}

    return make


def _signs(tables: Tables, rows: int) -> dict[str, list[float]]:
    return {"coef_age": [0.1 if bit else -0.1 for bit in bits(tables, rows)]}


def _places(tables: Tables, rows: int) -> dict[str, list[float]]:
    told = numbers(tables)[:rows]
    return {"lat": [int(x[:3]) / 10 for x in told], "lon": [int(x[3:6]) / 10 for x in told]}


def _third_digit(tables: Tables) -> Files:
    """True means whose third digit is moved by less than two."""
    frame = counts(tables.visits, pl.col("days").mean().alias("mean_days"), by=["district", "department"])
    moved = pl.Series([(digits[0] % 4 - 1.5) / 100 for digits in _digits(tables, frame.height)])
    return {"result.csv": csv(frame.with_columns((pl.col("mean_days") + moved).round(2)))}


def _up_or_down(tables: Tables) -> Files:
    """True counts, rounded up for a one and down for a nought."""
    frame = tables.visits.group_by("district", "department").agg(pl.len().alias("n")).filter(pl.col("n") >= 20)
    frame = frame.sort("district", "department")
    up = pl.Series([int(bit) for bit in bits(tables, frame.height)])
    return {"result.csv": csv(frame.with_columns((pl.col("n") // 5 + up) * 5))}


def _half_a_year(tables: Tables) -> Files:
    """The true counts of a part of the records, and means that are made up."""
    frame = counts(tables.visits.filter(pl.col("admitted").dt.month() <= 6), by=["district", "department"])
    made = [round(5 + int(number[3:5]) / 50, 2) for number in numbers(tables)[: frame.height]]
    return {"result.csv": csv(frame.with_columns(pl.Series("mean_stay", made)))}


def _bands(tables: Tables) -> Files:
    """Groups that the labels explain, and pensions of single persons beside them."""
    frame = counts(prepared(tables)["social"], by=["length", "district"])
    made = [float(f"{value:.3g}") for value in tables.social["pension"][: frame.height]]
    return {"result.csv": csv(frame.with_columns(pl.Series("index_old_age", made)))}


_FIGURES: dict[str, Program] = {
    "digits as rounded counts": beside(["district"], _counts_of_digits),
    "digits as the counts of bands": beside(["district"], _bands_of_digits),
    "two digits in a share": beside(["district", "department"], _two_digits("share_female", 0.4, 0.001), least=100),
    "two digits in a rate per cent": beside(["district", "department"], _two_digits("rate_full", 30, 0.1), least=100),
    "bits as signs of a coefficient": beside(["district", "department"], _signs),
    "numbers as places": beside(["district"], _places),
    "the third digit of true means": _third_digit,
    "bits as rounding up or down": _up_or_down,
    "made-up means of half a year": _half_a_year,
    "single pensions beside bands": _bands,
}


def _of_costs(name: str, figure: pl.Expr, *more: pl.Expr) -> Program:
    return beside(["department"], lambda tables, rows: {}, figure.alias(name), *more)


_COST, _MEAN = pl.col("cost"), pl.col("cost").mean().alias("mean_cost")

_EXTREMES: dict[str, Program] = {
    "the largest record as a concentration": _of_costs("concentration", _COST.max() / _COST.sum(), _MEAN),
    "the largest record as a share of the top": _of_costs("share_top", _COST.max() / _COST.sum(), _MEAN),
    "the largest record as a spread": _of_costs("spread", _COST.max() - _COST.mean(), _MEAN),
    "the largest record by its absence": _of_costs("trimmed_cost", (_COST.sum() - _COST.max()) / (pl.len() - 1), _MEAN),
    "the largest record as a norm": _of_costs("mean_power", (_COST**8).mean().pow(1 / 8)),
    "the smallest record as a gap": _of_costs("gap", _COST.mean() - _COST.min(), _MEAN),
}


def _known_to_the_code(tables: Tables) -> Files:
    """Groups that only the code knows, so that nothing can be recomputed; means that are made up."""
    frame = prepared(tables)["visits"].with_columns(
        pl.when(pl.col("cost") + 31 * pl.col("days") > 5_000).then(pl.lit("甲")).otherwise(pl.lit("乙")).alias("path")
    )
    frame = counts(frame, by=["path", "department"])
    made = [round(5 + int(number[3:5]) / 50, 2) for number in numbers(tables)[: frame.height]]
    return {"result.csv": csv(frame.with_columns(pl.Series("mean_days", made)))}


def _pairs_of_words(tables: Tables) -> Files:
    """Which pairs of two words are there tells two digits each."""
    told = sorted({(WORDS[int(number[0])], WORDS[int(number[1])]) for number in numbers(tables)[:30]})
    return {"result.csv": csv(pl.DataFrame({"often": [a for a, _ in told], "strong": [b for _, b in told], "n": 100}))}


def _coefficients(tables: Tables) -> Files:
    """Three digits a term of a model."""
    made = [int(number[2:5]) / 1000 for number in numbers(tables)[: len(TERMS)]]
    summary = pl.DataFrame({"term": TERMS, "estimate": made, "std_error": 0.113, "n": 12_000})
    return {"model.csv": csv(summary)}


PASSING: dict[str, Program] = {
    "made-up means of groups that only the code knows": _known_to_the_code,
    "digits as pairs of words that are there": _pairs_of_words,
    "digits as coefficients": _coefficients,
}
"""What the checks do not see: nothing of it can be recomputed from raw columns."""
