"""Hierarchies built from a column's own values: intervals for numbers, prefixes for codes, calendar for dates.

Bounds come from the round numbers of the decimal system and from the calendar, never from the data's extremes
(PRIVACY 5): two tables that differ in one record get the same nodes for the values they share.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, UnsupportedColumn
from masking.hierarchies.hierarchy import TOP, Hierarchy

_STEPS: Final = (1, 2, 5)
_MOST_LEVELS: Final = 8
_FLAT_VALUES: Final = 2  # as few values are merged by nothing but `*`


def flat(column: Any) -> Hierarchy:
    """Each value, then ``*``. Null is left out (see ``Hierarchy.with_null``)."""
    return Hierarchy.of_columns([_distinct(column).cast(pa.string())])


def by_interval(column: Any, steps: Sequence[float], *, origin: float = 0) -> Hierarchy:
    """Numbers in intervals of ``steps`` (each a whole multiple of the one before), counted from ``origin``, then ``*``.

    Whole numbers read ``20-24``, others ``[2.5, 5)``. Null is left out.

    Raises:
        InvalidParameter: no step, a step that is not above 0 or no multiple of the one before.
        UnsupportedColumn: the column is not numeric, or holds NaN or infinity.
    """
    check_steps(steps)
    values = _distinct(column)
    whole = pa.types.is_integer(values.type)
    if not whole and not pa.types.is_floating(values.type) and not pa.types.is_decimal(values.type):
        raise UnsupportedColumn(f"intervals need numbers, not {values.type}")
    numbers = np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
    if not np.isfinite(numbers).all():
        raise UnsupportedColumn("intervals need finite numbers")
    whole = whole and all(float(each).is_integer() for each in (*steps, origin))
    columns = [values.cast(pa.string())]
    for step in steps:
        places = np.floor((numbers - origin) / step)
        distinct, back = np.unique(places, return_inverse=True)
        names = [_interval(origin + place * step, step, whole=whole) for place in distinct.tolist()]
        columns.append(pa.array(names, pa.string()).take(pa.array(back.astype(np.int64))))
    return Hierarchy.of_columns(columns)


def by_prefix(column: Any, lengths: Sequence[int], *, fill: str = TOP) -> Hierarchy:
    """Codes by their first characters: ``lengths`` falls, the rest is filled up with ``fill``, then ``*``.

    Administrative divisions: ``by_prefix(codes, (4, 2), fill="0")`` gives prefecture and province codes.

    Raises:
        InvalidParameter: ``lengths`` does not fall or holds a number below 1.
    """
    check_prefixes(lengths, fill)
    values = _distinct(column).cast(pa.string())
    long = pc.utf8_length(values)
    columns = [values]
    for length in lengths:
        short = pc.utf8_slice_codeunits(values, 0, length)
        missing = pc.max_element_wise(pc.subtract(long, length), 0)
        filled = pc.binary_join_element_wise(short, pc.binary_repeat(fill, missing), "")
        columns.append(pc.if_else(pc.equal(filled, ""), fill, filled))
    return Hierarchy.of_columns(columns)


def by_date(column: Any) -> Hierarchy:
    """Days by month, quarter, year and decade, then ``*``. Null is left out.

    Raises:
        UnsupportedColumn: the column holds no dates or timestamps.
    """
    values = _distinct(column)
    if not (pa.types.is_date(values.type) or pa.types.is_timestamp(values.type)):
        raise UnsupportedColumn(f"calendar levels need dates, not {values.type}")
    year = pc.year(values)
    decade = pc.multiply(pc.divide(year, 10), 10)
    month = pc.strftime(values, format="%Y-%m")
    quarter = pc.binary_join_element_wise(year.cast(pa.string()), pc.quarter(values).cast(pa.string()), "-Q")
    decades = pc.binary_join_element_wise(decade.cast(pa.string()), "s", "")
    return Hierarchy.of_columns([values.cast(pa.string()), month, quarter, year.cast(pa.string()), decades])


def check_steps(steps: Sequence[float]) -> None:
    """Raise InvalidParameter unless each step is above 0 and a whole multiple of the one before."""
    if not steps or any(step <= 0 for step in steps):
        raise InvalidParameter("the steps of intervals must be numbers above 0", parameter="steps")
    for small, big in itertools.pairwise(steps):
        if big <= small or not math.isclose(big / small, round(big / small), rel_tol=1e-9):
            raise InvalidParameter("each step of intervals must be a multiple of the one before", parameter="steps")


def check_prefixes(lengths: Sequence[int], fill: str) -> None:
    """Raise InvalidParameter unless the lengths fall, to 1 at least, and ``fill`` holds a character."""
    if not fill or not lengths or min(lengths) < 1 or list(lengths) != sorted(set(lengths), reverse=True):
        raise InvalidParameter(
            "the lengths of prefixes must fall, the least is 1, and `fill` holds a character", parameter="lengths"
        )


def propose(column: Any) -> Hierarchy:
    """A hierarchy that fits the column, by ``proposal``."""
    parameters = proposal(column)
    if parameters.get("calendar"):
        return by_date(column)
    if "intervals" in parameters:
        return by_interval(column, parameters["intervals"])
    return by_prefix(column, parameters["prefixes"]) if "prefixes" in parameters else flat(column)


def proposal(column: Any) -> dict[str, Any]:
    """What a policy would say of a hierarchy that fits the column: ``calendar`` for dates, ``intervals`` for numbers,
    ``prefixes`` for codes of one length, nothing for each value and ``*``. For a person to look at, not a decision.
    """
    values = _distinct(column)
    if pa.types.is_date(values.type) or pa.types.is_timestamp(values.type):
        return {"calendar": True}
    if len(values) <= _FLAT_VALUES:
        return {}
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type):
        steps = _steps(values)
        return {"intervals": steps} if steps else {}
    text = values.cast(pa.string())
    lengths = pc.utf8_length(text)
    longest = int(pc.max(lengths).as_py() or 0)
    digits = bool(pc.all(pc.match_substring_regex(text, r"^[0-9A-Za-z]+$")).as_py())
    if digits and longest == pc.min(lengths).as_py() and longest > 1:
        kept = [length for length in range(longest - 1, 0, -1) if longest < _MOST_LEVELS or length % 2 == 0]
        return {"prefixes": kept}
    return {}


def _steps(values: pa.Array) -> list[float]:
    """Steps of 1, 2 or 5 times a power of ten, each a multiple of the one before: from what merges neighbours up to
    about two intervals.
    """
    numbers = np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
    numbers = np.sort(numbers[np.isfinite(numbers)])
    if len(numbers) < len(values) or len(numbers) < 2:
        return []
    span, gap = float(numbers[-1] - numbers[0]), float(np.min(np.diff(numbers)))
    found: list[float] = []
    for power in range(math.floor(math.log10(gap)), math.ceil(math.log10(span)) + 1):
        for step in (factor * 10.0**power for factor in _STEPS):
            fits = not found or math.isclose(step / found[-1], round(step / found[-1]), rel_tol=1e-9)
            if step > gap and step <= span and fits:
                found.append(step)
    return found[-_MOST_LEVELS:]


def _interval(start: float, step: float, *, whole: bool) -> str:
    if whole:
        return f"{start:.0f}-{start + step - 1:.0f}" if step > 1 else f"{start:.0f}"
    return f"[{start:.12g}, {start + step:.12g})"


def _distinct(column: Any) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if not isinstance(column, pa.Array):
        column = pa.array(column)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    values = pc.unique(column).drop_null()
    if not len(values):
        raise InvalidParameter("the hierarchy is empty", parameter="hierarchies")
    return values.take(pc.sort_indices(values))
