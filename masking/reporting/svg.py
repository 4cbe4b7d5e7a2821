"""
Bar charts and histograms as inline SVG: no script, no font, no picture from elsewhere.

Colours are two of Okabe and Ito's palette, which colour-blind people tell apart; they differ in lightness as well, so
that they print in grey. Every drawing is an image with a title and a description for screen readers.
"""

import hashlib
from collections.abc import Sequence
from html import escape

from masking.report import Cell, Distribution
from masking.reporting.words import Language, word

BEFORE = "#e69f00"
AFTER = "#0072b2"
WIDTH = 360
_LINE = 20
_LABELS = 128
_BARS = 176


def bars(items: Sequence[tuple[str, float, str]], *, title: str, description: str, colours: Sequence[str]) -> str:
    """Horizontal bars: (label, value, value as text); the longest is the full width."""
    longest = max((value for _, value, _ in items), default=0) or 1
    body = []
    for place, ((label, value, text), colour) in enumerate(zip(items, colours, strict=True)):
        y = place * _LINE
        length = max(value / longest * _BARS, 1 if value else 0)
        body.append(
            f'<text x="{_LABELS - 6}" y="{y + 14}" text-anchor="end">{_text(_short(label))}</text>'
            f'<rect x="{_LABELS}" y="{y + 4}" width="{length:.1f}" height="13" fill="{colour}"/>'
            f'<text x="{_LABELS + length + 5:.1f}" y="{y + 14}">{_text(text)}</text>'
        )
    return _drawing(len(items) * _LINE + 4, title, description, "".join(body))


def shares(items: Sequence[tuple[str, Sequence[float]]], *, title: str) -> str:
    """A bar for each item, divided by shares that sum to 1 at most; the later a part, the darker."""
    body, lines = [], []
    for place, (label, parts) in enumerate(items):
        y = place * _LINE
        body.append(f'<text x="{_LABELS - 6}" y="{y + 14}" text-anchor="end">{_text(_short(label))}</text>')
        lines.append(f"{label}: " + ", ".join(f"{at} {percent(part)}" for at, part in enumerate(parts) if part))
        x = float(_LABELS)
        wide = WIDTH - _LABELS - 8
        for at, part in enumerate(parts):
            dark = 0.12 + 0.88 * at / max(1, len(parts) - 1)
            if part:
                body.append(
                    f'<rect x="{x:.1f}" y="{y + 4}" width="{max(part * wide, 0.5):.1f}" height="13" fill="{AFTER}" '
                    f'fill-opacity="{dark:.2f}" stroke="#fff" stroke-width="0.6"/>'
                )
            x += part * wide
    return _drawing(len(items) * _LINE + 4, title, "; ".join(lines), "".join(body))


def distribution(shown: Distribution, *, title: str, colour: str, lang: Language) -> str:
    """The plot of a distribution: its cells, in its own order."""
    total = total_of(shown) or 1
    named = [(cell_label(cell, shown), cell.count) for cell in shown.cells]
    if shown.pooled:
        named.append((word("others", lang), shown.pooled))
    description = "; ".join(f"{label}: {percent(count / total)}" for label, count in named)
    if shown.kind == "categories":
        items = [(label, count / total, percent(count / total)) for label, count in named]
        return bars(items, title=title, description=description, colours=[colour] * len(items))
    return _histogram(shown, total, title=title, description=description, colour=colour, lang=lang)


def total_of(shown: Distribution) -> int:
    """All records that a distribution counts."""
    return sum(cell.count for cell in shown.cells) + (shown.pooled or 0)


def cell_label(cell: Cell, shown: Distribution) -> str:
    """What a cell holds: its value, or its bin."""
    if shown.kind == "categories":
        return printable(cell.label)
    low, high = _edge(cell.lower, shown), _edge(cell.upper, shown)
    if cell.lower is None and cell.upper is None:
        return "–"
    return f"< {high}" if cell.lower is None else f"≥ {low}" if cell.upper is None else f"{low} – {high}"


def percent(share: float) -> str:
    """A share in per cent, to a digit that can be read."""
    return f"{share:.0%}" if share >= 0.1 or not share else f"{share:.1%}" if share >= 0.001 else "< 0.1%"


def printable(text: str) -> str:
    """Text without control characters or characters that turn the line."""
    return "".join(c if c.isprintable() else "�" for c in text)


def _histogram(shown: Distribution, total: int, *, title: str, description: str, colour: str, lang: Language) -> str:
    left, right, top, height = 40, WIDTH - 12, 24, 120
    bottom = top + height
    highest = max(cell.count for cell in shown.cells) / total or 1
    width = (right - left) / len(shown.cells)
    identity = "h" + hashlib.sha256(f"{title}{colour}".encode()).hexdigest()[:12]
    body = [
        _hatching(identity, colour),
        f'<text x="0" y="12">{_text(word("share_of_records", lang))}</text>',
    ]
    for share in (highest, highest / 2):
        y = bottom - share / highest * height
        body.append(
            f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" stroke-opacity="0.2"/>'
            f'<text x="{left - 4}" y="{y + 4:.1f}" text-anchor="end">{share * 100:.2g}</text>'
        )
    for place, cell in enumerate(shown.cells):
        tall = cell.count / total / highest * height
        x = left + place * width
        fill = f"url(#{identity})" if _merged(cell, shown) else colour
        body.append(
            f'<rect x="{x + 0.75:.1f}" y="{bottom - tall:.1f}" width="{max(width - 1.5, 1):.1f}" '
            f'height="{tall:.1f}" fill="{fill}"/>'
        )
    body.append(f'<line x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}" stroke="currentColor"/>')
    edges = [cell.upper for cell in shown.cells[:-1]]
    each = max(1, -(-len(edges) // 6))
    for place in range(0, len(edges), each):
        x = left + (place + 1) * width
        body.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}" stroke="currentColor"/>'
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{_text(_edge(edges[place], shown))}</text>'
        )
    return _drawing(bottom + 22, title, description, "".join(body))


def _hatching(identity: str, colour: str) -> str:
    return (
        f'<defs><pattern id="{identity}" width="5" height="5" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><rect width="5" height="5" fill="{colour}" fill-opacity="0.35"/>'
        f'<rect width="2.4" height="5" fill="{colour}"/></pattern></defs>'
    )


def _merged(cell: Cell, shown: Distribution) -> bool:
    if cell.lower is None or cell.upper is None:
        return True
    return shown.step is not None and cell.upper - cell.lower > shown.step * 1.001


def _edge(value: float | None, shown: Distribution) -> str:
    if value is None:
        return ""
    if shown.scale == "month":
        year, month = divmod(int(value), 12)
        return f"{year}" if (shown.step or 0) % 12 == 0 else f"{year}-{month + 1:02d}"
    return f"{value:,.10g}"


def _drawing(height: float, title: str, description: str, body: str) -> str:
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {height:.0f}" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{_text(title)}</title><desc>{_text(description)}</desc>{body}</svg>"
    )


def _text(text: str) -> str:
    return escape(printable(text))


def _short(label: str) -> str:
    """A label that fits beside its bar; Chinese characters are twice as wide."""
    wide = 0
    for place, character in enumerate(label):
        wide += 2 if ord(character) > 0x2E7F else 1
        if wide > 19:
            return label[:place] + "…"
    return label
