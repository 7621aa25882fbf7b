"""Virtual inputs: set by programs, exact times, no state before the first use."""

from __future__ import annotations

from typing import Any

import pytest

from firmware.core.errors import Invalid
from firmware.core.vocabulary.io import VirtualInputState
from firmware.io import VirtualInputsService


def virtual(core: Any, hardware: Any) -> VirtualInputsService:
    return VirtualInputsService(core)


def test_only_inputs_that_were_set_have_a_state(on_station):
    async def body(station):
        async with station.boot(virtual):
            assert station.core.bus.states(VirtualInputState) == ()
            await station.act("virtual_input.set", input=3, active=True)
            await station.act("virtual_input.set", input=64, active=False)
            now = {state.input: state.active for state in station.core.bus.states(VirtualInputState)}
            assert now == {3: True, 64: False}

    on_station(body)


def test_an_input_set_for_a_time_is_active_exactly_that_long_and_keeps_its_cause(on_station):
    async def body(station):
        async with station.boot(virtual):
            began = station.clock.utc()
            await station.act("virtual_input.set", cause="b1-control-5", input=1, active=True, for_s=7)
            await station.clock.sleep(30)
            seen = [(f.active, (f.at - began).total_seconds(), f.cause) for f in station.facts]
            assert seen == [(True, 0.0, "b1-control-5"), (False, 7.0, "b1-control-5")]

    on_station(body)


def test_a_repeated_set_replaces_the_time_of_that_input_only(on_station):
    async def body(station):
        async with station.boot(virtual):
            began = station.clock.utc()
            await station.act("virtual_input.set", input=1, active=True, for_s=2)
            await station.act("virtual_input.set", input=2, active=True, for_s=2)
            await station.clock.sleep(1)
            await station.act("virtual_input.set", input=1, active=True, for_s=10)
            await station.clock.sleep(30)
            ended = {f.input: (f.at - began).total_seconds() for f in station.facts if not f.active}
            assert ended == {1: 11.0, 2: 2.0}

    on_station(body)


@pytest.mark.parametrize("number", [0, 65, -1, "one"])
def test_a_number_outside_the_range_is_refused(on_station, number):
    async def body(station):
        async with station.boot(virtual):
            with pytest.raises(Invalid, match=r"virtual_input\.set\.input"):
                await station.act("virtual_input.set", input=number, active=True)

    on_station(body)


def test_a_stop_withdraws_the_states_and_leaves_no_timer(on_station):
    async def body(station):
        async with station.boot(virtual):
            await station.act("virtual_input.set", input=1, active=True, for_s=1000)
        assert station.core.bus.states(VirtualInputState) == ()

    on_station(body)
