"""The work-day clock."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from opendata.catalog.workdays import WorkCalendar
from opendata.errors import ConfigurationError

CALENDAR = WorkCalendar.load(Path(__file__).parents[2] / "policies" / "workdays.yaml")


@pytest.mark.parametrize(("since", "due"), [
    ("2026-11-23T02:00+00:00", "2026-11-24T09:30+00:00"),  # Monday morning: until Tuesday 17:30 in Beijing
    ("2026-11-23T17:00+00:00", "2026-11-25T09:30+00:00"),  # already Tuesday in Beijing
    ("2026-11-27T02:00+00:00", "2026-11-30T09:30+00:00"),  # Friday: Monday
    ("2026-09-30T02:00+00:00", "2026-10-08T09:30+00:00"),  # the National Day holiday
    ("2026-10-09T02:00+00:00", "2026-10-10T09:30+00:00"),  # a Saturday that is worked
])  # fmt: skip
def test_due(since, due):
    assert CALENDAR.due(datetime.fromisoformat(since)) == datetime.fromisoformat(due)


def test_days():
    assert not CALENDAR.is_work_day(date(2026, 10, 1))
    assert CALENDAR.is_work_day(date(2026, 9, 20))
    assert CALENDAR.is_work_day(date(2031, 10, 1))  # not announced yet: a weekday
    with pytest.raises(ValueError, match="aware"):
        CALENDAR.due(datetime(2026, 1, 1))  # noqa: DTZ001
    assert CALENDAR.due(datetime(2026, 11, 23, tzinfo=UTC), 3).date() == date(2026, 11, 26)


@pytest.mark.parametrize(
    "text", ["", "version: 2", "version: 1", "[", "version: 1\nholidays: [[2026-01-02, 2026-01-01]]"]
)
def test_a_broken_calendar_stops_the_start(tmp_path, text):
    path = tmp_path / "w.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError):
        WorkCalendar.load(path)
