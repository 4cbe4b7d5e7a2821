"""Draws a figure from the released bytes of its table and from nothing else: the same bytes, the same drawing.

What stands in the table is what the drawing can show; its numbers have three significant digits, its rows are sorted,
rows of totals are left out. Self-contained SVG: no script, no link, no font or picture from elsewhere.
Colours: Okabe and Ito, told apart by colour-blind people. Pure.
"""

from __future__ import annotations

from typing import Final

from sandbox.airlock.figures.marks import Plot, bars, boxes, cells, lines
from sandbox.airlock.figures.spec import Figure
from sandbox.airlock.typed import canonical_rows, digest, is_total
from sandbox.client.scale import cut, words

WIDTH: Final = 640
FONT: Final = "system-ui,'Noto Sans CJK SC','Source Han Sans SC','PingFang SC','Microsoft YaHei',sans-serif"
_PAINTERS: Final = {"bar": bars, "grouped_bar": bars, "line": lines, "heat_map": cells, "box": boxes}


def draw(figure: Figure, table: bytes, *, table_name: str) -> bytes:
    """The drawing. ``table`` is the canonical CSV that is released with it under ``table_name``.

    Raises:
        KeyError: the kind or a column is unknown; the checks have said so before.
    """
    body, height = _PAINTERS[figure.kind](plot_of(figure, table))
    top = 34 if figure.title else 8
    described = f"{figure.kind}: {', '.join(figure.y)} / {figure.x}{' / ' + figure.series if figure.series else ''}"
    source = f"{table_name} sha256 {digest(table)}"
    heading = f'<text x="{WIDTH / 2:.0f}" y="22" class="t">{words(cut(figure.title, 78))}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDTH} {top + height}" '
        f'width="{WIDTH}" height="{top + height}">'
        f"<title>{words(figure.title or described)}</title><desc>{words(described)}; {words(source)}</desc>"
        f"<style>text{{font:12px {FONT};fill:#222}}.t{{font-size:16px;font-weight:600;text-anchor:middle}}"
        ".e{text-anchor:end}.m{text-anchor:middle}.g{stroke:#ddd}.a{stroke:#555}</style>"
        f'<rect width="{WIDTH}" height="{top + height}" fill="#fff"/>{heading if figure.title else ""}'
        f'<g transform="translate(0 {top})">{body}</g></svg>\n'
    ).encode()


def plot_of(figure: Figure, table: bytes) -> Plot:
    """Places along the axis, series, and a number for each of them; what the table leaves empty is None."""
    header, rows = canonical_rows(table)
    at = {name: place for place, name in enumerate(header)}
    labels = [at[name] for name in (figure.x, figure.series) if name]
    kept = [row for row in rows if not any(is_total(row[place]) for place in labels)]
    places = list(dict.fromkeys(row[at[figure.x]] for row in kept))
    if figure.series:
        names = sorted(dict.fromkeys(row[at[figure.series]] for row in kept))
        numbers = {(row[at[figure.x]], row[at[figure.series]]): _number(row[at[figure.y[0]]]) for row in kept}
        values = {name: tuple(numbers.get((place, name)) for place in places) for name in names}
    else:
        values = {name: tuple(_number(row[at[name]]) for row in kept) for name in figure.y}
    return Plot(WIDTH, figure.x, figure.y, figure.series, tuple(places), values)


def _number(text: str) -> float | None:
    return float(text) if text else None
