"""Gaps that all totals together pin down: the attacker's linear programs over a table with suppressed counts.

Subtraction along one line finds a gap that stands alone; rows and columns taken together find more. For every gap the
least and the largest count that the shown figures admit are two linear programs; a gap that moves by less than
``threshold`` between them is as good as shown. Figures that do not add up are rounded ones: each then lies within half
a step of what is shown.
Source: Hundepool et al., Statistical Disclosure Control, 2012, 4.4.2 (auditing); `masking.disclosure.audit`.

Groups without a row may hold any number, and so may totals that are not shown. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from masking.disclosure.margins import Margins

Key = tuple[object, ...]
MOST_CELLS: Final = 5_000
"""Cells of a table, margins included: more are too many for as many programs."""
MOST_GAPS: Final = 60
"""Programs asked; a table with more gaps is told by subtraction alone."""


def pinned_down(cells: Mapping[Key, float | None], *, total: object, threshold: int, rounding: int) -> set[Key]:
    """Those gaps (cells that are None) that lie within fewer than ``threshold`` persons.

    A key has one label a dimension; ``total`` stands for all of a dimension. Nothing where there are no totals.
    """
    gaps = [key for key, count in cells.items() if count is None]
    shown = {key: float(count) for key, count in cells.items() if count is not None}
    if not 0 < len(gaps) <= MOST_GAPS or not any(total in key for key in shown):
        return set()
    places = [
        {label: place for place, label in enumerate(dict.fromkeys(key[axis] for key in cells if key[axis] != total))}
        for axis in range(len(gaps[0]))
    ]
    for leaves in places:
        leaves[total] = len(leaves)
    if math.prod(map(len, places)) > MOST_CELLS or min(map(len, places)) < 2:
        return set()
    flat = {key: _flat(key, places) for key in cells}
    most = 2 * sum(shown.values()) + threshold
    for slack in (0.0, rounding / 2):
        low, high = np.zeros(math.prod(map(len, places))), np.full(math.prod(map(len, places)), most)
        for key, count in shown.items():
            low[flat[key]], high[flat[key]] = max(count - slack, 0.0), count + slack
        widths = _widths(_margins([len(leaves) - 1 for leaves in places]), low, high, [flat[key] for key in gaps])
        if widths is not None:
            return {key for key, width in zip(gaps, widths, strict=True) if width < threshold - 1e-6}
    return set()


def _flat(key: Key, places: list[dict[object, int]]) -> int:
    number = 0
    for label, leaves in zip(key, places, strict=True):
        number = number * len(leaves) + leaves[label]
    return number


def _margins(leaves: list[int]) -> Margins:
    from masking.disclosure.margins import Dimension, Margins

    return Margins(
        tuple(
            Dimension(str(axis), (*map(str, range(count)), "total"), (*[count] * count, -1), count)
            for axis, count in enumerate(leaves)
        )
    )


def _widths(margins: Margins, low: np.ndarray, high: np.ndarray, gaps: list[int]) -> np.ndarray | None:
    """How far each gap can move; None where no table has these figures."""
    from masking.disclosure.audit import intervals
    from masking.errors import DataError

    try:
        least, largest = intervals(margins, low, high, gaps)
    except DataError:
        return None
    return np.asarray(largest - least)
