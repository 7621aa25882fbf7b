"""Rooms of control that not every board has: each is loaded, and built, only where the board needs it.

A board without a door loads no entry list and no OSDP, which is a third of what a door station loads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from firmware.core.context import Core
from firmware.core.service import Service
from firmware.core.values import decode

if TYPE_CHECKING:
    from firmware.access import AccessConfig
    from hal.ports import Hardware


def access_config(rooms: Mapping[str, Any]) -> AccessConfig | None:
    """The doors of the product; None where the board file has no access room. Raises Invalid."""
    if "access" not in rooms:
        return None
    from firmware.access import AccessConfig

    return decode(AccessConfig, dict(rooms["access"]), where="rooms.access")


def doors_services(core: Core, hardware: Hardware, config: AccessConfig | None) -> tuple[Service, ...]:
    """The doors; none without an access room."""
    if config is None:
        return ()
    from firmware.access import DoorsService

    return (DoorsService(core, hardware, config),)


def access_services(core: Core, hardware: Hardware, config: AccessConfig | None) -> tuple[Service, ...]:
    """The readers, their indication, and the entry list behind them; none without an access room."""
    if config is None:
        return ()
    from firmware.access import EntryList, IndicateService, ReadersService

    return (IndicateService(core, hardware), ReadersService(core, hardware, config, EntryList(core)))


def osdp_readers_services(core: Core, hardware: Hardware) -> tuple[Service, ...]:
    """Readers on RS-485."""
    from firmware.osdp import ExternalReadersService

    return (ExternalReadersService(core, hardware),)


def osdp_trace_services(core: Core, hardware: Hardware) -> tuple[Service, ...]:
    """The trace of OSDP ports."""
    from firmware.osdp import OsdpTraceService

    return (OsdpTraceService(core, hardware),)


def controller_services(core: Core, hardware: Hardware, ports: tuple[str, ...]) -> tuple[Service, ...]:
    """Somebody's door controller."""
    from firmware.controller import ControllerService

    return (ControllerService(core, hardware, ports),)


def sensing_services(name: str, core: Core, hardware: Hardware) -> tuple[Service, ...]:
    """One of the services of the device's own sensors; a board without them does not load their room."""
    from firmware.sensing import DayNightService, InputLinesService, LightService, ShocksService

    services: tuple[type[DayNightService | InputLinesService | LightService | ShocksService], ...]
    services = (ShocksService, LightService, DayNightService, InputLinesService)
    return tuple(service(core, hardware) for service in services if service.name == name)
