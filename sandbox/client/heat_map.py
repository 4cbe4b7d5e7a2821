"""A square for each figure, from light to dark; below nought in another colour. A stroke: the error is larger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.client.grid import Cell, Grid, figure_text
from sandbox.client.marks import CHARACTER, GREY, INK, LABEL, LINE, WIDTH, margin, told
from sandbox.client.scale import cut, number_text, wide, words

_LIGHT: Final = (0xE8, 0xF0, 0xFA)
_DARK: Final = (0x06, 0x2A, 0x52)
_WARM: Final = (0x9A, 0x3B, 0x00)
_CELL: Final = 24


def heat_map(grid: Grid, panel: int, lang: str) -> tuple[str, int, int]:
    """Body, width and height."""
    left = margin(grid.rows, lang)
    labels = [cut(grid.columns.said(place, lang), 16) for place in range(len(grid.columns))]
    texts = [figure_text(value) for value, _ in grid.cells.values()]
    wanted = max([wide(each) for each in texts], default=1) * CHARACTER + 8
    width = min(max(wanted, (WIDTH - left - 8) / len(labels), 20), 72) if len(labels) <= 16 else 20.0
    tall = max(wide(each) for each in labels) * CHARACTER
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
        label = words(cut(grid.rows.said(row, lang), LABEL))
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
    fill, ink = ("#ffffff", GREY) if value is None else shades(value)
    stroke = f' stroke="{LINE}"' if value is None else ""
    yield (
        f'<rect x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{width - 1:.1f}" height="{_CELL - 1}" fill="{fill}"{stroke}>'
        f"{told(cell, names, lang)}</rect>"
    )
    if value is not None and error is not None and error > abs(value):
        yield f'<path d="M{x + 1:.1f} {y + _CELL - 1:.1f}L{x + width - 1:.1f} {y + 1:.1f}" stroke="{ink}"/>'
    text = figure_text(value)
    if wide(text) * CHARACTER + 4 <= width:
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
        return "#{:02x}{:02x}{:02x}".format(*mixed), "#ffffff" if share > 0.5 else INK

    def legend(self, x: float, y: float) -> Iterator[str]:
        """Five squares with their numbers."""
        steps = [self.low + (self.high - self.low) * place / 4 for place in range(5)]
        for place, value in enumerate(steps if self.high > self.low else steps[:1]):
            at = x + place * 62
            text = number_text(float(f"{value:.3g}"))
            yield f'<rect x="{at:.0f}" y="{y:.0f}" width="58" height="10" fill="{self(value)[0]}"/>'
            yield f'<text x="{at:.0f}" y="{y + 24:.0f}" font-size="11" fill="{GREY}">{text}</text>'
