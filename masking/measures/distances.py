"""Distances between distributions: of each class to the whole table, and of a column before and after.

The earth mover's distance with three ground distances is that of Li, Li and Venkatasubramanian, "t-Closeness", 2007
(equal 4.1, ordered 4.2, hierarchical 4.3). All are computed on populated cells only, so their cost follows the records
and not classes times values. All lie in [0, 1].
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from masking.measures.histograms import Histogram

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.integer[Any]]


def equal_distances(histogram: Histogram) -> Floats:
    """For each class half the sum of |q - p|: every value is as far from every other."""
    # A value that the class lacks loses what the others gain, so gains alone tell.
    gained = histogram.shares - histogram.overall_shares[histogram.value_of]
    found = np.bincount(histogram.class_of, weights=np.maximum(gained, 0.0), minlength=len(histogram.totals))
    return found.astype(np.float64, copy=False)


def ordered_distances(histogram: Histogram, ranks: Whole) -> Floats:
    """For each class the mean over the steps between neighbouring values of the mass that crosses it.

    ``ranks``: the place of each value in the order, 0 … m - 1; the distance of two values is their difference of ranks
    over m - 1. One value alone: 0.
    """
    steps = int(ranks.max(initial=0))
    if not steps:
        return np.zeros(len(histogram.totals))
    rank = ranks[histogram.value_of]
    order = np.lexsort((rank, histogram.class_of))
    rank, counts = rank[order], histogram.counts[order]
    class_of = histogram.class_of
    table = np.cumsum(np.bincount(ranks, weights=histogram.overall_shares, minlength=steps + 1))
    table_sum = np.concatenate([[0.0], np.cumsum(table)])
    starts = np.searchsorted(class_of, np.arange(len(histogram.totals)))
    before = np.concatenate([[0], np.cumsum(counts)])
    reached = (before[1:] - before[starts][class_of]) / histogram.totals[class_of]
    # From its rank to that of the next cell the class's cumulated share stays; the table's crosses it at most once.
    ends = np.append(rank[1:], 0)
    ends[np.append(starts[1:], len(rank)) - 1] = steps + 1
    cross = np.clip(np.searchsorted(table, reached, side="right"), rank, ends)
    above = reached * (cross - rank) - (table_sum[cross] - table_sum[rank])
    below = (table_sum[ends] - table_sum[cross]) - reached * (ends - cross)
    moved = np.bincount(class_of, weights=above + below, minlength=len(histogram.totals))
    return np.asarray((moved + table_sum[rank[starts]]) / steps)


def hierarchical_distances(histogram: Histogram, nodes: list[Whole]) -> Floats:
    """For each class the mass that moves between the children of each node, weighed with the node's height.

    ``nodes``: for each level of a hierarchy, leaves first and the one root last, the node of each value. Two values
    are as far apart as the level of their lowest common node over the level of the root.
    """
    height = len(nodes) - 1
    found = np.zeros(len(histogram.totals))
    shares, overall = histogram.shares, histogram.overall_shares
    for level in range(1, height + 1):
        children, parents = nodes[level - 1], nodes[level]
        cells, at = _cells(histogram, children)
        gained = np.bincount(at, weights=shares) - np.bincount(children, weights=overall)[cells[1]]
        upper, up = _cells(histogram, parents)
        net = np.bincount(up, weights=shares) - np.bincount(parents, weights=overall)[upper[1]]
        # A child that the class lacks only loses, so the losses are the gains less the net change.
        gains = np.bincount(_first(up, at), weights=np.maximum(gained, 0.0), minlength=len(net))
        cost = np.minimum(gains, np.maximum(gains - net, 0.0)) * (level / height)
        found += np.bincount(upper[0], weights=cost, minlength=len(found))
    return found


def total_variation(p: Floats, q: Floats) -> float:
    """Half the sum of |p - q|: the greatest difference in the probability of any event."""
    return float(np.abs(p - q).sum() / 2)


def hellinger(p: Floats, q: Floats) -> float:
    """Hellinger distance: the root of one minus the sum of roots of p q."""
    return float(np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2))


def jensen_shannon(p: Floats, q: Floats) -> float:
    """Jensen-Shannon distance with base 2 (the root of the divergence); Endres and Schindelin, 2003."""
    middle = (p + q) / 2
    divergence = sum(float((each[each > 0] * np.log2(each[each > 0] / middle[each > 0])).sum()) / 2 for each in (p, q))
    return float(np.sqrt(min(max(divergence, 0.0), 1.0)))


def ordered_distance(p: Floats, q: Floats) -> float:
    """Earth mover's distance of two distributions over the same values in order, neighbours 1 / (m - 1) apart."""
    if len(p) < 2:
        return 0.0
    return float(np.abs(np.cumsum(p - q)[:-1]).sum() / (len(p) - 1))


def _cells(histogram: Histogram, nodes: Whole) -> tuple[tuple[Whole, Whole], Whole]:
    """Populated cells classes × nodes as (class, node), and the place among them of each cell of the histogram."""
    width = int(nodes.max(initial=0)) + 1
    found, at = np.unique(histogram.class_of * width + nodes[histogram.value_of], return_inverse=True)
    classes, of_node = np.divmod(found, width)
    return (classes, of_node), at


def _first(of_parent: Whole, of_child: Whole) -> Whole:
    """For each child cell the parent cell it belongs to."""
    parent = np.zeros(int(of_child.max(initial=-1)) + 1, dtype=np.int64)
    parent[of_child] = of_parent
    return parent
