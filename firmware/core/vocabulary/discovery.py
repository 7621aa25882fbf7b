"""Words of discovery: how the device can be found on its network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from firmware.core.events import State, topic


@topic("network/discovery")
@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryState(State):
    """One protocol (mdns, ssdp, ws_discovery): the adapters it answers at, the name it shows, its trouble in words.

    `ipv6` are the adapters at which it answers over IPv6 as well, or alone.
    `host` is the name of multicast DNS without `.local`; another than the usual one when somebody else had that.
    Each adapter and version of IP gets its own: `also` are those that differ from the first.
    """

    keys: ClassVar[tuple[str, ...]] = ("protocol",)
    protocol: str
    adapters: tuple[str, ...]
    name: str
    host: str = ""
    ipv6: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    trouble: str = ""
