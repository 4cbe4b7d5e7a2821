"""Joining: what meets no limit alone goes to the class that it makes worse by the least, if both meet the limits then.

Loose pieces and classes that break a limit are units; each tries the classes nearest to it, one after the other. A join
that would share no node at all is none: that is suppression, and is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from masking.recoding.items import Ints
from masking.recoding.judge import Judge
from masking.recoding.local_gather import blocks_of
from masking.recoding.local_paths import Floats, Paths
from masking.recoding.search import Watch

_TRIES: Final = 6
_PASSES: Final = 12
_PAIRS: Final = 1 << 19
"""Pairs of units and classes that are compared at once."""
_ALL_PAIRS: Final = 1 << 25
"""Above, units look for classes only among the records that lie near to them."""
_NEARBY: Final = 2048


def numbered(label: Ints) -> tuple[Ints, int]:
    """The same classes without gaps, in their order; -1 stays."""
    used = np.zeros(int(label.max(initial=-1)) + 2, dtype=np.int64)
    used[label] = 1
    used[-1] = 0
    names = np.append(np.cumsum(used[:-1]) - 1, -1)
    return names[label], int(used.sum())


def meets(judge: Judge, item: Ints, count: Ints, label: Ints, classes: int) -> np.ndarray:
    """For each class of pieces whether it meets the limits."""
    return judge.meets(label, classes, item, count)


def joined(
    paths: Paths, judge: Judge, item: Ints, count: Ints, label: Ints, watch: Watch, *, any_price: bool = False
) -> Ints:
    """The class of each piece after the joins; -1 for what found none. Every class meets the limits.

    ``any_price``: also where the class loses more by the join than suppression of the unit would.
    """
    for turn in range(_PASSES):
        watch.tell("join", turn / _PASSES)
        label, classes = numbered(label)
        inside = np.flatnonzero(label >= 0)
        good = meets(judge, item[inside], count[inside], label[inside], classes)
        unit = _units(label, good)
        loose = np.flatnonzero(unit >= 0)
        if not len(loose):
            return label
        settled = np.flatnonzero((label >= 0) & np.append(good, False)[label])
        label, found = _one_pass(paths, judge, item, count, label, (unit, loose, settled), any_price=any_price)
        if not found:
            break
    label, classes = numbered(label)
    inside = np.flatnonzero(label >= 0)
    good = meets(judge, item[inside], count[inside], label[inside], classes)
    return np.where((label >= 0) & np.append(good, False)[label], label, -1)


def _units(label: Ints, good: np.ndarray) -> Ints:
    """Number of the unit of each piece: a class that breaks a limit, or a loose piece; -1 for what is well."""
    bad = np.append(~good, True)
    unit = np.full(len(label), -1, dtype=np.int64)
    of_class = (label >= 0) & bad[label]
    names, numbers = np.unique(label[of_class], return_inverse=True)
    unit[of_class] = numbers
    alone = np.flatnonzero(label < 0)
    unit[alone] = len(names) + np.arange(len(alone))
    return unit


def _one_pass(
    paths: Paths,
    judge: Judge,
    item: Ints,
    count: Ints,
    label: Ints,
    places: tuple[Ints, Ints, Ints],
    *,
    any_price: bool,
) -> tuple[Ints, bool]:
    """Units join classes, then those left join each other."""
    unit, loose, settled = places
    units = int(unit.max()) + 1
    # Units stand behind the classes, so that a unit may also find another unit.
    both = np.concatenate([settled, loose])
    names, numbers = np.unique(label[settled], return_inverse=True)
    owner = np.concatenate([numbers, len(names) + unit[loose]])
    total = len(names) + units
    shared = paths.shared(item[both], owner, total)
    size = np.bincount(owner, weights=count[both], minlength=total).astype(np.float64)
    loss = paths.losses(shared)
    first = np.zeros(total, dtype=np.int64)
    first[owner[::-1]] = both[::-1]
    cell = paths.cell[item[first]]
    target, cost = _nearest(paths, item[first], shared, size, loss, cell, len(names), any_price=any_price)
    group = np.arange(total)
    taken = np.zeros(total, dtype=np.bool_)
    found = False
    for attempt in range(target.shape[1]):
        open_units = np.flatnonzero(~taken[len(names) :] & np.isfinite(cost[:, attempt]))
        order = open_units[np.argsort(cost[open_units, attempt], kind="stable")]
        goal = target[order, attempt]
        _, firsts = np.unique(goal, return_index=True)
        firsts = np.sort(firsts)
        order, goal = order[firsts], goal[firsts]
        free = ~taken[goal]
        order, goal = order[free], goal[free]
        clear = ~np.isin(goal, order + len(names))  # a unit that moves is nobody's goal
        order, goal = order[clear], goal[clear]
        if not len(order):
            continue
        trial = np.full(total, -1, dtype=np.int64)
        trial[goal] = np.arange(len(goal))
        trial[order + len(names)] = np.arange(len(goal))
        of_piece = trial[owner]
        inside = np.flatnonzero(of_piece >= 0)
        good = meets(judge, item[both[inside]], count[both[inside]], of_piece[inside], len(goal))
        # Two units that do not meet a limit yet may still be on the way to it.
        good |= (goal >= len(names)) & (attempt == target.shape[1] - 1)
        group[order[good] + len(names)] = goal[good]
        taken[order[good] + len(names)] = True
        taken[goal[good]] = True
        found = found or bool(good.any())
    label = label.copy()
    label[both] = group[owner]
    alone = np.bincount(group[owner], minlength=total)[group] == 1
    label[both[alone[owner] & (owner >= len(names))]] = -1
    return label, found


def _nearest(
    paths: Paths,
    item: Ints,
    shared: np.ndarray,
    size: Floats,
    loss: Floats,
    cell: Ints,
    classes: int,
    *,
    any_price: bool,
) -> tuple[Ints, Floats]:
    """``[unit, try]``: the cheapest goals of each unit among classes and units, and what the join would cost."""
    total = len(size)
    units = total - classes
    tries = min(_TRIES, total)
    target = np.zeros((units, tries), dtype=np.int64)
    cost = np.full((units, tries), np.inf)
    saved = paths.saved(shared)
    for rows, goals in _compared(paths, item, units, classes):
        near = np.zeros((len(rows), len(goals)), dtype=np.float32)
        for step in range(paths.steps):
            same = shared[step][rows + classes][:, None] == shared[step][goals][None, :]
            near += same * saved[step][goals][None, :]
        own = size[rows + classes][:, None]
        price = (size[goals] + own) * (paths.root - near) - size[goals] * loss[goals]
        bounded = bool(paths.cells > 1)
        limit = np.inf if any_price else own * paths.root
        away = (near <= 0) & (not bounded) | (price > limit)
        away |= goals[None, :] == (rows + classes)[:, None]
        if bounded:
            away |= cell[goals][None, :] != cell[rows + classes][:, None]
        price[away] = np.inf
        many = min(tries, len(goals))
        best = np.argpartition(price, many - 1, axis=1)[:, :many]
        prices = np.take_along_axis(price, best, axis=1)
        order = np.argsort(prices, axis=1, kind="stable")
        target[rows, :many] = goals[np.take_along_axis(best, order, axis=1)]
        cost[rows, :many] = np.take_along_axis(prices, order, axis=1)
    return target, cost


def _compared(paths: Paths, item: Ints, units: int, classes: int) -> Iterator[tuple[Ints, Ints]]:
    """Which units are compared with which goals, a bounded number of pairs at once."""
    total = units + classes
    far = units * total > _ALL_PAIRS
    blocks = blocks_of(paths, item, _NEARBY, _NEARBY // 8) if far else [np.arange(total)]
    for block in map(np.sort, blocks):
        rows = block[block >= classes] - classes
        step = max(1, _PAIRS // max(1, len(block)))
        for start in range(0, len(rows), step):
            yield rows[start : start + step], block
