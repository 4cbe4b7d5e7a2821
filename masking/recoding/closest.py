"""How many persons of a class can stay under t-closeness, however the class is divided.

Classes that are close are close together, for the distance is convex. So if any division of a class keeps some of its
parts, what is kept is a part of the class that is itself within t; the largest such part bounds what finer nodes keep.
The equal distance of m persons is 1 - sum(min(persons / m, share)), which is least where each value gives as many of
them as its share asks, or all that it has: m persons can be within t only if sum(min(count, share x m)) >= (1 - t) m,
which holds up to some m and never after it. The hierarchical distance is the mean of the equal distances over the
levels below ``*``, so there the sum runs over the nodes of all these levels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from masking.limits import Closeness
from masking.recoding.items import Ints, Sensitive

Floats = npt.NDArray[np.float64]
_NEAR = 1e-9


def most_kept(counts: Floats, shares: Floats, limit: Closeness, sensitive: Sensitive) -> Ints:
    """Persons of each class that can stay at most; ``counts``: classes x values, ``shares``: of the whole table.

    For the ordered distance all of them: there is no bound.
    """
    everyone = counts.sum(axis=1)
    most = everyone
    if limit.distance == "equal":
        most = np.minimum(everyone, _within(counts, shares, 1 - limit.t))
    elif limit.distance == "hierarchical" and sensitive.hierarchy is not None:
        merged, whole = [], []
        for codes in sensitive.hierarchy.codes[:-1]:
            order = np.argsort(codes, kind="stable")
            starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
            merged.append(np.add.reduceat(counts[:, order], starts, axis=1))
            whole.append(np.add.reduceat(shares[order], starts))
        if merged:
            need = (1 - limit.t) * len(merged)
            most = np.minimum(everyone, _within(np.hstack(merged), np.concatenate(whole), need))
    return np.floor(most + _NEAR).astype(np.int64)


def _within(counts: Floats, shares: Floats, need: float) -> Floats:
    """The greatest m with sum(min(count, share x m)) >= need x m; infinite if there is none greatest.

    The sum is linear between the m at which a value is used up, count / share; these are gone through in their order.
    """
    used_up = counts / np.where(shares > 0, shares, np.inf)
    order = np.argsort(used_up, axis=1, kind="stable")
    used_up = np.take_along_axis(used_up, order, axis=1)
    taken = np.take_along_axis(counts, order, axis=1).cumsum(axis=1)
    left = shares.sum() - shares[order].cumsum(axis=1)
    # Concave in m and 0 at 0: where it is still at least 0 the greatest m lies further on.
    there = taken + (left - need) * used_up >= -_NEAR
    last = np.where(there, np.arange(counts.shape[1]), -1).max(axis=1)
    at = np.maximum(last, 0)[:, None]
    slope = need - np.take_along_axis(left, at, axis=1)[:, 0]
    sum_taken = np.take_along_axis(taken, at, axis=1)[:, 0]
    ahead = np.where(slope > _NEAR, sum_taken / np.where(slope > _NEAR, slope, 1.0), np.inf)
    return np.where(last >= 0, ahead, 0.0)
