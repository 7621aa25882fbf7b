"""Row 50 on a cable: a device at one end, at the other somebody who sends in the name of others and counts what comes.

Run as `python -m tests.live.cable STATE` in a network namespace of its own; prints one line of JSON.
"""

from __future__ import annotations

import socket
import struct
import sys
from pathlib import Path

from tests.live.spoofer import PORT, Spoofer, judged, measured
from tests.live.two_ends import FAR, NEAR, ip, plugged_in

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


def packet(source: str, port: int, to: tuple[str, int], data: bytes) -> bytes:
    """An IPv4 packet in the name of `source`; the kernel fills in what is left out."""
    udp = struct.pack("!4H", port, to[1], 8 + len(data), 0) + data
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 1, socket.IPPROTO_UDP, 0)
    return head + socket.inet_aton(source) + socket.inet_aton(to[0]) + udp


class Far(Spoofer):
    """The far end over IPv4."""

    protocol = 0x0800

    def __init__(self) -> None:
        super().__init__()
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, FAR.encode())

    def answer(self, data: bytes) -> tuple[str, int] | None:
        """Receiver and bytes of a packet of the device's."""
        if data[9] != socket.IPPROTO_UDP or socket.inet_ntoa(data[12:16]) != HERE:
            return None
        return socket.inet_ntoa(data[16:20]), int(struct.unpack_from("!H", data, 2)[0])

    def sent(self, source: str, to: tuple[str, int], data: bytes) -> int:
        """A datagram in the name of `source`; its bytes."""
        made = packet(source, PORT, to, data)
        self.raw.sendto(made, to)
        return len(made)


def far() -> None:
    """What the far end does, told in one line."""
    plugged_in()
    for number in range(2, 200):
        ip("addr", "add", f"{NET}.{number}/24", "dev", FAR)
    measured(
        Far, ASKED,
        honest=[f"{NET}.{number}" for number in (2, 3, 4)],
        strangers=[f"203.0.113.{number}" for number in range(200)],
        neighbours=[f"{NET}.{number}" for number in range(10, 190)],
    )  # fmt: skip


def addresses() -> None:
    """Of the device's end."""
    ip("addr", "add", f"{HERE}/24", "dev", NEAR)


if __name__ == "__main__":
    judged("tests.live.cable", Path(sys.argv[1]), addresses, "0.0.0.0") if len(sys.argv) > 1 else far()
