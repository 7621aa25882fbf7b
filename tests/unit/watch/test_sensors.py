"""Accelerometer and light sensor: the real drivers on simulated chips, with what chips do in the field."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.drivers.lis3dh import samples_of
from hal.drivers.opt3001 import lux_of
from hal.errors import Absent, DeviceError, Garbled, HalError, OutOfRange
from hal.senses import Shock
from hal.sim.chips.opt3001 import coded
from hal.sim.time import VirtualClock, virtual_run
from tests.effort import examples
from tests.unit.watch.board import Bench, at_work, new_world, on_the_bench

SENSORS = ["shock1", "shock2"]  # asked again and again, and with an interrupt line


async def watched(bench: Bench, name: str, threshold_g: float) -> list[Shock]:
    shocks: list[Shock] = []
    sensor = bench.hardware.accelerometers[name]
    sensor.watch(shocks.append)
    sensor.set_threshold(threshold_g)
    await bench.clock.sleep(0.5)
    return shocks


@pytest.mark.parametrize("name", SENSORS)
@given(st.floats(0.15, 6.0), st.floats(0.05, 16.0), st.floats(0, 0.1))
@settings(max_examples=examples(25))
def test_a_hit_is_one_shock_when_it_is_harder_than_the_threshold(
    name: str, threshold_g: float, hit_g: float, late_s: float
) -> None:
    async def scene(bench: Bench) -> None:
        shocks = await watched(bench, name, threshold_g)
        await bench.clock.sleep(late_s)
        at_ns = bench.clock.now_ns()
        bench.shock_chip(name).bump(hit_g)
        await bench.clock.sleep(3)
        # The chip samples every 2.5 ms, in steps of 62 mg: a hit a little above the threshold may pass between two.
        if hit_g > threshold_g * 1.4 + 0.062:
            assert len(shocks) == 1
            assert 0 <= (shocks[0].t_ns - at_ns) / 1e9 <= 0.12
            assert max(threshold_g, min(hit_g, 8) * 0.5) - 0.02 <= shocks[0].peak_g <= max(threshold_g, hit_g) * 1.1
        if hit_g < threshold_g - 0.062:
            assert shocks == []

    on_the_bench(scene)


@pytest.mark.parametrize("name", SENSORS)
def test_gravity_is_no_shock_and_neither_is_the_switching_on(name: str) -> None:
    async def scene(bench: Bench) -> None:
        shocks = await watched(bench, name, 0.15)
        await bench.clock.sleep(60)
        assert shocks == []

    on_the_bench(scene)


@pytest.mark.parametrize("name", SENSORS)
def test_every_hit_of_a_series_is_a_shock_of_its_own(name: str) -> None:
    async def scene(bench: Bench) -> None:
        shocks = await watched(bench, name, 1.0)
        for _ in range(10):
            bench.shock_chip(name).bump(3)
            await bench.clock.sleep(0.5)
        assert len(shocks) == 10

    on_the_bench(scene)


@pytest.mark.parametrize("name", SENSORS)
def test_without_a_threshold_nothing_is_reported(name: str) -> None:
    async def scene(bench: Bench) -> None:
        shocks = await watched(bench, name, 1.0)
        bench.hardware.accelerometers[name].set_threshold(None)
        await bench.clock.sleep(0.5)
        bench.shock_chip(name).bump(8)
        await bench.clock.sleep(2)
        assert shocks == []

    on_the_bench(scene)


@pytest.mark.parametrize("name", SENSORS)
@pytest.mark.parametrize(("fault", "error"), [("absent", Absent), ("garbage", HalError)])
def test_a_chip_that_fails_is_reported_once_and_works_again_when_it_is_back(
    name: str, fault: str, error: type[HalError]
) -> None:
    async def scene(bench: Bench) -> None:
        told: list[HalError | None] = []
        bench.hardware.accelerometers[name].on_problem(told.append)
        shocks = await watched(bench, name, 1.0)
        bench.world.fault(f"accelerometer:{name}", fault)
        await bench.clock.sleep(10)
        assert len(told) == 1
        assert isinstance(told[0], error)
        found_before = len(shocks)
        bench.world.clear(f"accelerometer:{name}")
        await bench.clock.sleep(2.5)
        assert told[1:] == [None]
        bench.shock_chip(name).bump(4)
        await bench.clock.sleep(1)
        assert len(shocks) == found_before + 1

    on_the_bench(scene)


@pytest.mark.parametrize("name", SENSORS)
def test_a_chip_that_lost_its_power_for_a_moment_is_set_up_again_within_two_seconds(name: str) -> None:
    async def scene(bench: Bench) -> None:
        told: list[HalError | None] = []
        bench.hardware.accelerometers[name].on_problem(told.append)
        shocks = await watched(bench, name, 1.0)
        bench.shock_chip(name).power_changed()
        await bench.clock.sleep(2)
        assert isinstance(told[0], Garbled)
        assert told[1:] == [None]
        bench.shock_chip(name).bump(4)
        await bench.clock.sleep(1)
        assert len(shocks) == 1

    on_the_bench(scene)


def test_a_board_starts_without_its_sensors_and_finds_them_later() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        for name in ("accelerometer:shock1", "accelerometer:shock2", "light_sensor:light1"):
            world.fault(name, "absent")
        async with at_work(clock, world) as bench:
            await clock.sleep(5)
            for name in SENSORS:
                assert str(bench.hardware.accelerometers[name].problem) == f"{name}: no accelerometer answers"
            light = bench.hardware.light_sensors["light1"]
            assert str(light.problem) == "light1: no light sensor answers"
            assert light.lux is None
            for name in ("accelerometer:shock1", "light_sensor:light1"):
                world.clear(name)
            await clock.sleep(4)
            assert bench.hardware.accelerometers["shock1"].problem is None
            assert light.lux == pytest.approx(500, rel=0.01)

    virtual_run(main)


def test_another_chip_at_the_address_is_told_by_its_identity() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        for name in ("accelerometer:shock1", "light_sensor:light1"):
            world.fault(name, "garbage")
        async with at_work(clock, world) as bench:
            await clock.sleep(1.5)
            shock, light = (
                bench.hardware.accelerometers["shock1"].problem,
                bench.hardware.light_sensors["light1"].problem,
            )
            assert isinstance(shock, DeviceError)
            assert "is no LIS3DH: it says 0x" in str(shock)
            assert isinstance(light, DeviceError)
            assert "is no OPT3001: it says" in str(light)

    virtual_run(main)


def transfers_in(bench: Bench, monkeypatch: pytest.MonkeyPatch, addresses: set[int]) -> list[int]:
    """Every transaction on the bus with these chips from now on, in bytes on the wire."""
    bus = bench.world.i2c("i2c1")
    really, seen = bus.transfer, []

    def counted(address: int, register: int, *, length: int = 0, data: bytes = b"") -> bytes:
        if address in addresses:
            seen.append(2 + len(data) + (1 + length if length else 0))
        return really(address, register, length=length, data=data)

    monkeypatch.setattr(bus, "transfer", counted)
    return seen


@pytest.mark.parametrize(("name", "address", "percent"), [("shock1", 0x18, 1.0), ("shock2", 0x19, 0.2)])
def test_the_bus_is_left_to_the_door(name: str, address: int, percent: float, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(bench: Bench) -> None:
        await watched(bench, name, 1.0)
        seen = transfers_in(bench, monkeypatch, {address})
        await bench.clock.sleep(60)
        # Nine clocks a byte at 100 kHz, with a little for start and stop.
        busy_s = sum(9.5 * count for count in seen) / 100_000
        assert 100 * busy_s / 60 < percent
        assert max(seen) <= 12
        bench.shock_chip(name).bump(6)
        await bench.clock.sleep(1)
        assert max(seen) <= 34  # reading out the peak: never more than 3 ms at a time

    on_the_bench(scene)


@pytest.mark.parametrize("threshold_g", [0.0, 0.1, 6.1, float("nan")])
def test_a_threshold_that_cannot_be_told_is_refused(threshold_g: float) -> None:
    async def scene(bench: Bench) -> None:
        with pytest.raises(OutOfRange, match=r"shock1: a shock of 0.124 to 6 g can be told \(got "):
            bench.hardware.accelerometers["shock1"].set_threshold(threshold_g)

    on_the_bench(scene)


@given(st.binary(max_size=60))
def test_samples_are_signed_words_of_three_axes(block: bytes) -> None:
    whole = block[: len(block) // 6 * 6]
    samples = list(samples_of(whole))
    assert len(samples) == len(whole) // 6
    packed = b"".join(axis.to_bytes(2, "little", signed=True) for sample in samples for axis in sample)
    assert packed == whole


@given(st.floats(0, 83_000))
def test_a_result_register_means_its_light(lux: float) -> None:
    result, overflow = coded(lux)
    assert not overflow
    assert lux_of(result) == pytest.approx(lux, abs=0.0051 + lux / 2048)


@given(st.floats(0, 120_000))
@settings(max_examples=examples(25))
def test_light_is_read_within_two_seconds_of_its_change(lux: float) -> None:
    async def scene(bench: Bench) -> None:
        await bench.clock.sleep(3)
        bench.light_chip.light(lux)
        await bench.clock.sleep(2.8)
        seen = bench.hardware.light_sensors["light1"].lux
        assert seen == pytest.approx(min(lux, 83_865.6), abs=0.0051, rel=1 / 2048)

    on_the_bench(scene)


def test_a_light_sensor_that_was_reset_is_set_up_again() -> None:
    async def scene(bench: Bench) -> None:
        light = bench.hardware.light_sensors["light1"]
        told: list[HalError | None] = []
        light.on_problem(told.append)
        await bench.clock.sleep(3)
        bench.light_chip.power_changed()
        await bench.clock.sleep(5)
        assert isinstance(told[0], Garbled)
        assert told[1:] == [None]
        assert light.lux == pytest.approx(500, rel=0.01)

    on_the_bench(scene)
