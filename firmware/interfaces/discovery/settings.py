"""Parameters of discovery: the group `discovery`. Manual 001, System, Network: Network discovery protocols."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator

from firmware.core.actions import Level
from firmware.core.params import Group, param

LONGEST_BYTES = 63  # of a label of DNS (RFC 1035, 2.3.4)


def _checked(name: str) -> str:
    if not name.isprintable():
        raise ValueError("has signs that cannot be printed")
    if len(name.encode()) > LONGEST_BYTES:
        raise ValueError(f"is longer than {LONGEST_BYTES} bytes of UTF-8")
    return name.strip()


Name = Annotated[str, AfterValidator(_checked)]


class DiscoverySettings(Group):
    """How programs on the same network find this device; an empty name is product and serial number."""

    group: ClassVar[str] = "discovery"
    level: ClassVar[Level] = Level.ADMIN

    mdns: bool = param(True, "Let programs find the device by multicast DNS (DNS-SD).")
    mdns_name: Name = param("", "The name shown by multicast DNS; empty: product and serial number.")
    ssdp: bool = param(True, "Let programs find the device by SSDP (UPnP).")
    ssdp_name: Name = param("", "The name shown by UPnP; empty: product and serial number.")
    ws_discovery: bool = param(True, "Let programs find the device by WS-Discovery.")
