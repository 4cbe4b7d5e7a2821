"""Minimality attack: that a class was not divided further tells why, and the why is the sensitive value.

Source: Wong, Fu, Wang and Pei, *Minimality attack in privacy preserving data publishing*, VLDB 2007. The attacker knows
that the algorithm generalises no further than it must. Where a class could be divided one step down an attribute into
groups of at least k persons each, and was not, the sensitive limit must have forbidden it: some group would have held
a value with a share above the limit. Given that, the value sits more likely with the persons of the small groups.

The credibility is exact for one value at a time, as if it were the reason: the values of a class lie on its persons in
any order with equal probability, and orders in which no group breaks the limit are struck out. The attacker holds all
raw quasi-identifiers and knows each person's class, as in the linkage drill's ``algorithm``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from masking.errors import InvalidParameter
from masking.measures.classes import as_frame
from masking.measures.coding import Codes, coded
from masking.measures.compatibility import Column, compatibility, read_columns
from masking.measures.linkage import linked

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Minimality:
    """Probabilities in [0, 1], and classes.

    ``credibility``: the greatest that a value of a person has after the attack; ``before``: the greatest share of a
    value in a class, which is the same without it. ``gain``: the greatest rise of a value's probability over its share
    in its class. ``telling``: classes of which the attack says anything.
    """

    credibility: float
    before: float
    gain: float
    telling: int
    classes: int


def minimality_attack(
    raw: Any,
    edition: Any,
    quasi_identifiers: Sequence[str],
    hierarchies: Mapping[str, Any],
    sensitive: str,
    *,
    k: int,
    share: float,
    link: Any = None,
) -> Minimality:
    """What refusing finer classes gives away, if classes need ``k`` persons and values at most a ``share`` of them.

    ``share`` is 1/l for l-diversity by frequency; in (0, 1). ``link`` and ``hierarchies`` as in ``linkage_drill``.

    Raises:
        InvalidParameter: ``k`` is below 1 or ``share`` outside (0, 1).
        DataError, InvalidValue, UnknownAttribute: as ``linkage_drill``.
    """
    if k < 1:
        raise InvalidParameter("k must be at least 1", parameter="k")
    if not 0 < share < 1:
        raise InvalidParameter("share must be in (0, 1)", parameter="share")
    names = list(dict.fromkeys(quasi_identifiers))
    columns = read_columns(raw, edition, names, hierarchies)
    records, released = as_frame(raw, names, None).height, as_frame(edition, names, None).height
    places = linked(raw, edition, link, records, released)
    values = coded(edition, [sensitive])[0][sensitive]
    fits = compatibility(columns, names, records, released)
    credibility = before = gain = 0.0
    telling = 0
    for members in _members(fits.group, len(fits.sizes)):
        counts = _counts(values, members)
        before = max(before, max(counts) / len(members))
        found = [
            (after, after - count / len(members))
            for groups in set(_divisions(columns, members, places[members]))
            if min(groups) >= k
            for count in set(counts)
            if (after := credible(groups, count, share)) is not None
        ]
        telling += bool(found)
        credibility = max([credibility, *(after for after, _ in found)])
        gain = max([gain, *(rise for _, rise in found)])
    return Minimality(max(credibility, before), before, gain, telling, len(fits.sizes))


@functools.lru_cache(maxsize=65_536)
def credible(groups: tuple[int, ...], count: int, share: float) -> float | None:
    """The greatest probability of a value, held by ``count`` persons of these groups, for a person of any of them.

    Given that some group of ``n`` holds it more than ``share * n`` times; None if none can.

    >>> round(credible((2, 4), 2, 0.5), 9)  # only both in the group of two break the half
    1.0
    """
    persons = sum(groups)
    rate = count / persons
    allowed = [math.floor(share * size + 1e-9) for size in groups]
    laws = [_binomial(size, rate)[: most + 1] for size, most in zip(groups, allowed, strict=True)]
    chance_of_count = float(_binomial(persons, rate)[count])
    before, after = _products(laws, count), _products(laws[::-1], count)[::-1]
    kept = _at(before[-1], count) / chance_of_count
    if 1 - kept < 1e-12:
        return None
    greatest = 0.0
    for place, size in enumerate(groups):
        others = np.convolve(before[place], after[place + 1])[: count + 1]
        mine = laws[place] * np.arange(len(laws[place]))
        without = _at(np.convolve(others, mine), count) / chance_of_count / size
        greatest = max(greatest, (rate - without) / (1 - kept))
    return min(greatest, 1.0)


def _members(group: Integers, classes: int) -> Iterator[Integers]:
    """The edition records of each class."""
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=classes))
    start = 0
    for end in ends:
        yield order[start:end]
        start = int(end)


def _counts(values: Codes, members: Integers) -> list[int]:
    counts = np.bincount(values.codes[members])
    return [int(count) for count in counts[counts > 0]]


def _divisions(columns: Mapping[str, Column], members: Integers, raw: Integers) -> Iterator[tuple[int, ...]]:
    """The sizes of the groups that one step down each attribute makes of a class, where it makes several."""
    for column in columns.values():
        leaves, text = column.leaves[raw], column.cells[members[0]]
        codes = column.hierarchy.codes
        # The lowest level at which the class reads as it does; below it, the first level that divides it.
        reads = [bool((nodes[codes[level][leaves]] == text).all()) for level, nodes in enumerate(column.nodes)]
        level = reads.index(True) if True in reads else 0
        for finer in range(level - 1, -1, -1):
            sizes = np.unique(codes[finer][leaves], return_counts=True)[1]
            if len(sizes) > 1:
                yield tuple(sorted(int(size) for size in sizes))
                break


def _binomial(trials: int, rate: float) -> Floats:
    """Probabilities of 0 to ``trials`` successes."""
    if rate >= 1:
        return np.eye(trials + 1)[trials]
    counts = np.arange(trials + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log(trials - counts[:-1]) - np.log(counts[1:]))])
    law: Floats = np.exp(ways + counts * math.log(rate) + (trials - counts) * math.log1p(-rate))
    return law


def _products(laws: Sequence[Floats], longest: int) -> list[Floats]:
    """The laws of the sums of the first 0, 1, 2 … groups, up to ``longest``."""
    products = [np.ones(1)]
    for law in laws:
        products.append(np.convolve(products[-1], law)[: longest + 1])
    return products


def _at(law: Floats, count: int) -> float:
    return float(law[count]) if count < len(law) else 0.0
