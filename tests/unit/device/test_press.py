"""What a gesture asks for: the product's actions, their outcome in the facts, and no queue behind a finger."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from firmware.core.actions import Invocation, Level, Nothing
from firmware.core.errors import Invalid, Unavailable
from firmware.core.values import decode
from firmware.core.vocabulary.cloud import CloudConnection, CloudPhase
from firmware.core.vocabulary.device import ButtonAction, ButtonGesture, DevicePhase, Phase
from firmware.device import ButtonsService, DeviceConfig, LightsService

BUTTON = {"node": "control", "short": "speaker_test.calibrate", "long": "cloud.connect"}
CONFIG = {"buttons": {"control": BUTTON}}
FLASHING = {
    "node": "status",
    "table": [
        {"when": "let_go", "show": "green flash"},
        {"when": "cloud_connecting", "show": "green flash", "for_s": 60},
        {"when": "normal", "show": "green"},
    ],
}


def buttons(core: Any, hardware: Any) -> ButtonsService:
    return ButtonsService(core, hardware, decode(DeviceConfig, CONFIG, where="rooms.device"))


def outcomes(station: Any) -> list[tuple[str, str, str]]:
    return [(fact.gesture, fact.action, fact.code) for fact in station.facts if isinstance(fact, ButtonAction)]


class Owner:
    """Owns the two actions of the product; `hold` keeps an action under way, `trouble` makes it fail."""

    def __init__(self, station: Any) -> None:
        self.asked: list[Invocation] = []
        self.hold: asyncio.Event | None = None
        self.trouble: Exception | None = None
        for name in ("speaker_test.calibrate", "cloud.connect"):
            station.core.actions.register(name, Nothing, self._do, summary="Do it.", level=Level.ADMIN)

    async def _do(self, invocation: Invocation) -> Nothing:
        self.asked.append(invocation)
        if self.hold is not None:
            await self.hold.wait()
        if self.trouble is not None:
            raise self.trouble
        return Nothing()


async def press(station: Any, held_s: float) -> None:
    station.control.move(True)
    await station.clock.sleep(held_s)
    station.control.move(False)
    await station.clock.sleep(0.01)


def test_a_short_press_asks_for_one_action_and_a_long_one_for_the_other(on_station):
    async def body(station):
        async with station.boot(buttons):
            owner = Owner(station)
            await press(station, 0.2)
            assert [each.action for each in owner.asked] == ["speaker_test.calibrate"]
            await press(station, 3.0)
            assert [each.action for each in owner.asked] == ["speaker_test.calibrate", "cloud.connect"]
            assert (owner.asked[1].caller.name, owner.asked[1].caller.via) == ("button control", "button")

    on_station(body)


def test_the_action_and_its_outcome_name_the_gesture_as_their_cause(on_station):
    async def body(station):
        async with station.boot(buttons):
            owner = Owner(station)
            await press(station, 0.2)
            (gesture,) = [fact for fact in station.facts if isinstance(fact, ButtonGesture)]
            (done,) = [fact for fact in station.facts if isinstance(fact, ButtonAction)]
            assert (owner.asked[0].cause, done.cause, done.code) == (gesture.id, gesture.id, "done")

    on_station(body)


def test_an_action_nobody_owns_is_told_and_the_buttons_go_on(on_station):
    async def body(station):
        async with station.boot(buttons):
            await press(station, 0.2)
            assert outcomes(station) == [("short", "speaker_test.calibrate", "not_found")]
            owner = Owner(station)
            await press(station, 0.2)
            assert len(owner.asked) == 1
            assert outcomes(station)[1:] == [("short", "speaker_test.calibrate", "done")]

    on_station(body)


@pytest.mark.parametrize("trouble", [Unavailable("media", "is away"), RuntimeError("a fault of its owner")])
def test_an_owner_that_fails_is_told_and_the_next_press_asks_again(on_station, trouble):
    async def body(station):
        async with station.boot(buttons):
            owner = Owner(station)
            owner.trouble = trouble
            await press(station, 0.2)
            owner.trouble = None
            await press(station, 0.2)
            assert [code for _, _, code in outcomes(station)] == ["unavailable", "done"]

    on_station(body)


def test_a_finger_that_presses_again_while_the_action_is_under_way_is_told_so_and_queues_nothing(on_station):
    async def body(station):
        async with station.boot(buttons):
            owner = Owner(station)
            owner.hold = asyncio.Event()
            for _ in range(5):
                await press(station, 0.1)
            assert [code for _, _, code in outcomes(station)] == ["busy"] * 4
            await press(station, 3.0)  # another action does not wait for it
            assert [each.action for each in owner.asked] == ["speaker_test.calibrate", "cloud.connect"]
            owner.hold.set()
            await station.clock.sleep(0.01)
            assert len(owner.asked) == 2

    on_station(body)


def test_a_stuck_button_asks_for_nothing(on_station):
    async def body(station):
        async with station.boot(buttons):
            owner = Owner(station)
            await press(station, 61.0)
            assert owner.asked == []

    on_station(body)


def test_a_press_that_was_there_at_start_asks_for_nothing(on_station):
    async def body(station):
        station.control.move(True)
        async with station.boot(buttons):
            owner = Owner(station)
            await station.clock.sleep(5)
            station.control.move(False)
            await station.clock.sleep(0.01)
            assert owner.asked == []

    on_station(body)


def with_lights(core: Any, hardware: Any) -> LightsService:
    return LightsService(core, hardware, decode(DeviceConfig, {"lights": {"status": FLASHING}}, where="rooms.device"))


def test_the_light_flashes_when_it_is_time_to_let_go_and_no_longer(on_station):
    async def body(station):
        async with station.boot(buttons, with_lights):
            await station.publish(DevicePhase(phase=Phase.NORMAL))
            station.status.trace.clear()
            pressed_s = station.clock.now_ns() / 1e9
            station.control.move(True)
            await station.clock.sleep(4)
            station.control.move(False)
            await station.clock.sleep(0.01)
            assert [text for _, text in station.status.trace] == ["green 500 ms off 500 ms", "green"]
            at = [t_s + station.status.began_s - pressed_s for t_s, _ in station.status.trace]
            assert at == pytest.approx([3, 4], abs=0.001), "from 3 s of holding to the release"

    on_station(body)


def test_a_stuck_button_no_longer_says_let_go(on_station):
    async def body(station):
        async with station.boot(buttons, with_lights):
            await station.publish(DevicePhase(phase=Phase.NORMAL))
            station.control.move(True)
            await station.clock.sleep(61)
            assert str(station.status.shown()) == "green"

    on_station(body)


def test_the_light_flashes_for_a_minute_while_a_press_looks_for_the_cloud_and_never_for_a_lasting_wish(on_station):
    async def body(station):
        async with station.boot(with_lights):
            now = datetime(2026, 1, 1, tzinfo=UTC)
            await station.publish(DevicePhase(phase=Phase.NORMAL))
            looking = CloudConnection(phase=CloudPhase.FAILED, reason="nobody answers", since=now, until=now)
            await station.publish(looking)
            assert str(station.status.shown()) == "green 500 ms off 500 ms"
            await station.clock.sleep(61)
            assert str(station.status.shown()) == "green"
            await station.publish(CloudConnection(phase=CloudPhase.CONNECTED, reason="", since=now, until=now))
            await station.publish(CloudConnection(phase=CloudPhase.CONNECTING, reason="", since=now))
            assert str(station.status.shown()) == "green"

    on_station(body)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("cloud.conect", r"'cloud\.conect' is no action of a button; did you mean 'cloud\.connect'\?"),
        ("door.release", r"'door\.release' is no action of a button.*; there is speaker_test\.calibrate"),
    ],
)
def test_an_action_that_is_none_of_a_button_is_refused_when_the_board_is_read(given, said):
    place = r"rooms\.device\.buttons\.control\.long: "
    with pytest.raises(Invalid, match=place + said):
        decode(DeviceConfig, {"buttons": {"control": {"node": "control", "long": given}}}, where="rooms.device")
