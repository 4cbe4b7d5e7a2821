"""Which classes meet the limits: the one judge that every search asks.

Works on items grouped into classes, all at once. What it says is checked again on the finished table by
``masking.measures.proof``, which shares no code with it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from masking.errors import InvalidParameter
from masking.limits import Closeness, Limits
from masking.recoding.items import Ints, Items, Sensitive, grouped

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
_NEAR: Final = 1e-12
"""Rounding of sums of shares; a limit that is met exactly is met."""


class Judge:
    """Judges classes of ``items`` by the ``limits`` that each class must meet.

    A class that meets them still does when it takes in another that does: k and distinct l count, the others are convex
    (Machanavajjhala et al. 2007; Li et al. 2007). Adding a class that does not may break all but k. A limit of the
    whole table (``Limits.of_the_table``) is the caller's to look at.

    ``released``: weights of the items in the table that will be seen, for t-closeness (None: all items).
    """

    def __init__(self, items: Items, limits: Limits, *, released: Ints | None = None) -> None:
        if limits.needs_sensitive and not items.sensitive:
            raise InvalidParameter(f"{limits.needs_sensitive[0]} needs a sensitive attribute", parameter="sensitive")
        _check_orders(items, limits)
        self.items = items
        self.limits = limits
        self.k = limits.least_class
        weights = items.weights if released is None else released
        there = np.flatnonzero(weights)
        self._shares = [
            _share(self.persons(each.codes[there], each.size, there, weights[there])) for each in items.sensitive
        ]

    @property
    def by_size_alone(self) -> bool:
        """True if the number of persons decides: then it only rises as classes merge."""
        return not self.limits.needs_sensitive

    def persons(self, ids: Ints, count: int, among: Ints | None = None, weights: Ints | None = None) -> Ints:
        """Persons in each of ``count`` classes; ``ids``: the class of each item (or of those ``among``).

        ``weights``: records of each of them that count; where persons have several records, items count whole.
        """
        if self.items.pairs is None:
            if weights is None:
                weights = self.items.weights if among is None else self.items.weights[among]
            return np.bincount(ids, weights=weights, minlength=count).astype(np.int64)
        item, person = self.items.pairs
        of_item = np.full(len(self.items), -1, dtype=np.int64)
        of_item[np.arange(len(self.items)) if among is None else among] = ids
        owner = of_item[item]
        there = owner >= 0
        people = int(person.max(initial=0)) + 1
        distinct = np.unique(owner[there] * people + person[there])
        return np.bincount(distinct // people, minlength=count).astype(np.int64)

    def meets(self, ids: Ints, count: int, among: Ints | None = None, weights: Ints | None = None) -> Flags:
        """For each of ``count`` classes whether it meets every limit; an empty class does."""
        persons = self.persons(ids, count, among, weights)
        good = (persons >= self.k) | (persons == 0)
        if self.limits.needs_population:
            good &= self._population_meets(ids, count, among, persons)
        if self.by_size_alone or not good.any():
            return good
        for place, sensitive in enumerate(self.items.sensitive):
            good &= self._sensitive_meets(place, sensitive, ids, count, among, weights)
        return good

    def _population_meets(self, ids: Ints, count: int, among: Ints | None, persons: Ints) -> Flags:
        if self.items.population is None:
            raise InvalidParameter(f"{self.limits.needs_population[0]} needs the population", parameter="population")
        everyone = self.items.population if among is None else self.items.population[among]
        sizes = np.bincount(ids, weights=everyone, minlength=count)
        good = np.ones(count, dtype=np.bool_)
        if self.limits.k_map is not None:
            good &= (sizes >= self.limits.k_map) | (persons == 0)
        if self.limits.delta_presence is not None:
            low, high = self.limits.delta_presence
            share = persons / np.maximum(sizes, 1)
            good &= ((share >= low - _NEAR) & (share <= high + _NEAR)) | (sizes == 0)
        return good

    def _sensitive_meets(
        self, place: int, sensitive: Sensitive, ids: Ints, count: int, among: Ints | None, weights: Ints | None
    ) -> Flags:
        """With the other sensitive attributes known to the attacker as well (PRIVACY 6)."""
        others = [each for at, each in enumerate(self.items.sensitive) if at != place]
        owner = np.arange(count)
        if others:
            known = [each.codes if among is None else each.codes[among] for each in others]
            finer, first = grouped([ids, *known], [count, *(each.size for each in others)], len(ids))
            owner, ids, parts = ids[first], finer, len(first)
        else:
            parts = count
        values = sensitive.codes if among is None else sensitive.codes[among]
        counts = self._histogram(ids, parts, values, sensitive.size, among, weights)
        good = np.ones(count, dtype=np.bool_)
        np.logical_and.at(good, owner, self._judged(place, sensitive, counts, parts))
        return good

    def _histogram(
        self, ids: Ints, parts: int, values: Ints, size: int, among: Ints | None, weights: Ints | None
    ) -> tuple[Ints, Ints, Ints]:
        """(class, value, persons) of each pair that occurs, by class and then by value."""
        key, first = grouped([ids, values], [parts, size], len(ids))
        persons = self.persons(key, len(first), among, weights)
        there = persons > 0
        return ids[first][there], values[first][there], persons[there]

    def _judged(self, place: int, sensitive: Sensitive, counts: tuple[Ints, Ints, Ints], parts: int) -> Flags:
        owner, value, persons = counts
        limits = self.limits
        empty = np.bincount(owner, minlength=parts) == 0
        good = np.ones(parts, dtype=np.bool_)
        if limits.distinct_l_diversity is not None:
            good &= np.bincount(owner, minlength=parts) >= limits.distinct_l_diversity
        totals = np.bincount(owner, weights=persons, minlength=parts)
        share = persons / totals[owner]
        if limits.entropy_l_diversity is not None:
            entropy = np.bincount(owner, weights=-share * np.log(share), minlength=parts)
            good &= entropy >= np.log(limits.entropy_l_diversity) - _NEAR
        if limits.recursive_cl_diversity is not None:
            good &= _recursive(owner, persons, parts, *limits.recursive_cl_diversity)
        if limits.t_closeness is not None:
            far = _distance(limits.t_closeness, sensitive, self._shares[place], owner, value, share, parts)
            good &= far <= limits.t_closeness.t + _NEAR
        return good | empty


def _check_orders(items: Items, limits: Limits) -> None:
    """The ordered distance needs an order that means something: of numbers, of dates, or one that a hierarchy gives."""
    if limits.t_closeness is None or limits.t_closeness.distance != "ordered":
        return
    for each in items.sensitive:
        if each.hierarchy is None and pa.types.is_string(each.values.type):
            raise InvalidParameter(
                f"the ordered distance needs an order of {each.name!r}: numbers, dates, or a hierarchy whose rows "
                "stand in order",
                parameter="hierarchies",
            )


def _recursive(owner: Ints, persons: Ints, parts: int, c: float, least: int) -> Flags:
    """r1 < c (r_l + ... + r_m), counts from the most frequent value on."""
    order = np.lexsort((-persons, owner))
    owner, persons = owner[order], persons[order]
    starts = np.searchsorted(owner, np.arange(parts))
    rank = np.arange(len(owner)) - starts[owner]
    most = np.bincount(owner[rank == 0], weights=persons[rank == 0], minlength=parts)
    rest = np.bincount(owner[rank >= least - 1], weights=persons[rank >= least - 1], minlength=parts)
    return most < c * rest


def _share(counts: Ints) -> Floats:
    return counts / max(1, int(counts.sum()))


def _distance(
    limit: Closeness, sensitive: Sensitive, whole: Floats, owner: Ints, value: Ints, share: Floats, parts: int
) -> Floats:
    """Earth mover's distance of each class to the whole table (Li et al. 2007, 4)."""
    if limit.distance == "equal":
        # Half the sum of differences is what the class has too much; values that it lacks need not be looked at.
        return np.bincount(owner, weights=np.maximum(share - whole[value], 0), minlength=parts).astype(np.float64)
    dense = np.zeros((parts, sensitive.size))
    dense[owner, value] = share
    gap = dense - whole
    if limit.distance == "ordered":
        return np.abs(np.cumsum(gap, axis=1)).sum(axis=1) / max(1, sensitive.size - 1)
    if sensitive.hierarchy is None:
        raise InvalidParameter(
            f"the hierarchical distance needs a hierarchy of {sensitive.name!r}", parameter="hierarchies"
        )
    return _hierarchical(sensitive.hierarchy, gap)


def _hierarchical(hierarchy: Any, gap: Floats) -> Floats:
    """Mass that must cross each node, weighted by the height at which it can be exchanged.

    Nodes at equal distances make that the mean, over the levels below ``*``, of the distance between their nodes.
    """
    total = np.zeros(len(gap))
    for codes in hierarchy.codes[:-1]:
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        total += np.abs(np.add.reduceat(gap[:, order], starts, axis=1)).sum(axis=1) / 2
    return total / max(1, hierarchy.height)
