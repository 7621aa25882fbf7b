"""An I2C bus and the chips on it: SMBus calls become register reads and writes, absence becomes NoReply."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

from hal.clock import Clock
from hal.errors import BusError, NoReply

LONGEST_BLOCK = 32


class Chip(Protocol):
    """What the bus needs of a chip; `answers` is false while it does not acknowledge its address."""

    @property
    def answers(self) -> bool:
        """Whether it acknowledges now."""

    @property
    def garbles(self) -> bool:
        """Whether what it sends is noise."""

    def read(self, register: int, length: int) -> bytes:
        """Bytes as they appear on the wire, starting at a register."""

    def write(self, register: int, data: bytes) -> None:
        """Bytes as they appear on the wire, starting at a register."""


class ChipBus:
    """The wires between a controller and its chips. Transactions are whole: two callers never mix their bytes."""

    def __init__(self, name: str, chips: Mapping[int, Chip], clock: Clock, noise: random.Random) -> None:
        self.name = name
        self.clock = clock
        self.powered = True
        self._chips = chips
        self._noise = noise

    def transfer(self, address: int, register: int, *, length: int = 0, data: bytes = b"") -> bytes:
        """One transaction, at once: write `data`, or read `length` bytes. Raises NoReply, BusError."""
        where = f"{self.name}:0x{address:02x}"
        if not 0 <= register <= 255:
            raise BusError(where, f"register {register}; valid: 0 to 255")
        if max(length, len(data)) > LONGEST_BLOCK:
            raise BusError(where, f"a block of {max(length, len(data))} bytes; the longest is {LONGEST_BLOCK}")
        chip = self._chips.get(address)
        if chip is None or not self.powered or not chip.answers:
            raise NoReply(where, "no acknowledge")
        if data:
            chip.write(register, data)
            return b""
        answer = chip.read(register, length)
        return self._noise.randbytes(length) if chip.garbles else answer


class I2cCalls(ABC):
    """The calls of I2c, made of one transaction each; a subclass says how a transaction is carried out."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._open = True

    @abstractmethod
    async def transfer(self, address: int, register: int, *, length: int = 0, data: bytes = b"") -> bytes:
        """Write `data`, or read `length` bytes. Raises NoReply, BusError."""

    async def _call(self, address: int, register: int, *, length: int = 0, data: bytes = b"") -> bytes:
        self._check_open()
        return await self.transfer(address, register, length=length, data=data)

    def _check_open(self) -> None:
        if not self._open:
            raise BusError(self.name, "the bus was given back")

    async def read_byte(self, address: int, register: int) -> int:
        """One byte of a register."""
        return (await self._call(address, register, length=1))[0]

    async def write_byte(self, address: int, register: int, value: int) -> None:
        """Write one byte."""
        await self._call(address, register, data=self._bytes(address, value, 1))

    async def read_word(self, address: int, register: int) -> int:
        """Two bytes, the first on the wire is the low one."""
        return int.from_bytes(await self._call(address, register, length=2), "little")

    async def read_words(self, address: int, registers: Sequence[int]) -> tuple[int, ...]:
        """Two bytes of each register, one after the other."""
        return tuple([await self.read_word(address, register) for register in registers])

    async def write_word(self, address: int, register: int, value: int) -> None:
        """Write two bytes, low one first."""
        await self._call(address, register, data=self._bytes(address, value, 2))

    async def read_block(self, address: int, register: int, length: int) -> bytes:
        """`length` bytes from consecutive registers."""
        self._check_block(address, length)
        return await self._call(address, register, length=length)

    async def write_block(self, address: int, register: int, data: bytes) -> None:
        """Write consecutive registers."""
        self._check_block(address, len(data))
        await self._call(address, register, data=data)

    def _check_block(self, address: int, length: int) -> None:
        if not 1 <= length <= LONGEST_BLOCK:
            raise BusError(f"{self.name}:0x{address:02x}", f"a block of {length} bytes; valid: 1 to {LONGEST_BLOCK}")

    def _bytes(self, address: int, value: int, size: int) -> bytes:
        if not 0 <= value < 1 << 8 * size:
            raise BusError(f"{self.name}:0x{address:02x}", f"{value} does not fit in {size} bytes")
        return value.to_bytes(size, "little")

    def close(self) -> None:
        """Give the bus back."""
        self._open = False


class SimI2c(I2cCalls):
    """The controller of a firmware in the same process as the chips; implements I2c."""

    def __init__(self, bus: ChipBus) -> None:
        super().__init__(bus.name)
        self._bus = bus

    async def transfer(self, address: int, register: int, *, length: int = 0, data: bytes = b"") -> bytes:
        await self._bus.clock.sleep(0)  # a real transaction lets others run
        return self._bus.transfer(address, register, length=length, data=data)
