"""Wires without a world: every level and its instant is kept, edges come when and as late as a test says.

The chips work on their registers and know nothing of the drivers; facts are the makers' data sheets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hal.errors import BusError, LineInUse, NoReply
from hal.sim.time import VirtualClock
from hal.types import Drive, Edge, EdgeKind, Pull
from hal.wires import EdgeHandler

MS = 1_000_000
S = 1_000_000_000


class MemoryInputs:
    def __init__(self, gpio: MemoryGpio, offsets: tuple[int, ...], edges: EdgeKind) -> None:
        self.gpio = gpio
        self.offsets = offsets
        self.edges = edges
        self.handler: EdgeHandler | None = None
        self.seq = 0
        self.closed = False

    def levels(self) -> tuple[bool, ...]:
        return tuple(self.gpio.levels[offset] for offset in self.offsets)

    def watch(self, handler: EdgeHandler | None) -> None:
        self.handler = handler

    def close(self) -> None:
        self.closed = True
        self.gpio.give_back(self.offsets)

    def take(self, offset: int, level: bool, t_ns: int, *, lost: bool) -> None:
        if self.edges not in (EdgeKind.BOTH, EdgeKind.RISING if level else EdgeKind.FALLING):
            return
        self.seq += 1
        if self.handler is not None and not lost:
            self.handler(Edge(t_ns, self.offsets.index(offset), level, self.seq))


class MemoryOutputs:
    def __init__(self, gpio: MemoryGpio, offsets: tuple[int, ...], initial: tuple[bool, ...]) -> None:
        self.gpio = gpio
        self.offsets = offsets
        self.last = initial
        self.closed = False

    def set(self, *levels: bool) -> None:
        if self.gpio.broken:
            raise BusError("memory", "the chip is gone")
        assert not self.closed
        assert len(levels) == len(self.offsets)
        self.last = levels
        self.gpio.drive(self.offsets, levels)

    def levels(self) -> tuple[bool, ...]:
        return self.last

    def close(self) -> None:
        self.closed = True
        self.gpio.give_back(self.offsets)


class MemoryGpio:
    """A GPIO chip. `sets` is every drive call, `(t_s since the start, levels)`, the request's first levels included."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.start_ns = clock.now_ns()
        self.levels: dict[int, bool] = {}
        self.owners: dict[int, str] = {}
        self.groups: list[MemoryInputs] = []
        self.sets: list[tuple[float, tuple[bool, ...]]] = []
        self.pulls: dict[int, Pull] = {}
        self.broken = False
        self.follow: Callable[[Sequence[int], Sequence[bool]], None] | None = None

    async def inputs(
        self,
        owner: str,
        offsets: Sequence[int],
        *,
        pull: Pull = Pull.NONE,
        edges: EdgeKind = EdgeKind.BOTH,
        debounce_us: int = 0,
    ) -> MemoryInputs:
        self.take(owner, offsets)
        for offset in offsets:
            self.pulls[offset] = pull
            self.levels.setdefault(offset, pull is Pull.UP)
        group = MemoryInputs(self, tuple(offsets), edges)
        self.groups.append(group)
        return group

    async def outputs(
        self, owner: str, offsets: Sequence[int], *, initial: Sequence[bool], drive: Drive = Drive.PUSH_PULL
    ) -> MemoryOutputs:
        self.take(owner, offsets)
        self.drive(offsets, initial)
        return MemoryOutputs(self, tuple(offsets), tuple(initial))

    def take(self, owner: str, offsets: Sequence[int]) -> None:
        for offset in offsets:
            if offset in self.owners:
                raise LineInUse("memory", f"line {offset} is held by {self.owners[offset]}")
        self.owners.update(dict.fromkeys(offsets, owner))

    def give_back(self, offsets: Sequence[int]) -> None:
        for offset in offsets:
            self.owners.pop(offset, None)

    def drive(self, offsets: Sequence[int], levels: Sequence[bool]) -> None:
        self.levels.update(zip(offsets, levels, strict=True))
        self.sets.append((self.now_s, tuple(levels)))
        if self.follow is not None:
            self.follow(offsets, levels)

    @property
    def now_s(self) -> float:
        return (self.clock.now_ns() - self.start_ns) / S

    def put(self, offset: int, level: bool, *, lost: bool = False) -> None:
        """Move an input line now; a `lost` edge is counted but never delivered."""
        if self.levels.get(offset) == level:
            return
        self.levels[offset] = level
        self.deliver(offset, level, self.clock.now_ns(), lost=lost)

    def deliver(self, offset: int, level: bool, t_ns: int, *, lost: bool = False) -> None:
        """Report an edge with its own time, now."""
        for group in tuple(self.groups):
            if offset in group.offsets and not group.closed:
                group.take(offset, level, t_ns, lost=lost)

    def later(self, t_s: float, offset: int, level: bool, *, lost: bool = False) -> None:
        """Move an input line `t_s` seconds after the start."""
        self.clock.call_at(self.start_ns + round(t_s * S), lambda: self.put(offset, level, lost=lost))


