"""A table as searches see it: each different combination of quasi-identifying and sensitive values once, with a count.

An item is what no generalization can tell apart and no limit needs to: records of one item are equal in every
quasi-identifier and every sensitive attribute. Searches work on items, never on records, so their cost follows the
different combinations and not the table. Items are sorted by their codes: nothing depends on the order of records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import DataError, InvalidParameter, UnknownAttribute
from masking.hierarchies import Hierarchy

Ints = npt.NDArray[np.int64]
_ROOM: Final = 1 << 62
_SMALL: Final = 1 << 14


@dataclass(frozen=True, eq=False)
class Sensitive:
    """A sensitive attribute: ``codes`` of the items, in the sorted order of its ``size`` values (null last)."""

    name: str
    codes: Ints
    size: int
    values: pa.Array
    """The values that the codes stand for, without null."""
    hierarchy: Hierarchy | None = None
    """For the hierarchical distance: its leaves in the order of ``codes``."""

    def find(self, column: pa.Array) -> Ints:
        """The code of each value of a column; -1 for a value that is none."""
        if self.hierarchy is not None:
            return self.hierarchy.find(column)[0].astype(np.int64)
        plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        null = len(self.values) if self.size > len(self.values) else -1
        codes = pc.if_else(pc.is_null(plain), null, pc.index_in(plain, value_set=self.values).fill_null(-1))
        return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Items:
    """``leaves[attribute][item]``: leaf codes; ``weights[item]``: records.

    ``pairs``: where persons have several records, the (item, person) pairs, each once; else every record is a person.
    """

    names: tuple[str, ...]
    hierarchies: tuple[Hierarchy, ...]
    leaves: tuple[Ints, ...]
    sensitive: tuple[Sensitive, ...]
    weights: Ints
    pairs: tuple[Ints, Ints] | None = None
    population: Ints | None = None
    """Persons of the population in each item, where a limit asks (items of weight 0 are nobody in the table)."""

    @classmethod
    def of(
        cls,
        table: pa.Table,
        hierarchies: Mapping[str, Hierarchy],
        sensitive: Sequence[str] = (),
        *,
        unit: str | None = None,
        trees: Mapping[str, Hierarchy] | None = None,
        counts: Ints | None = None,
    ) -> tuple[Items, Ints]:
        """The items of a table, and the item of each record.

        ``trees``: hierarchies of sensitive attributes, for the hierarchical distance. A quasi-identifier that holds
        nulls gets null as a leaf. Records without a ``unit`` count as one person, the cautious reading. ``counts``:
        how many records each row of the table stands for (None: one).

        Raises:
            UnknownAttribute: the table lacks a column.
            DataError: a hierarchy does not name every value of its column.
        """
        wanted = [*hierarchies, *sensitive, *([unit] if unit else [])]
        missing = set(wanted) - set(table.column_names)
        if missing:
            raise UnknownAttribute.from_missing(missing, table.column_names)
        used, leaves = [], []
        for name, hierarchy in hierarchies.items():
            column = table.column(name)
            whole = hierarchy.with_null() if column.null_count else hierarchy
            codes, unknown = whole.find(column)
            if unknown:
                raise DataError(
                    f"attribute {name!r}: the hierarchy does not name the values of {unknown} records "
                    f"(first record {int(np.argmax(codes < 0)) + 1})"
                )
            used.append(whole)
            leaves.append(codes.astype(np.int64))
        values = [_sensitive(name, table.column(name), (trees or {}).get(name)) for name in sensitive]
        sizes = [len(each.leaves) for each in used] + [each.size for each in values]
        of_record, first = grouped([*leaves, *(each.codes for each in values)], sizes, table.num_rows)
        pairs = None
        if unit is not None:
            person = table.column(unit).combine_chunks().dictionary_encode(null_encoding="encode").indices
            numbers = np.asarray(person.to_numpy(zero_copy_only=False), dtype=np.int64)
            people = int(numbers.max(initial=0)) + 1
            both = np.unique(of_record * people + numbers)
            pairs = (both // people, both % people)
        items = cls(
            names=tuple(hierarchies),
            hierarchies=tuple(used),
            leaves=tuple(codes[first] for codes in leaves),
            sensitive=tuple(replace(each, codes=each.codes[first]) for each in values),
            weights=np.bincount(of_record, weights=counts, minlength=len(first)).astype(np.int64),
            pairs=pairs,
        )
        return items, of_record

    def __len__(self) -> int:
        return len(self.weights)

    def with_population(self, population: pa.Table) -> tuple[Items, Ints]:
        """The same with the population that the table was drawn from, and the new place of each item.

        Items that only the population has are added with weight 0. Every person of the table is in the population.

        Raises:
            UnknownAttribute: the population lacks a quasi-identifier.
            DataError: a hierarchy does not name every value of its column; items are divided by sensitive values.
        """
        if self.sensitive or self.pairs is not None:
            raise InvalidParameter(
                "limits on a population are judged without sensitive attributes and `unit`", parameter="limits"
            )
        other, _ = Items.of(population, dict(zip(self.names, self.hierarchies, strict=True)))
        both = [np.concatenate([mine, theirs]) for mine, theirs in zip(self.leaves, other.leaves, strict=True)]
        sizes = [max(len(a.leaves), len(b.leaves)) for a, b in zip(self.hierarchies, other.hierarchies, strict=True)]
        ids, first = grouped(both, sizes, len(self) + len(other))
        here = np.concatenate([self.weights, np.zeros(len(other), dtype=np.int64)])
        there = np.concatenate([np.zeros(len(self), dtype=np.int64), other.weights])
        made = replace(
            self,
            hierarchies=other.hierarchies,
            leaves=tuple(codes[first] for codes in both),
            weights=np.bincount(ids, weights=here, minlength=len(first)).astype(np.int64),
            population=np.bincount(ids, weights=there, minlength=len(first)).astype(np.int64),
        )
        return made, ids[: len(self)]

    @property
    def records(self) -> int:
        """Records of the table."""
        return int(self.weights.sum())

    @property
    def heights(self) -> tuple[int, ...]:
        """The level of ``*`` of each attribute."""
        return tuple(hierarchy.height for hierarchy in self.hierarchies)

    def nodes(self, attribute: int, level: int) -> Ints:
        """The node of each item at a level."""
        return self.hierarchies[attribute].codes[level].astype(np.int64)[self.leaves[attribute]]

    def classes(self, levels: Sequence[int], among: Ints | None = None) -> tuple[Ints, int]:
        """The class of each item (or of those ``among``) when each attribute is generalized to its level; how many."""
        columns, sizes = [], []
        for place, level in enumerate(levels):
            hierarchy = self.hierarchies[place]
            if level == hierarchy.height:
                continue
            leaves = self.leaves[place] if among is None else self.leaves[place][among]
            columns.append(hierarchy.codes[level][leaves].astype(np.int64))
            sizes.append(len(hierarchy.labels[level]))
        rows = len(self) if among is None else len(among)
        ids, first = grouped(columns, sizes, rows)
        return ids, len(first)


def grouped(columns: Sequence[Ints], sizes: Sequence[int], rows: int) -> tuple[Ints, Ints]:
    """The group of each row, numbered in the order of the codes, and the first row of each group.

    ``sizes``: codes of a column are below it.
    """
    key = np.zeros(rows, dtype=np.int64)
    room = 1
    for codes, size in zip(columns, sizes, strict=True):
        if room > _ROOM // max(1, size):
            distinct, key = np.unique(key, return_inverse=True)
            room = len(distinct)
        key = key * size + codes
        room *= max(1, size)
    if room <= 4 * rows + _SMALL:
        # Few possible keys: a table of them is filled in one pass, nothing is sorted.
        first = np.full(room, -1, dtype=np.int64)
        first[key[::-1]] = np.arange(rows - 1, -1, -1)
        there = first >= 0
        return (np.cumsum(there) - 1)[key], first[there]
    _, first, ids = np.unique(key, return_index=True, return_inverse=True)
    return ids.astype(np.int64), first.astype(np.int64)


def _sensitive(name: str, column: pa.ChunkedArray, tree: Hierarchy | None) -> Sensitive:
    plain = column.combine_chunks()
    if pa.types.is_dictionary(plain.type):
        plain = plain.dictionary_decode()
    if tree is not None:
        whole = tree.with_null() if plain.null_count else tree
        codes, unknown = whole.find(plain)
        if unknown:
            raise DataError(f"attribute {name!r}: the hierarchy does not name the values of {unknown} records")
        return Sensitive(name, codes.astype(np.int64), len(whole.leaves), pa.array([], pa.string()), whole)
    values = pc.unique(plain).drop_null()
    values = values.take(pc.sort_indices(values))
    made = Sensitive(name, np.zeros(0, dtype=np.int64), len(values) + (plain.null_count > 0), values)
    return replace(made, codes=made.find(plain))
