"""The rules at work: the locked ones open the door, people's rules follow, and nothing delays the door."""

from __future__ import annotations

import asyncio
import logging

import pytest

from firmware.core.actions import Caller, Level, Nothing
from firmware.core.errors import Invalid, Refused
from firmware.core.vocabulary.access import DoorState, ExitRequested, IndicateParams, Position, ReleaseParams
from firmware.core.vocabulary.io import RelaySetParams, VirtualInputState
from hal.errors import BusError
from hal.types import Colour

RULES = Caller("rules", Level.SYSTEM, "rule")


def relay_rule(name="bell", **more):
    return {
        "name": name,
        "trigger": "access/denied",
        "actions": [{"action": "relay.set", "params": {"relay": "aux", "on": True, "for_s": 1}}],
        **more,
    }


def test_a_granted_access_releases_its_door_and_shows_green_as_long(on_station):
    async def body(station):
        async with station.boot():
            fact = station.granted(door="yard", reader="reader2")
            await station.settle()
            release, indicate = (invocation for _, invocation in station.asked)
            assert (release.action, release.params) == ("door.release", ReleaseParams(door="yard"))
            assert indicate.action == "reader.indicate"
            assert indicate.params == IndicateParams(reader="reader2", colour=Colour.GREEN, door="yard")
            assert {release.cause, indicate.cause} == {fact.id}
            assert {release.caller, indicate.caller} == {RULES}

    on_station(body)


def test_a_denied_access_shows_red_for_2_s_and_touches_no_door(on_station):
    async def body(station):
        async with station.boot():
            station.denied(reader="reader2")
            await station.settle()
            assert [invocation.params for _, invocation in station.asked] == [
                IndicateParams(reader="reader2", colour=Colour.RED, for_s=2.0)
            ]

    on_station(body)


def test_an_exit_request_releases_the_door_for_the_doors_own_time(on_station):
    async def body(station):
        async with station.boot():
            station.core.bus.publish(ExitRequested(door="yard"))
            await station.settle()
            assert [invocation.params for _, invocation in station.asked] == [ReleaseParams(door="yard")]

    on_station(body)


def test_a_locked_rule_is_left_out_with_a_line_on_a_board_without_the_action(on_station, caplog):
    async def body(station):
        del station.owners["door.release"]
        async with station.boot():
            station.granted()
            station.core.bus.publish(ExitRequested(door="front"))
            await station.settle()
            assert station.names() == ["reader.indicate"]
            assert station.failures() == []

    with caplog.at_level(logging.INFO, logger="firmware.rules"):
        on_station(body)
    assert "locked rule 'exit requested': this board has no door.release" in caplog.messages


def test_a_locked_rule_works_as_soon_as_a_later_service_offers_its_action(on_station):
    async def body(station):
        del station.owners["door.release"]
        async with station.boot():
            station.own("door.release", ReleaseParams)
            station.granted()
            await station.settle()
            assert station.names() == ["door.release", "reader.indicate"]

    on_station(body)


def test_a_written_rule_takes_its_parameters_from_the_fact_and_follows_the_locked_one(on_station):
    async def body(station):
        async with station.boot():
            await station.write(
                {
                    "name": "airlock",
                    "trigger": "access/granted",
                    "actions": [{"action": "relay.set", "params": {"relay": "$event.reader", "on": True}}],
                }
            )
            station.granted(reader="reader7")
            await station.settle()
            assert station.names() == ["door.release", "reader.indicate", "relay.set"]
            assert station.asked[-1][1].params == RelaySetParams(relay="reader7", on=True)

    on_station(body)


def test_a_rule_fires_only_while_its_conditions_hold(on_station):
    async def body(station):
        async with station.boot():
            await station.write(
                relay_rule(
                    conditions=[
                        {"field": "reason", "equals": "unknown credential"},
                        {"topic": "door/state", "key": ["$event.door"], "field": "position", "equals": "open"},
                    ]
                )
            )
            station.denied()
            station.core.bus.publish(DoorState(door="front", position=Position.CLOSED, released=False))
            station.denied()
            await station.settle()
            assert "relay.set" not in station.names()
            station.core.bus.publish(DoorState(door="front", position=Position.OPEN, released=False))
            station.denied(door="yard")
            station.denied()
            await station.settle()
            assert station.names().count("relay.set") == 1

    on_station(body)


def test_a_changed_rule_counts_at_once_and_no_fact_is_lost_by_the_change(on_station):
    async def body(station):
        async with station.boot():
            await station.write(relay_rule())
            for _ in range(5):
                station.denied()
            both = [relay_rule(), relay_rule("light", trigger="access/granted")]
            await station.core.params.change("rules", {"rules": both}, Caller("root", Level.ADMIN, "api"))
            for _ in range(5):
                station.denied()
            await station.settle()
            assert station.names().count("relay.set") == 10
            await station.write()
            station.denied()
            await station.settle()
            assert station.names().count("relay.set") == 10

    on_station(body)


def test_a_rule_that_is_switched_off_does_nothing(on_station):
    async def body(station):
        async with station.boot():
            await station.write(relay_rule(enabled=False))
            station.denied()
            await station.settle()
            assert "relay.set" not in station.names()

    on_station(body)


