"""A station for the access room: a real core and store in virtual time, with relays, loops and readers in memory.

The ports implement `hal.ports` Protocols and keep a trace of what was driven, in seconds since the start.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from firmware.access import AccessConfig, DoorsService, EntryList, IndicateService, ReadersService
from firmware.core.actions import ActionTable, Caller, Invocation, Level
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.events import Event, Notice
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.service import Service
from firmware.core.store import Store
from firmware.core.values import decode
from firmware.core.vocabulary.entries import EntryView
from firmware.core.vocabulary.station import StorageProblem
from hal.clock import Clock, Timer
from hal.errors import BusError
from hal.ports import Hardware, LoopChange, OutputChange, OutputTrouble
from hal.sim.time import VirtualClock, virtual_run
from hal.types import (
    OFF,
    CardBits,
    CardChip,
    Colour,
    Key,
    LoopState,
    Pattern,
    ReaderFact,
    ReaderFault,
    ReaderTrouble,
    SecureRead,
)

E = TypeVar("E", bound=Event)

ADMIN = Caller("root", Level.ADMIN, "api")
OPERATOR = Caller("op", Level.OPERATOR, "api")

DOORS = {
    "doors": {
        "door": {"relay": "relay1", "contact": "contact1", "rex": "rex1", "readers": ["reader1", "reader2"]},
        "gate": {"relay": "relay2"},
    }
}


class MemoryRelay:
    """A relay with the driver's own cut-off; `trace` lists every switch."""

    def __init__(self, name: str, clock: Clock, max_on_s: float) -> None:
        self.name = name
        self.max_on_s = max_on_s
        self.trace: list[tuple[float, bool]] = []
        self.broken = False
        self.commands = 0
        self._clock = clock
        self._zero_ns = clock.now_ns()
        self._on = False
        self._limit: Timer | None = None
        self._handler: Callable[[OutputChange], None] | None = None
        self._trouble: Callable[[OutputTrouble], None] | None = None

    def on(self) -> None:
        self._switch(True, "command")

    def off(self) -> None:
        self._switch(False, "command")

    def is_on(self) -> bool:
        return self._on

    def watch(self, handler: Callable[[OutputChange], None] | None) -> None:
        self._handler = handler

    def on_trouble(self, handler: Callable[[OutputTrouble], None] | None) -> None:
        self._trouble = handler

    def stick(self, stuck: bool) -> None:
        """Bench face: the readback contradicts, or again follows."""
        assert self._trouble is not None
        self._trouble(OutputTrouble(self._clock.now_ns(), stuck, self._on))

    def pulses(self) -> list[tuple[float, float]]:
        """(start, width) of every pulse, in seconds."""
        starts = [t for t, on in self.trace if on]
        ends = [t for t, on in self.trace if not on]
        return [(start, round(end - start, 9)) for start, end in zip(starts, ends, strict=True)]

    def _switch(self, on: bool, reason: str) -> None:
        self.commands += 1
        if self.broken:
            raise BusError(self.name, "the line does not answer")
        if on is self._on:
            return
        self._on = on
        if self._limit is not None:
            self._limit.cancel()
        self._limit = self._clock.call_later(self.max_on_s, self._switch, False, "longest on-time") if on else None
        t_ns = self._clock.now_ns()
        self.trace.append(((t_ns - self._zero_ns) / 1e9, on))
        if self._handler is not None:
            self._handler(OutputChange(t_ns, on, reason))


class MemoryLoop:
    """An input loop the test sets."""

    def __init__(self, name: str, clock: Clock, state: LoopState) -> None:
        self.name = name
        self.supervised = True
        self._clock = clock
        self._state = state
        self._handler: Callable[[LoopChange], None] | None = None

    def state(self) -> LoopState:
        return self._state

    def watch(self, handler: Callable[[LoopChange], None] | None) -> None:
        self._handler = handler

    def set(self, state: LoopState) -> None:
        """Bench face: the circuit changes."""
        self._state = state
        if self._handler is not None:
            self._handler(LoopChange(self._clock.now_ns(), state))


