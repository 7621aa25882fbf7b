"""`network_settings.cgi`: how the network is, and how it is to be: the parameter group `network` in other words.

One wired adapter is set up, with one address of each version of IP; what asks for more than that is refused whole.
A change is answered first and applied a moment later (docs/network.md).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.vocabulary.system import NetworkPhase, NetworkSetup
from firmware.interfaces.net.adapters import Adapter, adapters, default_router, name_servers
from firmware.interfaces.vapix.envelope import NETWORK, Call, JsonApi, Method, Refusal

GROUP = "network"
# Nothing of these is in the device; a client that knows them is told so, and not that they are unknown.
NOT_HERE = {
    "setWired8021XConfiguration": "802.1X",
    "setDeviceConfiguration": "settings of the adapter itself",
    "setGlobalProxyConfiguration": "a proxy for all of the device",
    "addVlan": "VLANs",
    "removeVlan": "VLANs",
}


class NetworkApi:
    """The address."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def api(self) -> JsonApi:
        """Its methods."""
        setters = {
            "setHostnameConfiguration": self._host_name,
            "setResolverConfiguration": self._resolver,
            "setIPv4AddressConfiguration": self._ipv4,
            "setIPv6AddressConfiguration": self._ipv6,
        }
        return JsonApi(
            id="network-settings",
            name="Network Settings",
            path="/axis-cgi/network_settings.cgi",
            codes=NETWORK,
            methods={
                "getNetworkInfo": Method(run=self._told, level=Level.ADMIN),
                **{name: Method(run=run, level=Level.ADMIN) for name, run in setters.items()},
                **dict.fromkeys(NOT_HERE, Method(run=self._not_here, level=Level.ADMIN)),
            },
        )

    # as it is

    async def _told(self, call: Call) -> Mapping[str, Any]:
        settings = await self._core.link.read(GROUP, call.caller)
        return {"system": _system(settings), "devices": self._devices(settings)}

    def _devices(self, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
        ours, router = self._adapter(), default_router()
        there = [each for each in adapters() if not each.loopback]
        if ours and all(each.name != ours for each in there):  # the adapter of a simulated device
            there.append(Adapter(name=ours, mac="", up=True, ipv4=(), ipv6=()))
        found = []
        for each in there:
            device = device_of(each, router)
            if each.name == ours:
                device["IPv4"] |= _wished4(settings)
                device["IPv6"] |= _wished6(settings)
            found.append(device)
        return found

    def _adapter(self) -> str:
        setup = self._core.bus.state(NetworkSetup)
        return setup.adapter if setup is not None else ""

    # as it is to be

    async def _host_name(self, call: Call) -> Mapping[str, Any]:
        automatic = call.flag("useDhcpHostname", not call.has("staticHostname"))
        name = call.text("staticHostname", "")
        if not automatic and not name:
            raise Refusal(call.codes.missing, "Missing parameter: staticHostname")
        if automatic and name:
            raise Refusal(call.codes.invalid, f"staticHostname: {name!r:.60} does not go with useDhcpHostname true")
        return await self._change(call, {"host_name": name})

    async def _resolver(self, call: Call) -> Mapping[str, Any]:
        servers = _texts(call, "staticNameServers") if call.has("staticNameServers") else []
        automatic = call.flag("useDhcpResolverInfo", not servers)
        if automatic and servers:
            raise Refusal(call.codes.invalid, "staticNameServers: there are some, and useDhcpResolverInfo is true")
        if not automatic and not servers:
            raise Refusal(call.codes.missing, "Missing parameter: staticNameServers")
        wish: dict[str, Any] = {"dns": servers}
        if call.has("staticSearchDomains"):
            wish["search"] = _texts(call, "staticSearchDomains")
        return await self._change(call, wish)

    async def _ipv4(self, call: Call) -> Mapping[str, Any]:
        self._check_device(call)
        if not call.flag("enabled", True):
            raise Refusal(call.codes.invalid, "enabled: IPv4 cannot be switched off on this device")
        wish: dict[str, Any] = {}
        if call.has("configurationMode"):
            wish["boot_proto"] = call.choice("configurationMode", ("dhcp", "static"))
        if call.has("staticDefaultRouter"):
            wish["router"] = call.text("staticDefaultRouter")
        if call.has("staticAddressConfigurations"):
            address, prefix = _one(call, most=32)
            wish |= {"address": address, "mask": str(IPv4Network(f"0.0.0.0/{prefix}").netmask)}
        if not wish:
            raise Refusal(call.codes.missing, "Missing parameter: configurationMode")
        return await self._change(call, wish)

    async def _ipv6(self, call: Call) -> Mapping[str, Any]:
        self._check_device(call)
        wish: dict[str, Any] = {}
        if call.has("staticAddressConfigurations") and call.items("staticAddressConfigurations"):
            address, prefix = _one(call, most=128)
            wish |= {"ipv6": "static", "ipv6_address": f"{address}/{prefix}"}
        if call.has("staticDefaultRouter"):
            wish["ipv6_router"] = call.text("staticDefaultRouter")
        by_router = call.flag("acceptRouterAdvertisements", wish.get("ipv6") != "static")
        if by_router and wish.get("ipv6") == "static":
            message = "acceptRouterAdvertisements: a static address stands alone on this device"
            raise Refusal(call.codes.invalid, message)
        enabled = call.flag("enabled", True)
        if enabled and not by_router and "ipv6" not in wish:
            raise Refusal(call.codes.missing, "Missing parameter: staticAddressConfigurations")
        wish["ipv6"] = "off" if not enabled else "auto" if by_router else "static"
        return await self._change(call, wish)

    async def _not_here(self, call: Call) -> Mapping[str, Any]:
        raise Refusal(call.codes.method, f"{call.method}: this device has no {NOT_HERE[call.method]}")

    def _check_device(self, call: Call) -> None:
        self._check_available(call)
        name, ours = call.text("deviceName"), self._adapter()
        if name != ours:
            raise Refusal(call.codes.invalid, f"deviceName: {name!r:.60} is not set up here; {ours or 'no adapter'} is")

    def _check_available(self, call: Call) -> None:
        setup = self._core.bus.state(NetworkSetup)
        if setup is None or setup.phase is NetworkPhase.UNAVAILABLE:
            why = setup.reason if setup is not None else "the device is starting"
            raise Refusal(call.codes.internal, f"{call.method}: nothing was changed: {why}")

    async def _change(self, call: Call, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """All of it or nothing. Raises Refusal where nobody could apply it, and Invalid."""
        self._check_available(call)
        await self._core.link.change(GROUP, wish, call.caller)
        return {}


def _texts(call: Call, name: str) -> list[str]:
    found = call.items(name, most=16)
    for each in found:
        if not isinstance(each, str):
            raise call.invalid(name, each)
    return found


def _one(call: Call, *, most: int) -> tuple[str, int]:
    """The one static address of a list, and its prefix in bits. Raises Refusal."""
    name = "staticAddressConfigurations"
    listed = call.items(name)
    if len(listed) != 1:
        raise Refusal(call.codes.invalid, f"{name}: {len(listed)} addresses; this device has one of each kind")
    entry = listed[0]
    address, prefix = (entry.get("address"), entry.get("prefixLength")) if isinstance(entry, dict) else (None, None)
    if not isinstance(address, str):
        raise call.invalid(f"{name}.address", address)
    if not isinstance(prefix, int) or isinstance(prefix, bool) or not 1 <= prefix <= most:
        raise Refusal(call.codes.invalid, f"{name}.prefixLength: {prefix!r:.60} is not a number from 1 to {most}")
    return address, prefix


def _system(settings: Mapping[str, Any]) -> dict[str, Any]:
    name, servers, own = socket.gethostname(), list(name_servers()), list(settings["dns"])
    search = list(settings["search"])
    return {
        "hostname": {
            "useDhcpHostname": not settings["host_name"],
            "hostname": name,
            "staticHostname": settings["host_name"] or name,
        },
        "resolver": {
            "useDhcpResolverInfo": not own,
            "nameServers": servers,
            "staticNameServers": own,
            "searchDomains": search,
            "staticSearchDomains": search,
            "domainName": "",
        },
    }


def _wished4(settings: Mapping[str, Any]) -> dict[str, Any]:
    static = []
    if settings["address"]:
        network = IPv4Network(f"{settings['address']}/{settings['mask']}", strict=False)
        broadcast = str(network.broadcast_address)
        static = [{"address": settings["address"], "prefixLength": network.prefixlen, "broadcast": broadcast}]
    return {
        "enabled": True,
        "configurationMode": settings["boot_proto"],
        "staticDefaultRouter": settings["router"],
        "staticAddressConfigurations": static,
    }


def _wished6(settings: Mapping[str, Any]) -> dict[str, Any]:
    address, _, prefix = settings["ipv6_address"].partition("/")
    return {
        "enabled": settings["ipv6"] != "off",
        "acceptRouterAdvertisements": settings["ipv6"] == "auto",
        "staticDefaultRouter": settings["ipv6_router"],
        "staticAddressConfigurations": [{"address": address, "prefixLength": int(prefix)}] if address else [],
    }


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
