"""
Generalization family: rounding, bands, top and bottom coding, dates, hierarchies.

Source: ISO/IEC 20889:2018, generalization. All work on columns: Arrow compute for dates, numpy for numbers, and one
look-up per distinct value for hierarchies.
"""

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.techniques.base import Context, Example, Technique, technique

_BAND = re.compile(r"year_band:([1-9][0-9]{0,3})")
_MAX_HIERARCHY_BYTES = 64 << 20


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
        if _is_number(given):
            return pa.float64()
        raise UnsupportedColumn(f"{self.name} works on numbers, not on {given}")

    def _apply(self, column: pa.Array) -> pa.Array:
        if pa.types.is_integer(column.type):
            values, absent = _numbers(column, pa.int64(), 0)
            base = int(self.base)
            if base >= 2**62:
                raise InvalidParameter("base is too large", parameter="base")
            quotient, rest = np.divmod(values, base)
            up = (2 * rest > base) | ((2 * rest == base) & (quotient % 2 == 1))
            return pa.array((quotient + up) * base, mask=absent)
        values, absent = _numbers(column, pa.float64(), 0.0)
        return pa.array(np.round(np.round(values / self.base) * self.base, _digits(self.base)) + 0.0, mask=absent)


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
        _check_bounds(self.lower, self.upper)
        if self.lower is None and self.upper is None:
            raise InvalidParameter("give lower, upper or both", parameter="lower")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """int64 for whole numbers, float64 for others."""
        if pa.types.is_integer(given):
            for name, bound in (("lower", self.lower), ("upper", self.upper)):
                if bound is not None and bound != int(bound):
                    raise InvalidParameter(f"{name} must be whole for a column of whole numbers", parameter=name)
            return pa.int64()
        if _is_number(given):
            return pa.float64()
        raise UnsupportedColumn(f"{self.name} works on numbers, not on {given}")

    def _apply(self, column: pa.Array) -> pa.Array:
        whole = pa.types.is_integer(column.type)
        values, absent = _numbers(column, pa.int64() if whole else pa.float64(), 0)
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
        _check_bounds(self.lower, self.upper)

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text: the band's label."""
        if not _is_number(given):
            raise UnsupportedColumn(f"{self.name} works on numbers, not on {given}")
        return pa.string()

    def _apply(self, column: pa.Array) -> pa.Array:
        values, absent = _numbers(column, pa.float64(), 0.0)
        absent = absent | np.isnan(values)
        if np.isnan(values).any():
            raise InvalidValue("not a number", count=int(np.isnan(values).sum()))
        if self.edges is not None:
            places = np.searchsorted(np.asarray(self.edges, dtype=np.float64), values, side="right")
            return _labelled(places.astype(np.float64), absent, self._label_of_edges)
        assert self.width is not None
        start = self.lower if self.lower is not None else 0.0
        bands = np.floor((values - start) / self.width)
        # A quotient near a border may lie on the wrong side of it; borders themselves are exact decimals.
        digits = max(_digits(self.width), _digits(start))
        bands = np.where(np.round(start + (bands + 1) * self.width, digits) <= values, bands + 1, bands)
        bands = np.where(np.round(start + bands * self.width, digits) > values, bands - 1, bands)
        if self.lower is not None:
            bands = np.where(values < self.lower, -np.inf, bands)
        if self.upper is not None:
            bands = np.where(values >= self.upper, np.inf, bands)
        return _labelled(bands, absent, self._label_of_band)

    def _label_of_edges(self, place: float) -> str:
        assert self.edges is not None
        if place == 0:
            return f"<{_spelled(self.edges[0])}"
        if place == len(self.edges):
            return f">={_spelled(self.edges[-1])}"
        return f"[{_spelled(self.edges[int(place) - 1])},{_spelled(self.edges[int(place)])})"

    def _label_of_band(self, band: float) -> str:
        if math.isinf(band):
            return f"<{_spelled(self.lower)}" if band < 0 else f">={_spelled(self.upper)}"
        start = Decimal(str(self.lower)) if self.lower is not None else Decimal(0)
        width = Decimal(str(self.width))
        low = start + int(band) * width
        high = low + width
        if self.upper is not None:
            high = min(high, Decimal(str(self.upper)))
        return f"[{_spelled(low)},{_spelled(high)})"


