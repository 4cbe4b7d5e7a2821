"""The risk–utility curve as a drawing and as a page: plans that none of the others beats in risk and detail at once.

Risk is drawn on a logarithmic scale, since plans differ by factors; the highest acceptable risks of the sharing modes
are lines. A plan is a number in a round (local) or square (global) mark, and the same number in the table beside it:
colour alone says nothing. Self-contained, as report pages are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from masking.reporting.page import document
from masking.reporting.svg import AFTER, printable
from masking.reporting.words import Language

GLOBAL: Final = "#b04a00"
"""Okabe and Ito's vermilion, darkened so that white digits in it can be read."""
_WIDTH: Final = 520
_HEIGHT: Final = 330
_LEFT: Final = 52
_RIGHT: Final = _WIDTH - 16
_TOP: Final = 22
_BOTTOM: Final = _HEIGHT - 46
_DECADES: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_LEAST: Final = 1e-4
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "curve": ("风险—效用曲线", "risk–utility curve"),
    "internal": ("内部：不得外传", "internal: not to be passed on"),
    "curve_risk": ("最高重标识风险（对数刻度）", "highest re-identification risk (logarithmic)"),
    "curve_detail": ("粒度（1 为未处理）", "granularity (1: the untouched table)"),
    "curve_caption": (
        "左上为优。圆：局部泛化；方：全局泛化。每个方案都有别的方案所不及之处；虚线为可接受的最高风险。",
        "Up and left is better. Round: local recoding, square: global. No plan beats another in all; dashed: limits.",
    ),
    "curve_table": ("各方案", "the plans"),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A plan: its ``number`` in the table, ``risk`` and ``granularity`` in [0, 1], and what it is in words."""

    number: int
    risk: float
    granularity: float
    recoding: str
    label: str


def scatter(marks: Sequence[Mark], thresholds: Mapping[str, float], lang: Language) -> str:
    """The drawing. ``thresholds``: {words: highest acceptable risk}, each a line."""
    axes = _Axes.of(marks, thresholds)
    body = [*_frame(lang), *_ticks(axes), *_limits(thresholds, axes)]
    body += [_mark(mark, axes.x(mark.risk), axes.y(mark.granularity)) for mark in marks]
    said = "; ".join(f"{mark.number}: {mark.label}" for mark in marks)
    return (
        f'<svg role="img" class="wide" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'xmlns="http://www.w3.org/2000/svg" font-size="11" font-family="sans-serif">'
        f"<title>{_text(_word('curve', lang))}</title><desc>{_text(said)}</desc>{''.join(body)}</svg>"
    )


def to_html(
    title: str,
    marks: Sequence[Mark],
    thresholds: Mapping[str, float],
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    lang: Language,
) -> str:
    """The page: the drawing and the same plans as a table, one row a plan."""
    head = "".join(f'<th scope="col">{_text(each)}</th>' for each in headers)
    lines = "".join(
        f'<tr><th scope="row">{_text(row[0])}</th>{"".join(f"<td>{_text(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    figure = (
        f"<figure>{scatter(marks, thresholds, lang)}"
        f"<figcaption>{_text(_word('curve_caption', lang))}</figcaption></figure>"
    )
    table = (
        f'<table class="numbers"><caption>{_text(_word("curve_table", lang))}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )
    kind = _text(_word("internal", lang))
    body = f"<section>{figure}</section><section>{table}</section>"
    return document(_text(title), _text(_word("curve", lang)), f"{_text(_word('curve', lang))} · {kind}", body, lang)


@dataclass(frozen=True, slots=True)
class _Axes:
    """Risk from ``low`` to ``high``, logarithmic; granularity from ``floor`` to ``ceiling``."""

    low: float
    high: float
    floor: float
    ceiling: float

    @classmethod
    def of(cls, marks: Sequence[Mark], thresholds: Mapping[str, float]) -> _Axes:
        risks = [max(risk, _LEAST) for risk in (*(mark.risk for mark in marks), *thresholds.values())] or [0.01, 1.0]
        low, high = min(risks) / 1.3, min(1.0, max(risks) * 1.3)
        floor = math.floor(min((mark.granularity for mark in marks), default=0.0) * 10) / 10
        ceiling = math.ceil(max((mark.granularity for mark in marks), default=1.0) * 10) / 10
        return cls(low, max(high, low * 1.5), floor, max(floor + 0.1, ceiling))

    def x(self, risk: float) -> float:
        share = math.log(max(risk, _LEAST) / self.low) / math.log(self.high / self.low)
        return _LEFT + 12 + share * (_RIGHT - _LEFT - 24)

    def y(self, granularity: float) -> float:
        return _BOTTOM - (granularity - self.floor) / (self.ceiling - self.floor) * (_BOTTOM - _TOP)


def _frame(lang: Language) -> list[str]:
    return [
        _line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM),
        _line(_LEFT, _TOP, _LEFT, _BOTTOM),
        _said(_RIGHT, _HEIGHT - 8, "end", _word("curve_risk", lang)),
        _said(0, 12, "start", _word("curve_detail", lang)),
    ]


def _ticks(axes: _Axes) -> list[str]:
    lines = []
    for tick in (each for each in _DECADES if axes.low <= each <= axes.high):
        at = axes.x(tick)
        lines += [_line(at, _BOTTOM, at, _BOTTOM + 4), _said(at, _BOTTOM + 17, "middle", f"{tick:g}")]
    steps = round((axes.ceiling - axes.floor) * 10)
    for step in range(0, steps + 1, max(1, steps // 6)):
        value = axes.floor + step / 10
        at = axes.y(value)
        lines += [_line(_LEFT, at, _RIGHT, at, opacity=0.15), _said(_LEFT - 6, at + 4, "end", f"{value:.1f}")]
    return lines


def _limits(thresholds: Mapping[str, float], axes: _Axes) -> list[str]:
    lines = []
    for place, (words, limit) in enumerate(sorted(thresholds.items(), key=lambda each: each[1])):
        at = axes.x(limit)
        anchor, shift = ("end", -4) if at > _WIDTH * 0.6 else ("start", 4)
        lines.append(_line(at, _TOP, at, _BOTTOM, dashes=' stroke-dasharray="4 4"'))
        lines.append(_said(at + shift, _BOTTOM - 6 - place * 14, anchor, f"{words} ≤ {limit:g}"))
    return lines


def _line(x1: float, y1: float, x2: float, y2: float, *, opacity: float = 1.0, dashes: str = "") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor" '
        f'stroke-opacity="{opacity:g}"{dashes}/>'
    )


def _said(x: float, y: float, anchor: str, words: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">{_text(words)}</text>'


def _mark(mark: Mark, x: float, y: float) -> str:
    shape = (
        f'<rect x="{x - 8:.1f}" y="{y - 8:.1f}" width="16" height="16" fill="{GLOBAL}"/>'
        if mark.recoding == "global"
        else f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="{AFTER}"/>'
    )
    return (
        f"<g><title>{_text(f'{mark.number}: {mark.label}')}</title>{shape}"
        f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="#fff" font-weight="bold">'
        f"{mark.number}</text></g>"
    )


def _word(name: str, lang: Language) -> str:
    return _WORDS[name][lang == "en"]


def _text(text: str) -> str:
    return escape(printable(text))
