"""Checks of text: identifiers by pattern and check digit, long or odd labels, labels from nowhere.

Identifier patterns are ``masking.detection``'s; labels must come from code lists, the code itself, the dry run, or be
frequent categories of the raw table (PRIVACY.md 16).
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from sandbox.airlock.checks.encoded import looks_encoded
from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.roles import is_label
from sandbox.airlock.typed import Shape, TypedTable, is_total

if TYPE_CHECKING:
    from masking.detection import Detector

_FORMULA: Final = re.compile(r"^[=@\t\r]|^[+-][^\d.\s]")
_NOT_IDENTIFIERS: Final = frozenset({"PERSON", "ORG", "ADDRESS", "BIRTH_DATE", "GPS"})
"""Types that group labels may legitimately be or look like; raw matching looks at those instead."""
_NUMBERED: Final = re.compile(r"([^\W\d_]+[\s_\-]?)\d{1,6}")
_MOST_CLASSES: Final = 10
"""Deciles are numbered too, and are groups."""
_LEAST: Final = 5
_WORTH_DETECTING: Final = re.compile(r"[\d@]|[A-Za-z]\d")


def check_identifiers(table: TypedTable) -> Iterator[Finding]:
    """Cells, of any column, and column names in which the detector finds a checksummed or shaped identifier."""
    for index, column in enumerate(table.columns):
        texts = [str(cell) for cell in table.column(index) if cell is not None and not isinstance(cell, bool | float)]
        hits = identifiers_in([*texts, column.name])
        if hits:
            yield Finding("identifier", table.name, column.name, hits)


def identifiers_in(texts: Sequence[str]) -> int:
    """How many of the texts hold an identifier. Each different text is looked at once."""
    counted = Counter(text for text in texts if len(text) >= _LEAST and _WORTH_DETECTING.search(text))
    if not counted:
        return 0
    found = _detector().find_many(list(counted))
    told = zip(counted.values(), found, strict=True)
    return sum(times for times, findings in told if any(f.type not in _NOT_IDENTIFIERS for f in findings))


def check_labels(
    table: TypedTable,
    limits: AirlockLimits,
    *,
    shape: Shape | None,
    known: Collection[str],
    frequent: Collection[str],
) -> Iterator[Finding]:
    """Length, characters and origin of labels.

    ``known`` are code lists and the code's own string constants; ``frequent`` are raw categories of many records.
    Without ``shape`` (the dry run itself) the origin is not asked for.
    """
    for index, column in enumerate(table.columns):
        cells = Counter(cell for cell in table.column(index) if isinstance(cell, str))
        labels = {str(cell) for cell in table.column(index) if cell is not None} if is_label(column) else set(cells)
        for rule, count in (
            ("long_text", sum(times for cell, times in cells.items() if len(cell) > limits.max_text)),
            ("control_characters", sum(times for cell, times in cells.items() if _odd(cell)) + _odd(column.name)),
            ("too_many_labels", len(labels) if len(labels) > limits.max_labels else 0),
        ):
            if count:
                yield Finding(rule, table.name, column.name, count)
        if shape is None or not is_label(column):
            continue
        seen = shape.files.get(table.original_name, {}).get(column.name, frozenset())
        strange = {
            label
            for label in labels
            if label not in seen and label not in known and label not in frequent and not is_total(label)
        } - {"", "true", "false", "True", "False"}
        if strange:
            rule = "new_label" if limits.registered_only else "unusual_label"
            yield Finding(rule, table.name, column.name, len(strange))
        yield from _packed(strange, table.name, column.name, limits)


def check_numbering(table: TypedTable, *, frequent: Collection[str]) -> Iterator[Finding]:
    """Labels that are a word and a running number: rows of records that pose as groups."""
    for index, column in enumerate(table.columns):
        if not is_label(column) or column.type != "string":
            continue
        labels = {str(c) for c in table.column(index) if c is not None} - set(frequent)
        words = Counter(match[1] for label in labels if (match := _NUMBERED.fullmatch(label)))
        if words:
            numbered = max(words.values())
            if numbered > _MOST_CLASSES and numbered * 2 > len(table.rows):
                yield Finding("numbered_rows", table.name, column.name, numbered)


@cache
def _detector() -> Detector:
    """Loading its patterns takes longer than most outputs."""
    from masking.detection import Detector

    return Detector()


def _packed(strange: Collection[str], file: str, column: str, limits: AirlockLimits) -> Iterator[Finding]:
    """Labels from nowhere that look like code, or hold more than words do."""
    coded = sum(looks_encoded(label) for label in strange)
    if coded:
        yield Finding("encoded_text", file, column, coded)
    held = len(zlib.compress("\n".join(sorted(strange)).encode(), 9)) if strange else 0
    if held > limits.max_strange_text:
        yield Finding("dense_labels", file, column, held)


def _odd(text: str) -> bool:
    """Control, format and private characters carry what nobody sees; formulas run in the reader's spreadsheet."""
    return bool(_FORMULA.match(text)) or any(unicodedata.category(ch) in {"Cc", "Cf", "Co", "Cs", "Cn"} for ch in text)
