"""What all drawings of fixed tables share: sizes, inks, room for labels, and what a mark tells a pointer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sandbox.client.grid import Axis, Cell, figure_text
from sandbox.client.scale import cut, wide, words

WIDTH: Final = 440
CHARACTER: Final = 6.9
"""Width of half a Chinese character."""
LABEL: Final = 20
"""Half characters that a label may take."""
INK: Final = "#222222"
LINE: Final = "#d5dbe3"
GREY: Final = "#6b7479"
HIDDEN_WORDS: Final = ("不予显示", "not shown")


def margin(rows: Axis, lang: str) -> float:
    """Room for the labels of the rows at the left."""
    return 14 + max(wide(cut(rows.said(place, lang), LABEL)) for place in range(len(rows))) * CHARACTER


def told(cell: Cell, names: Sequence[str], lang: str) -> str:
    """What a pointer on a mark shows."""
    value, error = cell
    number = HIDDEN_WORDS[0 if lang == "zh" else 1] if value is None else figure_text(value)
    if value is not None and error is not None:
        number += f" ± {figure_text(error)}"
    return f"<title>{words(' · '.join(names))}: {number}</title>"
