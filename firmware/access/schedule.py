"""Weekly schedules by the clock on the wall; pure.

A window is open from `start` (included) to `end` (excluded) on its days, in the schedule's time zone; one that names
no zone goes by that of the place.
An end at or before the start lies on the next day. When summer time begins, the hour that does not
exist is in no window; when it ends, the hour that comes twice is open twice: the wall clock decides.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from firmware.core.zones import named_zones
from hal.errors import nearest

DAY_MIN = 24 * 60


class Day(StrEnum):
    """Days of the week, in order."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


DAYS = tuple(Day)


def _minute(value: Any) -> int:
    match = re.fullmatch(r"([01][0-9]|2[0-4]):([0-5][0-9])", value) if isinstance(value, str) else None
    minute = int(match[1]) * 60 + int(match[2]) if match else DAY_MIN + 1
    if minute > DAY_MIN:
        raise ValueError("a time of day is HH:MM, from 00:00 to 24:00")
    return minute


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


Minute = Annotated[int, BeforeValidator(_minute), PlainSerializer(_clock, return_type=str)]


@lru_cache(maxsize=64)
def zone(name: str) -> tzinfo:
    """The time zone of an IANA name. Raises ValueError with the nearest one."""
    if name == "UTC":
        return UTC  # also on a machine without a zone database
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone {name[:40]!r}{nearest(name, named_zones())}") from None


def _zone_name(name: str) -> str:
    if name:
        zone(name)
    return name


class Window(BaseModel):
    """Some days, from `start` to `end`, written `HH:MM`; 00:00 to 24:00 is the whole day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=7)]
    start: Minute
    end: Minute

    @model_validator(mode="after")
    def _not_empty(self) -> Window:
        if self.start == DAY_MIN:
            raise ValueError("a window starts before 24:00")
        if self.start == self.end:
            raise ValueError("start and end are equal; the whole day is 00:00 to 24:00")
        return self

    def open_at(self, weekday: int, minute: int) -> bool:
        """Whether it is open; `weekday` 0 is Monday, `minute` of the day."""
        if self.start < self.end:
            return DAYS[weekday] in self.days and self.start <= minute < self.end
        return (DAYS[weekday] in self.days and minute >= self.start) or (
            DAYS[weekday - 1] in self.days and minute < self.end
        )


class Schedule(BaseModel):
    """Windows in one time zone, empty: that of the place; without windows it is never open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: Annotated[str, AfterValidator(_zone_name)] = ""
    windows: Annotated[tuple[Window, ...], Field(max_length=100)] = ()

    def open_at(self, at: datetime, place: str = "UTC") -> bool:
        """Whether a window is open at an aware instant; `place` is the time zone of the place."""
        local = at.astimezone(zone(self.zone or place))
        minute = local.hour * 60 + local.minute
        return any(window.open_at(local.weekday(), minute) for window in self.windows)
