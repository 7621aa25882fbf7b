"""How patient the HTTP server is, and how much it takes: the numbers of hardening rows 32 and 33."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long a client may take, in seconds.

    `headers_s` from the first byte (or the connection) to the last header; after `body_grace_s` a body must
    have come at `body_floor_bytes_s` on average; `idle_s` between requests; `write_stall_s` without taking
    what was written; `shutdown_s` to end by itself when the server stops.
    """

    headers_s: float = 10.0
    body_grace_s: float = 5.0
    body_floor_bytes_s: float = 500.0
    idle_s: float = 15.0
    write_stall_s: float = 20.0
    shutdown_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is taken: connections, header and body bytes, and what waits to be written to one client.

    `uploads` gives paths whose bodies may be larger; their endpoints read them piece by piece.
    """

    per_address: int = 32
    connections: int = 256
    header_bytes: int = 32 * 1024
    header_count: int = 100
    body_bytes: int = 1024 * 1024
    uploads: Mapping[bytes, int] = field(default_factory=dict)
    pipelined: int = 4
    write_buffer_bytes: int = 16 * 1024
    socket_buffer_bytes: int = 64 * 1024
    message_bytes: int = 4 * 1024

    def body_of(self, target: bytes) -> int:
        """The most bytes a request with this target (path and query) may have in its body."""
        return self.uploads.get(target.partition(b"?")[0], self.body_bytes)


class Gauge:
    """Connections by the address they come from; an IPv6 host is its /64."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_place: Counter[str] = Counter()
        self.total = 0

    def enter(self, address: str) -> bool:
        """Count a connection in; False when there are too many, and then it is not counted."""
        place = place_of(address)
        if self.total >= self._limits.connections or self._by_place[place] >= self._limits.per_address:
            return False
        self._by_place[place] += 1
        self.total += 1
        return True

    def leave(self, address: str) -> None:
        """Count a connection out."""
        place = place_of(address)
        self._by_place[place] -= 1
        if self._by_place[place] <= 0:
            del self._by_place[place]
        self.total -= 1


def place_of(address: str) -> str:
    """What one client can be assumed to own: an IPv4 address, or the /64 around an IPv6 one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
