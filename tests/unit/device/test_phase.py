"""The device's own states: who it is, what it is doing, and `device.identify`."""

from __future__ import annotations

from typing import Any

import pytest

from firmware.core.errors import Invalid
from firmware.core.vocabulary.device import DeviceInfo, DevicePhase, IdentifyState, Phase
from firmware.device import DeviceService

INFO = DeviceInfo(
    product="Network door station",
    model="LINTEL-DS1",
    board="door_station",
    version="0.1.0",
    slot="A",
    serial="00408C123456",
    chip_id="10000000ABCDEF01",
    simulated=True,
    capabilities=("doors", "relay"),
)


def device(core: Any, hardware: Any) -> DeviceService:
    return DeviceService(core, INFO)


def phases(station: Any) -> list[Phase]:
    return [fact.phase for fact in station.facts if isinstance(fact, DevicePhase)]


def test_the_device_says_who_it_is_and_that_it_starts_then_that_it_is_ready(on_station):
    async def body(station):
        async with station.boot(device) as (service,):
            assert station.core.bus.state(DeviceInfo).same_as(INFO)
            assert phases(station) == [Phase.STARTING]
            service.mark_ready()
            service.mark_ready()
            assert phases(station) == [Phase.STARTING, Phase.NORMAL]

    on_station(body)


def test_ready_does_not_hide_a_phase_another_service_has_set(on_station):
    async def body(station):
        async with station.boot(device) as (service,):
            await station.publish(DevicePhase(phase=Phase.UPGRADE_FAILED))
            service.mark_ready()
            assert station.core.bus.state(DevicePhase).phase is Phase.UPGRADE_FAILED

    on_station(body)


def test_identify_ends_by_itself_after_exactly_its_time(on_station):
    async def body(station):
        async with station.boot(device):
            began = station.clock.utc()
            station.facts.clear()
            await station.act("device.identify", cause="b1-control-8", active=True, for_s=30)
            await station.clock.sleep(100)
            seen = [(f.active, (f.at - began).total_seconds(), f.cause) for f in station.facts]
            assert seen == [(True, 0.0, "b1-control-8"), (False, 30.0, "b1-control-8")]

    on_station(body)


def test_identify_again_replaces_the_time_and_off_ends_it(on_station):
    async def body(station):
        async with station.boot(device):
            await station.act("device.identify", active=True, for_s=5)
            await station.act("device.identify", active=True)
            await station.clock.sleep(100)
            assert station.core.bus.state(IdentifyState).active
            await station.act("device.identify", active=False)
            assert not station.core.bus.state(IdentifyState).active

    on_station(body)


def test_identify_refuses_a_time_that_is_none(on_station):
    async def body(station):
        async with station.boot(device):
            with pytest.raises(Invalid, match=r"device\.identify\.for_s"):
                await station.act("device.identify", active=True, for_s=0)

    on_station(body)


def test_a_stop_ends_identify_and_leaves_no_timer(on_station):
    async def body(station):
        async with station.boot(device):
            await station.act("device.identify", active=True, for_s=1000)
        assert not station.core.bus.state(IdentifyState).active

    on_station(body)


def test_locating_is_for_eyes_and_ears_and_ends_after_exactly_its_time(on_station):
    async def body(station):
        async with station.boot(device):
            began = station.clock.utc()
            station.facts.clear()
            await station.act("device.locate", duration_s=12.5)
            await station.clock.sleep(100)
            seen = [(f.active, f.sound, (f.at - began).total_seconds()) for f in station.facts]
            assert seen == [(True, True, 0.0), (False, False, 12.5)]

    on_station(body)


def test_locating_lasts_half_a_minute_unless_told_otherwise_and_can_be_stopped(on_station):
    async def body(station):
        async with station.boot(device):
            await station.act("device.locate")
            await station.clock.sleep(29.9)
            assert station.core.bus.state(IdentifyState).sound
            await station.act("device.locate_stop")
            state = station.core.bus.state(IdentifyState)
            assert (state.active, state.sound) == (False, False)
            station.facts.clear()
            await station.clock.sleep(100)
            assert not station.facts

    on_station(body)


def test_identifying_by_light_alone_makes_no_sound(on_station):
    async def body(station):
        async with station.boot(device):
            await station.act("device.locate", duration_s=60)
            await station.act("device.identify", active=True)
            state = station.core.bus.state(IdentifyState)
            assert (state.active, state.sound) == (True, False)

    on_station(body)


@pytest.mark.parametrize("duration_s", [0, -1, 3601])
def test_locating_refuses_a_time_that_is_none_or_an_hour_and_more(on_station, duration_s):
    async def body(station):
        async with station.boot(device):
            with pytest.raises(Invalid, match=r"device\.locate\.duration_s"):
                await station.act("device.locate", duration_s=duration_s)
            assert not station.core.bus.state(IdentifyState).active

    on_station(body)
