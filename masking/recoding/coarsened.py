"""Items that are generalized already: hierarchies whose leaves are the nodes that they hold.

A search that gets them can only generalize further, and weighs a node as the hierarchy it comes from does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from masking.hierarchies import TOP, Hierarchy
from masking.recoding.items import Ints, Items, grouped
from masking.recoding.local_paths import losses_of
from masking.recoding.result import Levels

_NOBODY = "\0"


@dataclass(frozen=True, eq=False)
class Coarsened(Hierarchy):
    """A hierarchy of the same levels over nodes of another one.

    ``weighed[level, leaf]``: shares that give each node the loss that it has in the other hierarchy. One more leaf,
    which no item holds, keeps a level that all items share from looking like ``*``.
    """

    weighed: npt.NDArray[np.float64] | None = None

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """As the other hierarchy has them, scaled to this one's number of leaves."""
        assert self.weighed is not None
        return self.weighed


def coarsened(items: Items, part: Ints, parts: int, levels: Levels) -> tuple[Items, Ints]:
    """The items of parts that are generalized to ``levels[part]`` each, and the new item of each item; -1 for none.

    ``part``: of each item, -1 where it is left out. Items of one part and of equal sensitive values are one.
    """
    there = np.flatnonzero(part >= 0)
    owner = part[there]
    hierarchies, leaves = [], []
    for place, hierarchy in enumerate(items.hierarchies):
        level = levels[:, place].astype(np.int64)
        leaf = np.zeros(parts, dtype=np.int64)
        leaf[owner[::-1]] = items.leaves[place][there[::-1]]
        made, codes = _nodes(hierarchy, level, leaf)
        hierarchies.append(made)
        leaves.append(codes)
    sizes = [parts, *(each.size for each in items.sensitive)]
    ids, first = grouped([owner, *(each.codes[there] for each in items.sensitive)], sizes, len(there))
    of_item = np.full(len(items), -1, dtype=np.int64)
    of_item[there] = ids
    pairs = None
    if items.pairs is not None:
        item, person = items.pairs
        stays = of_item[item] >= 0
        people = int(person.max(initial=0)) + 1
        both = np.unique(of_item[item[stays]] * people + person[stays])
        pairs = (both // people, both % people)
    made_of = replace(
        items,
        hierarchies=tuple(hierarchies),
        leaves=tuple(codes[owner[first]] for codes in leaves),
        sensitive=tuple(replace(each, codes=each.codes[there[first]]) for each in items.sensitive),
        weights=np.bincount(ids, weights=items.weights[there], minlength=len(first)).astype(np.int64),
        pairs=pairs,
    )
    return made_of, of_item


def _nodes(hierarchy: Hierarchy, level: Ints, leaf: Ints) -> tuple[Coarsened, Ints]:
    """The hierarchy over the nodes at ``level`` of each ``leaf``, and the new leaf of each."""
    stacked = np.stack(hierarchy.codes).astype(np.int64)
    width = max(len(names) for names in hierarchy.labels)
    of_part, first = grouped([level, stacked[level, leaf]], [hierarchy.levels, width], len(level))
    own, at = level[first], leaf[first]
    codes, labels = [], []
    for each in range(hierarchy.height):
        reached = np.maximum(own, each)
        nodes, where = grouped([reached, stacked[reached, at]], [hierarchy.levels, width], len(own))
        codes.append(np.append(nodes, len(where)).astype(np.int32))
        names = [hierarchy.labels[reached[place]][stacked[reached[place], at[place]]] for place in where]
        labels.append((*names, _NOBODY))
    codes.append(np.zeros(len(own) + 1, dtype=np.int32))
    losses = losses_of(hierarchy.shares)[np.maximum(own[None, :], np.arange(hierarchy.levels)[:, None]), at[None, :]]
    least = 1 / (len(own) + 1)
    weighed = least + np.column_stack([losses, losses.min(axis=1)]) * (1 - least)
    return Coarsened((*labels, (TOP,)), tuple(codes), weighed=weighed), of_part
