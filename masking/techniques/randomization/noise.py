"""Noise on numbers, drawn once for each record."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.techniques.base import Context, Example, Technique, record_field, secret_field, technique
from masking.techniques.draws import Draws, draws, uniforms
from masking.techniques.randomization.columns import Floats, absent, floats, integers, is_number


@technique("randomization.noise")
@dataclass(frozen=True)
class Noise(Technique):
    """
    Add noise of a stated distribution to each value, or multiply by 1 plus noise.

    Column: numeric; null stays null. Whole numbers stay whole; other numbers are rounded to about a thousandth of the
    noise's scale, for the last digits of computed noise can tell the value beneath.
    Unit: ``scale`` is in the attribute's own unit, or a share of the value if ``multiplicative``; in (0, inf). laplace:
    the mean change; normal: the standard deviation; uniform: the largest change. ``lower`` and ``upper``: results
    outside are set to the bound, which shows as a heap there.
    Loss: the value, up to the noise. Large values keep standing out under additive noise; zero stays zero and signs may
    turn under multiplicative noise.
    Drawn once for each record and attribute: the same in all batches and editions, so that averaging editions gains
    nothing. Records that ``record`` does not tell apart get the same noise; their difference stays exact.
    This is not differential privacy: no bound is proven for what one record's noisy values tell together.
    Source: ISO/IEC 20889:2018, randomization: noise addition.

    Raises:
        InvalidParameter: scale is not positive, bounds are in the wrong order, or not whole for whole numbers.
        UnsupportedColumn: the column is not numeric.
        InvalidValue: not a finite number, or a result that does not fit the type.

    """

    distribution: Literal["laplace", "normal", "uniform"]
    scale: float
    lower: float | None = None
    upper: float | None = None
    multiplicative: bool = False
    record: tuple[str, ...] = record_field()
    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    randomized: ClassVar[bool] = True
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {"distribution": "laplace", "scale": 1000},
            (8000, 12500, None),
            (7859, 14686, None),
            "whole numbers stay whole; null stays null",
        ),
        Example(
            {"distribution": "normal", "scale": 0.5, "lower": 36},
            (36.6, 36.1, 39.2),
            (36.5732, 36.1415, 39.3395),
            "decimals are rounded to about a thousandth of the scale",
        ),
        Example(
            {"distribution": "uniform", "scale": 0.1, "multiplicative": True},
            (1000.0, 0.0, -50.0),
            (986.875, 0.0, -53.92578125),
            "at most a tenth of the value; zero stays zero",
        ),
        Example(
            {"distribution": "uniform", "scale": 5},
            (30, 30),
            (29, 29),
            "one record, one draw",
            context={"record": ("a", "a")},
        ),
    )

    def __post_init__(self) -> None:
        if not (self.scale > 0 and math.isfinite(self.scale)):
            raise InvalidParameter("scale must be in (0, inf)", parameter="scale")
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise InvalidParameter("lower must be below upper", parameter="lower")

    def context(self) -> tuple[str, ...]:
        """The record columns."""
        return self.record

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

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        drawn = standard(self.distribution, draws(self.secret, [context[name] for name in self.record]))
        missing = absent(column)
        with np.errstate(over="ignore"):  # what runs over becomes infinite and is refused
            noise = self.scale * drawn
            if pa.types.is_integer(column.type):
                return pa.array(self._whole(integers(column), noise), pa.int64(), mask=missing), 0
            return pa.array(self._fractional(floats(column), noise), pa.float64(), mask=missing), 0

    def _fractional(self, values: Floats, noise: Floats) -> Floats:
        if self.multiplicative:
            noisy = _to_bits(values + values * noise, math.ceil(math.log2(1000 / min(self.scale, 1))))
        else:
            noisy = np.round(values + noise, 3 - math.floor(math.log10(self.scale)))
        _check_fit(~np.isfinite(noisy))
        return np.clip(noisy, self.lower, self.upper) + 0.0

    def _whole(self, values: npt.NDArray[np.int64], noise: Floats) -> npt.NDArray[np.int64]:
        change = np.rint(noise * values if self.multiplicative else noise)
        _check_fit(~(np.abs(change) < 2.0**62))
        noisy = values + change.astype(np.int64)
        _check_fit((noisy < values) != (change < 0))  # a sum that ran over the end of its type
        lower, upper = (None if bound is None else int(bound) for bound in (self.lower, self.upper))
        return np.clip(noisy, lower, upper)


def standard(distribution: str, drawn: Draws) -> Floats:
    """Noise of scale 1 from two uniform numbers a record."""
    first, second = uniforms(drawn[:, 0]), uniforms(drawn[:, 1])
    if distribution == "laplace":
        return np.asarray(-np.sign(first - 0.5) * np.log1p(-2 * np.abs(first - 0.5)))
    if distribution == "normal":  # Box and Muller, 1958
        return np.asarray(np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second))
    return 2 * first - 1


def _to_bits(values: Floats, bits: int) -> Floats:
    """Keep the first ``bits`` binary digits of each number."""
    fraction, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(fraction, bits)), exponent - bits)


def _check_fit(wrong: npt.NDArray[np.bool_]) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        raise InvalidValue("with noise they do not fit the type", count=len(rows), first_rows=rows[:5].tolist())
