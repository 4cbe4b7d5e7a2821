"""Pieces that pages of reports are built of: escaped words, facts, tables, and values as people read them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from masking.report import AttributeReport
from masking.reporting import svg
from masking.reporting.words import Language, word


class Pieces:
    """Everything here is markup in one language; ``inside`` also tells what stood before."""

    def __init__(self, lang: Language, *, inside: bool) -> None:
        self.lang: Language = lang
        self.inside = inside

    def word(self, name: str, **values: Any) -> str:
        """A word of the reports, escaped."""
        return escape(word(name, self.lang).format(**values))

    def pick(self, pair: Sequence[str]) -> str:
        """The Chinese or the English of a pair."""
        return escape(pair[self.lang == "en"])

    def facts(self, facts: Iterable[tuple[str, str | None]]) -> str:
        """A list of facts, each under its word; one without a value is left out."""
        shown = "".join(f"<div><dt>{self.word(name)}</dt><dd>{value}</dd></div>" for name, value in facts if value)
        return f'<dl class="facts">{shown}</dl>'

    def name(self, each: AttributeReport) -> str:
        """An attribute's title and name."""
        title = each.title.get(self.lang)
        return f"{escape(title)} <code>{escape(each.name)}</code>" if title else f"<code>{escape(each.name)}</code>"

    def settings(self, values: Mapping[str, Any]) -> str:
        """Parameters with their values."""
        if not values:
            return ""
        said = ", ".join(f"{name} = {plain(value)}" for name, value in values.items() if value is not None)
        return f'<span class="settings">{escape(svg.printable(said))}</span>'

    def change(self, before: int | None, after: int | None) -> str:
        """A number before and after; outside only after."""
        if not self.inside:
            return "–" if after is None else f"{after:,}"
        sides = ["–" if value is None else f"{value:,}" for value in (before, after)]
        return " → ".join(sides)

    def table(
        self,
        name: str | None,
        head: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        caption: str = "",
        numbers: bool = False,
        stacked: bool = False,
    ) -> str:
        """A table with a caption; on small screens a ``stacked`` one shows each cell under its own head."""
        title = self.word(name) if name else escape(caption)
        top = "".join(f'<th scope="col">{each}</th>' for each in head)
        body = []
        for row in rows:
            first, *others = row
            cells = f'<th scope="row">{first}</th>' + "".join(
                f'<td data-head="{label}">{cell}</td>' for label, cell in zip(head[1:], others, strict=True)
            )
            body.append(f"<tr>{cells}</tr>")
        kinds = " ".join(kind for kind, holds in (("numbers", numbers), ("stacked", stacked)) if holds)
        return (
            f'<table class="{kinds}"><caption>{title}</caption><thead><tr>{top}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table>"
        )


def listed(names: Iterable[str]) -> str:
    """Names one behind the other."""
    return ", ".join(f"<code>{escape(name)}</code>" for name in names)


def risk(share: float) -> str:
    """A share with the digits that a risk of its size has."""
    return f"{share:.2%}" if share < 0.1 else f"{share:.1%}"


def condition(words: Mapping[str, Any]) -> str:
    """A condition as people write it: ``age ≥ 97``, several joined by ∧ (and) or ∨ (or)."""
    for joint, sign in (("all", " ∧ "), ("any", " ∨ ")):
        if joint in words:
            return sign.join(f"({condition(part)})" for part in words[joint])
    comparison, value = next((name, value) for name, value in words.items() if name != "column")
    return svg.printable(f"{words.get('column', '')} {_SIGNS.get(comparison, comparison)} {plain(value)}")


def asked(value: Any) -> str:
    """A limit as its policy writes it, without the hierarchies that it may name."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {asked(part)}" for name, part in value.items() if not isinstance(part, Mapping))
    if isinstance(value, list | tuple):
        return ", ".join(asked(part) for part in value)
    return f"{value:,.6g}" if isinstance(value, int | float) else str(value)


def plain(value: Any) -> str:
    """A parameter's value as a policy writes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_SIGNS = {"equals": "=", "in": "∈", "not_in": "∉", "at_least": "≥", "below": "<", "is_null": "= null:", "matches": "~"}
