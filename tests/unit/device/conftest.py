"""A station for the device room: a real core in virtual time, with buttons and LEDs in memory."""

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
from hal.clock import Clock
from hal.errors import BusError
from hal.ports import Hardware, InputChange
from hal.sim.time import VirtualClock, virtual_run
from hal.types import OFF, Colour, Pattern

OPERATOR = Caller("op", Level.OPERATOR, "api")


class MemoryButton:
    """A button the test presses."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._pressed = False
        self._handler: Callable[[InputChange], None] | None = None

    def pressed(self) -> bool:
        return self._pressed

    def watch(self, handler: Callable[[InputChange], None] | None) -> None:
        self._handler = handler

    def move(self, pressed: bool, *, late_ns: int = 0) -> None:
        """Bench face: press or release, heard of `late_ns` after it happened."""
        self._pressed = pressed
        if self._handler is not None:
            self._handler(InputChange(self._clock.now_ns() - late_ns, pressed))


class MemoryLed:
    """An LED; `trace` lists every pattern it was told, with seconds since the start."""

    def __init__(self, name: str, clock: Clock, *colours: Colour) -> None:
        self.name = name
        self.colours = frozenset((*colours, Colour.OFF))
        self.broken = False
        self.trace: list[tuple[float, str]] = []
        self._clock = clock
        self._began_ns = clock.now_ns()
        self.began_s = self._began_ns / 1e9
        self._shown = OFF

    def show(self, pattern: Pattern) -> None:
        if self.broken:
            raise BusError(self.name, "no acknowledge")
        self._shown = pattern
        self.trace.append(((self._clock.now_ns() - self._began_ns) / 1e9, str(pattern)))

    def shown(self) -> Pattern:
        return self._shown


class Station:
    """One role with its core; services given to `boot` start in order and stop in reverse."""

    def __init__(self, clock: VirtualClock, root: Path) -> None:
        self.clock = clock
        self.root = root
        self.facts: list[Event] = []
        self.alarms: list[str] = []
        self.control = MemoryButton("control", clock)
        self.status = MemoryLed("status", clock, Colour.RED, Colour.GREEN, Colour.AMBER)
        self.front = MemoryLed("front", clock, Colour.GREEN)
        self.hardware = Hardware(
            relays={},
            outputs={},
            inputs={},
            buttons={"control": self.control},
            leds={"status": self.status, "front": self.front},
            readers={},
            terminals={},
            aliases={},
        )
        self.core: Core

    @contextlib.asynccontextmanager
    async def boot(self, *make: Callable[[Core, Hardware], Service]) -> AsyncIterator[list[Service]]:
        """Start a core and services, run them, and stop them at the end, as the composition root does."""
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
            services = [build(self.core, self.hardware) for build in make]
            async with asyncio.TaskGroup() as tasks:
                running = []
                try:
                    for service in services:
                        await service.start()
                        running.append(tasks.create_task(service.run()))
                    await self.clock.sleep(0)
                    yield services
                    for task in running:
                        task.cancel()
                finally:
                    for service in reversed(services):
                        await service.stop()
        finally:
            await store.close()

    def _alarm(self, what: str, problem: StorageProblem | None, detail: str) -> None:
        self.alarms.append(f"{what}: {problem} {detail}")

    def _note(self, notice: Notice) -> None:
        self.facts.append(notice.event)

    async def publish(self, event: Event) -> Event:
        """Publish a fact as another room would, and let it be heard."""
        stamped = self.core.bus.publish(event)
        for _ in range(3):
            await self.clock.sleep(0)
        return stamped

    async def act(self, action: str, cause: str | None = None, caller: Caller = OPERATOR, **data: Any) -> None:
        """Send a command as an interface does."""
        params = self.core.actions.parse(action, data)
        await self.core.actions.invoke(Invocation(action=action, params=params, caller=caller, cause=cause))
        await self.clock.sleep(0)


@pytest.fixture
def on_station(tmp_path: Path) -> Callable[[Callable[[Station], Coroutine[Any, Any, None]]], None]:
    """Run a test's body on a fresh station in virtual time."""

    def run(body: Callable[[Station], Awaitable[None]]) -> None:
        async def main(clock: VirtualClock) -> None:
            await body(Station(clock, tmp_path))

        virtual_run(main)

    return run
