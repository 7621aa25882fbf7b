"""The way in and out of one protocol at one adapter: who is listened to, and what of the answers is sent.

Only sources on the adapter's own network are listened to, by what is sent to the protocol's group; sockets are bound to
the group, so nothing that is addressed to the device alone, from wherever, is ever read.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from firmware.core.errors import Invalid
from firmware.interfaces.discovery.ration import OVERHEAD6_BYTES, OVERHEAD_BYTES, Ration
from hal.clock import Clock, Timer

# Of IPv6 with flow and scope, which has to be there to answer a link-local address.
Address = tuple[str, int] | tuple[str, int, int, int]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LARGEST_BYTES = 8192
MOST_PENDING = 64
LOWEST_PORT = 1024  # below are services that would take an answer for a question
IP_MULTICAST_ALL = 49  # linux/in.h
IPV6_MULTICAST_ALL = 29  # linux/in6.h

log = logging.getLogger("lintel.discovery")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Where a protocol speaks: its multicast address, its port, how many hops its packets live."""

    address: str
    port: int
    ttl: int

    @property
    def shown(self) -> str:
        """Where it is, as HTTP writes it."""
        return f"[{self.address.upper()}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One version of IP at one adapter: our address there, the networks on it, and for IPv6 the adapter's number."""

    address: str
    networks: tuple[Network, ...]
    index: int = 0

    @property
    def six(self) -> bool:
        """Whether it is of IPv6."""
        return ":" in self.address


class Listener(Protocol):
    """What a protocol does with a packet."""

    def heard(self, data: bytes, source: Address) -> None:
        """Read a packet. Raises Invalid for one that is not of the protocol."""


def is_near(source: Address, networks: Sequence[Network], port: int) -> bool:
    """Whether a source is on our own network and can have asked: nobody else is ever answered."""
    try:
        address = ipaddress.ip_address(source[0])
    except ValueError:
        return False
    if (source[1] < LOWEST_PORT and source[1] != port) or address.is_multicast:
        return False
    for network in networks:
        if address in network:
            ends = (network.network_address, network.broadcast_address)
            return network.version == 6 or network.prefixlen > 30 or address not in ends
    return address.is_link_local


class Post:
    """Takes packets in and sends answers, within the ration. `write` sends one datagram."""

    def __init__(
        self,
        clock: Clock,
        group: Group,
        networks: Sequence[Network],
        write: Callable[[bytes, Address], None],
        ration: Ration | None = None,
    ) -> None:
        self._clock = clock
        self.group = group
        self._networks = networks
        self._write = write
        self._ration = ration or Ration(overhead=OVERHEAD6_BYTES if ":" in group.address else OVERHEAD_BYTES)
        self._pending: set[Timer] = set()

    def arrive(self, data: bytes, source: Address, listener: Listener) -> None:
        """A packet came; who may be heard is handed to `listener`."""
        if len(data) > LARGEST_BYTES or not is_near(source, self._networks, self.group.port):
            return
        if not self._ration.hear(source[0], len(data), self._clock.now_ns()):
            return
        try:
            listener.heard(data, source)
        except Invalid as error:
            log.debug("%s:%d sent no %s: %s", source[0], source[1], type(listener).__name__, error)

    def say(self, data: bytes) -> bool:
        """Send to everybody; whether it went out."""
        if not self._ration.say(self._clock.now_ns()):
            return False
        self._write(data, (self.group.address, self.group.port))
        return True

    def answer(self, source: Address, candidates: Sequence[bytes], after_s: float = 0.0) -> None:
        """Send the first of `candidates` that the source's credit covers by then; none when it covers none."""

        def send() -> None:
            credit = self._ration.credit(source[0], self._clock.now_ns())
            data = next((each for each in candidates if len(each) <= credit), None)
            if data is not None and self._ration.spend(source[0], len(data), self._clock.now_ns()):
                self._write(data, source)

        self.later(after_s, send)

    def later(self, after_s: float, job: Callable[[], None]) -> bool:
        """Do something in a moment; False, and it is not done, when too much waits already."""
        if len(self._pending) >= MOST_PENDING:
            return False
        timer: Timer

        def fire() -> None:
            self._pending.discard(timer)
            job()

        timer = self._clock.call_later(after_s, fire)
        self._pending.add(timer)
        return True

    def close(self) -> None:
        """Forget what waits."""
        for timer in self._pending:
            timer.cancel()
        self._pending.clear()


class Ear(asyncio.DatagramProtocol):
    """Hands datagrams of a socket on; errors of single packets are no news."""

    def __init__(self, arrive: Callable[[bytes, Address], None]) -> None:
        self._arrive = arrive

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """One datagram."""
        self._arrive(data, addr)

    def error_received(self, exc: Exception) -> None:
        """Somebody answered was not there any more."""
        log.debug("a packet came back: %s", exc)


def open_group(group: Group, spot: Spot) -> socket.socket:
    """A socket of the group at the adapter of `spot`, shared with other programs. Raises OSError."""
    sock = socket.socket(socket.AF_INET6 if spot.six else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Both join: what comes in at this adapter alone. By default a socket hears what any program here has joined.
        _join6(sock, group, spot.index) if spot.six else _join4(sock, group, spot.address)
    except OSError:
        sock.close()
        raise
    return sock


def _join4(sock: socket.socket, group: Group, address: str) -> None:
    sock.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, group.ttl)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, group.ttl)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    sock.bind((group.address, group.port))
    member = struct.pack("4s4s", socket.inet_aton(group.address), socket.inet_aton(address))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)


def _join6(sock: socket.socket, group: Group, index: int) -> None:
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, group.ttl)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, group.ttl)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    sock.bind((group.address, group.port, 0, index))
    member = struct.pack("16sI", socket.inet_pton(socket.AF_INET6, group.address), index)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
