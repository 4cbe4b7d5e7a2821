"""How often each value of a sensitive attribute occurs in each class: what diversity and closeness are computed from.

Several sensitive attributes are measured one by one, each with the others among the quasi-identifiers: whoever learned
one of them must not learn the next. A person counts once for each of their values in a class; without ``unit`` every
record is a person. Null is a value of its own. Source: Machanavajjhala et al., 2007, section 4.3 (several attributes).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from masking.measures.coding import Codes, Integers, class_numbers, coded, column_codes, combined, dense


@dataclass(frozen=True, slots=True)
class Histogram:
    """Populated cells of the table classes × values, by class, then by value.

    ``class_of``, ``value_of``, ``counts``: the cells. ``totals``: sum of counts of each class. ``persons``: persons of
    each class, at most its total. ``overall``: persons of each value in the whole table. ``values``: the values that
    occur.
    """

    class_of: Integers
    value_of: Integers
    counts: Integers
    totals: Integers
    persons: Integers
    overall: Integers
    values: pa.Array

    @property
    def shares(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Share of each cell in its class, in (0, 1]."""
        return self.counts / self.totals[self.class_of]

    @property
    def overall_shares(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Share of each value in the whole table, in (0, 1]."""
        return self.overall / max(int(self.overall.sum()), 1)


def histograms(
    table: Any, quasi_identifiers: Sequence[str], sensitive: str | Sequence[str], unit: Any = None
) -> Iterator[tuple[str, Histogram]]:
    """Each sensitive attribute and its histogram. ``unit``: column name or array beside the records.

    An attribute that is among the quasi-identifiers as well has one value in each class.

    Raises:
        UnknownAttribute: the table lacks a column.
    """
    attributes = [sensitive] if isinstance(sensitive, str) else list(dict.fromkeys(sensitive))
    names = [*quasi_identifiers, *attributes, *([unit] if isinstance(unit, str) else [])]
    codes, rows = coded(table, names)
    persons = None if unit is None else codes[unit] if isinstance(unit, str) else column_codes(unit)
    for attribute in attributes:
        others = [name for name in attributes if name != attribute]
        yield (
            attribute,
            _histogram(class_numbers(codes, [*quasi_identifiers, *others], rows), codes[attribute], persons),
        )


def _histogram(classes: Codes, values: Codes, persons: Codes | None) -> Histogram:
    rows = len(classes.codes)
    cells, bound = combined([classes, values], rows)
    if persons is None:
        numbers, counts = np.unique(cells, return_counts=True)
        of_person = np.bincount(classes.codes, minlength=classes.size)
    else:
        cells, bound = dense(cells, bound)
        # Which cell has which number: any record of it can tell.
        record = np.zeros(bound, dtype=np.int64)
        record[cells] = np.arange(rows)
        pairs = np.unique(combined([Codes(cells, bound), persons], rows)[0])
        counts = np.bincount(pairs // max(persons.size, 1), minlength=bound)
        numbers = classes.codes[record].astype(np.int64) * max(values.size, 1) + values.codes[record]
        order = np.argsort(numbers, kind="stable")
        numbers, counts = numbers[order], counts[order]
        alone = np.unique(combined([classes, persons], rows)[0])
        of_person = np.bincount(alone // max(persons.size, 1), minlength=classes.size)
    class_of, value_of = np.divmod(numbers, max(values.size, 1))
    if persons is None:
        overall = np.bincount(values.codes, minlength=values.size)
    else:
        holders = np.unique(combined([values, persons], rows)[0])
        overall = np.bincount(holders // max(persons.size, 1), minlength=values.size)
    present = np.flatnonzero(overall)
    renumbered = np.cumsum(overall > 0) - 1
    assert values.values is not None
    return Histogram(
        class_of=class_of,
        value_of=renumbered[value_of] if len(value_of) else value_of,
        counts=counts,
        totals=np.bincount(class_of, weights=counts, minlength=classes.size).astype(np.int64),
        persons=of_person,
        overall=overall[present],
        values=values.values.take(pa.array(present)),
    )
