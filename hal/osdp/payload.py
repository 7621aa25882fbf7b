"""What the payloads of commands and replies have in common: a struct layout of their fields, in order.

A payload whose last field is `bytes` takes the rest of the message. Integers are little-endian, as everywhere in OSDP.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from hal.errors import OutOfRange
from hal.osdp.codes import NakCode


class Malformed(ValueError):
    """A payload that cannot be read; `nak` is what a peripheral answers."""

    def __init__(self, message: str, nak: NakCode = NakCode.LENGTH) -> None:
        super().__init__(message)
        self.nak = nak


@dataclass(frozen=True, slots=True)
class Payload:
    """One command or reply; subclasses name their code and the layout of their fields."""

    CODE: ClassVar[int] = -1
    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<")
    TAIL: ClassVar[bool] = False

    def encode(self) -> bytes:
        """The bytes behind the code. Raises OutOfRange for a field that does not fit."""
        values = [getattr(self, found.name) for found in fields(self)]
        tail = values.pop() if self.TAIL else b""
        try:
            return self.LAYOUT.pack(*values) + bytes(tail)
        except struct.error as error:
            raise OutOfRange("osdp", f"{type(self).__name__} {values}: {error}") from error

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The payload out of its bytes. Raises Malformed."""
        size = cls.LAYOUT.size
        if len(data) < size or (len(data) > size and not cls.TAIL):
            raise Malformed(f"{cls.__name__} of {len(data)} bytes instead of {size}")
        values: list[Any] = list(cls.LAYOUT.unpack_from(data))
        if cls.TAIL:
            values.append(bytes(data[size:]))
        return cls(*values)


def packed(layout: struct.Struct, what: str, *values: int) -> bytes:
    """Pack numbers. Raises OutOfRange naming them."""
    try:
        return layout.pack(*values)
    except struct.error as error:
        raise OutOfRange("osdp", f"{what} {values}: {error}") from error


def unpacked(cls: type, layout: struct.Struct, data: bytes) -> tuple[Any, ...]:
    """Unpack the head of `data`. Raises Malformed."""
    if len(data) < layout.size:
        raise Malformed(f"{cls.__name__} of {len(data)} bytes is shorter than {layout.size}")
    return layout.unpack_from(data)


def exactly(cls: type, data: bytes, size: int) -> bytes:
    """`data`, which must be of `size` bytes. Raises Malformed."""
    if len(data) != size:
        raise Malformed(f"{cls.__name__} carries {len(data)} bytes instead of {size}")
    return bytes(data)


def counted(cls: type, data: bytes, size: int) -> list[bytes]:
    """Cut `data` into records of `size`. Raises Malformed when there is none or a broken one."""
    if not data or len(data) % size:
        raise Malformed(f"{cls.__name__} of {len(data)} bytes is not made of records of {size}")
    return [data[at : at + size] for at in range(0, len(data), size)]


def decode_payload(known: dict[int, type[Payload]], code: int, data: bytes) -> Payload | None:
    """The payload of a known code, None for an unknown one. Raises Malformed."""
    cls = known.get(code)
    return None if cls is None else cls.decode(data)
