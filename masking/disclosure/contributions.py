"""What stands behind each cell: its persons, its figures, and how much the largest contributors hold.

Rules: a person's records in a cell are summed before anything is judged (holdings of one unit); sizes are absolute, so
that -90 and +100 are two large contributions and not one small total; figures are whole multiples of 10 to the minus
``decimals``, which makes every sum exact, additive and independent of the order of records. Null, NaN and infinity are
no values. Records whose person is null count as one person.
Source: Hundepool et al., Statistical Disclosure Control, 2012, 4.2 (magnitude tables, holdings, negative values).
Pure: reads a table, returns numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from masking.disclosure.margins import Dimension, Ints, Margins, dimension
from masking.errors import InvalidParameter, UnsupportedColumn
from masking.measures.classes import UNIT, as_frame

ALL: Final = "*"
FUNCTIONS: Final = ("count", "records", "sum", "mean")
EXACT: Final = 2.0**53
"""Whole numbers up to here are exact in the floating point numbers that the solver works with."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure in every cell, flat, in steps of 10**-decimals.

    ``value``: what adds up; ``contributors``: persons behind it; ``magnitude``: sum of their absolute contributions;
    ``largest``, ``second``, ``top``: the largest, the second and the n largest of these; ``sole``: number of the only
    person who adds to the cell, -1 where there are several or none; ``counts``: each person adds one;
    ``nonnegative``: nobody adds less than zero, so an attacker may assume it.
    """

    name: str
    function: str
    value: Ints
    contributors: Ints
    magnitude: Ints
    largest: Ints
    second: Ints
    top: Ints
    sole: Ints
    counts: bool
    nonnegative: bool
    decimals: int


@dataclass(frozen=True)
class Contributions:
    """The cells of a table with margins. ``persons``: everyone in a cell; ``of``: for each person and published leaf.

    ``keys``: where record keys were given, their sum modulo 2**64 over the persons of each cell.
    """

    margins: Margins
    persons: Ints
    figures: tuple[Figure, ...]
    everyone: int
    keys: npt.NDArray[np.uint64] | None


def contributions(
    table: Any,
    *,
    dimensions: Mapping[str, Mapping[str, Any] | None],
    measures: Mapping[str, Mapping[str, str]],
    unit: Any = None,
    tables: Sequence[Sequence[str]] = (),
    total: str = "Total",
    decimals: int = 2,
    top: int = 1,
    record_keys: Any = None,
) -> Contributions:
    """Tabulate with margins. ``table``: pandas, polars, pyarrow; ``unit``: person column, None: each record.

    ``measures``: ``{name: {count | records | sum | mean: column or "*"}}``; ``tables``: the sets of dimensions that are
    published, none for all together; ``top``: how many contributors ``Figure.top`` holds; ``record_keys``: a function
    of the person column (a polars Series) that gives one uint64 each.

    Raises:
        InvalidParameter: an unknown function; counts of persons where persons stand in several cells.
        UnknownAttribute: the table lacks a column.
        UnsupportedColumn: a summed column is not numeric, or its values are too large for ``decimals``.
        DataError: a column holds categories that its dimension does not list.
    """
    columns = check_measures(measures, dimensions)
    frame = as_frame(table, list(dict.fromkeys([*dimensions, *columns])), unit)
    trees = [dimension(name, frame[name], spec, total=total) for name, spec in dimensions.items()]
    margins = Margins(tuple(tree for tree, _ in trees), tuple(frozenset(each) for each in tables))
    persons = frame[UNIT] if UNIT in frame.columns else pl.Series(np.arange(frame.height))
    first = persons.to_frame("unit").with_row_index("row").group_by("unit").agg(pl.col("row").min()).sort("row")
    codes = persons.to_frame("unit").join(
        first.with_row_index("code").select("unit", "code"),
        on="unit",
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )["code"]
    values = [_contribution(name, measure, frame, decimals) for name, measure in measures.items()]
    leaves = pl.DataFrame([*(pl.Series(f"d{place}", code) for place, (_, code) in enumerate(trees))])
    rows = pl.DataFrame([codes.cast(pl.Int64).alias("unit"), *values]) if values else codes.alias("unit").to_frame()
    rows = (
        rows.with_columns(leaves.get_columns())
        .group_by([*leaves.columns, "unit"])
        .agg(_summed(name, measure) for name, measure in measures.items())
    )
    _check_additive(measures, rows)
    if record_keys is not None:
        drawn = pl.Series("key", record_keys(first["unit"]), dtype=pl.UInt64)
        low, high = drawn & 0xFFFF_FFFF, drawn // 2**32
        halves = pl.DataFrame({"unit": np.arange(len(drawn)), "low": low, "high": high})
        rows = rows.join(halves, on="unit", how="left")
    cells = _every_level(rows, [tree for tree, _ in trees], margins, measures, top)
    return Contributions(
        margins,
        persons=_dense(cells, "persons", margins.size),
        figures=tuple(_figure(cells, name, measure, margins.size, decimals) for name, measure in measures.items()),
        everyone=first.height,
        keys=_sums_of_keys(cells, margins.size) if record_keys is not None else None,
    )


def check_measures(measures: Mapping[str, Mapping[str, str]], dimensions: Mapping[str, Any]) -> list[str]:
    """The columns that are measured; raises InvalidParameter unless the request is well formed."""
    if not dimensions:
        raise InvalidParameter("dimensions must name at least one attribute", parameter="dimensions")
    if not measures:
        raise InvalidParameter("measures must name at least one measure", parameter="measures")
    both = sorted(set(measures) & set(dimensions))
    if both:
        raise InvalidParameter(f"{both} are both dimension and measure", parameter="measures")
    columns = []
    for name, measure in measures.items():
        if not isinstance(measure, Mapping) or len(measure) != 1 or next(iter(measure)) not in FUNCTIONS:
            raise InvalidParameter(
                f"measure {name!r} must be one of {list(FUNCTIONS)} of one attribute", parameter=name
            )
        ((function, column),) = measure.items()
        if column != ALL:
            columns.append(column)
        elif function in {"sum", "mean"}:
            raise InvalidParameter(f"measure {name!r}: {function} needs an attribute", parameter=name)
    return columns


def _contribution(name: str, measure: Mapping[str, str], frame: pl.DataFrame, decimals: int) -> pl.Series:
    """What a record adds to a measure: whole steps, or null."""
    ((function, column),) = measure.items()
    if function in {"count", "records"}:
        given = pl.Series([True]).new_from_index(0, frame.height) if column == ALL else frame[column].is_not_null()
        return given.to_frame("v").select(pl.when("v").then(pl.lit(1, pl.Int64)).alias(f"v:{name}")).to_series()
    if not frame.schema[column].is_numeric():
        raise UnsupportedColumn(f"attribute {column!r} cannot be summed: its type is {frame.schema[column]}")
    steps = frame[column].cast(pl.Float64) * 10.0**decimals
    steps = steps.to_frame("v").select(pl.when(pl.col("v").is_finite()).then(pl.col("v").round())).to_series()
    if float(steps.abs().sum()) >= EXACT:
        raise UnsupportedColumn(
            f"attribute {column!r}: its values are too large to be summed exactly with {decimals} decimals; "
            "give fewer `decimals`, which may be negative"
        )
    return steps.cast(pl.Int64).alias(f"v:{name}")


def _summed(name: str, measure: Mapping[str, str]) -> pl.Expr:
    value = pl.col(f"v:{name}")
    total = value.max() if "count" in measure else value.sum()
    return pl.when(value.count() > 0).then(total).alias(f"v:{name}")


def _check_additive(measures: Mapping[str, Mapping[str, str]], rows: pl.DataFrame) -> None:
    counted = [name for name, measure in measures.items() if "count" in measure]
    several = rows.height - rows["unit"].n_unique()
    if counted and several:
        raise InvalidParameter(
            f"measure {counted[0]!r}: persons stand in several cells ({several} times), so that counts of persons do "
            "not add up; count records instead",
            parameter=counted[0],
        )


def _every_level(
    rows: pl.DataFrame,
    trees: Sequence[Dimension],
    margins: Margins,
    measures: Mapping[str, Mapping[str, str]],
    top: int,
) -> pl.DataFrame:
    """One row for every cell that somebody is in, margins included."""
    tables = [tree.levels() for tree in trees]
    found = []
    for depths in itertools.product(*(range(len(table)) for table in tables)):
        chosen = enumerate(zip(tables, depths, strict=True))
        nodes = [table[depth][rows[f"d{axis}"].to_numpy()] for axis, (table, depth) in chosen]
        inside = np.logical_and.reduce([node >= 0 for node in nodes])
        cell = np.ravel_multi_index([np.maximum(node, 0) for node in nodes], margins.shape)
        grouped = rows.with_columns(pl.Series("cell", cell, dtype=pl.Int64)).filter(pl.Series(inside))
        one = grouped.group_by("cell", "unit").agg(
            *(_summed(name, measure) for name, measure in measures.items()),
            *(pl.col(half).first() for half in ("low", "high") if half in rows.columns),
        )
        found.append(
            one.group_by("cell").agg(
                pl.len().cast(pl.Int64).alias("persons"),
                *(pl.col(half).sum() for half in ("low", "high") if half in rows.columns),
                *(expression for name in measures for expression in _statistics(name, top)),
            )
        )
    return pl.concat(found).sort("cell")


def _statistics(name: str, top: int) -> list[pl.Expr]:
    value = pl.col(f"v:{name}")
    size = value.abs()
    return [
        value.sum().alias(f"value:{name}"),
        value.count().cast(pl.Int64).alias(f"contributors:{name}"),
        size.sum().alias(f"magnitude:{name}"),
        size.max().fill_null(0).alias(f"largest:{name}"),
        size.top_k(2).sum().alias(f"two:{name}"),
        size.top_k(top).sum().alias(f"top:{name}"),
        pl.when(value.count() == 1).then(pl.col("unit").filter(value.is_not_null()).first()).alias(f"sole:{name}"),
        (value < 0).any().alias(f"negative:{name}"),
    ]


def _figure(cells: pl.DataFrame, name: str, measure: Mapping[str, str], size: int, decimals: int) -> Figure:
    function = next(iter(measure))
    largest = _dense(cells, f"largest:{name}", size)
    return Figure(
        name=name,
        function=function,
        value=_dense(cells, f"value:{name}", size),
        contributors=_dense(cells, f"contributors:{name}", size),
        magnitude=_dense(cells, f"magnitude:{name}", size),
        largest=largest,
        second=_dense(cells, f"two:{name}", size) - largest,
        top=_dense(cells, f"top:{name}", size),
        sole=_dense(cells, f"sole:{name}", size, missing=-1),
        counts=function == "count",
        nonnegative=not bool(cells[f"negative:{name}"].any()),
        decimals=decimals if function in {"sum", "mean"} else 0,
    )


def _dense(cells: pl.DataFrame, column: str, size: int, *, missing: int = 0) -> Ints:
    made = np.full(size, missing, dtype=np.int64)
    made[cells["cell"].to_numpy()] = cells[column].fill_null(missing).cast(pl.Int64).to_numpy()
    return made


def _sums_of_keys(cells: pl.DataFrame, size: int) -> npt.NDArray[np.uint64]:
    """Sums of 64-bit keys modulo 2**64, from sums of their halves that cannot overflow."""
    made = np.zeros(size, dtype=np.uint64)
    low, high = (cells[half].cast(pl.UInt64).to_numpy() for half in ("low", "high"))
    made[cells["cell"].to_numpy()] = low + (high << np.uint64(32))
    return made
