"""The firmware's side: the wires of a board whose world lives in another process.

Levels of inputs are kept up to date by what the world pushes, so reading them never waits. Without its world
a firmware has no hardware: `lost` is told once, and every later call raises BusError.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from hal.buses.pins import InputWish, OutputWish, check_offsets, check_wish, place
from hal.clock import Clock, SystemClock
from hal.errors import BusError, error_of
from hal.sim.chips.bus import I2cCalls
from hal.sim.pcm import SimPcm
from hal.sim.pulses import open_pulses
from hal.sim.remote.lines import MOST_UNSENT, LineReader, Message, packed
from hal.types import ChipIdentity, Drive, Edge, EdgeKind, Pull
from hal.wires import EdgeHandler, Gpio, I2c, InputLines, OutputLines, PulseOut, Uart

log = logging.getLogger("hal.sim")

Lost = Callable[[BusError], None]

CONNECT_EVERY_S = 0.01


class Link(asyncio.Protocol):
    """The stream to the world: questions and their answers, commands, and pushed edges."""

    def __init__(self, lost: Lost | None) -> None:
        self.lost = lost
        self.groups: dict[int, RemoteInputs] = {}
        self.eyes: dict[str, Callable[[Message], None]] = {}
        self._numbers = itertools.count(1)
        self._lines = LineReader()
        self._asked: dict[int, tuple[asyncio.Future[object], Callable[[Message], None] | None]] = {}
        self._transport: asyncio.Transport | None = None
        self._gone = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        closed_by_us = bool(self._gone)
        self._gone = self._gone or "the simulated world has gone"
        error = BusError("world", self._gone)
        asked, self._asked = self._asked, {}
        for future, _ in asked.values():
            if not future.done():
                future.set_exception(error)
        if not closed_by_us and self.lost is not None:
            self.lost(error)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._lines.feed(data)
        except BusError as error:
            log.error("%s; hanging up", error)
            assert self._transport is not None
            self._transport.abort()
            return
        for message in messages:
            self._take(message)

    def _take(self, message: Message) -> None:
        if "edges" in message:
            for group, t_ns, line, level, seq in message["edges"]:
                if group in self.groups:
                    self.groups[group].changed(Edge(t_ns, line, level, seq))
            return
        if "eye" in message:
            if message["eye"] in self.eyes:
                self.eyes[message["eye"]](message["scene"])
            return
        error = error_of(message["error"]) if "error" in message else None
        future, first = self._asked.pop(message.get("id", 0), (None, None))
        if future is None or future.done():
            if error is not None:
                log.error("%s", error)  # a command failed, or a question whose asker was cancelled
            return
        if error is not None:
            future.set_exception(error)
            return
        if first is not None:
            first(message["answer"])
        future.set_result(message["answer"])

    @property
    def connected(self) -> bool:
        """Whether the world is there."""
        return not self._gone

    def number(self) -> int:
        """A number that was not used before."""
        return next(self._numbers)

    def tell(self, message: Message) -> None:
        """Send a command. Raises BusError without a world."""
        if self._gone or self._transport is None:
            raise BusError("world", self._gone or "not connected")
        if self._transport.get_write_buffer_size() > MOST_UNSENT:
            raise BusError("world", "does not read what it is sent")
        self._transport.write(packed(message))

    async def ask(self, message: Message, first: Callable[[Message], None] | None = None) -> object:
        """Ask and wait; `first` sees the answer before anything that came after it. Raises what the world raises."""
        number = self.number()
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._asked[number] = (future, first)
        try:
            self.tell({"id": number} | message)
            return await future
        finally:
            self._asked.pop(number, None)

    def close(self) -> None:
        """Hang up."""
        self._gone = self._gone or "the wires were closed"
        if self._transport is not None:
            self._transport.close()


class RemoteInputs:
    """A group of inputs; implements InputLines."""

    def __init__(self, link: Link, group: int, where: str, owner: str) -> None:
        self._link = link
        self._group = group
        self._where = where
        self.owner = owner
        self._levels: tuple[bool, ...] = ()
        self._handler: EdgeHandler | None = None
        self._open = True

    def begin(self, answer: Message) -> None:
        """Take the first levels."""
        self._levels = tuple(answer["levels"])

    def changed(self, edge: Edge) -> None:
        """Note a level; hand an edge over on the loop's next round, as the kernel would."""
        self._levels = (*self._levels[: edge.line], edge.level, *self._levels[edge.line + 1 :])
        if edge.seq and self._handler is not None:
            asyncio.get_running_loop().call_soon(self._deliver, edge)

    def _deliver(self, edge: Edge) -> None:
        if self._handler is not None:
            self._handler(edge)

    def levels(self) -> tuple[bool, ...]:
        """The levels that were heard last. Raises BusError."""
        self._check_open()
        return self._levels

    def watch(self, handler: EdgeHandler | None) -> None:
        """Call `handler` for every edge from now on; None stops it. Raises BusError."""
        if handler is not None:
            self._check_open()
        self._handler = handler

    def _check_open(self) -> None:
        if not self._open:
            raise BusError(self._where, "the line was given back")

    def close(self) -> None:
        """Give the lines back."""
        if not self._open:
            return
        self._open = False
        self._handler = None
        give_back(self._link, self._group)


