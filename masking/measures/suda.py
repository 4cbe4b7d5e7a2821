"""Special uniques: how few attributes single a person out (SUDA2).

Source: Elliot, Manning and Ford, 2002; Manning, Haglin and Keane, 2008. A minimal sample unique (MSU) of a record is a
set of attributes on which no other person is like it, while on each smaller part of the set somebody is. Few attributes
in an MSU, or many MSUs, make a record special. Score of an MSU of ``s`` of ``a`` attributes when sets of at most ``m``
are sought: the product of ``a - i`` for ``i`` from ``s`` to ``min(m, a - 1)``, the ways in which it grows into larger
uniques; a record's score is the sum over its MSUs. Null is a value of its own. Pure: reads a table.

Sets are visited so that every part of a set comes before the set. Each refines the classes of its parent, and only
records that are not alone there are looked at again: who is alone on a set is alone on every larger one, which can be
no MSU of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from masking.errors import InvalidParameter
from masking.measures.classes import UNIT, as_frame
from masking.measures.coding import column_codes

Integers = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint8]
Subset = tuple[int, ...]
MAX_SUBSETS: Final = 200_000
"""Sets of attributes that are searched at most; 60 attributes in sets of 3 are 36,050."""


@dataclass(frozen=True, slots=True)
class SpecialUniques:
    """Aligned with the records: ``counts[s - 1]`` MSUs of ``s`` attributes, ``scores`` as above, 0 for no MSU.

    ``attributes`` gives for each the share in [0, 1] of the total score that MSUs with it hold (shares overlap, so
    their sum is above 1), ``contributions`` the same for each record (0 where it has no MSU).
    """

    counts: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float64]
    contributions: Mapping[str, npt.NDArray[np.float64]]
    attributes: Mapping[str, float]
    size: int

    @property
    def by_size(self) -> dict[int, int]:
        """MSUs of the whole table by number of attributes."""
        return {size + 1: int(count.sum()) for size, count in enumerate(self.counts)}

    @property
    def special(self) -> int:
        """Records with an MSU."""
        return int((self.counts.sum(axis=0) > 0).sum())


def special_uniques(table: Any, quasi_identifiers: Sequence[str], size: int = 3, unit: Any = None) -> SpecialUniques:
    """The MSUs of every record in sets of at most ``size`` attributes; ``size`` must be at least 1.

    With ``unit`` a record is unique if all records like it are of one person.

    Raises:
        InvalidParameter: ``size`` is below 1, or the sets are more than ``MAX_SUBSETS``.

    >>> found = special_uniques(pl.DataFrame({"a": [1, 1, 2], "b": [1, 2, 2]}), ["a", "b"], size=2)
    >>> found.by_size, found.scores.tolist()
    ({1: 2, 2: 1}, [1.0, 1.0, 1.0])
    """
    names = list(dict.fromkeys(quasi_identifiers))
    _check(len(names), size)
    frame = as_frame(table, names, unit)
    rows, deepest = frame.height, min(size, len(names))
    persons = _codes(frame[UNIT]) if UNIT in frame.columns else None
    found = _Found.empty(rows, len(names), size)
    search = _Search([_codes(frame[name]) for name in names], persons, deepest)
    for subset, alone in search.minimal():
        found.add(subset, alone)
    return found.result(names)


@dataclass(slots=True)
class _Found:
    """Sums over MSUs while the search runs."""

    counts: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float64]
    by_attribute: npt.NDArray[np.float64]

    @classmethod
    def empty(cls, rows: int, attributes: int, size: int) -> _Found:
        return cls(np.zeros((size, rows), dtype=np.int32), np.zeros(rows), np.zeros((attributes, rows)))

    def add(self, subset: Subset, alone: Integers) -> None:
        attributes, size = len(self.by_attribute), len(self.counts)
        score = float(math.prod(attributes - i for i in range(len(subset), min(size, attributes - 1) + 1)))
        self.counts[len(subset) - 1, alone] += 1
        self.scores[alone] += score
        for attribute in subset:
            self.by_attribute[attribute, alone] += score

    def result(self, names: Sequence[str]) -> SpecialUniques:
        total = self.scores.sum()
        divisor = np.where(self.scores > 0, self.scores, 1)
        return SpecialUniques(
            counts=self.counts,
            scores=self.scores,
            contributions={name: self.by_attribute[at] / divisor for at, name in enumerate(names)},
            attributes={
                name: float(self.by_attribute[at].sum() / total) if total else 0.0 for at, name in enumerate(names)
            },
            size=len(self.counts),
        )


@dataclass(slots=True)
class _Search:
    """Walks the sets of attributes; remembers who is alone on each, packed to a bit a record."""

    columns: Sequence[Integers]
    persons: Integers | None
    deepest: int
    alone: dict[Subset, Bits] = field(default_factory=dict)

    def minimal(self) -> Iterator[tuple[Subset, Integers]]:
        """Each set of attributes with the records whose MSU it is; sets that are nobody's are left out."""
        if self.columns:
            rows = len(self.columns[0])
            yield from self._below((), np.arange(rows), np.zeros(rows, dtype=np.int64), 1)

    def _below(self, parent: Subset, records: Integers, classes: Integers, count: int) -> Iterator[Any]:
        """The sets that begin with ``parent``, from the last further attribute to the first.

        In this order the parts of a set come before it. A part that was never visited, since all were alone on what it
        begins with, is part of no set that is visited: all are alone on that set's parent too.
        """
        first = parent[-1] + 1 if parent else 0
        for attribute in range(len(self.columns) - 1, first - 1, -1):
            subset = (*parent, attribute)
            numbers, found = _refine(classes, count, self.columns[attribute][records])
            unique = self._unique(numbers, found, records)
            minimal = records[unique]
            if len(minimal):
                minimal = minimal[~self._alone_on_a_part(subset, minimal)]
                if len(minimal):
                    yield subset, minimal
            if len(subset) < self.deepest:
                self._remember(subset, records[unique])
                if not unique.all():
                    yield from self._below(subset, records[~unique], numbers[~unique], found)

    def _unique(self, classes: Integers, count: int, records: Integers) -> npt.NDArray[np.bool_]:
        """Which of the records are in a class of one person."""
        if self.persons is None:
            return np.bincount(classes, minlength=count)[classes] == 1
        person = self.persons[records]
        least, greatest = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
        np.minimum.at(least, classes, person)
        np.maximum.at(greatest, classes, person)
        alone: npt.NDArray[np.bool_] = least[classes] == greatest[classes]
        return alone

    def _alone_on_a_part(self, subset: Subset, records: Integers) -> npt.NDArray[np.bool_]:
        """Which records are unique already without one of the attributes; the parent has been settled."""
        smaller = np.zeros(len(records), dtype=bool)
        for place in range(len(subset) - 1):
            bits = self.alone.get(subset[:place] + subset[place + 1 :])
            if bits is not None:
                smaller |= (bits[records >> 3] >> (records & 7).astype(np.uint8) & 1).astype(bool)
        return smaller

    def _remember(self, subset: Subset, records: Integers) -> None:
        """Who is alone on a set: who became so here, and who was so on a part of it."""
        rows = len(self.columns[0])
        flags = np.zeros(rows, dtype=bool)
        flags[records] = True
        bits = np.packbits(flags, bitorder="little")
        for place in range(len(subset)):
            part = self.alone.get(subset[:place] + subset[place + 1 :])
            if part is not None:
                bits |= part
        if bits.any():
            self.alone[subset] = bits


