"""The loss of a recoding as ARX weighs it: how much of its detail each attribute loses, and one figure of them all.

The loss of an attribute is the mean share of its leaves that a cell covers, from 0 (every cell a leaf) to 1 (every cell
``*``; a suppressed record counts as that). ``geometric``: the geometric mean of 1 + weight x loss, less 1: ARX's "Loss"
with its default aggregate. ``arithmetic``: the mean of weight x loss. Weights are divided by the greatest.
Sources: Iyengar 2002 (loss metric); Prasser et al. 2020 and ARX 3.9.2 (``MetricMDNMLoss``).

Both are sums over attributes until the last step, so that a lattice of nodes is weighed by adding one vector an
attribute. Pure: numbers in, numbers out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from masking.errors import InvalidParameter
from masking.recoding.items import Ints, Items

Floats = npt.NDArray[np.float64]
Aggregate = Literal["geometric", "arithmetic"]
_TOGETHER: Final = 1 << 10
AGGREGATES: Final[tuple[Aggregate, ...]] = get_args(Aggregate)


class Loss:
    """Weighs generalizations of ``items``; ``weights[attribute]``: how much each counts.

    ``shares[attribute][level, leaf]``: what a leaf's node covers, if not as the hierarchies of the items say.

    Raises:
        InvalidParameter: an aggregate that is neither geometric nor arithmetic.
    """

    def __init__(
        self,
        items: Items,
        weights: Floats,
        aggregate: Aggregate = "geometric",
        shares: Sequence[Floats] | None = None,
    ) -> None:
        if aggregate not in AGGREGATES:
            raise InvalidParameter(f"loss is one of {list(AGGREGATES)}", parameter="loss")
        self.aggregate = aggregate
        self.weights = weights / max(float(weights.max(initial=0.0)), np.finfo(np.float64).tiny)
        self._records = max(1, items.records)
        self._covered = [_covered(each) for each in shares or [hierarchy.shares for hierarchy in items.hierarchies]]
        self.plain = [self._mean(place, counts) for place, counts in enumerate(LeafCounts(items).everything)]
        """``plain[attribute][level]``: its loss when it is generalized to a level and nothing is suppressed."""

    def with_suppressed(self, suppressed: Sequence[Floats]) -> list[Floats]:
        """``[attribute][level]``: the loss when records are suppressed, ``suppressed[attribute][leaf]`` of them."""
        return [
            self.plain[place] + counts.sum() / self._records - self._mean(place, counts)
            if len(counts) > 1
            else self.plain[place]
            for place, counts in enumerate(suppressed)
        ]

    def with_lost(self, losses: Sequence[Floats], node: Sequence[int], lost: Sequence[Floats]) -> list[Floats]:
        """The losses where besides records are suppressed of whom only a node is known, at no coarser levels.

        ``lost[attribute][leaf]``: records of whom one leaf of the node is given.
        """
        more = self.with_suppressed(lost)
        found = []
        for place, each in enumerate(losses):
            if len(lost[place]) == 1:
                found.append(each)
                continue
            # They lose what is above their node, or at a finer level what is above the widest node there.
            above = more[place][node[place]] - self.plain[place][node[place]]
            widest = self._covered[place].max(axis=1)
            found.append(each + np.maximum(above, lost[place].sum() / self._records * (1 - widest)))
        return found

    def parts(self, losses: Sequence[Floats]) -> list[Floats]:
        """What the losses of each attribute add to the sum; it rises with them."""
        many = max(1, len(losses))
        if self.aggregate == "geometric":
            return [np.log1p(each * weight) / many for each, weight in zip(losses, self.weights, strict=True)]
        return [each * weight / many for each, weight in zip(losses, self.weights, strict=True)]

    def total(self, summed: float) -> float:
        """The loss that a sum of parts stands for, in [0, 1]."""
        return float(np.expm1(summed)) if self.aggregate == "geometric" else float(summed)

    def of(self, losses: Floats) -> float:
        """The loss of a recoding whose attributes have these losses."""
        return self.total(float(sum(part[0] for part in self.parts([np.array([each]) for each in losses]))))

    def _mean(self, place: int, counts: Floats) -> Floats:
        # Not a matrix product: a linear algebra library would start threads that cost more than they save here.
        return np.einsum("lv,v->l", self._covered[place], counts) / self._records


class LeafCounts:
    """Counts how many records hold each leaf of each attribute; attributes of few leaves are counted together."""

    def __init__(self, items: Items) -> None:
        self._sizes = [len(hierarchy.codes[0]) for hierarchy in items.hierarchies]
        self._weights = items.weights.astype(np.float64)
        self._groups = _together(self._sizes)
        self._codes = []
        for places in self._groups:
            codes = np.zeros(len(items), dtype=np.int64)
            for place in places:
                codes = codes * self._sizes[place] + items.leaves[place]
            self._codes.append(codes)
        self.everything = self._counts(self._weights, None)
        """``[attribute][leaf]``: of all items."""

    def without(self, kept: npt.NDArray[np.bool_]) -> list[Floats]:
        """``[attribute][leaf]``: of the items that are not ``kept``; the fewer of both are counted."""
        out = np.flatnonzero(~kept)
        if 2 * len(out) <= len(kept):
            return self._counts(self._weights[out], out)
        inside = np.flatnonzero(kept)
        counts = self._counts(self._weights[inside], inside)
        return [whole - some for whole, some in zip(self.everything, counts, strict=True)]

    def of(self, records: Ints) -> list[Floats]:
        """``[attribute][leaf]``: of ``records[item]`` records of each item."""
        some = np.flatnonzero(records)
        return self._counts(records[some].astype(np.float64), some)

    def _counts(self, weights: Floats, among: Ints | None) -> list[Floats]:
        found: list[Floats] = [np.zeros(0)] * len(self._sizes)
        for places, codes in zip(self._groups, self._codes, strict=True):
            sizes = [self._sizes[place] for place in places]
            cells = np.bincount(codes if among is None else codes[among], weights=weights, minlength=math.prod(sizes))
            table = cells.astype(np.float64).reshape(sizes)
            for axis, place in enumerate(places):
                found[place] = table.sum(axis=tuple(other for other in range(len(places)) if other != axis))
        return found


def _together(sizes: Sequence[int]) -> list[list[int]]:
    """Attributes in groups of at most some combinations of leaves, the smallest first."""
    groups: list[list[int]] = []
    room = 1
    for place in sorted(range(len(sizes)), key=lambda each: sizes[each]):
        if not groups or room * sizes[place] > _TOGETHER:
            groups.append([])
            room = 1
        groups[-1].append(place)
        room *= max(1, sizes[place])
    return groups


def _covered(shares: Floats) -> Floats:
    """Shares scaled so that a leaf covers 0 and ``*`` covers 1; an attribute of one leaf has nothing to lose."""
    least = 1 / shares.shape[1]
    return np.maximum(0.0, (shares - least) / (1 - least)) if least < 1 else np.zeros_like(shares)
