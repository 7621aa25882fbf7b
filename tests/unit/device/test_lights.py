"""Lights follow the product's table: the first true line wins, lines with a time run out exactly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.core.errors import Invalid
from firmware.core.values import decode
from firmware.core.vocabulary.access import DoorState, Position
from firmware.core.vocabulary.device import DevicePhase, IdentifyState, LightState, NetworkState, Phase
from firmware.device import DeviceConfig, LightsService
from firmware.device.config import Condition, LightLine
from firmware.device.table import PHASES, choose, conditions_of
from hal.errors import BusError
from tests.effort import examples

# Manuals 000 to 003, status LED: amber from start, green for 10 s and then dark, failures red.
TABLE = [
    {"when": "upgrade_failed", "show": "red slow"},
    {"when": "upgrading", "show": "amber flash"},
    {"when": "starting", "show": "amber"},
    {"when": "identify", "show": "red green fast"},
    {"when": "network_down", "show": "amber red flash"},
    {"when": "normal", "show": "green", "for_s": 10},
    {"when": "normal", "show": "off"},
]
CONFIG = {"lights": {"status": {"node": "status", "table": TABLE}}}
DOORS = {"lights": {"door": {"node": "front", "table": [{"when": "door_open", "show": "green"}]}}}


def config(data: object) -> DeviceConfig:
    return decode(DeviceConfig, data, where="rooms.device")


def lights(core: Any, hardware: Any) -> LightsService:
    return LightsService(core, hardware, config(CONFIG))


def light(station: Any, name: str = "status") -> tuple[str, str]:
    state = station.core.bus.state(LightState, name)
    return (state.pattern, state.reason)


def test_the_status_light_goes_amber_at_start_green_for_ten_seconds_and_dark(on_station):
    async def body(station):
        async with station.boot(lights):
            await station.publish(DevicePhase(phase=Phase.STARTING))
            assert light(station) == ("amber", "starting")
            await station.clock.sleep(2)
            ready = await station.publish(DevicePhase(phase=Phase.NORMAL))
            assert light(station) == ("green", "normal")
            assert station.core.bus.state(LightState, "status").cause == ready.id
            await station.clock.sleep(60)
            assert light(station) == ("off", "normal")
            assert station.status.trace == [(0.0, "off"), (0.0, "amber"), (2.0, "green"), (12.0, "off")]

    on_station(body)


def test_an_earlier_line_covers_a_later_one_and_uncovers_it_again_when_it_ends(on_station):
    async def body(station):
        async with station.boot(lights):
            await station.publish(DevicePhase(phase=Phase.NORMAL))
            await station.clock.sleep(4)
            await station.publish(NetworkState(up=False))
            await station.publish(IdentifyState(active=True))
            assert light(station) == ("red 125 ms green 125 ms", "identify")
            await station.clock.sleep(3)
            await station.publish(IdentifyState(active=False))
            assert light(station) == ("amber 500 ms red 500 ms", "network_down")
            await station.publish(NetworkState(up=True))
            assert light(station) == ("green", "normal")
            await station.clock.sleep(3.5)
            assert station.status.trace[-2:] == [(7.0, "green"), (10.0, "off")]

    on_station(body)


def test_a_line_that_ran_out_stays_out_until_its_condition_begins_again(on_station):
    async def body(station):
        async with station.boot(lights):
            await station.publish(DevicePhase(phase=Phase.NORMAL))
            await station.clock.sleep(20)
            await station.publish(IdentifyState(active=True))
            await station.publish(IdentifyState(active=False))
            assert light(station) == ("off", "normal")
            await station.publish(DevicePhase(phase=Phase.UPGRADING))
            await station.publish(DevicePhase(phase=Phase.NORMAL))
            assert light(station) == ("green", "normal")

    on_station(body)


@pytest.mark.parametrize(
    ("phase", "shown"),
    [
        (Phase.UPGRADE_FAILED, "red 1000 ms off 1000 ms"),
        (Phase.UPGRADING, "amber 500 ms off 500 ms"),
        (Phase.RESTORING, "off"),
    ],
)
def test_each_phase_shows_its_line_and_one_without_a_line_is_dark(on_station, phase, shown):
    async def body(station):
        async with station.boot(lights):
            await station.publish(DevicePhase(phase=phase))
            assert light(station)[0] == shown
            assert str(station.status.shown()) == shown

    on_station(body)


def test_a_pattern_that_goes_on_is_not_started_anew(on_station):
    async def body(station):
        async with station.boot(lights):
            await station.publish(DevicePhase(phase=Phase.UPGRADING, detail="1 %"))
            told = len(station.status.trace)
            for percent in range(2, 20):
                await station.publish(DevicePhase(phase=Phase.UPGRADING, detail=f"{percent} %"))
                await station.clock.sleep(0.3)
            assert len(station.status.trace) == told

    on_station(body)


def test_the_door_light_is_green_while_any_door_is_open(on_station):
    async def body(station):
        async with station.boot(lambda core, hardware: LightsService(core, hardware, config(DOORS))):
            await station.publish(DoorState(door="door", position=Position.CLOSED, released=True))
            assert light(station, "door") == ("off", "no line is true")
            await station.publish(DoorState(door="door", position=Position.OPEN, released=True))
            await station.publish(DoorState(door="back", position=Position.CLOSED, released=False))
            assert light(station, "door") == ("green", "door_open")
            await station.publish(DoorState(door="door", position=Position.CLOSED, released=False))
            assert light(station, "door") == ("off", "no line is true")

    on_station(body)


def test_states_that_were_there_before_the_start_count(on_station):
    async def body(station):
        def late(core: Any, hardware: Any) -> LightsService:
            core.bus.publish(DevicePhase(phase=Phase.UPGRADE_FAILED))
            return lights(core, hardware)

        async with station.boot(late):
            assert station.status.trace == [(0.0, "red 1000 ms off 1000 ms")]

    on_station(body)


def test_a_stop_switches_the_lights_off(on_station):
    async def body(station):
        async with station.boot(lights):
            await station.publish(DevicePhase(phase=Phase.NORMAL))
        assert station.status.trace[-1] == (0.0, "off")
        assert light(station) == ("off", "stopped")

    on_station(body)


def test_a_light_that_fails_when_a_line_runs_out_ends_the_service(on_station):
    async def body(station):
        async def fail_when_the_line_runs_out():
            async with station.boot(lights):
                await station.publish(DevicePhase(phase=Phase.NORMAL))
                station.status.broken = True
                await station.clock.sleep(20)

        with pytest.raises(ExceptionGroup) as caught:
            await fail_when_the_line_runs_out()
        assert caught.group_contains(BusError)

    on_station(body)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"lights": {"s": {"node": "status", "table": [{"when": "normal", "show": "blue"}]}}},
            r"rooms\.device\.lights\.s\.table\.0\.show: LED 'status' cannot show blue; it shows amber, green, off, red",
        ),
        (
            {"lights": {"s": {"node": "statu", "table": [{"when": "normal", "show": "green"}]}}},
            r"rooms\.device\.lights\.s\.node: no LED 'statu' on this board; did you mean 'status'\?",
        ),
        (
            {
                "lights": {
                    "a": {"node": "status", "table": [{"when": "normal", "show": "green"}]},
                    "b": {"node": "status", "table": [{"when": "normal", "show": "red"}]},
                }
            },
            r"rooms\.device\.lights\.b\.node: LED 'status' already belongs to light 'a'",
        ),
    ],
)
def test_a_table_the_board_cannot_show_is_an_error_at_start(on_station, data, message):
    async def body(station):
        with pytest.raises(Invalid, match=message):
            async with station.boot(lambda core, hardware: LightsService(core, hardware, config(data))):
                pass

    on_station(body)


@pytest.mark.parametrize(
    ("line", "place", "message"),
    [
        ({"when": "norml", "show": "green"}, "table.0.when", "unknown condition 'norml'; did you mean 'normal'"),
        ({"when": "normal", "show": "gren"}, "table.0.show", "unknown word 'gren'; did you mean 'green'"),
        ({"when": "normal", "show": 3}, "table.0.show", "show is text"),
        ({"when": "normal", "show": "green", "for_s": 0}, "table.0.for_s", "greater than 0"),
        ({"when": "normal", "shw": "green"}, "table.0", "has no 'shw'; did you mean 'show'"),
        ({"when": "normal"}, "table.0.show", "is missing"),
    ],
)
def test_a_wrong_line_of_a_table_names_its_place_and_the_nearest_word(line, place, message):
    with pytest.raises(Invalid) as caught:
        config({"lights": {"status": {"node": "status", "table": [line]}}})
    assert caught.value.where == f"rooms.device.lights.status.{place}"
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"light": {}}, r"rooms\.device: .*has no 'light'; did you mean 'lights'"),
        ({"buttons": {"control": {"node": "control", "stuck": 3}}}, r"has no 'stuck'; did you mean 'stuck_s'"),
        ({"buttons": {"control": {"node": "c", "long_s": 9, "stuck_s": 9}}}, r"stuck_s \(9\) must be above long_s"),
        ({"lights": {"status": {"node": "status", "table": []}}}, r"lights\.status\.table"),
    ],
)
def test_a_wrong_name_or_limit_of_the_device_room_is_one_clear_error(data, message):
    with pytest.raises(Invalid, match=message):
        config(data)


LINES = st.builds(
    lambda when, for_s: LightLine.model_validate({"when": when, "show": "green", "for_s": for_s}),
    st.sampled_from(Condition),
    st.none() | st.integers(1, 20),
)


@settings(max_examples=examples(150), deadline=None)
@given(
    st.lists(LINES, max_size=8),
    st.dictionaries(st.sampled_from(Condition), st.integers(0, 30_000_000_000)),
)
def test_the_chosen_line_is_true_and_every_line_above_it_is_not(table, since):
    def holds(line: LightLine) -> bool:
        return line.when in since and (line.for_s is None or since[line.when] < line.for_s * 1e9)

    chosen = choose(table, since.keys(), since)
    if chosen is None:
        assert not any(holds(line) for line in table)
    else:
        assert holds(chosen)
        assert not any(holds(line) for line in table[: next(n for n, line in enumerate(table) if line is chosen)])


def test_every_phase_is_a_condition_and_an_unknown_state_makes_nothing_true():
    assert set(PHASES) == set(Phase)
    assert conditions_of(None, None, None, ()) == frozenset()
    assert conditions_of(None, NetworkState(up=True), IdentifyState(active=False), ()) == frozenset()
