"""Settings of time and place: the groups `place` (what people call the device, and its time zone) and `clock`."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from firmware.core.actions import Level
from firmware.core.params import Group, param
from firmware.core.zones import is_zone, named_zones
from firmware.system.network_settings import LABEL
from hal.errors import nearest


def _zone(name: str) -> str:
    if not is_zone(name):
        raise ValueError(f"no time zone {name[:40]!r}{nearest(name, named_zones())}")
    return name


def _server(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        if len(text) > 253 or not re.fullmatch(rf"{LABEL}(?:\.{LABEL})*", text):
            raise ValueError(f"{text[:70]!r} is neither a name nor an address, such as pool.ntp.org") from None
    return text


Server = Annotated[str, AfterValidator(_server)]


class PlaceSettings(Group):
    """The device as people know it."""

    group: ClassVar[str] = "place"

    name: str = param("", "What people call this device, such as Back door; empty: its product.", max_length=64)
    time_zone: Annotated[str, AfterValidator(_zone)] = param(
        "UTC",
        "The time zone of the place, such as Europe/Stockholm; schedules without their own go by it.",
        level=Level.OPERATOR,
    )
    first_steps: bool = param(True, "Whether the first steps are still to be shown to administrators.")


class ClockSettings(Group):
    """Where the time comes from."""

    group: ClassVar[str] = "clock"

    ntp: bool = param(True, "Whether the clock is set by time servers (NTP); off, it is set by hand.")
    ntp_servers: tuple[Server, ...] = param(
        (), "Time servers, the first asked first; none: those that the system brings along.", max_length=5
    )
