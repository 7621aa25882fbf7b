"""A bus in memory: our panel and our peripherals, bytes paced by the rate, virtual time, damage on demand."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from typing import TypeVar

from hal.osdp.facts import Fact, KeyWanted, PeripheralSettings, ReaderSettings, Reported
from hal.osdp.frame import Frame, parse, wire_ns
from hal.osdp.panel import Panel
from hal.osdp.peripheral import Peripheral
from hal.osdp.replies import PdId, Raw

MS = 1_000_000
S = 1_000_000_000
START_NS = 7 * S
CHUNK = 8

KEY = bytes.fromhex("5F1D3A9902C47EB688AB10E5D3427C6F")
KEY2 = bytes.fromhex("C81E728D9D4C2F636F067F89CC14862C")
KEY3 = bytes.fromhex("A87FF679A2F3E71D9181A67B7542122C")
WHO = PdId(bytes.fromhex("A1B2C3"), 7, 2, 0x00C0FFEE, 1, 4, 9)

T = TypeVar("T")
# (towards the panel?, bytes) -> bytes that arrive; empty for none.
Wire = Callable[[bool, bytes], bytes]


def whole(towards_panel: bool, data: bytes) -> bytes:
    """A wire that does nothing."""
    return data


class Flips:
    """Flips one bit in a share of the chunks."""

    def __init__(self, share: float, seed: int) -> None:
        self._share = share
        self._random = random.Random(seed)
        self.flipped = 0

    def __call__(self, towards_panel: bool, data: bytes) -> bytes:
        if not data or self._random.random() >= self._share:
            return data
        self.flipped += 1
        raw = bytearray(data)
        raw[self._random.randrange(len(raw))] ^= 1 << self._random.randrange(8)
        return bytes(raw)


class Bus:
    """Everything on one line. `edit` sees whole sends, `damage` sees chunks of 8 bytes as they arrive."""

    def __init__(
        self,
        readers: Iterable[ReaderSettings],
        peripherals: Iterable[PeripheralSettings],
        *,
        baud: int = 9600,
        trace: bool = False,
    ) -> None:
        self.t_ns = START_NS
        self.baud = baud
        self.panel = Panel(tuple(readers), baud=baud, trace=trace)
        self.peripherals = [Peripheral(settings, WHO, trace=trace) for settings in peripherals]
        self.plugged = [True] * len(self.peripherals)
        self.edit: Wire = whole
        self.damage: Wire = whole
        self.facts: list[Fact] = []
        self.peripheral_facts: list[list[Fact]] = [[] for _ in self.peripherals]
        self.on_peripheral: Callable[[int, Fact], None] = lambda n, fact: None
        self.wire: list[tuple[int, bool, bytes]] = []  # everything that was sent, as a tap sees it
        self._events: list[tuple[int, int, int, bytes]] = []  # time, order, to whom (-1 panel), bytes
        self._order = 0
        self._next: list[int | None] = [self.t_ns] * (len(self.peripherals) + 1)

    # looking

    def found(self, kind: type[T]) -> list[T]:
        """The panel's facts of a kind."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def told(self, kind: type[T], n: int = 0) -> list[T]:
        """A peripheral's facts of a kind."""
        return [fact for fact in self.peripheral_facts[n] if isinstance(fact, kind)]

    def cards(self) -> list[str]:
        """The cards the panel was told, in order."""
        return [fact.reply.bits for fact in self.found(Reported) if isinstance(fact.reply, Raw)]

    def frames(self) -> list[Frame]:
        """Everything that was sent, as frames."""
        parsed = [parse(raw) for _, _, raw in self.wire]
        return [frame for frame in parsed if isinstance(frame, Frame)]

    # time

    def run(self, for_ns: int) -> None:
        """Let time pass."""
        self._run(self.t_ns + for_ns, lambda: False)

    def until(self, happened: Callable[[], bool], within_ns: int = 10 * S) -> int:
        """Let time pass until something happened; returns how long it took. Fails when it does not."""
        begun_ns = self.t_ns
        self._run(self.t_ns + within_ns, happened)
        assert happened(), f"did not happen within {within_ns / S} s; panel facts: {self.facts[-5:]}"
        return self.t_ns - begun_ns

    def _run(self, end_ns: int, happened: Callable[[], bool]) -> None:
        self._wake(-1)
        for n in range(len(self.peripherals)):
            self._wake(n)
        while not happened():
            times = [at_ns for at_ns in self._next if at_ns is not None]
            if self._events:
                times.append(self._events[0][0])
            at_ns = max(self.t_ns, min(times, default=end_ns + 1))
            if at_ns > end_ns:
                self.t_ns = end_ns
                return
            self.t_ns = at_ns
            self._moment()

    def _moment(self) -> None:
        awake = {n - 1 for n, at_ns in enumerate(self._next) if at_ns is not None and at_ns <= self.t_ns}
        while self._events and self._events[0][0] <= self.t_ns:
            _, _, to, data = heapq.heappop(self._events)
            if to < 0:
                self.panel.receive(self.t_ns, data)
            elif self.plugged[to]:
                self.peripherals[to].receive(self.t_ns, data)
            awake.add(to)
        for n in sorted(awake):
            self._wake(n)

    def _wake(self, n: int) -> None:
        if n < 0:
            step = self.panel.step(self.t_ns)
            self.facts += step.facts
        else:
            step = self.peripherals[n].step(self.t_ns)
            self.peripheral_facts[n] += step.facts
        self._next[n + 1] = step.next_ns
        if step.next_ns is not None and step.next_ns <= self.t_ns and not step.send:
            raise AssertionError(f"end {n} asks to be called at {step.next_ns} again and does nothing")
        if step.send and (n < 0 or self.plugged[n]):
            self._transmit(n, step.send)
        if n >= 0:
            for fact in step.facts:
                self.on_peripheral(n, fact)

    def _transmit(self, sender: int, data: bytes) -> None:
        self.wire.append((self.t_ns, sender >= 0, data))
        data = self.edit(sender >= 0, data)
        receivers = [n for n in range(-1, len(self.peripherals)) if n != sender]
        for at in range(0, len(data), CHUNK):
            chunk = self.damage(sender >= 0, data[at : at + CHUNK])
            arrives_ns = self.t_ns + wire_ns(min(at + CHUNK, len(data)), self.baud)
            for to in receivers if chunk else ():
                self._order += 1
                heapq.heappush(self._events, (arrives_ns, self._order, to, chunk))

    def poke(self, n: int = -1) -> None:
        """Call an end after something was asked of it."""
        self._wake(n)


def connected(bus: Bus, address: int = 0) -> bool:
    """Whether the panel calls a reader connected."""
    return bus.panel.status(address).phase.value == "connected"


def secure_bus(*, baud: int = 9600, trace: bool = False) -> Bus:
    """A bus with one reader whose secure channel stands."""
    bus = Bus([ReaderSettings(keys=(KEY,))], [PeripheralSettings(keys=(KEY,), baud=baud)], baud=baud, trace=trace)
    bus.until(lambda: connected(bus), 2 * S)
    return bus


def plain_bus() -> Bus:
    """A bus with one reader in clear text, as both ends allow."""
    bus = Bus([ReaderSettings(plain=True)], [PeripheralSettings(plain=True)])
    bus.until(lambda: connected(bus), 2 * S)
    return bus


def keeps_keys(bus: Bus) -> None:
    """Every peripheral's owner keeps the keys that a panel sets, at once."""

    def keep(n: int, fact: Fact) -> None:
        if isinstance(fact, KeyWanted):
            bus.peripherals[n].accept_key(bus.t_ns)
            bus.poke(n)

    bus.on_peripheral = keep
