"""All records of a person in a group as one: what people make of a table before they take means over persons. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from sandbox.airlock.checks.columns import Columns
from sandbox.airlock.checks.spelling import Ints

Floats = npt.NDArray[np.float64]
RECORDS: Final = ""
"""Under this name stands how many records of the group a person has."""


@dataclass(slots=True, eq=False)
class PerPerson:
    """One entry a group and person: ``group`` of each, sums of the raw columns of numbers; a null adds nothing."""

    columns: Columns
    group: Ints
    inside: Ints
    """The records that are in some group."""
    of_record: Ints
    """Of each of these the entry that it belongs to."""
    _sums: dict[str, Floats] = field(default_factory=dict)

    @classmethod
    def of(cls, columns: Columns, identity: str, group: Ints) -> PerPerson:
        """``group``: of each record, -1 for none; ``identity``: the column that tells persons apart."""
        codes = columns.codes_of(identity).astype(np.int64)
        inside = np.flatnonzero((group >= 0) & (codes >= 0))
        width = int(codes.max(initial=0)) + 1
        pairs, of_record = np.unique(group[inside].astype(np.int64) * width + codes[inside], return_inverse=True)
        return cls(columns, pairs // width, inside, of_record.astype(np.int64))

    def number_names(self, called: str) -> list[str]:
        """How many records, and the raw table's columns of numbers."""
        return [RECORDS, *self.columns.number_names(called)]

    def numbers(self, name: str) -> Floats:
        """Records or sums, one number an entry."""
        if name not in self._sums:
            weights = None if name == RECORDS else np.nan_to_num(self.columns.numbers(name)[self.inside])
            self._sums[name] = np.bincount(self.of_record, weights, minlength=len(self.group)).astype(np.float64)
        return self._sums[name]
