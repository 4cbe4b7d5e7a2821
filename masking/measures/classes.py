"""k-anonymity: every combination of quasi-identifiers belongs to at least k persons.

Source: Samarati and Sweeney, 1998; a measurement model in ISO/IEC 20889:2018. Null is a value of its own: two nulls
are equal. A person is a record unless ``unit`` tells records of one person apart: the name of a column, or an array
aligned with the records. Records whose unit is null count as one person, the cautious reading. Pure: reads a table,
returns numbers, changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl
import pyarrow as pa

from masking.measures.coding import persons_of_classes

RECORDS: Final = "records"
PERSONS: Final = "persons"
_SEEDS: Final = (61, 62, 63, 64)
UNIT: Final = "\0unit"
"""Name of the person column while measuring; no file format here can hold such a name."""


def equivalence_classes(table: Any, quasi_identifiers: Sequence[str], unit: Any = None) -> pl.DataFrame:
    """One row per class, smallest first: the quasi-identifiers, ``records`` and ``persons``.

    >>> equivalence_classes(pa.table({"age": [1, 1, 2]}), ["age"]).select("persons").to_series().to_list()
    [1, 2]
    """
    frame = as_frame(table, quasi_identifiers, unit)
    if not quasi_identifiers:
        totals = (
            {RECORDS: [frame.height], PERSONS: [person_count(frame)]} if frame.height else {RECORDS: [], PERSONS: []}
        )
        return pl.DataFrame(totals, schema={RECORDS: pl.UInt32, PERSONS: pl.UInt32})
    grouped = frame.group_by(list(quasi_identifiers), maintain_order=True).agg(
        pl.len().cast(pl.UInt32).alias(f"\0{RECORDS}"), _persons(frame).alias(f"\0{PERSONS}")
    )
    return grouped.sort(f"\0{PERSONS}", maintain_order=True).rename(
        {f"\0{n}": _free(n, grouped) for n in (RECORDS, PERSONS)}
    )


def k_anonymity(table: Any, quasi_identifiers: Sequence[str], unit: Any = None) -> int:
    """Persons in the smallest class; 0 for an empty table; without quasi-identifiers all persons are one class.

    >>> k_anonymity(pa.table({"age": [30, 30, None, None, None]}), ["age"])
    2
    """
    sizes = persons_of_classes(table, quasi_identifiers, unit)
    return int(sizes.min()) if len(sizes) else 0


def uniqueness(table: Any, quasi_identifiers: Sequence[str], unit: Any = None) -> float:
    """Share of persons who are alone in some class, in [0, 1]; 0 for an empty table."""
    smallest = smallest_class_of_each_person(table, quasi_identifiers, unit)
    return float((smallest == 1).to_numpy().mean()) if len(smallest) else 0.0


def uniqueness_all_columns(table: Any) -> float:
    """Share of records that no other record equals in every column: what an attacker who knows all of it could use."""
    frame = as_frame(table, None, None)
    if not frame.height or not frame.width:
        return 0.0
    # Nested columns cannot be grouped by everywhere; their text can.
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    frame = frame.with_columns(pl.Series(name, [str(value) for value in frame[name].to_list()]) for name in nested)
    # Two records that differ and share a hash of 64 bits look equal: among 10^7 records, less than one pair in 10^5.
    alone = frame.hash_rows(*_SEEDS).value_counts().filter(pl.col("count") == 1).height
    return alone / frame.height


def class_sizes(table: Any, quasi_identifiers: Sequence[str], unit: Any = None) -> pa.Array:
    """For each record the number of persons in its class (uint32), in the table's order.

    >>> class_sizes(pa.table({"age": [30, 41, 30]}), ["age"]).to_pylist()
    [2, 1, 2]
    """
    frame = as_frame(table, quasi_identifiers, unit)
    return _class_size_column(frame, quasi_identifiers).to_arrow().cast(pa.uint32())


def smallest_class_of_each_person(table: Any, quasi_identifiers: Sequence[str], unit: Any = None) -> pl.Series:
    """For each person the size of the smallest class they appear in; the order means nothing."""
    frame = as_frame(table, quasi_identifiers, unit)
    sizes = _class_size_column(frame, quasi_identifiers)
    if UNIT not in frame.columns:
        return sizes
    return frame.select(UNIT).with_columns(sizes.alias("size")).group_by(UNIT).agg(pl.col("size").min())["size"]


def as_frame(table: Any, columns: Sequence[str] | None, unit: Any) -> pl.DataFrame:
    """The named columns (None: all) of any table as a polars frame, with the person column as ``UNIT`` if given.

    Raises:
        UnknownAttribute: the table lacks a column.
    """
    frame = _to_polars(table)
    wanted = list(frame.columns if columns is None else columns)
    missing = set(wanted) - set(frame.columns)
    if isinstance(unit, str):
        missing |= {unit} - set(frame.columns)
    if missing:
        from masking.errors import UnknownAttribute

        raise UnknownAttribute.from_missing(missing, frame.columns)
    if unit is None:
        # A frame without columns forgets its height.
        return frame.select(wanted) if wanted else frame.select(pl.int_range(pl.len()).alias("\0row"))
    persons = frame[unit] if isinstance(unit, str) else _series(unit)
    return frame.select(wanted).with_columns(persons.alias(UNIT)) if wanted else persons.alias(UNIT).to_frame()


def person_count(frame: pl.DataFrame) -> int:
    """Distinct persons of a frame that ``as_frame`` made."""
    return int(frame[UNIT].n_unique()) if UNIT in frame.columns else frame.height


def _class_size_column(frame: pl.DataFrame, quasi_identifiers: Sequence[str]) -> pl.Series:
    if not quasi_identifiers:
        return pl.Series("size", [person_count(frame)], dtype=pl.UInt32).new_from_index(0, frame.height)
    return frame.select(_persons(frame).over(list(quasi_identifiers)).alias("size"))["size"]


def _persons(frame: pl.DataFrame) -> pl.Expr:
    return (pl.col(UNIT).n_unique() if UNIT in frame.columns else pl.len()).cast(pl.UInt32)


def _free(name: str, frame: pl.DataFrame) -> str:
    """``name``, or ``name_`` if the table has an attribute called so."""
    while name in frame.columns:
        name += "_"
    return name


def _series(unit: Any) -> pl.Series:
    if isinstance(unit, pl.Series):
        return unit
    if isinstance(unit, pa.Array | pa.ChunkedArray):
        converted = pl.from_arrow(unit)
        assert isinstance(converted, pl.Series)
        return converted
    return pl.Series(unit)


def _to_polars(table: Any) -> pl.DataFrame:
    if isinstance(table, pl.DataFrame):
        return table
    if isinstance(table, pl.LazyFrame):
        return table.collect()
    if not isinstance(table, pa.Table):
        from masking.table import as_reader

        reader, _ = as_reader(table)
        table = reader.read_all()
    if not table.num_columns:
        return pl.DataFrame()
    converted = pl.from_arrow(table)
    assert isinstance(converted, pl.DataFrame)
    return converted
