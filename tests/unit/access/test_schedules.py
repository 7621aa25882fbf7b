"""Weekly schedules against brute force, minute by minute, through the changes of summer time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from firmware.access.schedule import DAYS, Schedule
from tests.effort import examples

ZONES = ["Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "UTC"]
# Around a change of summer time of each hemisphere, and a plain week.
STARTS = [datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC), datetime(2026, 4, 3, tzinfo=UTC)]


def window(days: list[str], start: int, end: int) -> dict[str, object]:
    return {
        "days": days,
        "start": f"{start // 60:02d}:{start % 60:02d}",
        "end": f"{end // 60:02d}:{end % 60:02d}",
    }


@st.composite
def windows(draw: st.DrawFn) -> tuple[list[str], int, int]:
    days = draw(st.lists(st.sampled_from([str(day) for day in DAYS]), min_size=1, max_size=7, unique=True))
    start = draw(st.integers(0, 1439))
    end = draw(st.integers(0, 1440).filter(lambda end: end != start))
    return days, start, end


def minutes_of_week(days: list[str], start: int, end: int) -> set[int]:
    """Every open minute of the week, counted out one by one."""
    length = end - start if end > start else 1440 - start + end
    first = [[str(day) for day in DAYS].index(day) * 1440 + start for day in days]
    return {(begin + step) % (7 * 1440) for begin in first for step in range(length)}


@settings(max_examples=examples(60))
@given(st.sampled_from(ZONES), st.sampled_from(STARTS), st.lists(windows(), min_size=1, max_size=3))
def test_a_schedule_agrees_with_counting_minutes(
    zone: str, start: datetime, given_windows: list[tuple[list[str], int, int]]
) -> None:
    schedule = Schedule.model_validate({"zone": zone, "windows": [window(*each) for each in given_windows]})
    open_minutes = set().union(*(minutes_of_week(*each) for each in given_windows))
    info = ZoneInfo(zone)
    for step in range(0, 5 * 1440, 7):
        at = start + timedelta(minutes=step)
        offset = at.astimezone(info).utcoffset()
        assert offset is not None
        wall = at.replace(tzinfo=None) + offset
        minute = wall.weekday() * 1440 + wall.hour * 60 + wall.minute
        assert schedule.open_at(at) is (minute in open_minutes), at


def test_a_window_over_midnight_ends_on_the_next_day() -> None:
    schedule = Schedule.model_validate({"windows": [window(["sun"], 22 * 60, 6 * 60)]})
    sunday = datetime(2026, 6, 7, tzinfo=UTC)
    assert not schedule.open_at(sunday + timedelta(hours=21, minutes=59))
    assert schedule.open_at(sunday + timedelta(hours=22))
    assert schedule.open_at(sunday + timedelta(hours=29, minutes=59))
    assert not schedule.open_at(sunday + timedelta(hours=30))


def test_a_whole_day_is_written_from_0_to_24() -> None:
    schedule = Schedule.model_validate({"windows": [{"days": ["mon"], "start": "00:00", "end": "24:00"}]})
    monday = datetime(2026, 6, 1, tzinfo=UTC)
    assert schedule.open_at(monday)
    assert schedule.open_at(monday + timedelta(hours=23, minutes=59, seconds=59))
    assert not schedule.open_at(monday + timedelta(days=1))


def test_the_hour_that_comes_twice_is_open_twice() -> None:
    schedule = Schedule.model_validate({"zone": "Europe/Stockholm", "windows": [window(["sun"], 150, 180)]})
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 summer time
    assert schedule.open_at(first)
    assert not schedule.open_at(first + timedelta(minutes=30))  # 02:00 again
    assert schedule.open_at(first + timedelta(minutes=60))  # 02:30 again


def test_a_schedule_without_windows_is_never_open() -> None:
    assert not Schedule().open_at(datetime(2026, 6, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"zone": "Europe/Stokholm"}, "did you mean 'Europe/Stockholm'"),
        ({"zone": "../../etc/passwd"}, "no time zone"),
        ({"windows": [{"days": ["mon"], "start": "9:00", "end": "17:00"}]}, "HH:MM"),
        ({"windows": [{"days": ["mon"], "start": "09:00", "end": "24:01"}]}, "HH:MM"),
        ({"windows": [{"days": ["mon"], "start": "09:00", "end": "09:00"}]}, "equal"),
        ({"windows": [{"days": [], "start": "09:00", "end": "10:00"}]}, "at least 1"),
    ],
)
def test_a_wrong_schedule_names_its_fault(data: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Schedule.model_validate(data)


def test_a_schedule_survives_being_saved() -> None:
    schedule = Schedule.model_validate({"zone": "Asia/Kathmandu", "windows": [window(["mon", "sun"], 61, 1440)]})
    assert Schedule.model_validate(schedule.model_dump(mode="json")) == schedule
