"""
One quasi-identifier of the released records, raw and masked, as the linkage drill reads it.

Codes are in the order of the values, so that nothing depends on the order of records. Values of an attribute that is
changed value by value get names of their own: what one was and what one became never read the same by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.hierarchies import Hierarchy, flat
from masking.measures.coding import Codes, column_codes, combined

Integers = npt.NDArray[np.int64]
Way = Literal["hierarchy", "pairs", "distance"]


@dataclass(frozen=True)
class Attribute:
    """``way``: how an attacker reads it (``masking.engines.drilling``); ``hierarchy`` where a search generalized it."""

    name: str
    raw: Codes
    masked: Codes
    way: Way
    hierarchy: Hierarchy | None = None

    @property
    def outcomes(self) -> int:
        """How many values a raw one becomes at most; 1 where the raw value decides."""
        return int(np.bincount(self._pairs()[0]).max(initial=1))

    def columns(self, most: int) -> tuple[pa.Array, pa.Array, Hierarchy]:
        """The raw column, the released one, and what leads from the one to the other.

        ``most``: how many values a raw one may become, where it is changed value by value.
        """
        if self.way == "pairs":
            return _named(self.raw, self._raw_names), self.released, self._relation(most)
        return _text(self.raw), _text(self.masked), _both(self) if self.hierarchy is None else self.hierarchy

    @property
    def released(self) -> pa.Array:
        """The released column of an attribute that is changed value by value: a name for each value."""
        return _named(self.masked, self._names)

    @property
    def _raw_names(self) -> tuple[str, ...]:
        return tuple(f"r{place}" for place in range(self.raw.size))

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(f"m{place}" for place in range(self.masked.size))

    def numbers(self) -> tuple[pa.Array, pa.Array] | None:
        """Both columns as finite numbers; None if they are none."""
        raw, masked = _numeric(self.raw), _numeric(self.masked)
        return None if raw is None or masked is None else (raw, masked)

    def _pairs(self) -> tuple[Integers, Integers]:
        """The pairs of raw and masked code that occur, in order."""
        pairs = np.unique(combined([self.raw, self.masked], len(self.raw.codes))[0])
        return pairs // self.masked.size, pairs % self.masked.size

    def _relation(self, most: int) -> Hierarchy:
        """What each raw value may become; the levels need not nest, since containment looks at each by itself."""
        raw, masked = self._pairs()
        first, count = np.searchsorted(raw, np.arange(self.raw.size)), np.bincount(raw, minlength=self.raw.size)
        labels, codes = [self._raw_names], [np.arange(self.raw.size, dtype=np.int32)]
        for level in range(min(most, self.outcomes)):
            labels.append(self._names)
            codes.append(masked[first + np.minimum(level, count - 1)].astype(np.int32))
        return Hierarchy(tuple(labels), tuple(codes))


def ranked(chunks: list[pa.Array]) -> Codes:
    """A column as codes in the order of its values, null last: they do not depend on the order of records."""
    codes = column_codes(pa.chunked_array(chunks))
    assert codes.values is not None  # those of a column are known
    if codes.size <= 1:
        return codes
    order = pc.sort_indices(codes.values)
    rank = np.empty(codes.size, dtype=np.int64)
    rank[order.to_numpy(zero_copy_only=False)] = np.arange(codes.size)
    return Codes(rank[codes.codes], codes.size, codes.values.take(order))


def _named(codes: Codes, names: tuple[str, ...]) -> pa.DictionaryArray:
    labels = pa.array(names, pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes.codes.astype(np.int32)), labels)


def _text(codes: Codes) -> pa.Array:
    """The column as text, null as null."""
    assert codes.values is not None
    return codes.values.cast(pa.string()).take(pa.array(codes.codes)).dictionary_encode()


def _both(attribute: Attribute) -> Hierarchy:
    """What moved by chance and is no number: another value is another one, whichever it is."""
    assert attribute.raw.values is not None
    assert attribute.masked.values is not None
    both = pa.chunked_array([attribute.raw.values.cast(pa.string()), attribute.masked.values.cast(pa.string())])
    values = pc.drop_null(pc.unique(both))
    return flat(values if len(values) else pa.array([""]))


def _numeric(codes: Codes) -> pa.Array | None:
    """The column as finite numbers, days or ticks for dates; None if it is neither."""
    values = codes.values
    assert values is not None
    if pa.types.is_temporal(values.type):
        values = values.cast(pa.int32() if values.type.bit_width == 32 else pa.int64())
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)):
        return None
    numbers = values.cast(pa.float64())
    finite = pc.all(pc.is_finite(numbers)).as_py()
    return numbers.take(pa.array(codes.codes)) if finite is not False else None
