"""What a search found: for each item how far each of its attributes is generalized, and the table that this gives.

Local recoding may divide the records of one item: some of them help a class to its size while the rest stays finer.
Which of them does is decided by what else the records hold, never by their order, so that the released table is the
same for any order of records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from masking.recoding.items import Ints, Items, grouped

Levels = npt.NDArray[np.uint8]
_SEEDS: Final = (41, 42, 43, 44)


@dataclass(frozen=True, eq=False)
class Recoding:
    """Pieces of items: ``count[piece]`` records of ``item[piece]`` are generalized to ``levels[piece]``.

    The counts of an item's pieces sum up to its weight, less what ``gone`` records of it leave. A piece whose levels
    are all the top is suppressed.
    """

    items: Items
    item: Ints
    count: Ints
    levels: Levels
    gone: Ints
    """Records of each item that leave the table, because even as suppressed ones they would break a limit."""
    optimal: bool = False
    """True if no other recoding of the same kind is less lossy."""
    note: str = ""
    """How it was found, for the report: never a value."""

    @property
    def suppressed(self) -> npt.NDArray[np.bool_]:
        """For each piece whether it holds ``*`` in every attribute."""
        return np.asarray((self.levels == np.array(self.items.heights, dtype=np.uint8)).all(axis=1))

    @property
    def suppressed_records(self) -> int:
        """Records with ``*`` in every attribute, and those that leave."""
        return int(self.count[self.suppressed].sum() + self.gone.sum())

    def classes(self) -> tuple[Ints, int]:
        """The class of each piece, as a reader of the table sees it: by the text of its cells; and how many."""
        columns, sizes = [], []
        for place, hierarchy in enumerate(self.items.hierarchies):
            names = [name for level in hierarchy.labels for name in level]
            number = {name: at for at, name in enumerate(dict.fromkeys(names))}
            starts = np.cumsum([0, *(len(level) for level in hierarchy.labels[:-1])])
            seen = np.array([number[name] for name in names], dtype=np.int64)
            leaves = self.items.leaves[place][self.item]
            levels = self.levels[:, place].astype(np.int64)
            columns.append(seen[np.stack(hierarchy.codes)[levels, leaves] + starts[levels]])
            sizes.append(len(number))
        ids, first = grouped(columns, sizes, len(self.item))
        return ids, len(first)

    def shares(self) -> npt.NDArray[np.float64]:
        """Mean share of the leaves that a cell of each attribute covers, over all records; those gone cover all."""
        records = max(1, self.items.records)
        found = []
        for place, hierarchy in enumerate(self.items.hierarchies):
            covered = hierarchy.shares[self.levels[:, place], self.items.leaves[place][self.item]]
            found.append((float(covered @ self.count) + float(self.gone.sum())) / records)
        return np.array(found)

    def granularity(self) -> float:
        """ARX's granularity: 1 for the untouched table, 0 for one of ``*`` alone.

        Shares are averaged over the attributes and then scaled, as ``masking.measures.granularity`` does.
        """
        if not self.items.hierarchies:
            return 1.0
        least = float(np.mean([1 / len(hierarchy.leaves) for hierarchy in self.items.hierarchies]))
        return 1 - (float(self.shares().mean()) - least) / (1 - least) if least < 1 else 1.0

    def pieces_of(self, of_record: Ints, table: pa.Table) -> Ints:
        """The piece of each record, -1 for one that leaves. ``of_record``: the item of each record."""
        parts = np.bincount(self.item, minlength=len(self.items)) + (self.gone > 0)
        first = np.zeros(len(self.items), dtype=np.int64)
        first[self.item[::-1]] = np.arange(len(self.item))[::-1]
        found = first[of_record]
        only_gone = (parts == 1) & (self.gone > 0)
        found[only_gone[of_record]] = -1
        divided = np.flatnonzero(parts[of_record] > 1)
        if len(divided):
            found[divided] = self._divided(of_record[divided], table.take(pa.array(divided)))
        return found

    def table(self, table: pa.Table, of_record: Ints, *, encoded: bool = False) -> pa.Table:
        """The released table: its quasi-identifiers generalized, records that leave gone, other columns as they are.

        ``encoded``: the generalized columns are dictionaries of text, which is quicker to count than text.
        """
        pieces = self.pieces_of(of_record, table)
        stay = pieces >= 0
        whole = bool(stay.all())
        kept = table if whole else table.filter(pa.array(stay))
        pieces, of_record = (pieces, of_record) if whole else (pieces[stay], of_record[stay])
        for place, name in enumerate(self.items.names):
            hierarchy = self.items.hierarchies[place]
            levels = self.levels[:, place].astype(np.int64)
            leaves = self.items.leaves[place][self.item]
            column = _cells(hierarchy, leaves, levels, pieces)
            column = column if encoded else column.dictionary_decode()
            kept = kept.set_column(kept.schema.get_field_index(name), pa.field(name, column.type), column)
        return kept

    def _divided(self, of_record: Ints, records: pa.Table) -> Ints:
        """Records of an item in the order of all that they hold; its pieces take them in their order."""
        frame = pl.from_arrow(records)
        assert isinstance(frame, pl.DataFrame)
        nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
        frame = frame.with_columns(pl.Series(name, [str(value) for value in frame[name].to_list()]) for name in nested)
        hashed = frame.hash_rows(*_SEEDS).to_numpy()
        order = np.lexsort((hashed, of_record))
        item = of_record[order]
        rank = np.arange(len(item)) - np.searchsorted(item, item)
        by_item = np.lexsort((np.arange(len(self.item)), self.item))
        ends = np.cumsum(self.count[by_item])
        owner = self.item[by_item]
        before = np.concatenate([[0], ends])[np.searchsorted(owner, np.arange(len(self.items) + 1))]
        place = np.searchsorted(ends, before[item] + rank, side="right")
        within = before[item] + rank < before[item + 1]
        found = np.full(len(of_record), -1, dtype=np.int64)
        found[order[within]] = by_item[place[within]]
        return found


def whole(items: Items, levels: Levels, *, gone: npt.NDArray[np.bool_] | None = None, **more: Any) -> Recoding:
    """A recoding that divides no item: ``levels`` (items by attributes), and which items leave."""
    stays = np.ones(len(items), dtype=np.bool_) if gone is None else ~gone
    return Recoding(
        items=items,
        item=np.flatnonzero(stays),
        count=items.weights[stays],
        levels=levels[stays],
        gone=np.where(stays, 0, items.weights),
        **more,
    )


def decoded(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """A table that ``Recoding.table`` encoded, with text instead of dictionaries in its generalized columns."""
    for name in names:
        place = table.schema.get_field_index(name)
        table = table.set_column(place, pa.field(name, pa.string()), table.column(place).cast(pa.string()))
    return table


def _cells(hierarchy: Any, leaves: Ints, levels: Ints, pieces: Ints) -> pa.DictionaryArray:
    """A column as a dictionary of nodes: no text is made a record."""
    starts = np.cumsum([0, *(len(level) for level in hierarchy.labels[:-1])])
    nodes = np.stack(hierarchy.codes)[levels, leaves] + starts[levels]
    names = [name for level in hierarchy.labels for name in level]
    number = {name: at for at, name in enumerate(name for name in dict.fromkeys(names) if name is not None)}
    of_name = np.array([number.get(name, -1) for name in names], dtype=np.int32)
    codes = of_name[nodes[pieces]]
    indices = pa.array(codes, mask=codes < 0) if (codes < 0).any() else pa.array(codes)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(number), pa.string()))
