"""Dates moved by one number of days for each person."""

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.table.inference import text_to_dates
from masking.techniques.base import Context, Example, Technique, secret_field, technique
from masking.techniques.draws import draws
from masking.techniques.randomization.columns import absent, integers, is_date, is_text, of_integers

_MOST_DAYS: Final = 36_525
_EPOCH: Final = dt.date(1970, 1, 1)
_FIRST, _LAST = ((day - _EPOCH).days for day in (dt.date.min, dt.date.max))
_A_DAY: Final = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


@technique("randomization.date_shift")
@dataclass(frozen=True)
class DateShift(Technique):
    """
    Move all dates of a person by one number of days, drawn from -max_days to max_days without 0.

    Column: date, timestamp (time of day is kept), or text in ISO 8601 (also with /; a time of day behind it is
    dropped); null stays null.
    Unit: ``max_days`` in days, in [1, 36525]. ``per`` names the column that identifies the person; a date whose person
    is null is refused.
    Loss: the date; intervals between dates of a person are exact, in all attributes whose rules name the same key and
    the same ``per``. Seasons and weekdays are lost, months too unless ``max_days`` is small.
    Residual risk (PRIVACY 6): one shift a person. Whoever knows one true date of a person (a birth, an accident in the
    news) and recognises it knows the shift and with it all dates of that person. Intervals may single a person out by
    themselves.
    Drawn once for each person, the same in all batches and editions; no record column is needed.
    Source: NIST SP 800-188, 4.3; ISO/IEC 20889:2018, randomization: noise addition.

    Raises:
        InvalidParameter: ``max_days`` outside its interval.
        UnsupportedColumn: the column holds no dates.
        InvalidValue: text that is not a date, a date without a person, a date moved out of the years 1 to 9999.

    """

    max_days: int
    per: str
    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    randomized: ClassVar[bool] = True
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {"max_days": 30, "per": "person"},
            (dt.date(2020, 2, 10), dt.date(2020, 2, 20), dt.date(2020, 2, 10), None),
            (dt.date(2020, 2, 25), dt.date(2020, 3, 6), dt.date(2020, 2, 16), None),
            "one shift a person; intervals are exact",
            context={"person": ("a", "a", "b", "b")},
        ),
        Example(
            {"max_days": 30, "per": "person"},
            ("2020/2/10 08:00", "2020-02-20"),
            ("2020-02-25", "2020-03-06"),
            "text becomes ISO 8601 without a time of day",
            context={"person": ("a", "a")},
        ),
    )

    def __post_init__(self) -> None:
        if not 1 <= self.max_days <= _MOST_DAYS:
            raise InvalidParameter(f"max_days must be in [1, {_MOST_DAYS}]", parameter="max_days")

    def context(self) -> tuple[str, ...]:
        """The person's column."""
        return (self.per,)

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Dates and timestamps keep their type, text stays text."""
        if is_date(given):
            return given
        if is_text(given) or pa.types.is_null(given):
            return pa.string()
        raise UnsupportedColumn(f"{self.name} works on dates, not on {given}")

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        missing = absent(column)
        _refuse(absent(context[self.per]) & ~missing, f"{self.per!r} names no person for these dates")
        days = shifts(self.secret, context[self.per], self.max_days)
        if pa.types.is_null(column.type):
            return pa.nulls(len(column), pa.string()), 0
        if is_text(column.type):
            dates = text_to_dates(column, with_time=True)
            _refuse(absent(dates) & ~missing, "not a date (2020-01-31)")
            return self._moved(dates, days, missing).cast(pa.string()), 0
        return self._moved(column, days, missing), 0

    def _moved(self, column: pa.Array, days: npt.NDArray[np.int64], missing: npt.NDArray[np.bool_]) -> pa.Array:
        values = integers(column)
        a_day = _A_DAY[column.type.unit] if pa.types.is_timestamp(column.type) else 1
        whole = (2**63 - 1) // a_day - 1  # days on either side of the epoch that the type holds from morning to night
        there = values // a_day + days
        outside = (there < max(_FIRST, -whole)) | (there > min(_LAST, whole))
        _refuse(outside & ~missing, "moved out of the dates that the type can hold")
        masked = of_integers(np.where(missing, 0, values + days * a_day), column.type)
        return pc.if_else(pa.array(missing), pa.scalar(None, masked.type), masked)


def shifts(secret: bytes, person: pa.Array, max_days: int) -> npt.NDArray[np.int64]:
    """Days for each person: uniform over -max_days to max_days without 0."""
    drawn = (draws(secret, [person])[:, 0] % np.uint64(2 * max_days)).astype(np.int64)
    return np.where(drawn < max_days, drawn - max_days, drawn - max_days + 1)


def _refuse(wrong: npt.NDArray[np.bool_], why: str) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        raise InvalidValue(why, count=len(rows), first_rows=rows[:5].tolist())
