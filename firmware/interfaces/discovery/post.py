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
from firmware.interfaces.discovery.ration import Ration
from hal.clock import Clock, Timer

Address = tuple[str, int]

LARGEST_BYTES = 8192
MOST_PENDING = 64
LOWEST_PORT = 1024  # below are services that would take an answer for a question
IP_MULTICAST_ALL = 49  # linux/in.h

log = logging.getLogger("lintel.discovery")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Where a protocol speaks: its multicast address, its port, how many hops its packets live."""

    address: str
    port: int
    ttl: int


class Listener(Protocol):
    """What a protocol does with a packet."""

    def heard(self, data: bytes, source: Address) -> None:
        """Read a packet. Raises Invalid for one that is not of the protocol."""


def is_near(source: Address, network: ipaddress.IPv4Network, port: int) -> bool:
    """Whether a source is on our own network and can have asked: nobody else is ever answered."""
    try:
        address = ipaddress.IPv4Address(source[0])
    except ValueError:
        return False
    if source[1] < LOWEST_PORT and source[1] != port:
        return False
    if address in network:
        return network.prefixlen > 30 or address not in (network.network_address, network.broadcast_address)
    return address.is_link_local


class Post:
    """Takes packets in and sends answers, within the ration. `write` sends one datagram."""

    def __init__(
        self,
        clock: Clock,
        group: Group,
        network: ipaddress.IPv4Network,
        write: Callable[[bytes, Address], None],
        ration: Ration | None = None,
    ) -> None:
        self._clock = clock
        self._group = group
        self._network = network
        self._write = write
        self._ration = ration or Ration()
        self._pending: set[Timer] = set()

    def arrive(self, data: bytes, source: Address, listener: Listener) -> None:
        """A packet came; who may be heard is handed to `listener`."""
        if len(data) > LARGEST_BYTES or not is_near(source, self._network, self._group.port):
            return
        if not self._ration.hear(source[0], len(data), self._clock.now_ns()):
            return
        try:
            listener.heard(data, source)
        except Invalid as error:
            log.debug("%s:%d sent no %s: %s", *source, type(listener).__name__, error)

    def say(self, data: bytes) -> bool:
        """Send to everybody; whether it went out."""
        if not self._ration.say(self._clock.now_ns()):
            return False
        self._write(data, (self._group.address, self._group.port))
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

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One datagram."""
        self._arrive(data, addr)

    def error_received(self, exc: Exception) -> None:
        """Somebody answered was not there any more."""
        log.debug("a packet came back: %s", exc)


def open_group(group: Group, address: str) -> socket.socket:
    """A socket of the group at the adapter that has `address`, shared with other programs. Raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Only what comes in at this adapter: by default a socket hears what any program here has joined anywhere.
        sock.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, group.ttl)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, group.ttl)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        sock.bind((group.address, group.port))
        member = struct.pack("4s4s", socket.inet_aton(group.address), socket.inet_aton(address))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    except OSError:
        sock.close()
        raise
    return sock
