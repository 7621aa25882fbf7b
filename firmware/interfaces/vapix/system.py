"""Time, network, finding the device, applications and what REST interfaces there are, for programs."""

from __future__ import annotations

import functools
import os
import socket
import time
import zoneinfo
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.interfaces.net.adapters import Adapter, adapters, default_router, name_servers
from firmware.interfaces.vapix.asked import Address, Asked, plain
from firmware.interfaces.vapix.device import identity
from firmware.interfaces.vapix.envelope import NETWORK, NEWER, Call, JsonApi, Method, Refusal

DISCOVER = "/config/discover"
LAST_YEAR = 2069
LOCALTIME = "/etc/localtime"
FIND_S = 30.0
LONGEST_FIND_S = 3600.0
NO_APPLICATION = "Error: 4\n"  # the number clients know for an application that is not there
SETTERS = ("setDateTime", "setTimeZone", "setPosixTimeZone", "resetTimeZone")
NETWORK_SETTERS = (
    "setHostnameConfiguration",
    "setResolverConfiguration",
    "setIPv4AddressConfiguration",
    "setIPv6AddressConfiguration",
    "setWired8021XConfiguration",
    "setDeviceConfiguration",
    "setGlobalProxyConfiguration",
    "addVlan",
    "removeVlan",
)


