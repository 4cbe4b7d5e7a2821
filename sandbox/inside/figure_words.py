"""A figure as it leaves the jail: a few short texts about a table (``visits.figure.json``); the service draws it."""

from __future__ import annotations

import json
from typing import Final

from sandbox.contracts import Cell, ParsedColumn
from sandbox.inside.readers import INVISIBLE, text_of
from sandbox.inside.refusals import Rejected

FIGURE: Final = ".figure.json"
FIGURE_MEMBERS: Final = ("table", "kind", "x", "y", "series", "title")
"""What a figure may say, in this order; ``y`` may name several columns, the others are one text each."""

MAX_WORDS: Final = 200
MAX_Y: Final = 5
FIGURE_COLUMNS: Final = (ParsedColumn("member", "string"), ParsedColumn("value", "string"))


def figure_words(content: bytes) -> tuple[tuple[Cell, ...], ...]:
    """Members and texts of a figure, in one order; whether it can be drawn is for the checks to say."""
    try:
        document = json.loads(text_of(content))
    except (ValueError, RecursionError) as error:
        raise Rejected("not-a-figure") from error
    if not isinstance(document, dict) or not {"table", "kind", "x", "y"} <= set(document) <= set(FIGURE_MEMBERS):
        raise Rejected("not-a-figure")
    words: list[tuple[Cell, ...]] = []
    for member in FIGURE_MEMBERS:
        given = document.get(member)
        texts = given if member == "y" and isinstance(given, list) else [given] if given not in (None, "") else []
        if any(not isinstance(text, str) or not 0 < len(text) <= MAX_WORDS for text in texts) or len(texts) > MAX_Y:
            raise Rejected("not-a-figure")
        words += [(member, text) for text in texts]
    odd = sum(INVISIBLE.search(str(text)) is not None for _, text in words)
    if odd:
        raise Rejected("odd-characters", odd)
    if not {"table", "kind", "x", "y"} <= {member for member, _ in words}:
        raise Rejected("not-a-figure")
    return tuple(words)
