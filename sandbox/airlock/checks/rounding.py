"""What counts may be rounded to: the least step that is asked for, or a rounder number that divides them all. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

_ROUND: Final = (10, 20, 25, 50, 100, 1000)


def steps_of(stated: npt.NDArray[np.float64], rounding: int) -> list[int]:
    """All such steps, the least first. One number for several groups is rounded to nothing: it counts none of them.

    >>> steps_of(np.array([120.0, 340.0]), 5)
    [5, 10, 20]
    >>> steps_of(np.array([50.0, 50.0]), 5)
    [5]
    """
    whole = np.round(stated[~np.isnan(stated)]).astype(np.int64)
    if len(whole) > 1 and np.ptp(whole) == 0:
        return [rounding]
    most = int(np.gcd.reduce(whole, initial=0))
    return [rounding, *(step for step in _ROUND if step > rounding and most and most % step == 0)]
