"""Suppressed records held to the limits: they are a class too, and t-closeness is measured on what is released.

Records whose class breaks a limit are suppressed. If the group of suppressed records breaks one, its records leave
(PRIVACY 3). What leaves changes the distribution that t-closeness compares with, so the classes that stay are judged
again, until nothing changes. Records only ever go from kept to suppressed to gone, so it ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from masking.limits import Limits
from masking.recoding.items import Ints, Items
from masking.recoding.judge import Judge

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Held:
    """For each item whether it is kept in its class, or leaves; the others hold ``*``."""

    kept: Flags
    gone: Flags

    @property
    def starred(self) -> Flags:
        """Items that stay with ``*`` in every attribute."""
        return np.asarray(~self.kept & ~self.gone)

    def suppressed(self, items: Items) -> int:
        """Records that hold ``*`` or leave."""
        return int(items.weights[~self.kept].sum())

    def persons(self, items: Items, limits: Limits, ids: Ints, count: int) -> Ints:
        """Persons in each class that is released, the suppressed one last."""
        stays = np.flatnonzero(~self.gone)
        classes = np.where(self.kept, ids, count)[stays]
        persons = Judge(items, limits).persons(classes, count + 1, stays)
        return persons[persons > 0]


def held(items: Items, limits: Limits, ids: Ints, count: int, kept: Flags) -> Held:
    """Judge what is suppressed, and again what is kept where that changes the released distribution.

    ``ids``: the class of each item, below ``count``; ``kept``: items in a class that meets the limits.
    """
    kept, gone = kept.copy(), np.zeros(len(items), dtype=np.bool_)
    while True:
        judge = Judge(items, limits, released=np.where(gone, 0, items.weights))
        before = (int(kept.sum()), int(gone.sum()))
        among = np.flatnonzero(kept)
        kept[among] = judge.meets(ids[among], count, among)[ids[among]]
        starred = np.flatnonzero(~kept & ~gone)
        if not judge.meets(np.zeros(len(starred), dtype=np.int64), 1, starred)[0]:
            gone[starred] = True
        if before == (int(kept.sum()), int(gone.sum())):
            return Held(kept, gone)
