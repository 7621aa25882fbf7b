"""Packets of a metadata stream: documents as RTP (RFC 3550, clause 5), sender reports as RTCP (clause 6). Pure.

A document that is too long for one packet goes in several with the same time; the last one carries the marker (ONVIF
Streaming Specification, metadata streaming).
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterator
from datetime import UTC, datetime

PAYLOAD_TYPE = 98
CLOCK_HZ = 90_000
MOST_PAYLOAD = 1400
NTP_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
SENDER_REPORT, RECEIVER_REPORT, DESCRIPTION, GOODBYE, APPLICATION = range(200, 205)
_VERSION = 2 << 6
_CNAME = 1


class Packets:
    """One stream's packets: source, sequence and time begin at random (clause 5.1)."""

    def __init__(self, name: str) -> None:
        """`name` is the canonical name of the source (clause 6.5.1), at most 255 bytes."""
        self.ssrc = secrets.randbits(32)
        self.sequence = secrets.randbits(16)
        self._name = name.encode()[:255]
        self._offset = secrets.randbits(32)
        self._packets = 0
        self._octets = 0

    def time(self, t_ns: int) -> int:
        """A moment of the monotonic clock as packets have it."""
        return (t_ns * CLOCK_HZ // 10**9 + self._offset) & 0xFFFFFFFF

    def of(self, document: bytes, t_ns: int) -> Iterator[bytes]:
        """The packets of one document of that moment."""
        pieces = [document[at : at + MOST_PAYLOAD] for at in range(0, len(document), MOST_PAYLOAD)]
        for number, piece in enumerate(pieces, 1):
            marker = 0x80 if number == len(pieces) else 0
            yield (
                struct.pack(">BBHII", _VERSION, marker | PAYLOAD_TYPE, self.sequence, self.time(t_ns), self.ssrc)
                + piece
            )
            self.sequence = (self.sequence + 1) & 0xFFFF
            self._packets = (self._packets + 1) & 0xFFFFFFFF
            self._octets = (self._octets + len(piece)) & 0xFFFFFFFF

    def report(self, utc: datetime, t_ns: int) -> bytes:
        """A sender report with the source's name: what the time of packets is in UTC (clause 6.4.1)."""
        since = utc - NTP_EPOCH
        seconds = since.days * 86_400 + since.seconds
        fraction = (since.microseconds << 32) // 10**6
        head = struct.pack(">BBHI", _VERSION, SENDER_REPORT, 6, self.ssrc)
        info = struct.pack(">IIIII", seconds & 0xFFFFFFFF, fraction, self.time(t_ns), self._packets, self._octets)
        return head + info + self._description()

    def goodbye(self, utc: datetime, t_ns: int) -> bytes:
        """The last packet of a source (clause 6.6)."""
        return self.report(utc, t_ns) + struct.pack(">BBHI", _VERSION | 1, GOODBYE, 1, self.ssrc)

    def _description(self) -> bytes:
        item = bytes((_CNAME, len(self._name))) + self._name
        chunk = struct.pack(">I", self.ssrc) + item
        chunk += bytes(4 - len(chunk) % 4)  # at least one zero ends the items
        return struct.pack(">BBH", _VERSION | 1, DESCRIPTION, len(chunk) // 4) + chunk


def is_report(data: bytes) -> bool:
    """Whether a client's packet is one of RTCP: a sign that it is there."""
    return len(data) >= 8 and data[0] >> 6 == 2 and SENDER_REPORT <= data[1] <= APPLICATION
