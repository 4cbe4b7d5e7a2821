"""Trading: records whose class would keep more without them go where they fit, alone or for a record of that class.

A record is in the way where all others of its class share a node that it has not. Each such record is compared with
every class, as one that joins it (its own must be large enough to lose it) and as one that takes the place of a record
there. The trades that save most are done, one a class; then all is looked at again. No class falls below k, so this
is for limits that only ask for a number of records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from masking.recoding.items import Ints
from masking.recoding.local_join import numbered
from masking.recoding.local_paths import Gains, Nodes, Paths
from masking.recoding.search import Watch

Flags = npt.NDArray[np.bool_]
Trades = tuple[Ints, Ints, Ints]
_TURNS: Final = 8_000
"""Classes looked at in all turns: what a turn costs grows with them."""
_MOST_TURNS: Final = 3
_CELLS: Final = 1 << 22
"""Trades that are compared at once; where there are more, fewer are looked at."""
_PIECES: Final = 25_000
"""Larger tables are left as they are: what one record costs is little there."""
_IN_THE_WAY: Final = 0.05
"""What a record frees by leaving, beyond its own loss, in records that lose everything."""
_LOSSY: Final = 0.05
_KEPT: Final = 0.01
_LEAVING: Final = 1.75
_LEAST: Final = 1e-4


def traded(paths: Paths, k: int, item: Ints, count: Ints, label: Ints, watch: Watch) -> Ints:
    """The class of each piece (``item``, ``count`` records of it) after the trades; -1 stays.

    Every class has ``k`` records before and after.
    """
    if len(item) > _PIECES or not paths.steps or paths.cells > 1:
        return label
    label, classes = numbered(label)
    inside = np.flatnonzero(label >= 0)
    if not classes or watch.must_stop():
        return label
    changed = np.ones(classes, dtype=np.bool_)
    left = (np.zeros(0, dtype=np.int64),) * 3
    turns = max(1, min(_MOST_TURNS, _TURNS // classes))
    for turn in range(turns):
        watch.tell("trade", turn / turns)
        standing = _Standing.of(paths, item[inside], count[inside], label[inside], classes)
        new = standing.promising(k, changed)
        left = (
            np.concatenate([new[0], left[0]]),
            np.concatenate([new[1], left[1]]),
            np.concatenate([new[2], left[2]]),
        )
        one, other, goal = standing.best(left, k)
        if not len(one):
            break
        own = label[inside[one]]
        label[inside[one]] = goal
        swapped = other >= 0
        label[inside[other[swapped]]] = own[swapped]
        changed[:] = False
        changed[own] = changed[goal] = True
    return label


@dataclass(frozen=True, eq=False)
class _Standing:
    """How each piece stands in its class: ``[piece, step]`` arrays.

    ``others``: the node that all others of the class share, or -1; ``saved``: what that gains. ``shared`` and ``kept``
    are the same of whole classes, ``reach`` and ``reached`` of classes without the record that is in the way of each
    step. ``cost``: what a class loses. ``order``: pieces by class; ``starts``: of each class in it, and the end.
    """

    root: float
    label: Ints
    weight: Gains
    nodes: Nodes
    others: Nodes
    saved: Gains
    shared: Nodes
    kept: Gains
    reach: Nodes
    reached: Gains
    size: Gains
    cost: Gains
    order: Ints
    starts: Ints

    @classmethod
    def of(cls, paths: Paths, item: Ints, count: Ints, label: Ints, classes: int) -> _Standing:
        order = np.argsort(label, kind="stable")
        by_class = label[order]
        first = np.cumsum([0, *map(len, paths.gains[:-1])])  # nodes are numbered through all steps
        nodes = np.ascontiguousarray((paths.nodes[:, item[order]] + first[:, None]).T.astype(np.int32))
        gains = np.append(np.concatenate(paths.gains), np.float32(0))
        starts = np.searchsorted(by_class, np.arange(classes))
        others = np.full(nodes.shape, -1, dtype=np.int32)
        shared = np.full((classes, paths.steps), -1, dtype=np.int32)
        # The first and the last of a class are asked: if all but one are alike, one of the two is like the rest.
        for place in (starts, np.append(starts[1:], len(label)) - 1):
            like = nodes[place]
            away = nodes != like[by_class]
            many = np.add.reduceat(away, starts, axis=0, dtype=np.int32)
            alone = (many == 0)[by_class] | (away & (many == 1)[by_class])
            others = np.where(alone, like[by_class], others)
            shared = np.where(many == 0, like, shared)
        reach = np.maximum.reduceat(others, starts, axis=0)
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        nodes, others = nodes[back], others[back]
        size = np.bincount(label, weights=count, minlength=classes).astype(np.float32)
        kept = gains[shared]
        cost = size * np.float32(paths.root) - size * kept.sum(axis=1)
        weight = count.astype(np.float32)
        starts = np.append(starts, len(label))
        return cls(
            paths.root,
            label,
            weight,
            nodes,
            others,
            gains[others],
            shared,
            kept,
            reach,
            gains[reach],
            size,
            cost,
            order,
            starts,
        )

    def promising(self, k: int, changed: Flags) -> Trades:
        """Trades that save something now, where one of the classes is among those ``changed``."""
        loss = (self.cost / self.size)[self.label]
        size = self.size[self.label]
        freed = (size - self.weight) * (self.saved.sum(axis=1) - self.kept.sum(axis=1)[self.label])
        goal = np.flatnonzero(self.cost > _KEPT * self.size)
        most = _CELLS // max(1, len(goal))
        in_the_way = np.flatnonzero(freed > _IN_THE_WAY)
        in_the_way = in_the_way[np.argsort(-freed[in_the_way], kind="stable")][:most]
        leaving = np.flatnonzero((size - self.weight >= k) & (loss > _LOSSY))
        leaving = leaving[np.argsort(-loss[leaving], kind="stable")][: int(_LEAVING * most)]
        new = changed[self.label]
        found = [self._swaps(in_the_way[new[in_the_way]], goal), self._moves(leaving[new[leaving]], goal)]
        if not changed.all():
            found.append(self._swaps(in_the_way[~new[in_the_way]], goal[changed[goal]]))
            found.append(self._moves(leaving[~new[leaving]], goal[changed[goal]]))
        one, other, to = (np.concatenate(parts) for parts in zip(*found, strict=True))
        good = self.gains((one, other, to), k) > _LEAST
        return one[good], other[good], to[good]

    def _swaps(self, one: Ints, goal: Ints) -> Trades:
        """With each record of the classes that could save so much, were it without the record that is in the way."""
        a = self.label[one]
        there = _common(self.nodes[one], self.reach[goal], self.reached[goal], _ONE)
        bar = self.size * np.float32(self.root) - self.cost
        there *= self.size[goal]
        there += (self.size[a] * self.saved[one].sum(axis=1) - bar[a])[:, None]
        there -= bar[goal]
        row, column = np.nonzero(there > _LEAST)
        many = (self.starts[1:] - self.starts[:-1])[goal[column]]
        pair = np.repeat(np.arange(len(row)), many)
        within = np.arange(len(pair)) - np.repeat(np.cumsum(many) - many, many)
        return one[row[pair]], self.order[self.starts[goal[column[pair]]] + within], goal[column[pair]]

    def _moves(self, one: Ints, goal: Ints) -> Trades:
        a = self.label[one]
        there = _common(self.nodes[one], self.shared[goal], self.kept[goal], _ONE)
        left = (self.size[a] - self.weight[one]) * (self.root - self.saved[one].sum(axis=1))
        there -= np.float32(self.root)
        there *= self.size[goal] + _ONE
        there += self.cost[goal]
        there += (self.cost[a] - left)[:, None].astype(np.float32)
        row, column = np.nonzero(there > _LEAST)
        return one[row], np.full(len(row), -1), goal[column]

    def best(self, trades: Trades, k: int) -> Trades:
        """Those that save most, one a class."""
        one, other, goal = trades
        gain = self.gains(trades, k)
        goal = np.where(other >= 0, self.label[other], goal)
        own = self.label[one]
        good = np.flatnonzero(gain > _LEAST)
        good = good[np.lexsort((goal[good], other[good], one[good], -gain[good]))]
        used = np.zeros(len(self.size), dtype=np.bool_)
        taken = []
        for at, a, b in zip(good.tolist(), own[good].tolist(), goal[good].tolist(), strict=True):
            if not used[a] and not used[b]:
                used[a] = used[b] = True
                taken.append(at)
        return one[taken], other[taken], goal[taken]

    def gains(self, trades: Trades, k: int) -> Gains:
        """What each saves; minus infinity for one that may not be."""
        one, other, goal = trades
        swap = other >= 0
        goal = np.where(swap, self.label[other], goal)
        own = self.label[one]
        comes = np.where(swap, self.weight[other], 0)
        before = self.size[own] - self.weight[one] + comes
        after = self.size[goal] + self.weight[one] - comes
        known = np.where(swap[:, None], self.others[other], self.shared[goal])
        worth = np.where(swap[:, None], self.saved[other], self.kept[goal])
        there = np.where(known == self.nodes[one], worth, 0).sum(axis=1)
        fits = ~swap[:, None] | (self.others[one] == self.nodes[other])
        here = np.where(fits, self.saved[one], 0).sum(axis=1)
        gain = self.cost[own] + self.cost[goal] - before * (self.root - here) - after * (self.root - there)
        # A class that shares nothing is suppressed: none comes to be.
        good = (before >= k) & (after >= k) & (own != goal) & (here > 0) & (there > 0)
        return np.where(good, gain, -np.inf)


_ONE: Final = np.ones(1, dtype=np.float32)


def _common(rows: Any, columns: Any, of_columns: Gains, of_rows: Gains) -> Gains:
    """``[row, column]``: sum over the steps where both have the same node, of what the step counts: one product."""
    place = np.zeros(max(rows.max(initial=-1), columns.max(initial=-1)) + 2, dtype=np.int32)
    place[rows] = 1
    place[-1] = 0
    used = int(place.sum())
    # What no row has, and -1, falls into a last place that is not looked at.
    place = np.where(place > 0, np.cumsum(place) - 1, used)
    spread = []
    for nodes, worth in ((rows, of_rows), (columns, of_columns)):
        dense = np.zeros((len(nodes), used + 1), dtype=np.float32)
        dense[np.arange(len(nodes))[:, None], place[nodes]] = worth
        spread.append(dense[:, :-1])
    return np.asarray(spread[0] @ spread[1].T)
