"""Round numbers along an axis, how wide words are, and colours: nobody but this decides, so a scale says nothing.

Used by everything that draws: released figures, the page of fixed tables, notebooks. Standard library only; pure.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#555555")
"""Okabe and Ito, 2008: told apart by colour-blind people. As many series as there are colours."""
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers to pixels, with its ticks."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        """The pixel of a number."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def scale(values: Sequence[float | None], start: float, end: float, *, zero: bool, wanted: int = 5) -> Scale:
    """A scale from the numbers that there are; with ``zero`` it holds nought, as the lengths of bars must.

    >>> scale([3, 41], 0, 100, zero=True).ticks
    (0.0, 10.0, 20.0, 30.0, 40.0, 50.0)
    """
    there = [value for value in values if value is not None] or [0.0, 1.0]
    low, high = min(there), max(there)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        low, high = (low - 1.0, high + 1.0) if low and not zero else (low, low + 1.0)
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in _STEPS if power * each >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(number * step, 12) for number in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], start, end, ticks)


def number_text(value: float) -> str:
    """A number beside a tick or in a cell: what the table shows, with separators.

    >>> [number_text(v) for v in (1500, 0.025, -3.0, 1e-7)]
    ['1,500', '0.025', '-3', '0.0000001']
    """
    text = f"{value:,.12f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def wide(text: str) -> int:
    """Width in half characters; Chinese characters are twice as wide.

    >>> wide("ab城")
    4
    """
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut(text: str, width: int) -> str:
    """As much of the text as fits, with an ellipsis where something is missing.

    >>> cut("高新技术开发区", 8)
    '高新技…'
    """
    if wide(text) <= width:
        return text
    kept = 0
    for place, character in enumerate(text):
        kept += wide(character)
        if kept > width - 2:
            return text[:place] + "…"
    return text


def words(text: str) -> str:
    """Text for SVG: escaped, nothing invisible."""
    return escape("".join(c if c.isprintable() else "\ufffd" for c in text))
