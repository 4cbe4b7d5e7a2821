"""How good a figure is: its error beside the figure itself.

Rule: the mark follows from what is shown (a figure and its error) and from nothing else, so it tells nothing that they
do not tell. An error is half a 95 % interval; a third of the figure is a coefficient of variation of 17 %, two thirds
are 34 %: close to the bounds from which Statistics Canada publishes estimates with a caution (16.6 %) and marks them as
unreliable (33.3 %). A figure that is not shown has no mark.
Source: Statistics Canada, Survey Methods and Practices, 2003, and its release guidelines. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from opendata.catalog.texts import Text, text

ROUGH: Final = 1 / 3
UNRELIABLE: Final = 2 / 3


class Quality(StrEnum):
    """Of one figure."""

    GOOD = "good"
    ROUGH = "rough"
    UNRELIABLE = "unreliable"


TITLES: Final[Mapping[Quality, Text]] = {
    Quality.GOOD: text("可靠", "reliable"),
    Quality.ROUGH: text("粗略", "rough"),
    Quality.UNRELIABLE: text("不可靠", "unreliable"),
}
MEANING: Final = text(
    "粗略：误差超过数字的三分之一；不可靠：超过三分之二，多半是噪声，不宜引用。",
    "Rough: the error is more than a third of the figure. Unreliable: more than two thirds, mostly noise; do not "
    "quote it.",
)


def quality_of(value: float | None, error: float | None) -> Quality | None:
    """The mark of a shown figure; None for one that is not shown."""
    if value is None or error is None:
        return None
    return of_share(error / abs(value) if value else float("inf") if error else 0.0)


def of_share(share: float) -> Quality:
    """The mark of an error that is ``share`` of its figure.

    >>> [str(of_share(share)) for share in (0.1, 0.5, 0.7)]
    ['good', 'rough', 'unreliable']
    """
    if share > UNRELIABLE:
        return Quality.UNRELIABLE
    return Quality.ROUGH if share > ROUGH else Quality.GOOD
