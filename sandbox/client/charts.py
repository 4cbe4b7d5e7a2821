"""Draws fixed tables: bars with their errors, grouped bars for two dimensions, a heat map for two long ones.

A third dimension gives a drawing for each of its categories, all on one scale; so does a short second one beside a long
first one. A hidden figure is its sign, never a bar
of nought; an error is a whisker of half a 95 % interval, in a heat map a stroke through a cell whose error is larger
than its figure. Self-contained SVG without style sheets, script or links; what it shows stands in the table beside it.
Colours: Okabe and Ito; heat maps go from light to dark. Standard library only; pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sandbox.client.grid import HIDDEN, MISSING, Axis, Cell, Grid, figure_text, said
from sandbox.client.scale import COLOURS, Scale, cut, number_text, scale, wide, words

WIDTH: Final = 440
MOST_PANELS: Final = 12
"""Categories of a third dimension that are drawn."""
MOST_SERIES: Final = 4
MOST_BARS: Final = 60
"""A bar for each figure as long as there are no more; a heat map otherwise."""
FONT: Final = "system-ui,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif"
_CHARACTER: Final = 6.9
_LABEL: Final = 20
_INK: Final = "#222222"
_LINE: Final = "#d5dbe3"
_GREY: Final = "#6b7479"
_LIGHT: Final = (0xE8, 0xF0, 0xFA)
_DARK: Final = (0x06, 0x2A, 0x52)
_WARM: Final = (0x9A, 0x3B, 0x00)
_CELL: Final = 24
_SAYS: Final[Mapping[str, tuple[str, str]]] = {
    "hidden": ("不予显示", "not shown"),
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
            f'width="{self.width}" height="{self.height + top}" font-family="{FONT}" font-size="13" fill="{_INK}">'
            f"<title>{words(self.title)}</title><desc>{words(self.described)}</desc>"
            f'<rect width="{self.width}" height="{self.height + top}" fill="#ffffff"/>'
            f"{name + words(cut(self.title, self.width // 7)) + '</text>' if heading else ''}"
            f'<g transform="translate(0 {top})">{self.body}</g></svg>'
        )


def draw(grid: Grid, lang: str = "zh") -> list[Drawing]:
    """The drawings of a grid: none without a dimension, one for each category of a third one."""
    if not grid.axes:
        return []
    bars = len(grid.rows) * len(grid.columns)
    if bars > MOST_BARS and len(grid.columns) <= MOST_SERIES and not grid.panels.name:
        grid = _beside(grid)
    by_bars = not grid.columns.name or (len(grid.columns) <= MOST_SERIES and bars <= MOST_BARS)
    drawings = []
    for panel in range(min(len(grid.panels), MOST_PANELS)):
        body, width, height = (_bars if by_bars else _heat_map)(grid, panel, lang)
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
    return max(0, len(grid.panels) - MOST_PANELS)


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
    return replace(grid, columns=MISSING, panels=grid.columns, cells=cells)


def _bars(grid: Grid, panel: int, lang: str) -> tuple[str, int, int]:
    series = len(grid.columns)
    thick = 14 if series == 1 else 10
    row_height = thick * series + (8 if series == 1 else 10)
    left = _margin(grid.rows, lang)
    body, top = [], 6
    if series > 1:
        legend, top = _legend(grid.columns, lang)
        body.append(legend)
    bottom = top + row_height * len(grid.rows)
    axis = _axis_of(grid, left, WIDTH - (74 if series == 1 else 30))
    body += _ticks(axis, top, bottom)
    for row in range(len(grid.rows)):
        y = top + row * row_height
        label = words(cut(grid.rows.said(row, lang), _LABEL))
        body.append(f'<text x="{left - 6:.0f}" y="{y + row_height / 2 + 4:.1f}" text-anchor="end">{label}</text>')
        for column in range(series):
            at = y + (row_height - thick * series) / 2 + thick * column
            names = [grid.rows.said(row, lang), *([grid.columns.said(column, lang)] if grid.columns.name else [])]
            body += _bar(
                grid.cells[panel, row, column], axis, at, thick, COLOURS[column], names, lang, text=series == 1
            )
    return "".join(body), WIDTH, round(bottom + 26)


def _bar(
    cell: Cell, axis: Scale, y: float, thick: int, colour: str, names: list[str], lang: str, *, text: bool
) -> Iterator[str]:
    value, error = cell
    middle = y + thick / 2
    told = _told(cell, names, lang)
    if value is None:
        yield f'<text x="{axis(0.0) + 4:.1f}" y="{middle + 6:.1f}" fill="{_GREY}">{told}{HIDDEN}</text>'
        return
    start, end = sorted((axis(0.0), axis(value)))
    yield (
        f'<rect x="{start:.1f}" y="{y + 0.5:.1f}" width="{max(end - start, 0.5):.1f}" height="{thick - 1}" '
        f'fill="{colour}">{told}</rect>'
    )
    right = end
    if error:
        low, right = axis(value - error), axis(value + error)
        ends = f"M{low:.1f} {middle - 3:.1f}v6M{right:.1f} {middle - 3:.1f}v6"
        yield (f'<path d="M{low:.1f} {middle:.1f}H{right:.1f}{ends}" stroke="{_INK}" stroke-width="1.2" fill="none"/>')
    if text:
        yield f'<text x="{max(right, end) + 5:.1f}" y="{middle + 4.5:.1f}">{figure_text(value)}</text>'


def _heat_map(grid: Grid, panel: int, lang: str) -> tuple[str, int, int]:
    left = _margin(grid.rows, lang)
    labels = [cut(grid.columns.said(place, lang), 16) for place in range(len(grid.columns))]
    texts = [figure_text(value) for value, _ in grid.cells.values()]
    wanted = max([wide(each) for each in texts], default=1) * _CHARACTER + 8
    width = min(max(wanted, (WIDTH - left - 8) / len(labels), 20), 72) if len(labels) <= 16 else 20.0
    tall = max(wide(each) for each in labels) * _CHARACTER
    turned = tall + 6 > width
    top = (tall if turned else 14) + 10
    shades = _Shades.of([value for value, _ in grid.cells.values()])
    body = []
    for place, label in enumerate(labels):
        x = left + (place + 0.5) * width
        if turned:
            body.append(f'<text transform="translate({x + 4:.1f} {top - 5:.1f}) rotate(-90)">{words(label)}</text>')
        else:
            body.append(f'<text x="{x:.1f}" y="{top - 6:.1f}" text-anchor="middle">{words(label)}</text>')
    for row in range(len(grid.rows)):
        y = top + row * _CELL
        label = words(cut(grid.rows.said(row, lang), _LABEL))
        body.append(f'<text x="{left - 6:.0f}" y="{y + 16:.1f}" text-anchor="end">{label}</text>')
        for column in range(len(labels)):
            names = [grid.rows.said(row, lang), grid.columns.said(column, lang)]
            body += _square(grid.cells[panel, row, column], shades, left + column * width, y, width, names, lang)
    bottom = top + len(grid.rows) * _CELL
    whole = round(max(left + width * len(labels) + 8, 320))
    body += shades.legend(8, bottom + 12)
    return "".join(body), whole, round(bottom + 48)


def _square(
    cell: Cell, shades: _Shades, x: float, y: float, width: float, names: list[str], lang: str
) -> Iterator[str]:
    value, error = cell
    fill, ink = ("#ffffff", _GREY) if value is None else shades(value)
    stroke = f' stroke="{_LINE}"' if value is None else ""
    yield (
        f'<rect x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{width - 1:.1f}" height="{_CELL - 1}" fill="{fill}"{stroke}>'
        f"{_told(cell, names, lang)}</rect>"
    )
    if value is not None and error is not None and error > abs(value):
        yield f'<path d="M{x + 1:.1f} {y + _CELL - 1:.1f}L{x + width - 1:.1f} {y + 1:.1f}" stroke="{ink}"/>'
    text = figure_text(value)
    if wide(text) * _CHARACTER + 4 <= width:
        yield (
            f'<text x="{x + width / 2:.1f}" y="{y + 16:.1f}" text-anchor="middle" font-size="12" fill="{ink}">{text}'
            "</text>"
        )


@dataclass(frozen=True, slots=True)
class _Shades:
    """Light to dark from the least to the greatest; below nought in another colour."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float | None]) -> _Shades:
        there = [each for each in values if each is not None] or [0.0]
        low, high = min(there), max(there)
        return cls(min(low, 0.0) if low < 0 else low, high)

    def __call__(self, value: float) -> tuple[str, str]:
        """Colours of a cell and of what is written in it."""
        if self.low < 0:
            most = max(-self.low, self.high) or 1.0
            share, dark = abs(value) / most, _WARM if value < 0 else _DARK
        else:
            share, dark = ((value - self.low) / (self.high - self.low) if self.high > self.low else 0.5), _DARK
        mixed = [round(light + (end - light) * share) for light, end in zip(_LIGHT, dark, strict=True)]
        return "#{:02x}{:02x}{:02x}".format(*mixed), "#ffffff" if share > 0.5 else _INK

    def legend(self, x: float, y: float) -> Iterator[str]:
        """Five squares with their numbers."""
        steps = [self.low + (self.high - self.low) * place / 4 for place in range(5)]
        digits = f"{max(abs(self.low), abs(self.high)):.3g}"
        for place, value in enumerate(steps if self.high > self.low else steps[:1]):
            at = x + place * 62
            text = number_text(float(f"{value:.3g}")) if digits else ""
            yield f'<rect x="{at:.0f}" y="{y:.0f}" width="58" height="10" fill="{self(value)[0]}"/>'
            yield f'<text x="{at:.0f}" y="{y + 24:.0f}" font-size="11" fill="{_GREY}">{text}</text>'


