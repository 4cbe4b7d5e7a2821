"""Rank swapping: each value goes to a record of a near rank."""

import math
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, UnsupportedColumn
from masking.techniques.base import Context, Example, secret_field, technique
from masking.techniques.draws import Draws, draws, uniforms
from masking.techniques.randomization.columns import floats, is_date, is_number
from masking.techniques.randomization.whole_column import Redistribution

LEAST_REACH: Final = 5


@technique("randomization.rank_swapping")
@dataclass(frozen=True)
class RankSwapping(Redistribution):
    """
    Give each record the value of a record whose rank differs by at most ``percent`` of the number of records.

    Column: numeric, date or timestamp; null stays null and is not ranked. The multiset of values is kept exactly.
    Unit: ``percent`` in (0, 100]; literature uses 2 to 15. It has to reach 5 ranks or more: within a reach of r ranks
    about one record in r keeps its value.
    Loss: a value moves by at most ``percent`` of the ranks, by a quarter (small columns) to a half (large ones) of that
    on average; relations to other attributes weaken by as much. The largest values stay in the table, on a record
    nearby.
    Moore swaps pairs one after the other; here every rank is moved by a drawn number and ranks are sorted anew: the
    same bound, in a few sorts of the column.
    Drawn once for each record: the same in all batches and copies of one table.
    Source: Moore, Controlled data-swapping techniques for masking public use microdata sets, 1996.

    Raises:
        InvalidParameter: ``percent`` outside (0, 100], or below 5 ranks of this column.
        UnsupportedColumn: the column holds neither numbers nor dates.
        InvalidValue: not a finite number; ``record`` does not tell records apart.

    """

    percent: float
    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    randomized: ClassVar[bool] = True
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {"percent": 100},
            (10, 20, 30, 40, 50, 60, None),
            (10, 20, 60, 50, 30, 40, None),
            "the same values, on other records; null stays null",
        ),
    )

    def __post_init__(self) -> None:
        if not 0 < self.percent <= 100:
            raise InvalidParameter("percent must be in (0, 100]", parameter="percent")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """The column's own type."""
        if is_number(given) or is_date(given):
            return given
        raise UnsupportedColumn(f"{self.name} works on numbers and dates, not on {given}")

    def _redistributed(self, values: pa.Array, context: Context) -> pa.Array:
        count = len(values)
        if not count:
            return values
        if pa.types.is_floating(values.type):
            floats(values)
        most = math.floor(self.percent * count / 100)
        if most < LEAST_REACH:
            raise InvalidParameter(
                f"percent reaches {most} of {count} ranks; {LEAST_REACH} are the least that hide a record",
                parameter="percent",
            )
        drawn = draws(self.secret, [context[name] for name in self.record])
        # Equal values are ranked by what was drawn, so that they move like all others.
        table = pa.table({"value": values, "drawn": pa.array(drawn[:, 0])})
        ranked = pc.sort_indices(table, [("value", "ascending"), ("drawn", "ascending")]).to_numpy()
        source = np.empty(count, dtype=np.int64)
        source[ranked] = ranked[moved(drawn[ranked, 1], most)]
        return values.take(pa.array(source))


def moved(drawn: Draws, most: int) -> npt.NDArray[np.int64]:
    """
    Return the new rank of each rank: a permutation that moves no rank by more than ``most``.

    Ranks get uniform noise and are sorted anew. Noise below ``most`` + 1 keeps the bound always: whatever stands
    ``most`` + 1 ranks apart cannot change places. Noise of nearly twice that keeps it too, unless many small draws
    meet; so the widest noise that kept it is taken.
    """
    ranks = np.arange(len(drawn))
    shares = uniforms(drawn)
    width = max(most + 1.0, 2 * most - 4 * math.sqrt(most))
    while True:
        new = np.empty(len(drawn), dtype=np.int64)
        new[np.argsort(ranks + shares * width, kind="stable")] = ranks
        if width <= most + 1 or int(np.abs(new - ranks).max()) <= most:
            return new
        width = max(most + 1.0, 0.95 * width)
