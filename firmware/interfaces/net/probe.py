"""Is somebody there: echo requests (RFC 792, RFC 4443), a TCP connection that is closed at once, a datagram of UDP.

No program is started and no shell asked; the address was judged before (reach.py). Where the system lets nobody without
privileges send echo requests, that is said.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from firmware.core.errors import Unsupported
from firmware.interfaces.http.ending import first_of
from hal.clock import Clock

COUNT = 4
WAIT_S = 1.0
CONNECT_S = 3.0
OPEN = "open"
CLOSED = "closed (refused)"
# Nothing that a service would take for a request, and not empty: some answer whatever comes.
DATAGRAM = b"\r\n\r\n"
DATAGRAMS, APART_S = 3, 1.0  # one may be lost, and so may the message that nobody listens
ECHO, REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}


@dataclass(frozen=True, slots=True)
class Echo:
    """One echo request: how long its answer took, None without one; `trouble` is what the system said."""

    took_ms: float | None
    trouble: str = ""


async def ping(address: str, clock: Clock, count: int = COUNT, wait_s: float = WAIT_S) -> tuple[Echo, ...]:
    """Send echo requests, one after another. Raises Unsupported where this process may not."""
    with clock.outside(), _echo_socket(address) as sock:
        sock.setblocking(False)
        return tuple([await _echo(sock, address, number, clock, wait_s) for number in range(1, count + 1)])


async def knock(address: str, port: int, clock: Clock, wait_s: float = CONNECT_S) -> str:
    """Try to connect: `open`, or why not in words."""
    told = [f"no answer within {wait_s:g} s"]

    async def connect() -> None:
        try:
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except OSError as error:
            told[0] = CLOSED if isinstance(error, ConnectionRefusedError) else _reason(error)
        else:
            told[0] = OPEN

    with clock.outside(), socket.socket(_family(address), socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        await _within(connect, clock, wait_s)
    return told[0]


async def touch(address: str, port: int, clock: Clock, wait_s: float = DATAGRAMS * APART_S) -> str:
    """Send datagrams to a UDP port: `open` after an answer, `closed (refused)` after an ICMP port unreachable.

    Most services are silent towards what they do not know, so silence does not tell open from filtered.
    """
    told = [f"no answer within {wait_s:g} s"]

    async def send() -> None:
        for _ in range(DATAGRAMS):
            try:
                sock.send(DATAGRAM)
            except ConnectionRefusedError:
                continue  # that of the datagram before; whoever listens is told as well
            except OSError as error:
                told[0] = _reason(error)
                return
            await clock.sleep(wait_s / DATAGRAMS)

    async def listen() -> None:
        try:
            await asyncio.get_running_loop().sock_recv(sock, 1)
        except OSError as error:
            told[0] = CLOSED if isinstance(error, ConnectionRefusedError) else _reason(error)
        else:
            told[0] = OPEN

    with clock.outside(), socket.socket(_family(address), socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect((address, port))  # only then the system tells of what the other side refuses
        except OSError as error:
            return _reason(error)
        await first_of(send(), listen())
    return told[0]


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _echo_socket(address: str) -> socket.socket:
    """A socket for echo requests: the kind for everybody first, then the one that needs the privilege."""
    family = _family(address)
    protocol = socket.IPPROTO_ICMPV6 if family is socket.AF_INET6 else socket.IPPROTO_ICMP
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return socket.socket(family, kind, protocol)
        except PermissionError:
            continue
    raise Unsupported("ping", "the system lets this process send no echo requests (net.ipv4.ping_group_range)")


async def _echo(sock: socket.socket, address: str, number: int, clock: Clock, wait_s: float) -> Echo:
    token = secrets.token_bytes(16)
    found: list[Echo] = []
    version = 6 if sock.family is socket.AF_INET6 else 4
    began_ns = clock.now_ns()

    async def exchange() -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendto(sock, request(version, number, token), (address, 0))
            while not is_reply(version, await loop.sock_recv(sock, 2048), token):
                pass
        except OSError as error:
            found.append(Echo(None, _reason(error)))
        else:
            found.append(Echo((clock.now_ns() - began_ns) / 1e6))

    await _within(exchange, clock, wait_s)
    return found[0] if found else Echo(None)


async def _within(job: Callable[[], Awaitable[None]], clock: Clock, wait_s: float) -> None:
    await first_of(job(), clock.sleep(wait_s))


def request(version: int, number: int, token: bytes) -> bytes:
    """An echo request; the kernel sets the checksum of version 6, and the identifier of an unprivileged one."""
    head = struct.pack("!BBHHH", ECHO[version], 0, 0, os.getpid() & 0xFFFF, number)
    if version == 6:
        return head + token
    return struct.pack("!BBHHH", ECHO[4], 0, checksum(head + token), os.getpid() & 0xFFFF, number) + token


def is_reply(version: int, data: bytes, token: bytes) -> bool:
    """Whether this is the answer to a request with that token; a privileged socket hears everybody's."""
    if version == 4 and data[:1] and data[0] >> 4 == 4:  # with the header of IP before it
        data = data[(data[0] & 15) * 4 :]
    return data[:1] == bytes((REPLY[version],)) and data[8:] == token


def checksum(data: bytes) -> int:
    """The Internet checksum of an even number of bytes (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)
