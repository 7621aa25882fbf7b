"""Chips that answer on a real kernel's I2C bus: combined transfers, SMBus calls made of them, silence and hanging."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from smbus2 import SMBus, i2c_msg

from hal.board import load_board
from hal.buses.i2c import SmbusI2c, open_i2c
from hal.clock import SystemClock
from hal.errors import BusTimeout, NoReply
from hal.sim.world import World
from tests.bench.kernel.chips import DEVICE, KernelChips

T = TypeVar("T")
BUS = "/dev/i2c-1"
EXPANDER, CONVERTER, NOBODY = 0x20, 0x48, 0x55
IODIRA, OLATA, GPIOA = 0x00, 0x14, 0x12

pytestmark = pytest.mark.skipif(not DEVICE.exists(), reason=f"this kernel has no bus whose chips are played ({DEVICE})")


def on_bus(scene: Callable[[World, SmbusI2c], Any]) -> None:
    """Run a scene beside the chips of a door station."""

    async def main() -> None:
        clock = SystemClock()
        world = World(clock, load_board("door_station"))
        chips = KernelChips(world.i2c("i2c1"))
        wire = open_i2c("i2c1", BUS, clock)
        try:
            await asyncio.wait_for(scene(world, wire), 30)
        finally:
            wire.close()
            chips.close()
            world.close()

    asyncio.run(main())


async def apart(call: Callable[[], T]) -> T:
    """A blocking call, while the loop plays the chips."""
    return await asyncio.get_running_loop().run_in_executor(None, call)


def test_a_chip_drives_its_lines_and_reads_back_what_happens_to_them() -> None:
    async def scene(world: World, wire: SmbusI2c) -> None:
        await wire.write_byte(EXPANDER, IODIRA, 0xFE)
        await wire.write_byte(EXPANDER, OLATA, 0x01)
        net = next(net for line, net in world.nets.items() if str(line) == "exp0:0")
        assert net.level
        assert await wire.read_byte(EXPANDER, GPIOA) & 1
        await wire.write_byte(EXPANDER, OLATA, 0x00)
        assert not net.level

    on_bus(scene)


def test_a_combined_transfer_writes_a_register_and_reads_it_without_letting_go_of_the_bus() -> None:
    async def scene(_: World, wire: SmbusI2c) -> None:
        await wire.write_block(EXPANDER, IODIRA, b"\xa5\x5a")

        def combined() -> tuple[list[int], list[int]]:
            with SMBus(BUS) as bus:
                first, second = i2c_msg.read(EXPANDER, 1), i2c_msg.read(EXPANDER, 2)
                bus.i2c_rdwr(i2c_msg.write(EXPANDER, [IODIRA]), second)
                bus.i2c_rdwr(i2c_msg.write(EXPANDER, [OLATA, 0x11]), i2c_msg.write(EXPANDER, [OLATA]), first)
                return list(second), list(first)

        assert await apart(combined) == ([0xA5, 0x5A], [0x11])

    on_bus(scene)


def test_a_message_without_a_register_goes_on_where_the_last_one_pointed() -> None:
    async def scene(_: World, wire: SmbusI2c) -> None:
        await wire.write_byte(EXPANDER, OLATA, 0x3C)

        def pointed() -> int:
            with SMBus(BUS) as bus:
                bus.write_byte(EXPANDER, OLATA)
                return int(bus.read_byte(EXPANDER))

        assert await apart(pointed) == 0x3C

    on_bus(scene)


def test_a_converter_measures_the_loop_at_its_channel() -> None:
    async def scene(world: World, wire: SmbusI2c) -> None:
        async def measured() -> int:
            await wire.write_block(CONVERTER, 0x01, b"\xc3\x83")  # one conversion of channel 0, 4.096 V
            await SystemClock().sleep(0.05)
            return int.from_bytes(await wire.read_block(CONVERTER, 0x00, 2), "big", signed=True)

        loop: Any = world.find("contact:door")
        values = []
        for state in ("closed", "open", "short"):
            loop.set(state)
            values.append(await measured())
        closed, opened, short = values
        assert short < min(closed, opened)
        assert abs(closed - opened) > 1000

    on_bus(scene)


def test_row_10_a_chip_that_is_absent_or_fails_does_not_reply_and_comes_back() -> None:
    async def scene(world: World, wire: SmbusI2c) -> None:
        with pytest.raises(NoReply, match="0x55"):
            await wire.read_byte(NOBODY, 0)
        world.fault("expander:exp0", "absent")
        with pytest.raises(NoReply, match="i2c1 0x20: no chip answers"):
            await wire.read_byte(EXPANDER, GPIOA)
        world.clear("expander:exp0")
        await wire.read_byte(EXPANDER, GPIOA)

    on_bus(scene)


def test_a_bus_without_anybody_on_it_does_not_reply_and_one_that_hangs_is_given_up() -> None:
    async def main() -> None:
        wire = open_i2c("i2c1", BUS, SystemClock())
        try:
            with pytest.raises(NoReply):
                await wire.read_byte(EXPANDER, GPIOA)
            mute = os.open(Path(DEVICE), os.O_RDWR)
            try:
                with pytest.raises(BusTimeout, match="i2c1 0x20"):
                    await wire.read_byte(EXPANDER, GPIOA)
            finally:
                os.close(mute)
        finally:
            wire.close()

    asyncio.run(asyncio.wait_for(main(), 30))
