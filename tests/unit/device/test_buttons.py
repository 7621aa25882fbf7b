"""Gestures of the product's buttons: decided on release, with the exact time of the edges."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.core.errors import Invalid
from firmware.core.values import decode
from firmware.core.vocabulary.device import ButtonGesture, ButtonState, GestureKind
from firmware.device import ButtonsService, DeviceConfig
from firmware.device.buttons import gesture_of
from tests.effort import examples

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
