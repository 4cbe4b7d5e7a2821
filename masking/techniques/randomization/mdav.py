"""
Groups of at least k near records: the grouping of microaggregation, in columns.

One column: the optimal partition (Hansen and Mukherjee, 2003) within pieces of the sorted column. Several: MDAV
(Domingo-Ferrer and Mateo-Sanz, 2002) within pieces of a k-d tree, for MDAV over all records costs n^2 / k distances.
Pieces of one length are worked on side by side, so that no loop runs over records. Up to one piece, both are exact.
"""

import math
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from masking.techniques.randomization.columns import Floats, Integers

SORTED_PIECE: Final = 2_048
"""Most records of a piece of one column, unless groups are larger than a sixteenth of it."""
TREE_PIECE: Final = 512
"""Most records of a piece of several columns, likewise."""
_IN_CACHE: Final = 1 << 15  # records of several columns that a core's cache holds

Grouping = Callable[[npt.NDArray[np.float64], int], Integers]


def groups(points: Floats, size: int) -> Integers:
    """
    Return the number of each record's group, counted from 0; every group has ``size`` to 2 ``size`` - 1 records.

    ``points``: records x columns, at least ``size`` records or none. Several columns are standardised.
    """
    count, columns = points.shape
    labels = np.zeros(count, dtype=np.int64)
    if not count:
        return labels
    if columns == 1:
        pieces: Iterator[Integers] = _sorted_pieces(points[:, 0], max(SORTED_PIECE, 16 * size))
        grouping: Grouping = optimal
        at_once = count
    else:
        spread = points.std(axis=0)
        points = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1)
        pieces = _tree_pieces(points, max(TREE_PIECE, 16 * size))
        grouping = mdav
        at_once = _IN_CACHE
    first = 0
    for rows in _side_by_side(pieces, at_once):
        found = grouping(points[rows], size)
        after = first + (found.max(axis=1) + 1).cumsum()
        labels[rows] = found + np.concatenate(([first], after[:-1]))[:, None]
        first = int(after[-1])
    return labels


def optimal(pieces: Floats, size: int) -> Integers:
    """
    Group sorted numbers with the least sum of squares.

    ``pieces``: pieces x records x 1, each sorted. Returns pieces x records.
    """
    values = np.ascontiguousarray((pieces[:, :, 0] - pieces.mean(axis=1)).T)  # records x pieces: rows are read at once
    length, many = values.shape
    start = np.zeros((1, many))
    sums = np.concatenate((start, values.cumsum(axis=0)))
    squares = np.concatenate((start, (values * values).cumsum(axis=0)))
    cost = np.full((length + 1, many), np.inf)
    cost[0] = 0
    last = np.zeros((length + 1, many), dtype=np.int64)  # where the group that ends here begins
    every = np.arange(many)
    for end in range(size, length + 1):
        begin = max(0, end - 2 * size + 1)
        begins = slice(begin, end - size + 1)
        inside = sums[end] - sums[begins]
        counts = (end - np.arange(begin, end - size + 1))[:, None]
        total = cost[begins] + (squares[end] - squares[begins] - inside * inside / counts)
        best = total.argmin(axis=0)
        cost[end] = total[best, every]
        last[end] = best + begin
    borders = np.zeros((length + 1, many), dtype=np.int64)
    ends = np.full(many, length)
    while ends.any():
        ends = last[ends, every]
        borders[ends, every] = 1
    borders[0] = 0
    return borders[:length].cumsum(axis=0).T


def mdav(pieces: Floats, size: int) -> Integers:
    """
    Group points by MDAV, each piece by itself; distances are Euclidean.

    ``pieces``: pieces x records x columns. Returns pieces x records.
    """
    many, length, _ = pieces.shape
    labels = np.full((many, length), -1, dtype=np.int64)
    every, group, left = np.arange(many), 0, length

    def make(center: npt.NDArray[np.int64]) -> None:
        nonlocal group, left
        distances = np.where(labels < 0, _squared(pieces, pieces[every, center]), np.inf)
        labels[_nearest(distances, size)] = group
        group, left = group + 1, left - size

    def farthest(point: Floats) -> npt.NDArray[np.int64]:
        return np.where(labels < 0, _squared(pieces, point), -1.0).argmax(axis=1)

    def mean() -> Floats:
        return np.asarray(np.einsum("prc,pr->pc", pieces, (labels < 0).astype(np.float64)) / left)

    while left >= 3 * size:
        extreme = farthest(mean())
        make(extreme)
        make(farthest(pieces[every, extreme]))
    if left >= 2 * size:
        make(farthest(mean()))
    labels[labels < 0] = group
    return labels


def _squared(pieces: Floats, points: Floats) -> Floats:
    difference = pieces - points[:, None, :]
    return np.asarray(np.einsum("prc,prc->pr", difference, difference))


def _nearest(distances: Floats, size: int) -> npt.NDArray[np.bool_]:
    """True for the ``size`` smallest of each row; of equal ones the first, on every machine."""
    border = np.partition(distances, size - 1, axis=1)[:, size - 1, None]
    nearer, equal = distances < border, distances == border
    return np.asarray(nearer | (equal & (equal.cumsum(axis=1) <= size - nearer.sum(axis=1, keepdims=True))))


def _sorted_pieces(values: Floats, most: int) -> Iterator[Integers]:
    """The sorted records in pieces whose lengths differ by at most one."""
    yield from np.array_split(np.argsort(values, kind="stable"), -(-len(values) // most))


def _tree_pieces(points: Floats, most: int) -> Iterator[Integers]:
    """Halves of halves across the widest column, until they are small; their lengths differ by at most one."""
    levels = max(0, math.ceil(math.log2(len(points) / most)))
    waiting = [(np.arange(len(points)), levels)]
    while waiting:
        rows, left = waiting.pop()
        if not left:
            yield rows
            continue
        inside = points[rows]
        order = rows[np.argsort(inside[:, inside.var(axis=0).argmax()], kind="stable")]
        half = len(rows) // 2
        waiting += [(order[half:], left - 1), (order[:half], left - 1)]


def _side_by_side(pieces: Iterator[Integers], at_once: int) -> Iterator[Integers]:
    """Stack pieces of one length, about ``at_once`` records: matrices of pieces x records."""
    waiting: dict[int, list[Integers]] = {}
    for rows in pieces:
        same = waiting.setdefault(len(rows), [])
        same.append(rows)
        if len(same) * len(rows) >= at_once:
            yield np.stack(waiting.pop(len(rows)))
    for same in waiting.values():
        yield np.stack(same)
