"""A serial bus behind a pty: the firmware opens the slave with the ordinary wire, stations hang on the master.

Bytes take their time at the line's rate, in the world's time. Bytes that are inside the kernel are
counted, so that virtual time never jumps over them. Two that talk at once garble each other (RS-485).
"""

from __future__ import annotations

import asyncio
import os
import random
import termios
import tty
from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from hal.clock import SystemClock
from hal.errors import BusError
from hal.sim.peers.base import Peer, Place
from hal.sim.time import VirtualLoop
from hal.sim.traces import Trace
from hal.wires import ByteHandler, LostHandler, Uart

BITS_PER_BYTE = 10
READ_SIZE = 4096
# In real time one burst is handed over at its end; more than this is handed over in parts.
LONGEST_BURST = 1024
# Bytes that the kernel was given come out within a millisecond, on a machine with much to do within a second. Only
# time counts in which this process runs: a look after a long while says that the machine stood still, kernel and all.
LOST_AFTER_NS = 20_000_000_000
LONGEST_LOOK_NS = 5_000_000
NOISE_IN = 8
DROP_IN = 8
# Light noise: of so many bytes in a row one bit is flipped, in a share of the cases.
CHUNK = 8

RATES = {getattr(termios, f"B{rate}"): rate for rate in (9600, 19200, 38400, 57600, 115200, 230400)}


class Station(Protocol):
    """Something on the bus: it hears every byte that it did not say itself."""

    @property
    def baud(self) -> int:
        """The rate it listens and talks at."""

    def hear(self, t_ns: int, data: bytes) -> None:
        """Bytes have arrived; `t_ns` is the end of the last one."""


@dataclass(eq=False, slots=True)
class Talk:
    """A message on the line, its bytes back to back; `by` None is the board."""

    begin_ns: int
    ends_ns: int
    by: Station | None
    over: bool = False


