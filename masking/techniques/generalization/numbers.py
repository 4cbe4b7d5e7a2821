"""Numbers: rounding, top and bottom coding, bands."""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.techniques.base import Example, Technique, technique
from masking.techniques.generalization.formats import check_bounds, digits, is_number, labelled, numbers, spelled


@technique("generalization.rounding")
@dataclass(frozen=True)
class Rounding(Technique):
    """
    Round each value to the nearest multiple of ``base``.

    Column: integer or decimal, any length; null stays null; empty stays empty.
    Unit: ``base`` is in the attribute's own unit (years, yuan, metres). Must be in (0, inf); whole for whole numbers.
    Loss: a value moves by at most ``base / 2``; ties go to the even multiple.
    Source: ISO/IEC 20889:2018, generalization: rounding.

    Raises:
        InvalidParameter: ``base`` is not positive, or not whole for a column of whole numbers.
        UnsupportedColumn: the column is not numeric.

    >>> from masking.techniques.base import column
    >>> Rounding(base=5).apply(column([37, None, 42])).to_pylist()
    [35, None, 40]

    """

    base: float

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"base": 5}, (37, None, 42), (35, None, 40), "towards the nearest multiple; null stays null"),
        Example({"base": 10}, (5, 15, -5, -14), (0, 20, 0, -10), "ties to the even multiple; negatives mirror"),
        Example({"base": 0.5}, (1.3, 2.75), (1.5, 3.0), "decimals"),
        Example({"base": 5}, (), (), "empty stays empty", "int64"),
    )

    def __post_init__(self) -> None:
        if not (self.base > 0 and math.isfinite(self.base)):
            raise InvalidParameter("base must be in (0, inf)", parameter="base")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """int64 for whole numbers, float64 for others."""
        if pa.types.is_integer(given):
            if self.base != int(self.base):
                raise InvalidParameter("base must be whole for a column of whole numbers", parameter="base")
            return pa.int64()
        if is_number(given):
            return pa.float64()
        raise UnsupportedColumn(f"{self.name} works on numbers, not on {given}")

    def _apply(self, column: pa.Array) -> pa.Array:
        if pa.types.is_integer(column.type):
            values, absent = numbers(column, pa.int64(), 0)
            base = int(self.base)
            if base >= 2**62:
                raise InvalidParameter("base is too large", parameter="base")
            quotient, rest = np.divmod(values, base)
            up = (2 * rest > base) | ((2 * rest == base) & (quotient % 2 == 1))
            return pa.array((quotient + up) * base, mask=absent)
        values, absent = numbers(column, pa.float64(), 0.0)
        return pa.array(np.round(np.round(values / self.base) * self.base, digits(self.base)) + 0.0, mask=absent)


@technique("generalization.top_bottom")
@dataclass(frozen=True)
class TopBottom(Technique):
    """
    Replace values below ``lower`` by ``lower`` and values above ``upper`` by ``upper``.

    Column: numeric; null stays null.
    Unit: the attribute's own; at least one bound, ``lower`` at most ``upper``.
    Loss: the tails, where single persons stand out.
    Source: ISO/IEC 20889:2018, generalization: top and bottom coding.

    Raises:
        InvalidParameter: no bound, bounds in the wrong order, or not whole for a column of whole numbers.
        UnsupportedColumn: the column is not numeric.

    """

    lower: float | None = None
    upper: float | None = None

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"lower": 18, "upper": 90}, (17, 18, 55, 101, None), (18, 18, 55, 90, None), "both tails"),
        Example({"upper": 1000.5}, (999.0, 2000.0), (999.0, 1000.5), "top only"),
    )

    def __post_init__(self) -> None:
        check_bounds(self.lower, self.upper)
        if self.lower is None and self.upper is None:
            raise InvalidParameter("give lower, upper or both", parameter="lower")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """int64 for whole numbers, float64 for others."""
        if pa.types.is_integer(given):
            for name, bound in (("lower", self.lower), ("upper", self.upper)):
                if bound is not None and bound != int(bound):
                    raise InvalidParameter(f"{name} must be whole for a column of whole numbers", parameter=name)
            return pa.int64()
        if is_number(given):
            return pa.float64()
        raise UnsupportedColumn(f"{self.name} works on numbers, not on {given}")

    def _apply(self, column: pa.Array) -> pa.Array:
        whole = pa.types.is_integer(column.type)
        values, absent = numbers(column, pa.int64() if whole else pa.float64(), 0)
        bounds: list[Any] = [None if b is None else (int(b) if whole else float(b)) for b in (self.lower, self.upper)]
        return pa.array(np.clip(values, bounds[0], bounds[1]), mask=absent)


