"""Places of China: division codes, addresses, postcodes; and coordinates anywhere."""

import functools
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa

from masking.detection.checks import PROVINCES
from masking.errors import InvalidParameter, UnsupportedColumn
from masking.techniques.base import Context, Example, Technique, technique
from masking.techniques.generalization.divisions import DIGITS, codes_of_addresses, columns_of, full_names
from masking.techniques.generalization.formats import OnInvalid, digits, is_number, is_text, numbers, replaced
from masking.techniques.generalization.numbers import cells

_DIVISION = rf"^(?:{'|'.join(sorted(PROVINCES))})(?:0000|(?:0[1-9]|[1-9][0-9])[0-9]{{2}})(?:[0-9]{{3}}){{0,2}}$"
_LIMIT = {"latitude": 90.0, "longitude": 180.0}
_LARGEST_STEP = 10


@technique("generalization.division")
@dataclass(frozen=True)
class Division(Technique):
    """
    Replace each code of a Chinese administrative division by that of the province, city, county or street it is in.

    Column: codes of 6, 9 or 12 digits, text or whole numbers; null stays null. Output: text, six digits as GB/T 2260
    writes it (430000, 430100, 430104), nine for streets (GB/T 10114). A code that is coarser already stays what it is.
    ``names`` gives 湖南省长沙市 instead of the code, down to counties, from the table of 2023; a code that is not in
    the table (abolished since) is invalid then.
    ``on_invalid``: what becomes of a value that is no such code: the run stops (reject) or it becomes ``*`` and is
    counted (suppress).
    Loss: the place inside the division. For public release an area holds at least 20,000 residents: a city mostly does,
    a street often does not.
    Source: ISO/IEC 20889:2018, generalization; GB/T 2260-2007; GB/T 10114-2003; 统计用区划代码 (国家统计局).

    Raises:
        InvalidParameter: ``names`` with the level street, which the table does not hold.
        UnsupportedColumn: the column is neither text nor whole numbers.
        InvalidValue: ``on_invalid`` is reject and there are such values.

    """

    to: Literal["province", "city", "county", "street"]
    names: bool = False
    on_invalid: OnInvalid = "reject"

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"to": "city"}, ("430104", "430104002", "430104002001", None), ("430100",) * 3 + (None,), "any length"),
        Example({"to": "province", "names": True}, (430104, 110101), ("湖南省", "北京市"), "names instead of codes"),
        Example({"to": "street"}, ("430104002001", "430104"), ("430104002", "430104000"), "a county stays coarser"),
        Example(
            {"to": "city", "on_invalid": "suppress"}, ("990104", "4301", "430004"), ("*", "*", "*"), "no such codes"
        ),
    )

    def __post_init__(self) -> None:
        if self.names and self.to == "street":
            raise InvalidParameter("there are no names of streets, only codes", parameter="names")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text."""
        return _text_or_whole(self.name, given)

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del context
        codes = _polars(column)
        kept = DIGITS[self.to]
        size = 9 if self.to == "street" else 6
        masked = codes.str.pad_end(12, "0").str.slice(0, kept).str.pad_end(size, "0")
        masked = pl.select(pl.when(codes.str.contains(_DIVISION)).then(masked)).to_series()
        if self.names:
            masked = masked.replace_strict(*_full_names(), default=None, return_dtype=pl.String)
        return replaced(column, _arrow(masked), self.on_invalid, "not a code of a division (6, 9 or 12 digits)")


@technique("generalization.address")
@dataclass(frozen=True)
class Address(Technique):
    """
    Replace each address in China by the province, city or county that it begins with, by its name.

    Column: text; null stays null. Only names of the table of 2023 come out, with what they lie in: 湖南省长沙市岳麓区.
    An address that does not begin with a division down to ``to`` becomes ``*`` and is counted (suppress), or the run
    stops (reject); no part of it passes in clear. 湖南长沙岳麓区… and 岳麓区… (one in the country) are understood,
    南京路… and 朝阳区… (which?) are not.
    Loss: the place inside the division. For public release an area holds at least 20,000 residents.
    Source: ISO/IEC 20889:2018, generalization; names: 统计用区划代码 (国家统计局), 2023.

    Raises:
        UnsupportedColumn: the column is not text.
        InvalidValue: ``on_invalid`` is reject and there are such values.

    """

    to: Literal["province", "city", "county"]
    on_invalid: OnInvalid = "suppress"

    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {"to": "city"},
            ("湖南省长沙市岳麓区麓山南路932号", "北京市朝阳区建国路1号", "人民路3号", None),
            ("湖南省长沙市", "北京市", "*", None),
            "what begins with no division is hidden",
        ),
        Example(
            {"to": "county"},
            ("湖南长沙岳麓区2栋", "杭州市余杭区"),
            ("湖南省长沙市岳麓区", "浙江省杭州市余杭区"),
            "short",
        ),
        Example({"to": "province"}, ("岳麓区橘子洲头",), ("湖南省",), "one in the country"),
    )

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text."""
        if not (is_text(given) or pa.types.is_null(given)):
            raise UnsupportedColumn(f"{self.name} works on text, not on {given}")
        return pa.string()

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del context
        codes = codes_of_addresses(_polars(column))
        masked = codes.replace_strict(*_names_above(self.to), default=None, return_dtype=pl.String)
        return replaced(column, _arrow(masked), self.on_invalid, f"begins with no {self.to} of the table")


