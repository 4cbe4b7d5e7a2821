"""Error of random counting queries: what an analyst gets from the released table instead of the original.

Each query counts the records that lie in a random part of one to three attributes; the released table is asked with
each record spread evenly over the leaves that its cells cover. Source: Xiao and Tao, "Anatomy", 2006 (queries and
spread); the sanity bound, below which errors are not taken relative to the answer, is that of Xiao, Wang and Gehrke,
"Differential Privacy via Wavelet Transforms", 2010: 0.1 % of the records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from masking.errors import InvalidParameter
from masking.measures.aligned import Aligned, Floats, mean_over

SANITY: Final = 0.001
MOST_ATTRIBUTES: Final = 3
SELECTIVITY: Final = 0.1
"""Share of all combinations of leaves that a query asks for."""


@dataclass(frozen=True, slots=True)
class QueryError:
    """Relative errors over ``queries`` random queries: |estimate - count| / max(count, sanity bound)."""

    queries: int
    mean: float
    median: float
    p95: float


def query_error(columns: Sequence[Aligned], queries: int = 200, seed: int = 0) -> QueryError:
    """Ask ``queries`` (at least 1) queries drawn from ``seed``; the same for the same original table.

    A table whose original is empty has no error. Cost: queries times records.

    Raises:
        InvalidParameter: ``queries`` is below 1.
    """
    if queries < 1:
        raise InvalidParameter("queries must be at least 1", parameter="queries")
    askable = [each for each in columns if each.leaves > 1]
    records = len(columns[0].before.codes) if columns else 0
    if not askable or not records:
        return QueryError(0, 0.0, 0.0, 0.0)
    random = np.random.default_rng(seed)
    errors = np.array([_error(_drawn(askable, random), records) for _ in range(queries)])
    return QueryError(queries, float(errors.mean()), float(np.median(errors)), float(np.quantile(errors, 0.95)))


def _drawn(columns: Sequence[Aligned], random: np.random.Generator) -> list[tuple[Aligned, Floats]]:
    """Attributes and, for each of their leaves, whether the query asks for it: a range where leaves have an order."""
    count = int(random.integers(1, min(MOST_ATTRIBUTES, len(columns)) + 1))
    chosen = random.choice(len(columns), size=count, replace=False)
    found = []
    for place in chosen:
        column = columns[place]
        wanted = min(max(1, round(column.leaves * SELECTIVITY ** (1 / count))), column.leaves - 1)
        asked = np.zeros(column.leaves)
        if column.ordered:
            start = int(random.integers(0, column.leaves - wanted + 1))
            asked[start : start + wanted] = 1
        else:
            asked[random.choice(column.leaves, size=wanted, replace=False)] = 1
        found.append((column, asked))
    return found


def _error(query: Sequence[tuple[Aligned, Floats]], records: int) -> float:
    before, after = np.ones(records), np.ones(len(query[0][0].after.codes))
    for column, asked in query:
        before *= mean_over(column.before, asked)[column.before.codes]
        after *= mean_over(column.after, asked)[column.after.codes]
    count = float(before.sum())
    return abs(float(after.sum()) - count) / max(count, SANITY * records)
