"""The network identity of the device: the parameter group `network`, the one that a restore keeps.

Manuals, "Maintenance", Restore: boot protocol, static address, default router, subnet mask, 802.1X, cloud
connection and DNS server survive, nothing else. The values are checked here; `network_service.py` applies them,
the network role follows `cloud` (docs/cloud.md).
"""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    ip_address,
)
from typing import Annotated, ClassVar

from pydantic import AfterValidator, model_validator

from firmware.core.params import Group, Scope, param

LONGEST = 15  # of an IPv4 address in text, such as 255.255.255.255
SHORTEST_S = 10  # in which somebody may come by the new address
LATER = "Kept; nothing of this version applies it."
# RFC 1123, 2.1: letters, digits and hyphens, no hyphen at an end.
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"


class BootProtocol(StrEnum):
    """Where the IPv4 address comes from."""

    DHCP = "dhcp"
    STATIC = "static"


class Ipv6(StrEnum):
    """Where IPv6 addresses come from: routers on the network (and DHCP where they say so), here, or nowhere."""

    AUTO = "auto"
    STATIC = "static"
    OFF = "off"


class Cloud(StrEnum):
    """When the device looks for its cloud service: after a press of the control button, always, or never."""

    ONE_CLICK = "one_click"
    ALWAYS = "always"
    NO = "no"


def _address(text: str) -> str:
    if not text:
        return text
    try:
        address = IPv4Address(text)
    except AddressValueError:
        raise ValueError(f"{text[: LONGEST + 5]!r} is not an IPv4 address, such as 192.168.0.90") from None
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        raise ValueError(f"{text} is not the address of a host")
    return text


def _mask(text: str) -> str:
    try:
        network = IPv4Network(f"0.0.0.0/{text}")
    except ValueError:
        raise ValueError(f"{text[: LONGEST + 5]!r} is not a subnet mask, such as 255.255.255.0") from None
    if str(network.netmask) != text or network.prefixlen == 0:
        raise ValueError(f"{text!r} is not a subnet mask, such as 255.255.255.0")
    return text


def _server(text: str) -> str:
    """A name server, IPv4 or IPv6; an empty text is told apart by the group."""
    if ":" not in text:
        return _address(text)
    return str(_host6(text, text))


def _host6(text: str, whole: str) -> IPv6Address:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise ValueError(f"{whole[:50]!r} is not an IPv6 address, such as 2001:db8::90") from None
    if address.is_multicast or address.is_unspecified or address.is_loopback or address.scope_id is not None:
        raise ValueError(f"{whole[:60]} is not the address of a host")
    return address


def _address6(text: str) -> str:
    if not text:
        return text
    plain, slash, length = text.partition("/")
    if not slash or not re.fullmatch("[0-9]{1,3}", length) or not 1 <= int(length) <= 128:
        raise ValueError(f"{text[:50]!r} is not an IPv6 address with its prefix, such as 2001:db8::90/64")
    return f"{_host6(plain, text)}/{int(length)}"


def _router6(text: str) -> str:
    return str(_host6(text, text)) if text else text


def _host_name(text: str) -> str:
    if text and (len(text) > 63 or not re.fullmatch(LABEL, text)):
        raise ValueError(
            f"{text[:70]!r} is not a host name: letters, digits and hyphens, at most 63, no hyphen at an end"
        )
    return text


def _domain(text: str) -> str:
    if len(text) > 253 or not re.fullmatch(rf"{LABEL}(?:\.{LABEL})*", text):
        raise ValueError(f"{text[:70]!r} is not a domain, such as example.com")
    return text


Address = Annotated[str, AfterValidator(_address)]
Mask = Annotated[str, AfterValidator(_mask)]
Server = Annotated[str, AfterValidator(_server)]
Address6 = Annotated[str, AfterValidator(_address6)]
Router6 = Annotated[str, AfterValidator(_router6)]
HostName = Annotated[str, AfterValidator(_host_name)]
Domain = Annotated[str, AfterValidator(_domain)]


class NetworkSettings(Group):
    """Address, router, names, 802.1X and cloud connection."""

    group: ClassVar[str] = "network"

    boot_proto: BootProtocol = param(BootProtocol.DHCP, "IPv4 address by DHCP or static.", scope=Scope.KEEP)
    address: Address = param("", "The static IPv4 address.", scope=Scope.KEEP)
    mask: Mask = param("255.255.255.0", "The subnet mask of a static address.", scope=Scope.KEEP)
    router: Address = param("", "The default router of a static address.", scope=Scope.KEEP)
    ipv6: Ipv6 = param(Ipv6.AUTO, "IPv6 addresses as routers say, static, or none.", scope=Scope.KEEP)
    ipv6_address: Address6 = param(
        "", "The static IPv6 address with its prefix, such as 2001:db8::90/64.", scope=Scope.KEEP
    )
    ipv6_router: Router6 = param("", "The IPv6 router of a static address.", scope=Scope.KEEP)
    dns: tuple[Server, ...] = param(
        (), "DNS servers, the first asked first; none: those that DHCP names.", scope=Scope.KEEP, max_length=3
    )
    search: tuple[Domain, ...] = param(
        (), "Domains that names without a dot are looked for in; none: those that DHCP names.", max_length=6
    )
    host_name: HostName = param("", "The name of this device in the network; empty: what the system or DHCP says.")
    confirm_within_s: int = param(
        120, "A change is taken back unless an administrator reaches the device within this time; 0: never.",
        ge=0, le=3600,
    )  # fmt: skip
    ieee8021x: bool = param(False, f"Whether the port is opened by 802.1X. {LATER}", scope=Scope.KEEP)
    ieee8021x_identity: str = param("", f"Who this device is for 802.1X. {LATER}", scope=Scope.KEEP, max_length=128)
    cloud: Cloud = param(
        Cloud.ONE_CLICK, "When to connect to the dispatcher of the group `cloud`: docs/cloud.md.", scope=Scope.KEEP
    )

    @model_validator(mode="after")
    def _fits_together(self) -> NetworkSettings:
        if any(not server for server in self.dns):
            raise ValueError("dns: an empty text is no server")
        if self.boot_proto is BootProtocol.STATIC and not self.address:
            raise ValueError("boot_proto static needs an address")
        if self.ieee8021x and not self.ieee8021x_identity:
            raise ValueError("ieee8021x needs ieee8021x_identity")
        if self.ipv6 is Ipv6.STATIC and not self.ipv6_address:
            raise ValueError("ipv6 static needs ipv6_address")
        if 0 < self.confirm_within_s < SHORTEST_S:
            raise ValueError(f"confirm_within_s: at least {SHORTEST_S}, or 0 for never")
        self._check4()
        self._check6()
        return self

    def _check4(self) -> None:
        if not self.address:
            return
        network = IPv4Network(f"{self.address}/{self.mask}", strict=False)
        if network.prefixlen < 31 and self.address in (str(network.network_address), str(network.broadcast_address)):
            raise ValueError(f"address: {self.address} with mask {self.mask} is no host of its network")
        if self.router and (IPv4Address(self.router) not in network or self.router == self.address):
            raise ValueError(f"router: {self.router} is not another host of {network}")

    def _check6(self) -> None:
        if not self.ipv6_address or not self.ipv6_router:
            return
        here, router = IPv6Interface(self.ipv6_address), ip_address(self.ipv6_router)
        # A router is nearly always known by its link-local address, which is in no prefix of ours.
        if router == here.ip or not (router.is_link_local or router in here.network):
            raise ValueError(f"ipv6_router: {router} is not another host of {here.network}")
