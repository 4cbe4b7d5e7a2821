"""k-map: every class of a released table corresponds to at least k persons of the population.

Source: Sweeney, 2002; El Emam and Dankar, 2008 (the journalist's view). The attacker holds a register of the
population, the released persons among them; whom it does not hold cannot be found in it. The population table has the
same quasi-identifiers, generalised in the same way; it is a register of records, or a table of counts such as a census
has (``population_count`` names the column of persons). Null is a value of its own. A released record that is suppressed
as a whole (``suppressed`` in every quasi-identifier) corresponds to the population records that are too; to read it as
"anyone at all", leave it out before. Pure: reads two tables, returns numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from masking.errors import UnsupportedColumn
from masking.measures.classes import UNIT, as_frame, person_count

SAMPLE: Final = "\0sample"
POPULATION: Final = "\0population"
COUNT: Final = "\0count"


def k_map(
    table: Any,
    population: Any,
    quasi_identifiers: Sequence[str],
    unit: Any = None,
    population_unit: Any = None,
    population_count: str | None = None,
) -> int:
    """Persons of the population in the released class that has fewest of them; 0 for an empty table.

    0 also where a released class has nobody in the population: that register does not hold the released persons.

    >>> released = pl.DataFrame({"age": ["30-39", "40-49"]})
    >>> k_map(released, pl.DataFrame({"age": ["30-39", "30-39", "40-49", "40-49", "40-49"]}), ["age"])
    2
    """
    matched = matched_classes(table, population, quasi_identifiers, unit, population_unit, population_count)
    return int(matched.filter(pl.col(SAMPLE) > 0).select(pl.col(POPULATION).min()).item() or 0)


def matched_classes(
    table: Any,
    population: Any,
    quasi_identifiers: Sequence[str],
    unit: Any = None,
    population_unit: Any = None,
    population_count: str | None = None,
) -> pl.DataFrame:
    """One row per class of either table, with its persons in both as ``SAMPLE`` and ``POPULATION`` (0: none).

    Raises:
        UnknownAttribute: a table lacks a quasi-identifier.
        UnsupportedColumn: a quasi-identifier has types in the two tables that cannot be compared, or
            the counts are not whole numbers.
    """
    keys = list(quasi_identifiers)
    ours = as_frame(table, keys, unit)
    theirs = _people(population, keys, population_unit, population_count)
    if not keys:
        return pl.DataFrame({SAMPLE: [person_count(ours)], POPULATION: [theirs.select(_persons(theirs)).item() or 0]})
    ours, theirs = _comparable(ours, theirs, keys)
    in_sample = ours.group_by(keys).agg(_persons(ours).alias(SAMPLE))
    in_population = theirs.group_by(keys).agg(_persons(theirs).alias(POPULATION))
    matched = in_sample.join(in_population, on=keys, how="full", coalesce=True, nulls_equal=True)
    return matched.with_columns(pl.col(SAMPLE, POPULATION).fill_null(0))


def sizes_of_each_person(
    table: Any,
    population: Any,
    quasi_identifiers: Sequence[str],
    unit: Any = None,
    population_unit: Any = None,
    population_count: str | None = None,
) -> pl.Series:
    """For each released person the fewest population persons of a class they appear in; the order means nothing.

    A class counts at least its released persons: they exist, whether the register holds them or not.
    """
    keys = list(quasi_identifiers)
    matched = matched_classes(table, population, keys, unit, population_unit, population_count)
    size = pl.max_horizontal(SAMPLE, POPULATION).alias("size")
    if unit is None:
        return matched.select(size.repeat_by(pl.col(SAMPLE)).explode().drop_nulls())["size"]
    ours = as_frame(table, keys, unit)
    if not keys:
        return matched.select(size)["size"].new_from_index(0, person_count(ours))
    ours, _ = _comparable(ours, _people(population, keys, population_unit, population_count), keys)
    joined = ours.join(matched, on=keys, how="left", nulls_equal=True)
    return joined.group_by(UNIT).agg(size.min())["size"]


def _people(population: Any, keys: list[str], unit: Any, count: str | None) -> pl.DataFrame:
    """The population's quasi-identifiers, with the persons of each row as ``COUNT`` where it is a table of counts."""
    if count is None:
        return as_frame(population, keys, unit)
    frame = as_frame(population, [*keys, count], None)
    counts = frame[count]
    if not counts.dtype.is_integer() or counts.null_count() or bool((counts < 0).any()):
        raise UnsupportedColumn("counts of persons must be whole numbers from 0, none missing", attribute=count)
    return frame.select(keys).with_columns(counts.cast(pl.Int64).alias(COUNT))


def _persons(frame: pl.DataFrame) -> pl.Expr:
    if COUNT in frame.columns:
        return pl.col(COUNT).sum()
    return (pl.col(UNIT).n_unique() if UNIT in frame.columns else pl.len()).cast(pl.Int64)


def _comparable(ours: pl.DataFrame, theirs: pl.DataFrame, keys: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both tables with equal types of the quasi-identifiers: text, a common number type, or the type both have."""
    casts: dict[str, pl.DataType] = {}
    for name in keys:
        first, second = ours[name].dtype, theirs[name].dtype
        if all(_is_text(kind) for kind in (first, second)):
            casts[name] = pl.String()
        elif pl.Null in (first, second):
            casts[name] = second if first == pl.Null else first
        elif first.is_integer() and second.is_integer():
            casts[name] = pl.Int128()
        elif first.is_numeric() and second.is_numeric() and first != second:
            casts[name] = pl.Float64()
        elif first != second:
            raise UnsupportedColumn(
                f"a column of type {first} cannot be compared with one of type {second} in the population",
                attribute=name,
            )
    changes = [pl.col(name).cast(kind) for name, kind in casts.items()]
    return ours.with_columns(changes), theirs.with_columns(changes)


def _is_text(kind: pl.DataType) -> bool:
    return isinstance(kind, pl.String | pl.Categorical | pl.Enum)