def test_a_state_that_is_only_repeated_or_withdrawn_or_there_from_the_start_fires_nothing(on_station):
    async def body(station):
        async with station.boot():
            state = station.core.bus.publish(VirtualInputState(input=1, active=True))
            await station.write(relay_rule(trigger="io/virtual_input"))
            station.core.bus.publish(VirtualInputState(input=1, active=True))
            station.core.bus.forget(type(state), "1")
            await station.settle()
            assert station.names() == []
            station.core.bus.publish(VirtualInputState(input=1, active=False))
            await station.settle()
            assert station.names() == ["relay.set"]

    on_station(body)


def test_rules_survive_a_restart(on_station):
    async def body(station):
        async with station.boot():
            await station.write(relay_rule())
        async with station.boot():
            station.denied()
            await station.settle()
            assert station.names() == ["reader.indicate", "relay.set"]
            assert station.alarms == []

    on_station(body)


def test_a_saved_rule_whose_action_is_gone_is_left_out_with_one_line_and_the_others_stand(on_station, caplog):
    async def body(station):
        async with station.boot():
            await station.write(
                relay_rule("gone"),
                {"name": "stays", "trigger": "access/denied", "actions": [_indicate("blue")]},
            )
        del station.owners["relay.set"]
        async with station.boot():
            station.denied()
            await station.settle()
            assert [invocation.params.colour for _, invocation in station.asked] == [Colour.RED, Colour.BLUE]
            # It stands in the way of no other change, as long as it is not changed itself.
            await station.write(relay_rule("gone"))
            with pytest.raises(Invalid, match=r"rules\.rules\.0\.actions\.0\.action: no such action"):
                await station.write(relay_rule("gone too"))

    on_station(body)
    lines = [line for line in caplog.messages if "gone" in line]
    assert len(lines) == 1
    assert "rule 'gone' is not followed: rules.rules.0.actions.0.action: no such action" in lines[0]


def _indicate(colour):
    return {"action": "reader.indicate", "params": {"reader": "$event.reader", "colour": colour, "for_s": 1}}


def test_an_owner_that_refuses_is_one_fact_and_its_rule_shows_no_green_while_other_rules_go_on(on_station):
    async def refuse(invocation):
        raise Refused("door.release.door", "is locked down")

    async def break_down(invocation):
        raise BusError("relay2", "line gone")

    async def body(station):
        station.behaviour = {"door.release": refuse, "relay.set": break_down}
        async with station.boot():
            await station.write(relay_rule(trigger="access/granted"))
            fact = station.granted()
            await station.settle()
            assert station.names() == ["door.release", "relay.set"]
            first, second = station.failures()
            assert (first.rule, first.action, first.code) == ("access granted", "door.release", "refused")
            assert first.message == "door.release.door: is locked down"
            assert first.cause == fact.id
            assert (second.rule, second.code, second.message) == ("bell", "unavailable", "relay2: line gone")

    on_station(body)


def test_a_fault_inside_an_owner_ends_its_rule_for_that_fact_and_not_the_rules(on_station, caplog):
    async def stumble(invocation):
        raise KeyError("secret detail")

    async def body(station):
        station.behaviour["door.release"] = stumble
        async with station.boot():
            station.granted()
            await station.settle()
            station.granted()
            await station.settle()
            assert station.names() == ["door.release"] * 2
            assert {failure.code for failure in station.failures()} == {"unavailable"}
            assert "secret detail" not in station.failures()[0].message

    on_station(body)
    assert "secret detail" in caplog.text  # developers find it in the log


def test_actions_of_this_role_are_carried_out_one_after_the_other(on_station):
    async def body(station):
        async def slow(invocation):
            await station.clock.sleep(0.1)
            done.append(invocation.action)

        done: list[str] = []
        station.behaviour = {"door.release": slow, "reader.indicate": slow}
        async with station.boot():
            station.granted()
            station.denied()
            await station.clock.sleep(1)
            assert done == ["door.release", "reader.indicate", "reader.indicate"]
            times = [round(t_s, 3) - round(station.asked[0][0], 3) for t_s, _ in station.asked]
            assert times == pytest.approx([0.0, 0.1, 0.2])

    on_station(body)


def test_a_written_rule_cannot_ask_for_what_even_an_administrator_may_not(on_station):
    async def body(station):
        async with station.boot():
            station.core.actions.register("secret.act", Nothing, station._answer, summary="Private.", private=True)
            for action in ("device.wipe", "secret.act"):
                with pytest.raises(Invalid, match="no such action"):
                    await station.write(relay_rule(actions=[{"action": action}]))

    on_station(body)


def test_a_stopped_service_follows_nothing_and_starts_again_on_the_same_core(on_station):
    async def body(station):
        async with station.boot() as service:
            await station.write(relay_rule())
        station.denied()
        assert station.asked == []
        async with asyncio.TaskGroup() as tasks:
            await service.start()
            task = tasks.create_task(service.run())
            await station.settle()
            station.denied()
            await station.settle()
            assert station.names() == ["reader.indicate", "relay.set"]
            task.cancel()
        await service.stop()
        await service.stop()

    on_station(body)