class SystemApis:
    """The addresses."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def apis(self) -> tuple[JsonApi, ...]:
        """The JSON addresses."""
        refused = Method(run=self._no_setting, level=Level.OPERATOR)
        return (
            JsonApi(
                id="time-service",
                name="Time API",
                path="/axis-cgi/time.cgi",
                codes=NETWORK,
                methods={
                    "getDateTimeInfo": Method(run=self._now),
                    "getAll": Method(run=self._all),
                    **dict.fromkeys(SETTERS, refused),
                },
            ),
            JsonApi(
                id="network-settings",
                name="Network Settings",
                path="/axis-cgi/network_settings.cgi",
                codes=NETWORK,
                methods={
                    "getNetworkInfo": Method(run=self._network, level=Level.ADMIN),
                    **dict.fromkeys(NETWORK_SETTERS, Method(run=self._no_network, level=Level.ADMIN)),
                },
            ),
            JsonApi(
                id="find-my-device",
                name="Find My Device",
                path="/axis-cgi/findmydevice.cgi",
                codes=NEWER,
                methods={
                    "find": Method(run=self._find, level=Level.OPERATOR),
                    "stop": Method(run=self._stop, level=Level.OPERATOR),
                },
            ),
        )

    def addresses(self) -> tuple[Address, ...]:
        """The others."""
        return (
            Address(path="/axis-cgi/applications/list.cgi", endpoint=self._applications, level=Level.VIEWER),
            Address(path="/axis-cgi/applications/control.cgi", endpoint=self._no_application, level=Level.ADMIN),
            Address(path=DISCOVER, endpoint=self._discover, level=Level.VIEWER, methods=("GET",)),
        )

    async def _now(self, _: Call) -> Mapping[str, Any]:
        utc = self._core.clock.utc()
        local = utc.astimezone()
        data: dict[str, Any] = {
            "dateTime": utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "localDateTime": local.strftime("%Y-%m-%dT%H:%M:%S"),
            "maxYearSupported": LAST_YEAR,
            "posixTimeZone": posix_zone(local),
            "dstEnabled": bool(time.daylight),
        }
        zone = zone_name()
        if zone:
            data["timeZone"] = zone
        return data

    async def _all(self, call: Call) -> Mapping[str, Any]:
        return {**await self._now(call), "timeZones": zones()}

    async def _no_setting(self, call: Call) -> Mapping[str, Any]:
        message = f"{call.method}: the time of this device is that of its system, which no service sets"
        raise Refusal(call.codes.method, message)

    async def _no_network(self, call: Call) -> Mapping[str, Any]:
        message = f"{call.method}: the network of this device is set up by its system, which no service changes"
        raise Refusal(call.codes.method, message)

    async def _network(self, _: Call) -> Mapping[str, Any]:
        name, servers = socket.gethostname(), list(name_servers())
        return {
            "system": {
                "hostname": {"useDhcpHostname": False, "hostname": name, "staticHostname": name},
                "resolver": {
                    "useDhcpResolverInfo": False,
                    "nameServers": servers,
                    "staticNameServers": servers,
                    "searchDomains": [],
                    "staticSearchDomains": [],
                    "domainName": "",
                },
            },
            "devices": [device_of(each, default_router()) for each in adapters() if not each.loopback],
        }

    async def _find(self, call: Call) -> Mapping[str, Any]:
        """The device lets itself be seen, and heard where it can, for `duration` seconds."""
        duration_s = call.number("duration", FIND_S, least=1, most=LONGEST_FIND_S)
        await self._core.link.command("device.locate", {"duration_s": duration_s}, call.caller)
        return {}

    async def _stop(self, call: Call) -> Mapping[str, Any]:
        await self._core.link.command("device.locate_stop", {}, call.caller)
        return {}

    async def _applications(self, _: Asked) -> Response:
        """None: this device runs no programs of others."""
        return plain('<?xml version="1.0" encoding="utf-8"?>\n<reply result="ok"/>\n', kind="text/xml; charset=utf-8")

    async def _no_application(self, _: Asked) -> Response:
        return plain(NO_APPLICATION)

    async def _discover(self, _: Asked) -> Response:
        """The REST interfaces: the native one, with its description."""
        native = {
            "state": "released",
            "version": identity(self._core).version,
            "rest_api": "/api/v1",
            "rest_openapi": "/api/v1/openapi.json",
        }
        return JSONResponse({"apis": {"lintel": {"v1": native}}})


def device_of(adapter: Adapter, router: str) -> dict[str, Any]:
    """An adapter as getNetworkInfo lists it."""
    v4 = [
        {
            "address": str(each.ip),
            "prefixLength": each.network.prefixlen,
            "origin": "system",
            "scope": "link" if each.ip.is_link_local else "global",
            "broadcast": str(each.network.broadcast_address),
        }
        for each in adapter.ipv4
    ]
    v6 = [
        {
            "address": str(each.ip),
            "prefixLength": each.network.prefixlen,
            "origin": "system",
            "scope": "link" if each.ip.is_link_local else "global",
        }
        for each in adapter.ipv6
    ]
    mac = ":".join(adapter.mac[place : place + 2] for place in range(0, len(adapter.mac), 2))
    return {
        "name": adapter.name,
        "type": "wired",
        "macAddress": mac,
        "link": adapter.up,
        "state": "up" if adapter.up else "down",
        "IPv4": {"enabled": bool(v4), "addresses": v4, "defaultRouter": router if v4 else ""},
        "IPv6": {"enabled": bool(v6), "addresses": v6},
    }


def zone_name() -> str:
    """The time zone by its name in the tz database; empty when the system does not say."""
    named = os.environ.get("TZ", "").lstrip(":")
    if named:
        return named if named in zones() else ""
    found = os.path.realpath(LOCALTIME).partition("/zoneinfo/")[2]
    return found if found in zones() else ""


@functools.cache
def zones() -> list[str]:
    """All names of the tz database that this system has."""
    return sorted(zoneinfo.available_timezones())


def posix_zone(local: datetime) -> str:
    """The offset that holds now, as POSIX writes it: west is positive (POSIX.1-2017, 8.3)."""
    offset = local.utcoffset()
    minutes = round(offset.total_seconds() / 60) if offset is not None else 0
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes > 0 else ""
    name = local.tzname() or "UTC"
    word = name if name.isalpha() else f"<{name}>"
    return f"{word}{sign}{hours}{f':{rest:02d}' if rest else ''}"
