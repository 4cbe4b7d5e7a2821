"""The published set: noise on base cells, every askable table as their sums, hidden figures left out.

Rule: noise is added to base cells only, empty ones too; each table is the sum of the noisy base, so any two tables
agree on what they share, and nothing that is asked holds more than the base. From then on only noisy values are looked
at: a count is hidden below the threshold or below its own error, a sum also when the largest value one person may have
is more than a share of it, a mean with its sum. Then ``hiding`` hides what these would follow from.
Source: PRIVACY 20. Pure.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.queries.counting import Counted
from sandbox.queries.design import DOMINANCE, Design, base_cells_of, shown_error
from sandbox.queries.hiding import Bools, Ints, Table, hide
from sandbox.queries.noise import cell_noise, secret_for
from sandbox.queries.registration import Measure, Registration

COUNT = "count"


@dataclass(frozen=True, slots=True)
class Noisy:
    """The noisy base, shaped. ``sums``: distances from the middle, in units."""

    persons: Ints
    sums: tuple[Ints, ...]

    @property
    def total(self) -> int:
        """Noisy number of persons in all cells."""
        return int(self.persons.sum())


def with_noise(counted: Counted, registration: Registration, design: Design, key: bytes, dataset: str) -> Noisy:
    """Add the noise of every base cell; ``key`` belongs to the intake."""

    def noise(figure: str, deviation: float) -> Ints:
        secret = secret_for(key, dataset=f"{dataset}/{registration.digest}", use=f"noise.{figure}")
        return cell_noise(secret, registration.cells, deviation)

    persons = counted.persons + noise(COUNT, design.deviation)
    sums = tuple(
        each + noise(f"sum.{measure.column}", design.deviation * measure.half)
        for each, measure in zip(counted.sums, registration.measures, strict=True)
    )
    return Noisy(persons.reshape(registration.shape), tuple(each.reshape(registration.shape) for each in sums))


def published(noisy: Noisy, registration: Registration, design: Design) -> dict[Table, dict[str, Any]]:
    """What may be shown of each askable table: flat lists of figures, None where hidden, and their errors."""
    tables = list(registration.askable())
    persons = {table: _summed(noisy.persons, table) for table in tables}
    hidden = hide(persons, _small(persons, registration, design))
    shown = {
        table: {
            COUNT: _listed(persons[table], hidden[table]),
            "count_error": shown_error(design.count_error(base_cells_of(registration, table))),
            "sums": {},
        }
        for table in tables
    }
    for measure, base in zip(registration.measures, noisy.sums, strict=True):
        _add_measure(
            shown, measure, {table: _summed(base, table) for table in tables}, persons, hidden, registration, design
        )
    return shown


def packed(content: Mapping[str, Any]) -> bytes:
    """A table for the database."""
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 6)


def unpacked(content: bytes) -> dict[str, Any]:
    """What ``packed`` packed."""
    plain: dict[str, Any] = json.loads(zlib.decompress(content))
    return plain


def _small(persons: Mapping[Table, Ints], registration: Registration, design: Design) -> dict[Table, Bools]:
    return {
        table: each < max(registration.threshold, design.count_error(base_cells_of(registration, table)))
        for table, each in persons.items()
    }


def _add_measure(
    shown: dict[Table, dict[str, Any]],
    measure: Measure,
    distances: Mapping[Table, Ints],
    persons: Mapping[Table, Ints],
    hidden: Mapping[Table, Bools],
    registration: Registration,
    design: Design,
) -> None:
    """The sums and means of one measure in every table."""
    sums = {table: each + measure.middle * persons[table] for table, each in distances.items()}
    largest = max(abs(measure.low), abs(measure.high))
    dominated = {table: hidden[table] | (largest > DOMINANCE * np.abs(each)) for table, each in sums.items()}
    away = hide(sums, dominated)
    for table, content in shown.items():
        base_cells = base_cells_of(registration, table)
        error = design.sum_error(base_cells, measure.half, measure.middle) * measure.grid
        counted = np.where(away[table], 1, persons[table])  # a hidden figure is never divided
        mean = distances[table] / counted + measure.middle
        off = design.count_error(base_cells) * np.hypot(measure.half, mean - measure.middle) / np.abs(counted)
        scaled = _scaled(measure)
        content["sums"][measure.column] = {
            "sum": _listed(sums[table], away[table], scaled),
            "sum_error": shown_error(error),
            "mean": _listed(mean, away[table], scaled),
            "mean_error": _listed(off, away[table], lambda each: shown_error(each * measure.grid)),
        }


def _scaled(measure: Measure) -> Callable[[Any], float]:
    """From units to the measure's own; whole units are exact decimals."""
    return lambda each: round(float(each) * measure.grid, measure.decimals) + 0.0


def _summed(base: Ints, table: Table) -> Ints:
    others = tuple(axis for axis in range(base.ndim) if axis not in table)
    return np.asarray(base.sum(axis=others, dtype=np.int64))


def _listed(values: Any, hidden: Bools, shown: Callable[[Any], Any] = int) -> list[Any]:
    """Flat, None where hidden."""
    flat, away = np.asarray(values).reshape(-1), hidden.reshape(-1)
    return [None if gone else shown(each) for each, gone in zip(flat.tolist(), away.tolist(), strict=True)]
