"""
Whole columns whose values move between records: what permutation, rank swapping and microaggregation share.

Records are put in the order of their addresses (``masking.techniques.draws.addresses``) before anything is drawn or
compared, so that the result depends on the set of records and never on the order in which they were read.
"""

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from masking.errors import InvalidParameter, InvalidValue
from masking.techniques.base import Context, WholeColumn, record_field
from masking.techniques.draws import addresses
from masking.techniques.randomization.columns import absent


@dataclass(frozen=True, eq=False)
class Outputs:
    """What every record of a column gets, found by its address. Shows no value."""

    places: npt.NDArray[np.uint64] = field(repr=False)  # increasing
    values: pa.Array = field(repr=False)

    def find(self, wanted: npt.NDArray[np.uint64]) -> pa.Array:
        """The output of each record.

        Raises:
            InvalidValue: records that were not there when the column was read as a whole.
        """
        found = np.searchsorted(self.places, wanted)
        known = found < len(self.places)
        known[known] = self.places[found[known]] == wanted[known]
        strange = np.flatnonzero(~known)
        if len(strange):
            raise InvalidValue(
                "these records were not in the column when it was read as a whole",
                count=len(strange),
                first_rows=strange[:5].tolist(),
            )
        return self.values.take(pa.array(found))


@dataclass(frozen=True, kw_only=True)
class Redistribution(WholeColumn):
    """
    A whole-column technique that fills ``_redistributed``.

    Null stays null and takes no part. Records with a value must differ in ``record``; those that do not are refused,
    for one of them would get the other's output.
    """

    record: tuple[str, ...] = record_field()
    outputs: Outputs | None = field(default=None, repr=False, compare=False, metadata={"internal": True})

    def context(self) -> tuple[str, ...]:
        """The record columns and the others that it reads, each once."""
        return tuple(dict.fromkeys([*self.record, *self._others()]))

    def _others(self) -> tuple[str, ...]:
        return ()

    def _redistributed(self, values: pa.Array, context: Context) -> pa.Array:
        """The new value of each record. No nulls; records stand in the order of their addresses."""
        raise NotImplementedError(f"{type(self).__name__} fills no _redistributed")

    def _fitted(self, column: pa.Array, context: Context) -> WholeColumn:
        valid = pa.array(np.flatnonzero(~absent(column)))
        there = {name: other.take(valid) for name, other in context.items()}
        places = addresses([there[name] for name in self.record])
        order = np.argsort(places, kind="stable")
        places = places[order]
        again = np.concatenate(([False], places[1:] == places[:-1])) if len(places) else np.zeros(0, np.bool_)
        if again.any():
            alike = int((again | np.append(again[1:], False)).sum())
            raise InvalidValue(f"record {list(self.record)} does not tell these records apart", count=alike)
        rows = pa.array(order)
        ordered = {name: other.take(rows) for name, other in there.items()}
        values = self._redistributed(column.take(valid).take(rows), ordered)
        return dataclasses.replace(self, outputs=Outputs(places, values))

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        if self.outputs is None:
            raise InvalidParameter(f"{self.name} has to see the whole column first: call fit")
        missing = absent(column)
        rows = np.flatnonzero(~missing)
        chosen = pa.array(rows)
        try:
            found = self.outputs.find(addresses([context[name].take(chosen) for name in self.record]))
        except InvalidValue as error:
            error.first_rows = tuple(int(rows[row]) for row in error.first_rows)
            raise
        kind = self.output_type(column.type)
        if not missing.any():
            return found.cast(kind), 0
        back = np.zeros(len(column), dtype=np.int64)
        back[rows] = np.arange(len(rows))
        if not len(rows):
            return pa.nulls(len(column), kind), 0
        return found.take(pa.array(back, mask=missing)).cast(kind), 0
