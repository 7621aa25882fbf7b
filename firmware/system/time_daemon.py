"""The clock of a real device: systemd's timedate1 and timesync1 over D-Bus.

systemd is there on every board, sets the clock of the chip with the system's, and comes with an NTP client that
takes its servers over the bus: no file is written by us and nothing else is installed. (chrony would measure better,
and speak NTS, but cannot be told its servers without root.) org.freedesktop.timedate1(5), org.freedesktop.timesync1.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any

from firmware.system.system_bus import BusFault, SystemBus
from firmware.system.time_port import TimeFault, TimeNow

TIMEDATE, TIMEDATE_PATH = "org.freedesktop.timedate1", "/org/freedesktop/timedate1"
TIMESYNC, TIMESYNC_PATH = "org.freedesktop.timesync1", "/org/freedesktop/timesync1"
MANAGER = f"{TIMESYNC}.Manager"


class TimeDaemon:
    """Port `TimePort` over systemd."""

    name = "systemd"
    watched = True

    def __init__(self, address: str | None = None) -> None:
        """`address` is that of a private message bus; None: the system bus."""
        self._bus = SystemBus(address)

    async def follow(self, zone: str, ntp: bool, servers: tuple[str, ...]) -> None:
        troubles = []
        steps: tuple[Callable[[], Awaitable[None]], ...] = (
            partial(self._follow_zone, zone),
            partial(self._follow_ntp, ntp),
            partial(self._follow_servers, servers if ntp else None),
        )
        for step in steps:
            try:
                await step()
            except TimeFault as fault:  # a zone that is not there keeps no clock from being set
                troubles.append(fault)
        if troubles:
            raise troubles[0]

    async def set(self, now: datetime) -> None:
        microseconds = round(now.timestamp() * 1_000_000)
        await self._call(TIMEDATE, TIMEDATE_PATH, TIMEDATE, "SetTime", "xbb", microseconds, False, False)

    async def told(self) -> TimeNow:
        ntp = bool(await self._get(TIMEDATE, TIMEDATE_PATH, TIMEDATE, "NTP"))
        synced = bool(await self._get(TIMEDATE, TIMEDATE_PATH, TIMEDATE, "NTPSynchronized"))
        server = str(await self._get(TIMESYNC, TIMESYNC_PATH, MANAGER, "ServerName")) if ntp else ""
        return TimeNow(ntp=ntp, synced=synced, server=server)

    async def close(self) -> None:
        await self._bus.close()

    async def _follow_zone(self, zone: str) -> None:
        if await self._get(TIMEDATE, TIMEDATE_PATH, TIMEDATE, "Timezone") != zone:
            await self._call(TIMEDATE, TIMEDATE_PATH, TIMEDATE, "SetTimezone", "sb", zone, False)

    async def _follow_ntp(self, ntp: bool) -> None:
        if await self._get(TIMEDATE, TIMEDATE_PATH, TIMEDATE, "NTP") != ntp:
            await self._call(TIMEDATE, TIMEDATE_PATH, TIMEDATE, "SetNTP", "bb", ntp, False)

    async def _follow_servers(self, servers: tuple[str, ...] | None) -> None:
        if servers is not None and await self._servers() != servers:
            await self._call(TIMESYNC, TIMESYNC_PATH, MANAGER, "SetRuntimeNTPServers", "as", list(servers))

    async def _servers(self) -> tuple[str, ...]:
        return tuple(await self._get(TIMESYNC, TIMESYNC_PATH, MANAGER, "RuntimeNTPServers"))

    async def _call(self, owner: str, path: str, interface: str, member: str, signature: str, *values: Any) -> None:
        try:
            await self._bus.call(owner, path, interface, member, signature, *values)
        except BusFault as fault:
            raise TimeFault(f"{owner}: {fault}") from None

    async def _get(self, owner: str, path: str, interface: str, name: str) -> Any:
        try:
            return await self._bus.get(owner, path, interface, name)
        except BusFault as fault:
            raise TimeFault(f"{owner}: {fault}") from None
