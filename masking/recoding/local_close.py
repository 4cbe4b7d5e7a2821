"""Gathering for t-closeness: each class draws its sensitive values by quotas that keep it near the whole table.

Blocks of alike items draw one class after the other. What a class draws follows what the block has too much of, as far
as t allows; within the quotas the nearest items are taken. What a block cannot place goes on to larger blocks, which
are divided so that what is gained is gained for records that can be placed there. In the manner of SABRE (Cao et al.
2011), with local generalization. The equal distance bounds the ordered and the hierarchical one from above, so quotas
for it serve all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from masking.recoding.items import Ints
from masking.recoding.local_gather import Block, Flags, blocks_of, padded
from masking.recoding.local_join import numbered
from masking.recoding.local_paths import Floats, Nodes, Paths
from masking.recoding.search import Watch

_FIRST: Final = 128
_TOGETHER: Final = 1 << 14
_HALVINGS: Final = 7
_STRICT: Final = 8
"""Power of the share of records that can be placed: how much blocks avoid what cannot."""
_TIGHT: Final = 0.8
_MOST: Final = 1000
_ROUNDING: Final = 0.4
_TURNS: Final = 3
_SERVE: Final = 3
_REOPENED: Final = 0.5
_NEAR: Final = 1e-12
_EVEN: Final = 2.0
"""Power by which a class takes more of what is left in excess in the whole table, so that the last can be placed."""


@dataclass(frozen=True, eq=False)
class _Draw:
    """How classes are drawn; ``urgent``: for each value how much more of it is left than its share of the table."""

    whole: Floats
    t: float
    sizes: tuple[int, ...]
    urgent: Floats


def gather_close(paths: Paths, item: Ints, value: Ints, whole: Floats, t: float, k: int, watch: Watch) -> Ints:
    """The class of each record (``item``, sensitive ``value``), -1 for those that could not be placed.

    ``whole``: the table's distribution of the value. Each class has at least ``k`` records within ``t`` of it.
    """
    label = np.full(len(item), -1, dtype=np.int64)
    sizes = _class_sizes(whole, t, k)
    if not sizes:
        return label
    best, least = label, np.inf
    block = _FIRST
    for _ in range(_TURNS):
        label = _placed(paths, item, value, label, (whole, t, sizes), block, watch)
        lost = _lost(paths, item, label)
        if lost >= least:
            break
        best, least = label, lost
        if (label >= 0).all() or watch.must_stop():
            break
        label = _reopened(paths, item, value, label, whole, t)
        block = max(_FIRST, int((label < 0).sum()) // 8)
    return best


def _placed(
    paths: Paths,
    item: Ints,
    value: Ints,
    label: Ints,
    near: tuple[Floats, float, tuple[int, ...]],
    block: int,
    watch: Watch,
) -> Ints:
    """Loose records drawn into classes, from blocks that double until one holds all that are left."""
    whole, t, sizes = near
    label = label.copy()
    while True:
        rest = np.flatnonzero(label < 0)
        if len(rest) < sizes[0] or watch.must_stop():
            return label
        watch.tell("gather", 1 - len(rest) / len(item))
        scarce = np.bincount(value[rest], minlength=len(whole)) / len(rest) / np.maximum(whole, _NEAR)
        draw = _Draw(whole, t, sizes, scarce**_EVEN)
        placed = _drawn(paths, item[rest], value[rest], draw, max(block, 2 * sizes[0]))
        label[rest] = np.where(placed >= 0, placed + label.max(initial=-1) + 1, -1)
        if block >= len(rest):
            return label
        block *= 2


def _lost(paths: Paths, item: Ints, label: Ints) -> float:
    inside = np.flatnonzero(label >= 0)
    names, classes = numbered(label[inside])
    losses = paths.losses(paths.shared(item[inside], names, classes))
    return float(losses[names].sum()) + paths.root * (len(label) - len(inside))


def _reopened(paths: Paths, item: Ints, value: Ints, label: Ints, whole: Floats, t: float) -> Ints:
    """As many of the coarsest classes let go of their records as bring all that is loose near the whole."""
    label, classes = numbered(label)
    inside = np.flatnonzero(label >= 0)
    losses = paths.losses(paths.shared(item[inside], label[inside], classes))
    order = np.argsort(-losses, kind="stable")
    width = len(whole)
    there = np.bincount(label[inside] * width + value[inside], minlength=classes * width).reshape(classes, width)
    loose = np.bincount(value[label < 0], minlength=width)
    sums = loose + np.cumsum(there[order], axis=0)
    far = np.maximum(sums / sums.sum(axis=1, keepdims=True) - whole, 0).sum(axis=1)
    near = np.flatnonzero(far <= t * _REOPENED)
    opened = np.zeros(classes + 1, dtype=np.bool_)
    opened[order[: near[0] + 1 if len(near) else classes]] = True
    return np.where(opened[label], -1, label)


def _class_sizes(whole: Floats, t: float, k: int) -> tuple[int, ...]:
    """The least size at which rounding to whole records costs little of ``t``, and two larger ones."""
    for size in range(max(k, 2), max(k, _MOST) + 1):
        _, good = quotas(np.round(whole * 1e6)[None, :], whole, t * _ROUNDING, size)
        if good[0]:
            return size, size * 3 // 2 + 1, size * 9 // 4 + 1
    return ()


def _drawn(paths: Paths, item: Ints, value: Ints, draw: _Draw, most: int) -> Ints:
    whole, t, sizes = draw.whole, draw.t, draw.sizes

    def placeable(group: Ints, nodes: Nodes, count: int) -> Floats:
        owner = nodes.astype(np.int64) * len(whole) + value[group]
        there = np.bincount(owner, minlength=count * len(whole)).reshape(count, len(whole))
        return np.asarray(placed_share(there, whole, t * _TIGHT) ** _STRICT)

    label = np.full(len(item), -1, dtype=np.int64)
    blocks = blocks_of(paths, item, most, max(2 * sizes[0], most // 8), placeable)
    by_size = sorted(range(len(blocks)), key=lambda at: (-len(blocks[at]), at))
    together = max(1, _TOGETHER // most)
    classes = 0
    for start in range(0, len(by_size), together):
        places = padded([blocks[at] for at in by_size[start : start + together]])
        within, count = _classes_of(paths, item, value, places, draw)
        inside = within >= 0
        label[places[inside]] = classes + within[inside]
        classes += count
    return label


def _classes_of(paths: Paths, item: Ints, value: Ints, places: Ints, draw: _Draw) -> tuple[Ints, int]:
    """The class of each place of the blocks, numbered through, and how many there are."""
    whole = draw.whole
    there = places >= 0
    block = Block.of(paths, item, np.ones_like(item), places)
    values = np.where(there, value[places], 0)
    owner = np.broadcast_to(np.arange(len(places))[:, None], places.shape)[there]
    pool = np.bincount(owner * len(whole) + values[there], minlength=len(places) * len(whole))
    pool = pool.reshape(len(places), len(whole))
    label = np.full(places.shape, -1, dtype=np.int64)
    active = np.arange(len(places))
    classes = 0
    quota = np.zeros_like(pool)
    turn = 0
    while True:
        # Quotas serve a few classes one after the other: what is left of a pool changes slowly.
        quota[(quota > pool).any(axis=1) | (turn % _SERVE == 0)] = 0
        turn += 1
        for size in draw.sizes:
            open_rows = np.flatnonzero(quota.sum(axis=1) == 0)
            found, good = quotas(pool[open_rows], whole, draw.t, size, draw.urgent)
            quota[open_rows[good]] = found[good]
        drawing = np.asarray(quota.any(axis=1))
        if not drawing.any():
            return label, classes
        if not drawing.all():
            active, pool, quota, values = active[drawing], pool[drawing], quota[drawing], values[drawing]
            block = block.rows(drawing)
        pool = pool - quota
        taken = block.class_of(quota.copy(), values)
        row, place = np.nonzero(taken)
        label[active[row], place] = classes + row
        classes += len(active)


def quotas(pool: Ints | Floats, whole: Floats, t: float, size: int, urgent: Floats | float = 1.0) -> tuple[Ints, Flags]:
    """``[block, value]``: ``size`` records of each pool, as its own shares are, but within ``t`` of the whole.

    The second says for which pools there are such quotas.
    """
    quota = np.zeros(pool.shape, dtype=np.int64)
    spent = np.zeros(len(pool))
    good = np.ones(len(pool), dtype=np.bool_)
    row = np.arange(len(pool))
    wanted = pool * urgent
    wanted = wanted / np.maximum(wanted.sum(axis=1, keepdims=True), _NEAR) * size
    for _ in range(size):
        more = np.maximum(0, (quota + 1) / size - whole) - np.maximum(0, quota / size - whole)
        can = (quota < pool) & (spent[:, None] + more <= t + _NEAR)
        best = np.argmax(np.where(can, wanted - quota, -np.inf), axis=1)
        good &= can[row, best]
        spent += more[row, best]
        quota[row, best] += 1
    return quota, good


def placed_share(there: Ints, whole: Floats, t: float) -> Floats:
    """Greatest share of the records of each row that classes within ``t`` of the whole can take in."""
    share = there / np.maximum(there.sum(axis=1, keepdims=True), 1)
    low, high = np.zeros(len(share)), np.ones(len(share))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fits = np.minimum(whole, share / middle[:, None]).sum(axis=1) >= 1 - t
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return np.where(np.minimum(whole, share).sum(axis=1) >= 1 - t, 1.0, low)