@technique("generalization.postcode")
@dataclass(frozen=True)
class Postcode(Technique):
    """
    Keep the first digits of a Chinese postcode.

    Column: text of 6 digits, or whole numbers (a zero in front is put back); null stays null. Output: text.
    ``digits``: 2 (province), 3 (postal district) or 4 (county); what follows is cut, so that no output is a postcode.
    ``on_invalid``: what becomes of a value that is no postcode: the run stops (reject) or it becomes ``*`` and is
    counted (suppress).
    Loss: the place inside the area.
    Source: ISO/IEC 20889:2018, generalization; the six digits: GB/T 6831 and 邮政编码 (国家邮政局).

    Raises:
        InvalidParameter: ``digits`` is not 2, 3 or 4.
        UnsupportedColumn: the column is neither text nor whole numbers.
        InvalidValue: ``on_invalid`` is reject and there are such values.

    """

    digits: int
    on_invalid: OnInvalid = "reject"

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"digits": 3}, ("410082", "010010", None), ("410", "010", None), "postal districts"),
        Example({"digits": 2}, (410082, 10010), ("41", "01"), "numbers have lost their zero"),
        Example({"digits": 4, "on_invalid": "suppress"}, ("41008", "４１００８２"), ("*", "*"), "no postcodes"),
    )

    def __post_init__(self) -> None:
        if self.digits not in (2, 3, 4):
            raise InvalidParameter("digits must be 2, 3 or 4", parameter="digits")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text."""
        return _text_or_whole(self.name, given)

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del context
        codes = _polars(column)
        if pa.types.is_integer(column.type):
            codes = pl.select(pl.when(codes.str.contains("^[0-9]{5,6}$")).then(codes.str.pad_start(6, "0"))).to_series()
        masked = pl.select(pl.when(codes.str.contains("^[0-9]{6}$")).then(codes.str.slice(0, self.digits))).to_series()
        return replaced(column, _arrow(masked), self.on_invalid, "not a postcode of 6 digits")


@technique("generalization.grid")
@dataclass(frozen=True)
class Grid(Technique):
    """
    Replace each latitude or longitude by the centre or the lower edge of a cell of a grid of ``step`` degrees.

    Column: numbers, degrees; null stays null. Output: decimals. The rule of each of the two columns names its ``axis``.
    Unit: ``step`` in degrees, in (0, 10]; the cells begin at 0. One degree of latitude is 111 km, one of longitude
    111 km times the cosine of the latitude: 0.01 is 1.1 km by 0.85 km at 40° north, 0.1 is 11 km by 8.5 km.
    ``to``: ``centre`` moves a point by at most half a step, ``lower`` says where its cell begins.
    ``on_invalid``: what becomes of a value that is no number or outside [-90, 90] or [-180, 180]: the run stops
    (reject) or it becomes null and is counted (suppress).
    Loss: the place inside the cell. A cell far from towns can hold one house: k-anonymity counts both columns.
    Source: ISO/IEC 20889:2018, generalization: rounding.

    Raises:
        InvalidParameter: ``step`` is outside its interval.
        UnsupportedColumn: the column is not numeric.
        InvalidValue: ``on_invalid`` is reject and there are such values.

    """

    step: float
    axis: Literal["latitude", "longitude"]
    to: Literal["centre", "lower"] = "centre"
    on_invalid: OnInvalid = "reject"

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"step": 0.1, "axis": "latitude"}, (28.2282, -28.2282, None), (28.25, -28.25, None), "centres"),
        Example({"step": 0.5, "axis": "longitude", "to": "lower"}, (112.9388, -0.2), (112.5, -0.5), "lower edges"),
        Example({"step": 1, "axis": "latitude"}, (90.0, 0.0), (89.5, 0.5), "the pole is in the last cell"),
        Example({"step": 1, "axis": "latitude", "on_invalid": "suppress"}, (112.9, 28.5), (None, 28.5), "no latitude"),
    )

    def __post_init__(self) -> None:
        if not 0 < self.step <= _LARGEST_STEP:
            raise InvalidParameter(f"step must be in (0, {_LARGEST_STEP}] degrees", parameter="step")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """float64."""
        if not is_number(given):
            raise UnsupportedColumn(f"{self.name} works on numbers, not on {given}")
        return pa.float64()

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del context
        limit = _LIMIT[self.axis]
        values, absent = numbers(column, pa.float64(), 0.0)
        absent = absent | ~(np.abs(values) <= limit)
        places = np.minimum(cells(np.where(absent, 0.0, values), 0.0, self.step), np.ceil(limit / self.step) - 1)
        decimals = digits(self.step)
        edges = np.round(places * self.step, decimals)
        moved = np.round(edges + self.step / 2, decimals + 1) if self.to == "centre" else edges
        masked = pa.array(np.clip(moved, -limit, limit) + 0.0, mask=absent)
        return replaced(column, masked, self.on_invalid, f"not a {self.axis} in [-{limit:g}, {limit:g}]")

    def _nulls_kept(self, given: pa.Array, masked: pa.Array) -> bool:
        return masked.null_count >= given.null_count


@functools.cache
def _full_names() -> tuple[pl.Series, pl.Series]:
    return columns_of(full_names())


@functools.cache
def _names_above(level: str) -> tuple[pl.Series, pl.Series]:
    """Each code and the full name of the division of that level which it lies in."""
    above = {code: _division_of(code, level) for code in full_names()}
    return columns_of({code: full_names()[up] for code, up in above.items() if up is not None})


def _division_of(code: str, level: str) -> str | None:
    """The code of that level which ``code`` lies in; None if it is coarser and not the only one of its kind."""
    up = code[: DIGITS[level]].ljust(6, "0")
    if level == "province" or not code.endswith("00"):
        return up
    if level == "city":
        return up if not code.endswith("0000") or code in _MUNICIPALITIES else None
    return up if code in _WITHOUT_COUNTIES else None


_MUNICIPALITIES = frozenset({"110000", "120000", "310000", "500000"})
_WITHOUT_COUNTIES = frozenset({"441900", "442000", "460400", "620200"})


def _text_or_whole(name: str, given: pa.DataType) -> pa.DataType:
    if not (is_text(given) or pa.types.is_integer(given) or pa.types.is_null(given)):
        raise UnsupportedColumn(f"{name} works on text or whole numbers, not on {given}")
    return pa.string()


def _polars(column: pa.Array) -> pl.Series:
    return pl.Series(column.cast(pa.large_string()), dtype=pl.String)


def _arrow(series: pl.Series) -> pa.Array:
    return series.to_arrow().cast(pa.string())
