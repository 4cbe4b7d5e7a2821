"""Permutation: the values of a column among its records."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from masking.errors import InvalidValue
from masking.techniques.base import Context, Example, secret_field, technique
from masking.techniques.draws import draws, identities
from masking.techniques.randomization.whole_column import Redistribution


@technique("randomization.permutation")
@dataclass(frozen=True)
class Permutation(Redistribution):
    """
    Permute the values of the column among the records, all permutations alike likely.

    Column: any; null stays null, where it is. The multiset of values is kept exactly: totals and distribution do not
    change, rare values stay visible.
    ``within``: values move only among records that are equal in this column; null counts as a value. A record that is
    alone there is refused; of n records each keeps its own value with probability 1/n, so small strata hide little.
    Loss: every relation to other attributes (except ``within``).
    Drawn once for each record: the same in all batches and copies of one table. A table with other records is permuted
    anew.
    Source: ISO/IEC 20889:2018, randomization: permutation.

    Raises:
        InvalidValue: ``record`` does not tell records apart, or a record is alone in its stratum.

    """

    within: str | None = None
    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    randomized: ClassVar[bool] = True
    spec: ClassVar[tuple[Example, ...]] = (
        Example({}, ("a", "b", "c", None, "d"), ("a", "c", "d", None, "b"), "null stays where it is"),
        Example(
            {"within": "area"},
            (1, 2, 3, 4, 5, 6),
            (1, 3, 2, 5, 6, 4),
            "among the records of one area",
            context={"area": ("N", "N", "N", "S", "S", "S")},
        ),
    )

    def _others(self) -> tuple[str, ...]:
        return () if self.within is None else (self.within,)

    def _redistributed(self, values: pa.Array, context: Context) -> pa.Array:
        if len(values) == 1:
            raise InvalidValue("the only one: it would keep its value", count=1)
        strata = _strata(context[self.within]) if self.within is not None else np.zeros(len(values), np.int64)
        drawn = draws(self.secret, [context[name] for name in self.record])[:, 0]
        source = np.empty(len(values), dtype=np.int64)
        source[np.argsort(strata, kind="stable")] = np.lexsort((drawn, strata))
        return values.take(pa.array(source))


def _strata(column: pa.Array) -> npt.NDArray[np.int64]:
    """A number for each distinct value."""
    codes = identities([column]).dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    alone = int((np.bincount(codes, minlength=1) == 1).sum())
    if alone:
        raise InvalidValue("alone among the records they would move within: they would keep their value", count=alone)
    return codes
