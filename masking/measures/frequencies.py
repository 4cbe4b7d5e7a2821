"""Class sizes counted: how many classes have one person, two persons and so on.

All that population models need of a sample. Sizes count persons; zeros are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from masking.errors import InvalidParameter

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frequencies:
    """How many classes (``counts``) have how many persons (``sizes``, ascending)."""

    sizes: Floats
    counts: Floats

    @classmethod
    def of(cls, class_sizes: Any) -> Frequencies:
        """Count sizes of classes, given as a sequence, array or Arrow column.

        Raises:
            InvalidParameter: a size is below 1, not a whole number or missing.
        """
        given = np.asarray(class_sizes.to_numpy() if hasattr(class_sizes, "to_numpy") else class_sizes)
        as_numbers = given.astype(np.float64) if given.size else np.zeros(0)
        if not (np.isfinite(as_numbers).all() and (as_numbers >= 1).all() and (as_numbers % 1 == 0).all()):
            raise InvalidParameter("class sizes must be whole numbers of at least 1", parameter="class_sizes")
        sizes, counts = np.unique(as_numbers, return_counts=True)
        return cls(sizes, counts.astype(np.float64))

    @property
    def persons(self) -> float:
        """Persons in the sample."""
        return float(self.sizes @ self.counts)

    @property
    def classes(self) -> float:
        """Classes in the sample."""
        return float(self.counts.sum())

    def of_size(self, size: int) -> float:
        """Classes of this many persons."""
        return float(self.counts[self.sizes == size].sum())


def bisect(falling: Callable[[Floats], Floats], low: Floats, high: Floats) -> Floats:
    """Where functions that fall from positive to negative are zero, element by element."""
    for _ in range(64):
        middle = (low + high) / 2
        positive = falling(middle) > 0
        low, high = np.where(positive, middle, low), np.where(positive, high, middle)
    middle_of_last: Floats = (low + high) / 2
    return middle_of_last
