"""Doors: release, repetition, limits, contact, exit button, and a strike that does not obey."""

from __future__ import annotations

from typing import Any

import pytest

from firmware.core.actions import Caller, Level
from firmware.core.errors import Forbidden, Invalid, NotFound, Refused, Unavailable
from firmware.core.vocabulary.access import (
    DoorAlarm,
    DoorAlarmKind,
    DoorReleased,
    DoorState,
    ExitRequested,
    ExitSimulated,
    Position,
)
from firmware.core.vocabulary.io import RelayChanged, RelayTrouble
from hal.types import LoopState

OPERATOR = Caller("op", Level.OPERATOR, "api")
ADMIN = Caller("root", Level.ADMIN, "web")
VIEWER = Caller("eye", Level.VIEWER, "api")


def alarms(station: Any, kind: DoorAlarmKind, door: str = "door") -> list[tuple[bool, str]]:
    """Every change of one alarm since the start, with its detail."""
    return [(each.active, each.detail) for each in station.all(DoorAlarm) if each.kind is kind and each.door == door]


def standing(station: Any, kind: DoorAlarmKind, door: str = "door") -> bool:
    state = station.core.bus.state(DoorAlarm, door, kind.value)
    return state is not None and state.active


def test_a_release_holds_for_exactly_its_time(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", OPERATOR, door="door", hold_s=7.0)
            await station.wait(10)
            assert station.relays["relay1"].pulses() == [(0.0, 7.0)]

    on_station(body)


def test_without_a_time_the_doors_own_counts(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.patch("doors", door={"hold_s": 3.25})
            await station.act("door.release", door="door")
            await station.act("door.release", door="gate")
            await station.wait(10)
            assert station.relays["relay1"].pulses()[0][1] == 3.25
            assert station.relays["relay2"].pulses()[0][1] == 5.0  # 7 s is above this relay's limit

    on_station(body)


def test_the_relay_moves_before_the_facts_and_each_names_its_cause(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            station.facts.clear()
            await station.act("door.release", OPERATOR, cause="granted-1", door="door", hold_s=1)
            released, relay, state = station.facts
            assert isinstance(released, DoorReleased)
            assert (released.cause, released.by, released.hold_s, released.extended) == ("granted-1", "op", 1.0, False)
            assert isinstance(relay, RelayChanged)
            assert (relay.relay, relay.alias, relay.on, relay.why) == ("relay1", "strike", True, "command")
            assert relay.cause == released.id
            assert isinstance(state, DoorState)
            assert (state.released, state.cause) == (True, released.id)
            await station.wait(2)
            off = station.last(RelayChanged)
            assert (off.on, off.why, off.cause) == (False, "command", released.id)
            assert station.last(DoorState).released is False

    on_station(body)


def test_row_15_a_hundred_releases_in_a_second_are_one_pulse(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            for _ in range(100):
                await station.act("door.release", door="door", hold_s=7.0)
                await station.wait(0.01)
            await station.wait(10)
            start, width = station.relays["relay1"].pulses()[0]
            assert (start, width) == (0.0, pytest.approx(7.99, abs=1e-9))
            assert len(station.relays["relay1"].trace) == 2
            assert [each.on for each in station.all(RelayChanged) if each.relay == "relay1"] == [False, True, False]
            assert [each.released for each in station.all(DoorState) if each.door == "door"] == [False, True, False]
            assert [each.extended for each in station.all(DoorReleased)] == [False] + [True] * 99

    on_station(body)


def test_row_15_a_door_that_ignores_repetition_keeps_its_first_end(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.patch("doors", door={"repeat": "ignore"})
            began = station.t_s()
            await station.act("door.release", door="door", hold_s=7.0)
            await station.wait(3)
            await station.act("door.release", door="door", hold_s=7.0)
            await station.wait(10)
            assert station.relays["relay1"].pulses() == [(pytest.approx(began), 7.0)]
            assert len(station.all(DoorReleased)) == 1

    on_station(body)


def test_a_shorter_repetition_never_shortens_a_release(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="door", hold_s=7.0)
            await station.wait(1)
            await station.act("door.release", door="door", hold_s=2.0)
            await station.wait(10)
            assert station.relays["relay1"].pulses() == [(0.0, 7.0)]
            assert station.last(DoorReleased).hold_s == pytest.approx(6.0)

    on_station(body)


def test_extension_stops_at_the_relays_limit(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            for _ in range(20):
                await station.act("door.release", door="gate", hold_s=4.0)
                await station.wait(0.2)
            await station.wait(10)
            assert station.relays["relay2"].pulses() == [(0.0, 5.0)]
            assert [each.released for each in station.all(DoorState) if each.door == "gate"] == [False, True, False]

    on_station(body)


def test_a_release_as_long_as_the_limit_ends_by_command(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="gate", hold_s=5.0)
            await station.wait(10)
            assert station.last(RelayChanged).why == "command"

    on_station(body)


def test_a_lock_ends_a_release_and_a_second_one_changes_nothing(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="door", hold_s=7.0)
            await station.wait(2)
            await station.act("door.lock", cause="lock-1", door="door")
            await station.act("door.lock", door="door")
            await station.wait(10)
            assert station.relays["relay1"].pulses() == [(0.0, 2.0)]
            assert station.last(RelayChanged).cause == "lock-1"

    on_station(body)


@pytest.mark.parametrize(
    ("action", "data", "error", "words"),
    [
        ("door.release", {"door": "dor"}, NotFound, "did you mean 'door'"),
        ("door.lock", {"door": "dor"}, NotFound, "did you mean 'door'"),
        ("door.release", {"door": "gate", "hold_s": 5.5}, Invalid, "longest on-time of 5 s"),
        ("door.release", {"door": "door", "hold_s": 0}, Invalid, "hold_s"),
        ("door.release", {"door": "door", "holds": 1}, Invalid, "did you mean 'hold_s'"),
    ],
)
def test_a_wrong_command_names_its_fault_and_moves_nothing(
    on_station: Any, action: str, data: dict[str, Any], error: type[Exception], words: str
) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            with pytest.raises(error, match=words):
                await station.act(action, **data)
            assert station.relays["relay1"].trace == station.relays["relay2"].trace == []

    on_station(body)


def test_a_viewer_may_not_open(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            with pytest.raises(Forbidden):
                await station.act("door.release", VIEWER, door="door")

    on_station(body)


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"gate": {"hold_s": 6}}, "longest on-time of 5 s"),
        ({"gate": {"holds": 6}}, "did you mean 'hold_s'"),
        ({"gat": {}}, "did you mean 'gate'"),
        ({"door": {"repeat": "twice"}}, "extend"),
    ],
)
def test_a_wrong_setting_of_a_door_is_refused(on_station: Any, patch: dict[str, Any], words: str) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            with pytest.raises(Invalid, match=words):
                await station.patch("doors", **patch)

    on_station(body)


def test_row_23_stopping_during_a_release_locks_the_door(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="door", hold_s=7.0)
            await station.wait(1)
        assert station.relays["relay1"].pulses() == [(0.0, 1.0)]
        assert station.last(RelayChanged).why == "closing"
        async with station.boot():
            await station.wait(10)
            assert len(station.relays["relay1"].trace) == 2
            assert station.last(DoorState).released is False

    on_station(body)


# leaf


def test_the_position_follows_the_contact_and_a_door_without_one_is_unknown(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            assert station.core.bus.state(DoorState, "gate").position is Position.UNKNOWN
            assert station.core.bus.state(DoorState, "door").position is Position.CLOSED
            station.loops["contact1"].set(LoopState.OPEN)
            assert station.core.bus.state(DoorState, "door").position is Position.OPEN

    on_station(body)


def test_opening_after_a_release_is_not_forced(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="door", hold_s=2)
            await station.wait(1)
            station.loops["contact1"].set(LoopState.OPEN)
            await station.wait(5)
            assert not standing(station, DoorAlarmKind.FORCED)

    on_station(body)


@pytest.mark.parametrize(("late_s", "forced"), [(0.9, False), (1.1, True)])
def test_opening_just_after_a_release_has_a_grace(on_station: Any, late_s: float, forced: bool) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="door", hold_s=2)
            await station.wait(2 + late_s)
            station.loops["contact1"].set(LoopState.OPEN)
            assert standing(station, DoorAlarmKind.FORCED) is forced

    on_station(body)


def test_a_forced_door_is_an_alarm_until_it_is_closed(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.wait(1)
            station.loops["contact1"].set(LoopState.OPEN)
            assert standing(station, DoorAlarmKind.FORCED)
            assert station.last(DoorState).forced
            await station.act("door.release", door="door", hold_s=1)
            await station.wait(2)
            assert standing(station, DoorAlarmKind.FORCED)
            station.loops["contact1"].set(LoopState.CLOSED)
            assert not standing(station, DoorAlarmKind.FORCED)
            assert not station.last(DoorState).forced
            assert len(alarms(station, DoorAlarmKind.FORCED)) == 3

    on_station(body)


def test_a_door_held_open_is_an_alarm_after_its_time(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="door", hold_s=7)
            await station.wait(1)
            opened = station.t_s()
            station.loops["contact1"].set(LoopState.OPEN)
            await station.wait(29.9)
            assert not standing(station, DoorAlarmKind.HELD_OPEN)
            await station.wait(0.2)
            assert standing(station, DoorAlarmKind.HELD_OPEN)
            alarm = station.last(DoorAlarm)
            assert (alarm.at - station.all(DoorReleased)[0].at).total_seconds() == pytest.approx(opened + 30, abs=1e-5)
            assert station.last(DoorState).held_open
            station.loops["contact1"].set(LoopState.CLOSED)
            assert not standing(station, DoorAlarmKind.HELD_OPEN)

    on_station(body)


def test_a_released_door_may_stand_open(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="door", hold_s=50)
            station.loops["contact1"].set(LoopState.OPEN)
            await station.wait(49)
            assert not standing(station, DoorAlarmKind.HELD_OPEN)
            await station.wait(2)
            assert standing(station, DoorAlarmKind.HELD_OPEN)

    on_station(body)


def test_a_door_found_open_is_not_forced_but_held(on_station: Any) -> None:
    async def body(station: Any) -> None:
        station.loops["contact1"].set(LoopState.OPEN)
        async with station.boot():
            await station.wait(29)
            assert not standing(station, DoorAlarmKind.FORCED)
            await station.wait(2)
            assert standing(station, DoorAlarmKind.HELD_OPEN)

    on_station(body)


@pytest.mark.parametrize(("fault", "words"), [(LoopState.CUT, "cut"), (LoopState.SHORT, "shorted")])
def test_row_12_a_contact_cut_or_shorted_is_tampering(on_station: Any, fault: LoopState, words: str) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            station.loops["contact1"].set(fault)
            assert alarms(station, DoorAlarmKind.CONTACT)[-1] == (True, f"the loop is {words}")
            state = station.last(DoorState)
            assert (state.tampered, state.position) == (True, Position.UNKNOWN)
            station.loops["contact1"].set(LoopState.CLOSED)
            assert not standing(station, DoorAlarmKind.CONTACT)
            assert station.last(DoorState).tampered is False
            assert not standing(station, DoorAlarmKind.FORCED)

    on_station(body)


def test_row_12_a_contact_mended_on_an_open_door_is_forced(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.wait(5)
            station.loops["contact1"].set(LoopState.CUT)
            station.loops["contact1"].set(LoopState.OPEN)
            assert standing(station, DoorAlarmKind.FORCED)

    on_station(body)


# exit button


def test_each_press_of_the_exit_button_asks_once(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            for _ in range(2):
                station.loops["rex1"].set(LoopState.CLOSED)
                await station.wait(30)
                station.loops["rex1"].set(LoopState.OPEN)
                await station.wait(1)
            assert [each.door for each in station.all(ExitRequested)] == ["door", "door"]
            assert not standing(station, DoorAlarmKind.EXIT)

    on_station(body)


def test_row_12_a_stuck_exit_button_asks_once_and_is_an_alarm(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            station.loops["rex1"].set(LoopState.CLOSED)
            await station.wait(59)
            assert not standing(station, DoorAlarmKind.EXIT)
            await station.wait(3600)
            assert standing(station, DoorAlarmKind.EXIT)
            assert len(station.all(ExitRequested)) == 1
            station.loops["rex1"].set(LoopState.OPEN)
            assert not standing(station, DoorAlarmKind.EXIT)

    on_station(body)


@pytest.mark.parametrize("fault", [LoopState.CUT, LoopState.SHORT])
def test_row_12_an_exit_loop_cut_or_shorted_never_opens(on_station: Any, fault: LoopState) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            station.loops["rex1"].set(fault)
            assert standing(station, DoorAlarmKind.EXIT)
            station.loops["rex1"].set(LoopState.CLOSED)  # mended with the button pressed: still nothing
            await station.wait(1)
            assert station.all(ExitRequested) == []
            station.loops["rex1"].set(LoopState.OPEN)
            assert not standing(station, DoorAlarmKind.EXIT)
            station.loops["rex1"].set(LoopState.CLOSED)
            assert len(station.all(ExitRequested)) == 1

    on_station(body)


def test_a_simulated_press_of_the_exit_button_asks_where_a_real_one_would(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("exit.press", ADMIN, door="door")
            (asked,), (pressed,) = station.all(ExitRequested), station.all(ExitSimulated)
            assert (asked.door, asked.cause, pressed.by) == ("door", pressed.id, "root")
            with pytest.raises(Forbidden):
                await station.act("exit.press", OPERATOR, door="door")
            for state in (LoopState.CUT, LoopState.SHORT, LoopState.CLOSED):
                station.loops["rex1"].set(state)
                with pytest.raises(Refused, match="cannot ask now"):
                    await station.act("exit.press", ADMIN, door="door")
            assert len(station.all(ExitSimulated)) == 1

    on_station(body)


def test_an_exit_button_found_pressed_asks_nothing(on_station: Any) -> None:
    async def body(station: Any) -> None:
        station.loops["rex1"].set(LoopState.CLOSED)
        async with station.boot():
            await station.wait(61)
            assert station.all(ExitRequested) == []
            assert standing(station, DoorAlarmKind.EXIT)

    on_station(body)


# strike


def test_row_13_a_strike_that_does_not_follow_is_an_alarm_without_a_retry_storm(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="door", hold_s=7)
            station.relays["relay1"].stick(True)
            commands = station.relays["relay1"].commands
            assert standing(station, DoorAlarmKind.STRIKE)
            trouble = station.last(RelayTrouble)
            assert (trouble.relay, trouble.stuck, trouble.commanded) == ("relay1", True, True)
            await station.wait(100)
            assert station.relays["relay1"].commands == commands + 1  # off, at its time
            station.relays["relay1"].stick(False)
            assert not standing(station, DoorAlarmKind.STRIKE)

    on_station(body)


def test_row_13_a_relay_that_cannot_be_switched_on_answers_and_is_an_alarm(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            station.relays["relay1"].broken = True
            commands = station.relays["relay1"].commands
            with pytest.raises(Unavailable, match="does not answer"):
                await station.act("door.release", door="door", hold_s=7)
            await station.wait(30)
            assert station.relays["relay1"].commands == commands + 1
            assert standing(station, DoorAlarmKind.STRIKE)
            assert station.all(DoorReleased) == []
            station.relays["relay1"].broken = False
            await station.act("door.release", door="door", hold_s=7)
            assert not standing(station, DoorAlarmKind.STRIKE)

    on_station(body)


def test_row_13_a_relay_that_cannot_be_switched_off_ends_the_service(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async def until_it_crashes() -> None:
            async with station.boot():
                await station.act("door.release", door="door", hold_s=7)
                station.relays["relay1"].broken = True
                await station.wait(20)

        with pytest.raises(ExceptionGroup, match="unhandled"):
            await until_it_crashes()
        assert standing(station, DoorAlarmKind.STRIKE)
        station.relays["relay1"].broken = False
        await station.wait(60)  # the driver's own limit is the last resort
        assert station.relays["relay1"].pulses() == [(0.0, 60.0)]

    on_station(body)


def test_row_13_a_lock_that_fails_leaves_the_release_its_end(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="door", hold_s=7.0)
            await station.wait(2)
            station.relays["relay1"].broken = True
            with pytest.raises(Unavailable):
                await station.act("door.lock", door="door")
            assert standing(station, DoorAlarmKind.STRIKE)
            station.relays["relay1"].broken = False
            await station.wait(10)
            assert station.relays["relay1"].pulses() == [(0.0, 7.0)]
            assert not standing(station, DoorAlarmKind.STRIKE)

    on_station(body)