class MemoryLed:
    """A light; `trace` lists what it showed and when."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.colours = frozenset({Colour.OFF, Colour.RED, Colour.GREEN})
        self.trace: list[tuple[float, str]] = []
        self._clock = clock
        self._zero_ns = clock.now_ns()
        self._shown = OFF

    def show(self, pattern: Pattern) -> None:
        self._shown = pattern
        self.trace.append(((self._clock.now_ns() - self._zero_ns) / 1e9, str(pattern)))

    def shown(self) -> Pattern:
        return self._shown


class MemoryReader:
    """A reader with keypad; the test swipes and types."""

    def __init__(self, name: str, clock: Clock, led: MemoryLed | None) -> None:
        self.name = name
        self.led = led
        self.beeper = None
        self._clock = clock
        self._handler: Callable[[ReaderFact], None] | None = None

    def watch(self, handler: Callable[[ReaderFact], None] | None) -> None:
        self._handler = handler

    def tell(self, fact: ReaderFact) -> None:
        """Bench face: something came over the wire."""
        if self._handler is not None:
            self._handler(fact)

    def swipe(self, bits: str) -> None:
        self.tell(CardBits(self._clock.now_ns(), self.name, bits))

    def keys(self, keys: str) -> None:
        for key in keys:
            self.tell(Key(self._clock.now_ns(), self.name, key))

    def noise(self) -> None:
        self.tell(ReaderFault(self._clock.now_ns(), self.name, ReaderTrouble.SHORT, 13))


class MemoryChipReader(MemoryReader):
    """A reader of chips; `asked` is what it was told to read."""

    def __init__(self, name: str, clock: Clock) -> None:
        super().__init__(name, clock, None)
        self.asked: tuple[SecureRead, ...] = ()

    def read_also(self, reads: Sequence[SecureRead]) -> None:
        self.asked = tuple(reads)

    def hold(self, chip: str, csn: str, **data: str) -> None:
        """Bench face: a card with a chip is held to it."""
        found = tuple((name, bytes.fromhex(text)) for name, text in data.items())
        card = CardChip(t_ns=self._clock.now_ns(), reader=self.name, chip=chip, csn=bytes.fromhex(csn), data=found)
        self.tell(card)


class Gate:
    """Lets the writer thread through, or makes the disk stall or refuse; a stall holds no virtual time still."""

    def __init__(self) -> None:
        self.stalled = False
        self.error: Exception | None = None
        self.jobs = 0


class GatedStore(Store):
    """The real store behind a disk that can stall or fail at the test's word."""

    def __init__(self, root: Path, clock: Clock, gate: Gate, alarm: Callable[..., None]) -> None:
        super().__init__(root, clock, alarm=alarm)
        self._gate = gate
        self._gate_clock = clock

    async def run(
        self, work: Any, *, what: str = "database", within_s: float | None = None, writes: bool = True
    ) -> Any:
        self._gate.jobs += 1
        while self._gate.stalled:
            await self._gate_clock.sleep(0.05)
        error = self._gate.error
        if error is not None:

            def refuse() -> None:
                raise error

            return await super().run(refuse, what=what, within_s=within_s, writes=writes)
        return await super().run(work, what=what, within_s=within_s, writes=writes)


