"""Messages of DNS as multicast DNS uses them (RFC 1035, chapter 4; RFC 6762, chapter 18). Pure, bounded."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from firmware.core.errors import Invalid

Name = tuple[bytes, ...]

A, PTR, TXT, AAAA, SRV, NSEC, ANY = 1, 12, 16, 28, 33, 47, 255
INTERNET = 1
TOP_BIT = 0x8000  # of a class: unicast answer wanted (question), others are wrong (record)
RESPONSE, AUTHORITATIVE, TRUNCATED, OPCODE = 0x8000, 0x0400, 0x0200, 0x7800
LONGEST_NAME = 255
LONGEST_LABEL = 63
MOST_RECORDS = 128
POINTER = 0xC0
HEAD_BYTES = 12


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for; `unicast`: the asker would like the answer for itself."""

    name: Name
    kind: int
    unicast: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A record; `data` is its content with names written out; `unique`: it replaces others of its name and kind."""

    name: Name
    kind: int
    ttl: int
    data: bytes
    unique: bool = False

    @property
    def key(self) -> tuple[Name, int, bytes]:
        """What makes it this record, however it is spelled and however long it lives."""
        data = folded_target(self.data) if self.kind == PTR else self.data
        return folded(self.name), self.kind, data


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; records that hold no names we know of are kept as they came."""

    id: int = 0
    flags: int = 0
    questions: tuple[Question, ...] = ()
    answers: tuple[Record, ...] = ()
    authorities: tuple[Record, ...] = ()
    additionals: tuple[Record, ...] = ()


def name(*labels: str) -> Name:
    """A name of labels. Raises Invalid for a label that is too long or empty."""
    found = tuple(label.encode() for label in labels)
    for label in found:
        if not 0 < len(label) <= LONGEST_LABEL:
            raise Invalid("dns", f"{label[:80]!r} is no label of 1 to {LONGEST_LABEL} bytes")
    return found


def folded(of: Name) -> Name:
    """A name to compare: upper and lower case are the same."""
    return tuple(label.lower() for label in of)


def folded_target(data: bytes) -> bytes:
    """The content of a PTR record to compare. Lengths of labels are no letters, so folding leaves them alone."""
    return data.lower()


def packed_name(of: Name) -> bytes:
    """A name written out."""
    return b"".join(bytes((len(label),)) + label for label in of) + b"\0"


def pointer(to: Name) -> bytes:
    """The content of a PTR record."""
    return packed_name(to)


def service(target: Name, port: int) -> bytes:
    """The content of an SRV record (RFC 2782)."""
    return struct.pack("!HHH", 0, 0, port) + packed_name(target)


def text(**pairs: str) -> bytes:
    """The content of a TXT record (RFC 6763, chapter 6)."""
    lines = [f"{key}={value}".encode()[:255] for key, value in pairs.items()]
    return b"".join(bytes((len(line),)) + line for line in lines) or b"\0"


