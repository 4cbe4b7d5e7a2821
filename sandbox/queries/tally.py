"""How good the figures of a published set are, all its tables together: for the officer who registered them.

Counted from the published figures and their errors alone, which anybody who may ask could count too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sandbox.queries import rules
from sandbox.queries.models import FixedCube, FixedTable
from sandbox.queries.quality import Quality, quality_of
from sandbox.queries.tables import unpacked

Tally = Mapping[str, Counter[Quality]]
"""By measure as a question says it (``count``, ``cost:mean``): shown figures of each quality."""


def tally(session: Session, cube: FixedCube) -> Tally:
    """All shown figures of a cube."""
    found: dict[str, Counter[Quality]] = {}
    for content in session.scalars(select(FixedTable.content).where(FixedTable.cube_id == cube.id)):
        for words, values, errors in _figures(unpacked(content)):
            marks = found.setdefault(words, Counter())
            marks.update(
                mark
                for value, error in zip(values, errors, strict=True)
                if (mark := quality_of(value, error)) is not None
            )
    return found


def _figures(content: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[Any], Sequence[Any]]]:
    """Each measure of a table with its figures and errors."""
    counts = content[rules.COUNT]
    yield rules.COUNT, counts, [content[f"{rules.COUNT}_error"]] * len(counts)
    for column, kinds in content["sums"].items():
        for kind in rules.KINDS:
            values, errors = kinds[kind], kinds[f"{kind}_error"]
            yield f"{column}:{kind}", values, errors if isinstance(errors, list) else [errors] * len(values)
