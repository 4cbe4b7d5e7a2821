"""Items of a stream: its different combinations are counted batch by batch, so memory follows them, not the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from masking.hierarchies import Hierarchy
from masking.recoding.items import Ints, Items

HierarchyOf = Callable[[pa.Array], Hierarchy]
_COUNT = "\0n"
_UNIT = "\0u"
_COMPACT_ROWS = 1 << 20
_SEEDS = (51, 52, 53, 54)


@dataclass
class _Column:
    """Values seen so far, each with its number."""

    known: pa.Array | None = None

    def codes(self, column: pa.Array) -> pl.Series:
        """The number of each value, null for null; new values are added."""
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        values = encoded.dictionary
        if self.known is None:
            self.known = pa.array([], values.type)
        new = values.filter(pc.invert(pc.is_in(values, value_set=self.known))).drop_null()
        if len(new):
            self.known = pa.concat_arrays([self.known, pc.unique(new)])
        numbers = pc.index_in(values, value_set=self.known).take(encoded.indices)
        series = pl.from_arrow(numbers)
        assert isinstance(series, pl.Series)
        return series


@dataclass
class ItemCoder:
    """Counts the combinations of quasi-identifiers, sensitive values and persons of a stream."""

    quasi_identifiers: Sequence[str]
    sensitive: Sequence[str] = ()
    unit: bool = False
    records: int = 0
    _columns: dict[str, _Column] = field(default_factory=dict)
    _pending: list[pl.DataFrame] = field(default_factory=list)
    _waiting: int = 0
    _limit: int = _COMPACT_ROWS

    def add(self, columns: Mapping[str, pa.Array], persons: pa.Array | None = None) -> None:
        """Count a batch; ``persons`` tells records of one person apart from others', null is one person."""
        names = [*self.quasi_identifiers, *self.sensitive]
        coded = {name: self._columns.setdefault(name, _Column()).codes(columns[name]).alias(name) for name in names}
        frame = pl.DataFrame(list(coded.values()))
        if self.unit:
            assert persons is not None
            plain = persons.dictionary_decode() if pa.types.is_dictionary(persons.type) else persons
            series = pl.from_arrow(plain)
            assert isinstance(series, pl.Series)
            frame = frame.with_columns(series.hash(*_SEEDS).alias(_UNIT))
        self.records += frame.height
        counted = frame.group_by(frame.columns).agg(pl.len().cast(pl.Int64).alias(_COUNT))
        self._pending.append(counted)
        self._waiting += counted.height
        if self._waiting > self._limit:
            self._limit = max(_COMPACT_ROWS, 2 * self._counted().height)

    def items(self, hierarchy_of: Mapping[str, HierarchyOf], trees: Mapping[str, Hierarchy] | None = None) -> Items:
        """The items of all that was added; ``hierarchy_of`` gives a quasi-identifier's hierarchy from its values.

        Raises:
            DataError, InvalidParameter: as ``Items.of`` and the hierarchies themselves.
        """
        counted = self._counted()
        table, hierarchies = {}, {}
        for name in [*self.quasi_identifiers, *self.sensitive]:
            known = self._columns[name].known if name in self._columns else None
            known = pa.array([], pa.string()) if known is None else known
            table[name] = pa.DictionaryArray.from_arrays(counted[name].cast(pl.Int32).to_arrow(), known)
            if name in hierarchy_of:
                hierarchies[name] = hierarchy_of[name](known)
        if self.unit:
            table[_UNIT] = counted[_UNIT].alias("u").to_arrow()
        counts: Ints = counted[_COUNT].to_numpy().astype(np.int64)
        unit = _UNIT if self.unit else None
        return Items.of(pa.table(table), hierarchies, self.sensitive, unit=unit, trees=trees, counts=counts)[0]

    def _counted(self) -> pl.DataFrame:
        if len(self._pending) > 1:
            whole = pl.concat(self._pending)
            keys = [name for name in whole.columns if name != _COUNT]
            self._pending = [whole.group_by(keys).agg(pl.col(_COUNT).sum())]
        if not self._pending:
            names = [*self.quasi_identifiers, *self.sensitive]
            kinds = {**dict.fromkeys(names, pl.UInt32), **({_UNIT: pl.UInt64} if self.unit else {}), _COUNT: pl.Int64}
            self._pending = [pl.DataFrame(schema=kinds)]
        self._waiting = self._pending[0].height
        return self._pending[0]
