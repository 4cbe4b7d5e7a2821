"""Bars, lines, cells and boxes as SVG, with their axes. Each gives its body and its height in pixels.

A mark stands for one group of the checked table, never for a record. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.client.scale import COLOURS, Scale, cut, number_text, scale, wide, words

ROW: Final = 22
BAR: Final = 14
LABELS: Final = 24
"""Half characters that a label beside the axis may take."""
_CHARACTER: Final = 6.4
_PLOT: Final = 300
_SHOWN_PLACES: Final = 12


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn: places along x, and for each series (or column of ``y``) a number at each place, or None."""

    width: int
    x: str
    y: tuple[str, ...]
    series: str
    places: tuple[str, ...]
    values: Mapping[str, tuple[float | None, ...]]

    @property
    def numbers(self) -> list[float | None]:
        """All of them."""
        return [value for row in self.values.values() for value in row]

    @property
    def margin(self) -> float:
        """Room for the labels of the places at the left."""
        longest = max([wide(cut(place, LABELS)) for place in self.places], default=0)
        return 16 + max(longest, wide(cut(self.x, LABELS))) * _CHARACTER


def bars(plot: Plot) -> tuple[str, int]:
    """Horizontal bars, so that long labels can be read; one beside the other where there are series."""
    across = max(len(plot.values), 1)
    thick = BAR if across == 1 else 9
    row = ROW if across == 1 else across * thick + 8
    top = _top(plot)
    bottom = top + len(plot.places) * row
    axis = scale(plot.numbers, plot.margin, plot.width - 74, zero=True)
    body = [_legend(plot), _across(plot, axis, top, bottom)]
    for place, label in enumerate(plot.places):
        y = top + place * row
        body.append(_label(plot.margin, y + row / 2, label))
        for number, (colour, values) in enumerate(zip(COLOURS, plot.values.values(), strict=False)):
            value = values[place]
            if value is None:
                continue
            left, right = sorted((axis(0.0), axis(value)))
            at = y + (row - across * thick) / 2 + number * thick
            body.append(
                f'<rect x="{left:.1f}" y="{at:.1f}" width="{max(right - left, 0.5):.1f}" height="{thick - 1}" '
                f'fill="{colour}"/>'
            )
            if across == 1:
                body.append(f'<text x="{right + 4:.1f}" y="{at + 11:.1f}">{number_text(value)}</text>')
    return "".join(body), round(bottom + 44)


