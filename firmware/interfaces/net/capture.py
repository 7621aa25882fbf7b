"""A trace of what goes over an adapter, as a file that analysers read (libpcap's format, version 2.4).

It is kept in memory until it ends, so that its own way to the client is not in it; time, size and number are bounded.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct

from firmware.core.errors import Unavailable, Unsupported
from firmware.interfaces.http.ending import first_of
from hal.clock import Clock

ALL = 0x0003  # ETH_P_ALL of linux/if_ether.h
ETHERNET = 1  # LINKTYPE_ETHERNET
LONGEST_FRAME = 65_535
LARGEST = 8 * 1024 * 1024
LONGEST_S = 300.0
KIND = "application/vnd.tcpdump.pcap"
# Without the capability, or in a unit to which there is no such family of addresses.
NOT_ALLOWED = (errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT)
HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, LONGEST_FRAME, ETHERNET)


async def recorded(adapter: str, for_s: float, clock: Clock, most: int = LARGEST) -> bytes:
    """Everything on an adapter for so long, or until `most` bytes have come.

    Raises Unsupported where this process may not listen, Unavailable when the adapter cannot be listened to.
    """
    kept = bytearray(HEAD)
    with clock.outside(), _socket(adapter) as sock:
        sock.setblocking(False)

        async def listen() -> None:
            loop = asyncio.get_running_loop()
            while len(kept) < most:
                frame = await loop.sock_recv(sock, LONGEST_FRAME)
                kept.extend(record(frame, clock.utc().timestamp()))

        try:
            await first_of(listen(), clock.sleep(for_s))
        except OSError as error:  # it went down, or was taken out
            raise Unavailable("trace", f"{adapter} can no longer be listened to ({error})") from error
    return bytes(kept)


def record(frame: bytes, at_s: float) -> bytes:
    """One frame with its head: seconds, microseconds, length kept and length on the wire."""
    seconds, rest = divmod(at_s, 1)
    return struct.pack("<IIII", int(seconds), int(rest * 1e6), len(frame), len(frame)) + frame


def _socket(adapter: str) -> socket.socket:
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
    except OSError as error:
        if error.errno not in NOT_ALLOWED:
            raise Unavailable("trace", f"{adapter} cannot be listened to ({error})") from error
        raise Unsupported("trace", "this process may not listen to an adapter (CAP_NET_RAW)") from None
    try:
        sock.bind((adapter, 0))
    except OSError as error:
        sock.close()
        raise Unavailable("trace", f"{adapter} cannot be listened to ({error})") from error
    return sock
