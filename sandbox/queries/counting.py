"""The base cube of one intake: distinct persons and clamped sums of every base cell, exact and not to be shown.

Rule: a person counts once in a cell however many records they have there, in at most ``contribution`` cells (which ones
a keyed draw says), and adds to each sum what their records of that cell add up to, clamped to the published bounds.
Batches stream; where records share persons, the table is read as often as needed to hold only a part of the persons
at a time. Whole numbers throughout: neither the order of the records nor that of the batches changes anything.
Source: PRIVACY 20.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from masking.techniques.draws import draws
from sandbox.queries.coding import Coder
from sandbox.queries.registration import Measure, Registration

Ints = npt.NDArray[np.int64]
Keyed = npt.NDArray[np.uint64]
Open = Callable[[], AbstractContextManager[pa.RecordBatchReader]]
"""The table from its start."""
RECORDS_AT_A_TIME: Final = 2_000_000
"""Records of one pass where persons have to be told apart."""
DRAWS_AT_A_TIME: Final = 100_000


@dataclass(frozen=True, slots=True)
class Counted:
    """Flat, one entry a base cell. ``sums``: for each measure, the persons' distances from its middle in units."""

    persons: Ints
    sums: tuple[Ints, ...]


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Persons and cells, each pair once, with what it adds to each sum in units."""

    persons: Keyed
    cells: npt.NDArray[np.int32]
    values: list[Ints]


def count(
    registration: Registration,
    open_table: Open,
    *,
    secret: bytes,
    records: int,
    progress: Callable[[float], None] = lambda _: None,
    at_a_time: int = RECORDS_AT_A_TIME,
) -> Counted:
    """Count a table of about ``records`` records; ``secret`` draws the cells of persons who have too many."""
    coder = Coder(registration)
    counted = Counted(
        np.zeros(registration.cells, dtype=np.int64),
        tuple(np.zeros(registration.cells, dtype=np.int64) for _ in registration.measures),
    )
    passes = 1 if registration.unit is None else max(1, -(-records // at_a_time))
    seen, total = 0, max(records * passes, 1)
    for part in range(passes):
        pieces: list[_Pairs] = []
        with open_table() as reader:
            for batch in reader:
                seen += batch.num_rows
                needed = batch.select(list(coder.columns))
                if registration.unit is None:
                    _, cells, values = _coded(coder, registration, needed, None)
                    _add(counted, registration.measures, cells, values)
                else:
                    pieces.append(_of_part(coder, registration, needed, registration.unit, secret, part, passes))
                progress(min(seen / total, 1.0))
        if pieces:
            found = _bounded(_together(pieces), registration.contribution, secret)
            _add(counted, registration.measures, found.cells.astype(np.int64), found.values)
    return counted


def _coded(
    coder: Coder, registration: Registration, batch: pa.RecordBatch, persons: Keyed | None
) -> tuple[Keyed | None, Ints, list[Ints]]:
    """Persons, cells and units of the records that belong to a cell."""
    cells = coder.cells(batch)
    inside = cells >= 0
    if not inside.all():
        batch, cells = batch.filter(pa.array(inside)), cells[inside]
        persons = None if persons is None else persons[inside]
    return persons, cells, [coder.units(batch, measure) for measure in registration.measures]


def _of_part(
    coder: Coder, registration: Registration, batch: pa.RecordBatch, unit: str, secret: bytes, part: int, passes: int
) -> _Pairs:
    """One entry a person and cell of a batch, of the persons of one part. A person is a keyed number of 64 bits.

    Two of n persons share a number with a chance below n**2 / 2**65: of 100 million, one in 3,000.
    """
    persons = draws(secret, [batch.column(unit)])[:, 0].copy()
    if passes > 1:
        own = persons % np.uint64(passes) == part
        batch, persons = batch.filter(pa.array(own)), persons[own]
    kept, cells, values = _coded(coder, registration, batch, persons)
    assert kept is not None
    return _together([_Pairs(kept, cells.astype(np.int32), values)])


def _together(pieces: list[_Pairs]) -> _Pairs:
    """One entry a person and cell, sorted; what the person's records add is summed."""
    persons = np.concatenate([each.persons for each in pieces])
    cells = np.concatenate([each.cells for each in pieces])
    order = np.lexsort((cells, persons))
    persons, cells = persons[order], cells[order]
    first = np.flatnonzero(np.append(True, (persons[1:] != persons[:-1]) | (cells[1:] != cells[:-1])))
    first = first if len(persons) else first[:0]
    values = []
    for place in range(len(pieces[0].values)):
        all_ = np.concatenate([each.values[place] for each in pieces])[order]
        values.append(np.add.reduceat(all_, first) if len(first) else all_)
    return _Pairs(persons[first], cells[first], values)


def _bounded(found: _Pairs, contribution: int, secret: bytes) -> _Pairs:
    """At most ``contribution`` cells a person: those with the smallest draws. ``found`` is sorted by person."""
    _, count = np.unique(found.persons, return_counts=True)
    if not (count > contribution).any():
        return found
    owner = np.repeat(np.arange(len(count)), count)
    many = np.flatnonzero(count[owner] > contribution)
    drawn = np.empty(len(many), dtype=np.uint64)
    for start in range(0, len(many), DRAWS_AT_A_TIME):
        part = many[start : start + DRAWS_AT_A_TIME]
        drawn[start : start + DRAWS_AT_A_TIME] = draws(
            secret, [pa.array(found.persons[part]), pa.array(found.cells[part])]
        )[:, 0]
    order = np.lexsort((drawn, owner[many]))
    sorted_owner = owner[many][order]
    rank = np.arange(len(many)) - np.searchsorted(sorted_owner, sorted_owner)
    kept = count[owner] <= contribution
    kept[many[order[rank < contribution]]] = True
    return _Pairs(found.persons[kept], found.cells[kept], [each[kept] for each in found.values])


def _add(counted: Counted, measures: tuple[Measure, ...], cells: Ints, values: list[Ints]) -> None:
    size = len(counted.persons)
    counted.persons[:] += np.bincount(cells, minlength=size)
    for place, (measure, each) in enumerate(zip(measures, values, strict=True)):
        clamped = np.clip(each, measure.low, measure.high) - measure.middle
        counted.sums[place][:] += np.bincount(cells, clamped, minlength=size).astype(
            np.int64
        )  # whole and below 2**53: exact
