"""Settings that the web interface owns: what people call this device, and where it is."""

from __future__ import annotations

from typing import Annotated, ClassVar
from zoneinfo import available_timezones

from pydantic import AfterValidator

from firmware.core.params import Group, param
from hal.errors import nearest


def _zone(name: str) -> str:
    zones = available_timezones()
    if name not in zones:
        raise ValueError(f"no time zone {name[:40]!r}{nearest(name, zones)}")
    return name


class PlaceSettings(Group):
    """The device as people know it."""

    group: ClassVar[str] = "place"

    name: str = param("", "What people call this device, such as Back door; empty: its product.", max_length=64)
    time_zone: Annotated[str, AfterValidator(_zone)] = param(
        "UTC", "The time zone of the place, such as Europe/Stockholm."
    )
    first_steps: bool = param(True, "Whether the first steps are still to be shown to administrators.")
