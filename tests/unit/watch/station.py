"""The services that watch, on the real drivers of the watch bench: one core in virtual time, cameras included."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from firmware.core.actions import ActionTable, Caller, Invocation, Level
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.events import Event, State
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.service import Service
from firmware.core.services import Services
from firmware.core.store import Store
from firmware.sensing import DayNightService, LightService, ShocksService
from firmware.video.night import NightPicturesService
from firmware.video.service import PicturesService
from firmware.video.source import Source
from firmware.video.tampering import TamperingService
from hal.assemble_cameras import assemble_cameras
from hal.pictures import Frame
from hal.sim.scene.peer import CameraPeer
from hal.sim.scene.wires import SimCameraWires
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.watch.board import Bench, at_work, new_world

ADMIN = Caller("root", Level.ADMIN, "api")
OPERATOR = Caller("op", Level.OPERATOR, "api")

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=State)


@dataclass
class Station:
    """The core, what hangs on the board, and everything that was published."""

    bench: Bench
    core: Core
    facts: list[Event] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)

    @property
    def clock(self) -> VirtualClock:
        return self.bench.clock

    @property
    def camera(self) -> CameraPeer:
        peer = self.bench.world.find("camera:entrance")
        assert isinstance(peer, CameraPeer)
        return peer

    def camera_frame(self) -> Frame:
        frame = self.sources["camera1"].tap.latest
        assert frame is not None
        return frame

    def told(self, cls: type[E]) -> list[E]:
        return [fact for fact in self.facts if isinstance(fact, cls)]

    def state(self, cls: type[S], *key: str) -> S:
        state = self.core.bus.state(cls, *key)
        assert state is not None
        return state

    async def sleep(self, s: float) -> None:
        await self.clock.sleep(s)

    async def patch(self, group: str, **values: object) -> None:
        await self.core.params.change(group, values, ADMIN)
        await self.clock.sleep(0.001)

    async def act(self, action: str, caller: Caller = OPERATOR, **data: Any) -> None:
        params = self.core.actions.parse(action, data)
        await self.core.actions.invoke(Invocation(action=action, params=params, caller=caller))


Make = Callable[[Core, Bench], tuple[Service, ...]]


def sensing(core: Core, bench: Bench) -> tuple[Service, ...]:
    """What control runs of it."""
    hardware = bench.hardware
    return ShocksService(core, hardware), LightService(core, hardware), DayNightService(core, hardware)


@contextlib.asynccontextmanager
async def station(clock: VirtualClock, root: Path, bench: Bench, *, pictures: bool = False) -> AsyncIterator[Station]:
    """Start the services on a bench, and stop them at the end."""
    store = Store(root, clock, alarm=lambda *_: None)
    await store.start()
    bus = Bus(clock, role="control", boot="b1")
    params = Params(store, bus, lambda name, why: None)
    actions = ActionTable()
    link = LocalLink(actions, params)
    core = Core(
        role="control", clock=clock, bus=bus, actions=actions, link=link, params=params, store=store, shared=store
    )
    made = Station(bench, core)
    bus.tap(lambda notice: made.facts.append(notice.event))
    services = list(sensing(core, bench))
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        if pictures:
            wires = SimCameraWires(bench.world)
            stack.push_async_callback(wires.close)
            cameras = await assemble_cameras(bench.world.board, wires, clock)
            sources = {name: Source(name, "entrance", camera, bus) for name, camera in cameras.ports.items()}
            await stack.enter_async_context(cancelled_at_the_end(cameras.run()))
            made.sources = sources
            services += [
                PicturesService(core, sources, lambda name: None),
                TamperingService(core, sources),
                NightPicturesService(core, sources),
            ]
        await stack.enter_async_context(cancelled_at_the_end(Services(bus, clock, "control").run(services)))
        await clock.sleep(0.2)
        yield made


@contextlib.asynccontextmanager
async def cancelled_at_the_end(work: Awaitable[None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def on_a_station(root: Path, scene: Callable[[Station], Awaitable[None]], *, pictures: bool = False) -> None:
    async def main(clock: VirtualClock) -> None:
        async with at_work(clock, new_world(clock)) as bench, station(clock, root, bench, pictures=pictures) as made:
            await scene(made)

    virtual_run(main)
