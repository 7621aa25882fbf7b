"""The chips at register level: busy bits, multiplexer, gains, directions, pulls, and interrupts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.sim.peers.loop import ResistorLoopPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.world import World
from hal.types import LineRef, LoopState
from tests.unit.sim.conftest import new_world

ADC, EXPANDER = 0x48, 0x20
IODIRA, IPOLA, GPINTENA, DEFVALA, INTCONA, IOCON, GPPUA, INTFA, INTCAPA, GPIOA, OLATA = range(0, 0x16, 2)


def write(world: World, address: int, register: int, *data: int) -> None:
    world.i2c("i2c1").transfer(address, register, data=bytes(data))


def read(world: World, address: int, register: int, length: int = 1) -> int:
    return int.from_bytes(world.i2c("i2c1").transfer(address, register, length=length), "big")


def convert(world: World, config: int) -> None:
    write(world, ADC, 1, config >> 8, config & 0xFF)


def loop_of(world: World, name: str) -> ResistorLoopPeer:
    peer = world.find(name)
    assert isinstance(peer, ResistorLoopPeer)
    return peer


def test_a_conversion_takes_its_time_and_says_that_it_is_busy() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        loop_of(world, "contact:door").set(LoopState.CLOSED)
        convert(world, 0xC3E3)  # channel 0, 4.096 V, single shot, 860 samples a second
        assert read(world, ADC, 1, 2) == 0x43E3
        assert read(world, ADC, 0, 2) == 0
        await clock.sleep(1 / 860 - 1e-6)
        assert not read(world, ADC, 1, 2) & 0x8000
        await clock.sleep(2e-6)
        assert read(world, ADC, 1, 2) == 0xC3E3
        volts = read(world, ADC, 0, 2) * 4.096 / 32768
        assert volts == pytest.approx(3.3 * 4700 / 14700, abs=4.096 / 32768)
        world.close()

    virtual_run(main)


def test_a_conversion_keeps_the_voltage_at_its_end_whatever_comes_later() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        loop = loop_of(world, "contact:door")
        convert(world, 0xC3E3)
        await clock.sleep(0.01)
        loop.set(LoopState.SHORT)
        assert read(world, ADC, 0, 2) == pytest.approx(3.3 * 9400 / 19400 / 4.096 * 32768, abs=1)
        convert(world, 0xC3E3)
        await clock.sleep(0.01)
        assert read(world, ADC, 0, 2) == 0
        world.close()

    virtual_run(main)


def test_continuous_conversion_follows_the_input() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        loop = loop_of(world, "contact:door")
        convert(world, 0x4283)
        await clock.sleep(0.02)
        first = read(world, ADC, 0, 2)
        loop.set(LoopState.CLOSED)
        assert read(world, ADC, 0, 2) == first
        await clock.sleep(0.02)
        assert read(world, ADC, 0, 2) < first
        assert read(world, ADC, 1, 2) == 0x4283
        world.close()

    virtual_run(main)


@pytest.mark.parametrize(("gain", "full_scale_v"), list(enumerate((6.144, 4.096, 2.048, 1.024, 0.512, 0.256))))
def test_the_gain_sets_the_scale_and_too_much_clips(gain: int, full_scale_v: float) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        loop_of(world, "contact:door").set(LoopState.CLOSED)
        convert(world, 0xC1E3 | gain << 9)
        await clock.sleep(0.01)
        wanted = round(3.3 * 4700 / 14700 / full_scale_v * 32768)
        assert read(world, ADC, 0, 2) == min(wanted, 0x7FFF)
        world.close()

    virtual_run(main)


def test_a_difference_below_zero_is_twos_complement() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        loop_of(world, "contact:door").set(LoopState.SHORT)
        convert(world, 0x83E3)  # channel 0 against channel 1
        await clock.sleep(0.01)
        io1 = loop_of(world, "io1").volts()
        assert read(world, ADC, 0, 2) == 0x10000 - round(io1 / 4.096 * 32768)
        world.close()

    virtual_run(main)


@given(st.integers(0, 3), st.binary(min_size=1, max_size=4))
def test_writing_anything_to_the_converter_leaves_it_readable(register: int, data: bytes) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        write(world, ADC, register, *data)
        await clock.sleep(1.0)
        for each in range(4):
            assert 0 <= read(world, ADC, each, 2) <= 0xFFFF
        if register in (2, 3) and len(data) > 1:
            assert read(world, ADC, register, 2) == int.from_bytes(data[:2], "big")
        world.close()

    virtual_run(main)


@pytest.mark.parametrize(
    ("state", "ohm"), [(LoopState.CLOSED, 4700), (LoopState.OPEN, 9400), (LoopState.CUT, None), (LoopState.SHORT, 0)]
)
@pytest.mark.parametrize("deviation", [0.95, 1.0, 1.05])
def test_a_loop_gives_the_voltage_of_its_resistors(state: LoopState, ohm: int | None, deviation: float) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        loop = loop_of(world, "contact:door")
        loop.fit(deviation=deviation)
        loop.set(state)
        real = None if ohm is None else ohm * deviation
        assert loop.volts() == pytest.approx(3.3 if real is None else 3.3 * real / (real + 10_000))
        world.power(False)
        assert loop.volts() == 0.0
        world.close()

    virtual_run(main)


def test_expander_outputs_drive_their_nets_and_inputs_read_them() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        write(world, EXPANDER, OLATA, 0b01)
        assert world.find("line:exp0:0").state() is False
        write(world, EXPANDER, IODIRA, 0xFE)
        assert world.find("line:exp0:0").state() is True
        assert world.find("io1").output.value is True
        write(world, EXPANDER, GPPUA, 0xFE, 0xFF)
        assert read(world, EXPANDER, GPIOA, 2) == 0xFDFF  # line 1 has the pull of its transistor
        write(world, EXPANDER, IPOLA, 0x04)
        world.find("io2").set(LoopState.CLOSED)
        assert read(world, EXPANDER, GPIOA) & 0x04 == 0x04
        world.close()

    virtual_run(main)


def test_an_interrupt_stands_until_it_is_read_and_keeps_what_the_lines_were() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        interrupt = world.net(LineRef("gpio0", 13))
        write(world, EXPANDER, GPINTENA, 0x04)
        assert interrupt.level is True
        world.find("io2").set(LoopState.CLOSED)
        assert interrupt.level is False
        world.find("io2").set(LoopState.OPEN)
        assert interrupt.level is False
        assert read(world, EXPANDER, INTFA) == 0x04
        assert read(world, EXPANDER, INTCAPA) & 0x04 == 0
        assert interrupt.level is True
        assert read(world, EXPANDER, INTFA) == 0
        world.close()

    virtual_run(main)


def test_an_interrupt_against_a_default_comes_back_while_the_line_differs() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        interrupt = world.net(LineRef("gpio0", 13))
        write(world, EXPANDER, IOCON, 0x42)  # both ports on INTA, active high
        write(world, EXPANDER, DEFVALA, 0x04)
        write(world, EXPANDER, INTCONA, 0x04)
        write(world, EXPANDER, GPINTENA, 0x04)
        assert interrupt.level is False
        world.find("io2").set(LoopState.CLOSED)
        read(world, EXPANDER, GPIOA)
        assert interrupt.level is True
        world.find("io2").set(LoopState.OPEN)
        read(world, EXPANDER, GPIOA)
        assert interrupt.level is False
        world.close()

    virtual_run(main)


def test_both_register_layouts_reach_the_same_registers() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        write(world, EXPANDER, IOCON, 0x80)
        write(world, EXPANDER, 0x10, 0x5A)  # IODIRB where BANK is 1
        assert read(world, EXPANDER, 0x10) == 0x5A
        assert read(world, EXPANDER, 0x0B) == 0  # nothing there
        write(world, EXPANDER, 0x05, 0x00)  # IOCON: back
        assert read(world, EXPANDER, IODIRA, 2) == 0xFF5A
        world.close()

    virtual_run(main)


def test_byte_mode_toggles_between_the_two_ports() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        write(world, EXPANDER, IOCON, 0x20)
        write(world, EXPANDER, IODIRA, 0x11, 0x22, 0x33)
        assert read(world, EXPANDER, IODIRA, 4) == 0x33223322
        world.close()

    virtual_run(main)


def test_the_expander_forgets_everything_without_power() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        write(world, EXPANDER, OLATA, 0x01)
        write(world, EXPANDER, IODIRA, 0xFE)
        world.power(False)
        assert world.find("io1").output.value is False
        world.power(True)
        assert read(world, EXPANDER, IODIRA, 2) == 0xFFFF
        assert world.find("io1").output.value is False
        world.close()

    virtual_run(main)


def test_a_garbling_chip_answers_noise() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        world.fault("exp0", "garbage")
        answers = {read(world, EXPANDER, IODIRA, 2) for _ in range(8)}
        assert len(answers) > 1
        world.fault("exp0", "none")
        assert read(world, EXPANDER, IODIRA, 2) == 0xFFFF
        world.close()

    virtual_run(main)