class Station:
    """One role with its core; every `boot` is a new start on the same ports and storage."""

    def __init__(self, clock: VirtualClock, root: Path) -> None:
        self.clock = clock
        self.root = root
        self.gate = Gate()
        self.facts: list[Event] = []
        self.alarms: list[str] = []
        self.relays = {
            "relay1": MemoryRelay("relay1", clock, max_on_s=60.0),
            "relay2": MemoryRelay("relay2", clock, max_on_s=5.0),
        }
        self.loops = {
            "contact1": MemoryLoop("contact1", clock, LoopState.CLOSED),
            "rex1": MemoryLoop("rex1", clock, LoopState.OPEN),
        }
        self.leds = {name: MemoryLed(name, clock) for name in ("reader1.led",)}
        self.readers = {
            "reader1": MemoryReader("reader1", clock, self.leds["reader1.led"]),
            "reader2": MemoryReader("reader2", clock, None),
            "reader3": MemoryReader("reader3", clock, None),
        }
        self.chip_reader = MemoryChipReader("reader4", clock)
        self.hardware = Hardware(
            relays=self.relays,
            outputs={},
            inputs=self.loops,
            buttons={},
            leds={},
            readers={**self.readers, "reader4": self.chip_reader},
            chip_readers={"reader4": self.chip_reader},
            terminals={},
            aliases={"reader1": "front", "relay1": "strike"},
        )
        self._zero_ns = clock.now_ns()
        self.core: Core
        self.entries: EntryList
        self.services: tuple[Service, ...] = ()
        self._runs: dict[type[Service], asyncio.Task[None]] = {}

    @contextlib.asynccontextmanager
    async def boot(self, config: dict[str, Any] | None = None) -> AsyncIterator[None]:
        """Start core and services, run them, and stop them in reverse, as the composition root does."""
        self.facts.clear()
        self.alarms.clear()
        store = GatedStore(self.root, self.clock, self.gate, self._alarm)
        await store.start()
        bus = Bus(self.clock, role="control", boot="b1")
        bus.tap(self._note)
        actions = ActionTable()
        params = Params(store, bus, lambda name, why: self.alarms.append(f"{name}: {why}"))
        link = LocalLink(actions, params)
        self.core = Core(
            role="control",
            clock=self.clock,
            bus=bus,
            actions=actions,
            link=link,
            params=params,
            store=store,
            shared=store,
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                async with contextlib.AsyncExitStack() as stack:
                    self.services = self._services(config or DOORS)
                    for service in self.services:
                        stack.push_async_callback(service.stop)
                        await service.start()
                        self._runs[type(service)] = run = tasks.create_task(service.run())
                        stack.callback(run.cancel)
                    await self.clock.sleep(0)
                    yield
        finally:
            await store.close()

    def _services(self, config: dict[str, Any]) -> tuple[Service, ...]:
        access = decode(AccessConfig, config, where="rooms.access")
        self.entries = EntryList(self.core)
        return (
            DoorsService(self.core, self.hardware, access),
            IndicateService(self.core, self.hardware),
            ReadersService(self.core, self.hardware, access, self.entries),
        )

    def _alarm(self, what: str, problem: StorageProblem | None, detail: str) -> None:
        self.alarms.append(f"{what}: {problem} {detail}")

    def _note(self, notice: Notice) -> None:
        self.facts.append(notice.event)

    def t_s(self) -> float:
        """Seconds since the station was made."""
        return (self.clock.now_ns() - self._zero_ns) / 1e9

    def all(self, cls: type[E]) -> list[E]:
        """Every published fact of a class, in order."""
        return [fact for fact in self.facts if isinstance(fact, cls)]

    def last(self, cls: type[E]) -> E:
        """The newest fact of a class."""
        found = self.all(cls)
        assert found, f"no {cls.__name__}"
        return found[-1]

    async def act(self, action: str, caller: Caller = ADMIN, cause: str | None = None, **data: Any) -> Any:
        """Send a command as an interface does: outside data, checked by the action table."""
        params = self.core.actions.parse(action, data)
        return await self.core.actions.invoke(Invocation(action=action, params=params, caller=caller, cause=cause))

    async def enrol(self, name: str = "Ada", **data: Any) -> EntryView:
        """Add an entry."""
        view = await self.act("entries.add", name=name, **data)
        assert isinstance(view, EntryView)
        return view

    async def patch(self, group: str, **values: object) -> None:
        """Change parameters through the parameters API."""
        await self.core.params.change(group, values, ADMIN)
        await self.clock.sleep(0.001)

    async def end_run(self, cls: type[Service]) -> None:
        """End the work of one service, as if it hung for ever."""
        self._runs[cls].cancel()
        await asyncio.wait((self._runs[cls],))

    def group(self) -> asyncio.TaskGroup:
        """Tasks of the test's own."""
        return asyncio.TaskGroup()

    async def wait(self, s: float = 0.001) -> None:
        """Let virtual time go on."""
        await self.clock.sleep(s)


OnStation = Callable[[Callable[[Station], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def on_station(tmp_path: Path) -> OnStation:
    """Run a test's body on a fresh station in virtual time; afterwards no thread is left."""

    def run(body: Callable[[Station], Awaitable[None]]) -> None:
        async def main(clock: VirtualClock) -> None:
            await body(Station(clock, tmp_path / "store"))

        before = threading.active_count()
        virtual_run(main)
        assert threading.active_count() <= before

    return run
