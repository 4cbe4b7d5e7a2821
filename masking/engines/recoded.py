"""
Attributes that a search generalizes together, as a part of a plan.

A first pass codes the different combinations of the table (``Joint.coder``), the search decides on them, and from then
on every batch is recoded by itself: a record's combination says how far each of its attributes is generalized.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from masking.engines.composing import find_composed
from masking.errors import DataError, InvalidParameter, PolicyError
from masking.hierarchies import Hierarchy, as_hierarchy
from masking.limits import Limits
from masking.policy.model import MaskingPolicy
from masking.recoding.coder import ItemCoder
from masking.recoding.find import Kind, find
from masking.recoding.history import HISTORY, History
from masking.recoding.items import Items, Sensitive
from masking.recoding.result import Recoding
from masking.recoding.search import Watch, Wishes
from masking.report import RecodingReport
from masking.techniques.generalization.hierarchies import file_beside
from masking.techniques.generalization.recoding import Recoding as Rule

Ints = npt.NDArray[np.int64]
Columns = Mapping[str, pa.Array]
DIVIDED = -2
"""Stands for the first combination whose records go into several pieces; -3 for the second, and so on."""
_ROOM = 1 << 62
_SEEDS = (71, 72, 73, 74)


@dataclass(frozen=True)
class Joint:
    """What the policy says of the attributes under ``generalization.recoding``; ``found`` after the search."""

    rules: Mapping[str, Rule] = field(repr=False)
    sensitive: tuple[str, ...]
    unit: str | None
    limits: Limits
    kind: Kind
    trees: Mapping[str, Hierarchy] = field(default_factory=dict, repr=False)
    found: "Lookup | None" = None
    record: tuple[str, ...] = ()
    """Raw columns that tell records apart. With them a search may generalize records of one combination differently."""
    history: History | None = field(default=None, repr=False)
    """Of the stream's records, where earlier editions were shown: in the column ``HISTORY``."""

    @classmethod
    def of(
        cls, policy: MaskingPolicy, rules: Mapping[str, Rule], files: Path | None, history: History | None = None
    ) -> "Joint | None":
        """None if no attribute is recoded, or no limit asks for it."""
        if not policy.recoded:
            return None
        closeness = policy.limits.t_closeness
        trees = {} if closeness is None else closeness.hierarchies
        return cls(
            rules={name: rules[name] for name in policy.recoded},
            sensitive=policy.sensitive if policy.limits.needs_sensitive else (),
            unit=policy.unit,
            limits=policy.limits,
            kind=policy.recoding,
            trees={
                name: as_hierarchy(file_beside(given, files) if isinstance(given, str) else given)
                for name, given in trees.items()
            },
            record=policy.record if history is None else (),
            history=history,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes, in the policy's order."""
        return tuple(self.rules)

    def coder(self) -> ItemCoder:
        """What counts the combinations of a stream."""
        return ItemCoder(self.names, self.coded, self.unit is not None)

    @property
    def coded(self) -> tuple[str, ...]:
        """What tells records apart for the search beside the attributes themselves."""
        return self.sensitive if self.history is None else (*self.sensitive, HISTORY)

    def searched(self, coder: ItemCoder, watch: Watch) -> "Joint":
        """The same after the search.

        Raises:
            LimitsNotMet: no recoding meets the limits with the suppression that the policy allows.
            DataError: a hierarchy does not name every value.
            Cancelled: the watch said so.
        """
        if not coder.records:
            return replace(self, found=Lookup.empty(self.names, self.kind))
        items = self.items(coder)
        wishes = self.wishes(items)
        if self.history is None:
            recoding = find(items, self.limits, wishes, watch, kind=self.kind)
        else:
            recoding = find_composed(items, self.history, self.limits, wishes, watch, self.kind)
        return replace(self, found=Lookup.of(recoding, self.kind))

    def items(self, coder: ItemCoder) -> Items:
        """What was counted, with the hierarchies that the rules give.

        Raises:
            DataError: a hierarchy does not name every value.
        """
        return coder.items({name: partial(_hierarchy, name, rule) for name, rule in self.rules.items()}, self.trees)

    def wishes(self, items: Items) -> Wishes:
        """What the rules say of levels and weights."""
        hierarchies = dict(zip(items.names, items.hierarchies, strict=True))
        return Wishes(
            suppression=self.limits.suppression,
            weights={name: rule.weight for name, rule in self.rules.items()},
            levels={name: rule.range_of(hierarchies[name]) for name, rule in self.rules.items()},
            whole=not self.record,
        )

    @property
    def places(self) -> bool:
        """True if records have to be placed one by one before the first batch is masked."""
        return self.found is not None and self.found.places

    def pieces(self, columns: Columns, records: Columns) -> Ints:
        """The piece of each record, -1 for one that leaves.

        ``columns``: raw ones and masked sensitive ones; ``records``: those that tell records apart.
        """
        assert self.found is not None
        found = self.found.pieces(columns)
        if not self.found.divided or not (found <= DIVIDED).any():
            return found
        return self.found.placed_ones(found, _hashes(records, self.record))

    def held(self, columns: Columns, records: Columns) -> pl.DataFrame:
        """The records of divided combinations: which combination, and a hash that finds the record again."""
        assert self.found is not None
        found = self.found.pieces(columns)
        there = found <= DIVIDED
        hashes = _hashes(records, self.record)[there]
        return pl.DataFrame({"item": DIVIDED - found[there], "record": hashes})

    def placed(self, held: list[pl.DataFrame]) -> "Joint":
        """The same when every record of a divided combination has its piece.

        Raises:
            InvalidParameter: records that ``record`` does not tell apart.
        """
        assert self.found is not None
        return replace(self, found=self.found.placed(pl.concat(held) if held else None))

    def report(self) -> RecodingReport:
        """What the report says of the search."""
        return self.found.told if self.found is not None else RecodingReport(self.kind, 1.0)

    def cells(self, name: str, pieces: Ints) -> pa.Array:
        """What an attribute of each record becomes; text."""
        assert self.found is not None
        return self.found.nodes[name].take(pa.array(pieces))


@dataclass(frozen=True)
class Lookup:
    """From a record's combination to its piece, and from a piece to the text of each attribute. Holds no record."""

    hierarchies: Mapping[str, Hierarchy] = field(repr=False)
    sensitive: tuple[Sensitive, ...] = field(repr=False)
    keys: pl.DataFrame = field(repr=False)
    nodes: Mapping[str, pa.Array] = field(repr=False)
    told: RecodingReport
    """Figures of the search, never a value."""
    divided: tuple[tuple[tuple[int, int], ...], ...] = field(default=(), repr=False)
    """For each combination whose records differ: its pieces, and how many records each takes."""
    records: pl.DataFrame | None = field(default=None, repr=False)
    """The piece of each record of these, by a hash of what tells records apart; None before they are placed."""

    @property
    def places(self) -> bool:
        """True if records of divided combinations are not placed yet."""
        return bool(self.divided) and self.records is None

    @classmethod
    def of(cls, recoding: Recoding, kind: Kind) -> "Lookup":
        """From what a search found."""
        items = recoding.items
        pieces = np.full(len(items), -1, dtype=np.int64)
        pieces[recoding.item] = np.arange(len(recoding.item))
        parts = np.bincount(recoding.item, minlength=len(items)) + (recoding.gone > 0)
        several = np.flatnonzero(parts > 1)
        pieces[several] = DIVIDED - np.arange(len(several))
        divided = tuple(_pieces(recoding, several))
        hierarchies = dict(zip(items.names, items.hierarchies, strict=True))
        codes = [*items.leaves, *(each.codes for each in items.sensitive)]
        made = cls(
            hierarchies=hierarchies,
            sensitive=items.sensitive,
            keys=pl.DataFrame(),
            nodes={
                name: hierarchy.written(
                    items.leaves[place][recoding.item].astype(np.int32), recoding.levels[:, place].astype(np.int64)
                )
                for place, (name, hierarchy) in enumerate(hierarchies.items())
            },
            told=reported(recoding, kind),
            divided=divided,
        )
        keys = made._keys(codes).with_columns(pl.Series("piece", pieces))
        sensitive = tuple(replace(each, codes=each.codes[:0]) for each in items.sensitive)
        return replace(made, keys=keys, sensitive=sensitive)

    @classmethod
    def empty(cls, names: tuple[str, ...], kind: Kind) -> "Lookup":
        """For a table without records."""
        return cls(
            {}, (), pl.DataFrame(), {name: pa.array([], pa.string()) for name in names}, RecodingReport(kind, 1.0)
        )

    def pieces(self, columns: Columns) -> Ints:
        """The piece of each record.

        Raises:
            PolicyError: a combination that the search has not seen.
        """
        rows = len(next(iter(columns.values()))) if columns else 0
        if not rows:
            return np.zeros(0, dtype=np.int64)
        codes = [hierarchy.find(columns[name])[0].astype(np.int64) for name, hierarchy in self.hierarchies.items()]
        codes += [each.find(columns[each.name]) for each in self.sensitive]
        known = np.ones(rows, dtype=np.bool_)
        for each in codes:
            known &= each >= 0
        joined = self._keys(codes).join(self.keys, on=self.keys.columns[:-1], how="left", maintain_order="left")
        if not known.all() or joined["piece"].null_count():
            raise PolicyError("the table changed between two readings")
        return joined["piece"].to_numpy()

    def placed(self, held: pl.DataFrame | None) -> "Lookup":
        """With a piece for each record of ``held``: they are taken in the order of their hashes, never of the table."""
        empty = pl.DataFrame(schema={"record": pl.UInt64, "piece": pl.Int64})
        if held is None or not held.height:
            return replace(self, records=empty)
        if held["record"].n_unique() < held.height:
            raise InvalidParameter(
                "record: several records are alike in the columns that tell records apart; name more of them, or leave "
                "`record` out",
                parameter="record",
            )
        ordered = held.sort("item", "record")
        item = ordered["item"].to_numpy()
        rank = np.arange(len(item)) - np.searchsorted(item, item)
        counts = [count for parts in self.divided for _, count in parts]
        owner = np.repeat(np.arange(len(self.divided)), [len(parts) for parts in self.divided])
        ends = np.cumsum(counts)
        before = np.concatenate([[0], ends])[np.searchsorted(owner, np.arange(len(self.divided) + 1))]
        pieces = np.array([piece for parts in self.divided for piece, _ in parts], dtype=np.int64)
        within = before[item] + rank
        place = np.minimum(np.searchsorted(ends, within, side="right"), len(pieces) - 1)
        found = np.where(within < before[item + 1], pieces[place], -1)
        return replace(self, records=ordered.select("record").with_columns(pl.Series("piece", found)))

    def placed_ones(self, pieces: Ints, hashes: npt.NDArray[np.uint64]) -> Ints:
        """``pieces`` with those of divided combinations found record by record.

        Raises:
            PolicyError: a record that was not there when they were placed.
        """
        assert self.records is not None
        there = np.flatnonzero(pieces <= DIVIDED)
        wanted = pl.DataFrame({"record": hashes[there]})
        found = wanted.join(self.records, on="record", how="left", maintain_order="left")["piece"]
        if found.null_count():
            raise PolicyError("the table changed between two readings")
        made = pieces.copy()
        made[there] = found.to_numpy()
        return made

    def _keys(self, codes: list[Ints]) -> pl.DataFrame:
        """The codes of a record as few numbers as hold them."""
        sizes = [len(each.leaves) for each in self.hierarchies.values()] + [each.size for each in self.sensitive]
        keys: list[Ints] = []
        room = _ROOM
        for each, size in zip(codes, sizes, strict=True):
            if not keys or room > _ROOM // max(1, size):
                keys.append(np.zeros(len(each), dtype=np.int64))
                room = 1
            keys[-1] = keys[-1] * max(1, size) + each
            room *= max(1, size)
        return pl.DataFrame({f"k{place}": key for place, key in enumerate(keys)})


def _pieces(recoding: Recoding, several: Ints) -> Iterator[tuple[tuple[int, int], ...]]:
    """For each of these items its pieces with their counts; what leaves is no piece."""
    order = np.argsort(recoding.item, kind="stable")
    item = recoding.item[order]
    starts, ends = np.searchsorted(item, several), np.searchsorted(item, several, side="right")
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        places = order[start:end].tolist()
        yield tuple((place, int(recoding.count[place])) for place in places)


def _hashes(records: Columns, names: tuple[str, ...]) -> npt.NDArray[np.uint64]:
    """64 bits a record of the columns that tell records apart."""
    columns = []
    for name in names:
        column = records[name]
        series = pl.from_arrow(column.dictionary_decode() if pa.types.is_dictionary(column.type) else column)
        assert isinstance(series, pl.Series)
        columns.append(series.alias(name))
    return pl.DataFrame(columns).hash_rows(*_SEEDS).to_numpy()


def _hierarchy(name: str, rule: Rule, values: pa.Array) -> Hierarchy:
    if not len(values):  # nothing but nulls
        return Hierarchy.of([["*"]])
    try:
        return rule.hierarchy_of(values)
    except (DataError, PolicyError) as error:
        raise error.of(name) if hasattr(error, "of") else error from None


def reported(recoding: Recoding, kind: Kind) -> RecodingReport:
    """Figures of a recoding, for the internal report."""
    items = recoding.items
    released = max(1, int(recoding.count.sum()))
    levels = {}
    for place, name in enumerate(items.names):
        counts = np.bincount(recoding.levels[:, place], weights=recoding.count, minlength=items.heights[place] + 1)
        levels[name] = tuple(round(float(count) / released, 6) for count in counts)
    return RecodingReport(
        kind=kind,
        granularity=recoding.granularity(),
        suppressed_records=int(recoding.count[recoding.suppressed].sum()),
        left_records=int(recoding.gone.sum()),
        optimal=recoding.optimal,
        levels=levels,
        note=recoding.note,
    )
