"""Gathering: items that lie close together become classes of k, blocks of them side by side.

The table is divided from the top into blocks of alike items; within a block a seed takes in, one after the other, the
item that lets its class keep the most, until it holds k records. Seeds are taken from the densest place on. All blocks
take the same step at once, so that each is one operation on columns. This is the greedy k-member clustering of Byun et
al. 2007 with the loss of generalization as its distance, made linear by blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from masking.recoding.items import Ints
from masking.recoding.local_paths import Floats, Gains, Nodes, Paths
from masking.recoding.search import Watch

Flags = npt.NDArray[np.bool_]
Worth = Callable[[Ints, Nodes, int], Floats]
_FILLED: Final = 1e-9
_TOGETHER: Final = 1 << 13
"""Pieces whose blocks take their steps together: their nodes stay in the cache."""


def gather(paths: Paths, item: Ints, weight: Ints, k: int, watch: Watch, *, block: int) -> Ints:
    """The class of each piece (``item``, ``weight`` records of it), -1 where fewer than ``k`` were left in a block.

    ``block``: pieces that are looked at together; time rises and loss falls with it.
    """
    label = np.full(len(item), -1, dtype=np.int64)
    blocks = blocks_of(paths, item, block, max(2 * k, block // 8))
    by_size = sorted(range(len(blocks)), key=lambda at: (-len(blocks[at]), at))
    classes = done = 0
    together = max(1, _TOGETHER // block)
    for start in range(0, len(by_size), together):
        watch.tell("gather", done / len(by_size))
        if watch.must_stop():
            break
        some = [blocks[at] for at in by_size[start : start + together]]
        done += len(some)
        places = padded(some)
        within, count = grown(paths, item, weight, places, k)
        starts = np.concatenate([[0], np.cumsum(count)])
        inside = (places >= 0) & (within >= 0)
        label[places[inside]] = classes + (within + starts[:-1, None])[inside]
        classes += int(starts[-1])
    return label


def padded(blocks: list[Ints]) -> Ints:
    """``[block, place]``: the blocks as rows, filled up with -1."""
    found = np.full((len(blocks), max(map(len, blocks))), -1, dtype=np.int64)
    for row, block in enumerate(blocks):
        found[row, : len(block)] = block
    return found


def blocks_of(paths: Paths, item: Ints, most: int, least: int, worth: Worth | None = None) -> list[Ints]:
    """Pieces in blocks of at most ``most`` of one cell, divided where a step gains most for each bit that it tells.

    Parts below ``least`` stay together as a rest of their own; small blocks that follow each other are put together.
    ``worth``: for pieces and their node, how much a gain counts in each node.
    """
    found: list[Ints] = []
    for cell in _parts(np.arange(len(item)), paths.cell[item]):
        small: list[Ints] = []
        for block in _divided(paths, item, cell, (most, least), worth):
            if sum(map(len, small)) + len(block) > most:
                found.append(np.concatenate(small))
                small = []
            small.append(block)
        if small:
            found.append(np.concatenate(small))
    return found


def _divided(paths: Paths, item: Ints, whole: Ints, sizes: tuple[int, int], worth: Worth | None) -> list[Ints]:
    most, least = sizes
    found: list[Ints] = []
    open_groups = [(whole, np.zeros(paths.steps, dtype=np.bool_))]
    while open_groups:
        group, done = open_groups.pop()
        if len(group) <= most:
            found.append(group)
            continue
        done = done.copy()
        best = _best_step(paths, item, group, done, least, worth)
        if best is None:
            found.extend(np.array_split(group, -(-len(group) // most)))
            continue
        step, nodes, kept = best
        done[step] = True
        large = kept[nodes]
        open_groups.extend((part, done) for part in _parts(group[large], nodes[large]))
        if not large.all():
            open_groups.append((group[~large], done))
    return found


def _best_step(
    paths: Paths, item: Ints, group: Ints, done: Flags, least: int, worth: Worth | None
) -> tuple[int, Nodes, Flags] | None:
    """The step that gains most for each bit that it tells, the node of each item there, and which nodes have ``least``.

    Steps that tell nothing of this group are noted as done.
    """
    best, found = -1.0, None
    open_steps = _next_steps(paths.attribute, done).tolist()
    while open_steps:
        step = open_steps.pop()
        nodes = paths.nodes[step][item[group]]
        counts = np.bincount(nodes)
        if counts.max() == len(group):
            done[step] = True
            if step + 1 < paths.steps and paths.attribute[step + 1] == paths.attribute[step] and not done[step + 1]:
                open_steps.append(step + 1)
            continue
        kept = counts >= least
        shares = counts[kept] / len(group)
        if not len(shares):
            continue
        rest = 1 - shares.sum()
        told = -(shares * np.log(shares)).sum() - (rest * np.log(rest) if rest > _FILLED else 0)
        gains = paths.gains[step][: len(kept)][kept] * shares
        if worth is not None:
            gains = gains * worth(group, nodes, len(kept))[kept]
        score = float(gains.sum() / told)
        if score > best:
            best, found = score, (step, nodes, kept)
    return found


def _next_steps(attribute: Ints, done: Flags) -> Ints:
    """The coarsest step of each attribute that was not taken yet."""
    left = np.flatnonzero(~done)
    _, first = np.unique(attribute[left], return_index=True)
    return np.asarray(left[first])


def _parts(places: Ints, codes: npt.NDArray[Any]) -> list[Ints]:
    order = np.argsort(codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    return np.split(places[order], cuts)


def grown(paths: Paths, item: Ints, weight: Ints, places: Ints, k: int) -> tuple[Ints, Ints]:
    """(class within its block of each place, -1 where none; how many each block has). ``places``: blocks as rows."""
    block = Block.of(paths, item, weight, places)
    label = np.full(places.shape, -1, dtype=np.int64)
    count = np.zeros(len(places), dtype=np.int64)
    active = np.arange(len(places))
    while True:
        enough = (block.weights * block.free).sum(axis=1) >= k
        if not enough.any():
            return label, count
        if not enough.all():
            active = active[enough]
            block = block.rows(enough)
        taken = block.next_class(k)
        label[active] = np.where(taken, count[active][:, None], label[active])
        count[active] += 1


@dataclass(frozen=True, eq=False)
class Block:
    """Blocks as rows: ``nodes[step, block, place]``; ``reach[step]``: gains of a node and of all above it."""

    nodes: npt.NDArray[Any]
    reach: Gains
    weights: Ints
    free: Flags
    rank: Gains
    attribute: Ints

    @classmethod
    def of(cls, paths: Paths, item: Ints, weight: Ints, places: Ints) -> Block:
        there = places >= 0
        items = item[np.where(there, places, 0)]
        wide = max((len(each) for each in paths.gains), default=0) >= 1 << 16
        nodes = np.empty((paths.steps, *places.shape), dtype=np.int32 if wide else np.uint16)
        reach = np.empty((paths.steps, *places.shape), dtype=np.float32)
        rank = np.zeros(places.shape, dtype=np.float32)
        rows = np.arange(len(places))[:, None]
        for step, gains in enumerate(paths.gains):
            here = paths.nodes[step][items]
            saved = gains[here]
            alike = np.bincount(
                (here + rows * len(gains)).ravel(), weights=there.ravel(), minlength=rows.size * len(gains)
            )
            rank += saved * alike[here + rows * len(gains)].astype(np.float32)
            nodes[step] = here
            reach[step] = saved
            if step and paths.attribute[step] == paths.attribute[step - 1]:
                reach[step] += reach[step - 1]
        return cls(nodes, reach, np.where(there, weight[places], 0), there, rank, paths.attribute)

    def rows(self, kept: Flags) -> Block:
        return Block(
            self.nodes[:, kept],
            self.reach[:, kept],
            self.weights[kept],
            self.free[kept],
            self.rank[kept],
            self.attribute,
        )

    def next_class(self, k: int) -> Flags:
        """One class of each block leaves it: which places are in it."""
        row = np.arange(len(self.free))
        seed = np.argmax(np.where(self.free, self.rank, -np.inf), axis=1)
        common = self._common(row, seed)
        kept = common[:, row, seed].copy()
        taken = np.zeros_like(self.free)
        size = np.zeros(len(row), dtype=np.int64)
        new, open_rows = seed, row
        while True:
            taken[open_rows, new] = True
            self.free[open_rows, new] = False
            size[open_rows] += self.weights[open_rows, new]
            kept[:, open_rows] = np.minimum(kept[:, open_rows], common[:, open_rows, new])
            open_rows = np.flatnonzero(size < k)
            if not len(open_rows):
                return taken
            near = np.minimum(common, kept[:, :, None]).sum(axis=0)
            new = np.argmax(np.where(self.free, near, -1.0), axis=1)[open_rows]

    def class_of(self, quota: Ints, value: Ints) -> Flags:
        """One class of each block with ``quota[block, value]`` records of each value: which places are in it.

        ``value``: that of each place; as many of it must be free. ``quota`` is used up.
        """
        row = np.arange(len(self.free))
        wanted = self.free & (np.take_along_axis(quota, value, axis=1) > 0)
        new = np.argmax(np.where(wanted, self.rank, -np.inf), axis=1)
        common = self._common(row, new)
        kept = common[:, row, new].copy()
        taken = np.zeros_like(self.free)
        left = quota.sum(axis=1)
        open_rows = row
        while True:
            taken[open_rows, new] = True
            self.free[open_rows, new] = False
            left[open_rows] -= 1
            quota[open_rows, value[open_rows, new]] -= 1
            kept[:, open_rows] = np.minimum(kept[:, open_rows], common[:, open_rows, new])
            open_rows = np.flatnonzero(left > 0)
            if not len(open_rows):
                return taken
            if len(open_rows) == len(row):
                near = np.minimum(common, kept[:, :, None]).sum(axis=0)
            else:
                near = np.minimum(common[:, open_rows], kept[:, open_rows, None]).sum(axis=0)
            some = value[open_rows]
            wanted = self.free[open_rows] & (np.take_along_axis(quota[open_rows], some, axis=1) > 0)
            new = np.argmax(np.where(wanted, near, -1.0), axis=1)

    def _common(self, row: Ints, seed: Ints) -> Gains:
        """``[attribute, block, place]``: gains of all nodes that the place shares with the seed."""
        used = np.flatnonzero(np.diff(self.attribute, prepend=-1))
        common = np.zeros((len(used), *self.free.shape), dtype=np.float32)
        for step in range(len(self.nodes)):
            place = int(np.searchsorted(used, step, side="right")) - 1
            same = self.nodes[step] == self.nodes[step][row, seed][:, None]
            np.copyto(common[place], self.reach[step][row, seed][:, None], where=same)
        return common
