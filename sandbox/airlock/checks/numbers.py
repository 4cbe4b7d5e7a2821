"""Numbers of an output that are a raw column in disguise: copied, permuted, shifted, scaled, or through a function.

For every inverse of a usual disguise the column is turned back and looked up among the raw column's distinct values.
That all are there counts only where chance would not do it: the probability that as many numbers of the same form
would all hit is estimated from how densely the raw column lies around them, and must be below ``CHANCE``. So means
that happen to equal someone's value raise no alarm, and neither do columns that hold every number anyway.

Shifts by an unknown amount: some raw value plus every difference of the output's must be raw values again. Scales by
an unknown amount: the differences are multiples of a step, the raw column's last decimal.
Units: the column's own. Nulls are left out. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeGuard

import numpy as np
import numpy.typing as npt

from sandbox.airlock.checks.spelling import digits_of, spelled
from sandbox.airlock.roles import ColumnRole
from sandbox.airlock.typed import TableKind, TypedTable
from sandbox.contracts import Cell

Floats = npt.NDArray[np.float64]
CHANCE: Final = 1e-9
"""Largest probability that a match is an accident, for one column, raw column and disguise."""
CHANCE_COPIED: Final = 1e-6
"""The same for numbers as they stand: one question instead of some hundred."""
CHANCE_RECORD: Final = 1e-5
MIN_NUMBERS: Final = 3
MIN_DIGITS: Final = 3
_EXACT_DIGITS: Final = 8
_NEAR: Final = 1e-9
_CLEAR: Final = 0.03
_MOST_STEPS: Final = 50_000
_EXACT: Final = 1e-11
_FEWEST: Final = 2
_PROBES: Final = 8
_NEIGHBOURS: Final = 200
_SAMPLE: Final = 200
_PAIRS: Final = 8
"""Columns of which two may hold one number in two parts."""
_SCALES: Final = tuple(
    sign * scale
    for sign in (1.0, -1.0)
    for scale in (1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 12.0, 50.0, 100.0, 1000.0, 10_000.0, 0.5, 0.1, 0.01, 0.001, 1e-4)
)
_SHIFTED_SCALES: Final = (1.0, -1.0, 5.0, 10.0, 100.0, 0.01)
_DECIMALS: Final = 4
_PLACES: Final = 1 << 22
_FUNCTIONS: Final[tuple[Callable[[Floats], Floats], ...]] = (
    np.exp,
    np.expm1,
    np.exp2,
    lambda values: np.power(10.0, values),
    np.square,
    np.sqrt,
    np.cbrt,
    np.reciprocal,
)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers of one output column (or of two, put together) and where they stand."""

    column: str
    values: Floats
    plain: bool = False
    """Whether these are the column's own numbers; only those are asked about unknown shifts, which takes longest."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """A raw column as whole numbers of its last decimal, how many decimals, and which last bits (`_PLACES`) it has."""

    numbers: npt.NDArray[np.int64]
    decimals: int
    places: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RawNumbers:
    """A raw column: its distinct numbers, sorted, and the figures of all its records that normal scores are made of."""

    values: Floats
    mean: float = 0.0
    deviations: tuple[float, ...] = ()
    lattice: Lattice | None = None
    """None for finer columns."""

    @classmethod
    def of(cls, every: Floats) -> RawNumbers:
        """From the numbers of all records."""
        finite = every[np.isfinite(every)]
        if not len(finite):
            return cls(finite)
        spread = (float(finite.std()), float(finite.std(ddof=1)) if len(finite) > 1 else 0.0)
        distinct = np.unique(finite)
        return cls(distinct, float(finite.mean()), spread, _lattice(distinct))


def candidates(table: TypedTable) -> Iterator[Numbers]:
    """Columns that hold at least `MIN_NUMBERS` distinct numbers of `MIN_DIGITS` digits, as written and as hidden."""
    indexes = table.indexes(ColumnRole.MEASURE, ColumnRole.COUNT, ColumnRole.SHARE, ColumnRole.EXTREME)
    for index in indexes:
        name, cells = table.columns[index].name, table.column(index)
        different = [c for c in {(type(c), c): c for c in cells if _number(c)}.values() if _number(c)]
        for place, values in enumerate((_distinct(different), _reversed(different), *_tails(different, len(cells)))):
            if len(values) >= MIN_NUMBERS:
                yield Numbers(name, values, plain=place == 0)
    whole = [(index, column) for index in indexes[:_PAIRS] if (column := _whole(table.column(index))) is not None]
    for first, high in whole:
        for second, low in whole:
            if first != second and np.nanmin(low) >= 0:
                for joined in _joined(high, low):
                    yield Numbers(table.columns[first].name, joined)


def of_persons(table: TypedTable) -> Iterator[Numbers]:
    """Sums of a model's first coefficient and each other: an intercept and a dummy give the dummy's own records."""
    for index in table.indexes(ColumnRole.MEASURE) if table.kind is TableKind.MODEL else ():
        cells = [float(c) for c in table.column(index) if _number(c)]
        if len(cells) > 1 and min(digits_of(repr(c)) for c in cells[:2]) >= _EXACT_DIGITS:
            for cell in cells[1:]:
                total = cells[0] + cell
                yield Numbers(table.columns[index].name, np.array([total]))


def copied(numbers: Numbers, raw: RawNumbers) -> bool:
    """Whether the numbers are numbers of ``raw`` and no accident."""
    return _hit(numbers.values, raw.values, chance=CHANCE_COPIED)


def is_record(numbers: Numbers, raw: RawNumbers) -> bool:
    """Whether a sum of two floats is one record's number, to the last digits that a solver gets right."""
    return _hit_by(lambda values: values, numbers.values, raw.values, near=_EXACT, chance=CHANCE_RECORD, exact=True)


