"""Row 50 over IPv6 on a cable: honest questions from the link are answered, whoever is elsewhere or lies gets no more.

Run as `python -m tests.live.cable6 STATE` in a network namespace of its own; prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.live.cable import ASKED as ASKED4
from tests.live.spoofer import PORT, Spoofer, judged, measured
from tests.live.two_ends import FAR, NEAR, ip, plugged_in

HERE, LINK, NET = "2001:db8:0:1::1", "fe80::1", "2001:db8:0:1:"
GROUPS = (("ff02::fb", 5353), ("ff02::c", 1900), ("ff02::c", 3702))
ASKED = tuple((group, data) for group, (_, data) in zip(GROUPS, ASKED4, strict=True))
CLIENTS = Path(__file__).parent / "clients"
UDP, IPV6 = 17, 0x86DD


def packed(address: str) -> bytes:
    """An address as it is sent."""
    return socket.inet_pton(socket.AF_INET6, address)


def packet(source: str, to: tuple[str, int], data: bytes) -> bytes:
    """An IPv6 packet in the name of `source`, its checksum included: without one nobody takes it (RFC 8200, 8.1)."""
    size = 8 + len(data)
    ends = packed(source) + packed(to[0])
    pseudo = ends + struct.pack("!IHBB", size, 0, 0, UDP) + struct.pack("!4H", PORT, to[1], size, 0) + data
    even = pseudo + bytes(len(pseudo) % 2)
    total = sum(struct.unpack(f"!{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    udp = struct.pack("!4H", PORT, to[1], size, (total ^ 0xFFFF) or 0xFFFF) + data
    return struct.pack("!IHBB", 6 << 28, size, UDP, 1) + ends + udp


class Far(Spoofer):
    """The far end over IPv6."""

    protocol = IPV6

    def answer(self, data: bytes) -> tuple[str, int] | None:
        """Receiver and bytes of a packet of the device's."""
        if data[6] != UDP or data[8:24] not in (packed(HERE), packed(LINK)):
            return None
        return socket.inet_ntop(socket.AF_INET6, data[24:40]), len(data)

    def sent(self, source: str, to: tuple[str, int], data: bytes) -> int:
        """A datagram to a group, in the name of `source`; its bytes."""
        made = packet(source, to, data)
        self.tap.sendto(made, (FAR, IPV6, 0, 0, b"\x33\x33" + packed(to[0])[12:]))  # RFC 2464, 7
        return len(made)


def far() -> None:
    """What the far end does, told in one line."""
    plugged_in()
    # All neighbours of the flood live here, so that the device's answers find somebody.
    for number in range(2, 60):
        ip("-6", "addr", "add", f"{NET}:{number:x}/64", "dev", FAR, "nodad")
        ip("-6", "addr", "add", f"fe80::{number:x}/64", "dev", FAR, "nodad")
    measured(
        Far, ASKED,
        honest=[*(f"fe80::{number:x}" for number in (2, 3, 4)), *(f"{NET}:{number:x}" for number in (6, 7, 8))],
        strangers=[f"2001:db8:0:2::{number:x}" for number in range(100)],
        neighbours=[f"{'fe80:' if number % 2 else NET}:{number:x}" for number in range(10, 60)],
        first=_browsed, last=_asked_alone,
    )  # fmt: skip


def _browsed() -> dict[str, Any]:
    """The addresses that a program finds which speaks nothing but IPv6, through a library that many use."""
    words = [os.environ["LINTEL_BROWSER"], str(CLIENTS / "mdns_browser.py"), "_lintel._tcp", f"{NET}:2"]
    browser = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert browser.stdout is not None
    told = json.loads(browser.stdout.readline())
    browser.communicate()
    return {"browsed": sorted(told["addresses"])}


def _asked_alone() -> dict[str, Any]:
    """How often the device answers what is sent to its own addresses and not to the group."""
    count = 0
    for host in (HERE, LINK):
        for (_, port), data in ASKED:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asking:
                asking.settimeout(0.7)
                asking.sendto(data, (host, port, 0, socket.if_nametoindex(FAR)))
                with contextlib.suppress(OSError):  # nothing came, or the word that nobody listens there
                    count += bool(asking.recv(2000))
    return {"asked_alone": count}


def addresses() -> None:
    """Of the device's end; neither end makes one of its own."""
    for end in (NEAR, FAR):
        ip("link", "set", end, "addrgenmode", "none")
    ip("-6", "addr", "add", f"{HERE}/64", "dev", NEAR, "nodad")
    ip("-6", "addr", "add", f"{LINK}/64", "dev", NEAR, "nodad")


if __name__ == "__main__":
    judged("tests.live.cable6", Path(sys.argv[1]), addresses, "[::]", ipv6=True) if len(sys.argv) > 1 else far()
