"""The line protocol of a card module: what it says and what it is told, as text with a check sum; pure.

115200 baud, 8N1. Each message is one line of printable ASCII, at most `LONGEST` characters, ended by line feed:

    TEXT *XXXX          XXXX: CRC-16 (polynomial 1021, start FFFF, most significant bit first) of TEXT, in hex

    module -> device                                device -> module
    READY NAME VERSION    it has (re)started        CLEAR                        read the serial number only
    CARD CHIP CSN [NAME=HEX]...  a card, once       READ NAME CHIP block N A|B KEY
    KEY K                 a key: 0-9 * #            READ NAME CHIP pages FIRST COUNT
    ERR TEXT              a READ it cannot do       READ NAME CHIP file APPLICATION FILE KEYNUMBER KEY

CSN, keys, applications and data are hex, everything else is decimal. NAME=HEX is there for each read that worked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hal.types import BlockPlace, FilePlace, PagePlace, SecurePlace, SecureRead

LONGEST = 2048
NAME = r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,31}"

_LINE = re.compile(r"([ -~]*) \*([0-9A-F]{4})")
_CARD = re.compile(rf"CARD ({NAME}) ((?:[0-9A-F]{{2}}){{1,32}})((?: {NAME}=(?:[0-9A-F]{{2}})*)*)")
_KEY = re.compile(r"KEY ([0-9*#])")
_READY = re.compile(r"READY ([!-~]+) ([!-~]+)")
_ERR = re.compile(r"ERR ([ -~]+)")


@dataclass(frozen=True, slots=True)
class Card:
    """A card was put to the module."""

    chip: str
    csn: bytes
    data: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key."""

    key: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The module has started and knows no reads."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """The module cannot do what it was told."""

    text: str


@dataclass(frozen=True, slots=True)
class Garbled:
    """A line whose check does not fit, that is too long, or that nobody understands; `size` bytes of it."""

    size: int


Said = Card | Pressed | Ready | Complaint | Garbled


def crc16(data: bytes) -> int:
    """The check sum of a line."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def line(text: str) -> bytes:
    """A message as it goes over the wire."""
    return b"%s *%04X\n" % (text.encode("ascii"), crc16(text.encode("ascii")))


def read_line(read: SecureRead) -> bytes:
    """What the module is told to read."""
    return line(f"READ {read.name} {read.chip} {_place(read.place)}")


def _place(place: SecurePlace) -> str:
    match place:
        case BlockPlace():
            return f"block {place.block} {'B' if place.key_b else 'A'} {place.key.hex().upper()}"
        case PagePlace():
            return f"pages {place.page} {place.count}"
        case FilePlace():
            application = f"{place.application:06X}"
            return f"file {application} {place.file} {place.key_number} {place.key.hex().upper()}"


def understood(raw: bytes) -> Said:
    """What one line says, without its line feed."""
    try:
        match = _LINE.fullmatch(raw.decode("ascii").removesuffix("\r"))
    except UnicodeDecodeError:
        match = None
    if match is None or int(match[2], 16) != crc16(match[1].encode("ascii")):
        return Garbled(len(raw))
    text = match[1]
    if card := _CARD.fullmatch(text):
        pairs = (pair.partition("=") for pair in card[3].split())
        data = tuple((name, bytes.fromhex(value)) for name, _, value in pairs)
        return Card(card[1], bytes.fromhex(card[2]), data)
    if key := _KEY.fullmatch(text):
        return Pressed(key[1])
    if ready := _READY.fullmatch(text):
        return Ready(ready[1], ready[2])
    if err := _ERR.fullmatch(text):
        return Complaint(err[1])
    return Garbled(len(raw))


class Lines:
    """Bytes in, messages out; a line without end costs no more memory than the longest allowed one."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._skipped = 0

    def feed(self, data: bytes) -> tuple[Said, ...]:
        """Take bytes as they come; returns the messages they complete."""
        said: list[Said] = []
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._take(part)
            said += self._end()
        self._take(rest)
        return tuple(said)

    def _take(self, part: bytes) -> None:
        room = LONGEST - len(self._kept)
        self._kept += part[:room]
        self._skipped += max(0, len(part) - room)

    def _end(self) -> list[Said]:
        raw, skipped = bytes(self._kept), self._skipped
        self._kept.clear()
        self._skipped = 0
        if skipped:
            return [Garbled(len(raw) + skipped)]
        return [understood(raw)] if raw.strip() else []
