"""Groupings that code makes of a raw column: bands of its numbers, its years or months, its registered categories.

A label such as 60-69, (60, 70], 60岁以上 or 2024-05 says itself which values it takes; others are known from the data
officer's registration (fixed tables, hierarchies). So groups that no raw column holds can still be looked at in the raw
table. Whether a grouping is the output's own is shown by its counts (`claims.states_all`); where none fits, nothing is
claimed and a checker is told (`raw.match_raw`).

Pure: labels and columns in, places out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.airlock.checks.spelling import Ints

_NUMBER: Final = r"(-?\d+(?:\.\d+)?)"
_UNIT: Final = r"\s*(?:[^\W\d_]{1,6}?)?\s*"
_SINGLE: Final = re.compile(r"-?\d+")
"""A number that is its own band, beside others: 28, 29, 30+."""
_INTERVAL: Final = re.compile(rf"([(\[])\s*{_NUMBER}\s*[,;]\s*{_NUMBER}\s*([)\]])")
_FROM_TO: Final = re.compile(rf"{_NUMBER}{_UNIT}(?:-|–|—|~|～|to|至|到){_UNIT}{_NUMBER}{_UNIT}")
_BELOW_TO: Final = re.compile(rf"{_NUMBER}(?:\.\.| to below | 至 ){_NUMBER}(?: 以下)?")
_AND_ABOVE: Final = re.compile(
    rf"(?:>=|≥){_UNIT}{_NUMBER}{_UNIT}|{_NUMBER}{_UNIT}(?:\+|及以上|以上|and above|or more|or over)"
)
_ABOVE: Final = re.compile(rf"(?:>|over |above |超过|大于){_UNIT}{_NUMBER}{_UNIT}")
_AND_BELOW: Final = re.compile(rf"(?:<=|≤){_UNIT}{_NUMBER}{_UNIT}|{_NUMBER}{_UNIT}及以下")
_BELOW: Final = re.compile(
    rf"(?:<|under |below |less than |不足|小于|未满){_UNIT}{_NUMBER}{_UNIT}|{_NUMBER}{_UNIT}以下"
)
_PERIODS: Final = {
    "year": re.compile(r"(?:19|20)\d\d年?"),
    "month": re.compile(r"((?:19|20)\d\d)[-/.年]?(0[1-9]|1[0-2])月?"),
    "quarter": re.compile(r"((?:19|20)\d\d)[-年 ]?[Qq第]?([1-4])(?:季度)?"),
}


class Grouping(Protocol):
    """How a raw column's values find their label."""

    @property
    def column(self) -> str:
        """The raw column."""

    def places(self, column: pa.Array, keys: Sequence[str]) -> Ints:
        """For each value the place of its label among ``keys``; -1: none takes it."""


@dataclass(frozen=True, slots=True)
class Band:
    """What one label takes: numbers between two bounds, each in or out."""

    low: float
    high: float
    low_in: bool = True
    high_in: bool = False


@dataclass(frozen=True, slots=True)
class Bands:
    """Bands of a raw column's numbers, by label."""

    column: str
    bands: Mapping[str, Band]

    def places(self, column: pa.Array, keys: Sequence[str]) -> Ints:
        """Bands do not overlap, so the last that begins before a value is the only one that may take it."""
        known = sorted(
            (place for place, key in enumerate(keys) if key in self.bands), key=lambda at: self._order(keys[at])
        )
        values = _floats(column)
        if not known:
            return np.full(len(values), -1, dtype=np.int64)
        bands = [self.bands[keys[place]] for place in known]
        low, high = (np.array([getattr(band, end) for band in bands]) for end in ("low", "high"))
        low_in, high_in = (np.array([getattr(band, end) for band in bands]) for end in ("low_in", "high_in"))
        place = np.searchsorted(low, values, side="right") - 1
        place = place - ((place >= 0) & (values == low[place]) & ~low_in[place])
        inside = (place >= 0) & ((values < high[place]) | ((values == high[place]) & high_in[place]))
        return np.where(inside, np.array(known)[place], -1)

    def labels(self) -> frozenset[str]:
        """All that it knows."""
        return frozenset(self.bands)

    def _order(self, key: str) -> tuple[float, float]:
        return self.bands[key].low, self.bands[key].high


@dataclass(frozen=True, slots=True)
class Periods:
    """Years, quarters or months of a raw column of dates."""

    column: str
    labels: Mapping[str, int]
    """The label's year, times four plus its quarter, or times twelve plus its month."""
    unit: str

    def places(self, column: pa.Array, keys: Sequence[str]) -> Ints:
        """By the number of the value's own period."""
        years = pc.year(column)
        numbers = years
        if self.unit == "quarter":
            numbers = pc.add(pc.multiply(years, 4), pc.quarter(column))
        if self.unit == "month":
            numbers = pc.add(pc.multiply(years, 12), pc.month(column))
        wanted = pa.array([self.labels.get(key, -1) for key in keys], pa.int64())
        found = pc.index_in(pc.cast(numbers, pa.int64()), value_set=wanted, skip_nulls=True)
        return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Categories:
    """Registered categories: which code a value belongs to, and what each code is called."""

    column: str
    names: Mapping[str, str]
    """Label (the code itself, or its title in a language) to code."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Value to code; a value that is not here is its own code."""
    characters: tuple[int, int] | None = None

    def places(self, column: pa.Array, keys: Sequence[str]) -> Ints:
        """By the value as text, each different one once."""
        place = {self.names[key]: at for at, key in enumerate(keys) if key in self.names}
        text = pc.cast(column.dictionary_decode() if pa.types.is_dictionary(column.type) else column, pa.string())
        if self.characters is not None:
            text = pc.utf8_slice_codeunits(text, self.characters[0] - 1, self.characters[1])
        encoded = text.dictionary_encode()
        known = [place.get(self.groups.get(value, value), -1) for value in encoded.dictionary.to_pylist()]
        indices = pc.fill_null(encoded.indices, len(known)).to_numpy(zero_copy_only=False)
        return np.array([*known, -1], dtype=np.int64)[indices]

    def labels(self) -> frozenset[str]:
        """All that it knows."""
        return frozenset(self.names)


