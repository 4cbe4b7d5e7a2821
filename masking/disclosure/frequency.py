"""One fixed table of counts, clamped sums and means: small cells hidden, counts rounded, no margins.

Rules: a cell shows only if at least ``threshold`` distinct persons stand behind every figure in it, empty cells are
not listed at all, counts are rounded to ``rounding``, sums and means of clamped values to three significant digits,
and a sum is hidden when its n largest contributors hold more than a share (dominance). There is one grouping and no
total, so no hidden cell can be worked out by subtraction. A person counts once in a count and with the sum of their
clamped records, clamped again, in a sum.
Source: Hundepool et al., Statistical Disclosure Control, 2012, 4; GB/T 37964-2019 (统计: 聚合).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import pyarrow as pa

from masking.errors import InvalidParameter, UnsupportedColumn
from masking.measures.classes import UNIT, as_frame
from masking.report import RiskFigures

ALL_PERSONS: Final = "*"
"""``{count: "*"}`` counts the persons of a cell; ``{count: column}`` those with a value in the column."""
FUNCTIONS: Final = ("count", "sum", "mean")
SIGNIFICANT_DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class Tabulated:
    """The released table, and counts for the internal report (never for the public one).

    ``cells`` counts populated cells, ``hidden_small`` and ``hidden_dominated`` those left out, ``persons`` everyone
    in the raw table, ``hidden_persons`` those in cells left out, ``smallest_shown`` persons in the smallest shown cell.
    """

    table: pa.Table
    cells: int
    hidden_small: int
    hidden_dominated: int
    persons: int
    hidden_persons: int
    smallest_shown: int

    def figures(self) -> RiskFigures:
        """The shown cells as classes: nobody in them is alone."""
        k = self.smallest_shown
        shown = self.cells - self.hidden_small - self.hidden_dominated
        shown_persons = self.persons - self.hidden_persons
        return RiskFigures(
            persons=shown_persons,
            classes=shown,
            k=k,
            unique_persons=0,
            prosecutor_max=1 / k if k else 0.0,
            prosecutor_average=min(shown / shown_persons, 1 / k) if shown_persons > 0 and k else 0.0,
        )


def tabulate(
    table: Any,
    *,
    by: Sequence[str],
    measures: Mapping[str, Mapping[str, str]],
    unit: Any = None,
    threshold: int = 10,
    rounding: int = 5,
    clamp: Mapping[str, tuple[float, float]] | None = None,
    dominance: tuple[int, float] | None = (1, 0.5),
) -> Tabulated:
    """Tabulate ``measures`` by ``by``. ``table``: pandas, polars, pyarrow; ``unit``: person column, None: each row.

    Output: the ``by`` columns, then one column per measure (int64 counts, float64 sums and means), rows sorted by
    ``by``. Null is a category of its own. An empty table gives no rows.

    Raises:
        InvalidParameter: no grouping, no measure, an unknown function, a missing or empty clamp, threshold < 2,
            rounding < 1.
        UnknownAttribute: the table lacks a column.
        UnsupportedColumn: a summed column is not numeric.
    """
    clamp = dict(clamp or {})
    columns = check_shape(by, measures, threshold, rounding, clamp, dominance)
    frame = as_frame(table, [*by, *(name for name in columns if name not in by)], unit)
    for function, column in _pairs(measures):
        if function != "count" and not frame.schema[column].is_numeric():
            raise UnsupportedColumn(f"attribute {column!r} cannot be summed: its type is {frame.schema[column]}")
    persons = _one_row_per_person(frame, by, measures, clamp)
    cells = persons.group_by(list(by), maintain_order=True).agg(_cell_figures(measures, dominance))
    small = pl.min_horizontal(pl.col(f"\0n:{name}") for name in ["", *measures]) < threshold
    dominated = pl.any_horizontal([pl.col(f"\0d:{name}") for name in measures] or [pl.lit(value=False)])
    cells = cells.with_columns(small.alias("\0small"), (~small & dominated).alias("\0dominated"))
    shown = cells.filter(~pl.col("\0small") & ~pl.col("\0dominated"))
    released = shown.sort(list(by), nulls_last=True).select(
        *by, *(_released(name, measure, rounding) for name, measure in measures.items())
    )
    # A person may stand in several cells; those in no shown cell are hidden.
    everyone = int(frame[UNIT].n_unique()) if UNIT in frame.columns else frame.height
    visible = persons.join(shown.select(by), on=list(by), how="semi", nulls_equal=True)
    seen = int(visible[UNIT].n_unique()) if UNIT in frame.columns else visible.height
    return Tabulated(
        table=_arrow(released, by, measures),
        cells=cells.height,
        hidden_small=int(cells["\0small"].sum()),
        hidden_dominated=int(cells["\0dominated"].sum()),
        persons=everyone,
        hidden_persons=everyone - seen,
        smallest_shown=int(shown["\0n:"].min() or 0),  # type: ignore[arg-type]
    )


def check_shape(
    by: Sequence[str],
    measures: Mapping[str, Mapping[str, str]],
    threshold: int,
    rounding: int,
    clamp: Mapping[str, tuple[float, float]],
    dominance: tuple[int, float] | None,
) -> tuple[str, ...]:
    """The columns that are measured, each once; raises InvalidParameter unless the request is well formed."""
    if not by or len(set(by)) != len(by):
        raise InvalidParameter("aggregate: `by` must name at least one attribute, each once")
    if not measures:
        raise InvalidParameter("aggregate: `measures` must name at least one measure")
    if set(measures) & set(by):
        raise InvalidParameter(f"aggregate: {sorted(set(measures) & set(by))} are both grouping and measure")
    if threshold < 2:
        raise InvalidParameter("aggregate: threshold must be at least 2 persons")
    if rounding < 1:
        raise InvalidParameter("aggregate: rounding must be at least 1")
    if dominance is not None and not (dominance[0] >= 1 and 0 < dominance[1] <= 1):
        raise InvalidParameter("aggregate: dominance must be [n >= 1, share in (0, 1]]")
    for name, measure in measures.items():
        if len(measure) != 1 or next(iter(measure)) not in FUNCTIONS:
            raise InvalidParameter(f"aggregate: measure {name!r} must be one of {list(FUNCTIONS)} of one attribute")
    for function, column in _pairs(measures):
        if function != "count" and column not in clamp:
            raise InvalidParameter(f"aggregate: {function} of {column!r} needs bounds under `clamp`")
    for column, bounds in clamp.items():
        if not bounds[0] < bounds[1]:
            raise InvalidParameter(f"aggregate: clamp of {column!r} must be [lower, upper] with lower < upper")
    return tuple(dict.fromkeys(column for _, column in _pairs(measures) if column != ALL_PERSONS))


def _one_row_per_person(
    frame: pl.DataFrame,
    by: Sequence[str],
    measures: Mapping[str, Mapping[str, str]],
    clamp: Mapping[str, tuple[float, float]],
) -> pl.DataFrame:
    """Per person and cell one row, with one column per measure: their contribution, null if they have none."""
    contributions = [_contribution(name, measure, clamp) for name, measure in measures.items()]
    if UNIT not in frame.columns:
        return frame.select(*by, *contributions)
    return frame.group_by([*by, UNIT], maintain_order=True).agg(
        _of_person(name, measure, clamp) for name, measure in measures.items()
    )


def _contribution(name: str, measure: Mapping[str, str], clamp: Mapping[str, tuple[float, float]]) -> pl.Expr:
    ((function, column),) = measure.items()
    if function == "count":
        given = pl.lit(value=True) if column == ALL_PERSONS else pl.col(column).is_not_null()
        return pl.when(given).then(1.0).alias(f"\0v:{name}")
    return _finite(column).clip(*clamp[column]).alias(f"\0v:{name}")


def _of_person(name: str, measure: Mapping[str, str], clamp: Mapping[str, tuple[float, float]]) -> pl.Expr:
    ((function, column),) = measure.items()
    if function == "count":
        given = pl.lit(value=True) if column == ALL_PERSONS else pl.col(column).is_not_null().any()
        return pl.when(given).then(1.0).alias(f"\0v:{name}")
    values = _finite(column).clip(*clamp[column])
    total = values.sum() if function == "sum" else values.mean()
    return pl.when(values.count() > 0).then(total.clip(*clamp[column])).alias(f"\0v:{name}")


def _finite(column: str) -> pl.Expr:
    """The column as float64; NaN and infinity are no values."""
    value = pl.col(column).cast(pl.Float64)
    return pl.when(value.is_finite()).then(value)


def _cell_figures(measures: Mapping[str, Mapping[str, str]], dominance: tuple[int, float] | None) -> list[pl.Expr]:
    """Per cell: persons, persons behind each measure, the measure, whether few persons dominate it."""
    figures = [pl.len().alias("\0n:")]
    for name, measure in measures.items():
        function = next(iter(measure))
        value = pl.col(f"\0v:{name}")
        figures += [
            value.count().alias(f"\0n:{name}"),
            (value.mean() if function == "mean" else value.sum()).alias(f"\0m:{name}"),
            (_dominated(value, dominance) if dominance and function == "sum" else pl.lit(value=False)).alias(
                f"\0d:{name}"
            ),
        ]
    return figures


def _dominated(value: pl.Expr, dominance: tuple[int, float]) -> pl.Expr:
    magnitude = value.abs()
    return magnitude.top_k(dominance[0]).sum() > dominance[1] * magnitude.sum()


def _released(name: str, measure: Mapping[str, str], rounding: int) -> pl.Expr:
    figure = pl.col(f"\0m:{name}")
    if "count" in measure:
        return ((figure / rounding).round() * rounding).cast(pl.Int64).alias(name)
    return figure.round_sig_figs(SIGNIFICANT_DIGITS).alias(name)


def _arrow(frame: pl.DataFrame, by: Sequence[str], measures: Mapping[str, Mapping[str, str]]) -> pa.Table:
    table = frame.to_arrow()
    fields = [
        pa.field(column.name, pa.string() if pa.types.is_large_string(column.type) else column.type)
        for column in table.schema
    ]
    return table.cast(pa.schema(fields)).select([*by, *measures])


def _pairs(measures: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    return [pair for measure in measures.values() for pair in measure.items()]