def nothing_but(of: Name, kinds: Iterable[int]) -> bytes:
    """The content of an NSEC record: of this name there are these kinds and no others (RFC 6762, 6.1)."""
    bits = bytearray(32)
    for kind in kinds:
        bits[kind // 8] |= 0x80 >> kind % 8
    bitmap = bytes(bits).rstrip(b"\0")
    return packed_name(of) + bytes((0, len(bitmap))) + bitmap


def parse(data: bytes) -> Message:
    """Read a message. Raises Invalid."""
    if len(data) < HEAD_BYTES:
        raise Invalid("dns", f"has {len(data)} bytes")
    number, flags, *counts = struct.unpack_from("!6H", data)
    if sum(counts) > MOST_RECORDS:
        raise Invalid("dns", f"has more than {MOST_RECORDS} records")
    reader = _Reader(data)
    try:
        questions = tuple(reader.question() for _ in range(counts[0]))
        sections = [tuple(reader.record() for _ in range(count)) for count in counts[1:]]
    except (IndexError, struct.error):
        raise Invalid("dns", "ends too early") from None
    answers, authorities, additionals = sections
    return Message(
        id=number, flags=flags, questions=questions, answers=answers, authorities=authorities, additionals=additionals
    )


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = HEAD_BYTES

    def question(self) -> Question:
        of = self._name()
        kind, group = struct.unpack_from("!HH", self._data, self._at)
        self._at += 4
        return Question(of, kind, bool(group & TOP_BIT))

    def record(self) -> Record:
        of = self._name()
        kind, group, ttl, size = struct.unpack_from("!HHIH", self._data, self._at)
        self._at += 10
        end = self._at + size
        if end > len(self._data):
            raise Invalid("dns", "has a record longer than itself")
        data = self._data[self._at : end]
        if kind == PTR:
            data = packed_name(self._name())
        elif kind == SRV and size > 6:
            self._at += 6
            data = data[:6] + packed_name(self._name())
        self._at = end
        return Record(of, kind, ttl, data, bool(group & TOP_BIT))

    def _name(self) -> Name:
        """A name from here on. A pointer leads back to before the part it stands in, so that following ends."""
        labels: list[bytes] = []
        at, first, after, size = self._at, self._at, None, 1
        while length := self._data[at]:
            if length & POINTER == POINTER:
                target = (length & ~POINTER) << 8 | self._data[at + 1]
                after = at + 2 if after is None else after
                if not HEAD_BYTES <= target < first:
                    raise Invalid("dns", "has a name that points forward or into its head")
                at = first = target
                continue
            if length > LONGEST_LABEL:
                raise Invalid("dns", "has a label of an unknown kind")
            label = self._data[at + 1 : at + 1 + length]
            if len(label) < length:
                raise Invalid("dns", "ends within a name")
            labels.append(label)
            size += 1 + length
            if size > LONGEST_NAME:
                raise Invalid("dns", f"has a name of more than {LONGEST_NAME} bytes")
            at += 1 + length
        self._at = at + 1 if after is None else after
        return tuple(labels)


def pack(message: Message) -> bytes:
    """Write a message; names that were written before are pointed to."""
    out = bytearray(
        struct.pack(
            "!6H", message.id, message.flags, len(message.questions), len(message.answers),
            len(message.authorities), len(message.additionals),
        )
    )  # fmt: skip
    known: dict[Name, int] = {}
    for question in message.questions:
        _put_name(out, question.name, known)
        out += struct.pack("!HH", question.kind, INTERNET | (TOP_BIT if question.unicast else 0))
    for record in (*message.answers, *message.authorities, *message.additionals):
        _put_name(out, record.name, known)
        out += struct.pack("!HHI", record.kind, INTERNET | (TOP_BIT if record.unique else 0), record.ttl)
        size_at = len(out)
        out += b"\0\0"
        if record.kind == PTR:
            _put_name(out, _unpacked(record.data), known)
        else:
            out += record.data
        struct.pack_into("!H", out, size_at, len(out) - size_at - 2)
    return bytes(out)


def _put_name(out: bytearray, of: Name, known: dict[Name, int]) -> None:
    for number, label in enumerate(of):
        rest = of[number:]
        if rest in known:
            out += struct.pack("!H", POINTER << 8 | known[rest])
            return
        if len(out) < POINTER << 8:
            known[rest] = len(out)
        out += bytes((len(label),)) + label
    out += b"\0"


def _unpacked(data: bytes) -> Name:
    labels, at = [], 0
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length])
        at += 1 + length
    return tuple(labels)


def split(records: Sequence[Record], largest: int) -> list[tuple[Record, ...]]:
    """Records in parts that fit into messages of `largest` bytes each; one that fits nowhere has a part of its own."""
    parts: list[list[Record]] = [[]]
    for record in records:
        if parts[-1] and len(pack(Message(answers=(*parts[-1], record)))) > largest:
            parts.append([])
        parts[-1].append(record)
    return [tuple(part) for part in parts if part]


def goodbye(records: Iterable[Record]) -> tuple[Record, ...]:
    """The records as ones that are gone (RFC 6762, 10.1)."""
    return tuple(replace(record, ttl=0) for record in records)
