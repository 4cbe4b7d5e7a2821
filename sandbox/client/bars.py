"""Horizontal bars with their errors, so that long labels can be read; a hidden figure is its sign."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.client.grid import HIDDEN, Axis, Cell, Grid, figure_text
from sandbox.client.marks import CHARACTER, GREY, INK, LABEL, LINE, WIDTH, margin, told
from sandbox.client.scale import COLOURS, Scale, cut, number_text, scale, wide, words


def bars(grid: Grid, panel: int, lang: str) -> tuple[str, int, int]:
    """Body, width and height; one beside the other where there are columns."""
    series = len(grid.columns)
    thick = 14 if series == 1 else 10
    row_height = thick * series + (8 if series == 1 else 10)
    left = margin(grid.rows, lang)
    body, top = [], 6
    if series > 1:
        legend, top = _legend(grid.columns, lang)
        body.append(legend)
    bottom = top + row_height * len(grid.rows)
    axis = _axis_of(grid, left, WIDTH - (74 if series == 1 else 30))
    body += _ticks(axis, top, bottom)
    for row in range(len(grid.rows)):
        y = top + row * row_height
        label = words(cut(grid.rows.said(row, lang), LABEL))
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
    said = told(cell, names, lang)
    if value is None:
        yield f'<text x="{axis(0.0) + 4:.1f}" y="{middle + 6:.1f}" fill="{GREY}">{said}{HIDDEN}</text>'
        return
    start, end = sorted((axis(0.0), axis(value)))
    yield (
        f'<rect x="{start:.1f}" y="{y + 0.5:.1f}" width="{max(end - start, 0.5):.1f}" height="{thick - 1}" '
        f'fill="{colour}">{said}</rect>'
    )
    right = end
    if error:
        low, right = axis(value - error), axis(value + error)
        ends = f"M{low:.1f} {middle - 3:.1f}v6M{right:.1f} {middle - 3:.1f}v6"
        yield (f'<path d="M{low:.1f} {middle:.1f}H{right:.1f}{ends}" stroke="{INK}" stroke-width="1.2" fill="none"/>')
    if text:
        yield f'<text x="{max(right, end) + 5:.1f}" y="{middle + 4.5:.1f}">{figure_text(value)}</text>'


def _axis_of(grid: Grid, start: float, end: float) -> Scale:
    """One scale for all panels; the ends of the whiskers are on it."""
    ends = [each for value, error in grid.cells.values() if value is not None
            for each in (value - (error or 0), value + (error or 0))]  # fmt: skip
    found = scale(ends, start, end, zero=True, wanted=4)
    room = (end - start) / max(len(found.ticks) - 1, 1)
    if max(wide(number_text(each)) for each in found.ticks) * CHARACTER + 6 > room:
        found = scale(ends, start, end, zero=True, wanted=2)
    return found


def _ticks(axis: Scale, top: float, bottom: float) -> Iterator[str]:
    for tick in axis.ticks:
        x, colour = axis(tick), GREY if tick == 0 else LINE
        yield f'<path d="M{x:.1f} {top:.0f}V{bottom:.0f}" stroke="{colour}"/>'
        yield (
            f'<text x="{x:.1f}" y="{bottom + 17:.0f}" text-anchor="middle" font-size="12" fill="{GREY}">'
            f"{number_text(tick)}</text>"
        )


def _legend(columns: Axis, lang: str) -> tuple[str, int]:
    """Squares with names, as many in a line as fit."""
    x, y, parts = 8.0, 6, []
    for place in range(len(columns)):
        label = cut(columns.said(place, lang), 44)
        room = 16 + wide(label) * CHARACTER + 14
        if x + room > WIDTH and x > 8:
            x, y = 8.0, y + 20
        parts.append(f'<rect x="{x:.0f}" y="{y}" width="11" height="11" fill="{COLOURS[place]}"/>')
        parts.append(f'<text x="{x + 16:.0f}" y="{y + 10}">{words(label)}</text>')
        x += room
    return "".join(parts), y + 24
