"""One fixed table of counts, clamped sums and means: small cells hidden, counts rounded, no margins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Tabulated:
    """The released table and counts for the internal report (never for the public one)."""

    table: pa.Table
    cells: int
    hidden_small: int
    hidden_dominated: int
    persons: int
    smallest_shown: int


def tabulate(
    table: Any,
    *,
    by: Sequence[str],
    measures: Mapping[str, Mapping[str, str]],
    unit: str | None = None,
    threshold: int = 10,
    rounding: int = 5,
    clamp: Mapping[str, tuple[float, float]] | None = None,
    dominance: tuple[int, float] | None = (1, 0.5),
) -> Tabulated:
    """Tabulate ``measures`` by ``by``; ``table`` is anything ``masking.table.as_reader`` takes."""
    raise NotImplementedError
