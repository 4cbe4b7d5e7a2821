"""Microaggregation: groups of near records share their mean."""

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.techniques.base import Context, Example, technique
from masking.techniques.randomization.columns import (
    Floats,
    Integers,
    absent,
    floats,
    integers,
    is_date,
    is_number,
    of_integers,
)
from masking.techniques.randomization.mdav import groups
from masking.techniques.randomization.whole_column import Redistribution


@technique("randomization.microaggregation")
@dataclass(frozen=True)
class Microaggregation(Redistribution):
    """
    Replace each value by the mean of its group of at least ``size`` near records.

    Column: numeric, date or timestamp; null stays null and joins no group. Whole numbers and dates get the nearest
    whole number and day. Groups have ``size`` to 2 ``size`` - 1 records.
    ``size``: 3 or more. ``together``: all columns that are grouped together, this one included, the same list in each
    of their rules: then the groups are the same too, and the combination of their means occurs at least ``size`` times.
    A record that lacks one of them is grouped by this column alone, with the others that lack one.
    One column is cut optimally (in sorted pieces of some thousand records); several are standardised and grouped by
    MDAV, within pieces of some hundred neighbours when there are more.
    Loss: the differences within groups; the mean of the column is kept up to rounding. Where all of a group have the
    same value that value is published: k-anonymity without diversity.
    Nothing is drawn, so no key is needed.
    Source: Domingo-Ferrer and Mateo-Sanz, 2002 (MDAV); Hansen and Mukherjee, 2003 (optimal for one column).

    Raises:
        InvalidParameter: ``size`` below 3, or ``together`` lacks this column.
        UnsupportedColumn: a column holds neither numbers nor dates.
        InvalidValue: fewer than ``size`` records; not a finite number; ``record`` does not tell records apart.

    """

    size: int
    together: tuple[str, ...] = ()

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"size": 3}, (1, 2, 3, None, 50, 61, 60), (2, 2, 2, None, 57, 57, 57), "two groups of three"),
        Example(
            {"size": 3, "together": ["height", "weight"]},
            (160, 161, 180, 159, 182, 181),
            (160, 160, 181, 160, 181, 181),
            "grouped by two columns",
            context={"height": (160, 161, 180, 159, 182, 181), "weight": (50, 52, 90, 51, 88, 92)},
        ),
        Example(
            {"size": 3},
            (dt.date(2000, 1, 1), dt.date(2000, 1, 2), dt.date(2000, 1, 5)),
            (dt.date(2000, 1, 3),) * 3,
            "the mean day",
        ),
    )

    def __post_init__(self) -> None:
        if self.size < 3:
            raise InvalidParameter("size must be 3 or more", parameter="size")
        if len(self.together) == 1 or len(set(self.together)) < len(self.together):
            raise InvalidParameter("together names two or more columns, each once", parameter="together")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """int64 for whole numbers, float64 for other numbers; dates keep their type."""
        if is_date(given):
            return given
        if is_number(given):
            return pa.int64() if pa.types.is_integer(given) else pa.float64()
        raise UnsupportedColumn(f"{self.name} works on numbers and dates, not on {given}")

    def _others(self) -> tuple[str, ...]:
        return self.together

    def _redistributed(self, values: pa.Array, context: Context) -> pa.Array:
        own, origin = _numbers(values)
        for name in self.together:
            self.output_type(context[name].type)
        if self.together and len(values) and not any(context[name].equals(values) for name in self.together):
            raise InvalidParameter(
                "together lists all columns that are grouped, this one included", parameter="together"
            )
        whole = np.ones(len(values), dtype=np.bool_)
        for name in self.together:
            whole &= ~absent(context[name])
        labels = np.zeros(len(values), dtype=np.int64)
        for rows in (np.flatnonzero(whole), np.flatnonzero(~whole)):
            if 0 < len(rows) < self.size:
                raise InvalidValue(f"too few to make a group of {self.size}", count=len(rows))
        complete, rest = np.flatnonzero(whole), np.flatnonzero(~whole)
        chosen = pa.array(complete)
        columns = [_numbers(context[name].take(chosen))[0] for name in self.together] or [own[complete]]
        labels[complete] = groups(np.column_stack(columns), self.size)
        labels[rest] = groups(own[rest, None], self.size) + labels.max(initial=-1) + 1
        return _means(own, labels, origin, values.type)


def _numbers(column: pa.Array) -> tuple[Floats, int]:
    """A column without nulls as floats from an origin near it, so that large whole numbers keep their digits."""
    if not (pa.types.is_integer(column.type) or is_date(column.type)):
        return floats(column), 0
    values = integers(column)
    origin = int(values.min()) if len(values) else 0
    if len(values) and int(values.max()) - origin >= 2**63:
        raise InvalidValue("too far apart to have a mean in their type", count=2)
    return (values - origin).astype(np.float64), origin


def _means(own: Floats, labels: Integers, origin: int, kind: pa.DataType) -> pa.Array:
    if not len(own):
        return pa.nulls(0, pa.float64()) if not is_date(kind) else pa.nulls(0, kind)
    means = np.bincount(labels, weights=own) / np.maximum(np.bincount(labels), 1)
    if pa.types.is_integer(kind) or is_date(kind):
        return of_integers(np.rint(means).astype(np.int64)[labels] + origin, kind)
    return pc.cast(pa.array(means[labels]), pa.float64())
