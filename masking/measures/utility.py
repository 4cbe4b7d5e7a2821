"""What a released table is still good for: its columns, its pairs of columns, and answers drawn from it.

Compares the table before and after masking, which need not hold the same records in the same order. A generalized cell
is spread evenly over the leaves it covers (``masking.measures.aligned`` says which). For internal reports: figures of
the original table are not for the public one (PRIVACY 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from masking.errors import InvalidParameter
from masking.measures.aligned import Aligned, align
from masking.measures.associations import PairChange, correlations, mutual_information
from masking.measures.cells import hierarchies_of
from masking.measures.coding import columns_of
from masking.measures.distances import hellinger, jensen_shannon, ordered_distance, total_variation
from masking.measures.learning import Learned, learn
from masking.measures.queries import QueryError, query_error


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """Distances of a column's distribution before and after, each in [0, 1]; 0: the same.

    ``earth_mover``: over leaves in the order of their numbers; None where they have none.
    """

    attribute: str
    total_variation: float
    hellinger: float
    jensen_shannon: float
    earth_mover: float | None


@dataclass(frozen=True, slots=True)
class Utility:
    """What is left. ``model`` is None unless one was asked for."""

    columns: tuple[ColumnChange, ...]
    correlations: tuple[PairChange, ...]
    mutual_information: tuple[PairChange, ...]
    queries: QueryError
    model: Learned | None = None

    @property
    def worst_correlation_change(self) -> float:
        """The greatest absolute change of a correlation; 0 if there are no two numeric columns."""
        return max((abs(pair.change) for pair in self.correlations), default=0.0)

    @property
    def mean_information_change(self) -> float:
        """The mean absolute change of the normalized mutual information; 0 if there are no two columns."""
        changes = [abs(pair.change) for pair in self.mutual_information]
        return sum(changes) / len(changes) if changes else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **asdict(self),
            "worst_correlation_change": self.worst_correlation_change,
            "mean_information_change": self.mean_information_change,
        }


def utility(
    original: Any,
    released: Any,
    attributes: Sequence[str] | None = None,
    hierarchies: Mapping[str, Any] | None = None,
    *,
    queries: int = 200,
    seed: int = 0,
    model: Mapping[str, Any] | None = None,
) -> Utility:
    """Compare a table before and after masking. ``attributes``: None means the columns that both have.

    ``hierarchies``: of attributes that were generalized. ``queries``: number of random counting queries, drawn from
    ``seed``. ``model``: ``{"target": column, "model": "logistic" | "boosting", "folds": 3}`` trains a model on each
    table (``masking.measures.learning``). Deterministic; the order of records does not matter.

    Raises:
        InvalidParameter: a model without a target, what ``learn`` and ``query_error`` refuse, a malformed hierarchy.
        InvalidValue: values that are in no hierarchy.
        UnknownAttribute: a table lacks a column.

    >>> import pyarrow as pa
    >>> before, after = pa.table({"sex": ["f", "m", "m", "m"]}), pa.table({"sex": ["f", "m", "*", "*"]})
    >>> utility(before, after).columns[0].total_variation
    0.25
    """
    if model is not None and "target" not in model:
        raise InvalidParameter("a model needs a target", parameter="model")
    aligned = _aligned(original, released, attributes, hierarchies)
    names = [each.attribute for each in aligned]
    learned = None
    if model is not None:
        learned = learn(original, released, features=names, seed=seed, **model)
    return Utility(
        columns=tuple(_changed(each) for each in aligned),
        correlations=correlations(aligned),
        mutual_information=mutual_information(aligned),
        queries=query_error(aligned, queries, seed),
        model=learned,
    )


def _aligned(
    original: Any, released: Any, attributes: Sequence[str] | None, hierarchies: Mapping[str, Any] | None
) -> list[Aligned]:
    if attributes is None:
        known = set(_names(original))
        attributes = [name for name in _names(released) if name in known]
    names, trees = hierarchies_of(list(attributes), hierarchies)
    before, _ = columns_of(original, names)
    after, _ = columns_of(released, names)
    return [align(name, before[name], after[name], trees.get(name)) for name in names]


def _names(table: Any) -> list[str]:
    return [str(name) for name in (table.column_names if hasattr(table, "column_names") else table.columns)]


def _changed(column: Aligned) -> ColumnChange:
    before, after = column.shares()
    return ColumnChange(
        column.attribute,
        total_variation(before, after),
        hellinger(before, after),
        jensen_shannon(before, after),
        ordered_distance(before, after) if column.ordered else None,
    )
