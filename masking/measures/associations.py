"""How pairs of attributes hang together before and after: correlation of numbers, mutual information of categories."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from masking.measures.aligned import Aligned, Floats
from masking.measures.coding import Codes, combined


@dataclass(frozen=True, slots=True)
class PairChange:
    """A figure of two attributes before and after; ``change`` is after less before."""

    first: str
    second: str
    before: float
    after: float

    @property
    def change(self) -> float:
        """After less before."""
        return self.after - self.before


def correlations(columns: Sequence[Aligned]) -> tuple[PairChange, ...]:
    """Pearson's correlation of each pair of numeric attributes, in [-1, 1]; 0 where one of them is constant.

    A generalized cell counts as the mean of the leaves it covers; records where either attribute has no number are left
    out of the pair.
    """
    numeric = [each for each in columns if each.numbers_before is not None and each.numbers_after is not None]
    return tuple(
        PairChange(
            a.attribute,
            b.attribute,
            _pearson(a.numbers_before, b.numbers_before),
            _pearson(a.numbers_after, b.numbers_after),
        )
        for a, b in itertools.combinations(numeric, 2)
    )


def mutual_information(columns: Sequence[Aligned]) -> tuple[PairChange, ...]:
    """Mutual information of each pair over the root of the product of their entropies, in [0, 1]; 0 if one is constant.

    Generalized values are categories of their own. Source: Strehl and Ghosh, 2002 (the normalization).
    """
    before = [Codes(each.before.codes, len(each.before.level)) for each in columns]
    after = [Codes(each.after.codes, len(each.after.level)) for each in columns]
    return tuple(
        PairChange(
            columns[a].attribute,
            columns[b].attribute,
            _normalized_information(before[a], before[b]),
            _normalized_information(after[a], after[b]),
        )
        for a, b in itertools.combinations(range(len(columns)), 2)
    )


def _pearson(x: Floats | None, y: Floats | None) -> float:
    assert x is not None
    assert y is not None
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    if not len(x):
        return 0.0
    x, y = x - x.mean(), y - y.mean()
    spread = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float(np.clip((x * y).sum() / spread, -1.0, 1.0)) if spread > 0 else 0.0


def _normalized_information(x: Codes, y: Codes) -> float:
    both, _ = combined([x, y], len(x.codes))
    own = [_entropy(np.bincount(each.codes)) for each in (x, y)]
    if min(own) <= 0:
        return 0.0
    shared = own[0] + own[1] - _entropy(np.unique(both, return_counts=True)[1])
    return float(np.clip(shared / np.sqrt(own[0] * own[1]), 0.0, 1.0))


def _entropy(counts: npt.NDArray[np.integer[Any]]) -> float:
    shares = counts[counts > 0] / max(int(counts.sum()), 1)
    # Sorted, so that the sum does not depend on the order of values.
    return float(-np.sort(shares * np.log(shares)).sum())
