"""The work-day calendar: when an answer is due.

Weekends and announced holidays are not worked, announced make-up days are. An application is due when the n-th work
day after it came in ends. Pure: reads a file once, then only computes; times are aware, days are local.
Source: ``policies/workdays.yaml``; the 1-work-day clock of the cities' plans.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any, Self

import yaml

from opendata.errors import ConfigurationError
from opendata.settings import Settings

SATURDAY = 5


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Which days are worked and when a work day ends, in local time."""

    holidays: frozenset[date]
    make_up_days: frozenset[date]
    day_ends: time
    zone: timezone

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the calendar. Raises ConfigurationError when it is wrong."""
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
            return cls._build(document)
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigurationError(
                f"工作日历 {path.name} 读不了或有误（{type(error).__name__}）；请改正后再启动"
            ) from None

    @classmethod
    def _build(cls, document: dict[str, Any]) -> Self:
        if document["version"] != 1:
            raise ValueError("version")
        holidays: set[date] = set()
        for first, last in document["holidays"]:
            if last < first:
                raise ValueError("holidays")
            holidays.update(first + timedelta(days=n) for n in range((last - first).days + 1))
        return cls(
            holidays=frozenset(holidays),
            make_up_days=frozenset(document["make_up_days"]),
            day_ends=time.fromisoformat(document["day_ends"]),
            zone=timezone(timedelta(hours=document["utc_offset_hours"])),
        )

    def is_work_day(self, day: date) -> bool:
        """True when offices work on this day."""
        if day in self.make_up_days:
            return True
        return day.weekday() < SATURDAY and day not in self.holidays

    def due(self, since: datetime, work_days: int = 1) -> datetime:
        """End of the ``work_days``-th work day after the day of ``since``; ``since`` must be aware."""
        if since.tzinfo is None:
            raise ValueError("since must be aware")
        day = since.astimezone(self.zone).date()
        left = work_days
        while left > 0:
            day += timedelta(days=1)
            left -= self.is_work_day(day)
        return datetime.combine(day, self.day_ends, self.zone)


def load(settings: Settings) -> WorkCalendar:
    """The calendar of this installation."""
    return WorkCalendar.load(settings.policies_dir / "workdays.yaml")
