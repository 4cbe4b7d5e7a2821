"""What a node of the lattice does to the items: their classes, and which of them are kept.

Items are counted as they are, or rolled up: once no finer level of an attribute can be part of the result, items that
its coarser level makes equal are one. Where persons have several records nothing is rolled up, for persons of two items
are not the sum of both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from masking.limits import Limits
from masking.recoding.closest import most_kept
from masking.recoding.items import Ints, Items, grouped
from masking.recoding.judge import Judge
from masking.recoding.weighing import LeafCounts

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
_ROOM: Final = 1 << 16
_TABLE: Final = 1 << 22  # cells of the largest table of classes by sensitive values
_REMEMBERED: Final = 1 << 24  # numbers that may be kept to be used again: 128 MiB


@dataclass(frozen=True, eq=False)
class Counted:
    """What a node does to the items.

    ``kept``: items in a class that meets the limits. ``lasting``: all of these, and those that a coarser node may keep
    though this one does not; an item that is not lasting is suppressed in every finer node. ``lost``: persons of the
    lasting ones that every finer node suppresses, whoever they are, at one item of their class (None: no bound).
    ``judged`` gives ``kept`` and how many ``classes`` that is; it is only asked of nodes that may be the result.
    """

    lasting: Flags
    judged: Callable[[], tuple[Flags, int]]
    lost: Ints | None = None

    @cached_property
    def _judged(self) -> tuple[Flags, int]:
        return self.judged()

    @property
    def kept(self) -> Flags:
        """Items in a class that meets the limits."""
        return self._judged[0]

    @property
    def classes(self) -> int:
        """How many classes are kept."""
        return self._judged[1]


class Classes:
    """Counts the classes of nodes that are nowhere finer than ``floor``."""

    def __init__(self, items: Items, limits: Limits, floor: Sequence[int] | None = None) -> None:
        self.items = items
        self.floor = tuple(floor or [0] * len(items.names))
        self.judge = Judge(items, limits)
        last = lasting(limits, sensitive=len(items.sensitive))
        self._lasting = Judge(items, last)
        self._all_last = last == limits
        sizes = [len(hierarchy.labels[0]) for hierarchy in items.hierarchies]
        # The halves of halves get attributes of many and of few values alike.
        self._order = tuple(sorted(range(len(sizes)), key=lambda place: -sizes[place]))
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[Ints, int]] = {}
        self._weights = items.weights.astype(np.float64)
        self.leaves = LeafCounts(items)

    def rolled_up(self, floor: Sequence[int]) -> Classes:
        """The same for nodes nowhere finer than ``floor``, over fewer items where that is possible."""
        if self.items.pairs is not None:
            return self
        items = rolled_up(self.items, floor)
        return Classes(items, self.judge.limits, floor) if len(items) < 0.8 * len(self.items) else self

    def counted(self, node: Sequence[int]) -> Counted:
        """The items that a node keeps, and what that says of finer nodes."""
        ids, room = self._numbered(node)
        if self.judge.by_size_alone and self.items.pairs is None and not self.judge.limits.needs_population:
            persons = np.bincount(ids, weights=self._weights, minlength=room)
            enough = persons >= self.judge.k
            good = enough[ids]
            return Counted(good, lambda: (good, int(np.count_nonzero(enough))))
        last = self._lasting.meets(ids, room)[ids]
        among = np.flatnonzero(last)
        some, first = grouped([ids[among]], [room], len(among))
        if self._all_last:
            return Counted(last, lambda: (last, len(first)))

        def judged() -> tuple[Flags, int]:
            kept = np.zeros(len(ids), dtype=np.bool_)
            met = self.judge.meets(some, len(first), among)
            kept[among] = met[some]
            return kept, int(np.count_nonzero(met))

        return Counted(last, judged, self._lost(some, among, among[first]))

    def _lost(self, ids: Ints, among: Ints, first: Ints) -> Ints | None:
        """Persons that t-closeness takes from each class in every finer node, at the first item of the class."""
        limit = self.judge.limits.t_closeness
        if limit is None or len(self.items.sensitive) != 1 or self.items.pairs is not None:
            return None
        (sensitive,) = self.items.sensitive
        if len(first) * sensitive.size > _TABLE:
            return None
        key = ids * sensitive.size + sensitive.codes[among]
        cells = np.bincount(key, weights=self._weights[among], minlength=len(first) * sensitive.size)
        counts: Floats = cells.astype(np.float64).reshape(len(first), sensitive.size)
        shares = np.bincount(sensitive.codes, weights=self._weights, minlength=sensitive.size)
        most = most_kept(counts, shares / max(1.0, shares.sum()), limit, sensitive)
        lost = np.zeros(len(self.items), dtype=np.int64)
        lost[first] = counts.sum(axis=1).astype(np.int64) - np.where(most >= self.judge.k, most, 0)
        return lost

    def _numbered(self, node: Sequence[int]) -> tuple[Ints, int]:
        """The class of each item, and a number above them all; not every number is a class."""
        key, room = self._joined(self._order, node)
        return (key, room) if room <= len(key) + _ROOM else _dense(key)

    def _part(self, places: tuple[int, ...], node: Sequence[int]) -> tuple[Ints, int]:
        """Classes by some attributes, numbered without gaps; remembered, for many nodes share them."""
        name = (places, tuple(node[place] for place in places))
        if name in self._known:
            return self._known[name]
        key, room = self._joined(places, node)
        found = (key, room) if room == 1 else _dense(key)
        if (len(self._known) + 1) * max(1, len(self.items)) > _REMEMBERED:
            self._known.clear()
        self._known[name] = found
        return found

    def _joined(self, places: tuple[int, ...], node: Sequence[int]) -> tuple[Ints, int]:
        """Halves joined, halves of halves before them: so a level that changes is joined a few times only."""
        if not places:
            return np.zeros(len(self.items), dtype=np.int64), 1
        if len(places) == 1:
            hierarchy, level = self.items.hierarchies[places[0]], node[places[0]]
            return hierarchy.codes[level][self.items.leaves[places[0]]].astype(np.int64), len(hierarchy.labels[level])
        left, lefts = self._part(places[::2], node)
        right, rights = self._part(places[1::2], node)
        if lefts == 1 or rights == 1:
            return (right, rights) if lefts == 1 else (left, lefts)
        return left * rights + right, lefts * rights


def lasting(limits: Limits, *, sensitive: int) -> Limits:
    """Those of the limits that a class still meets when it takes in one that does not meet them.

    They count: persons, and different values of one sensitive attribute. Entropy and recursive diversity of l mean l
    different values. Of several sensitive attributes each is judged among equal values of the others, and such a part
    may come with what is taken in.
    """
    different = [limits.distinct_l_diversity or 1]
    if limits.entropy_l_diversity is not None:
        different.append(int(np.ceil(limits.entropy_l_diversity - 1e-9)))
    if limits.recursive_cl_diversity is not None:
        different.append(limits.recursive_cl_diversity[1])
    return replace(
        limits,
        distinct_l_diversity=max(different) if sensitive == 1 and max(different) > 1 else None,
        entropy_l_diversity=None,
        recursive_cl_diversity=None,
        t_closeness=None,
        delta_presence=None,
    )


def rolled_up(items: Items, floor: Sequence[int]) -> Items:
    """Items that are equal at the levels of ``floor`` and in their sensitive values as one, with leaves of one of them.

    Their leaves are no longer what the table holds, but below the same node of ``floor``.
    """
    ids, count = items.classes(floor)
    ids, first = grouped(
        [ids, *(each.codes for each in items.sensitive)], [count, *(each.size for each in items.sensitive)], len(items)
    )

    def summed(numbers: Ints) -> Ints:
        return np.bincount(ids, weights=numbers, minlength=len(first)).astype(np.int64)

    return replace(
        items,
        leaves=tuple(leaves[first] for leaves in items.leaves),
        sensitive=tuple(replace(each, codes=each.codes[first]) for each in items.sensitive),
        weights=summed(items.weights),
        population=None if items.population is None else summed(items.population),
    )


def _dense(key: Ints) -> tuple[Ints, int]:
    """Numbers from 0 for the different keys, in the order in which they first occur."""
    encoded = pa.array(key).dictionary_encode()
    return np.asarray(encoded.indices.to_numpy(), dtype=np.int64), len(encoded.dictionary)
