"""Commands of a panel, as values. Source: OSDP 2.2, chapter 6 and Annex A.

Every class encodes itself and reads itself back; a code nobody knows survives as `RawCommand`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import ClassVar, Self

from hal.errors import OutOfRange
from hal.osdp.codes import CommandCode, NakCode
from hal.osdp.payload import Malformed, Payload, counted, decode_payload, exactly, packed, unpacked
from hal.osdp.special import BioMatch, BioRead, CrAuth, GenAuth, KeepActive, PivData, ReaderMode, TimeSet, Xwr

LONGEST_TEXT = 32


@dataclass(frozen=True, slots=True)
class Poll(Payload):
    """Anything new?"""

    CODE = CommandCode.POLL


@dataclass(frozen=True, slots=True)
class Id(Payload):
    """Who are you? Some readers accept it without its data byte; we send it."""

    CODE = CommandCode.ID
    LAYOUT = Struct("<B")
    kind: int = 0

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(data[0] if data else 0)


@dataclass(frozen=True, slots=True)
class Cap(Payload):
    """What can you do?"""

    CODE = CommandCode.CAP
    LAYOUT = Struct("<B")
    kind: int = 0

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(data[0] if data else 0)


@dataclass(frozen=True, slots=True)
class LocalStatus(Payload):
    """LSTAT: tamper and power, please."""

    CODE = CommandCode.LSTAT


@dataclass(frozen=True, slots=True)
class InputStatus(Payload):
    """ISTAT: the inputs, please."""

    CODE = CommandCode.ISTAT


@dataclass(frozen=True, slots=True)
class OutputStatus(Payload):
    """OSTAT: the outputs, please."""

    CODE = CommandCode.OSTAT


@dataclass(frozen=True, slots=True)
class ReaderStatus(Payload):
    """RSTAT: tamper of attached readers, please."""

    CODE = CommandCode.RSTAT


class OutputControl(IntEnum):
    """What an output record asks for."""

    NOP = 0
    OFF = 1
    ON = 2
    OFF_AFTER_TIMER = 3
    ON_AFTER_TIMER = 4
    ON_FOR = 5
    OFF_FOR = 6


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """One output; `timer_ds` in tenths of a second for the timed controls."""

    LAYOUT: ClassVar[Struct] = Struct("<BBH")
    number: int
    control: int
    timer_ds: int = 0


@dataclass(frozen=True, slots=True)
class Out(Payload):
    """OUT: drive outputs."""

    CODE = CommandCode.OUT
    records: tuple[OutputRecord, ...]

    def encode(self) -> bytes:
        return b"".join(
            packed(OutputRecord.LAYOUT, "output record", r.number, r.control, r.timer_ds) for r in self.records
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(tuple(OutputRecord(*OutputRecord.LAYOUT.unpack(part)) for part in counted(cls, data, 4)))


class LedColour(IntEnum):
    """Colours on the wire."""

    OFF = 0
    RED = 1
    GREEN = 2
    AMBER = 3
    BLUE = 4
    MAGENTA = 5
    CYAN = 6
    WHITE = 7


TEMPORARY_NOP, TEMPORARY_CANCEL, TEMPORARY_SET = 0, 1, 2
PERMANENT_NOP, PERMANENT_SET = 0, 1


@dataclass(frozen=True, slots=True)
class LedTemporary:
    """The temporary part; times in tenths of a second, `timer_ds` 0 lasts until it is cancelled or replaced."""

    control: int = TEMPORARY_NOP
    on_ds: int = 0
    off_ds: int = 0
    on_colour: int = 0
    off_colour: int = 0
    timer_ds: int = 0


@dataclass(frozen=True, slots=True)
class LedPermanent:
    """The permanent part, shown when no temporary one is; times in tenths of a second."""

    control: int = PERMANENT_NOP
    on_ds: int = 0
    off_ds: int = 0
    on_colour: int = 0
    off_colour: int = 0


@dataclass(frozen=True, slots=True)
class LedRecord:
    """One light of one reader."""

    LAYOUT: ClassVar[Struct] = Struct("<BBBBBBBHBBBBB")
    reader: int = 0
    led: int = 0
    temporary: LedTemporary = field(default_factory=LedTemporary)
    permanent: LedPermanent = field(default_factory=LedPermanent)


@dataclass(frozen=True, slots=True)
class Led(Payload):
    """LED: drive lights."""

    CODE = CommandCode.LED
    records: tuple[LedRecord, ...]

    def encode(self) -> bytes:
        return b"".join(self._encode(record) for record in self.records)

    @staticmethod
    def _encode(record: LedRecord) -> bytes:
        t, p = record.temporary, record.permanent
        return packed(
            LedRecord.LAYOUT,
            "LED record",
            *(record.reader, record.led),
            *(t.control, t.on_ds, t.off_ds, t.on_colour, t.off_colour, t.timer_ds),
            *(p.control, p.on_ds, p.off_ds, p.on_colour, p.off_colour),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        records = []
        for part in counted(cls, data, LedRecord.LAYOUT.size):
            v = LedRecord.LAYOUT.unpack(part)
            records.append(LedRecord(v[0], v[1], LedTemporary(*v[2:8]), LedPermanent(*v[8:13])))
        return cls(tuple(records))


TONE_NONE, TONE_OFF, TONE_DEFAULT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Buz(Payload):
    """BUZ: sound; times in tenths of a second, `count` 0 repeats until told otherwise."""

    CODE = CommandCode.BUZ
    LAYOUT = Struct("<BBBBB")
    reader: int = 0
    tone: int = TONE_DEFAULT
    on_ds: int = 1
    off_ds: int = 1
    count: int = 1


PERMANENT_TEXT, PERMANENT_WRAPPED, TEMPORARY_TEXT, TEMPORARY_WRAPPED = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Text(Payload):
    """TEXT: show at most 32 printable ASCII characters; `for_s` only for the temporary kinds."""

    CODE = CommandCode.TEXT
    LAYOUT = Struct("<BBBBBB")
    reader: int
    kind: int
    for_s: int
    row: int
    column: int
    text: str

    def encode(self) -> bytes:
        raw = self.text.encode("ascii", "replace")
        if len(raw) > LONGEST_TEXT or not self.text.isascii():
            raise OutOfRange("osdp", f"text {self.text!r} is not at most {LONGEST_TEXT} ASCII characters")
        values = (self.reader, self.kind, self.for_s, self.row, self.column, len(raw))
        return packed(self.LAYOUT, "text", *values) + raw

    @classmethod
    def decode(cls, data: bytes) -> Self:
        size = cls.LAYOUT.size
        if len(data) < size or len(data) != size + data[5]:
            raise Malformed(f"text of {len(data)} bytes")
        *values, _ = cls.LAYOUT.unpack_from(data)
        try:
            return cls(*[*values, data[size:].decode("ascii")])
        except UnicodeDecodeError as error:
            raise Malformed("text is not ASCII", NakCode.RECORD) from error


@dataclass(frozen=True, slots=True)
class ComSet(Payload):
    """COMSET: use another address and rate from now on."""

    CODE = CommandCode.COMSET
    LAYOUT = Struct("<BI")
    address: int
    baud: int


@dataclass(frozen=True, slots=True)
class KeySet(Payload):
    """KEYSET: the new secure channel base key; kind 1 is a 16 byte AES key."""

    CODE = CommandCode.KEYSET
    LAYOUT = Struct("<BB")
    key: bytes = field(repr=False)
    kind: int = 1

    def encode(self) -> bytes:
        return packed(self.LAYOUT, "key set", self.kind, len(self.key)) + self.key

    @classmethod
    def decode(cls, data: bytes) -> Self:
        kind, size = unpacked(cls, cls.LAYOUT, data)
        return cls(exactly(cls, data[2:], size), kind)


@dataclass(frozen=True, slots=True)
class Chlng(Payload):
    """CHLNG: begin a secure channel with our 8 random bytes."""

    CODE = CommandCode.CHLNG
    TAIL = True
    random: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(exactly(cls, data, 8))


@dataclass(frozen=True, slots=True)
class Scrypt(Payload):
    """SCRYPT: our proof of the key."""

    CODE = CommandCode.SCRYPT
    TAIL = True
    cryptogram: bytes = field(repr=False)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(exactly(cls, data, 16))


@dataclass(frozen=True, slots=True)
class AcuRxSize(Payload):
    """ACURXSIZE: the longest message we can take."""

    CODE = CommandCode.ACURXSIZE
    LAYOUT = Struct("<H")
    size: int


@dataclass(frozen=True, slots=True)
class FileTransfer(Payload):
    """FILETRANSFER: one fragment of a file."""

    CODE = CommandCode.FILETRANSFER
    LAYOUT = Struct("<BIIH")
    kind: int
    total: int
    offset: int
    fragment: bytes

    def encode(self) -> bytes:
        return packed(self.LAYOUT, "file", self.kind, self.total, self.offset, len(self.fragment)) + self.fragment

    @classmethod
    def decode(cls, data: bytes) -> Self:
        *values, size = unpacked(cls, cls.LAYOUT, data)
        return cls(*[*values, exactly(cls, data[cls.LAYOUT.size :], size)])


@dataclass(frozen=True, slots=True)
class Mfg(Payload):
    """MFG: a maker's own command; `vendor` is the three bytes of its code."""

    CODE = CommandCode.MFG
    LAYOUT = Struct("<3s")
    TAIL = True
    vendor: bytes
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Abort(Payload):
    """ABORT: stop what takes long."""

    CODE = CommandCode.ABORT


@dataclass(frozen=True, slots=True)
class RawCommand(Payload):
    """A command whose code we do not know."""

    code: int
    data: bytes = b""

    def encode(self) -> bytes:
        return self.data


COMMANDS: dict[int, type[Payload]] = {
    int(cls.CODE): cls
    for cls in (
        Poll, Id, Cap, LocalStatus, InputStatus, OutputStatus, ReaderStatus, Out, Led, Buz, Text, ReaderMode, TimeSet,
        ComSet, BioRead, BioMatch, KeySet, Chlng, Scrypt, AcuRxSize, FileTransfer, Mfg, Xwr, Abort, PivData, GenAuth,
        CrAuth, KeepActive,
    )
}  # fmt: skip


def code_of(payload: Payload) -> int:
    """The code a command or reply is sent with."""
    return int(getattr(payload, "code", payload.CODE))


def decode_command(code: int, data: bytes) -> Payload:
    """A command out of its code and data; an unknown one as RawCommand. Raises Malformed."""
    return decode_payload(COMMANDS, code, data) or RawCommand(code, data)
