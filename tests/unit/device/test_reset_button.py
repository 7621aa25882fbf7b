"""The reset button of a station in virtual time: what it asks for, when, and what it shows meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from firmware.core.actions import NOTHING, Level, Nothing
from firmware.core.errors import Unavailable
from firmware.core.values import decode
from firmware.core.vocabulary.device import DevicePhase, Phase, ResetHeld
from firmware.device import ButtonsService, DeviceConfig

CONFIG = {"buttons": {"control": {"node": "control"}}, "reset": {"button": "control", "from_s": 15, "to_s": 30}}


class Story:
    """A station whose power came now, with its button held or not; `resets` are the callers that asked for a reset."""

    def __init__(self, station: Any, *, held: bool, first: bool = True) -> None:
        self.station = station
        self.resets: list[tuple[str, Level, bool]] = []
        self.refuse = False
        station.control.move(held)
        self._powered_ns = station.clock.now_ns() if first else None

    def boot(self) -> Any:
        def make(core: Any, hardware: Any) -> ButtonsService:
            async def owner(invocation: Any) -> Nothing:
                if self.refuse:
                    raise Unavailable("record", "storage fails")
                self.resets.append((invocation.caller.via, invocation.caller.level, invocation.cause is not None))
                return NOTHING

            core.actions.register("device.factory_default", Nothing, owner, summary="x", level=Level.ADMIN)
            core.bus.publish(DevicePhase(phase=Phase.NORMAL))
            config = decode(DeviceConfig, CONFIG, where="rooms.device")
            return ButtonsService(core, hardware, config, self._powered_ns)

        return self.station.boot(make)

    @property
    def phases(self) -> list[str]:
        return [fact.phase.value for fact in self.station.facts if isinstance(fact, DevicePhase)]

    @property
    def held(self) -> list[tuple[str, float]]:
        return [(fact.outcome.value, fact.held_s) for fact in self.station.facts if isinstance(fact, ResetHeld)]


def test_held_for_twenty_seconds_and_let_go_asks_once_for_the_reset_with_the_hold_as_its_cause(on_station):
    async def body(station):
        story = Story(station, held=True)
        await station.clock.sleep(2)  # the kernel and Python
        async with story.boot():
            await station.clock.sleep(12.5)
            assert story.phases == ["normal"]
            await station.clock.sleep(0.5)
            assert story.phases == ["normal", "restoring"], "shown at 15 s after the power came"
            await station.clock.sleep(5)
            assert story.resets == [], "decided before the release"
            station.control.move(False)
            await station.clock.sleep(1)
            assert story.resets == [("button", Level.SYSTEM, True)]
            assert story.held == [("reset", 20.0)]
            await station.clock.sleep(60)
            assert story.phases == ["normal", "restoring"]

    on_station(body)


@pytest.mark.parametrize(
    ("for_s", "outcome", "phases"),
    [
        (1.0, "too_short", ["normal"]),
        (14.9, "too_short", ["normal"]),
        (31.0, "too_long", ["normal", "restoring", "normal"]),
    ],
)
def test_a_hold_that_is_too_short_or_too_long_does_nothing(on_station, for_s, outcome, phases):
    async def body(station):
        story = Story(station, held=True)
        async with story.boot():
            await station.clock.sleep(for_s)
            station.control.move(False)
            await station.clock.sleep(100)
            assert story.resets == []
            assert story.held == [(outcome, for_s)]
            assert story.phases == phases

    on_station(body)


def test_a_button_that_is_stuck_never_resets_even_when_it_comes_loose(on_station):
    async def body(station):
        story = Story(station, held=True)
        async with story.boot():
            await station.clock.sleep(3600)
            station.control.move(False)
            await station.clock.sleep(5)
            assert story.resets == []
            assert story.held == [("stuck", 60.0)]
            assert story.phases == ["normal", "restoring", "normal"]

    on_station(body)


def test_a_press_after_the_start_is_no_reset_however_long(on_station):
    async def body(station):
        story = Story(station, held=False)
        async with story.boot():
            await station.clock.sleep(0.1)
            station.control.move(True)
            await station.clock.sleep(20)
            station.control.move(False)
            await station.clock.sleep(5)
            assert (story.resets, story.held, story.phases) == ([], [], ["normal"])

    on_station(body)


def test_a_later_start_of_control_does_not_take_a_finger_for_one_that_was_there_since_power_on(on_station):
    async def body(station):
        story = Story(station, held=True, first=False)
        async with story.boot():
            await station.clock.sleep(20)
            station.control.move(False)
            await station.clock.sleep(5)
            assert (story.resets, story.held, story.phases) == ([], [], ["normal"])

    on_station(body)


def test_a_reset_that_cannot_be_written_down_is_taken_back_from_the_light(on_station):
    async def body(station):
        story = Story(station, held=True)
        story.refuse = True
        async with story.boot():
            await station.clock.sleep(20)
            station.control.move(False)
            await station.clock.sleep(1)
            assert story.phases == ["normal", "restoring", "normal"]

    on_station(body)
