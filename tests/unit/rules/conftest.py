"""A station for the rules room: a real core in virtual time, with owners of actions that keep what they were asked.

Control has a hub; the network role joins it in memory, so that a rule reaches another role as on a device.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from firmware.core.actions import NOTHING, ActionTable, Caller, Invocation, Level, Nothing
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.events import Event
from firmware.core.link.client import LinkClient
from firmware.core.link.hub import Hub
from firmware.core.params import Params
from firmware.core.store import Store
from firmware.core.vocabulary.access import AccessDenied, AccessGranted, IndicateParams, Reason, ReleaseParams
from firmware.core.vocabulary.io import RelaySetParams, VirtualInputParams, VirtualInputState
from firmware.core.vocabulary.rules import RuleFailed
from firmware.core.vocabulary.station import StorageProblem
from firmware.rules import RulesService
from hal.sim.time import VirtualClock, virtual_run

ADMIN = Caller("root", Level.ADMIN, "api")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailParams:
    """What an action of the network role takes."""

    to: Annotated[str, Field(min_length=3)]
    text: str = ""


class Station:
    """Control with the rules, and a network role that may join; `asked` is what the owners were told, in order."""

    def __init__(self, clock: VirtualClock, root: Path) -> None:
        self.clock = clock
        self.root = root
        self.asked: list[tuple[float, Invocation]] = []
        self.facts: list[Event] = []
        self.alarms: list[str] = []
        self.began_ns = clock.now_ns()
        self.owners: dict[str, tuple[type[Any], Level]] = {
            "door.release": (ReleaseParams, Level.OPERATOR),
            "reader.indicate": (IndicateParams, Level.OPERATOR),
            "relay.set": (RelaySetParams, Level.OPERATOR),
            "device.wipe": (Nothing, Level.SYSTEM),
        }
        self.behaviour: dict[str, Callable[[Invocation], Awaitable[object]]] = {}
        self.core: Core
        self.hub: Hub

    @contextlib.asynccontextmanager
    async def boot(self) -> AsyncIterator[RulesService]:
        """Start control with the rules service, and stop it at the end, as the composition root does."""
        store = Store(self.root, self.clock, alarm=self._alarm)
        await store.start()
        bus = Bus(self.clock, role="control", boot="b1")
        bus.tap(lambda notice: self.facts.append(notice.event))
        actions = ActionTable()
        params = Params(store, bus, lambda name, why: self.alarms.append(f"{name}: {why}"))
        self.hub = Hub(bus, actions, params, self.clock)
        self.core = Core(
            role="control",
            clock=self.clock,
            bus=bus,
            actions=actions,
            link=self.hub,
            params=params,
            store=store,
            shared=store,
        )
        for name, (kind, level) in self.owners.items():
            self.own(name, kind, level)
        actions.register("virtual_input.set", VirtualInputParams, self._virtual_input, summary="Set.")
        service = RulesService(self.core)
        try:
            async with asyncio.TaskGroup() as tasks:
                await self.hub.start()
                hub = tasks.create_task(self.hub.run())
                await service.start()
                task = tasks.create_task(service.run())
                self.hub.ready()
                await self.settle()
                yield service
                task.cancel()
                await asyncio.wait((task,))
                await service.stop()
                hub.cancel()
        finally:
            await store.close()

    @contextlib.asynccontextmanager
    async def network(self) -> AsyncIterator[None]:
        """A network role that owns `mail.send`, joined to the hub."""
        store = Store(self.root / "network", self.clock, alarm=self._alarm)
        await store.start()
        bus = Bus(self.clock, role="network", boot="b2")
        actions = ActionTable()
        link = LinkClient(bus, actions, Params(store, bus, lambda name, why: None), self.clock, self.hub.join)
        try:
            async with asyncio.TaskGroup() as tasks:
                await link.start()
                task = tasks.create_task(link.run())
                actions.register("mail.send", MailParams, self._answer, summary="Send a mail.")
                link.ready()
                await self.settle()
                yield
                task.cancel()
                await link.stop()
        finally:
            await store.close()

    def own(self, name: str, kind: type[Any], level: Level = Level.OPERATOR) -> None:
        """Add an owner that keeps what it is asked, and then does what `behaviour` says."""
        self.core.actions.register(name, kind, self._answer, summary="Test.", level=level)

    async def _answer(self, invocation: Invocation) -> object:
        self.asked.append((self.t_s(), invocation))
        behave = self.behaviour.get(invocation.action)
        if behave is not None:
            await behave(invocation)
        return NOTHING

    async def _virtual_input(self, invocation: Invocation) -> object:
        assert isinstance(invocation.params, VirtualInputParams)
        self.asked.append((self.t_s(), invocation))
        state = VirtualInputState(input=invocation.params.input, active=invocation.params.active)
        self.core.bus.publish(state, cause=invocation.cause)
        return NOTHING

    def _alarm(self, what: str, problem: StorageProblem | None, detail: str) -> None:
        self.alarms.append(f"{what}: {problem} {detail}")

    def t_s(self) -> float:
        """Seconds since the station was made."""
        return (self.clock.now_ns() - self.began_ns) / 1e9

    async def settle(self) -> None:
        """Let everything that is due happen; takes 1 ms."""
        await self.clock.sleep(0.001)

    async def write(self, *rules: dict[str, Any]) -> None:
        """Write rules through the parameters, as an administrator does."""
        await self.core.params.change("rules", {"rules": list(rules)}, ADMIN)
        await self.settle()

    def granted(self, door: str = "front", reader: str = "reader1", **more: str) -> AccessGranted:
        """Publish a granted access."""
        facts = {"credential": "H10301:42:1234", "entry": "e1", "holder": "Ada", **more}
        return self.core.bus.publish(AccessGranted(door=door, reader=reader, **facts))

    def denied(self, door: str = "front", reader: str = "reader1") -> AccessDenied:
        """Publish a denied access."""
        return self.core.bus.publish(
            AccessDenied(door=door, reader=reader, credential="H10301:42:9", reason=Reason.UNKNOWN)
        )

    def names(self) -> list[str]:
        """The actions asked for, in order."""
        return [invocation.action for _, invocation in self.asked]

    def failures(self) -> list[RuleFailed]:
        """What the rules said they could not do."""
        return [fact for fact in self.facts if isinstance(fact, RuleFailed)]


@pytest.fixture
def on_station(tmp_path: Path) -> Callable[[Callable[[Station], Coroutine[Any, Any, None]]], None]:
    """Run a test's body on a fresh station in virtual time."""

    def run(body: Callable[[Station], Awaitable[None]]) -> None:
        async def main(clock: VirtualClock) -> None:
            await body(Station(clock, tmp_path))

        virtual_run(main)

    return run
