"""Which cells may not be shown, and how uncertain each must stay.

Rules, each on absolute contributions with a person's holdings summed first: *threshold*: fewer persons than t;
*(n, k) dominance*: the n largest hold more than k of the cell; *p %*: the second largest contributor, subtracting its
own, would know the largest to within p %; *prior-posterior (p, q)*: the same if everyone already knows everyone to
within q %, so p % is (p, 100). A cell that breaks one is primary. Its protection level is how far above (and below) its
value an attacker's interval must reach:

    dominance  top_n / k - X      p %  p x1 - (X - x1 - x2)      (p, q)  p / q x1 - (X - x1 - x2)

for a threshold on a count up to t, so that nobody can tell the cell is small; on a sum ``safety_range`` of its size.
Source: Hundepool et al., Statistical Disclosure Control, 2012, 4.2 and 4.4.1 (table of upper protection levels);
Cox, 1981.
Pure: reads figures, returns flags and levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from masking.disclosure.contributions import Contributions, Figure, Floats
from masking.disclosure.margins import Bools


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Limits of what may be shown. Shares are in (0, 1]: ``dominance`` (1, 0.5) is one person with over half.

    ``threshold`` counts persons; ``p_percent`` and both of ``prior_posterior`` are in percent; None: no such rule.
    """

    threshold: int = 10
    dominance: tuple[int, float] | None = (1, 0.5)
    p_percent: float | None = None
    prior_posterior: tuple[float, float] | None = None
    safety_range: float = 0.2

    @property
    def top(self) -> int:
        """How many contributors dominance looks at."""
        return self.dominance[0] if self.dominance else 1


@dataclass(frozen=True, slots=True)
class Need:
    """What one measure asks for: per cell (flat) how far up and down an attacker must be left; 0 where nothing."""

    up: Floats
    down: Floats
    floor: Floats


def primary(cells: Contributions, rules: Sensitivity) -> Bools:
    """Cells that may not be shown in any measure; an empty cell is never one of them."""
    small = (cells.persons > 0) & (cells.persons < rules.threshold)
    for figure in cells.figures:
        small |= sensitive(figure, rules)
    return small & cells.margins.published


def sensitive(figure: Figure, rules: Sensitivity) -> Bools:
    """Cells that break a rule in this measure."""
    flags = (figure.contributors > 0) & (figure.contributors < rules.threshold)
    if figure.counts:
        return flags
    for level in _levels(figure, rules):
        flags = flags | (level > 0)
    return flags


def need(figure: Figure, cells: Contributions, hidden: Bools, rules: Sensitivity) -> Need:
    """The protection levels of the primary cells ``hidden``, and the least an attacker knows each cell to be.

    That least is 1 for a count that is published at all (empty cells are shown, so a hidden one is not empty), 0 for
    other figures without negative contributions, and minus infinity otherwise.
    """
    value = figure.value.astype(np.float64)
    populated = cells.persons > 0
    shown_if_empty = cells.margins.published & (figure.contributors > 0)
    if figure.counts:
        floor = np.where(shown_if_empty, 1.0, 0.0)
        up = np.where(populated & (figure.contributors > 0), np.maximum(rules.threshold - value, 0.0), 0.0)
        down = np.zeros(len(value))  # what must stay open is whether the cell is small
    else:
        floor = np.where(populated | ~cells.margins.published, 0.0 if figure.nonnegative else -np.inf, 0.0)
        up = np.maximum.reduce([np.zeros(len(value)), *_levels(figure, rules)])
        few = (figure.contributors > 0) & (figure.contributors < rules.threshold)
        adding = int(figure.contributors[-1])
        typical = figure.magnitude[-1] / adding if adding else 0.0
        up = np.where(few, np.maximum(up, rules.safety_range * np.maximum(figure.magnitude, typical)), up)
        down = np.minimum(up, value - floor)
    up = np.where(hidden, np.ceil(up), 0.0)
    return Need(up=up, down=np.floor(np.where(hidden, np.clip(down, 0.0, np.maximum(up, 1.0)), 0.0)), floor=floor)


def _levels(figure: Figure, rules: Sensitivity) -> list[npt.NDArray[np.float64]]:
    """What each rule on shares asks for; positive exactly where it is broken."""
    rest = (figure.magnitude - figure.largest - figure.second).astype(np.float64)
    levels = []
    if rules.dominance is not None:
        levels.append(figure.top / rules.dominance[1] - figure.magnitude)
    if rules.p_percent is not None:
        levels.append(rules.p_percent / 100 * figure.largest - rest)
    if rules.prior_posterior is not None:
        levels.append(rules.prior_posterior[0] / rules.prior_posterior[1] * figure.largest - rest)
    return levels
