"""Row 50 over IPv6 on a cable: honest questions from the link are answered, whoever is elsewhere or lies gets no more.

Run as `python -m tests.live.cable6 STATE` in a network namespace of its own; prints one line of JSON.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.live.cable import ASKED as ASKED4
from tests.live.cable import apart, ip
from tests.live.device import Device, until

HERE, LINK, NET = "2001:db8:0:1::1", "fe80::1", "2001:db8:0:1:"
GROUPS = (("ff02::fb", 5353), ("ff02::c", 1900), ("ff02::c", 3702))
ASKED = tuple((group, data) for group, (_, data) in zip(GROUPS, ASKED4, strict=True))
CLIENTS = Path(__file__).parent / "clients"
UDP, IPV6, PORT, FLOOD_S = 17, 0x86DD, 40000, 3.0


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


class Far:
    """The far end: sends, and counts what the device sends to whom."""

    def __init__(self) -> None:
        self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IPV6))
        self.tap.bind(("v1", 0))
        self.tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.came: collections.Counter[str] = collections.Counter()
        self.went: collections.Counter[str] = collections.Counter()
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            data, address = self.tap.recvfrom(65535)
            if address[2] == socket.PACKET_OUTGOING or data[6] != UDP:
                continue
            if data[8:24] in (packed(HERE), packed(LINK)):
                self.came[socket.inet_ntop(socket.AF_INET6, data[24:40])] += len(data)

    def send(self, source: str, to: tuple[str, int], data: bytes) -> None:
        """To a group, in the name of `source`."""
        made = packet(source, to, data)
        self.tap.sendto(made, ("v1", IPV6, 0, 0, b"\x33\x33" + packed(to[0])[12:]))  # RFC 2464, 7
        self.went[source] += len(made)


def far() -> None:
    """What the far end does, told in one line."""
    assert sys.stdin.readline() == "cable\n"
    ip("link", "set", "lo", "up")
    ip("link", "set", "v1", "up")
    # All neighbours of the flood live here, so that the device's answers find somebody.
    for number in range(2, 60):
        ip("-6", "addr", "add", f"{NET}:{number:x}/64", "dev", "v1", "nodad")
        ip("-6", "addr", "add", f"fe80::{number:x}/64", "dev", "v1", "nodad")
    print("up", flush=True)
    assert sys.stdin.readline() == "go\n"
    browsed = _browsed()
    end = Far()
    answered = sum(_answered(end, f"fe80::{2 + number:x}", *asked) for number, asked in enumerate(ASKED))
    answered += sum(_answered(end, f"{NET}:{6 + number:x}", *asked) for number, asked in enumerate(ASKED))
    for number in range(100):
        for to, data in ASKED:
            end.send(f"2001:db8:0:2::{number:x}", to, data)
    before, flood_in = sum(end.came.values()), _flood(end)
    time.sleep(2)
    flood_out = sum(end.came.values()) - before
    near = [source for source in end.went if not source.startswith("2001:db8:0:2:")]
    told = {
        "answered": answered,
        "foreign_packets": sum(bytes_ > 0 for source, bytes_ in end.came.items() if source.startswith("2001:db8:0:2:")),
        "worst_ratio": max(end.came[source] / end.went[source] for source in near),
        "flood_bytes_in": flood_in,
        "flood_bytes_out": flood_out,
        "asked_alone": _asked_alone(),
        "browsed": browsed,
    }
    print(json.dumps(told), flush=True)


def _browsed() -> list[str]:
    """The addresses that a program finds which speaks nothing but IPv6, through a library that many use."""
    words = [os.environ["LINTEL_BROWSER"], str(CLIENTS / "mdns_browser.py"), "_lintel._tcp", f"{NET}:2"]
    browser = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert browser.stdout is not None
    told = json.loads(browser.stdout.readline())
    browser.communicate()
    return sorted(told["addresses"])


def _answered(end: Far, source: str, to: tuple[str, int], data: bytes) -> bool:
    """Whether an honest question is answered to its sender."""
    end.send(source, to, data)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not end.came[source]:
        time.sleep(0.05)
    return bool(end.came[source])


def _asked_alone() -> int:
    """How often the device answers what is sent to its own addresses and not to the group."""
    count = 0
    for host in (HERE, LINK):
        for (_, port), data in ASKED:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asking:
                asking.settimeout(0.7)
                asking.sendto(data, (host, port, 0, socket.if_nametoindex("v1")))
                with contextlib.suppress(OSError):  # nothing came, or the word that nobody listens there
                    count += bool(asking.recv(2000))
    return count


def _flood(end: Far) -> int:
    """All protocols, in the name of everybody on the link; how many bytes that was."""
    before, number, until_s = sum(end.went.values()), 0, time.monotonic() + FLOOD_S
    while time.monotonic() < until_s:
        for to, data in ASKED:
            end.send(f"{'fe80:' if number % 2 else NET}:{10 + number % 50:x}", to, data)
        number += 1
    return sum(end.went.values()) - before


def near(state: Path) -> None:
    """The device at its end; the far end is a child in another namespace."""
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)  # the adapters of this namespace
    ip("link", "set", "lo", "up")
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    ip("link", "set", "v0", "addrgenmode", "none")
    ip("link", "set", "v1", "addrgenmode", "none")
    ip("-6", "addr", "add", f"{HERE}/64", "dev", "v0", "nodad")
    ip("-6", "addr", "add", f"{LINK}/64", "dev", "v0", "nodad")
    ip("link", "set", "v0", "up")
    child = subprocess.Popen(
        ["unshare", "--net", sys.executable, "-m", "tests.live.cable6"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    until("the namespace of the far end", lambda: apart(child.pid))
    ip("link", "set", "v1", "netns", str(child.pid))
    child.stdin.write("cable\n")
    child.stdin.flush()
    assert child.stdout.readline() == "up\n"
    device = Device(state, "door_station", "--discovery", "v0")
    device._words += ["--http", f"[::]:{device.port}", "--https", "off"]
    try:
        device.start()
        device.set_up()
        until("all protocols at work", lambda: _at_work(device))
        child.stdin.write("go\n")
        child.stdin.flush()
        print(child.stdout.readline(), end="", flush=True)
        assert child.wait(60) == 0
    finally:
        device.stop()
        child.kill()


def _at_work(device: Device) -> bool:
    states = device.api.get("/state").json()["states"]
    found = {each["protocol"]: each for each in states if each["topic"] == "network/discovery"}
    return len(found) == 3 and all(each["ipv6"] == ["v0"] for each in found.values()) and bool(found["mdns"]["host"])


if __name__ == "__main__":
    near(Path(sys.argv[1])) if len(sys.argv) > 1 else far()
