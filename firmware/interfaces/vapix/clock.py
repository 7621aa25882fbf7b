"""`time.cgi` and `ntp.cgi`: clock, time zone and time servers: groups `place` and `clock`, action `clock.set`.

A POSIX time zone is one without a name; the device knows zones by their names, so only those that name a whole offset
from UTC and no summer time are taken: they are the zones `Etc/GMT+N` of the tz database.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Refused
from firmware.core.vocabulary.system import ClockSetup
from firmware.core.zones import named_zones, offered
from firmware.interfaces.vapix.envelope import NETWORK, Call, JsonApi, Method, Refusal

LAST_YEAR = 2069
MOST_SERVERS = 5
PLACE, CLOCK = "place", "clock"
# POSIX.1-2017, 8.3: a name, and the hours west of Greenwich.
POSIX = re.compile(r"(?:[A-Za-z]{3,6}|<[A-Za-z0-9+-]{3,6}>)([+-]?)(\d{1,2})(?::00){0,2}")
NTP_DEFAULTS = {"minpoll": 6, "maxpoll": 10}  # of systemd's client: 32 to 2048 s, in powers of two as others say it


class TimeApis:
    """The addresses."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def apis(self) -> tuple[JsonApi, ...]:
        """Time and time servers."""
        setters = {
            "setDateTime": self._set,
            "setTimeZone": self._set_zone,
            "setPosixTimeZone": self._set_posix,
            "resetTimeZone": self._reset_zone,
        }
        return (
            JsonApi(
                id="time-service",
                name="Time API",
                path="/axis-cgi/time.cgi",
                codes=NETWORK,
                versions=("1.0", "1.1"),
                methods={
                    "getDateTimeInfo": Method(run=self._now),
                    "getAll": Method(run=self._all),
                    **{name: Method(run=run, level=Level.OPERATOR) for name, run in setters.items()},
                },
            ),
            JsonApi(
                id="ntp",
                name="NTP API",
                path="/axis-cgi/ntp.cgi",
                codes=NETWORK,
                methods={
                    "getNTPInfo": Method(run=self._servers, level=Level.ADMIN),
                    "setNTPClientConfiguration": Method(run=self._set_servers, level=Level.ADMIN),
                },
            ),
        )

    # the clock

    async def _now(self, call: Call) -> Mapping[str, Any]:
        utc = self._core.clock.utc()
        # Asked of its owner: the state follows a change only a moment later.
        zone = str((await self._core.link.read(PLACE, call.caller))["time_zone"])
        here = utc.astimezone(zoneinfo.ZoneInfo(zone))
        return {
            "dateTime": utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "localDateTime": here.strftime("%Y-%m-%dT%H:%M:%S"),
            "maxYearSupported": LAST_YEAR,
            "timeZone": zone,
            "posixTimeZone": posix_zone(here),
            "dstEnabled": _has_summer(here),
            "dhcpTimeZone": "",
            "dhcpTimeZoneUtilized": False,
        }

    async def _all(self, call: Call) -> Mapping[str, Any]:
        now = await self._now(call)
        return {**now, "timeZones": offered(now["timeZone"])}

    async def _set(self, call: Call) -> Mapping[str, Any]:
        text = call.text("dateTime")
        try:
            wish = datetime.fromisoformat(text)
        except ValueError:
            wish = None
        if wish is None or wish.tzinfo is None or not text.endswith("Z"):
            message = f"dateTime: {text!r:.60} is not an instant of UTC, such as 2026-01-31T12:00:00Z"
            raise Refusal(call.codes.invalid, message)
        try:
            await self._core.link.command("clock.set", {"now": wish.isoformat()}, call.caller)
        except Refused as error:
            raise Refusal(call.codes.invalid, f"dateTime: {error.message}") from None
        return {}

    # the zone

    async def _set_zone(self, call: Call) -> Mapping[str, Any]:
        return await self._zone(call, call.text("timeZone"))

    async def _set_posix(self, call: Call) -> Mapping[str, Any]:
        text = call.text("posixTimeZone")
        summer = call.flag("enableDst", False)
        found = POSIX.fullmatch(text)
        name = "" if found is None else named_posix(found[1], int(found[2]))
        if summer or not name:
            hint = "name a zone by setTimeZone for summer time and for other offsets"
            message = f"posixTimeZone: {text!r:.60} with enableDst {str(summer).lower()}: only whole hours; {hint}"
            raise Refusal(call.codes.invalid, message)
        return await self._zone(call, name)

    async def _reset_zone(self, call: Call) -> Mapping[str, Any]:
        return await self._zone(call, "UTC")

    async def _zone(self, call: Call, name: str) -> Mapping[str, Any]:
        await self._core.link.change(PLACE, {"time_zone": name}, call.caller)
        return {}

    # the servers

    async def _servers(self, call: Call) -> Mapping[str, Any]:
        settings = await self._core.link.read(CLOCK, call.caller)
        setup = self._core.bus.state(ClockSetup)
        return {
            "client": {
                "enabled": settings["ntp"],
                "NTSEnabled": False,
                "serversSource": "static",
                "maxSupportedStaticServers": MOST_SERVERS,
                "staticServers": list(settings["ntp_servers"]),
                "advertisedServers": [],
                "staticNTSKEServers": [],
                "NTSKEServerCACerts": [],
                "synced": bool(setup is not None and setup.synced),
                **NTP_DEFAULTS,
            }
        }

    async def _set_servers(self, call: Call) -> Mapping[str, Any]:
        if call.flag("NTSEnabled", False):
            raise Refusal(call.codes.invalid, "NTSEnabled: this device speaks NTP without NTS")
        if call.choice("serversSource", ("static", "DHCP"), "static") == "DHCP":
            raise Refusal(call.codes.invalid, "serversSource: servers that DHCP names are not used; static ones are")
        wish: dict[str, Any] = {}
        if call.has("enabled"):
            wish["ntp"] = call.flag("enabled")
        if call.has("staticServers"):
            wish["ntp_servers"] = call.items("staticServers", most=16)
        if not wish:
            raise Refusal(call.codes.missing, "Missing parameter: enabled")
        await self._core.link.change(CLOCK, wish, call.caller)
        return {}


def named_posix(sign: str, hours: int) -> str:
    """The zone of the tz database for whole hours from UTC, as POSIX and Etc/ both count them; empty for none."""
    if hours == 0:
        return "UTC"
    name = f"Etc/GMT{sign or '+'}{hours}"
    return name if name in named_zones() else ""


def posix_zone(here: datetime) -> str:
    """The offset that holds now, as POSIX writes it: west is positive (POSIX.1-2017, 8.3)."""
    offset = here.utcoffset()
    minutes = round(offset.total_seconds() / 60) if offset is not None else 0
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes > 0 else ""
    name = here.tzname() or "UTC"
    word = name if name.isalpha() else f"<{name}>"
    return f"{word}{sign}{hours}{f':{rest:02d}' if rest else ''}"


def _has_summer(here: datetime) -> bool:
    """Whether the zone has summer time in this year."""
    months = (here.replace(month=month, day=1, hour=12) for month in range(1, 13))
    return len({month.utcoffset() or timedelta() for month in months}) > 1
