"""Nodes of a lattice counted one by one: what each costs, what it says of finer ones, and which is the best so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from masking.limits import Limits
from masking.recoding.held import Held, held
from masking.recoding.items import Ints, Items
from masking.recoding.lattice import Lattice, Node
from masking.recoding.nodes import Classes, Counted, Flags
from masking.recoding.weighing import Floats, Loss

Accept = Callable[[Ints], bool]
EQUAL: Final = 1e-12
"""Sums of parts that differ by no more are equal."""
_CHEAPER: Final = 8


@dataclass(frozen=True, slots=True)
class Best:
    """The best node so far; of equal sums the one with fewer suppressed records, fewer classes, finer levels."""

    total: float
    suppressed: int
    classes: int
    node: Node

    def better_than(self, other: Best | None) -> bool:
        """True if this is to be taken instead."""
        if other is None or abs(self.total - other.total) > EQUAL:
            return other is None or self.total < other.total
        mine = (self.suppressed, self.classes, sum(self.node), self.node)
        return mine < (other.suppressed, other.classes, sum(other.node), other.node)


class Counter:
    """Counts nodes of ``items`` for ``limits``, at most ``allowed`` records suppressed.

    ``top``: the node whose records are all suppressed, where there is one. ``hold`` and ``accept``: as in the search.
    ``lattice``: what is told of finer nodes, where there is one.
    """

    def __init__(
        self,
        items: Items,
        limits: Limits,
        loss: Loss,
        allowed: int,
        top: Node | None,
        *,
        hold: bool,
        accept: Accept | None,
    ) -> None:
        self.items, self.limits, self.allowed, self.top = items, limits, allowed, top
        self.parts = loss.parts(loss.plain)
        self.lattice: Lattice | None = None
        self.best: Best | None = None
        self.counted = 0
        self.spent = 0
        """Items that were gone through, and bounds, which take less time."""
        self.fewest = items.records
        self._loss, self._hold, self._accept = loss, hold, accept
        self._whole = self._classes = Classes(items, limits)

    @property
    def bar(self) -> float:
        """Below this a sum is better than the best."""
        return math.inf if self.best is None else self.best.total - EQUAL

    def plain(self, node: Node) -> float:
        """What the generalization of a node alone adds up to."""
        return _sum(self.parts, node)

    def roll_up(self, floor: Node) -> None:
        """From now on no node is finer than ``floor`` anywhere."""
        self._classes = self._classes.rolled_up(floor)

    def give_up_the_lattice(self) -> None:
        """From now on nodes are counted wherever they are, and nothing is told of finer ones."""
        self.lattice, self._classes = None, self._whole

    def count(self, node: Node) -> tuple[int, float]:
        """Count a node: records suppressed beyond what is allowed, and its sum of parts (infinite if it can not win).

        Tells the lattice what that says of finer nodes, and remembers the node if it is the best.
        """
        self.counted += 1
        self.spent += len(self._classes.items) + (0 if self.lattice is None else self.lattice.size // _CHEAPER)
        found = self._classes.counted(node)
        items = self._classes.items
        least = self._tell_of_finer(node, found, items)
        if self.best is not None and least > self.bar + 2 * EQUAL:
            return 0, math.inf
        kept = np.zeros_like(found.kept) if node == self.top else found.kept
        suppressed = int(items.weights[~kept].sum())
        self.fewest = min(self.fewest, suppressed)
        if suppressed > self.allowed:
            return suppressed - self.allowed, math.inf
        total = self._total(self._classes, kept, node)
        if total <= self.bar + 2 * EQUAL:
            self._admit(Best(total, suppressed, 0 if node == self.top else found.classes, node))
        return 0, total

    def held(self, node: Node) -> tuple[Ints, int, Held]:
        """The classes of a node, how many, and what becomes of each item when the suppressed ones are held too."""
        ids, count = self.items.classes(node)
        kept = self._whole.counted(node).kept
        kept = np.zeros_like(kept) if node == self.top else kept
        return (
            ids,
            count,
            held(self.items, self.limits, ids, count, kept) if self._hold else Held(kept, np.zeros_like(kept)),
        )

    def _tell_of_finer(self, node: Node, found: Counted, items: Items) -> float:
        """Raise or close the nodes below; the sum that this one has at least."""
        if self.lattice is None:
            return 0.0
        self.lattice.done(node)
        surely = int(items.weights[~found.lasting].sum()) + (0 if found.lost is None else int(found.lost.sum()))
        # Classes that all meet the limits still do when they are merged: where nothing may be suppressed, no node
        # below one that suppresses is a result.
        if surely > self.allowed or (self.allowed == 0 and bool(items.weights[~found.kept].any())):
            self.lattice.close_below(node)
            return math.inf
        leaves = self._classes.leaves
        losses = self._loss.with_suppressed(leaves.without(found.lasting))
        if found.lost is not None:
            losses = self._loss.with_lost(losses, node, leaves.of(found.lost))
        parts = self._loss.parts(losses)
        self.lattice.raise_below(node, parts)
        return _sum(parts, node)

    def _admit(self, new: Best) -> None:
        """Take a node as the best if it is, also when what is suppressed is held to the limits."""
        if not new.better_than(self.best):
            return
        changes = self._hold and self.limits.t_closeness is not None
        if changes or self._accept is not None:
            ids, count, state = self.held(new.node)
            if changes:
                total = self._total(self._whole, state.kept, new.node)
                classes = len(np.unique(ids[state.kept]))
                new = Best(total, state.suppressed(self.items), classes, new.node)
                if new.suppressed > self.allowed or not new.better_than(self.best):
                    return
            if self._accept is not None and not self._accept(state.persons(self.items, self.limits, ids, count)):
                return
        # Of equal sums the least stands, so that the bar never rises: what was left out stays left out.
        self.best = new if self.best is None else replace(new, total=min(new.total, self.best.total))

    def _total(self, classes: Classes, kept: Flags, node: Node) -> float:
        """The sum of parts of a node when all but ``kept`` are suppressed."""
        return _sum(self._loss.parts(self._loss.with_suppressed(classes.leaves.without(kept))), node)


def _sum(parts: Sequence[Floats], node: Node) -> float:
    return math.fsum(float(part[level]) for part, level in zip(parts, node, strict=True))
