"""Service `clock`: time zone, time servers, and the clock set by hand.

It never touches what runs: doors, alarms and timers go by the monotonic clock, which nobody can set; schedules and
limits of entries go by the new time from the next card on.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import ClassVar

from firmware.core.actions import NOTHING, Invocation, Nothing
from firmware.core.context import Core
from firmware.core.errors import Invalid, Refused, Unavailable
from firmware.core.vocabulary.station import ParamsChanged
from firmware.core.vocabulary.system import ClockSet, ClockSetup, SetClock
from firmware.system.time_port import TimeFault, TimeNow, TimePort
from firmware.system.time_settings import ClockSettings, PlaceSettings
from hal.clock import BUILT

# How often the system is asked whether a server has set the clock.
LOOK_S = 60.0
# Clients keep the year in 31 bits of seconds, and so do card formats; later dates are mistakes.
LATEST = datetime(2069, 12, 31, 23, 59, 59, tzinfo=UTC)
OURS = (PlaceSettings.group, ClockSettings.group)


class ClockService:
    """Owns the groups `place` and `clock` and the action `clock.set`."""

    name: ClassVar[str] = "clock"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, port: TimePort) -> None:
        self._core = core
        self._port = port
        self._now = TimeNow(ntp=False)
        self._trouble = ""
        self._wake = asyncio.Event()

    async def start(self) -> None:
        """Read the settings; the zone is known from here on, whatever the system does."""
        params = self._core.params
        for group in (PlaceSettings, ClockSettings):
            params.declare(group)
            await params.load(group)
        self._now = TimeNow(ntp=params.get(ClockSettings).ntp)
        self._core.actions.register(
            "clock.set", SetClock, self._set, summary="Set the clock by hand; not while time servers set it."
        )
        self._publish()

    async def run(self) -> None:
        """Follow the settings, and what the system says, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name="clock settings")
            while True:
                await self._follow()
                await self._wait()

    async def stop(self) -> None:
        """The system keeps what it was told."""
        await self._port.close()

    async def _listen(self) -> None:
        with self._core.bus.subscribe(ParamsChanged, retained=False) as changes:
            async for notice in changes:
                if isinstance(notice.event, ParamsChanged) and notice.event.group in OURS:
                    self._wake.set()

    async def _wait(self) -> None:
        """Until a setting changes, or it is time to ask the system again."""
        timer = self._core.clock.call_later(LOOK_S, self._wake.set) if self._port.watched else None
        try:
            await self._wake.wait()
            self._wake.clear()
        finally:
            if timer is not None:
                timer.cancel()

    async def _follow(self) -> None:
        settings, place = self._core.params.get(ClockSettings), self._core.params.get(PlaceSettings)
        self._publish()  # schedules go by the new zone at once, whatever the system takes its time for
        try:
            await self._port.follow(place.time_zone, settings.ntp, settings.ntp_servers)
            self._now = await self._port.told()
            self._trouble = ""
        except TimeFault as fault:
            self._now = TimeNow(ntp=settings.ntp)
            self._trouble = str(fault)
        self._publish()

    def _publish(self) -> None:
        zone = self._core.params.get(PlaceSettings).time_zone
        now = self._now
        self._core.bus.publish(
            ClockSetup(
                zone=zone, by=self._port.name, ntp=now.ntp, synced=now.synced, server=now.server, trouble=self._trouble
            )
        )

    async def _set(self, invocation: Invocation) -> Nothing:
        asked = invocation.params
        assert isinstance(asked, SetClock)
        if not BUILT <= asked.now <= LATEST:
            raise Invalid(
                "clock.set.now", f"{asked.now.isoformat()} is not between {BUILT:%Y-%m-%d} and {LATEST:%Y-%m-%d}"
            )
        if self._core.params.get(ClockSettings).ntp:
            raise Refused("clock.set", "time servers set the clock: switch clock.ntp off first")
        was = self._core.clock.utc()
        try:
            await self._port.set(asked.now)
        except TimeFault as fault:
            raise Unavailable("clock.set", str(fault)) from None
        told = ClockSet(name=invocation.caller.name, was=was, now=asked.now.astimezone(UTC))
        self._core.bus.publish(told, cause=invocation.cause)
        return NOTHING