class MemoryI2c:
    """An I2C bus of register chips; `calls` is every transfer, `gone` the addresses that do not acknowledge."""

    def __init__(self, clock: VirtualClock, chips: dict[int, MemoryMcp23017 | MemoryAds1115]) -> None:
        self.clock = clock
        self.chips = chips
        self.gone: set[int] = set()
        self.calls: list[tuple[str, int, int]] = []

    async def _chip(self, address: int) -> MemoryMcp23017 | MemoryAds1115:
        await self.clock.sleep(0.0002)
        if address in self.gone or address not in self.chips:
            raise NoReply("memory", f"0x{address:02x} does not acknowledge")
        return self.chips[address]

    async def read_block(self, address: int, register: int, length: int) -> bytes:
        data = (await self._chip(address)).read(register, length)
        self.calls.append(("read", register, int.from_bytes(data, "little")))
        return data

    async def write_block(self, address: int, register: int, data: bytes) -> None:
        chip = await self._chip(address)
        self.calls.append(("write", register, int.from_bytes(data, "little")))
        chip.write(register, data)

    async def read_byte(self, address: int, register: int) -> int:
        return (await self.read_block(address, register, 1))[0]

    async def write_byte(self, address: int, register: int, value: int) -> None:
        await self.write_block(address, register, bytes([value]))

    async def read_word(self, address: int, register: int) -> int:
        return int.from_bytes(await self.read_block(address, register, 2), "little")

    async def read_words(self, address: int, registers: Sequence[int]) -> tuple[int, ...]:
        return tuple([await self.read_word(address, register) for register in registers])

    async def write_word(self, address: int, register: int, value: int) -> None:
        await self.write_block(address, register, value.to_bytes(2, "little"))

    def close(self) -> None:
        pass


class MemoryAds1115:
    """Registers of 16 bits, high byte first; a conversion takes its time and then shows the voltage."""

    RATES = (8, 16, 32, 64, 128, 250, 475, 860)
    RANGES = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256)

    def __init__(self, clock: VirtualClock, volts: list[float]) -> None:
        self.clock = clock
        self.volts = volts
        self.config = 0x8583
        self.result = 0
        self.done_ns = 0
        self.slowness = 1.0
        self.conversions: list[int] = []

    def read(self, register: int, length: int) -> bytes:
        if self.clock.now_ns() >= self.done_ns and not self.config & 0x8000:
            channel = (self.config >> 12 & 7) - 4
            code = round(self.volts[channel] * 32768 / self.RANGES[self.config >> 9 & 7])
            self.result = max(-32768, min(32767, code)) & 0xFFFF
            self.config |= 0x8000
        return (self.result if register == 0 else self.config).to_bytes(2, "big")[:length]

    def write(self, register: int, data: bytes) -> None:
        assert register == 1
        assert len(data) == 2
        value = int.from_bytes(data, "big")
        assert self.config & 0x8000, "written while it converts"
        if value & 0x8000:
            assert (value >> 12 & 7) >= 4, "not single-ended"
            self.config = value & 0x7FFF
            self.done_ns = self.clock.now_ns() + round(S / self.RATES[value >> 5 & 7] * self.slowness)
            self.conversions.append((value >> 12 & 7) - 4)


@dataclass
class MemoryMcp23017:
    """Sixteen lines; `outside` is what the world puts on them, `pins` the history of what the chip drives."""

    clock: VirtualClock
    outside: int = 0xFFFF
    interrupt: Callable[[bool], None] | None = None
    registers: dict[int, int] = field(default_factory=dict)
    pins: list[tuple[int, int]] = field(default_factory=list)  # (driven mask, levels of the driven lines)
    _before: int = 0

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.registers = dict.fromkeys(range(0x16), 0)
        self.registers[0x00] = self.registers[0x01] = 0xFF
        self._before = self.levels()
        self._show()

    def word(self, register: int) -> int:
        return self.registers[register] | self.registers[register + 1] << 8

    def levels(self) -> int:
        inputs = self.word(0x00)
        return (self.outside & inputs) | (self.word(0x14) & ~inputs)

    def put(self, line: int, level: bool) -> None:
        """The world moves a line."""
        self.outside = (self.outside & ~(1 << line)) | level << line
        now = self.levels()
        changed = (now ^ self._before) & self.word(0x00)
        self._before = now
        raised = changed & self.word(0x04)
        if raised and not self.word(0x0E):
            self._set_word(0x0E, raised)
            self._set_word(0x10, now)
            if self.interrupt is not None:
                self.interrupt(False)

    def read(self, register: int, length: int) -> bytes:
        data = bytearray()
        for at in range(register, register + length):
            if at & ~1 == 0x12:
                data.append(self.levels() >> 8 * (at & 1) & 0xFF)
            else:
                data.append(self.registers[at])
            if at & ~1 in (0x10, 0x12):
                self.registers[0x0E + (at & 1)] = 0
                if not self.word(0x0E) and self.interrupt is not None:
                    self.interrupt(True)
        return bytes(data)

    def write(self, register: int, data: bytes) -> None:
        for at, value in enumerate(data, register):
            assert at & ~1 not in (0x0E, 0x10), "read-only"
            self.registers[at] = value
            self._show()

    def line(self, line: int) -> list[bool | None]:
        """What the chip did with a line, without repetitions; None while it is an input."""
        seen: list[bool | None] = []
        for driven, levels in self.pins:
            value = bool(levels >> line & 1) if driven >> line & 1 else None
            if not seen or seen[-1] != value:
                seen.append(value)
        return seen

    def _set_word(self, register: int, value: int) -> None:
        self.registers[register] = value & 0xFF
        self.registers[register + 1] = value >> 8

    def _show(self) -> None:
        driven = ~self.word(0x00) & 0xFFFF
        self.pins.append((driven, self.word(0x14) & driven))


@asynccontextmanager
async def running(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Let drivers work while the block runs."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
