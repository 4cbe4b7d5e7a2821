"""Dates: periods, and ages at a fixed day."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, UnsupportedColumn
from masking.table.inference import text_to_dates
from masking.techniques.base import Context, Example, Technique, technique
from masking.techniques.generalization.formats import OnInvalid, is_date, is_text, labelled, numbers, replaced
from masking.techniques.generalization.numbers import Bands

OLDEST = 150
"""Years; a birth date further back is a placeholder or a mistake."""
_EIGHT_DIGITS = "^([0-9]{4})([0-9]{2})([0-9]{2})$"
_BAND = re.compile(r"year_band:([1-9][0-9]{0,3})")


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
        if not (is_date(given) or is_text(given) or pa.types.is_null(given)):
            raise UnsupportedColumn(f"{self.name} works on dates, not on {given}")
        return pa.int64() if self.to == "year" else pa.string()

    def _apply(self, column: pa.Array) -> pa.Array:
        dates, _ = replaced(column, days(column), "reject", "not a date (2020-01-31)")
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
        values, absent = numbers(year, pa.int64(), 0)
        return labelled(values // years * years, absent, lambda low: f"[{int(low)},{int(low) + years})")


@technique("generalization.age")
@dataclass(frozen=True)
class Age(Technique):
    """
    Replace each birth date by the age in completed years on the day ``at``.

    Column: date, timestamp, text (1990-04-03, 1990/4/3, 19900403) or whole numbers such as 19900403; null stays null.
    Output: whole numbers, or text bands if ``width`` is given.
    Unit: years. ``at`` is a fixed day, 2025-12-31: no clock is read, so a run gives the same ages whenever it happens.
    ``width`` (1 or more) makes half-open bands from 0: ``[60,65)``. ``upper`` is the top code: older ones become
    ``upper``, or ``>=upper`` among bands. Who is born on 29 February completes a year on 1 March of common years.
    ``on_invalid``: what becomes of a value that is no date, lies after ``at`` or more than 150 years before it: the run
    stops (reject), or it becomes null (``*`` among bands) and is counted (suppress).
    Loss: day and month of birth; what the band merges. Two editions with different ``at`` narrow the birth date down.
    Source: ISO/IEC 20889:2018, generalization.

    Raises:
        InvalidParameter: ``at`` is no day, ``width`` or ``upper`` is outside its interval.
        UnsupportedColumn: the column holds no dates.
        InvalidValue: ``on_invalid`` is reject and there are such values.

    """

    at: str
    width: int | None = None
    upper: int | None = None
    on_invalid: OnInvalid = "reject"

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"at": "2025-04-03"}, ("1990-04-03", "1990-04-04", None), (35, 34, None), "completed years"),
        Example({"at": "2025-12-31", "upper": 90}, ("19300101", "2000/1/1"), (90, 25), "top code; other spellings"),
        Example({"at": "2025-12-31", "width": 5, "upper": 90}, (19620517, 19300101), ("[60,65)", ">=90"), "bands"),
        Example(
            {"at": "2025-12-31", "width": 5, "on_invalid": "suppress"},
            ("2026-01-01", "1990-02-30"),
            ("*", "*"),
            "born after the day, and no day at all",
        ),
    )

    def __post_init__(self) -> None:
        try:
            dt.date.fromisoformat(self.at)
        except ValueError:
            raise InvalidParameter("at must be a day such as 2025-12-31", parameter="at") from None
        if self.width is not None and not 1 <= self.width <= OLDEST:
            raise InvalidParameter(f"width must be in [1, {OLDEST}]", parameter="width")
        if self.upper is not None and not 1 <= self.upper <= OLDEST:
            raise InvalidParameter(f"upper must be in [1, {OLDEST}]", parameter="upper")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text for bands, int64 otherwise."""
        if not (is_date(given) or is_text(given) or pa.types.is_integer(given) or pa.types.is_null(given)):
            raise UnsupportedColumn(f"{self.name} works on dates, not on {given}")
        return pa.int64() if self.width is None else pa.string()

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del context
        at = dt.date.fromisoformat(self.at)
        born = days(column, eight_digits=True)
        (year, absent), (month, _), (day, _) = (
            numbers(part(born), pa.int64(), 0) for part in (pc.year, pc.month, pc.day)
        )
        age = at.year - year - ((month > at.month) | ((month == at.month) & (day > at.day)))
        absent = absent | (age < 0) | (age > OLDEST)
        if self.width is not None:
            masked = Bands(width=self.width, upper=self.upper).apply(pa.array(age, mask=absent))
        else:
            masked = pa.array(age if self.upper is None else np.minimum(age, self.upper), mask=absent)
        return replaced(column, masked, self.on_invalid, f"no birth date in the {OLDEST} years before `at`")

    def _nulls_kept(self, given: pa.Array, masked: pa.Array) -> bool:
        return masked.null_count >= given.null_count


def days(column: pa.Array, *, eight_digits: bool = False) -> pa.Array:
    """Dates of a column of dates, timestamps or text, null where a text is none; ``eight_digits``: 19900403 is one."""
    if pa.types.is_timestamp(column.type):
        local = pc.local_timestamp(column) if column.type.tz else column
        return local.cast(pa.date32(), safe=False)
    if not (is_text(column.type) or pa.types.is_integer(column.type)):
        return column.cast(pa.date32())
    text = column.cast(pa.string())
    if eight_digits:
        text = pc.replace_substring_regex(text, _EIGHT_DIGITS, r"\1-\2-\3")
    return text_to_dates(text, with_time=True)
