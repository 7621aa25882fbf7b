"""The clock of a device as we ask systemd for it: a stand-in of the published interfaces, strict, on a bus of its own.

The real systemd-timedated is asked for the zone in tests/live/network_stage.py; here nobody's clock is set.
Source: org.freedesktop.timedate1(5); the introspection of systemd-timesyncd 252.
"""

# ruff: noqa: F722, F821, UP037 - the annotations are signatures of D-Bus
from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import DBusError, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_property, method

from firmware.system.time_daemon import TIMEDATE, TIMEDATE_PATH, TIMESYNC, TIMESYNC_PATH, TimeDaemon
from firmware.system.time_port import TimeFault, TimeNow

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={socket}</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
</policy></busconfig>
"""
READ = PropertyAccess.READ


class TimeDate(ServiceInterface):
    """timedate1: a change is refused as the real one refuses it."""

    def __init__(self) -> None:
        super().__init__(TIMEDATE)
        self.zone, self.ntp, self.set_to = "Etc/UTC", True, 0
        self.calls: list[str] = []

    @method()
    def SetTimezone(self, timezone: "s", interactive: "b"):  # type: ignore[name-defined]
        self.calls.append("SetTimezone")
        if timezone == "Mars/Olympus":
            raise DBusError("org.freedesktop.DBus.Error.InvalidArgs", "Invalid or not installed time zone")
        self.zone = timezone

    @method()
    def SetNTP(self, use_ntp: "b", interactive: "b"):  # type: ignore[name-defined]
        self.calls.append("SetNTP")
        self.ntp = use_ntp

    @method()
    def SetTime(self, usec_utc: "x", relative: "b", interactive: "b"):  # type: ignore[name-defined]
        if self.ntp:
            raise DBusError("org.freedesktop.timedate1.AutomaticTimeSyncEnabled", "Automatic time sync is enabled")
        assert not relative
        self.set_to = usec_utc

    @dbus_property(access=READ)
    def Timezone(self) -> "s":  # type: ignore[name-defined]
        return self.zone

    @dbus_property(access=READ)
    def NTP(self) -> "b":  # type: ignore[name-defined]
        return self.ntp

    @dbus_property(access=READ)
    def NTPSynchronized(self) -> "b":  # type: ignore[name-defined]
        return True


class TimeSync(ServiceInterface):
    """timesync1."""

    def __init__(self) -> None:
        super().__init__(f"{TIMESYNC}.Manager")
        self.servers: list[str] = []
        self.calls = 0

    @method()
    def SetRuntimeNTPServers(self, runtime_servers: "as"):  # type: ignore[name-defined]
        self.calls += 1
        self.servers = list(runtime_servers)

    @dbus_property(access=READ)
    def RuntimeNTPServers(self) -> "as":  # type: ignore[name-defined]
        return self.servers

    @dbus_property(access=READ)
    def ServerName(self) -> "s":  # type: ignore[name-defined]
        return self.servers[0] if self.servers else "0.debian.pool.ntp.org"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A message bus of our own."""
    (tmp_path / "bus.conf").write_text(BUS.format(socket=tmp_path / "bus"))
    words = ["dbus-daemon", f"--config-file={tmp_path / 'bus.conf'}", "--nofork", "--print-address=1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as bus:
        try:
            assert bus.stdout is not None
            assert bus.stdout.readline()  # it listens
            yield f"unix:path={tmp_path / 'bus'}"
        finally:
            bus.terminate()


Play = Callable[[TimeDaemon, TimeDate, TimeSync], Awaitable[None]]


def played(address: str, play: Play) -> None:
    async def whole() -> None:
        date, sync = TimeDate(), TimeSync()
        bus = await MessageBus(bus_address=address).connect()
        bus.export(TIMEDATE_PATH, date)
        bus.export(TIMESYNC_PATH, sync)
        await bus.request_name(TIMEDATE)
        await bus.request_name(TIMESYNC)
        daemon = TimeDaemon(address)
        try:
            await play(daemon, date, sync)
        finally:
            await daemon.close()
            bus.disconnect()

    asyncio.run(whole())


def test_zone_and_servers_are_told_once_and_not_again(address: str) -> None:
    async def play(daemon: TimeDaemon, date: TimeDate, sync: TimeSync) -> None:
        for _ in range(2):
            await daemon.follow("Europe/Stockholm", True, ("192.0.2.1", "pool.example"))
        assert (date.zone, sync.servers) == ("Europe/Stockholm", ["192.0.2.1", "pool.example"])
        assert (date.calls, sync.calls) == (["SetTimezone"], 1)
        assert await daemon.told() == TimeNow(ntp=True, synced=True, server="192.0.2.1")
        await daemon.follow("Europe/Stockholm", True, ())
        assert sync.servers == []

    played(address, play)


def test_the_clock_is_set_to_the_microsecond_once_time_servers_are_off(address: str) -> None:
    noon = datetime(2026, 6, 1, 12, 0, 0, 250_001, tzinfo=UTC)

    async def play(daemon: TimeDaemon, date: TimeDate, sync: TimeSync) -> None:
        with pytest.raises(TimeFault, match="Automatic time sync is enabled"):
            await daemon.set(noon)
        await daemon.follow("Etc/UTC", False, ("192.0.2.1",))
        await daemon.set(noon)
        assert date.set_to == 1_780_315_200_250_001
        assert (await daemon.told()).ntp is False

    played(address, play)


def test_what_systemd_refuses_is_one_sentence(address: str) -> None:
    async def play(daemon: TimeDaemon, date: TimeDate, sync: TimeSync) -> None:
        with pytest.raises(TimeFault, match=r"timedate1: Invalid or not installed time zone$"):
            await daemon.follow("Mars/Olympus", True, ())
        assert date.zone == "Etc/UTC"

    played(address, play)


def test_a_zone_that_systemd_does_not_have_keeps_no_clock_from_being_set(address: str) -> None:
    async def play(daemon: TimeDaemon, date: TimeDate, sync: TimeSync) -> None:
        date.ntp = False
        with pytest.raises(TimeFault, match="Invalid or not installed time zone"):
            await daemon.follow("Mars/Olympus", True, ("192.0.2.1",))
        assert (date.zone, date.ntp, sync.servers) == ("Etc/UTC", True, ["192.0.2.1"])

    played(address, play)


def test_a_bus_that_is_not_there_is_one_sentence_and_is_found_when_it_comes(tmp_path: Path, address: str) -> None:
    async def lost() -> None:
        daemon: Any = TimeDaemon(f"unix:path={tmp_path / 'nothing'}")
        with pytest.raises(TimeFault, match="the system bus cannot be reached"):
            await daemon.told()
        daemon._bus._address = address
        with pytest.raises(TimeFault, match="was not provided by any"):
            await daemon.told()
        await daemon.close()

    asyncio.run(lost())
