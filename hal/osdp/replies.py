"""Replies of a peripheral, as values. Source: OSDP 2.2, chapter 7 and Annex A.

Every class encodes itself and reads itself back; a code nobody knows survives as `RawReply`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import ClassVar, Self

from hal.errors import OutOfRange
from hal.osdp.codes import CapabilityCode, ReplyCode
from hal.osdp.payload import Malformed, Payload, counted, decode_payload, exactly, packed, unpacked
from hal.osdp.special import BioMatchReply, BioReadReply, CrAuthReply, Fmt, GenAuthReply, PivDataReply, Xrd

STAR, HASH = 0x7F, 0x0D
LONGEST_CARD_BITS = 1024


@dataclass(frozen=True, slots=True)
class Ack(Payload):
    """Done, nothing to report."""

    CODE = ReplyCode.ACK


@dataclass(frozen=True, slots=True)
class Nak(Payload):
    """Refused; `reason` is a NakCode."""

    CODE = ReplyCode.NAK
    LAYOUT = Struct("<B")
    TAIL = True
    reason: int
    detail: bytes = b""


@dataclass(frozen=True, slots=True)
class PdId(Payload):
    """PDID: who the peripheral is; `vendor` is its three bytes."""

    CODE = ReplyCode.PDID
    LAYOUT = Struct("<3sBBIBBB")
    vendor: bytes
    model: int
    version: int
    serial: int
    major: int
    minor: int
    build: int

    @property
    def vendor_text(self) -> str:
        """The vendor code as six hex digits."""
        return self.vendor.hex().upper()

    @property
    def firmware(self) -> str:
        """Firmware version as people write it."""
        return f"{self.major}.{self.minor}.{self.build}"


@dataclass(frozen=True, slots=True)
class Capability:
    """One line of PDCAP."""

    LAYOUT: ClassVar[Struct] = Struct("<BBB")
    function: int
    level: int
    count: int


@dataclass(frozen=True, slots=True)
class PdCap(Payload):
    """PDCAP: what the peripheral can do."""

    CODE = ReplyCode.PDCAP
    capabilities: tuple[Capability, ...]

    def encode(self) -> bytes:
        return b"".join(
            packed(Capability.LAYOUT, "capability", c.function, c.level, c.count) for c in self.capabilities
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        if not data:
            return cls(())
        return cls(tuple(Capability(*part) for part in counted(cls, data, 3)))

    def level(self, function: int) -> int:
        """The level of a function, 0 when it is not listed."""
        return next((c.level for c in self.capabilities if c.function == function), 0)

    def count(self, function: int) -> int:
        """The number of things of a function, 0 when it is not listed."""
        return next((c.count for c in self.capabilities if c.function == function), 0)

    def size(self, function: int) -> int:
        """A size in bytes that is spread over level (low) and count (high)."""
        return self.level(function) | self.count(function) << 8

    @property
    def can_secure(self) -> bool:
        """Whether AES-128 is offered."""
        return bool(self.level(CapabilityCode.SECURITY) & 1)


@dataclass(frozen=True, slots=True)
class LocalStatusReply(Payload):
    """LSTATR: 1 is tampered, 1 is power failed."""

    CODE = ReplyCode.LSTATR
    LAYOUT = Struct("<BB")
    tamper: int
    power: int


@dataclass(frozen=True, slots=True)
class Levels(Payload):
    """One byte for each thing, 1 is active."""

    TAIL = True
    levels: bytes


@dataclass(frozen=True, slots=True)
class InputStatusReply(Levels):
    """ISTATR: the inputs."""

    CODE = ReplyCode.ISTATR


@dataclass(frozen=True, slots=True)
class OutputStatusReply(Levels):
    """OSTATR: the outputs."""

    CODE = ReplyCode.OSTATR


@dataclass(frozen=True, slots=True)
class ReaderStatusReply(Levels):
    """RSTATR: attached readers; 0 is well, 1 away, 2 tampered."""

    CODE = ReplyCode.RSTATR


@dataclass(frozen=True, slots=True)
class Raw(Payload):
    """RAW: card data, `bits` as text of 0 and 1, first on the wire first; `form` 1 is parity-checked Wiegand.

    On the wire the bits are left-justified and padded with zero bits.
    """

    CODE = ReplyCode.RAW
    LAYOUT = Struct("<BBH")
    reader: int
    form: int
    bits: str

    def encode(self) -> bytes:
        count = len(self.bits)
        if not 0 < count <= LONGEST_CARD_BITS or self.bits.strip("01"):
            raise OutOfRange("osdp", f"card of {count} bits is not 1 to {LONGEST_CARD_BITS} of 0 and 1")
        size = (count + 7) // 8
        value = int(self.bits, 2) << (size * 8 - count)
        return packed(self.LAYOUT, "card", self.reader, self.form, count) + value.to_bytes(size, "big")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        reader, form, count = unpacked(cls, cls.LAYOUT, data)
        if not 0 < count <= LONGEST_CARD_BITS:
            raise Malformed(f"card of {count} bits")
        body = exactly(cls, data[cls.LAYOUT.size :], (count + 7) // 8)
        return cls(reader, form, f"{int.from_bytes(body, 'big'):0{len(body) * 8}b}"[:count])


@dataclass(frozen=True, slots=True)
class Keypad(Payload):
    """KEYPAD: keys, as text of `0-9 * #`; anything else is kept as `?`."""

    CODE = ReplyCode.KEYPAD
    LAYOUT = Struct("<BB")
    reader: int
    keys: str

    def encode(self) -> bytes:
        if not self.keys or self.keys.strip("0123456789*#"):
            raise OutOfRange("osdp", f"keys {self.keys!r} are not of 0-9 * #")
        codes = bytes({"*": STAR, "#": HASH}.get(key, ord(key)) for key in self.keys)
        return packed(self.LAYOUT, "keys", self.reader, len(codes)) + codes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        reader, count = unpacked(cls, cls.LAYOUT, data)
        return cls(reader, "".join(key_text(code) for code in exactly(cls, data[2:], count)))


def key_text(code: int) -> str:
    """A key's character; some keypads send * and # as ASCII."""
    if code in (STAR, 0x2A):
        return "*"
    if code in (HASH, 0x23):
        return "#"
    return chr(code) if 0x30 <= code <= 0x39 else "?"


