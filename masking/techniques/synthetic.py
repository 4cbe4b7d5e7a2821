"""
Synthetic columns: values that are made up without a look at the raw ones.

Source: ISO/IEC 20889:2018, synthetic data. Every cell is filled, also where the raw one is null: whether a value was
there is something about the record too.
"""

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from masking.errors import InvalidParameter
from masking.techniques.base import Context, Example, Technique, record_field, secret_field, technique
from masking.techniques.draws import draws, uniforms
from masking.techniques.surrogates import Kind, Locale, check_mark, pool


@dataclass(frozen=True)
class Synthetic(Technique):
    """A technique that reads no value of its column and leaves no null."""

    family: ClassVar[str] = "synthetic"
    releases: ClassVar[str] = "nothing"

    def _nulls_kept(self, given: pa.Array, masked: pa.Array) -> bool:
        del given
        return masked.null_count == 0


@technique("synthetic.constant")
@dataclass(frozen=True)
class Constant(Synthetic):
    """
    Put one value in every cell.

    Column: any; null is replaced too. Output: text, whole numbers or decimals, as ``value`` is.
    Loss: everything; the column stays where a form or a program expects it.
    Source: ISO/IEC 20889:2018, synthetic data.
    """

    value: str | int | float

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"value": "不公开"}, ("张三", None), ("不公开", "不公开"), "null is replaced too"),
        Example({"value": 0}, ("a",), (0,), "a number"),
    )

    def __post_init__(self) -> None:
        try:
            pa.scalar(self.value)
        except (pa.ArrowException, OverflowError):
            raise InvalidParameter("value must be in [-2^63, 2^63)", parameter="value") from None

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """The value's own type."""
        del given
        return pa.scalar(self.value).type

    def _apply(self, column: pa.Array) -> pa.Array:
        return pa.repeat(pa.scalar(self.value), len(column))


@technique("synthetic.codes")
@dataclass(frozen=True)
class Codes(Synthetic):
    """
    Draw each cell from a public code list, once for each record.

    Column: any; null is replaced too. Output: text, or whole numbers if all ``values`` are.
    ``values``: the codes, as a standard or a publication lists them; never taken from the table by hand. ``weights``:
    how often each is drawn, in [0, inf), all alike by default; published shares make the column look like the published
    distribution.
    Loss: everything; also every relation to other attributes.
    Source: ISO/IEC 20889:2018, synthetic data; drawn once for each record (PRIVACY 13).

    Raises:
        InvalidParameter: no values, a value twice, or weights that do not match them.

    """

    values: tuple[str | int, ...]
    weights: tuple[float, ...] | None = None
    record: tuple[str, ...] = record_field()
    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    randomized: ClassVar[bool] = True
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {"values": ["A", "B", "O", "AB"]}, ("A", None, "A", "A"), ("B", "A", "A", "A"), "blood groups, all alike"
        ),
        Example({"values": [1, 2], "weights": [0, 1]}, (1, 1), (2, 2), "what weighs nothing is never drawn"),
    )

    def __post_init__(self) -> None:
        if not self.values or len({str(value) for value in self.values}) < len(self.values):
            raise InvalidParameter("values must be different codes, at least one", parameter="values")
        if self.weights is not None and (
            len(self.weights) != len(self.values) or min(self.weights) < 0 or not sum(self.weights) > 0
        ):
            raise InvalidParameter("weights must be one a value, 0 or more, not all 0", parameter="weights")
        try:
            self._listed()
        except (pa.ArrowException, OverflowError):
            raise InvalidParameter("values must be in [-2^63, 2^63)", parameter="values") from None

    def context(self) -> tuple[str, ...]:
        """The record columns."""
        return self.record

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """int64 if all values are whole numbers, text otherwise."""
        del given
        return self._listed().type

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del column
        shares = list(itertools.accumulate(self.weights or itertools.repeat(1, len(self.values))))
        drawn = uniforms(draws(self.secret, [context[name] for name in self.record])[:, 0])
        places = np.searchsorted(np.asarray(shares, dtype=np.float64), drawn * shares[-1], side="right")
        return self._listed().take(pa.array(places)), 0

    def _listed(self) -> pa.Array:
        if all(isinstance(value, int) for value in self.values):
            return pa.array(self.values, pa.int64())
        return pa.array([str(value) for value in self.values], pa.string())


@technique("synthetic.faker")
@dataclass(frozen=True)
class Fictitious(Synthetic):
    """
    Put an invented person, company, address, street or job in each cell, drawn once for each record.

    Column: any; null is replaced too. Output: text. ``kind``, ``locale`` and ``mark`` are those of
    pseudonymization.surrogate, and so are the pools; but the value plays no part, so equal values get different ones.
    Loss: everything, equality included.
    Source: ISO/IEC 20889:2018, synthetic data; word lists of Faker (MIT), so the installed version is a part of the
    result; drawn once for each record (PRIVACY 13).

    Raises:
        InvalidParameter: ``mark`` could be a part of a name.

    """

    kind: Kind
    locale: Locale = "zh_CN"
    mark: str | None = None
    record: tuple[str, ...] = record_field()
    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    randomized: ClassVar[bool] = True
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {"kind": "person"},
            ("张三", "张三", None),
            ("姬岩莉（化名）", "苗俊兵（化名）", "豆明磊（化名）"),
            "equal values get different persons",
        ),
    )

    def __post_init__(self) -> None:
        check_mark(self.mark, self.kind, self.locale)

    def context(self) -> tuple[str, ...]:
        """The record columns."""
        return self.record

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text."""
        del given
        return pa.string()

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del column
        drawn = draws(self.secret, [context[name] for name in self.record])[:, 0]
        return pool(self.kind, self.locale, check_mark(self.mark, self.kind, self.locale)).pick(drawn), 0
