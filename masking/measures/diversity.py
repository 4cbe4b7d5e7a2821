"""l-diversity: each class holds at least l well-represented values of a sensitive attribute.

Source: Machanavajjhala et al., 2007; listed in ISO/IEC 20889:2018. Null is a value of its own. Several sensitive
attributes are tested one by one with the others among the quasi-identifiers, and the least l counts. pycanon does so
with ``gen=False``; it rounds entropy l down, and its recursive c takes the rarest value for the commonest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from masking.errors import InvalidParameter
from masking.measures.histograms import Histogram, histograms

Kind = Literal["distinct", "entropy", "recursive"]


def l_diversity(
    table: Any,
    quasi_identifiers: Sequence[str],
    sensitive: str | Sequence[str],
    kind: Kind = "distinct",
    c: float | None = None,
    unit: Any = None,
) -> float:
    """The least l over all classes and sensitive attributes; 0 for an empty table.

    ``distinct``: number of values. ``entropy``: exp of the entropy of the values, at most the distinct number.
    ``recursive``: the greatest l for which the commonest value is rarer than ``c``, in (0, inf), times the l-th
    commonest and all rarer ones together; 0 if not even l = 1 holds. ``unit``: column name or array beside the records.

    Raises:
        InvalidParameter: an unknown kind, no sensitive attribute, ``c`` missing for ``recursive`` or not positive.
        UnknownAttribute: the table lacks a column.

    >>> import pyarrow as pa
    >>> table = pa.table({"age": [1, 1, 1, 2, 2], "ill": ["a", "b", "b", "c", "a"]})
    >>> l_diversity(table, ["age"], "ill")
    2.0
    >>> l_diversity(table, ["age"], "ill", "recursive", c=2.5)
    2.0
    """
    if kind not in ("distinct", "entropy", "recursive"):
        raise InvalidParameter("kind must be distinct, entropy or recursive", parameter="kind")
    if kind == "recursive" and (c is None or not c > 0):
        raise InvalidParameter("recursive (c,l)-diversity needs c in (0, inf)", parameter="c")
    least = []
    for _, histogram in histograms(table, quasi_identifiers, check_sensitive(sensitive), unit):
        if not len(histogram.totals):
            return 0.0
        if kind == "distinct":
            least.append(float(np.bincount(histogram.class_of).min()))
        elif kind == "entropy":
            least.append(float(np.exp(entropies(histogram).min())))
        else:
            assert c is not None
            least.append(float(recursive_levels(histogram, c).min()))
    return min(least)


def least_c(
    table: Any, quasi_identifiers: Sequence[str], sensitive: str | Sequence[str], l: int, unit: Any = None
) -> float:
    """The table is recursively (c,l)-diverse for each c above this number and for none up to it.

    Infinite if a class has fewer than ``l`` values; 0 for an empty table. ``l`` must be in [1, inf).

    Raises:
        InvalidParameter: ``l`` is below 1, or no sensitive attribute.
        UnknownAttribute: the table lacks a column.

    >>> import pyarrow as pa
    >>> least_c(pa.table({"age": [1, 1, 1], "ill": ["a", "b", "b"]}), ["age"], "ill", l=2)
    2.0
    """
    if l < 1:
        raise InvalidParameter("l must be at least 1", parameter="l")
    greatest = 0.0
    for _, histogram in histograms(table, quasi_identifiers, check_sensitive(sensitive), unit):
        if not len(histogram.totals):
            return 0.0
        commonest, rank, tail = _tails(histogram)
        # Each class has one cell at the wanted rank, or none if it has fewer values.
        wanted = rank == l - 1
        if np.count_nonzero(wanted) < len(histogram.totals):
            return float("inf")
        greatest = max(greatest, float((commonest / tail)[wanted].max()))
    return greatest


def entropies(histogram: Histogram) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Entropy in nats of each class's values."""
    shares = histogram.shares
    found = np.bincount(histogram.class_of, weights=-shares * np.log(shares), minlength=len(histogram.totals))
    return np.asarray(np.maximum(found, 0.0))


def recursive_levels(histogram: Histogram, c: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    """For each class the greatest l for which it is recursively (c,l)-diverse; 0 if there is none."""
    commonest, rank, tail = _tails(histogram)
    # Tails shrink as l grows, so the levels that hold are 1 … l without a gap.
    holds = commonest < c * tail
    found = np.zeros(len(histogram.totals), dtype=np.int64)
    np.maximum.at(found, histogram.class_of, np.where(holds, rank + 1, 0))
    return found


def check_sensitive(sensitive: str | Sequence[str]) -> list[str]:
    """The sensitive attributes as a list, each once; raises InvalidParameter if there is none."""
    attributes = [sensitive] if isinstance(sensitive, str) else list(dict.fromkeys(sensitive))
    if not attributes:
        raise InvalidParameter("name at least one sensitive attribute", parameter="sensitive")
    return attributes


def _tails(
    histogram: Histogram,
) -> tuple[
    np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]
]:
    """For each cell, by class and falling count: the commonest count of its class, its rank, its own and rarer counts.

    Ranks start at 0. Cells of a class stay together, so ``class_of`` fits them as it is.
    """
    order = np.lexsort((-histogram.counts, histogram.class_of))
    counts = histogram.counts[order]
    starts = np.searchsorted(histogram.class_of, np.arange(len(histogram.totals)))
    before = np.concatenate([[0], np.cumsum(counts)])
    ends = np.append(starts[1:], len(counts))
    return (
        counts[starts][histogram.class_of],
        np.arange(len(counts)) - starts[histogram.class_of],
        before[ends][histogram.class_of] - before[:-1],
    )
