"""The practice twin of an import: its own records, but with persons that occur in the practice data.

Sessions and dry runs join practice data, in which nobody of the real import occurs: the join would be empty and could
show nothing. So both meet the twin at the import's path. It is made of two things the members hold anyway, the import
and the practice table, and never of raw data; which persons match says nothing (PRIVACY.md 19).

Pure: tables in, a table out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import pyarrow as pa

MATCHED_TENTHS = 8
"""So many of ten persons of a twin occur in the practice data; the others keep their own keys."""


def practice_twin(table: pa.Table, keys: Sequence[str], known: Mapping[str, Sequence[object]]) -> pa.Table:
    """``table`` with the values of ``keys`` replaced by those of ``known``: key column → identifiers of practice data.

    Each person becomes one person of the practice data, eight of ten in order of first appearance, as long as there
    are any. Nobody becomes two: who would keep a key that another one gets takes a key that was given up. A key
    without practice identifiers stays.
    """
    for key in keys:
        values = list(dict.fromkeys(str(value) for value in known.get(key, ()) if value is not None))
        column = pl.Series("key", pl.from_arrow(table[key]))
        persons = column.drop_nulls().unique(maintain_order=True).to_list()
        chosen = [person for place, person in enumerate(persons) if place % 10 < MATCHED_TENTHS]
        twins = dict(zip(map(str, chosen), values, strict=False))
        if not twins:
            continue
        given = set(twins.values())
        free = [key for key in twins if key not in given]
        kept = [key for key in map(str, persons) if key not in twins and key in given]
        twins.update(zip(kept, free, strict=False))
        replaced = column.cast(pl.String).replace(twins)
        made = replaced.to_arrow().cast(pa.string())
        type_ = table.schema.field(key).type
        try:
            made = made.cast(type_)
        except pa.ArrowInvalid:  # the practice data writes its identifiers otherwise
            continue
        table = table.set_column(table.schema.get_field_index(key), table.schema.field(key), made)
    return table


def identifiers_for(
    key: str, practice: Mapping[str, Mapping[str, Sequence[object]]], identifiers: Mapping[str, Sequence[str]]
) -> Sequence[object]:
    """The practice identifiers that stand for ``key``: a column of its name, else the first dataset's person column.

    ``practice``: dataset → column → values. Never chosen by what matches in raw data.
    """
    for columns in practice.values():
        for name, values in columns.items():
            if name.casefold() == key.casefold():
                return values
    for dataset, names in identifiers.items():
        for name in names:
            if name in practice.get(dataset, {}):
                return practice[dataset][name]
    return ()