def disguised(numbers: Numbers, raw: RawNumbers) -> bool:
    """Whether some usual disguise of raw numbers gives these."""
    values, column = numbers.values, raw.values
    if len(column) < _FEWEST:
        return False
    # Few numbers are asked first, under all scales at once; hardly ever does one of these need the whole answer.
    probes = values[:: max(1, len(values) // _PROBES)] / np.array(_SCALES)[:, None]
    if any(
        _hit(values / scale, column) for scale, near in zip(_SCALES, _near(probes, column), strict=True) if near.all()
    ):
        return True
    with np.errstate(all="ignore"):
        if any(_hit_by(function, values, column) for function in (*_FUNCTIONS, *_scores(raw))):
            return True
    lattice = raw.lattice if numbers.plain else None
    if lattice is None:
        return False
    step = _step(values)
    if step is not None:
        return any(_shifted(values / each, lattice, 0) for each in (step, -step)) or _shifted(
            values, lattice, lattice.decimals
        )
    return any(_shifted(values / scale, lattice, lattice.decimals) for scale in _SHIFTED_SCALES)


def _scores(raw: RawNumbers) -> Iterator[Callable[[Floats], Floats]]:
    """Inverses of normal scores, distances from the mean, shares of mean, range and greatest value."""
    if not len(raw.values):
        return
    low, high = float(raw.values[0]), float(raw.values[-1])
    yield lambda values: values + raw.mean
    yield lambda values: values * raw.mean
    yield lambda values: values * high
    yield lambda values: low + values * (high - low)
    for deviation in raw.deviations:
        yield lambda values, by=deviation: raw.mean + values * by  # type: ignore[misc]


def _distinct(cells: Sequence[int | float]) -> Floats:
    wanted = {float(c) for c in cells if digits_of(spelled(c) or "") >= MIN_DIGITS}
    return np.array(sorted(wanted))


def _reversed(cells: Sequence[int | float]) -> Floats:
    """Whole numbers read from their last digit, all of the same width: a last zero of the original became a first."""
    whole = [int(c) for c in cells if 100 <= c < 1e15 and float(c).is_integer()]
    width = len(str(max(whole, default=0)))
    return np.array(sorted({float(str(number).zfill(width)[::-1]) for number in whole}))


def _tails(cells: Sequence[int | float], rows: int) -> Iterator[Floats]:
    """What follows the digits that all cells begin with: a number written behind an innocent one.

    Sums of floats end in noise, so the cells are also read with fewer digits. ``rows``: of the column, nulls included.
    """
    numbers = [c for c in cells if isinstance(c, float) and digits_of(repr(c)) >= _EXACT_DIGITS]
    if len(numbers) < MIN_NUMBERS or len(numbers) * 2 < min(rows, len(cells)):
        return
    for digits in (17, 15, 14, 13, 12):
        texts = [
            f"{c:.{digits - 1}e}".partition("e")[0].replace(".", "") if digits < 17 else _plain(c) for c in numbers
        ]
        width = max(len(text.rstrip("0")) for text in texts)
        texts = [text.ljust(width, "0")[:width] for text in texts]
        first, last = min(texts), max(texts)
        start = next((i for i, (a, b) in enumerate(zip(first, last, strict=True)) if a != b), width)
        tails = {float(text[start:]) for text in texts if text[start:]}
        if len(tails) >= MIN_NUMBERS and width - start >= MIN_DIGITS:
            yield np.array(sorted(tails))


def _plain(number: float) -> str:
    return f"{Decimal(repr(number)):f}".replace(".", "").lstrip("-0")


def _whole(cells: Sequence[Cell]) -> Floats | None:
    """The column, if all its numbers are whole; nulls are not a number."""
    values = np.array([c if _number(c) else math.nan for c in cells], dtype=np.float64)
    there = values[~np.isnan(values)]
    return values if len(there) and (there == np.floor(there)).all() else None


def _joined(high: Floats, low: Floats) -> Iterator[Floats]:
    """The numbers of two columns written one behind the other."""
    both = ~(np.isnan(high) | np.isnan(low))
    if both.sum() < MIN_NUMBERS:
        return
    most = low[both].max()
    for width in range(1, 9):
        if most < 10**width:
            joined = np.unique(high[both] * 10**width + low[both])
            if len(joined) >= MIN_NUMBERS:
                yield joined
            return


def _hit(values: Floats, raw: Floats, *, chance: float = CHANCE) -> bool:
    """All in ``raw``, and too many for chance. The probability is that of numbers with as many decimals."""
    if not _all_in(values, raw):
        return False
    logarithm = 0.0
    for value in values[:: max(1, len(values) // _SAMPLE)]:
        own = _unit(value)
        near = _around(value, raw)
        on_lattice = near[np.abs(near / own - np.round(near / own)) < 1e-6]
        span = float(near[-1] - near[0])
        logarithm += math.log(min(1.0, max(len(on_lattice), 1) * own / span)) if span > 0 else 0.0
    return logarithm < math.log(chance)


def _hit_by(
    function: Callable[[Floats], Floats],
    values: Floats,
    raw: Floats,
    *,
    near: float = _NEAR,
    chance: float = CHANCE,
    exact: bool = False,
) -> bool:
    """The same for real numbers, where the chance is the share of the line that lies near raw numbers."""
    turned = function(values)
    if not np.isfinite(turned).all() or not _all_in(turned, raw, near=near):
        return False
    # Numbers of few digits turn into few different numbers, which any dense column has.
    digits = max(digits_of(spelled(float(value)) or "") for value in values[:_SAMPLE])
    exact = exact or digits >= _EXACT_DIGITS
    logarithm = 0.0
    for value in turned[:: max(1, len(turned) // _SAMPLE)]:
        around = _around(value, raw)
        span = float(around[-1] - around[0])
        width = abs(float(value)) * max(2 * near, 0.0 if exact else 10.0 ** (1 - digits))
        logarithm += math.log(min(1.0, len(around) * width / span)) if span > 0 and width > 0 else 0.0
    return logarithm < math.log(chance)


def _all_in(values: Floats, raw: Floats, *, near: float = _NEAR) -> bool:
    """Whether each value lies within rounding of a raw one; a few are asked first."""
    if len(raw) < _FEWEST:
        return False
    return all(_near(some, raw, near).all() for some in (values[:: max(1, len(values) // _PROBES)], values))


def _near(values: Floats, raw: Floats, near: float = _NEAR) -> npt.NDArray[np.bool_]:
    place = np.clip(np.searchsorted(raw, values), 1, len(raw) - 1)
    gap = np.minimum(np.abs(raw[place] - values), np.abs(raw[place - 1] - values))
    return np.asarray(gap <= near * np.maximum(np.abs(values), 1e-6), dtype=np.bool_)


def _around(value: float, raw: Floats) -> Floats:
    place = int(np.searchsorted(raw, value))
    return raw[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS + 1]


def _unit(value: float) -> float:
    """The last place of a number that is not zero: 0.01 for 12.34, 100 for 1500.

    >>> [_unit(v) for v in (12.34, 1500.0, 7.0)]
    [0.01, 100.0, 1.0]
    """
    exponent = Decimal(f"{value:.12g}").normalize().as_tuple().exponent
    return float(10.0 ** int(exponent))


def _lattice(raw: Floats) -> Lattice | None:
    for decimals in range(_DECIMALS + 1):
        scaled = raw * 10**decimals
        if np.abs(scaled).max(initial=0.0) >= 2**52:
            return None
        whole = np.round(scaled)
        if np.abs(scaled[:1000] - whole[:1000]).max(initial=0.0) < 1e-4 and np.abs(scaled - whole).max() < 1e-4:
            numbers = whole.astype(np.int64)
            places = np.zeros(_PLACES, dtype=np.bool_)
            places[numbers & (_PLACES - 1)] = True
            return Lattice(numbers, decimals, places)
    return None


def _shifted(values: Floats, lattice: Lattice, decimals: int) -> bool:
    """Whether some raw value plus each difference of ``values`` is a raw value, and chance would not do it."""
    raw = lattice.numbers
    ordered = np.sort(values) * 10**decimals
    differences = ordered - ordered[0]
    if differences[-1] > raw[-1] - raw[0] or len(raw) < MIN_NUMBERS:
        return False
    steps = np.round(differences)
    if np.abs(differences - steps).max() > 1e-3:
        return False
    whole = np.unique(steps.astype(np.int64))[1:]
    if not len(whole):
        return False
    density = _density(raw, int(np.gcd.reduce(whole)))
    if math.log(len(raw)) + len(whole) * math.log(min(density, 1.0)) > math.log(CHANCE):
        return False
    left = raw[raw <= raw[-1] - whole[-1]]
    for step in whole[::-1]:  # the last bits of a number tell of most that it is no raw one
        left = left[lattice.places[(left + step) & (_PLACES - 1)]]
        if not len(left):
            return False
    for step in whole[::-1]:
        wanted = left + step
        place = np.searchsorted(raw, wanted).clip(max=len(raw) - 1)
        left = left[raw[place] == wanted]
        if not len(left):
            return False
    return True


def _step(values: Floats) -> float | None:
    """The greatest number of which all differences are multiples, as far as floats tell; None where there is none.

    A raw column of whole cents keeps its cents under any shift and scale: this finds them. The least difference is
    taken for one, two, three ... steps until the next differences are whole too.
    """
    ordered = np.sort(values)
    differences = np.unique(np.diff(ordered))
    multiples = np.arange(1, _MOST_STEPS + 1)
    for difference in differences[1 : 1 + _PROBES]:
        steps = difference / differences[0] * multiples
        multiples = multiples[np.abs(steps - np.round(steps)) < _CLEAR]
    if len(differences) <= _PROBES or not len(multiples):
        return None
    step = float(differences[0]) / int(multiples[0])
    # From the small differences to the large, each makes the step more exact.
    for difference in np.unique(np.concatenate([differences, (ordered - ordered[0])[1:]])):
        multiple = round(float(difference) / step)
        if not multiple or abs(float(difference) / step - multiple) > _CLEAR:
            return None
        step = float(difference) / multiple
    return step


def _density(raw: npt.NDArray[np.int64], step: int) -> float:
    """Share of whole numbers that the raw column holds where it lies densest, among numbers ``step`` apart."""
    if step > 1:
        classes, sizes = np.unique(raw % step, return_counts=True)
        raw = raw[raw % step == classes[int(sizes.argmax())]]
    window = max(2, len(raw) // 10)
    if len(raw) <= window:
        return 1.0
    return float(window * step / max(1, int((raw[window:] - raw[:-window]).min())))


def _number(cell: Cell) -> TypeGuard[int | float]:
    return isinstance(cell, int | float) and not isinstance(cell, bool)
