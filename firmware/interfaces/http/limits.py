"""How patient the HTTP server is, and how much it takes: the numbers of hardening rows 32 and 33."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol


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


class Waiting(Protocol):
    """A connection that nobody works for: its client has yet to send something."""

    @property
    def place(self) -> str:
        """Where it comes from."""

    def give_way(self) -> None:
        """End at once, for somebody else's sake."""


class Gauge:
    """Connections by the address they come from; an IPv6 host is its /64.

    Where there are too many already, one that waits for its client gives way to a newcomer: the oldest of the same
    place when that has its share, the oldest of the place that holds most when the house is full. So whoever opens
    connections and says nothing keeps nobody out, not even from behind the same address (hardening row 32).
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_place: Counter[str] = Counter()
        self._waiting: dict[Waiting, None] = {}
        self.total = 0

    def waits(self, connection: Waiting) -> None:
        """A connection waits for its client, from now on."""
        self._waiting.pop(connection, None)
        self._waiting[connection] = None

    def works(self, connection: Waiting) -> None:
        """Somebody works for it, or it has ended."""
        self._waiting.pop(connection, None)

    def _make_room(self, place: str) -> bool:
        """Whether a connection gave way: the oldest of the place that waits most, or of the newcomer's own."""
        most = max(self._waiting, key=lambda each: self._by_place[each.place], default=None)
        if most is None:
            return False
        return self._end_of(most.place if self._by_place[most.place] > self._by_place[place] else place)

    def _end_of(self, place: str) -> bool:
        """End the connection of a place that has waited longest; False when somebody works for all of them."""
        oldest = next((each for each in self._waiting if each.place == place), None)
        if oldest is None:
            return False
        del self._waiting[oldest]
        oldest.give_way()
        return True

    def enter(self, address: str) -> bool:
        """Count a connection in; False when there are too many, and then it is not counted."""
        place = place_of(address)
        if self._by_place[place] >= self._limits.per_address and not self._end_of(place):
            return False
        if self.total >= self._limits.connections and not self._make_room(place):
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


@lru_cache(1024)
def place_of(address: str) -> str:
    """What one client can be assumed to own: an IPv4 address, or the /64 around an IPv6 one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
