"""The MCP23017's registers: what they should hold, what they hold, and how to get there without a glitch.

Facts from the maker's data sheet: with IOCON.BANK = 0 the registers of port A and port B are
neighbours, so one SMBus word is both ports and bit n of the word is line n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from hal.errors import HalError
from hal.wires import I2c

ADDRESSES = range(0x20, 0x28)
LINES = range(16)


class Register(IntEnum):
    """Address of port A's register; port B's is the next one."""

    IODIR = 0x00  # 1 = input
    IPOL = 0x02
    GPINTEN = 0x04
    INTCON = 0x08
    IOCON = 0x0A
    GPPU = 0x0C
    INTF = 0x0E
    INTCAP = 0x10
    GPIO = 0x12
    OLAT = 0x14


# IOCON: both interrupt pins follow both ports, and pull low only, so that a pull-up on the other side suffices.
MIRROR = 0x40
OPEN_DRAIN_INTERRUPT = 0x04

SETUP = (Register.IPOL, Register.INTCON)


def mask(offsets: Sequence[int]) -> int:
    """The bits of some lines."""
    bits = 0
    for offset in offsets:
        bits |= 1 << offset
    return bits


@dataclass(frozen=True, slots=True)
class Registers:
    """The registers the lines are made of, one bit a line."""

    iodir: int
    gppu: int
    gpinten: int
    olat: int

    def driven(self, offsets: Sequence[int], levels: Sequence[bool], *, open_drain: bool) -> Registers:
        """With lines driven to levels; open drain is low or an input."""
        lines = mask(offsets)
        high = mask([offset for offset, level in zip(offsets, levels, strict=True) if level])
        if open_drain:
            return replace(self, iodir=(self.iodir & ~lines) | high, olat=self.olat & ~lines)
        return replace(self, iodir=self.iodir & ~lines, olat=(self.olat & ~lines) | high)

    def with_lines(self, offsets: Sequence[int], other: Registers) -> Registers:
        """With some lines as `other` has them."""
        lines = mask(offsets)
        return Registers(
            iodir=(self.iodir & ~lines) | (other.iodir & lines),
            gppu=(self.gppu & ~lines) | (other.gppu & lines),
            gpinten=(self.gpinten & ~lines) | (other.gpinten & lines),
            olat=(self.olat & ~lines) | (other.olat & lines),
        )


class Chip:
    """The chip's registers over I2C. `want` may be replaced at any time; `apply` writes what differs."""

    def __init__(self, name: str, i2c: I2c, address: int, held: Registers, *, with_interrupt: bool) -> None:
        self.name = name
        self.want = held
        self._i2c = i2c
        self._address = address
        self._held: Registers | None = held
        iocon = MIRROR | OPEN_DRAIN_INTERRUPT if with_interrupt else 0
        self._iocon = iocon << 8 | iocon

    @classmethod
    async def open(cls, name: str, i2c: I2c, address: int, *, with_interrupt: bool) -> Chip:
        """Take over what the chip does now: lines driven by an earlier life stay as they are. Raises BusError."""
        iodir = await i2c.read_word(address, Register.IODIR)
        gppu = await i2c.read_word(address, Register.GPPU)
        olat = await i2c.read_word(address, Register.OLAT)
        chip = cls(name, i2c, address, Registers(iodir, gppu, 0, olat), with_interrupt=with_interrupt)
        await chip._set_up()
        await i2c.write_word(address, Register.GPINTEN, 0)
        return chip

    async def apply(self) -> None:
        """Write what differs from `want`. Raises BusError; after that the chip counts as unknown."""
        while self._held != self.want:
            try:
                await self._write(self.want)
            except BaseException:  # also when cancelled half-way: nobody knows which registers were reached
                self._held = None
                raise

    async def holds(self) -> bool:
        """Whether the chip still has what was written; if not, the next `apply` writes everything."""
        held = self._held
        if held is None:
            return False
        iodir = await self._i2c.read_word(self._address, Register.IODIR)
        olat = await self._i2c.read_word(self._address, Register.OLAT)
        if (iodir, olat) == (held.iodir, held.olat):
            return True
        self._held = None
        return False

    async def levels(self) -> int:
        """The levels of all lines now; also ends an interrupt. Raises BusError."""
        return await self._read(Register.GPIO)

    async def captured(self) -> tuple[int, int, int]:
        """Which lines interrupted, all levels at that instant, and all levels now. Raises BusError."""
        flags = await self._read(Register.INTF)
        captured = await self._read(Register.INTCAP)
        levels = await self._read(Register.GPIO)
        return flags, captured, levels

    async def _read(self, register: Register) -> int:
        try:
            return await self._i2c.read_word(self._address, register)
        except HalError:
            self._held = None  # it may have lost its power
            raise

    async def _set_up(self) -> None:
        await self._i2c.write_word(self._address, Register.IOCON, self._iocon)
        for register in SETUP:
            await self._i2c.write_word(self._address, register, 0)

    async def _write(self, want: Registers) -> None:
        """Inputs before latches before outputs: a line never shows a level nobody asked for."""
        held = self._held
        if held is None:
            await self._set_up()
            await self._change(Register.GPPU, None, want.gppu)
            await self._change(Register.OLAT, None, want.olat)
            await self._change(Register.IODIR, None, want.iodir)
            await self._change(Register.GPINTEN, None, want.gpinten)
        else:
            await self._change(Register.GPPU, held.gppu, want.gppu)
            await self._change(Register.IODIR, held.iodir, held.iodir | want.iodir)
            await self._change(Register.OLAT, held.olat, want.olat)
            await self._change(Register.IODIR, held.iodir | want.iodir, want.iodir)
            await self._change(Register.GPINTEN, held.gpinten, want.gpinten)
        self._held = want

    async def _change(self, register: Register, held: int | None, want: int) -> None:
        """Write one port when only that differs, both when both do or nobody knows."""
        changed = 0xFFFF if held is None else held ^ want
        if not changed:
            return
        if not changed & 0xFF00:
            await self._i2c.write_byte(self._address, register, want & 0xFF)
        elif not changed & 0x00FF:
            await self._i2c.write_byte(self._address, register + 1, want >> 8)
        else:
            await self._i2c.write_word(self._address, register, want)
