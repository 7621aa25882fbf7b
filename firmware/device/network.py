"""The network identity of the device: the parameter group `network`, the one that a restore keeps.

Manuals, "Maintenance", Restore: boot protocol, static address, default router, subnet mask, 802.1X, cloud
connection and DNS server survive, nothing else. The values are checked and kept. The network role follows
`cloud` (docs/cloud.md); the service that applies the others to the system comes with the network.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Annotated, ClassVar

from pydantic import AfterValidator, model_validator

from firmware.core.params import Group, Scope, param

LONGEST = 15  # of an address in text, such as 255.255.255.255
LATER = "Kept for the network service, which applies it."


class BootProtocol(StrEnum):
    """Where the address comes from."""

    DHCP = "dhcp"
    STATIC = "static"


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


Address = Annotated[str, AfterValidator(_address)]
Mask = Annotated[str, AfterValidator(_mask)]


class NetworkSettings(Group):
    """Address, router, names, 802.1X and cloud connection."""

    group: ClassVar[str] = "network"

    boot_proto: BootProtocol = param(BootProtocol.DHCP, f"Address by DHCP or static. {LATER}", scope=Scope.KEEP)
    address: Address = param("", f"The static IPv4 address. {LATER}", scope=Scope.KEEP)
    mask: Mask = param("255.255.255.0", f"The subnet mask of a static address. {LATER}", scope=Scope.KEEP)
    router: Address = param("", f"The default router of a static address. {LATER}", scope=Scope.KEEP)
    dns: tuple[Address, ...] = param((), f"DNS servers, the first asked first. {LATER}", scope=Scope.KEEP, max_length=3)
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
        if not self.address:
            return self
        network = IPv4Network(f"{self.address}/{self.mask}", strict=False)
        if network.prefixlen < 31 and self.address in (str(network.network_address), str(network.broadcast_address)):
            raise ValueError(f"address: {self.address} with mask {self.mask} is no host of its network")
        if self.router and (IPv4Address(self.router) not in network or self.router == self.address):
            raise ValueError(f"router: {self.router} is not another host of {network}")
        return self