@technique("generalization.date")
@dataclass(frozen=True)
class Date(Technique):
    """
    Replace each date by its year, quarter, month or band of years.

    Column: date, timestamp, or text in ISO 8601 (2020-01-31, also with / and a time behind it); null stays null.
    ``to``: ``year`` gives the number 2020, ``quarter`` "2020-Q1", ``month`` "2020-01", ``year_band:5`` "[2020,2025)".
    Loss: the place inside the period.
    Source: ISO/IEC 20889:2018, generalization.

    Raises:
        InvalidParameter: ``to`` is none of these.
        UnsupportedColumn: the column holds no dates.
        InvalidValue: text that is not a date.

    """

    to: str

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"to": "year"}, ("2020-05-31", None), (2020, None), "years are numbers"),
        Example({"to": "quarter"}, ("2020-05-31", "2020/01/01"), ("2020-Q2", "2020-Q1"), "slashes are read too"),
        Example({"to": "month"}, ("2020-05-31 10:00:00",), ("2020-05",), "time of day is dropped"),
        Example({"to": "year_band:5"}, ("2024-12-31", "2025-01-01"), ("[2020,2025)", "[2025,2030)"), "bands of years"),
    )

    def __post_init__(self) -> None:
        if self.to not in ("year", "quarter", "month") and not _BAND.fullmatch(self.to):
            raise InvalidParameter("to must be year, quarter, month or year_band:N", parameter="to")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """int64 for years, text for other periods."""
        if not (_is_date(given) or _is_text(given) or pa.types.is_null(given)):
            raise UnsupportedColumn(f"{self.name} works on dates, not on {given}")
        return pa.int64() if self.to == "year" else pa.string()

    def _apply(self, column: pa.Array) -> pa.Array:
        dates = _dates(column)
        year = pc.year(dates)
        if self.to == "year":
            return year.cast(pa.int64())
        if self.to == "month":
            return pc.strftime(dates.cast(pa.timestamp("s")), format="%Y-%m")
        if self.to == "quarter":
            parts = (year.cast(pa.string()), pc.quarter(dates).cast(pa.string()))
            return pc.binary_join_element_wise(*parts, "-Q")
        found = _BAND.fullmatch(self.to)
        assert found is not None
        years = int(found[1])
        values, absent = _numbers(year, pa.int64(), 0)
        return _labelled(values // years * years, absent, lambda low: f"[{int(low)},{int(low) + years})")


@technique("generalization.hierarchy")
@dataclass(frozen=True)
class Hierarchy(Technique):
    """
    Replace each value by its ancestor ``level`` steps up a hierarchy.

    Column: text or whole numbers; null stays null. Output: text.
    ``mapping`` gives for each value its ancestors, nearest first (a single one may stand without a list); ``file`` is a
    CSV in the policy's folder, leaf first, coarsest last, without a header, delimited by ``;`` or ``,``. Exactly one of
    them.
    ``level``: 1 is the nearest ancestor. ``on_missing``: what becomes of a value that the hierarchy does not name: the
    run stops (reject) or it becomes ``*`` (suppress); it never passes in clear.
    Loss: what the level merges.
    Source: ISO/IEC 20889:2018, generalization; PRIVACY: a level counts only if it merges populated leaves.

    Raises:
        InvalidParameter: no hierarchy, a level that it does not have, a value with two different ancestors.
        UnsupportedColumn: the column is neither text nor whole numbers.
        InvalidValue: ``on_missing`` is reject and values are missing.

    """

    level: int = 1
    mapping: Mapping[str, Any] | None = None
    file: str | None = None
    on_missing: Literal["reject", "suppress"] = "reject"
    table: Mapping[str, str] = field(default_factory=dict, repr=False, metadata={"internal": True})

    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {"mapping": {"长沙市": ["湖南省", "华中"], "武汉市": ["湖北省", "华中"]}, "level": 2},
            ("长沙市", "武汉市", None),
            ("华中", "华中", None),
            "two steps up",
        ),
        Example({"mapping": {"A": "大写"}, "on_missing": "suppress"}, ("A", "z"), ("大写", "*"), "missing ones hidden"),
    )

    def __post_init__(self) -> None:
        if self.level < 1:
            raise InvalidParameter("level must be 1 or more", parameter="level")
        if (self.mapping is None) == (self.file is None):
            raise InvalidParameter("give either mapping or file", parameter="mapping")
        if self.mapping is not None:
            object.__setattr__(self, "table", _ancestors(self.mapping, self.level))

    @classmethod
    def _made(cls, values: dict[str, Any], files: Path | None) -> "Hierarchy":
        if values.get("file") is None:
            return cls(**values)
        made = cls(**values)
        object.__setattr__(made, "table", _ancestors(_read_hierarchy(values["file"], files), made.level))
        return made

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text."""
        if not (_is_text(given) or pa.types.is_integer(given) or pa.types.is_null(given)):
            raise UnsupportedColumn(f"{self.name} works on text or whole numbers, not on {given}")
        return pa.string()

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del context
        encoded = column.cast(pa.string()).dictionary_encode()
        up = pa.array([self.table.get(leaf) for leaf in encoded.dictionary.to_pylist()], pa.string())
        masked = up.take(encoded.indices)
        missing = pc.and_(pc.is_null(masked), pc.is_valid(column))
        count = pc.sum(missing).as_py() or 0
        if count and self.on_missing == "reject":
            rows = np.flatnonzero(missing.to_numpy(zero_copy_only=False))
            raise InvalidValue("the hierarchy does not name them", count=len(rows), first_rows=rows[:5].tolist())
        return pc.if_else(missing, pa.scalar("*"), masked) if count else masked, count


def _is_number(kind: pa.DataType) -> bool:
    return (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_date(kind: pa.DataType) -> bool:
    return pa.types.is_date(kind) or pa.types.is_timestamp(kind)


def _check_bounds(lower: float | None, upper: float | None) -> None:
    if lower is not None and upper is not None and lower >= upper:
        raise InvalidParameter("lower must be below upper", parameter="lower")


def _numbers(column: pa.Array, kind: pa.DataType, absent: float) -> tuple[Any, Any]:
    """Return the column as a numpy array with ``absent`` for nulls, and where it is null."""
    plain = pc.fill_null(column.cast(kind), pa.scalar(absent, kind)).to_numpy(zero_copy_only=False)
    return plain, pc.is_null(column).to_numpy(zero_copy_only=False)


def _labelled(numbers: Any, absent: Any, label: Any) -> pa.Array:
    """Label each distinct number once."""
    distinct, places = np.unique(numbers, return_inverse=True)
    labels = pa.array([label(number) for number in distinct.tolist()], pa.string())
    return labels.take(pa.array(places.astype(np.int64), mask=absent))


def _digits(number: float) -> int:
    """Decimals of a number as it is written: 1 of 0.1, 0 of 5."""
    return max(0, -int(Decimal(str(number)).normalize().as_tuple().exponent))


def _spelled(number: float | Decimal | None) -> str:
    """``65``, ``0.5``: no trailing zeros, no exponent."""
    text = format(Decimal(str(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _dates(column: pa.Array) -> pa.Array:
    """Dates of a date, timestamp or text column; raises ``InvalidValue`` for text that is no date."""
    if pa.types.is_null(column.type):
        return column.cast(pa.date32())
    if pa.types.is_date(column.type):
        return column.cast(pa.date32())
    if pa.types.is_timestamp(column.type):
        return (
            pc.local_timestamp(column).cast(pa.date32(), safe=False)
            if column.type.tz
            else column.cast(pa.date32(), safe=False)
        )
    from masking.table.inference import text_to_dates

    dates = text_to_dates(column, with_time=True)
    wrong = pc.and_(pc.is_null(dates), pc.is_valid(column))
    if pc.any(wrong).as_py():
        rows = np.flatnonzero(wrong.to_numpy(zero_copy_only=False))
        raise InvalidValue("not a date (2020-01-31)", count=len(rows), first_rows=rows[:5].tolist())
    return dates


def _ancestors(hierarchy: Mapping[str, Any], level: int) -> dict[str, str]:
    table = {}
    for leaf, given in hierarchy.items():
        line = [given] if isinstance(given, str | int | float) else given
        if not isinstance(line, list | tuple) or not line or not all(isinstance(up, str | int | float) for up in line):
            raise InvalidParameter("each value of a hierarchy needs its ancestors, nearest first", parameter="mapping")
        if len(line) < level:
            raise InvalidParameter(f"the hierarchy has values with fewer than {level} levels", parameter="level")
        table[str(leaf)] = str(line[level - 1])
    if not table:
        raise InvalidParameter("the hierarchy is empty", parameter="mapping")
    return table


def _read_hierarchy(name: str, folder: Path | None) -> dict[str, list[str]]:
    """Read a hierarchy below ``folder`` and nowhere else: a policy must not be able to publish a server's files."""
    if folder is None:
        raise InvalidParameter("hierarchy files can be read only next to a policy file", parameter="file")
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        raise InvalidParameter(f"there is no hierarchy file {name!r} in the policy's folder", parameter="file")
    if path.stat().st_size > _MAX_HIERARCHY_BYTES:
        raise InvalidParameter(f"the hierarchy file {name!r} is larger than 64 MiB", parameter="file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            rows = [row for row in csv.reader(stream, delimiter=";" if ";" in first else ",") if row]
    except (UnicodeDecodeError, csv.Error):
        raise InvalidParameter(f"the hierarchy file {name!r} is not a UTF-8 CSV", parameter="file") from None
    hierarchy: dict[str, list[str]] = {}
    for row in rows:
        if hierarchy.setdefault(row[0], row[1:]) != row[1:]:
            raise InvalidParameter(f"the hierarchy file {name!r} names a value twice, differently", parameter="file")
    return hierarchy
