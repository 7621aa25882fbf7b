"""The I2C wire on a real kernel (i2c-stub, which holds what was written at 0x20 and 0x48)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hal.buses.i2c import SmbusI2c, open_i2c
from hal.clock import SystemClock
from hal.errors import BusError, NoReply

BUS = "/dev/i2c-0"


def on_bus(scene: Callable[[SmbusI2c], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        i2c = open_i2c("i2c0", BUS, SystemClock())
        try:
            await asyncio.wait_for(scene(i2c), 10)
        finally:
            i2c.close()

    asyncio.run(main())


def test_bytes_words_and_blocks_come_back_as_written() -> None:
    async def scene(i2c: SmbusI2c) -> None:
        await i2c.write_byte(0x20, 0x01, 0xA5)
        assert await i2c.read_byte(0x20, 0x01) == 0xA5
        await i2c.write_word(0x48, 0x02, 0x1234)
        assert await i2c.read_word(0x48, 0x02) == 0x1234
        await i2c.write_block(0x20, 0x10, bytes(range(1, 9)))
        assert await i2c.read_block(0x20, 0x10, 8) == bytes(range(1, 9))
        assert await i2c.read_byte(0x20, 0x12) == 3

    on_bus(scene)


def test_a_word_goes_low_byte_first() -> None:
    async def scene(i2c: SmbusI2c) -> None:
        await i2c.write_block(0x20, 0x30, b"\x34\x12")
        assert (await i2c.read_block(0x20, 0x30, 2)) == b"\x34\x12"

    on_bus(scene)


def test_an_absent_chip_does_not_reply() -> None:
    async def scene(i2c: SmbusI2c) -> None:
        with pytest.raises(NoReply, match="i2c0 0x21: no chip answers"):
            await i2c.read_byte(0x21, 0)
        with pytest.raises(NoReply, match="0x21"):
            await i2c.write_word(0x21, 0, 1)

    on_bus(scene)


def test_an_absent_bus_is_named() -> None:
    with pytest.raises(BusError, match="i2c7: cannot open the I2C bus /dev/i2c-7"):
        open_i2c("i2c7", "/dev/i2c-7", SystemClock())