@technique("generalization.bands")
@dataclass(frozen=True)
class Bands(Technique):
    """
    Replace each number by the half-open band it falls in: ``[60,65)``.

    Column: numeric; null stays null.
    Unit: the attribute's own. Either ``edges`` (increasing) or ``width`` (> 0, bands start at multiples of it, or at
    ``lower`` where that is given). Values below ``lower`` (or the first edge) become ``<lower``, values from ``upper``
    (or the last edge) on ``>=upper``: open ends are where single persons stand out.
    Loss: the place inside the band.
    Source: ISO/IEC 20889:2018, generalization: local and global recoding of numbers.

    Raises:
        InvalidParameter: neither or both of edges and width, edges not increasing, bounds in the wrong order.
        UnsupportedColumn: the column is not numeric.

    """

    edges: tuple[float, ...] | None = None
    width: float | None = None
    lower: float | None = None
    upper: float | None = None

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"width": 5}, (60, 64, 65, None), ("[60,65)", "[60,65)", "[65,70)", None), "half-open bands"),
        Example(
            {"width": 10, "lower": 18, "upper": 88}, (17, 18, 28, 88), ("<18", "[18,28)", "[28,38)", ">=88"), "ends"
        ),
        Example({"edges": [0, 18, 65]}, (-1, 0, 17.5, 65), ("<0", "[0,18)", "[0,18)", ">=65"), "own edges"),
        Example({"width": 0.5}, (0.7,), ("[0.5,1)",), "decimals"),
    )

    def __post_init__(self) -> None:
        if (self.edges is None) == (self.width is None):
            raise InvalidParameter("give either edges or width", parameter="edges")
        if self.edges is not None:
            if len(self.edges) < 2 or any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
                raise InvalidParameter("edges must be at least two numbers that increase", parameter="edges")
            if self.lower is not None or self.upper is not None:
                raise InvalidParameter("lower and upper go with width; edges have their own ends", parameter="lower")
        if self.width is not None and not (self.width > 0 and math.isfinite(self.width)):
            raise InvalidParameter("width must be in (0, inf)", parameter="width")
        check_bounds(self.lower, self.upper)

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text: the band's label."""
        if not is_number(given):
            raise UnsupportedColumn(f"{self.name} works on numbers, not on {given}")
        return pa.string()

    def _apply(self, column: pa.Array) -> pa.Array:
        values, absent = numbers(column, pa.float64(), 0.0)
        absent = absent | np.isnan(values)
        if np.isnan(values).any():
            raise InvalidValue("not a number", count=int(np.isnan(values).sum()))
        if self.edges is not None:
            places = np.searchsorted(np.asarray(self.edges, dtype=np.float64), values, side="right")
            return labelled(places.astype(np.float64), absent, self._label_of_edges)
        assert self.width is not None
        bands = cells(values, self.lower if self.lower is not None else 0.0, self.width)
        if self.lower is not None:
            bands = np.where(values < self.lower, -np.inf, bands)
        if self.upper is not None:
            bands = np.where(values >= self.upper, np.inf, bands)
        return labelled(bands, absent, self._label_of_band)

    def _label_of_edges(self, place: float) -> str:
        assert self.edges is not None
        if place == 0:
            return f"<{spelled(self.edges[0])}"
        if place == len(self.edges):
            return f">={spelled(self.edges[-1])}"
        return f"[{spelled(self.edges[int(place) - 1])},{spelled(self.edges[int(place)])})"

    def _label_of_band(self, band: float) -> str:
        if math.isinf(band):
            return f"<{spelled(self.lower)}" if band < 0 else f">={spelled(self.upper)}"
        start = Decimal(str(self.lower)) if self.lower is not None else Decimal(0)
        width = Decimal(str(self.width))
        low = start + int(band) * width
        high = low + width
        if self.upper is not None:
            high = min(high, Decimal(str(self.upper)))
        return f"[{spelled(low)},{spelled(high)})"


def cells(values: Any, start: float, width: float) -> Any:
    """Place of each number among half-open cells of ``width`` that begin at ``start``: the first is 0.0."""
    places = np.floor((values - start) / width)
    # A quotient near a border may lie on the wrong side of it; borders themselves are exact decimals.
    decimals = max(digits(width), digits(start))
    places = np.where(np.round(start + (places + 1) * width, decimals) <= values, places + 1, places)
    return np.where(np.round(start + places * width, decimals) > values, places - 1, places)
