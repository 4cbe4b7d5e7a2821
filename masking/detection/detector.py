"""Finds personal identifiers in text."""

from __future__ import annotations

from collections.abc import Iterable

from masking.detection.model import Finding


class Detector:
    """Finds identifiers of the types in DESIGN.md 7. Stateless; may be shared between threads and pickled."""

    def __init__(self, types: Iterable[str] | None = None) -> None:
        """Look for these types only; None: all."""

    def find(self, text: str) -> list[Finding]:
        """Non-overlapping findings in the order of the text; offsets are Python characters of ``text``."""
        raise NotImplementedError

    def find_many(self, texts: Iterable[str | None]) -> list[list[Finding]]:
        """``find`` for each text; None gives no findings."""
        raise NotImplementedError
