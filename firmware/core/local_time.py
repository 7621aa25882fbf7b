"""The time on the wall where the device is: by the time zone of its place, which every role knows from the bus."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from firmware.core.bus import Bus
from firmware.core.vocabulary.system import ClockSetup


def zone_name(bus: Bus) -> str:
    """The name of the zone in the tz database; UTC until somebody says."""
    setup = bus.state(ClockSetup)
    return "UTC" if setup is None else setup.zone


def local(bus: Bus, at: datetime) -> datetime:
    """An aware instant as the clock on the wall there shows it."""
    return at.astimezone(_zone(zone_name(bus)))


@lru_cache(maxsize=16)
def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC  # a system whose zone database lost a name that it knew