class InFlight:
    """Bytes given to the kernel and not seen on the other side yet; `what` they are is said when none come out."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._count = 0
        self._looked_ns = 0
        self._waited_ns = 0
        self._real = SystemClock()

    def gave(self, count: int) -> None:
        """Bytes went in."""
        self._moved(self._count + count)

    def saw(self, count: int) -> None:
        """Bytes came out."""
        self._moved(max(0, self._count - count))

    def forget(self) -> None:
        """Whatever is inside is of no interest any more."""
        self._count = 0

    def _moved(self, count: int) -> None:
        self._count = count
        self._looked_ns, self._waited_ns = self._real.now_ns(), 0

    def none(self) -> bool:
        """Whether nothing is under way. Raises RuntimeError when bytes are lost: virtual time would be wrong."""
        if not self._count:
            return True
        now_ns = self._real.now_ns()
        self._waited_ns += min(now_ns - self._looked_ns, LONGEST_LOOK_NS)
        self._looked_ns = now_ns
        if self._waited_ns > LOST_AFTER_NS:
            lost, self._count = self._count, 0
            raise RuntimeError(f"{self._what}: {lost} bytes went into the kernel and never came out")
        return False


class SerialBus(Peer):
    """One bus. Its trace is who talks. Faults act on what the board hears: `noise` (flipped bits), `half` (the
    second half of a message is missing), `drop` (bytes are missing), `garbage` (all bytes are wrong). On everybody
    act `flips` (one flipped bit in a share `flip_share` of all eights of bytes) and `short` (nobody hears anything).
    """

    kind = "serial"
    kinds_of_fault = frozenset({"noise", "half", "drop", "garbage", "flips", "short"})

    def __init__(self, place: Place, name: str, *, full_duplex: bool = False) -> None:
        """`full_duplex`: a port with a line each way, on which the board and one station may talk at once."""
        super().__init__(place, name)
        self._full_duplex = full_duplex
        self.stations: list[Station] = []
        self.to_board = InFlight(f"{name}, to the board")
        self.from_board = InFlight(f"{name}, from the board")
        self.board_listens = False
        self.overruns = 0
        self.flip_share = 0.01
        self.trace: Trace[str] = self.new_trace("")
        self._master = -1
        self._slave = -1
        self._path = ""
        self._plugged = True
        self._talks: list[Talk] = []
        self._still: Callable[[], None] | None = None

    @property
    def traces(self) -> dict[str, Trace[str]]:
        return {"": self.trace}

    @property
    def path(self) -> str:
        """Where the firmware finds the port. Raises BusError without power, or without the adapter."""
        if not self.place.powered:
            raise BusError(self.name, "the board has no power")
        if not self._plugged:
            raise BusError(self.name, "no such port: the adapter is not plugged in")
        if self._master < 0:
            self._open()
        return self._path

    @property
    def baud(self) -> int:
        """The rate the board has set. Raises BusError for one the simulation does not know."""
        speed = termios.tcgetattr(self._slave)[5]
        if speed not in RATES:
            raise BusError(self.name, f"rate code {speed} is not one the simulation paces")
        return RATES[speed]

    def _open(self) -> None:
        self._master, self._slave = os.openpty()  # our own slave keeps the line up while no firmware runs
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._path = os.ttyname(self._slave)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._master, self._readable)
        if isinstance(loop, VirtualLoop):
            self._still = loop.add_quiet(lambda: self.from_board.none() and self.to_board.none())

    def shut(self) -> None:
        """Hang up: the port is gone for whoever has it open."""
        if self._master < 0:
            return
        if self._still is not None:
            self._still()
            self._still = None
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1
        self.from_board.forget()
        self.to_board.forget()
        self._talks.clear()

    def close(self) -> None:
        super().close()
        self.shut()

    def unplug(self) -> None:
        """Pull the adapter out: the port is gone."""
        self._plugged = False
        self.close()

    def plug(self) -> None:
        """Put the adapter back."""
        self._plugged = True

    def power_changed(self) -> None:
        if not self.place.powered:
            self.close()

    # who talks

    def _readable(self) -> None:
        try:
            data = os.read(self._master, READ_SIZE)
        except BlockingIOError:
            return
        self.from_board.saw(len(data))
        self._talk(data, self.baud, None)

    def say(self, station: Station, data: bytes) -> int:
        """A station sends bytes, after what it already sends; returns when the last one ends."""
        return self._talk(data, station.baud, station)

    def _heard_by_board(self, data: bytes, baud: int) -> None:
        if self._master < 0:
            return
        try:
            written = os.write(self._master, data if baud == self.baud else self._wrong(data))
        except BlockingIOError:
            written = 0
        self.overruns += len(data) - written  # as a real port whose buffer nobody empties
        if self.board_listens:
            self.to_board.gave(written)

    # the line

    def _talk(self, data: bytes, baud: int, by: Station | None) -> int:
        """Put bytes on the line: each at its end in virtual time, in bursts in real time."""
        byte_ns = BITS_PER_BYTE * 1_000_000_000 // baud
        begin_ns = max([self.place.clock.now_ns(), *(talk.ends_ns for talk in self._talks if talk.by is by)])
        self.trace.put("board" if by is None else type(by).__name__, begin_ns)
        if by is not None:
            data = self._faulty(data)
        if "flips" in self.faults:
            data = self._flipped(data)
        talk = Talk(begin_ns, begin_ns + len(data) * byte_ns, by)
        self._talks.append(talk)
        step = 1 if self.place.stepped else LONGEST_BURST
        for index in range(0, len(data), step):
            chunk = data[index : index + step]
            chunk_ns = begin_ns + index * byte_ns
            self.at(chunk_ns + len(chunk) * byte_ns, partial(self._told, talk, chunk, chunk_ns, baud))
        self.at(talk.ends_ns, partial(self._over, talk))
        return talk.ends_ns

    def _told(self, talk: Talk, chunk: bytes, begin_ns: int, baud: int) -> None:
        """A chunk has ended: everybody else hears it, spoilt where somebody talked at the same time."""
        if "short" in self.faults:
            return
        ends_ns = begin_ns + len(chunk) * (BITS_PER_BYTE * 1_000_000_000 // baud)
        collided = any(
            self._collide(talk, other) and begin_ns < other.ends_ns and other.begin_ns < ends_ns
            for other in self._talks
        )
        data = self._wrong(chunk) if collided else chunk
        for station in tuple(self.stations):
            if station is not talk.by:
                station.hear(ends_ns, data if station.baud == baud else self._wrong(data))
        if talk.by is not None:
            self._heard_by_board(data, baud)

    def _collide(self, one: Talk, other: Talk) -> bool:
        """Whether two that talk at once spoil each other: on a line each way, the board spoils nobody."""
        return one.by is not other.by and not (self._full_duplex and None in (one.by, other.by))

    def _over(self, talk: Talk) -> None:
        """A message has ended; it is remembered while one that overlaps it goes on."""
        talk.over = True
        first_ns = min((other.begin_ns for other in self._talks if not other.over), default=None)
        if first_ns is None:
            self._talks.clear()
            self.trace.put("", talk.ends_ns)
        else:
            self._talks = [other for other in self._talks if not other.over or other.ends_ns > first_ns]

    def _faulty(self, data: bytes) -> bytes:
        return spoilt(data, self.faults, self.place.chance)

    def _flipped(self, data: bytes) -> bytes:
        chance = self.place.chance
        spoilt = bytearray(data)
        for begin in range(0, len(data), CHUNK):
            if chance.random() < self.flip_share:
                spoilt[chance.randrange(begin, min(begin + CHUNK, len(data)))] ^= 1 << chance.randrange(8)
        return bytes(spoilt)

    def _wrong(self, data: bytes) -> bytes:
        return wrong(data, self.place.chance)

    def state(self) -> dict[str, object]:
        """Whether the port exists, and how many hang on it."""
        return {
            "plugged": self._plugged,
            "path": self._path if self._master >= 0 else None,
            "stations": len(self.stations),
        }


def spoilt(data: bytes, faults: Set[str], chance: random.Random) -> bytes:
    """Bytes as they arrive through a bad cable: `half`, `drop`, `noise` and `garbage`, as `SerialBus` explains."""
    if "half" in faults:
        data = data[: len(data) // 2]
    if "drop" in faults:
        data = bytes(byte for byte in data if chance.randrange(DROP_IN))
    if "noise" in faults:
        data = bytes(byte ^ (0 if chance.randrange(NOISE_IN) else 1 << chance.randrange(8)) for byte in data)
    return wrong(data, chance) if "garbage" in faults else data


def wrong(data: bytes, chance: random.Random) -> bytes:
    """As many bytes, none of them right."""
    return bytes(byte ^ chance.randrange(1, 256) for byte in data)


class CountedUart:
    """The firmware's end of a bus in the same process: the ordinary wire, with its bytes counted."""

    def __init__(self, uart: Uart, bus: SerialBus) -> None:
        self._uart = uart
        self._bus = bus

    def write(self, data: bytes) -> None:
        """Queue bytes for sending. Raises BusError."""
        self._uart.write(data)
        self._bus.from_board.gave(len(data))

    def receive(self, handler: ByteHandler | None) -> None:
        """Call `handler(t_ns, data)` for arriving bytes; None stops it."""
        self._bus.board_listens = handler is not None
        self._bus.to_board.forget()
        if handler is None:
            self._uart.receive(None)
            return

        def counted(t_ns: int, data: bytes) -> None:
            self._bus.to_board.saw(len(data))
            handler(t_ns, data)

        self._uart.receive(counted)

    def set_baud(self, baud: int) -> None:
        """Change the line rate. Raises BusError."""
        self._uart.set_baud(baud)

    def on_lost(self, handler: LostHandler | None) -> None:
        """Tell `handler` when the port goes."""
        self._uart.on_lost(handler)

    def close(self) -> None:
        """Give the port back."""
        self._bus.board_listens = False
        self._bus.to_board.forget()
        self._bus.from_board.forget()
        self._uart.close()
