"""What every search is asked and may be told while it runs.

A search takes items, limits and wishes and gives a ``Recoding`` whose classes all meet the limits, or raises. It is
deterministic: the same items and wishes give the same recoding, unless ``Watch.stop`` ended it early.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from masking.errors import Cancelled, InvalidParameter, suggestion
from masking.recoding.items import Items


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the result should be like, beside the limits.

    ``suppression``: greatest share of records, in [0, 1], that may hold ``*`` in every quasi-identifier or leave.
    ``weights``: how much the loss of an attribute counts, default 1; at least 0, and not all 0.
    ``levels``: {attribute: (lowest, highest)} level that it may take, where a suppressed record is excepted; (0, 0)
    keeps an attribute as it is.
    ``whole``: the records of an item are generalized alike, as a stream needs that sees only one batch at a time.
    """

    suppression: float = 1.0
    weights: Mapping[str, float] = field(default_factory=dict)
    levels: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    whole: bool = False

    def weighed(self, items: Items) -> npt.NDArray[np.float64]:
        """The weight of each attribute, in their order.

        Raises:
            InvalidParameter: an attribute that is no quasi-identifier, a weight below 0, or all of them 0.
        """
        self._known(self.weights, items)
        found = np.array([float(self.weights.get(name, 1.0)) for name in items.names])
        if (found < 0).any() or not np.isfinite(found).all() or (len(found) and not found.any()):
            raise InvalidParameter("weights must be numbers of at least 0, one of them above 0", parameter="weights")
        return found

    def ranges(self, items: Items) -> tuple[tuple[int, int], ...]:
        """The lowest and highest level of each attribute.

        Raises:
            InvalidParameter: an attribute that is no quasi-identifier, or levels that it does not have.
        """
        self._known(self.levels, items)
        found = []
        for name, hierarchy in zip(items.names, items.hierarchies, strict=True):
            low, high = self.levels.get(name, (0, hierarchy.height))
            if not 0 <= low <= high <= hierarchy.height:
                raise InvalidParameter(f"attribute {name!r} has the levels 0 to {hierarchy.height}", parameter="levels")
            found.append((low, high))
        return tuple(found)

    @staticmethod
    def _known(given: Mapping[str, object], items: Items) -> None:
        for name in given:
            if name not in items.names:
                raise InvalidParameter(
                    f"{name!r} is not a quasi-identifier{suggestion(name, items.names)}", parameter="quasi_identifiers"
                )


@dataclass(frozen=True, slots=True)
class Watch:
    """How a caller follows a search. ``progress(stage, share)``: how far it is, in [0, 1].

    ``stop``: asked often; true ends the search with the best that it has. ``cancelled``: true ends it with nothing.
    """

    progress: Callable[[str, float], None] | None = None
    stop: Callable[[], bool] | None = None
    cancelled: Callable[[], bool] | None = None

    def tell(self, stage: str, share: float) -> None:
        """Say how far the search is; raises ``Cancelled`` if the caller wants no result."""
        if self.cancelled is not None and self.cancelled():
            raise Cancelled("the search was cancelled; nothing was written")
        if self.progress is not None:
            self.progress(stage, min(1.0, max(0.0, share)))

    def must_stop(self) -> bool:
        """True if the caller wants what there is."""
        return self.stop is not None and self.stop()
