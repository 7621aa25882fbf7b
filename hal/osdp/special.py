"""Commands and replies of biometric readers and smart card modules, and withdrawn ones that are still heard.

Source: OSDP 2.2, chapters 6 and 7 and Annex A. Our engines carry them; what they mean belongs to the owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Self

from hal.osdp.codes import CommandCode, ReplyCode
from hal.osdp.payload import Payload, exactly, packed, unpacked


@dataclass(frozen=True, slots=True)
class ReaderMode(Payload):
    """RMODE: mode of an attached reader (withdrawn from the standard, still heard)."""

    CODE = CommandCode.RMODE
    LAYOUT = Struct("<BB")
    reader: int
    mode: int


@dataclass(frozen=True, slots=True)
class TimeSet(Payload):
    """TDSET: date and time, local (withdrawn from the standard, still heard)."""

    CODE = CommandCode.TDSET
    LAYOUT = Struct("<HBBBBB")
    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int


@dataclass(frozen=True, slots=True)
class BioRead(Payload):
    """BIOREAD: scan and send a template."""

    CODE = CommandCode.BIOREAD
    LAYOUT = Struct("<BBBB")
    reader: int
    kind: int
    form: int
    quality: int


@dataclass(frozen=True, slots=True)
class BioMatch(Payload):
    """BIOMATCH: scan and compare with a template."""

    CODE = CommandCode.BIOMATCH
    LAYOUT = Struct("<BBBBH")
    reader: int
    kind: int
    form: int
    quality: int
    template: bytes

    def encode(self) -> bytes:
        values = (self.reader, self.kind, self.form, self.quality, len(self.template))
        return packed(self.LAYOUT, "match", *values) + self.template

    @classmethod
    def decode(cls, data: bytes) -> Self:
        *values, size = unpacked(cls, cls.LAYOUT, data)
        return cls(*[*values, exactly(cls, data[cls.LAYOUT.size :], size)])


@dataclass(frozen=True, slots=True)
class Xwr(Payload):
    """XWR: extended write to a smart card module."""

    CODE = CommandCode.XWR
    LAYOUT = Struct("<BB")
    TAIL = True
    mode: int
    command: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class PivData(Payload):
    """PIVDATA: read an object of a PIV card."""

    CODE = CommandCode.PIVDATA
    LAYOUT = Struct("<3sBH")
    object_id: bytes
    element: int
    offset: int


@dataclass(frozen=True, slots=True)
class Part(Payload):
    """A piece of a message that is longer than a frame: total size, offset, and the bytes."""

    LAYOUT = Struct("<HHH")
    total: int
    offset: int
    fragment: bytes

    def encode(self) -> bytes:
        return packed(Part.LAYOUT, "part", self.total, self.offset, len(self.fragment)) + self.fragment

    @classmethod
    def decode(cls, data: bytes) -> Self:
        *values, size = unpacked(cls, Part.LAYOUT, data)
        return cls(*[*values, exactly(cls, data[Part.LAYOUT.size :], size)])


@dataclass(frozen=True, slots=True)
class GenAuth(Part):
    """GENAUTH: have a card sign; the whole begins with algorithm and key reference."""

    CODE = CommandCode.GENAUTH


@dataclass(frozen=True, slots=True)
class CrAuth(Part):
    """CRAUTH: challenge a card; the whole begins with algorithm and key reference."""

    CODE = CommandCode.CRAUTH


@dataclass(frozen=True, slots=True)
class KeepActive(Payload):
    """KEEPACTIVE: keep the card powered for `for_ms`."""

    CODE = CommandCode.KEEPACTIVE
    LAYOUT = Struct("<H")
    for_ms: int


@dataclass(frozen=True, slots=True)
class Fmt(Payload):
    """FMT: card data as text (withdrawn from the standard, still heard); `direction` 1 is read backwards."""

    CODE = ReplyCode.FMT
    LAYOUT = Struct("<BBB")
    TAIL = True
    reader: int
    direction: int
    count: int
    text: bytes


@dataclass(frozen=True, slots=True)
class BioReadReply(Payload):
    """BIOREADR: a template."""

    CODE = ReplyCode.BIOREADR
    LAYOUT = Struct("<BBBBH")
    reader: int
    status: int
    kind: int
    quality: int
    template: bytes

    def encode(self) -> bytes:
        values = (self.reader, self.status, self.kind, self.quality, len(self.template))
        return packed(self.LAYOUT, "template", *values) + self.template

    @classmethod
    def decode(cls, data: bytes) -> Self:
        *values, size = unpacked(cls, cls.LAYOUT, data)
        return cls(*[*values, exactly(cls, data[cls.LAYOUT.size :], size)])


@dataclass(frozen=True, slots=True)
class BioMatchReply(Payload):
    """BIOMATCHR: how well it matched, 255 best."""

    CODE = ReplyCode.BIOMATCHR
    LAYOUT = Struct("<BBB")
    reader: int
    status: int
    score: int


@dataclass(frozen=True, slots=True)
class PivDataReply(Part):
    """PIVDATAR: a piece of a PIV object."""

    CODE = ReplyCode.PIVDATAR


@dataclass(frozen=True, slots=True)
class GenAuthReply(Part):
    """GENAUTHR: a piece of a card's signature."""

    CODE = ReplyCode.GENAUTHR


@dataclass(frozen=True, slots=True)
class CrAuthReply(Part):
    """CRAUTHR: a piece of a card's answer."""

    CODE = ReplyCode.CRAUTHR


@dataclass(frozen=True, slots=True)
class Xrd(Payload):
    """XRD: extended read from a smart card module."""

    CODE = ReplyCode.XRD
    LAYOUT = Struct("<BB")
    TAIL = True
    mode: int
    reply: int
    data: bytes = b""
