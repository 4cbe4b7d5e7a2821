"""
How often things occur in a stream, in bounded memory: exact while they are few, above that by a fair sample of them.

Source: adaptive sampling (Wegman; Flajolet, 1990). A thing is a 64-bit hash; those below a threshold are held with
their counts, and the threshold halves when more than ``HELD`` are. Whether a thing is held depends on its hash alone,
so a count of things, times 2 for each halving, is unbiased, and the same however the stream is cut.
"""

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

HELD = 1 << 19


class Tally:
    """
    Counts keys.

    ``level`` 0: every key is held and all figures are exact. Above, ``keys`` and ``alone`` are estimates: from m held
    keys of that kind, with a relative standard error of at most 1/sqrt(m); for a share of all records that is at most
    0.002, for at least ``HELD / 2`` keys are held.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._level = 0
        self._held = np.zeros(0, dtype=np.uint64)
        self._counts = np.zeros(0, dtype=np.int64)
        self._new: list[Hashes] = []
        self._waiting = 0

    def add(self, keys: Hashes) -> None:
        """Count each key once for each time that it is in ``keys``."""
        self.rows += len(keys)
        kept = _below(keys, self._level)
        self._new.append(kept)
        self._waiting += len(kept)
        if self._waiting > HELD // 2:
            self._settle()

    @property
    def level(self) -> int:
        """How often the threshold was halved."""
        self._settle()
        return self._level

    @property
    def keys(self) -> int:
        """How many different keys there are."""
        return len(self.counts) << self.level

    @property
    def alone(self) -> int:
        """How many keys came once."""
        return int((self.counts == 1).sum()) << self.level

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """How often each held key came."""
        self._settle()
        return self._counts

    def _settle(self) -> None:
        if not self._waiting:
            return
        keys, counts = np.unique(np.concatenate(self._new), return_counts=True)
        self._new, self._waiting = [], 0
        if len(self._held):
            both = np.concatenate([self._held, keys])
            order = np.argsort(both, kind="stable")
            both, amounts = both[order], np.concatenate([self._counts, counts])[order]
            first = np.flatnonzero(np.concatenate([[True], both[1:] != both[:-1]]))
            keys, counts = both[first], np.add.reduceat(amounts, first)
        while len(keys) > HELD:
            self._level += 1
            kept = np.searchsorted(keys, np.uint64(1) << np.uint64(64 - self._level))
            keys, counts = keys[:kept], counts[:kept]
        self._held, self._counts = keys, counts


def _below(keys: Hashes, level: int) -> Hashes:
    return keys[keys < np.uint64(1 << (64 - level))] if level else keys
