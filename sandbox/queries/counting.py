"""The base cube of one intake: distinct persons and clamped sums of every base cell, exact and not to be shown.

Rule: a person counts once in a cell however many records they have there, in at most ``contribution`` cells (which ones
a keyed draw says), and adds to each sum what their records of that cell add up to, clamped to the published bounds.
Batches stream; where records share persons, the table is read as often as needed to hold only a part of the persons at
a time. Whole numbers throughout: neither the order of the records nor that of the batches changes anything.
Source: PRIVACY 20.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from masking.techniques.draws import draws, identities
from sandbox.queries.coding import Coder
from sandbox.queries.registration import Measure, Registration

Ints = npt.NDArray[np.int64]
Open = Callable[[], AbstractContextManager[pa.RecordBatchReader]]
"""The table from its start."""
RECORDS_AT_A_TIME: Final = 2_000_000
"""Records of one pass where persons have to be told apart."""
_PART_SEED: Final = 20


@dataclass(frozen=True, slots=True)
class Counted:
    """Flat, one entry a base cell. ``sums``: for each measure, the persons' distances from its middle in units."""

    persons: Ints
    sums: tuple[Ints, ...]


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
        pieces: list[pl.DataFrame] = []
        with open_table() as reader:
            for whole in _needed(reader, coder.columns):
                seen += whole.num_rows
                cells = coder.cells(whole)
                inside = cells >= 0
                batch, cells = (whole, cells) if inside.all() else (whole.filter(pa.array(inside)), cells[inside])
                values = [coder.units(batch, measure) for measure in registration.measures]
                if registration.unit is None:
                    _add(counted, registration.measures, cells, values)
                else:
                    person = identities([batch.column(registration.unit)])
                    pieces.append(_of_part(person, cells, values, part, passes))
                progress(min(seen / total, 1.0))
        if pieces:
            found = _bounded(_together(pieces), registration.contribution, secret)
            values = [found[f"m{place}"].to_numpy() for place in range(len(registration.measures))]
            _add(counted, registration.measures, found["cell"].to_numpy(), values)
    return counted


def _needed(reader: pa.RecordBatchReader, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        yield batch.select(list(columns))


def _of_part(person: pa.Array, cells: Ints, values: list[Ints], part: int, passes: int) -> pl.DataFrame:
    """One row a person and cell of a batch, of the persons of one part only."""
    frame = pl.DataFrame(
        [
            pl.Series("person", person),
            pl.Series("cell", cells),
            *(pl.Series(f"m{place}", each) for place, each in enumerate(values)),
        ]
    )
    if passes > 1:
        frame = frame.filter(pl.col("person").hash(_PART_SEED) % passes == part)
    return _together([frame])


def _together(pieces: list[pl.DataFrame]) -> pl.DataFrame:
    """One row a person and cell."""
    return pl.concat(pieces).group_by("person", "cell").agg(pl.all().sum())


def _bounded(found: pl.DataFrame, contribution: int, secret: bytes) -> pl.DataFrame:
    """At most ``contribution`` cells a person: those with the smallest draws."""
    cells = pl.len().over("person")
    few, many = found.filter(cells <= contribution), found.filter(cells > contribution)
    if not len(many):
        return few
    drawn = draws(secret, [many["person"].to_arrow(), many["cell"].to_arrow()])[:, 0]
    kept = many.with_columns(pl.Series("drawn", drawn.copy())).filter(
        pl.col("drawn").rank("ordinal").over("person") <= contribution
    )
    return pl.concat([few, kept.drop("drawn")])


def _add(counted: Counted, measures: tuple[Measure, ...], cells: Ints, values: list[Ints]) -> None:
    size = len(counted.persons)
    counted.persons[:] += np.bincount(cells, minlength=size)
    for place, (measure, each) in enumerate(zip(measures, values, strict=True)):
        clamped = np.clip(each, measure.low, measure.high) - measure.middle
        counted.sums[place][:] += np.bincount(cells, clamped, minlength=size).astype(
            np.int64
        )  # whole and below 2**53: exact
