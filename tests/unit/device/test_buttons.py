"""Gestures of the product's buttons: decided on release, with the exact time of the edges."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.core.actions import Caller, Level
from firmware.core.errors import Busy, Forbidden, Invalid, NotFound
from firmware.core.values import decode
from firmware.core.vocabulary.device import ButtonGesture, ButtonSimulated, ButtonState, GestureKind
from firmware.device import ButtonsService, DeviceConfig
from firmware.device.buttons import gesture_of
from tests.effort import examples

ADMIN = Caller("root", Level.ADMIN, "web")
CONFIG = {"buttons": {"control": {"node": "control", "long_s": 3.0, "stuck_s": 60.0}}}


def buttons(core: Any, hardware: Any) -> ButtonsService:
    return ButtonsService(core, hardware, decode(DeviceConfig, CONFIG, where="rooms.device"))


def gestures(station: Any) -> list[tuple[str, float]]:
    return [(fact.gesture.value, fact.held_s) for fact in station.facts if isinstance(fact, ButtonGesture)]


@pytest.mark.parametrize(
    ("held_s", "gesture"), [(0.02, "short"), (2.999999999, "short"), (3.0, "long"), (30.0, "long"), (59.9, "long")]
)
def test_a_press_is_short_below_the_long_time_and_long_from_it(on_station, held_s, gesture):
    async def body(station):
        async with station.boot(buttons):
            station.control.move(True)
            await station.clock.sleep(held_s)
            assert gestures(station) == [], "decided before the release"
            station.control.move(False)
            assert gestures(station) == [(gesture, held_s)]

    on_station(body)


def test_the_time_held_comes_from_the_edges_and_not_from_when_they_were_heard_of(on_station):
    async def body(station):
        async with station.boot(buttons):
            station.control.move(True)
            await station.clock.sleep(3.2)
            station.control.move(False, late_ns=400_000_000)
            assert gestures(station) == [("short", 2.8)]

    on_station(body)


def test_the_state_follows_the_finger_and_the_gesture_names_the_release_as_its_cause(on_station):
    async def body(station):
        async with station.boot(buttons):
            station.control.move(True)
            assert station.core.bus.state(ButtonState, "control").pressed
            await station.clock.sleep(1)
            station.control.move(False)
            release = station.core.bus.state(ButtonState, "control")
            assert not release.pressed
            (gesture,) = [fact for fact in station.facts if isinstance(fact, ButtonGesture)]
            assert gesture.cause == release.id

    on_station(body)


def test_a_button_held_too_long_is_stuck_while_still_held_and_makes_no_second_gesture(on_station):
    async def body(station):
        async with station.boot(buttons):
            station.control.move(True)
            await station.clock.sleep(59.999)
            assert gestures(station) == []
            await station.clock.sleep(0.002)
            assert gestures(station) == [("stuck", 60.0)]
            await station.clock.sleep(600)
            station.control.move(False)
            assert gestures(station) == [("stuck", 60.0)]
            station.control.move(True)
            await station.clock.sleep(1)
            station.control.move(False)
            assert gestures(station)[1:] == [("short", 1.0)]

    on_station(body)


def test_a_button_held_through_the_start_makes_no_gesture_on_release_but_can_be_stuck(on_station):
    async def body(station):
        station.control.move(True)
        async with station.boot(buttons):
            assert station.core.bus.state(ButtonState, "control").pressed
            await station.clock.sleep(10)
            station.control.move(False)
            assert gestures(station) == []
        station.control.move(True)
        async with station.boot(buttons):
            await station.clock.sleep(61)
            assert gestures(station) == [("stuck", 60.0)]

    on_station(body)


def test_a_stopped_service_hears_no_press_and_leaves_no_timer(on_station):
    async def body(station):
        async with station.boot(buttons):
            station.control.move(True)
        station.control.move(False)
        assert gestures(station) == []

    on_station(body)


def test_a_button_on_an_unknown_node_is_an_error_with_the_nearest_name(on_station):
    async def body(station):
        config = decode(DeviceConfig, {"buttons": {"reset": {"node": "contrl"}}}, where="rooms.device")
        place = r"rooms\.device\.buttons\.reset\.node: no button 'contrl' on this board; did you mean 'control'\?"
        with pytest.raises(Invalid, match=place):
            async with station.boot(lambda core, hardware: ButtonsService(core, hardware, config)):
                pass

    on_station(body)


@settings(max_examples=examples(100), deadline=None)
@given(st.floats(0, 1e6), st.floats(0.001, 60))
def test_every_press_is_either_short_or_long(held_s, long_s):
    assert gesture_of(held_s, long_s) is (GestureKind.LONG if held_s >= long_s else GestureKind.SHORT)


def test_a_simulated_finger_makes_the_gesture_of_a_real_one_and_says_whose_it_was(on_station):
    async def body(station):
        async with station.boot(buttons):
            await station.act("button.hold", caller=ADMIN, button="control")
            assert station.core.bus.state(ButtonState, "control").pressed
            await station.clock.sleep(3.5)
            await station.act("button.let_go", caller=ADMIN, button="control")
            assert gestures(station) == [("long", 3.5)]
            down, up = [fact for fact in station.facts if isinstance(fact, ButtonSimulated)]
            assert ((down.pressed, down.by), (up.pressed, up.by)) == ((True, "root"), (False, "root"))
            release = station.core.bus.state(ButtonState, "control")
            assert (release.pressed, release.cause) == (False, up.id)

    on_station(body)


@pytest.mark.parametrize("level", [Level.VIEWER, Level.OPERATOR])
def test_nobody_below_an_administrator_simulates_a_finger(on_station, level):
    async def body(station):
        async with station.boot(buttons):
            for action in ("button.hold", "button.let_go"):
                with pytest.raises(Forbidden):
                    await station.act(action, caller=Caller("x", level, "web"), button="control")
            assert not station.core.bus.state(ButtonState, "control").pressed
            assert not any(isinstance(fact, ButtonSimulated) for fact in station.facts)

    on_station(body)


def test_a_finger_that_comes_meanwhile_is_the_one_that_counts(on_station):
    async def body(station):
        async with station.boot(buttons):
            await station.act("button.hold", caller=ADMIN, button="control")
            await station.clock.sleep(2)
            station.control.move(True)
            with pytest.raises(NotFound):
                await station.act("button.let_go", caller=ADMIN, button="control")
            with pytest.raises(Busy):
                await station.act("button.hold", caller=ADMIN, button="control")
            await station.clock.sleep(1.5)
            station.control.move(False)
            assert gestures(station) == [("short", 1.5)], "of the finger alone"

    on_station(body)


def test_a_simulated_finger_that_is_forgotten_is_stuck_and_gone(on_station):
    async def body(station):
        async with station.boot(buttons):
            await station.act("button.hold", caller=ADMIN, button="control")
            await station.clock.sleep(60.1)
            assert gestures(station) == [("stuck", 60.0)]
            assert not station.core.bus.state(ButtonState, "control").pressed
            station.control.move(True)
            await station.clock.sleep(1)
            station.control.move(False)
            assert gestures(station)[1:] == [("short", 1.0)]

    on_station(body)


def test_a_simulated_finger_on_a_button_that_is_not_there_is_told_the_nearest(on_station):
    async def body(station):
        async with station.boot(buttons):
            with pytest.raises(NotFound, match=r"button\.hold\.button: no button 'contrl'; did you mean 'control'\?"):
                await station.act("button.hold", caller=ADMIN, button="contrl")

    on_station(body)
