"""The I2C wire: calls in order off the loop, and what the kernel's errors become."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.buses.i2c import SmbusI2c
from hal.clock import SystemClock
from hal.errors import BusError, BusTimeout, Garbled, NoReply
from tests.effort import examples


class FakeSmbus:
    """smbus2.SMBus over 256 registers; `fails` makes every call end in that errno."""

    def __init__(self) -> None:
        self.registers = bytearray(256)
        self.fails = 0
        self.short = 0
        self.threads: set[str] = set()
        self.closed = threading.Event()

    def _call(self) -> None:
        self.threads.add(threading.current_thread().name)
        if self.fails:
            raise OSError(self.fails, os.strerror(self.fails))

    def read_byte_data(self, i2c_addr: int, register: int) -> int:
        self._call()
        return self.registers[register]

    def write_byte_data(self, i2c_addr: int, register: int, value: int) -> None:
        self._call()
        self.registers[register] = value

    def read_word_data(self, i2c_addr: int, register: int) -> int:
        self._call()
        return int.from_bytes(self.registers[register : register + 2], "little")

    def write_word_data(self, i2c_addr: int, register: int, value: int) -> None:
        self._call()
        self.registers[register : register + 2] = value.to_bytes(2, "little")

    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int) -> list[int]:
        self._call()
        return list(self.registers[register : register + length - self.short])

    def write_i2c_block_data(self, i2c_addr: int, register: int, data: Sequence[int]) -> None:
        self._call()
        self.registers[register : register + len(data)] = bytes(data)

    def close(self) -> None:
        self.closed.set()


class CountingClock(SystemClock):
    """Real time that notes whether virtual time would be held."""

    def __init__(self) -> None:
        super().__init__()
        self.outside_now = 0
        self.entered = 0

    def outside(self) -> AbstractContextManager[None]:
        @contextmanager
        def held() -> Any:
            self.entered += 1
            self.outside_now += 1
            try:
                yield
            finally:
                self.outside_now -= 1

        return held()


def run(scene: Callable[[SmbusI2c, FakeSmbus], Coroutine[Any, Any, None]], clock: SystemClock | None = None) -> None:
    async def main() -> None:
        bus = FakeSmbus()
        i2c = SmbusI2c("i2c1", clock or SystemClock(), bus)
        try:
            await asyncio.wait_for(scene(i2c, bus), 60)
        finally:
            i2c.close()
        assert bus.closed.wait(60)

    asyncio.run(main())


@settings(max_examples=examples(50), deadline=None)
@given(
    register=st.integers(0, 200),
    byte=st.integers(0, 255),
    word=st.integers(0, 65535),
    block=st.binary(min_size=1, max_size=32),
)
def test_what_is_written_is_read_back(register: int, byte: int, word: int, block: bytes) -> None:
    async def scene(i2c: SmbusI2c, bus: FakeSmbus) -> None:
        await i2c.write_byte(0x20, register, byte)
        assert await i2c.read_byte(0x20, register) == byte
        await i2c.write_word(0x20, register, word)
        assert await i2c.read_word(0x20, register) == word
        next_to_it = await i2c.read_word(0x20, register + 2)
        assert await i2c.read_words(0x20, (register, register + 2, register)) == (word, next_to_it, word)
        await i2c.write_block(0x20, register, block)
        assert await i2c.read_block(0x20, register, len(block)) == block

    run(scene)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENXIO, NoReply),
        (errno.EREMOTEIO, NoReply),
        (errno.ENODEV, NoReply),
        (errno.ETIMEDOUT, BusTimeout),
        (errno.EIO, BusError),
        (errno.EAGAIN, BusError),
    ],
)
def test_every_failure_of_the_kernel_is_translated_and_names_bus_and_address(number: int, kind: type[BusError]) -> None:
    async def scene(i2c: SmbusI2c, bus: FakeSmbus) -> None:
        bus.fails = number
        calls: list[Coroutine[Any, Any, object]] = [
            i2c.read_byte(0x48, 1),
            i2c.write_byte(0x48, 1, 2),
            i2c.read_word(0x48, 1),
            i2c.write_word(0x48, 1, 2),
            i2c.read_block(0x48, 1, 2),
            i2c.write_block(0x48, 1, b"12"),
        ]
        for call in calls:
            with pytest.raises(BusError, match=r"^i2c1 0x48: ") as caught:
                await call
            assert type(caught.value) is kind

    run(scene)


def test_a_block_that_comes_short_is_garbled() -> None:
    async def scene(i2c: SmbusI2c, bus: FakeSmbus) -> None:
        bus.short = 1
        with pytest.raises(Garbled, match="i2c1 0x20: asked for 4 bytes, got 3"):
            await i2c.read_block(0x20, 0, 4)

    run(scene)


def test_numbers_out_of_range_are_refused_before_they_reach_the_wire() -> None:
    async def scene(i2c: SmbusI2c, bus: FakeSmbus) -> None:
        for call, text in [
            (i2c.read_byte(0x78, 0), "i2c1 0x78: not an I2C address; valid: 0x03 to 0x77"),
            (i2c.read_byte(0x20, 256), "i2c1 0x20: register 256 is outside 0 to 255"),
            (i2c.write_byte(0x20, 0, 256), "i2c1 0x20: value 256 is outside 0 to 255"),
            (i2c.write_word(0x20, 0, -1), "i2c1 0x20: value -1 is outside 0 to 65535"),
            (i2c.read_block(0x20, 0, 33), "i2c1 0x20: a block of 33 bytes; valid: 1 to 32"),
            (i2c.write_block(0x20, 0, b""), "i2c1 0x20: a block of 0 bytes; valid: 1 to 32"),
        ]:
            with pytest.raises(BusError) as caught:
                await call
            assert str(caught.value) == text
        assert bus.threads == set()

    run(scene)


def test_all_calls_run_on_the_one_thread_of_the_bus_while_virtual_time_is_held() -> None:
    clock = CountingClock()

    async def scene(i2c: SmbusI2c, bus: FakeSmbus) -> None:
        await asyncio.gather(*(i2c.write_byte(0x20, n, n) for n in range(50)))
        assert bytes(bus.registers[:50]) == bytes(range(50))
        assert bus.threads == {"i2c i2c1_0"}
        assert (clock.entered, clock.outside_now) == (50, 0)

    run(scene, clock)


def test_a_closed_bus_refuses_calls() -> None:
    async def scene(i2c: SmbusI2c, bus: FakeSmbus) -> None:
        i2c.close()
        i2c.close()
        with pytest.raises(BusError, match="i2c1 0x20: the bus was closed"):
            await i2c.read_byte(0x20, 0)

    run(scene)
