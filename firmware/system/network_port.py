"""What the network service sees of whoever sets up the network: NetworkManager, or a stand-in in simulation."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Network
from typing import Any, Protocol

from firmware.system.network_settings import NetworkSettings


class NetworkFault(Exception):
    """The network could not be set up as wished; the message says why, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The part of the group `network` that the system is told; addresses are plain, prefixes in bits.

    `ipv4` is `dhcp` or `static`, `ipv6` is `auto`, `static` or `off`. An empty address belongs to no static one.
    """

    ipv4: str = "dhcp"
    address: str = ""
    prefix: int = 24
    router: str = ""
    ipv6: str = "auto"
    address6: str = ""
    router6: str = ""
    dns: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    host_name: str = ""

    def text(self) -> str:
        """All of it as one line, the same for the same wishes."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, text: str) -> Wanted | None:
        """What `text` was made of; None for anything else, such as a line of another version."""
        try:
            values = json.loads(text)
            found = cls(**{**values, "dns": tuple(values["dns"]), "search": tuple(values["search"])})
        except (ValueError, TypeError, KeyError):
            return None
        return found if found.text() == text else None


# The parameters behind `Wanted`: these are taken back when a change is.
APPLIED = (
    "boot_proto", "address", "mask", "router", "ipv6", "ipv6_address", "ipv6_router", "dns", "search", "host_name",
)  # fmt: skip


def wanted_of(settings: NetworkSettings) -> Wanted:
    """What the settings ask of the system."""
    static4, static6 = settings.boot_proto.value == "static", settings.ipv6.value == "static"
    return Wanted(
        ipv4=settings.boot_proto.value,
        address=settings.address if static4 else "",
        prefix=IPv4Network(f"0.0.0.0/{settings.mask}").prefixlen if static4 else 24,
        router=settings.router if static4 else "",
        ipv6=settings.ipv6.value,
        address6=settings.ipv6_address if static6 else "",
        router6=settings.ipv6_router if static6 else "",
        dns=settings.dns,
        search=settings.search,
        host_name=settings.host_name,
    )


def cuts_off(before: Wanted, after: Wanted) -> bool:
    """Whether a change of what is wanted could make the device unreachable: all but its names."""
    return replace(before, dns=(), search=(), host_name="") != replace(after, dns=(), search=(), host_name="")


def applied_values(settings: NetworkSettings) -> dict[str, Any]:
    """The parameters that are taken back, JSON-ready."""
    values = settings.model_dump(mode="json")
    return {name: values[name] for name in APPLIED}


class NetworkPort(Protocol):
    """Whoever sets up the network. Every call raises NetworkFault, and returns within a minute."""

    name: str

    async def adapter(self) -> str:
        """The wired adapter that the settings are for."""

    async def recover(self, token: str, names: frozenset[str]) -> None:
        """Go back from what a process before this one had begun under `token` (empty: nothing) and never kept.

        `names`: the host names that it may have set; a system that is called otherwise was named by somebody else.
        """

    async def told(self) -> Wanted:
        """What the system was told last, durably; the default when it was told nothing."""

    async def follows(self, wanted: Wanted) -> bool:
        """Whether the system follows just this, durably, or was told nothing and this is the default."""

    async def begin(self, within_s: float) -> str:
        """Remember the state now under the name that is answered, and come back to it by itself after `within_s`."""

    async def extend(self, token: str, within_s: float) -> None:
        """Come back `within_s` from now."""

    async def apply(self, wanted: Wanted) -> None:
        """Follow these wishes; returns when the addresses are there. Kept over a restart only after `keep`."""

    async def keep(self, token: str | None) -> None:
        """Stay with what was applied, also over a restart; forget the state remembered, if there is one."""

    async def go_back(self, token: str, before: Wanted) -> None:
        """Be as when `token` was made, which was `before`. Raises NetworkFault also when that is known no longer."""

    async def close(self) -> None:
        """Give back what it holds."""


DEFAULT = Wanted()
