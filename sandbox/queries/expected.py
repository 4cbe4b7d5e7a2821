"""What a registration will give, known before anything is counted: errors of counts and means, and whether it is dense.

All of it follows from the registration and the number of records, so an officer sees it before publication. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.queries.design import Design, base_cells_of, cells_of, shown_error, sparse, to_drop
from sandbox.queries.registration import Measure, Registration


@dataclass(frozen=True, slots=True)
class Expected:
    """What a registration will give: ``errors`` of counts by number of dimensions, least and greatest.

    ``shares``: the same as shares of an average cell's count; ``means``: the errors of an average cell's means; both
    empty while the number of records is unknown. ``figure``: the average count of the largest table, None likewise.
    ``sparse``: its error is larger; ``drop`` is the dimension to leave out.
    """

    errors: tuple[tuple[int, float, float], ...]
    shares: tuple[tuple[int, float, float], ...]
    means: tuple[ExpectedMean, ...]
    figure: float | None
    error: float
    sparse: bool
    drop: str | None


@dataclass(frozen=True, slots=True)
class ExpectedMean:
    """The errors of a measure's means in average cells, for means near a bound; by number of dimensions."""

    measure: Measure
    errors: tuple[tuple[int, float, float], ...]


def expected(registration: Registration, *, number: int = 1, rows: int | None = None) -> Expected:
    """The error of each kind of table, known before anything is counted."""
    design = Design.of(registration, number)
    tables = list(registration.askable())
    largest = max(tables, key=lambda each: cells_of(registration, each))
    persons = (rows or 0) * registration.contribution
    error = {each: design.count_error(base_cells_of(registration, each)) for each in tables}
    share = {each: error[each] * cells_of(registration, each) / persons for each in tables} if persons else {}
    too_sparse = rows is not None and sparse(registration, design, persons) is not None
    return Expected(
        errors=_by_size(error),
        shares=_by_size(share),
        means=tuple(
            ExpectedMean(
                each,
                _by_size({table: of * math.hypot(each.half, each.half) * each.grid for table, of in share.items()}),
            )
            for each in (registration.measures if share else ())
        ),
        figure=shown_error(persons / cells_of(registration, largest)) if rows is not None else None,
        error=shown_error(design.count_error(base_cells_of(registration, largest))),
        sparse=too_sparse,
        drop=to_drop(registration, design, persons) if too_sparse else None,
    )


def _by_size(of: Mapping[tuple[int, ...], float]) -> tuple[tuple[int, float, float], ...]:
    """Least and greatest by number of dimensions."""
    found = []
    for size in sorted({len(each) for each in of}):
        values = [value for each, value in of.items() if len(each) == size]
        found.append((size, shown_error(min(values)), shown_error(max(values))))
    return tuple(found)
