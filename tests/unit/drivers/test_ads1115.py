"""The converter: registers with swapped bytes, one conversion at a time."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wires_in_memory import MemoryAds1115, MemoryI2c

from hal.drivers.ads1115 import Ads1115, swapped
from hal.errors import Absent, BusTimeout, Garbled, NoReply, OutOfRange
from hal.sim.time import VirtualClock, virtual_run
from tests.effort import examples


@given(st.floats(0, 4.09), st.integers(0, 3))
@settings(max_examples=examples(50), deadline=None)
def test_a_voltage_is_read_to_the_resolution_of_the_chip(volts: float, channel: int) -> None:
    async def main(clock: VirtualClock) -> None:
        inputs = [1.0, 1.0, 1.0, 1.0]
        inputs[channel] = volts
        adc = await Ads1115.open("adc0", MemoryI2c(clock, {0x48: MemoryAds1115(clock, inputs)}), 0x48, clock)
        assert await adc.read_v(channel) == pytest.approx(volts, abs=4.096 / 32768)
        adc.close()

    virtual_run(main)


def test_readers_at_the_same_time_each_get_their_own_channel() -> None:
    async def main(clock: VirtualClock) -> None:
        chip = MemoryAds1115(clock, [0.1, 0.2, 0.3, 0.4])
        adc = await Ads1115.open("adc0", MemoryI2c(clock, {0x49: chip}), 0x49, clock)
        volts = await asyncio.gather(*(adc.read_v(n % 4) for n in range(12)))
        assert volts == [pytest.approx(0.1 * (n % 4 + 1), abs=1e-3) for n in range(12)]
        assert chip.conversions == [n % 4 for n in range(12)]

    virtual_run(main)


def test_a_slow_conversion_is_waited_for_and_an_endless_one_is_an_error() -> None:
    async def main(clock: VirtualClock) -> None:
        chip = MemoryAds1115(clock, [1.5] * 4)
        adc = await Ads1115.open("adc0", MemoryI2c(clock, {0x48: chip}), 0x48, clock)
        chip.slowness = 3
        assert await adc.read_v(2) == pytest.approx(1.5, abs=1e-3)
        chip.slowness = 1e6
        with pytest.raises(BusTimeout, match="adc0: the conversion does not end"):
            await adc.read_v(2)

    virtual_run(main)


def test_a_chip_that_was_reset_during_a_conversion_is_noticed() -> None:
    async def main(clock: VirtualClock) -> None:
        chip = MemoryAds1115(clock, [1.5] * 4)
        adc = await Ads1115.open("adc0", MemoryI2c(clock, {0x48: chip}), 0x48, clock)
        clock.call_later(0.001, setattr, chip, "config", 0x8583)
        with pytest.raises(Garbled, match="was reset"):
            await adc.read_v(0)

    virtual_run(main)


@pytest.mark.parametrize("volts", [4.2, -0.2])
def test_a_voltage_outside_the_range_is_an_error(volts: float) -> None:
    async def main(clock: VirtualClock) -> None:
        adc = await Ads1115.open("adc0", MemoryI2c(clock, {0x48: MemoryAds1115(clock, [volts] * 4)}), 0x48, clock)
        with pytest.raises(OutOfRange, match="channel 3 reads"):
            await adc.read_v(3)

    virtual_run(main)


def test_impossible_channels_addresses_and_ranges_are_refused() -> None:
    async def main(clock: VirtualClock) -> None:
        i2c = MemoryI2c(clock, {0x48: MemoryAds1115(clock, [0.0] * 4)})
        adc = await Ads1115.open("adc0", i2c, 0x48, clock)
        with pytest.raises(OutOfRange, match="channel 4"):
            await adc.read_v(4)
        with pytest.raises(OutOfRange, match="0x20"):
            await Ads1115.open("adc0", i2c, 0x20, clock)
        with pytest.raises(OutOfRange, match=r"4\.1 V; valid: 0\.256, .* 4\.096, 6\.144"):
            await Ads1115.open("adc0", i2c, 0x48, clock, full_scale_v=4.1)

    virtual_run(main)


def test_a_missing_chip_is_absent_and_one_that_leaves_later_does_not_reply() -> None:
    async def main(clock: VirtualClock) -> None:
        i2c = MemoryI2c(clock, {0x48: MemoryAds1115(clock, [0.5] * 4)})
        with pytest.raises(Absent, match="adc1: no converter answers at 0x4a"):
            await Ads1115.open("adc1", i2c, 0x4A, clock)
        adc = await Ads1115.open("adc0", i2c, 0x48, clock)
        i2c.gone.add(0x48)
        with pytest.raises(NoReply):
            await adc.read_v(0)
        i2c.gone.clear()
        assert await adc.read_v(0) == pytest.approx(0.5, abs=1e-3)

    virtual_run(main)


@given(st.integers(0, 0xFFFF))
@settings(max_examples=examples(100), deadline=None)
def test_swapping_bytes_twice_gives_the_word_back(word: int) -> None:
    assert swapped(swapped(word)) == word
    assert swapped(word).to_bytes(2, "big") == word.to_bytes(2, "little")