Registered = Bands | Categories


def groupings(
    labels: Sequence[str], types: Mapping[str, pa.DataType], registered: Sequence[Registered], *, name: str
) -> list[Grouping]:
    """How a raw table's columns may make these labels; those that the labels' column is called after come first."""
    wanted = frozenset(labels)
    if not wanted:
        return []
    found: list[Grouping] = [each for each in registered if each.column in types and wanted <= each.labels()]
    dates = [column for column, type_ in types.items() if pa.types.is_date(type_) or pa.types.is_timestamp(type_)]
    for unit in _PERIODS:
        numbered = _periods(labels, unit)
        found += [Periods(column, numbered, unit) for column in dates] if numbered else []
    bands = bands_of(labels)
    if bands:
        numbers = [column for column, type_ in types.items() if is_number(type_)]
        found += [Bands(column, made) for column in numbers for made in variants(bands)]
    return sorted(found, key=lambda each: not _called_after(name, each.column))


def bands_of(labels: Sequence[str]) -> dict[str, Band]:
    """The band that each label spells; empty where one spells none, or two overlap."""
    singles = {label for label in labels if _SINGLE.fullmatch(label)}
    bands: dict[str, Band] = {}
    for label in (label for label in labels if label not in singles):
        if (band := _band(label)) is None:
            return {}
        bands[label] = band
    if not bands:
        return {}
    bands |= {label: Band(float(label), float(label), high_in=True) for label in sorted(singles)}
    ordered = sorted(bands.values(), key=lambda band: (band.low, band.high))
    return bands if all(one.high <= two.low for one, two in pairwise(ordered)) else {}


def variants(bands: Mapping[str, Band]) -> Iterator[dict[str, Band]]:
    """The bands as meant: 18-39 before 40-59 ends below 40; of 10-20 and 20-30 either may have the 20."""
    by_place = sorted(bands.items(), key=lambda item: (item[1].low, item[1].high))
    made: dict[str, Band] = {}
    for (label, band), behind in zip(by_place, [*by_place[1:], None], strict=True):
        gap = behind[1].low - band.high if behind is not None else 1.0
        closed = band.high_in and math.isfinite(band.high) and band.low_in
        made[label] = replace(band, high=band.high + gap, high_in=False) if closed and 0 < gap <= 1 else band
    touching = {
        label
        for (label, band), (_, after) in pairwise(by_place)
        if band.high == after.low and band.high_in and after.low_in
    }
    if not touching:
        yield made
        return
    yield {label: replace(band, high_in=False) if label in touching else band for label, band in made.items()}
    first = by_place[0][0]
    yield {label: replace(band, low_in=label == first) for label, band in made.items()}


def is_number(type_: pa.DataType) -> bool:
    """Whether a raw column holds numbers."""
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def _band(label: str) -> Band | None:
    text = label.strip()
    if match := _INTERVAL.fullmatch(text):
        band = Band(float(match[2]), float(match[3]), match[1] == "[", match[4] == "]")
    elif match := _BELOW_TO.fullmatch(text):
        band = Band(float(match[1]), float(match[2]))
    elif match := _FROM_TO.fullmatch(text):
        band = Band(float(match[1]), float(match[2]), high_in=True)
    elif match := _AND_ABOVE.fullmatch(text):
        band = Band(_one(match), math.inf)
    elif match := _ABOVE.fullmatch(text):
        band = Band(_one(match), math.inf, low_in=False)
    elif match := _AND_BELOW.fullmatch(text):
        band = Band(-math.inf, _one(match), high_in=True)
    elif match := _BELOW.fullmatch(text):
        band = Band(-math.inf, _one(match))
    else:
        return None
    return band if band.low < band.high or (band.low == band.high and band.high_in) else None


def _one(match: re.Match[str]) -> float:
    return float(next(group for group in match.groups() if group is not None))


def _periods(labels: Sequence[str], unit: str) -> dict[str, int]:
    found = {label: _PERIODS[unit].fullmatch(label) for label in labels}
    if not found or not all(found.values()):
        return {}
    if unit == "year":
        return {label: int(label[:4]) for label in labels}
    times = 4 if unit == "quarter" else 12
    return {label: int(match[1]) * times + int(match[2]) for label, match in found.items() if match is not None}


def _called_after(name: str, column: str) -> bool:
    return column.casefold() in name.casefold()


def _floats(column: pa.Array) -> npt.NDArray[np.float64]:
    """Null is NaN, which no band takes."""
    return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