class RemoteOutputs:
    """A group of outputs; implements OutputLines."""

    def __init__(self, link: Link, group: int, where: str, initial: tuple[bool, ...]) -> None:
        self._link = link
        self._group = group
        self._where = where
        self._driven = initial
        self._open = True

    def set(self, *levels: bool) -> None:
        """Drive all lines in one command. Raises BusError."""
        if not self._open:
            raise BusError(self._where, "the line was given back")
        if len(levels) != len(self._driven):
            raise BusError(self._where, f"{len(self._driven)} lines, but {len(levels)} levels")
        self._driven = tuple(bool(level) for level in levels)
        self._link.tell({"op": "set", "group": self._group, "levels": self._driven})

    def play(self, moves: Sequence[tuple[int, tuple[bool, ...]]]) -> None:
        """Make moves of a moment ago, each stamped with its own time. Raises BusError."""
        if moves:
            self._driven = moves[-1][1]
            self._link.tell({"op": "play", "group": self._group, "moves": moves})

    def levels(self) -> tuple[bool, ...]:
        """The levels last driven."""
        return self._driven

    def close(self) -> None:
        """Give the lines back without moving them."""
        if self._open:
            self._open = False
            give_back(self._link, self._group)


def give_back(link: Link, group: int) -> None:
    """End a group; when the world has gone, it has ended already."""
    link.groups.pop(group, None)
    if link.connected:
        link.tell({"op": "close", "group": group})


class RemoteGpio:
    """One chip; implements Gpio."""

    def __init__(self, link: Link, bus: str) -> None:
        self._link = link
        self._bus = bus

    async def inputs(
        self,
        owner: str,
        offsets: Sequence[int],
        *,
        pull: Pull = Pull.NONE,
        edges: EdgeKind = EdgeKind.BOTH,
        debounce_us: int = 0,
    ) -> InputLines:
        """Request lines as inputs for `owner`. Raises LineInUse, BusError."""
        wanted = check_offsets(self._bus, offsets)
        check_wish(self._bus, wanted, InputWish(pull, edges, debounce_us))
        group = self._link.number()
        lines = RemoteInputs(self._link, group, place(self._bus, wanted), owner)
        self._link.groups[group] = lines
        question = {"op": "inputs", "group": group, "bus": self._bus, "owner": owner, "offsets": wanted}
        settings = {"pull": pull, "edges": edges, "debounce_us": debounce_us}
        try:
            await self._link.ask(question | settings, lines.begin)
        except BaseException:
            self._link.groups.pop(group, None)
            raise
        return lines

    async def outputs(
        self,
        owner: str,
        offsets: Sequence[int],
        *,
        initial: Sequence[bool],
        drive: Drive = Drive.PUSH_PULL,
    ) -> OutputLines:
        """Request lines as outputs at their first level. Raises LineInUse, BusError."""
        wanted = check_offsets(self._bus, offsets)
        first = tuple(bool(level) for level in initial)
        check_wish(self._bus, wanted, OutputWish(first, drive))
        group = self._link.number()
        question = {"op": "outputs", "group": group, "bus": self._bus, "owner": owner, "offsets": wanted}
        await self._link.ask(question | {"initial": first, "drive": drive})
        return RemoteOutputs(self._link, group, place(self._bus, wanted), first)


