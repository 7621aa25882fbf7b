"""Free relays: exact times, the limit of the board, doors' relays refused."""

from __future__ import annotations

from typing import Any

import pytest

from firmware.core.errors import Invalid, NotFound, Refused, Unavailable
from firmware.core.vocabulary.io import RelayChanged, RelayTrouble
from firmware.io import RelaysService
from hal.errors import BusError


def relays(core: Any, hardware: Any) -> RelaysService:
    return RelaysService(core, hardware, frozenset({"relay1"}))


def changes(station: Any) -> list[tuple[str, bool, str]]:
    return [(fact.alias, fact.on, fact.why) for fact in station.facts if isinstance(fact, RelayChanged)]


def test_a_relay_is_on_for_exactly_the_time_asked(on_station):
    async def body(station):
        async with station.boot(relays):
            await station.act("relay.set", cause="b1-control-9", relay="aux", on=True, for_s=1.75)
            await station.clock.sleep(20)
            assert station.relays["relay2"].driven == [(0.0, True), (1.75, False)]
        assert changes(station) == [("aux", False, "start"), ("aux", True, "command"), ("aux", False, "command")]
        assert [fact.cause for fact in station.facts] == [None, "b1-control-9", "b1-control-9"]

    on_station(body)


def test_a_repeated_set_replaces_the_time_and_switches_once(on_station):
    async def body(station):
        async with station.boot(relays):
            for _ in range(3):
                await station.act("relay.set", relay="relay2", on=True, for_s=1.5)
                await station.clock.sleep(1)
            await station.clock.sleep(10)
            assert station.relays["relay2"].driven == [(0.0, True), (3.5, False)]

    on_station(body)


def test_a_relay_left_on_goes_off_after_its_longest_on_time(on_station):
    async def body(station):
        async with station.boot(relays):
            await station.act("relay.set", relay="aux", on=True)
            await station.clock.sleep(60)
            assert station.relays["relay2"].driven == [(0.0, True), (5.0, False)]
            assert changes(station)[-1] == ("aux", False, "longest on-time")

    on_station(body)


def test_a_time_equal_to_the_limit_ends_by_command_and_one_above_it_is_refused(on_station):
    async def body(station):
        async with station.boot(relays):
            with pytest.raises(Invalid, match=r"relay\.set\.for_s: 5\.1 s is above the longest on-time of 5 s"):
                await station.act("relay.set", relay="aux", on=True, for_s=5.1)
            assert station.relays["relay2"].driven == []
            await station.act("relay.set", relay="aux", on=True, for_s=5)
            await station.clock.sleep(60)
            assert changes(station)[-1] == ("aux", False, "command")

    on_station(body)


def test_switching_off_ends_a_time_that_ran(on_station):
    async def body(station):
        async with station.boot(relays):
            await station.act("relay.set", relay="aux", on=True, for_s=4)
            await station.clock.sleep(1)
            await station.act("relay.set", relay="aux", on=False)
            await station.act("relay.set", relay="aux", on=True)
            await station.clock.sleep(4)
            assert station.relays["relay2"].driven == [(0.0, True), (1.0, False), (1.0, True)]

    on_station(body)


@pytest.mark.parametrize("name", ["relay1", "door"])
def test_the_strike_of_a_door_is_released_only_through_its_door(on_station, name):
    async def body(station):
        async with station.boot(relays):
            with pytest.raises(Refused, match=rf"'{name}' moves a door's strike; use door\.release"):
                await station.act("relay.set", relay=name, on=True)
            assert station.relays["relay1"].driven == []

    on_station(body)


def test_an_unknown_relay_is_answered_with_the_nearest_name(on_station):
    async def body(station):
        async with station.boot(relays):
            with pytest.raises(NotFound, match=r"no relay 'relay22'; did you mean 'relay2'\?"):
                await station.act("relay.set", relay="relay22", on=True)

    on_station(body)


def test_row_14_a_stop_switches_off_and_a_restart_moves_no_relay(on_station):
    async def body(station):
        async with station.boot(relays):
            await station.act("relay.set", relay="aux", on=True)
            await station.clock.sleep(1)
        assert changes(station)[-1] == ("aux", False, "closing")
        for _ in range(20):
            async with station.boot(relays):
                await station.clock.sleep(1)
        assert station.relays["relay2"].driven == [(0.0, True), (1.0, False)]
        with pytest.raises(Unavailable):
            await station.act("relay.set", relay="aux", on=True)

    on_station(body)


def test_row_13_a_welded_relay_is_told_with_what_it_was_commanded(on_station):
    async def body(station):
        async with station.boot(relays):
            station.relays["relay2"].weld()
            trouble = station.core.bus.state(RelayTrouble, "relay2")
            assert trouble is not None
            assert (trouble.stuck, trouble.commanded) == (True, False)

    on_station(body)


def test_a_relay_that_cannot_be_switched_off_at_its_time_ends_the_service(on_station):
    async def body(station):
        async def fail_when_its_time_is_up():
            async with station.boot(relays):
                await station.act("relay.set", relay="aux", on=True, for_s=1)
                station.relays["relay2"].broken = True
                await station.clock.sleep(10)

        with pytest.raises(ExceptionGroup) as caught:
            await fail_when_its_time_is_up()
        assert caught.group_contains(BusError)
        await station.clock.sleep(10)

    on_station(body)


def test_a_relay_that_refuses_to_be_switched_off_still_ends_at_its_time(on_station):
    async def body(station):
        async with station.boot(relays):
            await station.act("relay.set", relay="aux", on=True, for_s=2)
            station.relays["relay2"].broken = True
            with pytest.raises(Unavailable):
                await station.act("relay.set", relay="aux", on=False)
            station.relays["relay2"].broken = False
            await station.clock.sleep(10)
            assert station.relays["relay2"].driven == [(0.0, True), (2.0, False)]

    on_station(body)
