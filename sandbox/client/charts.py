"""Draws fixed tables: bars with their errors, grouped bars for two dimensions, a heat map for two long ones.

A third dimension gives a drawing for each of its categories, all on one scale; so does a short second one beside a long
first one. A hidden figure is its sign, never a bar of nought; an error is a whisker of half a 95 % interval, in a heat
map a stroke through a cell whose error is larger than its figure. Self-contained SVG without style sheets, script or
links; what it shows stands in the table beside it. Standard library only; pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sandbox.client.bars import bars
from sandbox.client.grid import MISSING, Grid, said
from sandbox.client.heat_map import heat_map
from sandbox.client.marks import INK
from sandbox.client.scale import cut, words

MOST_PANELS: Final = 12
"""Categories of a third dimension that are drawn."""
MOST_PLACES: Final = 200
"""Categories of another dimension, if anything is drawn."""
MOST_MARKS: Final = 4000
"""Figures of all drawings together, unless one alone has more."""
MOST_SERIES: Final = 4
MOST_BARS: Final = 60
"""A bar for each figure as long as there are no more; a heat map otherwise."""
FONT: Final = "system-ui,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif"
_SAYS: Final[Mapping[str, tuple[str, str]]] = {
    "bars": ("条形图，线段为 95% 误差", "bars; whiskers are 95 % errors"),
    "heat": ("热力图，斜线表示误差大于数值", "heat map; a stroke: the error is larger than the figure"),
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture. ``title`` is its heading, ``described`` what screen readers say after it."""

    title: str
    described: str
    body: str
    width: int
    height: int

    def svg(self, *, heading: bool = False) -> str:
        """The whole document; with ``heading`` the title is drawn too."""
        top = 26 if heading else 0
        name = f'<text x="{self.width / 2:.0f}" y="17" text-anchor="middle" font-weight="600" font-size="14">'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {self.width} {self.height + top}" '
            f'width="{self.width}" height="{self.height + top}" font-family="{FONT}" font-size="13" fill="{INK}">'
            f"<title>{words(self.title)}</title><desc>{words(self.described)}</desc>"
            f'<rect width="{self.width}" height="{self.height + top}" fill="#ffffff"/>'
            f"{name + words(cut(self.title, self.width // 7)) + '</text>' if heading else ''}"
            f'<g transform="translate(0 {top})">{self.body}</g></svg>'
        )


def draw(grid: Grid, lang: str = "zh") -> list[Drawing]:
    """The drawings of a grid, one for each category of a third dimension; none where there is nothing to see.

    That is without a dimension, and with more categories than people can read in a picture.
    """
    if not grid.axes or max(len(grid.rows), len(grid.columns)) > MOST_PLACES:
        return []
    number = len(grid.rows) * len(grid.columns)
    if number > MOST_BARS and len(grid.columns) <= MOST_SERIES and not grid.panels.name:
        grid = _beside(grid)
    by_bars = not grid.columns.name or (len(grid.columns) <= MOST_SERIES and number <= MOST_BARS)
    drawings = []
    for panel in range(len(grid.panels) - left_out(grid)):
        body, width, height = (bars if by_bars else heat_map)(grid, panel, lang)
        title = grid.said(lang)
        if grid.panels.name:
            title = f"{said(grid.panels.title, lang)}：{grid.panels.said(panel, lang)}" if lang == "zh" else (
                f"{said(grid.panels.title, lang)}: {grid.panels.said(panel, lang)}"
            )  # fmt: skip
        described = f"{grid.said(lang)}; {_say('bars' if by_bars else 'heat', lang)}"
        drawings.append(Drawing(title, described, body, width, height))
    return drawings


def left_out(grid: Grid) -> int:
    """Categories of the third dimension that are not drawn."""
    fitting = min(MOST_PANELS, MOST_MARKS // (len(grid.rows) * len(grid.columns)))
    return max(0, len(grid.panels) - max(1, fitting))


def stacked(drawings: Sequence[Drawing], title: str) -> str:
    """Several drawings as one document, one below the other."""
    if len(drawings) == 1:
        return drawings[0].svg(heading=True)
    width, y, body = max(each.width for each in drawings), 30, []
    for each in drawings:
        body.append(each.svg(heading=True).replace("<svg ", f'<svg y="{y}" ', 1))
        y += each.height + 40
    return Drawing(title, "; ".join(each.title for each in drawings), "".join(body), width, y).svg(heading=True)


def _beside(grid: Grid) -> Grid:
    """Columns as panels."""
    cells = {(column, row, 0): cell for (_, row, column), cell in grid.cells.items()}
    quality = {(column, row, 0): mark for (_, row, column), mark in grid.quality.items()}
    return replace(grid, columns=MISSING, panels=grid.columns, cells=cells, quality=quality)


def _say(what: str, lang: str) -> str:
    return _SAYS[what][0 if lang == "zh" else 1]