class RemoteI2c(I2cCalls):
    """One controller; implements I2c."""

    def __init__(self, link: Link, bus: str) -> None:
        super().__init__(bus)
        self._link = link

    async def transfer(self, address: int, register: int, *, length: int = 0, data: bytes = b"") -> bytes:
        message: Message = {"bus": self.name, "address": address, "register": register}
        if data:
            await self._link.ask(message | {"op": "write", "data": data.hex()})
            return b""
        return bytes.fromhex(str(await self._link.ask(message | {"op": "read", "length": length})))

    async def read_words(self, address: int, registers: Sequence[int]) -> tuple[int, ...]:
        """Asked for in one message."""
        self._check_open()
        answer = await self._link.ask({"op": "words", "bus": self.name, "address": address, "registers": [*registers]})
        assert isinstance(answer, list)
        return tuple(map(int, answer))


async def open_link(path: Path | str, clock: Clock, lost: Lost | None, *, within_s: float) -> Link:
    """A stream to the world, trying for `within_s` seconds while it is not up yet. Raises BusError."""
    loop = asyncio.get_running_loop()
    until_ns = clock.now_ns() + round(within_s * 1e9)
    while True:
        link = Link(lost)
        try:
            await loop.create_unix_connection(lambda link=link: link, str(path))  # type: ignore[misc]
        except OSError as error:
            if clock.now_ns() >= until_ns:
                raise BusError("world", f"cannot reach {path}: {error.strerror or error}") from error
            await clock.sleep(CONNECT_EVERY_S)
        else:
            return link


class RemoteWires(SimPcm):
    """`hal.wires.Wires` over the socket of a `WorldServer`."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._uarts: dict[str, Uart] = {}
        self._pulses: list[PulseOut] = []

    @classmethod
    async def connect(
        cls, path: Path | str, clock: Clock | None = None, *, lost: Lost | None = None, within_s: float = 0.0
    ) -> RemoteWires:
        """Connect, trying for `within_s` seconds while the world is not up yet. Raises BusError."""
        clock = clock or SystemClock()
        wires = cls(await open_link(path, clock, lost, within_s=within_s), clock)
        await wires.identity()  # only now is the other end surely there
        return wires

    def on_lost(self, handler: Lost | None) -> None:
        """Tell `handler` when the world goes away."""
        self._link.lost = handler

    async def gpio(self, bus: str) -> Gpio:
        """The GPIO chip of that bus name. Raises BoardError."""
        await self._link.ask({"op": "has", "kind": "gpio", "bus": bus})
        return RemoteGpio(self._link, bus)

    async def i2c(self, bus: str) -> I2c:
        """The I2C controller of that bus name. Raises BoardError."""
        await self._link.ask({"op": "has", "kind": "i2c", "bus": bus})
        return RemoteI2c(self._link, bus)

    async def uart(self, bus: str, *, baud: int) -> Uart:
        """The serial port of that bus name: its pty, with the ordinary wire. Raises BoardError, BusError, LineInUse."""
        from hal.buses.serial import SerialUart

        answer = await self._link.ask({"op": "uart", "bus": bus})
        assert isinstance(answer, dict)
        uart = SerialUart(bus, str(answer["path"]), self._clock, baud=baud)
        self._uarts[bus] = uart  # one before it was closed, or the port would be in use
        return uart

    async def pulses(self, bus: str, owner: str, d0: int, d1: int, *, active_high: bool) -> PulseOut:
        """Two lines for pulses: of a process of its own, or in virtual time. Raises BoardError, LineInUse, BusError."""
        lines = await RemoteGpio(self._link, bus).outputs(owner, (d0, d1), initial=(not active_high,) * 2)
        assert isinstance(lines, RemoteOutputs)
        pulses = await open_pulses(owner, lines, self._clock, active_high=active_high)
        self._pulses.append(pulses)
        return pulses

    async def identity(self) -> ChipIdentity:
        """Who the simulated hardware is. Raises BusError."""
        answer = await self._link.ask({"op": "identity"})
        assert isinstance(answer, dict)
        return ChipIdentity(serial=answer["serial"], chip_id=answer["chip_id"])

    async def close(self) -> None:
        """Hang up; every line stays as it is and becomes free."""
        for uart in self._uarts.values():
            uart.close()
        self._uarts.clear()
        for pulses in self._pulses:
            pulses.close()
        self._pulses.clear()
        self._link.close()
