"""The practice twin of an import: its own records, but with persons that occur in the practice data.

Sessions and dry runs join practice data, in which nobody of the real import occurs: the join would be empty and could
show nothing. So both meet the twin at the import's path. It is made of two things the members hold anyway, the import
and the practice table, and never of raw data; which persons match says nothing (PRIVACY.md 19).

Pure: tables in, a table out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import polars as pl
import pyarrow as pa

MATCHED_TENTHS: Final = 8
"""So many of ten persons of a twin occur in the practice data; the others keep their own keys."""
Columns: TypeAlias = Mapping[str, "pa.ChunkedArray"]
"""Columns of one table, row by row."""


def practice_twin(table: pa.Table, known: Sequence[Columns]) -> pa.Table:
    """``table`` with practice persons in place of its own.

    ``known``: for each practice table, the table's keys and the practice columns that stand for them. Persons are told
    apart by the key with the most values: each becomes one person of the practice data, eight of ten in order of first
    appearance, as long as there are any, and gets that person's other keys too, so that a join on several keys finds
    the same. By that key nobody becomes two and no two become one: who would keep a key that another one gets takes one
    that was given up. Nulls stay null.
    """
    for columns in known:
        own = pl.DataFrame({key: _text(table[key]) for key in columns})
        lead = max(columns, key=lambda key: own[key].n_unique())
        practice = pl.DataFrame({key: _text(values) for key, values in columns.items()})
        practice = practice.drop_nulls(lead).unique(lead, keep="first", maintain_order=True)
        persons = own[lead].drop_nulls().unique(maintain_order=True).to_list()
        matched = [person for place, person in enumerate(persons) if place % 10 < MATCHED_TENTHS][: len(practice)]
        for key in columns:
            twins = dict(zip(matched, practice[key].to_list(), strict=False))
            if key == lead:
                twins |= _swapped(persons, twins)
            table = _with(table, key, _replaced(own[lead], own[key], twins))
    return table


def practice_columns(
    keys: Sequence[str], practice: Mapping[str, Columns], identifiers: Mapping[str, Sequence[str]]
) -> list[Columns]:
    """The practice columns that stand for ``keys``, by practice table; a key without one is in none.

    A column of the key's name, from the table that has most of them; otherwise an identifier that stands for no other
    key, each table's person column first. ``practice``: table → columns. Never chosen by what matches in raw data.
    """
    names = {table: {name.casefold(): name for name in columns} for table, columns in practice.items()}
    wanted = [key.casefold() for key in keys]
    by_names = sorted(names, key=lambda table: -sum(key in names[table] for key in wanted))
    chosen: dict[str, tuple[str, str]] = {}
    for key in keys:
        table = next((table for table in by_names if key.casefold() in names[table]), None)
        if table is not None:
            chosen[key] = (table, names[table][key.casefold()])
    free = [
        (table, name)
        for table, own in identifiers.items()
        for name in own
        if name in practice.get(table, {}) and (table, name) not in chosen.values()
    ]
    chosen |= dict(zip([key for key in keys if key not in chosen], free, strict=False))
    return [
        {key: practice[table][chosen[key][1]] for key in keys if key in chosen and chosen[key][0] == table}
        for table in practice
        if any(table == place for place, _ in chosen.values())
    ]


def _swapped(persons: Sequence[str], twins: Mapping[str, str]) -> dict[str, str]:
    """Those who keep a key that was given to another one, with a key that was given up."""
    given = set(twins.values())
    free = [person for person in twins if person not in given]
    return dict(zip([person for person in persons if person not in twins and person in given], free, strict=False))


def _replaced(lead: pl.Series, own: pl.Series, twins: Mapping[str, str | None]) -> pl.Series:
    """``own`` with the twins' values, by the lead of each record."""
    made = lead.replace_strict(twins, default=None, return_dtype=pl.String) if twins else pl.Series([None] * len(own))
    frame = pl.DataFrame({"own": own, "made": made.cast(pl.String)})
    value = pl.when(pl.col("own").is_null()).then(None).otherwise(pl.coalesce("made", "own"))
    return frame.select(value.alias("value"))["value"]


def _with(table: pa.Table, key: str, values: pl.Series) -> pa.Table:
    """The table with that column in its own type; as it was where practice data write the identifier otherwise."""
    field = table.schema.field(key)
    try:
        made = values.to_arrow().cast(pa.string()).cast(field.type)
    except pa.ArrowInvalid:
        return table
    return table.set_column(table.schema.get_field_index(key), field, made)


def _text(values: pa.ChunkedArray) -> pl.Series:
    return pl.Series(pl.from_arrow(values)).cast(pl.String)