def lines(plot: Plot) -> tuple[str, int]:
    """A line for each series over the places in their order; a gap where the table has none."""
    top = _top(plot)
    axis = scale(plot.numbers, top + _PLOT, top, zero=False)
    left = 22 + max(wide(number_text(tick)) for tick in axis.ticks) * _CHARACTER
    step = (plot.width - 24 - left) / max(len(plot.places) - 1, 1)
    body = [_legend(plot)]
    for tick in axis.ticks:
        y = axis(tick)
        body.append(f'<line x1="{left:.1f}" x2="{plot.width - 24}" y1="{y:.1f}" y2="{y:.1f}" class="g"/>')
        body.append(f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" class="e">{number_text(tick)}</text>')
    every = -(-len(plot.places) // _SHOWN_PLACES)
    fits = max(int(every * step / _CHARACTER) - 1, 3)
    for place in range(0, len(plot.places), every):
        x, text = left + place * step, cut(plot.places[place], fits)
        half = wide(text) * _CHARACTER / 2
        anchor = "" if x < half else "e" if x + half > plot.width else "m"
        body.append(f'<text x="{x:.1f}" y="{top + _PLOT + 18}" class="{anchor}">{words(text)}</text>')
    for colour, values in zip(COLOURS, plot.values.values(), strict=False):
        for run in _runs(values):
            points = " ".join(f"{left + place * step:.1f},{axis(value):.1f}" for place, value in run)
            body.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
            body += [
                f'<circle cx="{left + place * step:.1f}" cy="{axis(value):.1f}" r="2.5" fill="{colour}"/>'
                for place, value in run
            ]
    body.append(f'<text x="{plot.width - 24}" y="{top + _PLOT + 38}" class="e">{words(cut(plot.x, 60))}</text>')
    body.append(f'<text x="8" y="{top - 10}">{words(cut(", ".join(plot.y), 60))}</text>')
    return "".join(body), top + _PLOT + 48


def cells(plot: Plot) -> tuple[str, int]:
    """A heat map: places down, series across; the darker, the larger. An empty cell is hatched by nothing: white."""
    names = list(plot.values)
    left, top = plot.margin, 44
    wide_ = (plot.width - 12 - left) / max(len(names), 1)
    axis = scale(plot.numbers, 0.06, 0.94, zero=False)
    fits = max(int(wide_ / _CHARACTER) - 1, 2)
    about = f"{', '.join(plot.y)} · {plot.x} × {plot.series}"
    body = [f'<text x="8" y="14">{words(cut(about, 100))}</text>']
    for number, name in enumerate(names):
        x = left + (number + 0.5) * wide_
        body.append(f'<text x="{x:.1f}" y="{top - 8}" class="m">{words(cut(name, fits))}</text>')
    for place, label in enumerate(plot.places):
        y = top + place * ROW
        body.append(_label(left, y + ROW / 2, label))
        for number, name in enumerate(names):
            value = plot.values[name][place]
            if value is None:
                continue
            x, dark = left + number * wide_, axis(value)
            body.append(
                f'<rect x="{x:.1f}" y="{y}" width="{wide_ - 1:.1f}" height="{ROW - 1}" fill="{COLOURS[0]}" '
                f'fill-opacity="{dark:.2f}"/>'
            )
            text = number_text(value)
            if wide(text) <= fits:
                ink = ' style="fill:#fff"' if dark > 0.55 else ""
                body.append(f'<text x="{x + wide_ / 2:.1f}" y="{y + ROW / 2 + 4:.1f}" class="m"{ink}>{text}</text>')
    return "".join(body), top + len(plot.places) * ROW + 12


def boxes(plot: Plot) -> tuple[str, int]:
    """A box for each place from given quantiles, in ascending order: three (box and middle) or five (and whiskers)."""
    columns = list(plot.values.values())
    top = 30
    bottom = top + len(plot.places) * ROW
    axis = scale(plot.numbers, plot.margin, plot.width - 24, zero=False)
    body = [_across(plot, axis, top, bottom)]
    for place, label in enumerate(plot.places):
        middle = top + (place + 0.5) * ROW
        body.append(_label(plot.margin, middle, label))
        values = [column[place] for column in columns]
        shown = [axis(value) for value in values if value is not None]
        if len(shown) < len(values) or shown != sorted(shown):
            continue
        if len(shown) == 5:
            body.append(
                f'<line x1="{shown[0]:.1f}" x2="{shown[-1]:.1f}" y1="{middle:.1f}" y2="{middle:.1f}" class="a"/>'
            )
            shown = shown[1:4]
        body.append(
            f'<rect x="{shown[0]:.1f}" y="{middle - 7:.1f}" width="{max(shown[2] - shown[0], 0.5):.1f}" height="14" '
            f'fill="{COLOURS[4]}" stroke="#555"/>'
            f'<line x1="{shown[1]:.1f}" x2="{shown[1]:.1f}" y1="{middle - 7:.1f}" y2="{middle + 7:.1f}" '
            'stroke="#222" stroke-width="2"/>'
        )
    return "".join(body), round(bottom + 44)


def _across(plot: Plot, axis: Scale, top: float, bottom: float) -> str:
    """Ticks and grid of a horizontal axis of numbers below, and the names of both axes."""
    body = []
    for tick in axis.ticks:
        x = axis(tick)
        body.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" class="g"/>')
        body.append(f'<text x="{x:.1f}" y="{bottom + 16}" class="m">{number_text(tick)}</text>')
    body.append(f'<text x="{plot.width - 24}" y="{bottom + 34}" class="e">{words(cut(", ".join(plot.y), 70))}</text>')
    body.append(f'<text x="{plot.margin - 8:.1f}" y="{top - 8}" class="e">{words(cut(plot.x, LABELS))}</text>')
    return "".join(body)


def _label(right: float, middle: float, text: str) -> str:
    return f'<text x="{right - 8:.1f}" y="{middle + 4:.1f}" class="e">{words(cut(text, LABELS))}</text>'


def _top(plot: Plot) -> int:
    return 30 + 20 * _legend_lines(plot)


def _legend(plot: Plot) -> str:
    """Names of the series with their colours, three a line."""
    if not plot.series:
        return ""
    each = (plot.width - 24) / 4
    body = [f'<text x="8" y="14">{words(cut(plot.series, LABELS))}</text>']
    for number, (colour, name) in enumerate(zip(COLOURS, plot.values, strict=False)):
        x, y = 12 + each * (1 + number % 3), 4 + 20 * (number // 3)
        body.append(f'<rect x="{x:.1f}" y="{y}" width="12" height="12" fill="{colour}"/>')
        body.append(f'<text x="{x + 17:.1f}" y="{y + 10}">{words(cut(name, 22))}</text>')
    return "".join(body)


def _legend_lines(plot: Plot) -> int:
    return -(-len(plot.values) // 3) if plot.series else 0


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Unbroken stretches of a line."""
    runs: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((place, value))
    return [run for run in runs if run]