def _check(attributes: int, size: int) -> None:
    if size < 1:
        raise InvalidParameter("size must be at least 1", parameter="size")
    subsets = sum(math.comb(attributes, number) for number in range(1, min(size, attributes) + 1))
    if subsets > MAX_SUBSETS:
        raise InvalidParameter(
            f"sets of at most {size} of {attributes} attributes are {subsets}, more than {MAX_SUBSETS}; "
            "take a smaller size",
            parameter="size",
        )


def _refine(classes: Integers, count: int, codes: Integers) -> tuple[Integers, int]:
    """Classes divided further by one attribute, numbered from 0; ``count`` bounds the numbers that come in."""
    width = int(codes.max()) + 1 if len(codes) else 1
    keys = classes * width + codes
    if count * width <= 4 * len(keys) + 1024:  # counting the present numbers is cheaper than sorting
        present = np.zeros(count * width, dtype=np.int64)
        present[keys] = 1
        numbers = np.cumsum(present) - 1
        return numbers[keys], int(numbers[-1]) + 1 if len(numbers) else 0
    found, renumbered = np.unique(keys, return_inverse=True)
    return renumbered.astype(np.int64), len(found)


def _codes(column: pl.Series) -> Integers:
    return column_codes(column.alias("values")).codes.astype(np.int64)  # Arrow takes no name as that of the unit
