"""Frames on the wire: encoding, and decoding of a byte stream that may be damaged.

```
[FF] 53 | address | length LE | control | [block length, type, data] | code | data | [MAC 4] | check 1 or 2
```
`length` counts from 53 to the last check byte. Source: OSDP 2.2, 5.9.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hal.errors import OutOfRange
from hal.osdp.check import check_bytes
from hal.osdp.codes import CTRL_CRC, CTRL_SCB, CTRL_SQN, HEADER, LONGEST_FRAME, MAC_BYTES, MAC_TYPES, REPLY_BIT, SOM

NS = 1_000_000_000
BITS_PER_BYTE = 10
GAP_BYTES = 20
SHORTEST_GAP_NS = 20_000_000


def wire_ns(count: int, baud: int) -> int:
    """How long `count` bytes take on a line of `baud`."""
    return count * BITS_PER_BYTE * NS // baud


def gap_ns(baud: int) -> int:
    """The silence after which a new frame mark ends an unfinished frame: 20 characters, at least 20 ms.

    20 ms is 20 characters at 9600 baud; a faster line keeps it, because the reading process may be late.
    """
    return max(SHORTEST_GAP_NS, wire_ns(GAP_BYTES, baud))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message. `data` excludes code and MAC; `block` and `block_data` are the security block, if any.

    `raw` are the bytes from 53 to the last check byte, empty for a frame that was not received.
    """

    address: int
    reply: bool
    sequence: int
    code: int
    data: bytes = b""
    crc: bool = True
    block: int | None = None
    block_data: bytes = b""
    mac: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)

    @property
    def secured(self) -> bool:
        """Whether the frame carries a MAC."""
        return self.block in MAC_TYPES


def unchecked(frame: Frame) -> bytes:
    """The bytes from 53 up to and without MAC and check, with the final length in place. Raises OutOfRange."""
    if not 0 <= frame.address <= 0x7F:
        raise OutOfRange("osdp", f"address {frame.address} is not between 0 and 127")
    block = b"" if frame.block is None else bytes((2 + len(frame.block_data), frame.block)) + frame.block_data
    tail = (MAC_BYTES if frame.secured else 0) + (2 if frame.crc else 1)
    length = HEADER + len(block) + 1 + len(frame.data) + tail
    if length > LONGEST_FRAME:
        raise OutOfRange("osdp", f"a frame of {length} bytes is longer than {LONGEST_FRAME}")
    control = frame.sequence & CTRL_SQN | (CTRL_CRC if frame.crc else 0) | (0 if frame.block is None else CTRL_SCB)
    address = frame.address | (REPLY_BIT if frame.reply else 0)
    head = bytes((SOM, address, length & 0xFF, length >> 8, control))
    return b"".join((head, block, bytes((frame.code,)), frame.data))


def encode(frame: Frame) -> bytes:
    """The frame as sent, without a mark byte; a secured frame must carry its MAC. Raises OutOfRange."""
    body = unchecked(frame) + frame.mac
    return body + check_bytes(body, crc=frame.crc)


class Trouble(StrEnum):
    """Why bytes were thrown away."""

    CHECK = "bad check"
    LENGTH = "impossible length"
    CUT = "frame cut off"
    SHAPE = "impossible security block"


@dataclass(frozen=True, slots=True)
class Garbled:
    """Bytes that looked like a frame and were none."""

    trouble: Trouble
    count: int


def parse(raw: bytes) -> Frame | Trouble:
    """A whole frame out of its bytes from 53 to the last check byte."""
    control = raw[4]
    crc = bool(control & CTRL_CRC)
    end = len(raw) - (2 if crc else 1)
    if check_bytes(raw[:end], crc=crc) != raw[end:]:
        return Trouble.CHECK
    block, block_data, at, mac = None, b"", HEADER, b""
    if control & CTRL_SCB:
        size = raw[at]
        if size < 2 or at + size >= end:
            return Trouble.SHAPE
        block, block_data = raw[at + 1], raw[at + 2 : at + size]
        at += size
        # Without room for a MAC it has none, and will not be found genuine: it is still an honest question.
        if block in MAC_TYPES and end - MAC_BYTES > at:
            end -= MAC_BYTES
            mac = raw[end : end + MAC_BYTES]
    if at >= end:
        return Trouble.SHAPE
    address = raw[1]
    return Frame(
        address=address & 0x7F,
        reply=bool(address & REPLY_BIT),
        sequence=control & CTRL_SQN,
        code=raw[at],
        data=raw[at + 1 : end],
        crc=crc,
        block=block,
        block_data=block_data,
        mac=mac,
        raw=raw,
    )


class Decoder:
    """Finds frames in a stream of bytes. Never keeps more than one longest frame.

    Damage never stops it: after a bad check or an impossible length it searches on behind the false start, and a
    frame mark after a silence ends a frame that was never finished (a damaged length promises too many bytes).
    """

    def __init__(self, baud: int = 9600, *, longest: int = LONGEST_FRAME) -> None:
        self._gap_ns = gap_ns(baud)
        self._longest = longest
        self._buffer = bytearray()
        self._last_ns = 0
        self.check_errors = 0
        self.discarded = 0

    def set_baud(self, baud: int) -> None:
        """Judge silences by another rate, and forget what was begun."""
        self._gap_ns = gap_ns(baud)
        self._buffer.clear()

    def reset(self) -> None:
        """Forget an unfinished frame."""
        self.discarded += len(self._buffer)
        self._buffer.clear()

    @property
    def waiting(self) -> int:
        """Bytes of an unfinished frame."""
        return len(self._buffer)

    def feed(self, t_ns: int, data: bytes) -> list[Frame | Garbled]:
        """Take bytes that arrived by `t_ns`; returns frames and troubles in their order."""
        found: list[Frame | Garbled] = []
        buffer = self._buffer
        if buffer and t_ns - self._last_ns > self._gap_ns and data.lstrip(b"\xff")[:1] == b"\x53":
            found.append(self._lost(Trouble.CUT, len(buffer)))
            buffer.clear()
        self._last_ns = t_ns
        # Piece by piece, so that whatever comes in never makes the buffer larger than one frame and one piece.
        for at in range(0, len(data), self._longest):
            buffer += data[at : at + self._longest]
            self._take(found)
        return found

    def _take(self, found: list[Frame | Garbled]) -> None:
        buffer = self._buffer
        while True:
            start = buffer.find(SOM)
            if start:
                self.discarded += len(buffer) if start < 0 else start
                del buffer[: len(buffer) if start < 0 else start]
            if len(buffer) < HEADER:
                return
            length = buffer[2] | buffer[3] << 8
            shortest = HEADER + 1 + (2 if buffer[4] & CTRL_CRC else 1)
            if not shortest <= length <= self._longest:
                found.append(self._lost(Trouble.LENGTH, 1))
                del buffer[0]
                continue
            if len(buffer) < length:
                return
            parsed = parse(bytes(buffer[:length]))
            if isinstance(parsed, Frame):
                found.append(parsed)
                del buffer[:length]
                continue
            found.append(self._lost(parsed, 1))
            del buffer[0]

    def _lost(self, trouble: Trouble, count: int) -> Garbled:
        self.check_errors += 1
        self.discarded += count
        return Garbled(trouble, count)
