"""A sentence in both languages of the product."""

from typing import TypedDict


class Text(TypedDict):
    """Chinese first, English complete."""

    zh: str
    en: str


def text(zh: str, en: str) -> Text:
    """Build a sentence in both languages."""
    return {"zh": zh, "en": en}