def _axis_of(grid: Grid, start: float, end: float) -> Scale:
    """One scale for all panels; the ends of the whiskers are on it."""
    ends = [each for value, error in grid.cells.values() if value is not None
            for each in (value - (error or 0), value + (error or 0))]  # fmt: skip
    found = scale(ends, start, end, zero=True, wanted=4)
    room = (end - start) / max(len(found.ticks) - 1, 1)
    if max(wide(number_text(each)) for each in found.ticks) * _CHARACTER + 6 > room:
        found = scale(ends, start, end, zero=True, wanted=2)
    return found


def _ticks(axis: Scale, top: float, bottom: float) -> Iterator[str]:
    for tick in axis.ticks:
        x, colour = axis(tick), _GREY if tick == 0 else _LINE
        yield f'<path d="M{x:.1f} {top:.0f}V{bottom:.0f}" stroke="{colour}"/>'
        yield (
            f'<text x="{x:.1f}" y="{bottom + 17:.0f}" text-anchor="middle" font-size="12" fill="{_GREY}">'
            f"{number_text(tick)}</text>"
        )


def _legend(columns: Axis, lang: str) -> tuple[str, int]:
    """Squares with names, as many in a line as fit."""
    x, y, parts = 8.0, 6, []
    for place in range(len(columns)):
        label = cut(columns.said(place, lang), 44)
        room = 16 + wide(label) * _CHARACTER + 14
        if x + room > WIDTH and x > 8:
            x, y = 8.0, y + 20
        parts.append(f'<rect x="{x:.0f}" y="{y}" width="11" height="11" fill="{COLOURS[place]}"/>')
        parts.append(f'<text x="{x + 16:.0f}" y="{y + 10}">{words(label)}</text>')
        x += room
    return "".join(parts), y + 24


def _margin(rows: Axis, lang: str) -> float:
    return 14 + max(wide(cut(rows.said(place, lang), _LABEL)) for place in range(len(rows))) * _CHARACTER


def _told(cell: Cell, names: Sequence[str], lang: str) -> str:
    """What a pointer on a mark shows."""
    value, error = cell
    number = _say("hidden", lang) if value is None else figure_text(value)
    if value is not None and error is not None:
        number += f" ± {figure_text(error)}"
    return f"<title>{words(' · '.join(names))}: {number}</title>"


def _say(what: str, lang: str) -> str:
    return _SAYS[what][0 if lang == "zh" else 1]
