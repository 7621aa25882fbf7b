"""When the cloud connection is wanted: a press, its day, and the words of the owner; in virtual time.

The dispatcher is one that may not be connected to (this device itself, not ticked), so every attempt ends at once.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from firmware.core.actions import ActionTable, Caller, Invocation, Level
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.errors import Forbidden, Refused
from firmware.core.events import Event
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.store import Store
from firmware.core.vocabulary.cloud import CloudConnection, CloudPhase
from firmware.core.vocabulary.device import DeviceInfo
from firmware.interfaces.cloud.service import WINDOW_S, CloudService
from firmware.system import NetworkSettings
from hal.sim.time import VirtualClock, virtual_run

ADMIN = Caller("admin", Level.ADMIN, "api")
KNOWN = {"url": "wss://127.0.0.1:9/", "owner_key": "owner-key-of-this-test"}
INFO = DeviceInfo(
    product="Network horn speaker", model="LINTEL-HS1", board="horn_speaker", version="0", slot="A",
    serial="0123456789AB", chip_id="1", simulated=True, capabilities=(),
)  # fmt: skip


class Scene:
    """The service on a core of its own, with the group of control beside it."""

    def __init__(self, clock: VirtualClock, root: Path) -> None:
        self.clock = clock
        self.events: list[Event] = []
        bus = Bus(clock, role="network", boot="b1")
        bus.tap(lambda notice: self.events.append(notice.event))
        self.store = Store(root, clock, alarm=lambda *what: None)
        actions, params = ActionTable(), Params(self.store, bus, lambda file, why: None)
        self.core = Core(
            role="network", clock=clock, bus=bus, actions=actions, link=LocalLink(actions, params), params=params,
            store=self.store, shared=self.store,
        )  # fmt: skip
        self.service = CloudService(self.core, lambda: None, ssl.create_default_context, Random(1))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.store.start()
        self.core.bus.publish(INFO)
        self.core.params.declare(NetworkSettings)
        await self.service.start()
        task = asyncio.ensure_future(self.service.run())
        await self.clock.sleep(0.01)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.service.stop()
            await self.store.close()

    async def change(self, group: str, **patch: Any) -> None:
        await self.core.params.change(group, patch, ADMIN)
        await self.clock.sleep(0.01)

    async def act(self, action: str, caller: Caller = ADMIN) -> Any:
        answer = await self.core.actions.invoke(
            Invocation(action=action, params=self.core.actions.parse(action, {}), caller=caller, cause="b1-control-7")
        )
        await self.clock.sleep(0.01)
        return answer

    def state(self) -> CloudConnection:
        found = self.core.bus.state(CloudConnection)
        assert found is not None
        return found

    def told(self) -> list[CloudConnection]:
        return [event for event in self.events if isinstance(event, CloudConnection)]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[Scene], Awaitable[None]]], None]:
    def run(body: Callable[[Scene], Awaitable[None]]) -> None:
        async def main(clock: VirtualClock) -> None:
            scene = Scene(clock, tmp_path)
            async with scene.running():
                await body(scene)

        virtual_run(main)

    return run


Play = Callable[[Callable[[Scene], Awaitable[None]]], None]


def test_nobody_is_called_before_a_dispatcher_is_set_and_a_press_says_so(play: Play) -> None:
    async def body(scene: Scene) -> None:
        assert (scene.state().phase, scene.state().reason) == (CloudPhase.OFF, "no dispatcher is set (cloud.url)")
        with pytest.raises(Refused, match=r"no dispatcher is set \(cloud\.url\)"):
            await scene.act("cloud.connect")
        await scene.change("cloud", **KNOWN)
        assert (scene.state().phase, scene.state().reason) == (CloudPhase.OFF, "press the control button to connect")

    play(body)


def test_a_press_is_a_wish_of_a_day_and_then_over(play: Play) -> None:
    async def body(scene: Scene) -> None:
        await scene.change("cloud", **KNOWN)
        asked_at = scene.clock.utc()
        answer = await scene.act("cloud.connect")
        assert answer.until - asked_at == timedelta(hours=24)
        assert (scene.state().phase, scene.state().until) == (CloudPhase.FAILED, answer.until)
        assert "this device itself" in scene.state().reason
        await scene.clock.sleep(WINDOW_S - 1)
        assert scene.state().phase is CloudPhase.FAILED
        await scene.clock.sleep(1.1)
        assert (scene.state().phase, scene.state().until) == (CloudPhase.OFF, None)

    play(body)


def test_a_day_of_failures_is_two_facts_and_not_a_flood(play: Play) -> None:
    async def body(scene: Scene) -> None:
        await scene.change("cloud", **KNOWN)
        before = len(scene.told())
        await scene.act("cloud.connect")
        await scene.clock.sleep(WINDOW_S - 1)
        assert [state.phase for state in scene.told()[before:]] == [CloudPhase.CONNECTING, CloudPhase.FAILED]

    play(body)


def test_what_a_press_leads_to_names_its_gesture_as_the_cause(play: Play) -> None:
    async def body(scene: Scene) -> None:
        await scene.change("cloud", **KNOWN)
        before = len(scene.told())
        await scene.act("cloud.connect")
        assert {state.cause for state in scene.told()[before:]} == {"b1-control-7"}

    play(body)


def test_no_means_never_and_ends_what_a_press_began(play: Play) -> None:
    async def body(scene: Scene) -> None:
        await scene.change("cloud", **KNOWN)
        await scene.act("cloud.connect")
        await scene.change("network", cloud="no")
        assert (scene.state().phase, scene.state().reason) == (
            CloudPhase.OFF,
            "not allowed (network.cloud is no)",
        )
        with pytest.raises(Refused, match="not allowed"):
            await scene.act("cloud.connect")
        await scene.change("network", cloud="one_click")
        assert scene.state().reason == "press the control button to connect", "the press of before is over"

    play(body)


def test_always_needs_no_press_and_is_not_ended_by_disconnect(play: Play) -> None:
    async def body(scene: Scene) -> None:
        await scene.change("cloud", **KNOWN)
        await scene.change("network", cloud="always")
        assert (scene.state().phase, scene.state().until) == (CloudPhase.FAILED, None)
        with pytest.raises(Refused, match="wanted always"):
            await scene.act("cloud.disconnect")
        await scene.change("network", cloud="one_click")
        assert scene.state().phase is CloudPhase.OFF

    play(body)


def test_disconnect_ends_what_a_press_began(play: Play) -> None:
    async def body(scene: Scene) -> None:
        await scene.change("cloud", **KNOWN)
        await scene.act("cloud.connect")
        await scene.act("cloud.disconnect")
        assert (scene.state().phase, scene.state().until) == (CloudPhase.OFF, None)

    play(body)


def test_only_an_administrator_or_a_finger_connects(play: Play) -> None:
    async def body(scene: Scene) -> None:
        await scene.change("cloud", **KNOWN)
        with pytest.raises(Forbidden):
            await scene.act("cloud.connect", Caller("op", Level.OPERATOR, "api"))
        await scene.act("cloud.connect", Caller("button control", Level.SYSTEM, "button"))

    play(body)


def test_row_47_the_key_of_the_owner_is_in_no_fact(play: Play) -> None:
    async def body(scene: Scene) -> None:
        await scene.change("cloud", **KNOWN)
        await scene.act("cloud.connect")
        assert KNOWN["owner_key"] not in repr(scene.events)
        assert scene.core.params.shown("cloud", ADMIN)["owner_key"] == "*****"

    play(body)
