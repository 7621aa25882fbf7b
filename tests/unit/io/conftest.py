"""A station for the I/O room: a real core in virtual time, with terminals and relays in memory.

The ports implement `hal.ports` Protocols and keep a trace of what was driven, in seconds since the start.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from firmware.core.actions import ActionTable, Caller, Invocation, Level
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.events import Event, Notice
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.service import Service
from firmware.core.store import Store
from firmware.core.vocabulary.station import StorageProblem
from hal.clock import Clock, Timer
from hal.errors import BusError, OutOfRange
from hal.ports import Hardware, LoopChange, OutputChange, OutputTrouble
from hal.sim.time import VirtualClock, virtual_run
from hal.types import Direction, LoopState

OPERATOR = Caller("op", Level.OPERATOR, "api")
ADMIN = Caller("root", Level.ADMIN, "api")


class MemoryTerminal:
    """A terminal whose far end is set by the test; `driven` lists every change of its own transistor."""

    def __init__(self, name: str, clock: Clock, *, configurable: bool, can_supervise: bool) -> None:
        self.name = name
        self.configurable = configurable
        self.can_supervise = can_supervise
        self.direction = Direction.INPUT
        self.supervised = False
        self.broken = False
        self.turning = False
        self.driven: list[tuple[float, bool]] = []
        self._clock = clock
        self._began_ns = clock.now_ns()
        self._closed = False
        self._far = LoopState.OPEN
        self._handler: Callable[[LoopChange], None] | None = None

    async def configure(self, direction: Direction, *, supervised: bool) -> None:
        self.turning = True
        for _ in range(5):
            await self._clock.sleep(0)
        self.turning = False
        self._obey()
        if supervised and not self.can_supervise:
            raise OutOfRange(self.name, "cannot supervise")
        self._drive(False)
        self.direction = direction
        self.supervised = supervised

    def circuit(self) -> LoopState:
        if self.direction is Direction.OUTPUT:
            return LoopState.CLOSED if self._closed else LoopState.OPEN
        return self._far

    def close_circuit(self, closed: bool) -> None:
        if self.direction is Direction.INPUT:
            raise OutOfRange(self.name, "is an input")
        self._obey()
        self._drive(closed)

    def watch(self, handler: Callable[[LoopChange], None] | None) -> None:
        self._handler = handler

    def set(self, state: LoopState) -> None:
        """Bench face: the circuit outside."""
        self._far = state
        if self.direction is Direction.INPUT:
            self._report(state)

    def _obey(self) -> None:
        if self.broken:
            raise BusError(self.name, "no acknowledge")

    def _drive(self, closed: bool) -> None:
        if closed is not self._closed:
            self._closed = closed
            self.driven.append(((self._clock.now_ns() - self._began_ns) / 1e9, closed))
            self._report(self.circuit())

    def _report(self, state: LoopState) -> None:
        if self._handler is not None:
            self._handler(LoopChange(self._clock.now_ns(), state))


class MemoryRelay:
    """A relay with its own longest on-time, as the Protocol asks; `driven` lists every switch."""

    def __init__(self, name: str, clock: Clock, *, max_on_s: float) -> None:
        self.name = name
        self.max_on_s = max_on_s
        self.broken = False
        self.driven: list[tuple[float, bool]] = []
        self._clock = clock
        self._began_ns = clock.now_ns()
        self._on = False
        self._limit: Timer | None = None
        self._handler: Callable[[OutputChange], None] | None = None
        self._trouble: Callable[[OutputTrouble], None] | None = None

    def on(self) -> None:
        if not self._on:
            self._limit = self._clock.call_later(self.max_on_s, self._switch, False, "longest on-time")
            self._switch(True, "command")

    def off(self) -> None:
        if self.broken:
            raise BusError(self.name, "line gone")
        self._switch(False, "command")

    def is_on(self) -> bool:
        return self._on

    def watch(self, handler: Callable[[OutputChange], None] | None) -> None:
        self._handler = handler

    def on_trouble(self, handler: Callable[[OutputTrouble], None] | None) -> None:
        self._trouble = handler

    def weld(self) -> None:
        """Bench face: the readback contradicts the command."""
        assert self._trouble is not None
        self._trouble(OutputTrouble(self._clock.now_ns(), stuck=True, commanded=False))

    def _switch(self, on: bool, reason: str) -> None:
        if on is self._on:
            return
        self._on = on
        if not on and self._limit is not None:
            self._limit.cancel()
        self.driven.append(((self._clock.now_ns() - self._began_ns) / 1e9, on))
        if self._handler is not None:
            self._handler(OutputChange(self._clock.now_ns(), on, reason))


class Station:
    """One role with its core; every start of it is a new boot on the same terminals, relays and storage."""

    def __init__(self, clock: VirtualClock, root: Path) -> None:
        self.clock = clock
        self.root = root
        self.facts: list[Event] = []
        self.alarms: list[str] = []
        self.terminals: dict[str, MemoryTerminal] = {
            "io1": MemoryTerminal("io1", clock, configurable=True, can_supervise=True),
            "io2": MemoryTerminal("io2", clock, configurable=True, can_supervise=False),
            "io3": MemoryTerminal("io3", clock, configurable=False, can_supervise=False),
        }
        self.relays: dict[str, MemoryRelay] = {
            "relay1": MemoryRelay("relay1", clock, max_on_s=60.0),
            "relay2": MemoryRelay("relay2", clock, max_on_s=5.0),
        }
        self.hardware = Hardware(
            relays=self.relays,
            outputs={},
            inputs={},
            buttons={},
            leds={},
            readers={},
            terminals=self.terminals,
            aliases={"io1": "gate", "relay1": "door", "relay2": "aux"},
        )
        self.core: Core

    @contextlib.asynccontextmanager
    async def boot(self, make: Callable[[Core, Hardware], Service]) -> AsyncIterator[None]:
        """Start a core and one service, run it, and stop it at the end, as the composition root does."""
        store = Store(self.root, self.clock, alarm=self._alarm)
        await store.start()
        bus = Bus(self.clock, role="control", boot="b1")
        bus.tap(self._note)
        actions = ActionTable()
        params = Params(store, bus, lambda name, why: self.alarms.append(f"{name}: {why}"))
        self.core = Core(
            role="control",
            clock=self.clock,
            bus=bus,
            actions=actions,
            link=LocalLink(actions, params),
            params=params,
            store=store,
            shared=store,
        )
        try:
            service = make(self.core, self.hardware)
            async with asyncio.TaskGroup() as tasks:
                try:
                    await service.start()
                    task = tasks.create_task(service.run())
                    await self.clock.sleep(0)
                    yield
                    task.cancel()
                finally:
                    await service.stop()
        finally:
            await store.close()

    def _alarm(self, what: str, problem: StorageProblem | None, detail: str) -> None:
        self.alarms.append(f"{what}: {problem} {detail}")

    def _note(self, notice: Notice) -> None:
        self.facts.append(notice.event)

    def t_s(self) -> float:
        """Seconds since the station was made."""
        return (self.clock.now_ns() - self._zero_ns) / 1e9

    @property
    def _zero_ns(self) -> int:
        return self.terminals["io1"]._began_ns

    async def act(self, action: str, caller: Caller = OPERATOR, cause: str | None = None, **data: Any) -> None:
        """Send a command as an interface does: outside data, checked by the action table."""
        params = self.core.actions.parse(action, data)
        await self.core.actions.invoke(Invocation(action=action, params=params, caller=caller, cause=cause))

    async def patch(self, **ports: object) -> None:
        """Change the parameter group through the parameters API."""
        await self.core.params.change("ports", ports, ADMIN)
        await self.clock.sleep(0.001)


@pytest.fixture
def on_station(tmp_path: Path) -> Callable[[Callable[[Station], Coroutine[Any, Any, None]]], None]:
    """Run a test's body on a fresh station in virtual time."""

    def run(body: Callable[[Station], Awaitable[None]]) -> None:
        async def main(clock: VirtualClock) -> None:
            await body(Station(clock, tmp_path))

        virtual_run(main)

    return run