@dataclass(frozen=True, slots=True)
class Com(Payload):
    """COM: address and rate from now on."""

    CODE = ReplyCode.COM
    LAYOUT = Struct("<BI")
    address: int
    baud: int


@dataclass(frozen=True, slots=True)
class CCrypt(Payload):
    """CCRYPT: the peripheral's own number, its 8 random bytes and its proof of the key."""

    CODE = ReplyCode.CCRYPT
    LAYOUT = Struct("<8s8s16s")
    client: bytes
    random: bytes
    cryptogram: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RMacI(Payload):
    """RMAC_I: the first reply MAC."""

    CODE = ReplyCode.RMAC_I
    TAIL = True
    rmac: bytes = field(repr=False)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(exactly(cls, data, 16))


@dataclass(frozen=True, slots=True)
class Busy(Payload):
    """BUSY: ask again; sent with sequence 0 and outside the secure channel."""

    CODE = ReplyCode.BUSY


@dataclass(frozen=True, slots=True)
class FileStatus(Payload):
    """FTSTAT: how a file fragment was taken.

    `action` bit 0 other messages allowed meanwhile, bit 1 leave the secure channel, bit 2 poll response waits;
    `delay_ms` before the next fragment; `status` 0 ok, 1 contents processed, 2 rebooting, 3 finishing, negative
    is an error; `size` is the longest message wanted from now on, 0 no change.
    """

    CODE = ReplyCode.FTSTAT
    LAYOUT = Struct("<BHhH")
    action: int
    delay_ms: int
    status: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class Loose(Payload):
    """Bytes whose meaning belongs to a maker."""

    TAIL = True
    data: bytes


@dataclass(frozen=True, slots=True)
class MfgStatus(Loose):
    """MFGSTATR: a maker's status."""

    CODE = ReplyCode.MFGSTATR


@dataclass(frozen=True, slots=True)
class MfgError(Loose):
    """MFGERRR: a maker's refusal."""

    CODE = ReplyCode.MFGERRR


@dataclass(frozen=True, slots=True)
class MfgReply(Payload):
    """MFGREP: a maker's own reply; `vendor` is the three bytes of its code."""

    CODE = ReplyCode.MFGREP
    LAYOUT = Struct("<3s")
    TAIL = True
    vendor: bytes
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class RawReply(Payload):
    """A reply whose code we do not know."""

    code: int
    data: bytes = b""

    def encode(self) -> bytes:
        return self.data


REPLIES: dict[int, type[Payload]] = {
    int(cls.CODE): cls
    for cls in (
        Ack, Nak, PdId, PdCap, LocalStatusReply, InputStatusReply, OutputStatusReply, ReaderStatusReply, Raw, Fmt,
        Keypad, Com, BioReadReply, BioMatchReply, CCrypt, RMacI, Busy, FileStatus, PivDataReply, GenAuthReply,
        CrAuthReply, MfgStatus, MfgError, MfgReply, Xrd,
    )
}  # fmt: skip


def decode_reply(code: int, data: bytes) -> Payload:
    """A reply out of its code and data; an unknown one as RawReply. Raises Malformed."""
    return decode_payload(REPLIES, code, data) or RawReply(code, data)
