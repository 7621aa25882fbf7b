"""Row 50 on a cable: a device at one end, at the other somebody who sends in the name of others and counts what comes.

Run as `python -m tests.live.cable STATE` in a network namespace of its own; prints one line of JSON.
"""

from __future__ import annotations

import collections
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.live.device import Device, until

HERE, NET = "10.9.0.1", "10.9.0"
MDNS, SSDP, WSD = ("224.0.0.251", 5353), ("239.255.255.250", 1900), ("239.255.255.250", 3702)
HTTP_TYPE = b"\x05_http\x04_tcp\x05local\0\0\x0c\0\x01"
QUESTION = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + HTTP_TYPE
SEARCH = b'M-SEARCH * HTTP/1.1\r\nHOST:239.255.255.250:1900\r\nMAN:"ssdp:discover"\r\nMX:1\r\nST:ssdp:all\r\n\r\n'
PROBE = (
    b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/'
    b'addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><e:Header><w:MessageID>urn:uuid:'
    b"0a7f6a52-6f0c-4c37-9e0d-2f5f3a1f8c11</w:MessageID><w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To><w:Action>http://schemas.xmlsoap.org/ws/"
    b"2005/04/discovery/Probe</w:Action></e:Header><e:Body><d:Probe><d:Types xmlns:n='http://www.onvif.org/"
    b"ver10/network/wsdl'>n:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"
)
ASKED = ((MDNS, QUESTION), (SSDP, SEARCH), (WSD, PROBE))
FLOOD_S, PORT = 4.0, 40000


def ip(*words: str) -> None:
    """One `ip` command."""
    subprocess.run(["ip", *words], check=True)


def packet(source: str, port: int, to: tuple[str, int], data: bytes) -> bytes:
    """An IPv4 packet in the name of `source`; the kernel fills in what is left out."""
    udp = struct.pack("!4H", port, to[1], 8 + len(data), 0) + data
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 1, socket.IPPROTO_UDP, 0)
    return head + socket.inet_aton(source) + socket.inet_aton(to[0]) + udp


class Far:
    """The far end: sends, and counts what the device sends to whom."""

    def __init__(self) -> None:
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"v1")
        self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.tap.bind(("v1", 0))
        self.tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.came: collections.Counter[str] = collections.Counter()
        self.went: collections.Counter[str] = collections.Counter()
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            data, address = self.tap.recvfrom(65535)
            if address[2] == socket.PACKET_OUTGOING or data[9] != socket.IPPROTO_UDP:
                continue
            if socket.inet_ntoa(data[12:16]) == HERE:
                self.came[socket.inet_ntoa(data[16:20])] += struct.unpack_from("!H", data, 2)[0]

    def send(self, source: str, to: tuple[str, int], data: bytes) -> None:
        """In the name of `source`."""
        made = packet(source, PORT, to, data)
        self.raw.sendto(made, to)
        self.went[source] += len(made)


def far() -> None:
    """What the far end does, told in one line."""
    ready = sys.stdin.readline()
    assert ready == "cable\n", ready
    ip("link", "set", "lo", "up")
    ip("link", "set", "v1", "up")
    for number in range(2, 200):
        ip("addr", "add", f"{NET}.{number}/24", "dev", "v1")
    print("up", flush=True)
    assert sys.stdin.readline() == "go\n"
    end = Far()
    answered = sum(_answered(end, f"{NET}.{2 + number}", *asked) for number, asked in enumerate(ASKED))
    for number in range(200):
        for to, data in ASKED:
            end.send(f"203.0.113.{number}", to, data)
    before = sum(end.came.values())
    flood_in = _flood(end)
    time.sleep(2)
    flood_out = sum(end.came.values()) - before
    ratio = max(end.came[source] / end.went[source] for source in end.went if source.startswith(NET))
    foreign = sum(bytes_ > 0 for source, bytes_ in end.came.items() if source.startswith("203."))
    told = {
        "answered": answered, "foreign_packets": foreign, "worst_ratio": ratio, "flood_bytes_in": flood_in,
        "flood_bytes_out": flood_out,
    }  # fmt: skip
    print(json.dumps(told), flush=True)


def _answered(end: Far, source: str, to: tuple[str, int], data: bytes) -> bool:
    """Whether an honest question is answered to its sender."""
    end.send(source, to, data)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not end.came[source]:
        time.sleep(0.05)
    return bool(end.came[source])


def _flood(end: Far) -> int:
    """All protocols, in the name of everybody on the network; how many bytes that was."""
    before, number, until_s = sum(end.went.values()), 0, time.monotonic() + FLOOD_S
    while time.monotonic() < until_s:
        for to, data in ASKED:
            end.send(f"{NET}.{10 + number % 180}", to, data)
        number += 1
    return sum(end.went.values()) - before


def near(state: Path) -> None:
    """The device at its end; the far end is a child in another namespace."""
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)  # the adapters of this namespace
    ip("link", "set", "lo", "up")
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    ip("addr", "add", f"{HERE}/24", "dev", "v0")
    ip("link", "set", "v0", "up")
    child = subprocess.Popen(
        ["unshare", "--net", sys.executable, "-m", "tests.live.cable"],
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
    device._words += ["--http", f"0.0.0.0:{device.port}", "--https", "off"]
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


def apart(pid: int) -> bool:
    """Whether that process has a network of its own by now."""
    return Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()


def _at_work(device: Device) -> bool:
    states = device.api.get("/state").json()["states"]
    found = {each["protocol"]: each for each in states if each["topic"] == "network/discovery"}
    return len(found) == 3 and all(each["adapters"] for each in found.values()) and bool(found["mdns"]["host"])


if __name__ == "__main__":
    near(Path(sys.argv[1])) if len(sys.argv) > 1 else far()
