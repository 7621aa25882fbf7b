"""Wishes for the network as a connection profile of NetworkManager; pure.

Names and kinds of the settings: NetworkManager reference, "nm-settings-dbus", 802-3-ethernet, ipv4 and ipv6.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv6Interface
from typing import Any

from dbus_fast import Variant

from firmware.system.network_port import Wanted

# Ours, whatever the adapter: found again after every start.
UUID = "6c696e74-656c-4e65-8077-6f726b000001"
PROFILE = "lintel"
NOTE = "lintel.wanted"
# Above the profiles an image may bring along, whose priority is 0.
PRIORITY = 100
# How long a static address is looked for on the network before it is taken (RFC 5227 probes for about this long).
DUPLICATES_MS = 2000

# What of a section is compared, and what NetworkManager takes where it is not said.
COMPARED = (
    "method", "address-data", "gateway", "dns", "dns-search", "ignore-auto-dns", "dad-timeout", "may-fail",
    "route-data", "never-default",
)  # fmt: skip
UNSAID = {"ignore-auto-dns": False, "dad-timeout": -1, "may-fail": True, "never-default": False}

Settings = dict[str, dict[str, Variant]]


def profile_of(wanted: Wanted, adapter: str) -> Settings:
    """The connection profile for these wishes at this adapter."""
    return {
        "connection": {
            "id": Variant("s", PROFILE),
            "uuid": Variant("s", UUID),
            "type": Variant("s", "802-3-ethernet"),
            "interface-name": Variant("s", adapter),
            "autoconnect": Variant("b", True),
            "autoconnect-priority": Variant("i", PRIORITY),
            "autoconnect-retries": Variant("i", 0),  # for ever: a device on a wall has nobody to try again
        },
        "802-3-ethernet": {},
        "ipv4": _ipv4(wanted),
        "ipv6": _ipv6(wanted),
        "user": {"data": Variant("a{ss}", {NOTE: wanted.text()})},
    }


def note_of(settings: dict[str, dict[str, Any]]) -> str:
    """The wishes that a profile was made of, as `Wanted.text`; empty when it is none of ours."""
    data = settings.get("user", {}).get("data")
    found = data.value if isinstance(data, Variant) else data
    return str(found.get(NOTE, "")) if isinstance(found, dict) else ""


def adapter_of(settings: dict[str, dict[str, Any]]) -> str:
    """The adapter that a profile is for; empty when it names none."""
    found = settings.get("connection", {}).get("interface-name")
    return str(found.value) if isinstance(found, Variant) else ""


def agrees(settings: dict[str, dict[str, Any]], wanted: Wanted, adapter: str) -> bool:
    """Whether a profile, or what an adapter was set up with, is ours for these wishes, its addresses unchanged."""
    ours = profile_of(wanted, adapter)
    named = _plain(settings.get("connection", {}).get("uuid")) == UUID and adapter_of(settings) == adapter
    parts = all(_part(settings.get(version, {})) == _part(ours[version]) for version in ("ipv4", "ipv6"))
    return named and note_of(settings) == wanted.text() and parts


def _part(section: dict[str, Any]) -> dict[str, Any]:
    """What decides on addresses and names in a section, without what is as it would be unsaid."""
    found = {name: _plain(section.get(name)) for name in COMPARED}
    return {name: value for name, value in found.items() if value not in (None, [], "", UNSAID.get(name))}


def _plain(value: Any) -> Any:
    if isinstance(value, Variant):
        return _plain(value.value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def rank(adapter: str, ours: str) -> tuple[bool, bool, bool, str]:
    """The adapter with the lowest is set up: the one that our profile is for, then those on the board, then others.

    An adapter on USB that nothing names better is `enx` and its hardware address (systemd.net-naming-scheme(7)).
    """
    on_board = adapter == "eth0" or adapter.startswith(("end", "eno"))
    return adapter != ours, not on_board, adapter.startswith("enx"), adapter


def _ipv4(wanted: Wanted) -> dict[str, Variant]:
    found = _names(wanted, 4)
    if wanted.ipv4 == "dhcp":
        return {**found, "method": Variant("s", "auto")}
    found |= _addresses(wanted.address, wanted.prefix)
    found |= {"gateway": Variant("s", wanted.router)} if wanted.router else {}
    found["dad-timeout"] = Variant("i", DUPLICATES_MS)
    return {**found, "method": Variant("s", "manual"), "may-fail": Variant("b", False)}


def _ipv6(wanted: Wanted) -> dict[str, Variant]:
    if wanted.ipv6 == "off":
        return {"method": Variant("s", "disabled")}
    found = _names(wanted, 6)
    if wanted.ipv6 == "auto":
        return {**found, "method": Variant("s", "auto")}
    here = IPv6Interface(wanted.address6)
    found |= _addresses(str(here.ip), here.network.prefixlen)
    found |= {"gateway": Variant("s", wanted.router6)} if wanted.router6 else {}
    return {**found, "method": Variant("s", "manual")}


def _addresses(address: str, prefix: int) -> dict[str, Variant]:
    only = {"address": Variant("s", address), "prefix": Variant("u", prefix)}
    return {"address-data": Variant("aa{sv}", [only])}


def _names(wanted: Wanted, version: int) -> dict[str, Variant]:
    """Name servers of one version of IP; whoever names some wants no others."""
    found: dict[str, Variant] = {}
    if wanted.dns:
        found["ignore-auto-dns"] = Variant("b", True)
    if version == 4:
        servers = [struct.unpack("=I", socket.inet_aton(each))[0] for each in wanted.dns if ":" not in each]
        found |= {"dns": Variant("au", servers)} if servers else {}
        found |= {"dns-search": Variant("as", list(wanted.search))} if wanted.search else {}
    else:
        six = [socket.inet_pton(socket.AF_INET6, each) for each in wanted.dns if ":" in each]
        found |= {"dns": Variant("aay", six)} if six else {}
    return found
